"""Mean, standard deviation and quantiles of every scalar, and which of them never move or hold no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Verdict
from bayeskit.core.words import commas
from bayeskit.diagnostics.chains import in_order, quantile

Floats = NDArray[np.float64]

PROBABILITIES = {"q2.5": 0.025, "q16": 0.16, "median": 0.5, "q84": 0.84, "q97.5": 0.975}
CHECKS = ["span", "broken", "unset"]  # columns that verdicts rest on, and that no summary shows


def moments(values: Floats, ordered: Floats) -> dict[str, NDArray[Any]]:
    """Return the columns of a summary that need no chains, and ``CHECKS``.

    Parameters
    ----------
    values
        ``n_cells x n_chains x n_draws``.
    ordered
        The same ``in_order``.

    Returns
    -------
    dict
        ``mean``, ``sd`` (of what never moves: 0) and quantiles, NaN where a draw is NaN. Then ``span``, the largest
        minus the smallest draw, NaN where there is no number; ``broken``, whether some draws hold numbers but not all,
        or infinite ones; ``unset``, whether no draw holds a number.
    """
    flat = values.reshape(values.shape[0], -1)
    n_samples = flat.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):  # infinite draws have no mean, a single one has no spread
        mean = flat.mean(1)
        centred = flat - mean[:, None]
        sd = np.sqrt(np.vecdot(centred, centred) / np.float64(n_samples - 1))
        n_missing = np.isnan(ordered).sum(1) if np.isnan(ordered[:, -1]).any() else np.zeros(len(ordered), dtype=int)
        last = ordered[np.arange(len(ordered)), np.maximum(n_samples - 1 - n_missing, 0)]
        span = last - ordered[:, 0]
        columns = {"mean": mean, "sd": np.where(span == 0, 0.0, sd)}
        columns |= {name: quantile(ordered, probability) for name, probability in PROBABILITIES.items()}
    unset = n_missing == n_samples
    infinite = np.isinf(ordered[:, 0]) | np.isinf(last)
    return {**columns, "span": span, "broken": ((n_missing > 0) & ~unset) | infinite, "unset": unset}


def described(values: Floats) -> dict[str, NDArray[Any]]:
    """Return ``moments`` of draws as they come."""
    return moments(values, in_order(values))


def finite(found: pd.DataFrame) -> Verdict:
    """Judge whether all draws hold numbers. What never holds one was left unset by the program, and does not count.

    Parameters
    ----------
    found
        One row a scalar, labelled, with the columns ``broken`` and ``unset``.
    """
    broken = [str(label) for label in found.index[found["broken"].to_numpy(dtype=bool)]]
    count = len(broken)
    detail = commas([*_first(broken), say("of {n} quantities", n=f"{len(found):,}")])
    never = [str(label) for label in found.index[found["unset"].to_numpy(dtype=bool)]]
    if never:
        detail = say(
            "{detail}; never a number, and not counted: {quantities}", detail=detail, quantities=commas(_first(never))
        )
    remedy = say(
        "look at what the program computes for these: an overflow, or a logarithm or root of a negative number"
    )
    return Verdict("finite", count, 0, "<=", count == 0, detail, remedy if count else "")


def _first(labels: list[str]) -> list[str]:
    """Return the first three, and that there are more."""
    return [*labels[:3], "…"] if len(labels) > 3 else labels
