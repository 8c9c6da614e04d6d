"""How well test ratings were predicted: errors, coverage of intervals, and whether predictive distributions are right.

Calibration of predictive distributions: Gneiting, Balabdaoui and Raftery (2007), doi:10.1111/j.1467-9868.2007.00587.x.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import kstest

from bayeskit.core.language import mark, say
from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.core.words import NO_BREAK, number

Floats = NDArray[np.float64]

NOMINAL = 0.95
WITHIN = 0.01  # of what is right, besides what so many test ratings let one see
_STANDARD_ERRORS = 3.0
_KOLMOGOROV = 1.628  # 99 % of its distribution
_FEWEST = 20
_REMEDY = mark(
    "ratings are levels, and not normal around what is expected: take the ordinal likelihood (--likelihood ordinal)"
)
_OWN_REMEDY = mark("take more factors (--rank), or features (--features)")


def assess_ratings(fit: Fit, assessment: Assessment) -> Assessment:
    """Add to the assessment of a factorisation what the test ratings say.

    Parameters
    ----------
    fit
        Of a matrix factorisation, of any kind.
    assessment
        Of its draws.

    Returns
    -------
    Assessment
        Metrics have ``test_rmse`` and ``test_mae`` of the expected ratings, kept within the scale; where there are
        predictive distributions also ``coverage_95``, the share of test ratings in their 95 % intervals, not kept
        within the scale, and the mean ``log_density``. The advisory verdicts are ``coverage``, of a normal likelihood:
        how far that share is from 0.95; and ``pit``: how far the distribution of the probability integral transforms
        is from the uniform one, at most. Both may be off by 0.01, and by what chance makes of so many test ratings.
    """
    if "held_out" not in fit.posterior.children:
        return assessment
    tested = fit.posterior["held_out"].to_dataset()
    rating = tested["rating"].to_numpy().astype(float)
    error = tested["mean"].to_numpy() - rating
    metrics = {"test_rmse": float(np.sqrt(np.mean(error**2))), "test_mae": float(np.mean(np.abs(error)))}
    verdicts: tuple[Verdict, ...] = ()
    if "pit" in tested:
        inside = (rating >= tested["low"].to_numpy()) & (rating <= tested["high"].to_numpy())
        metrics |= {"coverage_95": float(inside.mean()), "log_density": float(tested["log_density"].mean())}
        if rating.size >= _FEWEST:
            verdicts = _calibration(fit, tested, metrics["coverage_95"])
    return replace(
        assessment,
        verdicts=(*assessment.verdicts, *verdicts),
        metrics={**assessment.metrics, **metrics},
    )


def pit_distance(pit: Floats) -> float:
    """Return how far the distribution of probability integral transforms is from the uniform one, at most."""
    return float(kstest(pit, "uniform").statistic)


def pit_limit(n: int) -> float:
    """Return how far that may be of ``n`` test ratings."""
    return round(WITHIN + _KOLMOGOROV / math.sqrt(n), 4)


def _calibration(fit: Fit, tested: xr.Dataset, coverage: float) -> tuple[Verdict, ...]:
    card, n = fit.provenance.card.factors, tested.sizes["test_rating"]
    ordinal = card is not None and card.likelihood == "ordinal"
    made = []
    if not ordinal:  # intervals of levels cannot hold just so much
        limit = round(WITHIN + _STANDARD_ERRORS * math.sqrt(NOMINAL * (1 - NOMINAL) / n), 4)
        off = abs(coverage - NOMINAL)
        detail = say(
            "{share} of the test ratings lie in their 95 % intervals", share=f"{number(100 * coverage, 1)}{NO_BREAK}%"
        )
        remedy = say(_OWN_REMEDY) if off > limit else ""
        made.append(Verdict("coverage", off, limit, "<=", off <= limit, detail, remedy, advisory=True))
    found, limit = pit_distance(tested["pit"].to_numpy()), pit_limit(n)
    passed = found <= limit
    detail = say("ranks of the test ratings in their predictive distributions, which are uniform where these are right")
    remedy = "" if passed else say(_OWN_REMEDY if ordinal else _REMEDY)
    made.append(Verdict("pit", found, limit, "<=", passed, detail, remedy, advisory=True))
    return tuple(made)
