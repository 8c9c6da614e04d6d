"""Did an optimiser arrive? A point has no spread, so there is nothing else to assess: no interval, no R-hat."""

from __future__ import annotations

import numpy as np

from bayeskit.core.language import mark, say
from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.diagnostics.blocks import over_cells
from bayeskit.diagnostics.moments import described, finite

_REMEDY = mark(
    "start elsewhere (--seed), or sample instead (--method sample): a density may have no peak, or one at an edge"
)


def assess_point(fit: Fit) -> Assessment:
    """Assess a point estimate.

    Parameters
    ----------
    fit
        Of kind ``point``; ``converged`` and ``message`` among the attributes of its ``sample_stats`` are the
        optimiser's own words.

    Returns
    -------
    Assessment
        Whether the optimiser converged (1) or not (0), and whether all it found are numbers. ``summary`` has the
        column ``estimate`` alone.
    """
    found = over_cells(
        fit.posterior["posterior"].to_dataset().isel(chain=slice(1), draw=slice(1), missing_dims="ignore"), described
    )
    said = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    summary = found[["mean"]].rename(columns={"mean": "estimate"})
    message = str(said.get("message") or "").strip()
    remedy = {"converged": say(_REMEDY), **fit.provenance.card.remedies}["converged"]
    if said.get("converged") is None:
        verdict = Verdict("converged", None, 1, ">=", None, message or say("the optimiser does not say"), remedy)
    else:
        arrived = bool(said["converged"])
        verdict = Verdict("converged", int(arrived), 1, ">=", arrived, message, "" if arrived else remedy)
    metrics = {"quantities": float(len(summary)), "finite": float(np.isfinite(summary["estimate"]).sum())}
    return Assessment((verdict, finite(found)), summary, metrics)
