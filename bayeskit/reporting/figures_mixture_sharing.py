"""Which points belong together, whatever their component is called."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.core.words import percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.mixture_view import Mixture
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]

TOGETHER = 0.9
MIN_POINTS = 2


def sharing_figure(fit: Fit, mixture: Mixture) -> f.Figure | None:
    """Draw the probability that two points share a component; None where it was not computed."""
    derived = group(fit, "derived")
    if derived is None or not {"co_assignment_matrix", "shown_point"} <= set(derived.data_vars) or mixture.is_point:
        return None
    matrix = derived["co_assignment_matrix"].to_numpy().astype(float)
    shown = derived["shown_point"].to_numpy().astype(int).ravel()
    size = shown.size
    if size < MIN_POINTS or matrix.shape != (size, size) or not (0 <= shown.min() <= shown.max() < len(mixture.points)):
        return None
    sure = _decided(matrix)
    cells = {
        "type": "heatmap",
        "name": say("probability"),
        "x": np.arange(1, size + 1),
        "y": np.arange(1, size + 1),
        "z": np.round(matrix, 3),
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, "var(--paper)"], [1, f.FIT]],
        "showscale": False,
        "hovertemplate": "%{x}, %{y}: %{z:.2f}<extra></extra>",
    }
    ticks = _ticks(mixture, shown)
    common = {"tickvals": list(ticks.values()), "ticktext": list(ticks), "showgrid": False, "ticks": ""}
    layout = f.layout(
        say("points, by component"),
        "",
        xaxis={**common, "range": [0.5, size + 0.5]},
        yaxis={**common, "range": [size + 0.5, 0.5]},
        hovermode="closest",
    )
    title = say("For {share} of the pairs of points it is clear whether they belong together", share=percent(sure))
    note = (
        say("Drawn: {n} of {total} points.", n=size, total=f"{len(mixture.points):,}")
        if size < len(mixture.points)
        else ""
    )
    return f.Figure(
        name="sharing",
        title=title,
        caption=say(
            "How to read: each field is a pair of points, the darker, the more probable that both belong to the same "
            "component; points are ordered by their components, whose numbers stand at the axes. Sharp dark squares "
            "are groups that the data tell apart; grey between two of them says that the border is open."
        ),
        panels=(f.Panel([cells], layout, _alt(size, sure), height=460, behaviour={"square": True}),),
        note=note,
    )


def _decided(matrix: Floats) -> float:
    """Return the share of pairs that belong together, or do not, with at least 90 % probability."""
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    return float(np.mean((pairs >= TOGETHER) | (pairs <= 1 - TOGETHER)))


def _ticks(mixture: Mixture, shown: NDArray[np.int64]) -> dict[str, float]:
    """Return each component's number, to its points' middle place."""
    assigned = mixture.assignment[shown]
    places = {str(k + 1): np.flatnonzero(assigned == k) + 1 for k in dict.fromkeys(assigned.tolist())}
    least = 0.02 * shown.size
    return {name: float(np.median(found)) for name, found in places.items() if found.size > least}


def _alt(size: int, sure: float) -> str:
    return say(
        "Heat map of {n} by {n} points: the probability that two share a component. {share} of the pairs are clear.",
        n=size,
        share=percent(sure),
    )
