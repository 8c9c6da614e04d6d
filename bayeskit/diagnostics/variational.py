"""Is an approximation close to the posterior? Pareto k-hat of its importance ratios, and their effective sample size.

The draws of an approximation q come with the log densities of the posterior p and of q, each up to a constant. Where
p/q has a heavy tail, q misses some of p: k-hat estimates that tail's shape. Yao, Vehtari, Simpson and Gelman (2018),
Yes, but did it work? Evaluating variational inference, arXiv:1802.02538.

Ratios are known only where q has draws: a mode that all of them miss leaves no trace in k-hat.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import xarray as xr

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.diagnostics.blocks import cell_blocks, over_cells
from bayeskit.diagnostics.labels import real_valued
from bayeskit.diagnostics.moments import CHECKS, described, finite
from bayeskit.diagnostics.weights import EQUAL, K_HAT_LIMIT, Importance, importance_weights, k_hat_limit, tail_detail

ESS_LIMIT = 100
RESAMPLED = 0.95  # a share of distinct ratios below that means draws that repeat

_REMEDIES = {
    "pareto_k": mark("sample instead (--method sample)"),
    "importance_ess": mark("draw more (--draws), or sample instead (--method sample)"),
    "converged": mark("sample instead (--method sample), or give the optimiser more steps (--iterations)"),
}
_REMEDIES_OF_SVI = {
    "pareto_k": mark("take a richer guide (--guide), or sample instead (--engine nuts)"),
    "importance_ess": mark("draw more (--draws), take a richer guide (--guide), or sample instead (--engine nuts)"),
    "converged": mark("give it more steps (--steps), or another learning rate (--learning-rate)"),
}


_REMEDIES_OF_VB = {
    **_REMEDIES_OF_SVI,
    "pareto_k": mark("sample instead (--engine gibbs)"),
    "importance_ess": mark("sample instead (--engine gibbs)"),
    "converged": mark("give it more iterations (--max-iterations)"),
}
_OWN = {"svi": _REMEDIES_OF_SVI, "vb": _REMEDIES_OF_VB}
"""Engines whose draws are made afresh, and whose bound is watched."""


def assess_variational(fit: Fit) -> Assessment:
    """Assess the draws of an approximation: ADVI, Laplace or Pathfinder, or one fitted by engine ``svi`` or ``vb``.

    Parameters
    ----------
    fit
        Of kind ``variational``, with ``log_p`` and ``log_q`` among its ``sample_stats``.

    Returns
    -------
    Assessment
        Verdicts on k-hat, on the effective sample size of the weights, and on numbers that are none. Of engines ``svi``
        and ``vb`` also whether its bound settled: that a fit must do, while k-hat and effective size are advisory,
        since they measure what form of approximation was asked for. ``summary`` has no R-hat and no effective sample
        sizes, which mean nothing here; it has MCSE only where no draw repeats another (Pathfinder resamples its draws).
    """
    posterior = fit.posterior["posterior"].to_dataset()
    checked = over_cells(posterior, described)
    summary = checked.drop(columns=CHECKS)
    n_draws, distinct = _count(posterior)
    if distinct == n_draws > 0:
        summary["mcse_mean"] = summary["sd"] / math.sqrt(n_draws)
    metrics: dict[str, float] = {"draws": n_draws, "distinct_draws": distinct}
    found = importance(fit)
    if isinstance(found, Importance):
        metrics |= {"pareto_k": found.k_hat, "importance_ess": found.effective_sample_size}
    own = fit.provenance.engine in _OWN
    texts = _OWN.get(fit.provenance.engine, _REMEDIES)
    remedies = {**{name: say(text) for name, text in texts.items()}, **fit.provenance.card.remedies}
    known = _verdicts(found, n_draws, distinct)
    told = [*_settled(fit), *(replace(each, advisory=True) for each in known)] if own else _with_optimiser(known, fit)
    verdicts = [*told, finite(checked)]
    return Assessment(tuple(_with_remedy(verdict, remedies) for verdict in verdicts), summary, metrics)


def importance(fit: Fit) -> Importance | str:
    """Return the importance weights of a fit's draws, or in words why there are none."""
    statistics = (
        fit.posterior["sample_stats"].to_dataset() if "sample_stats" in fit.posterior.children else xr.Dataset()
    )
    if not {"log_p", "log_q"} <= set(statistics.data_vars):
        return say("the engine gives no densities of its draws")
    ratios = (statistics["log_p"] - statistics["log_q"]).to_numpy().astype(float).ravel()
    found = importance_weights(ratios)
    spread = isinstance(found, Importance) and np.isfinite(ratios).all() and np.ptp(ratios) >= EQUAL
    resampled = fit.provenance.engine not in _OWN  # draws of whole numbers may well be equal
    if resampled and spread and np.unique(ratios).size < RESAMPLED * ratios.size:
        return say("the draws were resampled, so that their weights are used up")
    return found


def _verdicts(found: Importance | str, n_draws: int, distinct: int) -> list[Verdict]:
    if isinstance(found, str):
        return [
            Verdict("pareto_k", None, K_HAT_LIMIT, "<=", None, found),
            Verdict("importance_ess", None, ESS_LIMIT, ">=", None, found),
        ]
    size = found.log_ratios.size
    return [
        Verdict(
            "pareto_k",
            None if math.isinf(found.k_hat) else found.k_hat,
            k_hat_limit(size),
            "<=",
            found.reliable,
            tail_detail(found),
        ),
        Verdict(
            "importance_ess",
            found.effective_sample_size,
            ESS_LIMIT,
            ">=",
            found.effective_sample_size >= ESS_LIMIT,
            say_count(size, "of {n} draw", "of {n} draws")
            if distinct == n_draws
            else say_count(
                size,
                "of {n} draw; the result repeats draws by weight, {distinct} of {total} differ",
                "of {n} draws; the result repeats draws by weight, {distinct} of {total} differ",
                distinct=f"{distinct:,}",
                total=f"{n_draws:,}",
            ),
        ),
    ]


def _settled(fit: Fit) -> list[Verdict]:
    """Return the verdict on the bound of a guide: whether it had settled when the steps ended."""
    said = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    if said.get("converged") is None:
        return []
    arrived = bool(said["converged"])
    return [Verdict("converged", int(arrived), 1, ">=", arrived, str(said.get("message") or "").strip())]


def _with_optimiser(verdicts: list[Verdict], fit: Fit) -> list[Verdict]:
    """Tell where an optimiser that made the approximation did not arrive; k-hat says whether that matters."""
    said = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    if said.get("converged") is None or bool(said["converged"]):
        return verdicts
    message = str(said.get("message") or "").strip()
    if verdicts[0].passed is None:
        return [Verdict("converged", 0, 1, ">=", False, message), *verdicts]
    detail = verdicts[0].detail
    told = (
        say("{detail}; its optimiser did not converge ({message})", detail=detail, message=message)
        if message
        else say("{detail}; its optimiser did not converge", detail=detail)
    )
    return [replace(verdicts[0], detail=told), *verdicts[1:]]


def _count(posterior: xr.Dataset) -> tuple[int, int]:
    """Return the number of draws, and how many of them differ."""
    digests = [blake2b() for _ in range(posterior.sizes.get("chain", 0) * posterior.sizes.get("draw", 0))]
    for array in real_valued(posterior).data_vars.values():
        for block in cell_blocks(array):
            for digest, draw in zip(digests, np.ascontiguousarray(block.reshape(len(block), -1).T), strict=True):
                digest.update(draw.tobytes())
    return len(digests), len({digest.digest() for digest in digests})


def _with_remedy(verdict: Verdict, remedies: Mapping[str, str]) -> Verdict:
    return verdict if verdict.passed else replace(verdict, remedy=remedies.get(verdict.name, verdict.remedy))
