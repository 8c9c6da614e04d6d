"""Is an approximation close to the posterior? Pareto k-hat of its importance ratios, and their effective sample size.

The draws of an approximation q come with the log densities of the posterior p and of q, each up to a constant. Where
p/q has a heavy tail, q misses some of p: k-hat estimates that tail's shape. Yao, Vehtari, Simpson and Gelman (2018),
Yes, but did it work? Evaluating variational inference, arXiv:1802.02538. Pareto smoothing, and the limit on k-hat:
Vehtari, Simpson, Gelman, Yao and Gabry (2024), https://jmlr.org/papers/v25/19-556.html. Computed by ArviZ.

Ratios are known only where q has draws: a mode that all of them miss leaves no trace in k-hat.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.diagnostics.labels import SAMPLE_DIMS, frame, real_valued
from bayeskit.diagnostics.moments import finite, moments

Floats = NDArray[np.float64]

K_HAT_LIMIT = 0.7
ESS_LIMIT = 100
MIN_DRAWS = 100  # of fewer, the tail is too short to fit
EQUAL = 1e-4  # log ratios closer than that: all weights are equal
RESAMPLED = 0.95  # a share of distinct ratios below that means draws that repeat

_REMEDIES = {
    "pareto_k": "sample instead (--method sample)",
    "importance_ess": "draw more (--draws), or sample instead (--method sample)",
    "converged": "sample instead (--method sample), or give the optimiser more steps (--iterations)",
}


@dataclass(frozen=True)
class Importance:
    """Importance weights of an approximation's draws, Pareto-smoothed.

    Parameters
    ----------
    log_ratios
        log p minus log q of each draw, up to a constant; minus infinity where p is 0.
    weights
        Smoothed, with sum 1, in the same order.
    k_hat
        Shape of the ratios' tail; infinite where one draw outweighs all others.
    """

    log_ratios: Floats
    weights: Floats
    k_hat: float

    @property
    def effective_sample_size(self) -> float:
        """Kish's: one over the sum of the squared weights."""
        return float(1 / np.sum(np.square(self.weights)))


def assess_variational(fit: Fit) -> Assessment:
    """Assess the draws of an approximation: ADVI, Laplace or Pathfinder.

    Parameters
    ----------
    fit
        Of kind ``variational``, with ``log_p`` and ``log_q`` among its ``sample_stats``.

    Returns
    -------
    Assessment
        Verdicts on k-hat, on the effective sample size of the weights, and on numbers that are none. ``summary`` has
        no R-hat and no effective sample sizes, which mean nothing here; it has MCSE only where no draw repeats
        another (Pathfinder resamples its draws).
    """
    posterior = real_valued(fit.posterior["posterior"].to_dataset())
    columns = moments(posterior)
    n_draws, distinct = _count(posterior)
    if distinct == n_draws:
        columns["mcse_mean"] = columns["sd"] / math.sqrt(n_draws)
    metrics: dict[str, float] = {"draws": n_draws, "distinct_draws": distinct}
    found = importance(fit)
    if isinstance(found, Importance):
        metrics |= {"pareto_k": found.k_hat, "importance_ess": found.effective_sample_size}
    remedies = {**_REMEDIES, **fit.provenance.card.remedies}
    repeats = f"; the result repeats draws by weight, {distinct:,} of {n_draws:,} differ" if distinct < n_draws else ""
    verdicts = [*_with_optimiser(_verdicts(found, repeats), fit), finite(posterior)]
    return Assessment(tuple(_with_remedy(verdict, remedies) for verdict in verdicts), frame(columns), metrics)


def importance(fit: Fit) -> Importance | str:
    """Return the importance weights of a fit's draws, or in words why there are none."""
    statistics = (
        fit.posterior["sample_stats"].to_dataset() if "sample_stats" in fit.posterior.children else xr.Dataset()
    )
    if not {"log_p", "log_q"} <= set(statistics.data_vars):
        return "the engine gives no densities of its draws"
    ratios = (statistics["log_p"] - statistics["log_q"]).to_numpy().astype(float).ravel()
    return importance_weights(ratios)


def importance_weights(log_ratios: Floats) -> Importance | str:
    """Return Pareto-smoothed importance weights, or in words why they cannot be had.

    Parameters
    ----------
    log_ratios
        log p minus log q of independent draws from q.
    """
    size = log_ratios.size
    wrong = int(np.sum(np.isnan(log_ratios) | (log_ratios == np.inf)))
    if wrong:
        return f"the density holds no number in {wrong:,} of {size:,} draws"
    if size < MIN_DRAWS:
        return f"{size:,} draws are too few; at least {MIN_DRAWS} are needed"
    inside = np.isfinite(log_ratios)
    if not inside.any():
        return "the posterior's density is 0 in every draw"
    if np.ptp(log_ratios[inside]) < EQUAL and inside.all():
        return Importance(log_ratios, np.full(size, 1 / size), 0.0)
    if np.unique(log_ratios).size < RESAMPLED * size and inside.all():
        return "the draws were resampled, so that their weights are used up"
    # Weights of 0 must stay below all others, and finite for ArviZ.
    floor = np.where(inside, log_ratios, log_ratios[inside].min() - 50.0)
    with np.errstate(all="ignore"):  # weights so far apart that the tail underflows
        try:
            log_weights, shape = array_stats.psislw(-floor)
            k_hat = float(shape)
        except ValueError:  # all of the tail is the same
            log_weights, k_hat = floor, math.nan
    if not math.isfinite(k_hat) or not np.isfinite(log_weights).all():
        log_weights, k_hat = floor, math.inf
    weights = np.exp(log_weights - log_weights.max())
    return Importance(log_ratios, weights / weights.sum(), k_hat)


def k_hat_limit(n_draws: int) -> float:
    """Return the largest k-hat at which so many draws give sound estimates: 0.7 of 2000 or more, less of fewer."""
    return min(round(1 - 1 / math.log10(n_draws), 2), K_HAT_LIMIT)


def _verdicts(found: Importance | str, repeats: str) -> list[Verdict]:
    if isinstance(found, str):
        return [
            Verdict("pareto_k", None, K_HAT_LIMIT, "<=", None, found),
            Verdict("importance_ess", None, ESS_LIMIT, ">=", None, found),
        ]
    size, limit = found.log_ratios.size, k_hat_limit(found.log_ratios.size)
    largest = f"the largest of {size:,} weights has {100 * found.weights.max():.2g} % of their sum"
    infinite = math.isinf(found.k_hat)
    return [
        Verdict(
            "pareto_k",
            None if infinite else found.k_hat,
            limit,
            "<=",
            found.k_hat <= limit,
            "cannot be computed: one draw outweighs all others" if infinite else largest,
        ),
        Verdict(
            "importance_ess",
            found.effective_sample_size,
            ESS_LIMIT,
            ">=",
            found.effective_sample_size >= ESS_LIMIT,
            f"of {size:,} draws{repeats}",
        ),
    ]


def _with_optimiser(verdicts: list[Verdict], fit: Fit) -> list[Verdict]:
    """Tell where an optimiser that made the approximation did not arrive; k-hat says whether that matters."""
    said = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    if said.get("converged") is None or bool(said["converged"]):
        return verdicts
    message = str(said.get("message") or "").strip()
    if verdicts[0].passed is None:
        return [Verdict("converged", 0, 1, ">=", False, message), *verdicts]
    told = f"{verdicts[0].detail}; its optimiser did not converge{f' ({message})' if message else ''}"
    return [replace(verdicts[0], detail=told), *verdicts[1:]]


def _count(posterior: xr.Dataset) -> tuple[int, int]:
    """Return the number of draws, and how many of them differ."""
    columns = [
        array.transpose(*SAMPLE_DIMS, ...).to_numpy().reshape(array.sizes["chain"] * array.sizes["draw"], -1)
        for array in posterior.data_vars.values()
    ]
    rows = np.ascontiguousarray(np.concatenate(columns, axis=1))
    return rows.shape[0], len({row.tobytes() for row in rows})


def _with_remedy(verdict: Verdict, remedies: Mapping[str, str]) -> Verdict:
    return verdict if verdict.passed else replace(verdict, remedy=remedies.get(verdict.name, verdict.remedy))
