"""All columns of a mixture against each other: scatter plots below, each column's densities on the diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import joined, listing
from bayeskit.reporting import figures as f
from bayeskit.reporting.figures_mixture_line import curves_of, histogram
from bayeskit.reporting.groups import colour_of
from bayeskit.reporting.mixture_traces import (
    component_key,
    drawn_points,
    ellipse_trace,
    point_traces,
    span,
    thinning_note,
)
from bayeskit.reporting.mixture_view import Mixture, name_of

Floats = NDArray[np.float64]

MAX_COLUMNS = 5
MAX_POINTS = 2400  # in all cells together
CELL = 150  # pixels
GRID = 120
MAX_BARS = 24
_GAP = 0.03  # between cells, of the figure


def pair_figure(mixture: Mixture) -> f.Figure | None:
    """Draw every pair of at most five columns; None where there is one column only."""
    if mixture.n_columns < 2:
        return None
    columns = mixture.best_columns(MAX_COLUMNS)
    n = len(columns)
    places = drawn_points(mixture, MAX_POINTS // max(1, n * (n - 1) // 2))
    ends = [_ends(mixture, column) for column in columns]
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"hovermode": "closest", "bargap": 0, "margin": {"l": 58, "b": 48, "t": 6}}
    for row, below in enumerate(columns):
        for place, beside in enumerate(columns[: row + 1]):
            cell = _diagonal(mixture, below) if place == row else _off(mixture, [beside, below], places)
            axes = _names(row, place, n)
            traces += [{**trace, "xaxis": axes[0], "yaxis": axes[1]} for trace in cell]
            layout |= _axes(mixture, columns, row, place, ends)
    names = listing([mixture.columns[column] for column in columns])
    return f.Figure(
        name="columns",
        title=say("Every column against every other: {columns}", columns=names),
        caption=_caption(mixture, columns),
        panels=(
            f.Panel(
                traces,
                f.layout(**layout),
                say(
                    "Matrix of {n} scatter plots of {columns}, with densities on the diagonal.",
                    n=n * (n - 1) // 2,
                    columns=names,
                ),
                height=CELL * n + 60 if n > 2 else 420,
                behaviour={"matrix": n},
            ),
        ),
        key=component_key(mixture),
        note=thinning_note(mixture, places.size),
    )


def _ends(mixture: Mixture, column: int) -> tuple[float, float]:
    average = mixture.average
    reach = [
        average.means[0, k, column] + side * 2.45 * average.sds[0, k, column]
        for k in mixture.holding
        for side in (-1, 1)
    ]
    return span(mixture.points[:, column], np.array(reach))


def _names(row: int, place: int, n: int) -> tuple[str, str]:
    """Return the axes of a cell: a column shares its x axis, a row its y axis, each density has a y axis of its own."""
    vertical = row + 1 if place < row else 1 if row == 0 else n + row
    return "x" if place == 0 else f"x{place + 1}", "y" if vertical == 1 else f"y{vertical}"


def _axes(
    mixture: Mixture, columns: Sequence[int], row: int, place: int, ends: Sequence[tuple[float, float]]
) -> dict[str, dict[str, Any]]:
    n = len(columns)
    size = (1 - (n - 1) * _GAP) / n
    across, upwards = ([start * (size + _GAP), start * (size + _GAP) + size] for start in (place, n - 1 - row))
    x, y = (f"{name[0]}axis{name[1:]}" for name in _names(row, place, n))
    plain: dict[str, Any] = {"nticks": 4, "automargin": False, "showgrid": False}
    name = f.plot_text(mixture.columns[columns[place]])
    lowest = _names(n - 1, place, n)[1]
    made = {x: f.axis(name, **plain, range=ends[place], domain=across, anchor=lowest)}
    title = f.plot_text(mixture.columns[columns[row]]) if place == 0 else ""
    if place == row:
        anchor = _names(row, place, n)[0]
        bare = {"showticklabels": False, "ticks": "", "rangemode": "tozero"}
        return made | {y: f.axis(title, **plain, **bare, domain=upwards, anchor=anchor)}
    return made | ({y: f.axis(title, **plain, range=ends[row], domain=upwards, anchor="x")} if place == 0 else {})


def _off(mixture: Mixture, columns: Sequence[int], places: NDArray[np.int64]) -> list[dict[str, Any]]:
    average = mixture.average.along(columns)
    lines = [ellipse_trace(average, k, 0.95, width=1.3) for k in mixture.shown]
    return [*point_traces(mixture, columns, places, 3.4), *lines]


def _diagonal(mixture: Mixture, column: int) -> list[dict[str, Any]]:
    grid = np.linspace(*_ends(mixture, column), GRID)
    curves = curves_of(mixture.few.along([column]), grid).mean(0)
    lines = [f.line(grid, curves[:, k], colour_of(k), 1.6, name=name_of(k)) for k in mixture.shown]
    whole = f.line(grid, curves.sum(-1), f.FIT, 1.6, name=say("density of new points"))
    return [histogram(mixture.points[:, column], MAX_BARS), *lines, whole]


def _caption(mixture: Mixture, columns: Sequence[int]) -> str:
    told = [
        say(
            "How to read: below the diagonal each pair of columns, the ellipses holding 95 % of a component's points; "
            "on the diagonal the data (grey), the components' densities and their sum (blue)."
        )
    ]
    if mixture.n_columns > len(columns):
        told.append(
            say(
                "Of {total} columns those {n} are drawn in which the components lie farthest apart.",
                total=mixture.n_columns,
                n=len(columns),
            )
        )
    if np.isnan(mixture.points[:, list(columns)]).any():
        told.append(say("A point that lacks a column is left out of that column's plots only."))
    return joined(told)
