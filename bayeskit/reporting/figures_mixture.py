"""The points of a mixture in two of its columns: who belongs to which component, and what the model expects where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.words import NO_BREAK, joined, listing, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.mixture_density import Parameters, levels, log_predictive
from bayeskit.reporting.mixture_traces import (
    centre_text,
    component_key,
    drawn_points,
    ellipse_trace,
    number_labels,
    point_traces,
    rug_traces,
    span,
    thinning_note,
)
from bayeskit.reporting.mixture_view import Mixture

Floats = NDArray[np.float64]

MAX_ELLIPSES = 25  # draws
SHARES = (0.5, 0.8, 0.95, 0.99)  # of new points, inside each contour
GRID = 70
NAMED = 5


def points_figure(mixture: Mixture) -> f.Figure:
    """Draw the points in the colours of their components, with the components' ellipses."""
    columns = mixture.best_columns(2)
    places = drawn_points(mixture)
    average, draws = mixture.average.along(columns), mixture.draws.few(MAX_ELLIPSES).along(columns)
    wide = [ellipse_trace(average, k, 0.95, width=1.4, name=_named(k, 95)) for k in mixture.shown]
    narrow = [ellipse_trace(average, k, 0.68, width=2.4, name=_named(k, 68)) for k in mixture.shown]
    thin = [] if mixture.is_point else [_uncertain(draws, k) for k in mixture.shown]
    ends = _ends(mixture, columns, [ellipse_trace(average, k, 0.95) for k in mixture.holding])
    traces = [
        *point_traces(mixture, columns, places, _size(places.size)),
        *thin,
        *wide,
        *narrow,
        *rug_traces(mixture, columns, places, [ends[0][0], ends[1][0]]),
    ]
    layout = _layout(mixture, columns, ends, annotations=number_labels(mixture, columns))
    return f.Figure(
        name="points",
        title=_title(mixture),
        caption=_caption(mixture, columns),
        panels=(f.Panel(traces, layout, _alt(mixture, columns), height=460),),
        key=component_key(mixture),
        note=joined([_missing(mixture, columns), thinning_note(mixture, places.size)]),
    )


def contour_figure(mixture: Mixture) -> f.Figure:
    """Draw where the model expects new points, over those that there are."""
    columns = mixture.best_columns(2)
    places = drawn_points(mixture)
    few = mixture.few.along(columns)
    ends = _ends(mixture, columns, [ellipse_trace(mixture.average.along(columns), k, 0.99) for k in mixture.holding])
    unusual = [place for place in mixture.unusual if np.isfinite(mixture.points[place, columns]).all()]
    x, y = mixture.points[places][:, columns].T
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": say("points"),
        "x": x,
        "y": y,
        "marker": {"color": f.OBSERVED, "size": _size(places.size), "opacity": 0.4},
        "hoverinfo": "skip",
    }
    traces = [dots, *_contours(few, ends), *([_marked(mixture, columns, unusual)] if unusual else [])]
    shares = listing([_whole(share) for share in SHARES])
    return f.Figure(
        name="density",
        title=_density_title(mixture),
        caption=joined(
            [
                say(
                    "How to read: the lines are contours of the fitted density; from the inside out they hold {shares} "
                    "of new points.",
                    shares=shares,
                )
                if mixture.is_point
                else say(
                    "How to read: the lines are contours of the density of new points, averaged over the posterior; "
                    "from the inside out they hold {shares} of them.",
                    shares=shares,
                ),
                say(
                    "The marked points are unusual in all columns together: the model expects fewer than one in 1,000 "
                    "where the density is as low as theirs."
                )
                if unusual
                else "",
            ]
        ),
        panels=(f.Panel(traces, _layout(mixture, columns, ends), _density_alt(mixture, columns), height=420),),
        key=(
            ("observed", say("points")),
            ("fit", say("density of new points")),
            *((("fail", say("unusual points")),) if unusual else ()),
        ),
        note=joined([thinning_note(mixture, places.size), _judged(mixture)]),
    )


def _whole(share: float) -> str:
    return f"{round(100 * share)}{NO_BREAK}%"


def _size(n: int) -> float:
    return 6.5 if n <= 300 else 5.0 if n <= 800 else 4.0


def _named(component: int, share: int) -> str:
    return say("{percent} % of component {n}", percent=share, n=component + 1)


def _uncertain(draws: Parameters, component: int) -> dict[str, Any]:
    name = say("95 % of component {n}, single draws", n=component + 1)
    return ellipse_trace(draws, component, 0.95, width=0.8, opacity=0.28, name=name)


def _ends(mixture: Mixture, columns: Sequence[int], around: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    return [
        span(mixture.points[:, column], np.concatenate([np.asarray(trace[axis]) for trace in around]))
        for column, axis in zip(columns, "xy", strict=True)
    ]


def _layout(
    mixture: Mixture, columns: Sequence[int], ends: Sequence[tuple[float, float]], **more: Any
) -> dict[str, Any]:
    x, y = (f.plot_text(mixture.columns[column]) for column in columns)
    return f.layout(
        x,
        y,
        hovermode="closest",
        xaxis={"range": ends[0], "showgrid": True},
        yaxis={"range": ends[1]},
        **more,
    )


def _title(mixture: Mixture) -> str:
    shares = [percent(float(mixture.average.weights[0, k])) for k in mixture.shown]
    held = len(shares)
    if held > NAMED:
        return say("{n} components; the largest holds {share} of the points", n=held, share=shares[0])
    return say_count(
        held,
        "{n} component holds all points",
        "{n} components: they hold {shares} of the points",
        shares=listing(shares),
    )


def _caption(mixture: Mixture, columns: Sequence[int]) -> str:
    told = [
        say(
            "How to read: each dot is a point in the colour of the component that it most probably belongs to, the "
            "paler, the less certain. The ellipses hold 68 % (thick) and 95 % of a component's points."
        )
    ]
    if mixture.is_point:
        told.append(say("They are estimates: how far they may be off is not known."))
    else:
        told.append(
            say("The thin ones are those of single draws: where they scatter, the component is not well known.")
        )
    if mixture.n_columns > 2:
        names = listing([mixture.columns[column] for column in columns])
        told.append(say("Drawn are {columns}, in which the components lie farthest apart.", columns=names))
    return joined(told)


def _missing(mixture: Mixture, columns: Sequence[int]) -> str:
    absent = np.isnan(mixture.points[:, list(columns)])
    one, both = int((absent.sum(1) == 1).sum()), int((absent.sum(1) == 2).sum())
    told = []
    if one:
        told.append(
            say_count(
                one,
                "{n} point lacks one of the two columns: it stands as a dash at the axis of the other.",
                "{n} points lack one of the two columns: they stand as dashes at the axis of the other.",
            )
        )
    if both:
        told.append(
            say_count(
                both,
                "{n} point lacks both columns and is not drawn.",
                "{n} points lack both columns and are not drawn.",
            )
        )
    return joined(told)


def _alt(mixture: Mixture, columns: Sequence[int]) -> str:
    names = listing([mixture.columns[column] for column in columns])
    where = [
        say(
            "component {n} at {x}, {y}",
            n=k + 1,
            **{axis: centre_text(mixture, k, column) for axis, column in zip("xy", columns, strict=True)},
        )
        for k in mixture.shown
    ]
    return say(
        "Scatter plot of {names} with {n} points and an ellipse for each component: {where}.",
        names=names,
        n=f"{len(mixture.points):,}",
        where=listing(where[:NAMED]),
    )


def _contours(draws: Parameters, ends: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Return lines around the smallest regions that hold these shares of new points."""
    from contourpy import contour_generator

    x, y = (np.linspace(low, high, GRID) for low, high in ends)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    log_density = log_predictive(grid, draws).reshape(GRID, GRID)
    heights = levels(draws, SHARES, np.random.default_rng(1))
    # Contours of the logarithm would be bent by its huge range far outside; below the outermost it does not matter.
    density = contour_generator(x=x, y=y, z=np.exp(np.maximum(log_density - heights.max(), -60)))
    made = []
    for share, height in zip(SHARES, np.exp(heights - heights.max()), strict=True):
        parts: Any = density.lines(float(height))
        pieces = [np.concatenate([part, np.full((1, 2), np.nan)]) for part in parts]
        if pieces:
            line = np.concatenate(pieces)[:-1]
            name = say("{share} of new points", share=_whole(share))
            width = 2.0 if share == SHARES[0] else 1.3
            made.append(f.line(line[:, 0], line[:, 1], f.FIT, width, connectgaps=False, name=name))
    return made


def _marked(mixture: Mixture, columns: Sequence[int], places: Sequence[int]) -> dict[str, Any]:
    x, y = mixture.points[list(places)][:, list(columns)].T
    return {
        "type": "scatter",
        "mode": "markers",
        "name": say("unusual points"),
        "x": x,
        "y": y,
        "marker": {"color": f.FAIL, "symbol": "circle-open", "size": 11, "line": {"width": 2, "color": f.FAIL}},
        "customdata": [[f.plot_text(str(mixture.labels[place]))] for place in places],
        "hovertemplate": say("row {name}", name="%{customdata[0]}") + "<extra></extra>",
    }


def _density_title(mixture: Mixture) -> str:
    if not mixture.judged.size or not mixture.unusual:
        return say("Where the model expects new points")
    return say_count(
        len(mixture.unusual),
        "{n} point is unusual: the model expects fewer than one in 1,000 there",
        "{n} points are unusual: the model expects fewer than one in 1,000 there",
    )


def _density_alt(mixture: Mixture, columns: Sequence[int]) -> str:
    return say(
        "Contours of the density of new points in {names}, over the {n} points of the data, {unusual} of which are "
        "marked as unusual.",
        names=listing([mixture.columns[column] for column in columns]),
        n=f"{len(mixture.points):,}",
        unusual=len(mixture.unusual),
    )


def _judged(mixture: Mixture) -> str:
    """Say which points were not asked whether they are unusual."""
    left = len(mixture.points) - mixture.judged.size
    if not left:
        return ""
    return say_count(
        left,
        "{n} point was not judged: a coordinate is missing, or there are too many points.",
        "{n} points were not judged: a coordinate is missing, or there are too many points.",
    )
