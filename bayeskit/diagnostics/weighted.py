"""Weighted draws, such as importance sampling makes, and whether so few of them carry so much weight that they fail.

The weights are Pareto-smoothed, and normalised: Vehtari, Simpson, Gelman, Yao and Gabry (2024),
https://jmlr.org/papers/v25/19-556.html. The error of a weighted mean is that of a ratio of two means, by the delta
method: Owen (2013), Monte Carlo theory, methods and examples, chapter 9, https://artowen.su.domains/mc/. Draws are
taken to be independent; there is no chain, so that R-hat means nothing.

Particles of sequential Monte Carlo are not independent: those with a common ancestor count as one family, see
``particles``. They were resampled by their weights, which leaves no tail of which k-hat could be told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.diagnostics.blocks import over_cells
from bayeskit.diagnostics.convergence import ESS_MANY_CHAINS, MCSE_LIMIT
from bayeskit.diagnostics.labels import SAMPLE_DIMS
from bayeskit.diagnostics.moments import CHECKS, PROBABILITIES, described, finite
from bayeskit.diagnostics.particles import Families, families_of, family_verdicts, run_r_hat
from bayeskit.diagnostics.weights import K_HAT_LIMIT, Importance, importance_weights, k_hat_limit, tail_detail

Floats = NDArray[np.float64]

ESS_LIMIT = ESS_MANY_CHAINS
SHARE_LIMIT = 0.05  # where the heaviest draw has more, no 400 effective ones are left: they are at most 1 / share²

_REMEDIES = {
    "weights_k": mark("take a proposal that is closer to the posterior, and wider in its tails"),
    "importance_ess": mark("draw more (--draws), or take a proposal that is closer to the posterior"),
    "largest_weight": mark("take a proposal that is wider in its tails: a few draws stand for all of the posterior"),
    "mcse": mark("draw more (--draws), or take a proposal that is closer to the posterior"),
}
_OF_PARTICLES = {
    "families": mark("take more particles (--particles), or a start distribution that is closer to the posterior"),
    "runs_r_hat": mark(
        "take more particles (--particles): the runs went different ways; where the posterior has several modes, also "
        "a wider start distribution"
    ),
    "mcse": mark("take more particles (--particles), or more runs (--runs)"),
}


def assess_weighted(fit: Fit) -> Assessment:
    """Assess draws that count for more or less.

    Parameters
    ----------
    fit
        Of kind ``weighted``, with ``log_weight`` among its ``sample_stats``, and ``ancestor`` where draws that have the
        same one are not independent.

    Returns
    -------
    Assessment
        Verdicts on the k-hat of the weights, on their effective sample size and on the share of the heaviest draw; or,
        where ancestors are given, on the number of families and on whether the runs agree. Then on the simulation error
        of the worst quantity, and on numbers that are none. ``summary`` has weighted means, standard deviations and
        quantiles, their ``mcse_mean``, and ``ess_mean``: how many equally weighted draws would estimate that mean as
        well; of several runs of particles also ``runs_r_hat``.
    """
    posterior = fit.posterior["posterior"].to_dataset()
    found = draw_weights(fit)
    families = families_of(fit)
    weights = _usable(found, fit)
    checked = over_cells(posterior, partial(_described, weights=weights, families=families))
    summary = checked.drop(columns=CHECKS)
    metrics = {**_sizes(posterior, summary, found), **_evidence(fit)}
    own = _OF_PARTICLES if families else {}
    remedies = {**{name: say(text) for name, text in {**_REMEDIES, **own}.items()}, **fit.provenance.card.remedies}
    if families:
        metrics["families"] = families.effective_number(weights)
        verdicts = family_verdicts(families, weights, summary)
    else:
        verdicts = _weight_verdicts(found)
    verdicts += [_simulation_error(summary), finite(checked)]
    return Assessment(tuple(_with_remedy(verdict, remedies) for verdict in verdicts), summary, metrics)


def _sizes(posterior: xr.Dataset, summary: pd.DataFrame, found: Importance | str) -> dict[str, float]:
    metrics: dict[str, float] = {"draws": posterior.sizes.get("chain", 0) * posterior.sizes.get("draw", 0)}
    if isinstance(found, Importance):
        if not math.isnan(found.k_hat):
            metrics |= {"pareto_k": found.k_hat, "largest_weight": found.largest}
            metrics |= {"importance_ess": found.effective_sample_size}
        metrics |= {"min_ess_mean": float(summary["ess_mean"].min())}
    return metrics


def _evidence(fit: Fit) -> dict[str, float]:
    """Return the logarithm of the normalising constant, and its standard error, where the engine tells them."""
    told = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    return {name: float(told[name]) for name in ("log_evidence", "log_evidence_error") if name in told}


def draw_weights(fit: Fit) -> Importance | str:
    """Return the smoothed weights of a fit's draws, chain by chain, or in words why there are none.

    Those of resampled particles, which say how much each run counts, are left as they are, and have no k-hat.
    """
    children = fit.posterior.children
    if "sample_stats" not in children or "log_weight" not in children["sample_stats"].data_vars:
        return say("the engine gives no weights of its draws")
    log_weight = fit.posterior["sample_stats"]["log_weight"].transpose(*SAMPLE_DIMS)
    log_ratios = log_weight.to_numpy().astype(float).ravel()
    if "ancestor" in children["sample_stats"].data_vars and np.isfinite(log_ratios).all() and log_ratios.size:
        weights = np.exp(log_ratios - log_ratios.max())
        return Importance(log_ratios, weights / weights.sum(), math.nan)
    return importance_weights(log_ratios)


def _usable(found: Importance | str, fit: Fit) -> Floats:
    """Return weights to compute with: smoothed, or as they came where these are too few, or equal where none are."""
    if isinstance(found, Importance):
        return found.weights
    posterior = fit.posterior["posterior"]
    size = posterior.sizes.get("chain", 0) * posterior.sizes.get("draw", 0)
    statistics = fit.posterior.children.get("sample_stats")
    if size and statistics is not None and "log_weight" in statistics.data_vars:
        log_weight = statistics["log_weight"].transpose(*SAMPLE_DIMS).to_numpy().astype(float).ravel()
        if np.isfinite(log_weight.max()):
            weights: Floats = np.exp(log_weight - log_weight.max())
            weights /= weights.sum()
            return weights
    return np.full(size, 1 / max(1, size))


def _described(values: Floats, weights: Floats, families: Families | None) -> dict[str, NDArray[Any]]:
    """Return the columns of the summary, and ``CHECKS``.

    Parameters
    ----------
    values
        ``n_cells x n_chains x n_draws``.
    weights
        ``n_chains * n_draws``, with sum 1.
    families
        Which of the draws are not independent; None where all are.
    """
    found = described(values)
    flat = values.reshape(values.shape[0], -1)
    with np.errstate(invalid="ignore", divide="ignore"):  # what is infinite has no mean, what never moves no error
        mean = flat @ weights
        centred = flat - mean[:, None]
        squares = np.square(centred)
        variance = squares @ weights
        terms = squares @ np.square(weights) if families is None else families.squared_terms(centred * weights)
        error = np.sqrt(terms)
        # The spread around a mean that comes from the same draws: for equal weights the usual n / (n - 1).
        spread = np.sqrt(variance / (1 - np.square(weights).sum()))
        columns = {"mean": mean, "sd": np.where(found["span"] == 0, 0.0, spread)}
        columns |= _quantiles(flat, weights)
        columns |= {"mcse_mean": error, "ess_mean": np.where(found["span"] == 0, np.nan, variance / terms)}
        if families is not None and families.n_runs > 1:
            columns |= {"runs_r_hat": run_r_hat(values)}
    unknown = np.isnan(found["mean"])
    return {name: np.where(unknown, np.nan, column) for name, column in columns.items()} | {
        name: found[name] for name in CHECKS
    }


def _quantiles(flat: Floats, weights: Floats) -> dict[str, Floats]:
    """Return quantiles of each row: each draw stands in the middle of its own weight, values between are interpolated.

    Those of equally weighted draws are Hazen's, doi:10.2307/2684934, definition 5.
    """
    ends = np.array(list(PROBABILITIES.values()))
    order = np.argsort(flat, axis=1)
    found = np.empty((flat.shape[0], ends.size))
    for row, places in enumerate(order):
        sorted_weights = weights[places]
        found[row] = np.interp(ends, np.cumsum(sorted_weights) - sorted_weights / 2, flat[row, places])
    return {name: found[:, column] for column, name in enumerate(PROBABILITIES)}


def _weight_verdicts(found: Importance | str) -> list[Verdict]:
    if isinstance(found, str):
        return [
            Verdict("weights_k", None, K_HAT_LIMIT, "<=", None, found),
            Verdict("importance_ess", None, ESS_LIMIT, ">=", None, found),
            Verdict("largest_weight", None, SHARE_LIMIT, "<=", None, found),
        ]
    size, ess = found.log_ratios.size, found.effective_sample_size
    of = say_count(size, "of {n} draw", "of {n} draws")
    k_hat = None if math.isinf(found.k_hat) else found.k_hat
    return [
        Verdict("weights_k", k_hat, k_hat_limit(size), "<=", found.reliable, tail_detail(found)),
        Verdict("importance_ess", ess, ESS_LIMIT, ">=", ess >= ESS_LIMIT, of),
        Verdict("largest_weight", found.largest, SHARE_LIMIT, "<=", found.largest <= SHARE_LIMIT, of),
    ]


def _simulation_error(summary: pd.DataFrame) -> Verdict:
    moving = summary[summary["sd"] > 0]
    if moving.empty:
        return Verdict("mcse", None, MCSE_LIMIT, "<=", None, say("nothing moves"))
    share = moving["mcse_mean"] / moving["sd"]
    value = float(share.max())
    worst = say("worst: {quantity}, of {n} quantities", quantity=str(share.idxmax()), n=f"{len(share):,}")
    return Verdict("mcse", value, MCSE_LIMIT, "<=", value <= MCSE_LIMIT, worst)


def _with_remedy(verdict: Verdict, remedies: Mapping[str, str]) -> Verdict:
    return verdict if verdict.passed else replace(verdict, remedy=remedies.get(verdict.name, verdict.remedy))
