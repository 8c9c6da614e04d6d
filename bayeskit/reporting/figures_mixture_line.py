"""A mixture of points in one dimension: histogram, densities of the components, and that of new points with bands."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.words import joined, listing, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.groups import colour_of
from bayeskit.reporting.mixture_density import Parameters, terms
from bayeskit.reporting.mixture_traces import centre_text, component_key, drawn_points, span, thinning_note
from bayeskit.reporting.mixture_view import Mixture, name_of

Floats = NDArray[np.float64]

GRID = 300
BAND_DRAWS = 400
MAX_BARS = 40
NAMED = 5
TALLEST = 3.0  # times the highest bar: how far peaks are drawn
_RUG = -0.035  # of the height, below the axis


def line_figure(mixture: Mixture) -> f.Figure:
    """Draw the distribution of the only column."""
    column = mixture.columns[0]
    grid = _grid(mixture)
    curves = curves_of(mixture.draws.few(BAND_DRAWS), grid)
    total = curves.sum(-1)
    mean = total.mean(0)
    bars = histogram(mixture.points[:, 0])
    highest = float(bars["y"].max())
    top = 1.08 * max(min(float(mean.max()), TALLEST * highest), highest)
    places = drawn_points(mixture)
    bands = []
    if not mixture.is_point:
        low95, low68, high68, high95 = np.quantile(total, [0.025, 0.16, 0.84, 0.975], axis=0)
        bands = [*f.band(grid, low95, high95, f.BAND_95), *f.band(grid, low68, high68, f.BAND_68)]
        top = max(top, 1.02 * min(float(high95.max()), TALLEST * highest))
    components = [f.line(grid, curves[..., k].mean(0), colour_of(k), 1.8, name=name_of(k)) for k in mixture.shown]
    whole = f.line(grid, mean, f.FIT, 2.2, name=say("density of new points"))
    traces = [bars, *bands, *components, whole, *_rug(mixture, places, _RUG * top)]
    layout = f.layout(
        f.plot_text(column),
        say("density"),
        hovermode="closest",
        bargap=0,
        xaxis={"range": [float(grid[0]), float(grid[-1])]},
        yaxis={"range": [1.8 * _RUG * top, top], "showticklabels": False, "ticks": ""},
        margin={"l": 30},
        annotations=_numbers(mixture, curves.mean(0), grid, 0.96 * top),
    )
    return f.Figure(
        name="points",
        title=_title(mixture),
        caption=_caption(mixture),
        panels=(f.Panel(traces, layout, _alt(mixture), height=420),),
        key=(
            ("neutral", say("the data")),
            ("fit", say("density of new points")),
            *((("fit-68", say("68 % band")), ("fit-95", say("95 % band"))) if bands else ()),
            *component_key(mixture),
        ),
        note=joined([_cut(curves.mean(0), top), _judged(mixture), thinning_note(mixture, places.size)]),
    )


def curves_of(draws: Parameters, grid: Floats) -> Floats:
    """Return weight times density of each component along one column, ``n_draws x n_grid x n_components``."""
    return np.exp(np.stack(list(terms(grid[:, None], draws))))


def histogram(values: Floats, most: int = MAX_BARS) -> dict[str, Any]:
    """Return at most so many bars, whose areas sum to 1."""
    finite = values[np.isfinite(values)]
    heights, edges = np.histogram(finite, bins=int(np.clip(2.5 * np.sqrt(finite.size), 5, most)), density=True)
    return {
        "type": "bar",
        "name": say("the data"),
        "x": (edges[:-1] + edges[1:]) / 2,
        "y": heights,
        "width": np.diff(edges),
        "marker": {"color": f.NEUTRAL, "line": {"width": 1, "color": f.GRID}},
        "hoverinfo": "skip",
    }


def _ends(mixture: Mixture) -> tuple[float, float]:
    average = mixture.average
    reach = [average.means[0, k, 0] + side * 3 * average.sds[0, k, 0] for k in mixture.holding for side in (-1, 1)]
    return span(mixture.points[:, 0], np.array(reach))


def _grid(mixture: Mixture) -> Floats:
    """Return where curves are computed: evenly, and closer around each component, which may be narrower than a step."""
    low, high = _ends(mixture)
    means, sds = (part[0, mixture.shown, 0] for part in (mixture.average.means, mixture.average.sds))
    near = (means[:, None] + sds[:, None] * np.linspace(-3, 3, 13)).ravel()
    return np.union1d(np.linspace(low, high, GRID), near[(near > low) & (near < high)])


def _cut(curves: Floats, top: float) -> str:
    """Tell of peaks that are too high to be drawn."""
    cut = int((curves.max(0) > top).sum())
    if not cut:
        return ""
    return say_count(
        cut,
        "{n} component is so narrow that its peak is cut off.",
        "{n} components are so narrow that their peaks are cut off.",
    )


def _rug(mixture: Mixture, places: NDArray[np.int64], height: float) -> list[dict[str, Any]]:
    """Return a dash a point below the axis, in the colour of its component."""
    made = []
    for component in sorted(set(mixture.assignment[places].tolist())):
        mine = places[mixture.assignment[places] == component]
        colour = colour_of(component)
        told = [say("row {name}", name="%{customdata[0]}"), f"{f.plot_text(mixture.columns[0])} %{{x:.4~g}}"]
        told.append(say("{what}: {share}", what=name_of(component), share="%{customdata[1]:.0%}"))
        made.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": say("points of {what}", what=name_of(component)),
                "x": mixture.points[mine, 0],
                "y": np.full(mine.size, height),
                "marker": {
                    "color": colour,
                    "symbol": "line-ns",
                    "size": 9,
                    "line": {"width": 1.2, "color": colour},
                },
                "customdata": [
                    [f.plot_text(str(mixture.labels[place])), round(float(mixture.certainty[place]), 3)]
                    for place in mine
                ],
                "hovertemplate": "<br>".join(told) + "<extra></extra>",
            }
        )
    return made


def _numbers(mixture: Mixture, curves: Floats, grid: Floats, top: float) -> list[dict[str, Any]]:
    """Return each component's number, above its curve's peak."""
    peaks = curves.argmax(0)
    return [
        f.label(f"<b>{k + 1}</b>", float(grid[peaks[k]]), min(float(curves[peaks[k], k]), top), colour_of(k), yshift=10)
        for k in mixture.shown
    ]


def _title(mixture: Mixture) -> str:
    column, where = mixture.columns[0], [centre_text(mixture, k, 0) for k in mixture.holding]
    if len(where) > NAMED:
        return say("{column}: {n} components", column=column, n=len(where))
    return say_count(
        len(where),
        "{column}: {n} component, around {where}",
        "{column}: {n} components, around {where}",
        column=column,
        where=listing(where),
    )


def _caption(mixture: Mixture) -> str:
    told = [
        say(
            "How to read: bars are the data, the dashes below them single points in the colours of their components; "
            "each coloured curve is a component's density times its share, the blue one their sum: the density of new "
            "points."
        )
    ]
    if mixture.is_point:
        return joined([*told, say("They are estimates: how far they may be off is not known.")])
    return joined([*told, say("Given the model, this density lies in the bands with 68 % and 95 % probability.")])


def _alt(mixture: Mixture) -> str:
    average = mixture.average
    parts = [
        say("{share} around {where}", share=percent(float(average.weights[0, k])), where=centre_text(mixture, k, 0))
        for k in mixture.holding
    ]
    return say(
        "Histogram of {n} values of {column} with the densities of the components: {parts}.",
        n=f"{len(mixture.points):,}",
        column=mixture.columns[0],
        parts=listing(parts),
    )


def _judged(mixture: Mixture) -> str:
    if not mixture.unusual:
        return ""
    return say_count(
        len(mixture.unusual),
        "{n} point is unusual: the model expects fewer than one in 1,000 where the density is as low.",
        "{n} points are unusual: the model expects fewer than one in 1,000 where the density is as low.",
    )
