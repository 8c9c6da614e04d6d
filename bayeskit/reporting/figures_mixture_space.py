"""A mixture in three of its columns, to be turned by hand or by buttons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import joined, listing
from bayeskit.reporting import figures as f
from bayeskit.reporting.groups import colour_of, opacities, symbol_of
from bayeskit.reporting.mixture_density import Parameters
from bayeskit.reporting.mixture_traces import component_key, drawn_points, hover, thinning_note
from bayeskit.reporting.mixture_view import Mixture, name_of

Floats = NDArray[np.float64]

MAX_POINTS = 2000
_RADIUS = math.sqrt(7.814727903251179)  # of chi-squared with 3 degrees of freedom, 95 % lie below its square
_CIRCLE = 41
_GROUPS = 4  # of points that share an opacity: in space a trace has one


def space_figure(mixture: Mixture) -> f.Figure | None:
    """Draw the points in three columns; None where there are fewer."""
    if mixture.n_columns < 3:
        return None
    columns = mixture.best_columns(3)
    places = drawn_points(mixture, MAX_POINTS)
    places = places[np.isfinite(mixture.points[places][:, columns]).all(1)]
    average = mixture.average.along(columns)
    traces = [trace for k in mixture.shown for trace in _points(mixture, columns, places, k)]
    traces += [_outline(average, k) for k in mixture.shown]
    names = listing([mixture.columns[column] for column in columns])
    lost = len(mixture.points) - int(np.isfinite(mixture.points[:, columns]).all(1).sum())
    told = say("{n} points lack one of the columns and are not drawn.", n=lost) if lost else ""
    panel = f.Panel(
        traces,
        _layout([mixture.columns[column] for column in columns]),
        say("The points in space along {names}, with an outline of each component; they can be turned.", names=names),
        height=520,
        behaviour={"space": True},
    )
    return f.Figure(
        name="space",
        title=say("In space: {names}", names=names),
        caption=say(
            "How to read: drag to turn, or use the buttons. Each dot is a point in the colour of its component, the "
            "paler, the less certain; the outlines hold 95 % of a component's points."
        ),
        panels=(panel,),
        key=component_key(mixture),
        note=joined([told, thinning_note(mixture, drawn_points(mixture, MAX_POINTS).size)]),
        turns=True,
        printed=(),
    )


def _points(
    mixture: Mixture, columns: Sequence[int], places: NDArray[np.int64], component: int
) -> list[dict[str, Any]]:
    mine = places[mixture.assignment[places] == component]
    opacity = opacities(mixture.certainty[mine], mixture.card.n_components)
    edges = np.quantile(opacity, np.linspace(0, 1, _GROUPS + 1)) if mine.size else opacity
    group = np.clip(np.searchsorted(edges, opacity, side="right") - 1, 0, _GROUPS - 1)
    made = []
    for part in np.unique(group):
        kept = mine[group == part]
        x, y, z = mixture.points[kept][:, list(columns)].T
        made.append(
            {
                "type": "scatter3d",
                "mode": "markers",
                "name": name_of(component),
                "x": x,
                "y": y,
                "z": z,
                "marker": {
                    "color": colour_of(component),
                    "symbol": symbol_of(component),
                    "size": 3.2,
                    "opacity": round(float(opacity[group == part].mean()), 2),
                    "line": {"width": 0},
                },
                "customdata": [
                    [f.plot_text(str(mixture.labels[place])), round(float(mixture.certainty[place]), 3)]
                    for place in kept
                ],
                "hovertemplate": hover(mixture, columns, component),
            }
        )
    return made


def _outline(average: Parameters, component: int) -> dict[str, Any]:
    """Return three circles around a component, along its main axes."""
    values, vectors = np.linalg.eigh(average.lower()[0, component] @ average.lower()[0, component].T)
    axes = _RADIUS * vectors * np.sqrt(np.maximum(values, 0))
    angle = np.linspace(0, 2 * np.pi, _CIRCLE)
    gap = np.full((1, 3), np.nan)
    rings = [
        np.concatenate([np.outer(np.cos(angle), axes[:, i]) + np.outer(np.sin(angle), axes[:, j]), gap])
        for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    line = average.means[0, component] + np.concatenate(rings)[:-1]
    return {
        "type": "scatter3d",
        "mode": "lines",
        "name": say("{percent} % of component {n}", percent=95, n=component + 1),
        "x": line[:, 0],
        "y": line[:, 1],
        "z": line[:, 2],
        "line": {"color": colour_of(component), "width": 3},
        "hoverinfo": "skip",
    }


def _layout(names: Sequence[str]) -> dict[str, Any]:
    scene: dict[str, Any] = {
        "aspectmode": "cube",
        "camera": {"eye": {"x": 1.5, "y": 1.5, "z": 0.8}, "center": {"x": 0, "y": 0, "z": -0.12}},
        "dragmode": "turntable",
    }
    for axis, name in zip("xyz", names, strict=True):
        scene[f"{axis}axis"] = {
            "title": {"text": f.plot_text(name), "font": {"size": 12, "color": f.MUTED}},
            "tickfont": {"size": 11, "color": f.MUTED},
            "gridcolor": f.GRID,
            "linecolor": f.GRID,
            "zerolinecolor": f.GRID,
            "showbackground": False,
            "showspikes": False,
            "nticks": 5,
        }
    layout = f.layout(scene=scene, margin={"l": 0, "r": 0, "t": 0, "b": 0})
    return {name: value for name, value in layout.items() if name not in ("xaxis", "yaxis")}
