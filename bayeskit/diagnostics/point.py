"""Did an optimiser arrive? A point has no spread, so there is nothing else to assess: no interval, no R-hat.

Of expectation-maximisation there is more to see: whether the log likelihood rose in every step, as it must, and whether
a component shrank onto a single point, where the likelihood has no bound (Day 1969, doi:10.1093/biomet/56.3.463).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.diagnostics.blocks import over_cells
from bayeskit.diagnostics.moments import described, finite

_DECREASE = 1e-8  # of a point's mean log likelihood: what rounding makes of components at their narrowest
_COUNTS_SHOWN = 5

_REMEDY = mark(
    "start elsewhere (--seed), or sample instead (--method sample): a density may have no peak, or one at an edge"
)
_MORE_STEPS = mark("allow more iterations, or start elsewhere (--seed)")
_NOT_MONOTONE = mark("the log likelihood must not fall in any step of EM: this is a fault of the program; report it")
_COLLAPSED = mark(
    "take fewer components (--components), one covariance for all (--covariance tied), or an engine that uses the "
    "priors, which keep components wide (--engine gibbs)"
)


def assess_point(fit: Fit) -> Assessment:
    """Assess a point estimate.

    Parameters
    ----------
    fit
        Of kind ``point``; ``converged`` and ``message`` among the attributes of its ``sample_stats`` are the
        optimiser's own words, ``largest_decrease`` and ``collapsed`` those of expectation-maximisation.

    Returns
    -------
    Assessment
        Whether the optimiser converged (1) or not (0), whether all it found are numbers, and by how much a point's mean
        log likelihood fell in a step and how many components collapsed, where the engine says so. ``summary`` has the
        column ``estimate`` alone.
    """
    found = over_cells(
        fit.posterior["posterior"].to_dataset().isel(chain=slice(1), draw=slice(1), missing_dims="ignore"), described
    )
    said = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    summary = found[["mean"]].rename(columns={"mean": "estimate"})
    remedies = {
        "converged": say(_MORE_STEPS if "n_iterations" in said and "collapsed" in said else _REMEDY),
        "monotone": say(_NOT_MONOTONE),
        "collapsed": say(_COLLAPSED),
        **fit.provenance.card.remedies,
    }
    verdicts = [_converged(said, remedies["converged"])]
    if "largest_decrease" in said:
        verdicts.append(_monotone(float(said["largest_decrease"]), remedies["monotone"]))
    if "collapsed" in said:
        verdicts.append(_collapsed(said, remedies["collapsed"]))
    metrics = {"quantities": float(len(summary)), "finite": float(np.isfinite(summary["estimate"]).sum())}
    return Assessment((*verdicts, finite(found)), summary, metrics)


def _converged(said: Mapping[Any, Any], remedy: str) -> Verdict:
    message = str(said.get("message") or "").strip()
    if said.get("converged") is None:
        return Verdict("converged", None, 1, ">=", None, message or say("the optimiser does not say"), remedy)
    arrived = bool(said["converged"])
    return Verdict("converged", int(arrived), 1, ">=", arrived, message, "" if arrived else remedy)


def _monotone(decrease: float, remedy: str) -> Verdict:
    rose = decrease <= _DECREASE
    detail = say("the mean log likelihood of a point never fell, but for rounding")
    if not rose:
        detail = say("the mean log likelihood of a point fell by {decrease} in a step", decrease=f"{decrease:.2g}")
    return Verdict("monotone", decrease, _DECREASE, "<=", rose, detail, "" if rose else remedy)


def _collapsed(said: Mapping[Any, Any], remedy: str) -> Verdict:
    number, empty = int(said["collapsed"]), int(said.get("empty", 0))
    detail = say_count(empty, "{n} component has no points", "{n} components have no points") if empty else ""
    if not number:
        return Verdict("collapsed", 0, 0, "<=", True, detail)
    counts = np.atleast_1d(np.asarray(said.get("collapsed_points", ()), dtype=float))
    told = ", ".join(f"{count:.3g}" for count in counts[:_COUNTS_SHOWN])
    detail = say_count(
        number,
        "{n} component shrank onto a single point, or onto points that lie in a plane, and its likelihood means "
        "nothing; points that it holds: {counts}",
        "{n} components shrank onto single points, or onto points that lie in a plane, and their likelihood means "
        "nothing; points that they hold: {counts}",
        counts=told + (", …" if counts.size > _COUNTS_SHOWN else ""),
    )
    return Verdict("collapsed", number, 0, "<=", False, detail, remedy)
