"""Whether a Metropolis sampler accepts next to nothing, or next to everything.

Between these a chain may be slow, which its effective sample size tells; at either end it shows nothing of the
posterior, whatever its other numbers say: Roberts and Rosenthal (2001), doi:10.1214/ss/1015346320.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bayeskit.core.language import mark, say
from bayeskit.core.types import Comparison, Verdict

LOWEST = 0.05
HIGHEST = 0.8
_SHARE_OF_TARGET = 0.25  # a target of the user's own moves the limits: to so much of it, and of what it leaves to 1

_TOO_LOW = mark(
    "run a longer warm-up (--warmup), or change the parametrisation: steps are too wide for where these chains stand"
)
_TOO_HIGH = mark("run a longer warm-up (--warmup): steps are so short that the chains hardly move")


def acceptance_verdict(acceptance: ArrayLike, target: float | None = None) -> Verdict:
    """Judge the acceptance rates of a sampler that accepts or rejects.

    Parameters
    ----------
    acceptance
        Of each iteration, ``n_chains x n_draws``.
    target
        What warm-up aimed at; a low or a high one makes room for itself.

    Returns
    -------
    Verdict
        ``acceptance``: on the worst chain. Where one is below the lower limit, on that one; else on the one above the
        upper limit; else the lowest passes. None where there is no draw, or a rate that is no number.
    """
    lowest, highest = limits(target)
    rates = np.asarray(acceptance, dtype=float)
    if rates.size == 0:
        return Verdict("acceptance", None, lowest, ">=", None, say("there are no draws"))
    by_chain = rates.mean(axis=1)
    if np.isnan(by_chain).any():
        return Verdict("acceptance", None, lowest, ">=", None, say("some acceptance rate is no number"))
    too_low, too_high = by_chain < lowest, by_chain > highest
    high = bool(too_high.any() and not too_low.any())
    value = float(by_chain.max() if high else by_chain.min())
    told = say(
        "worst of {chains} chains; mean {mean}, outside {lowest} to {highest}: {outside}",
        chains=f"{len(by_chain):,}",
        mean=f"{by_chain.mean():.2f}",
        lowest=f"{lowest:g}",
        highest=f"{highest:g}",
        outside=f"{int((too_low | too_high).sum()):,}",
    )
    comparison: Comparison = "<=" if high else ">="
    passed = not bool(too_low.any() or too_high.any())
    remedy = "" if passed else say(_TOO_HIGH) if high else say(_TOO_LOW)
    return Verdict("acceptance", value, highest if high else lowest, comparison, passed, told, remedy)


def limits(target: float | None) -> tuple[float, float]:
    """Return between which acceptance rates a chain passes."""
    if target is None:
        return LOWEST, HIGHEST
    return min(LOWEST, _SHARE_OF_TARGET * target), max(HIGHEST, 1 - _SHARE_OF_TARGET * (1 - target))
