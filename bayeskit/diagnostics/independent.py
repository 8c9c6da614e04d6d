"""Independent draws, such as those of a program without parameters, and whether they are enough.

The simulation error of a mean of n independent draws is sd / sqrt(n), Gelman et al. (2013), Bayesian Data Analysis,
third edition, section 10.5. There is no chain, so R-hat and effective sample sizes mean nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace

from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.diagnostics.convergence import MCSE_LIMIT
from bayeskit.diagnostics.labels import frame, real_valued
from bayeskit.diagnostics.moments import finite, moments

_REMEDY = "draw more (--draws)"


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
    posterior = real_valued(fit.posterior["posterior"].to_dataset())
    n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    columns = moments(posterior)
    columns["mcse_mean"] = columns["sd"] / math.sqrt(n_draws)
    share = 1 / math.sqrt(n_draws)
    verdict = Verdict(
        "simulation_error", share, MCSE_LIMIT, "<=", share <= MCSE_LIMIT, f"of {n_draws:,} independent draws"
    )
    if not verdict.passed:
        verdict = replace(
            verdict, remedy={"simulation_error": _REMEDY, **fit.provenance.card.remedies}["simulation_error"]
        )
    return Assessment((verdict, finite(posterior)), frame(columns), {"draws": n_draws})
