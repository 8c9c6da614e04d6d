"""Independent draws, such as those of a program without parameters, and whether they are enough.

The simulation error of a mean of n independent draws is sd / sqrt(n), Gelman et al. (2013), Bayesian Data Analysis,
third edition, section 10.5. There is no chain, so R-hat and effective sample sizes mean nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.diagnostics.blocks import over_cells
from bayeskit.diagnostics.convergence import MCSE_LIMIT
from bayeskit.diagnostics.moments import CHECKS, described, finite

_REMEDY = mark("draw more (--draws)")
_BOUND_REMEDY = mark("give a bound that is known to hold (--bound)")


def assess_independent(fit: Fit) -> Assessment:
    """Assess independent draws.

    Parameters
    ----------
    fit
        Of kind ``iid``.

    Returns
    -------
    Assessment
        Whether the simulation error is small beside the standard deviation, and whether all draws hold numbers.
    """
    posterior = fit.posterior["posterior"].to_dataset()
    n_draws = posterior.sizes.get("chain", 0) * posterior.sizes.get("draw", 0)
    found = over_cells(posterior, described)
    if n_draws == 0:
        nothing = Verdict("simulation_error", None, MCSE_LIMIT, "<=", None, say("there are no draws"))
        return Assessment((nothing,), found.drop(columns=CHECKS), {"draws": 0})
    share = 1 / math.sqrt(n_draws)
    summary = found.drop(columns=CHECKS).assign(mcse_mean=found["sd"] * share)
    told = say_count(n_draws, "of {n} independent draw", "of {n} independent draws")
    verdict = Verdict("simulation_error", share, MCSE_LIMIT, "<=", share <= MCSE_LIMIT, told)
    if not verdict.passed:
        verdict = replace(
            verdict, remedy={"simulation_error": say(_REMEDY), **fit.provenance.card.remedies}["simulation_error"]
        )
    return Assessment((verdict, *_envelope(fit), finite(found)), summary, {"draws": n_draws})


def _envelope(fit: Fit) -> tuple[Verdict, ...]:
    """Judge what rejection drew below: an envelope that is proven, given, or adapts holds; one that was found may not.

    Had any proposal shown it to be too low, there would be no draws.
    """
    told = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    if "certificate" not in told:
        return ()
    how = say(str(told["certificate"]))
    if told.get("bound_given") and not told["certified"]:
        how = say("given; no proposal lay above it")
    holds = True if told["certified"] or told.get("bound_given") or fit.provenance.config.get("adaptive") else None
    remedy = say(_BOUND_REMEDY) if holds is None else ""
    return (Verdict("envelope", None if holds is None else 1.0, 1.0, ">=", holds, how, remedy),)
