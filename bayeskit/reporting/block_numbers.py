"""Numbers of a block model as texts: rates in per cent where they are chances, shares however small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import NO_BREAK, decimals_for, interval, number, percent, plus_minus, significant
from bayeskit.reporting.block_view import Blocks

Floats = NDArray[np.float64]

SMALL = 0.015  # shares below it keep two digits
WIDE = 1.5  # powers of 10, from which on they are enough for ticks


def share_text(share: float) -> str:
    """Return a share as percentage, also where it is far below one per cent.

    Examples
    --------
    >>> [share_text(share).replace(NO_BREAK, " ") for share in (0.31, 0.00021, 0.0)]
    ['31 %', '0.021 %', '0 %']
    """
    if 0 < share < SMALL:
        return f"{significant(100 * share, 2)}{NO_BREAK}%"
    return percent(share)


def rate_text(blocks: Blocks, draws: Floats) -> str:
    """Return a rate's mean ± sd, or alone where it is a point; chances in per cent."""
    scale, unit = _scale(blocks)
    mean, sd = scale * float(draws.mean()), scale * _sd(blocks, draws)
    return f"{plus_minus(mean, sd) if sd > 0 else significant(mean, 3)}{unit}"


def rate_alone(blocks: Blocks, draws: Floats, *, unit: bool = True) -> str:
    """Return a rate's mean, with the digits that it is known to."""
    scale, written = _scale(blocks)
    mean, sd = scale * float(draws.mean()), scale * _sd(blocks, draws)
    return f"{number(mean, decimals_for(sd)) if sd > 0 else significant(mean, 3)}{written if unit else ''}"


def rate_interval(blocks: Blocks, draws: Floats) -> str:
    """Return a rate's central 95 % interval; nothing of a point."""
    scale, unit = _scale(blocks)
    sd = scale * _sd(blocks, draws)
    if not sd > 0:
        return ""
    low, high = (number(scale * float(end), decimals_for(sd)) for end in np.quantile(draws, [0.025, 0.975]))
    return f"{interval(low, high)}{unit}"


def rate_name(blocks: Blocks) -> str:
    """Return what a rate is."""
    if blocks.card.likelihood == "bernoulli":
        return say("chance of an edge")
    if blocks.card.degree_corrected:
        return say("expected weight between nodes of average degrees")
    return say("expected weight")


def times_text(ratio: float) -> str:
    """Return how many times as much something is."""
    return f"{significant(ratio, 2)}{NO_BREAK}×" if np.isfinite(ratio) else "–"


def weight_text(weight: float) -> str:
    """Return an observed weight: a number of edges, or their sum."""
    return number(weight, 0) if weight == round(weight) else significant(weight, 4)


def score_text(value: float) -> str:
    """Return a score between 0 and 1, also where it is far below 1."""
    return number(value, 3) if value >= 0.01 or value == 0 else significant(value, 2)


def log_ticks(values: Floats, written: Callable[[float], str]) -> dict[str, Any]:
    """Return ticks of a logarithmic axis: powers of 10 where these are enough, else also 2 and 5 times these."""
    low, high = np.log10([values.min(), values.max()])
    digits = (1,) if high - low > WIDE else (1, 2, 5)
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    places = [digit * 10.0**power for power in powers for digit in digits]
    kept = [place for place in places if 0.9 * values.min() <= place <= 1.1 * values.max()]
    return {"tickvals": kept, "ticktext": [written(place) for place in kept]}


def _scale(blocks: Blocks) -> tuple[float, str]:
    return (100.0, f"{NO_BREAK}%") if blocks.card.likelihood == "bernoulli" else (1.0, "")


def _sd(blocks: Blocks, draws: Floats) -> float:
    return 0.0 if blocks.is_point or draws.size < 2 else float(draws.std(ddof=1))
