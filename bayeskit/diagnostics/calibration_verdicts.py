"""What the simulations of a calibration say, in words: verdicts, reasons and remedies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Verdict
from bayeskit.core.words import count, number, percent
from bayeskit.diagnostics import calibration_bands as bands
from bayeskit.diagnostics.calibration_ranks import LOG_LIKELIHOOD, Simulation

if TYPE_CHECKING:
    from bayeskit.diagnostics.calibration import Coverage, QuantityCalibration

LOST_LIMIT = 0.05
"""The largest share of simulations that may fail, diverge or not mix: the rest would be a choice of easy ones."""
R_HAT_LIMIT = 1.05  # of short chains; 1.01 is for results
COARSEST = 2.0
"""Simulations that do not find a posterior which is too narrow by this factor say nothing."""

_SHAPES = {
    "narrow": mark("the posterior of {label} is too narrow"),
    "wide": mark("the posterior of {label} is too wide"),
    "low": mark("the posterior of {label} lies too low"),
    "high": mark("the posterior of {label} lies too high"),
    "uneven": mark("the true values of {label} do not fall evenly over its posterior"),
}
_LIKELIHOOD_SHAPES = {
    "narrow": mark("the joint log likelihood ({label}) varies too little between the draws"),
    "wide": mark("the joint log likelihood ({label}) varies too much between the draws"),
    "low": mark("the draws fit the data worse than the true values do (joint log likelihood {label})"),
    "high": mark("the draws fit the data better than the true values do (joint log likelihood {label})"),
    "uneven": mark(
        "the joint log likelihood ({label}) of the true values does not fall evenly among that of the draws"
    ),
}
_REMEDIES = {
    "narrow": mark(
        "check that the program and the simulation assume the same noise and the same priors; if they do, the engine "
        "misses a part of the posterior: run it longer (--warmup, --draws), or take one that reaches all of it"
    ),
    "wide": mark(
        "check that the program and the simulation assume the same noise and the same priors, and that the program "
        "uses all of the data"
    ),
    "low": mark(
        "check that the program and the simulation assume the same priors and units; if they do, the engine does not "
        "arrive: give it a longer warm-up (--warmup)"
    ),
    "uneven": mark(
        "look at the rank histogram: a peak at few ranks comes from ties broken one way, or from chains that stand "
        "still"
    ),
}
_LIKELIHOOD_REMEDY = mark(
    "check that the program uses all of the data, with the likelihood that they were simulated from, and that the "
    "engine moves away from the prior"
)
_LOST_REMEDIES = {
    "failed_simulations": mark("look at what the failed simulations say, and tighten priors that make impossible data"),
    "diverging_simulations": mark(
        "tighten the priors, or change the parametrisation: parts of the posterior were not reached"
    ),
    "unmixed_simulations": mark("run each simulation longer (--warmup, --draws)"),
}


def judge(
    simulations: Sequence[Simulation], quantities: Sequence[QuantityCalibration], alpha: float
) -> tuple[Verdict, ...]:
    """Return the verdicts, the most important first; a check that needs what no simulation reports is left out."""
    resolution = _resolution(quantities, alpha)
    verdicts = [
        _ranks(quantities, alpha, resolution),
        _coverage(quantities, alpha, resolution),
        resolution,
        _share("failed_simulations", simulations, lambda one: not one.quantities),
    ]
    finished = [one for one in simulations if one.quantities]
    if finished:
        verdicts.append(_share("diverging_simulations", finished, lambda one: one.divergences > 0))
    compared = [one for one in finished if one.max_r_hat is not None]
    if compared:
        # NaN, of chains that stand still, is no agreement.
        verdicts.append(_share("unmixed_simulations", compared, lambda one: not (one.max_r_hat or 0.0) <= R_HAT_LIMIT))
    return tuple(verdicts)


def reason(quantity: QuantityCalibration) -> str:
    """Say what the ranks tell of a posterior that is wrong, as the inner part of a sentence."""
    shapes = _LIKELIHOOD_SHAPES if quantity.label == LOG_LIKELIHOOD else _SHAPES
    return say(shapes[quantity.shape], label=quantity.label)


def interval_reason(label: str, coverage: Coverage) -> str:
    """Say how often an interval held the truth."""
    return say(
        "the {probability} interval of {label} held the true value in {share} of {simulations}",
        probability=percent(coverage.probability),
        label=label,
        share=percent(coverage.share),
        simulations=count(coverage.n, "simulation"),
    )


def _ranks(quantities: Sequence[QuantityCalibration], alpha: float, resolution: Verdict) -> Verdict:
    if not quantities:
        return Verdict("ranks", None, alpha, ">=", None, say("no simulation has ranks"))
    worst = min(quantities, key=lambda one: (one.adjusted, one.p_value))
    if worst.adjusted < alpha:
        return Verdict("ranks", worst.adjusted, alpha, ">=", False, reason(worst), _remedy(worst))
    if not resolution.passed:
        return Verdict("ranks", worst.adjusted, alpha, ">=", None, say("too few simulations"))
    detail = say(
        "least likely: {label}, of {quantities}",
        label=worst.label,
        quantities=count(len(quantities), "quantity", "quantities"),
    )
    return Verdict("ranks", worst.adjusted, alpha, ">=", True, detail)


def _coverage(quantities: Sequence[QuantityCalibration], alpha: float, resolution: Verdict) -> Verdict:
    if not quantities:
        return Verdict("coverage", None, alpha, ">=", None, say("no simulation has intervals"))
    pairs = [(one, part) for one in quantities for part in one.coverage]
    quantity, worst = min(pairs, key=lambda pair: (pair[1].adjusted, pair[1].p_value))
    detail = interval_reason(quantity.label, worst)
    if worst.adjusted < alpha:
        shape = "narrow" if worst.share < worst.probability else "wide"
        return Verdict("coverage", worst.adjusted, alpha, ">=", False, detail, say(_REMEDIES[shape]))
    if not resolution.passed:
        return Verdict("coverage", worst.adjusted, alpha, ">=", None, say("too few simulations"))
    return Verdict("coverage", worst.adjusted, alpha, ">=", True, detail)


def _resolution(quantities: Sequence[QuantityCalibration], alpha: float) -> Verdict:
    if not quantities:
        return Verdict("resolution", None, COARSEST, "<=", None, say("no simulation has ranks"))
    n = min(quantity.n for quantity in quantities)
    share = alpha / sum(1 + len(quantity.coverage) for quantity in quantities)
    factor = bands.detectable(n, share)
    found = math.isfinite(factor)
    detail = (
        say(
            "{simulations} find a posterior that is too narrow by a factor of {factor} with a probability of {power}",
            simulations=count(n, "simulation"),
            factor=number(factor, 2),
            power=percent(bands.POWER),
        )
        if found
        else say_count(
            n, "{n} simulation can find no error, however large", "{n} simulations can find no error, however large"
        )
    )
    if factor <= COARSEST:
        return Verdict("resolution", factor, COARSEST, "<=", True, detail)
    needed = bands.simulations_for(COARSEST, share)
    remedy = say("run more simulations: at least {number} (--simulations {number})", number=needed)
    return Verdict("resolution", factor if found else None, COARSEST, "<=", False, detail, remedy)


def _share(name: str, simulations: Sequence[Simulation], lost: Callable[[Simulation], bool]) -> Verdict:
    n_lost, n = sum(map(lost, simulations)), len(simulations)
    if not n:
        return Verdict(name, None, LOST_LIMIT, "<=", None, say("no simulation was run"))
    detail = say("{some} of {simulations}", some=f"{n_lost:,}", simulations=count(n, "simulation"))
    limit = max(LOST_LIMIT, 1 / n) if n > 1 else LOST_LIMIT  # one of a few is no pattern
    passed = n_lost / n <= limit
    return Verdict(name, n_lost / n, limit, "<=", passed, detail, "" if passed else say(_LOST_REMEDIES[name]))


def _remedy(quantity: QuantityCalibration) -> str:
    if quantity.label == LOG_LIKELIHOOD:
        return say(_LIKELIHOOD_REMEDY)
    return say(_REMEDIES.get(quantity.shape, _REMEDIES["low"]))
