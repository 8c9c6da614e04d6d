"""What is shown of an autoencoder of a table: rows that it makes beside the data's, and how they follow a condition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.types import ConditionCard
from bayeskit.models.autoencoders._seen import Seen
from bayeskit.models.autoencoders.estimates import decode, prior_codes

Arrays = dict[str, NDArray[Any]]

FEWEST_GENERATED, MOST_GENERATED = 1_000, 5_000
POINTS = 61
_DRAWS = 2_000  # at each of them
_BANDS = {"low95": 0.025, "low68": 0.16, "high68": 0.84, "high95": 0.975}


def figures_of(seen: Seen, rng: np.random.Generator) -> dict[str, Arrays]:
    """Return ``traversals``, ``generated``, ``observed`` and, of a number as condition, ``by_condition``."""
    groups = {"traversals": seen.traversals()}
    observed = seen.judged[:MOST_GENERATED]
    source = np.resize(observed, max(len(observed), FEWEST_GENERATED))
    rows = seen.rows.take(source)
    _, drawn = decode(seen.module, prior_codes(seen.module, rows, rng), rows, rng)
    assert drawn is not None
    groups["generated"] = {"drawn": drawn, **seen.given(source)}
    groups["observed"] = {"value": seen.model.data.values[observed].astype(np.float64), **seen.given(observed)}
    number = next((card for card in seen.model.spec.conditions if not card.classes), None)
    if number is not None:
        groups["by_condition"] = _by_number(seen, number, rng)
    return groups


def _by_number(seen: Seen, card: ConditionCard, rng: np.random.Generator) -> Arrays:
    """Return what is predicted across a number's range in training; other conditions are a typical row's."""
    at = np.linspace(card.low, card.high, POINTS)
    rows = seen.like(int(seen.shown[seen.typical]), POINTS * _DRAWS)
    rows = seen.with_condition(rows, card.name, np.repeat(at, _DRAWS))
    mean, drawn = decode(seen.module, prior_codes(seen.module, rows, rng), rows, rng)
    assert drawn is not None
    spread = np.quantile(drawn.reshape(POINTS, _DRAWS, -1), list(_BANDS.values()), axis=1)
    bands = dict(zip(_BANDS, spread, strict=True))
    return {"mean": mean.reshape(POINTS, _DRAWS, -1).mean(axis=1), **bands, f"given_{card.name}": at}
