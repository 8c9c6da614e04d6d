"""Where the axes of a printed panel stand: alone, in a row, one below the other, or as a matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayeskit.reporting.figures import Panel
from bayeskit.reporting.print_traces import Axes, Trace

Grid = dict[tuple[str, str], Axes]


def axes_of(trace: Trace) -> tuple[str, str]:
    """Return what the layout calls the axes of a trace: ``xaxis``, ``yaxis2``."""
    names = [trace.get(f"{letter}axis", letter).removesuffix("1") for letter in "xy"]
    return f"xaxis{names[0][1:]}", f"yaxis{names[1][1:]}"


def axes_grid(canvas: Any, place: Any, panel: Panel) -> Grid:
    """Return axes by their names: one, several in a row from the left or from the top, or a matrix of them."""
    layout = panel.layout
    pairs = list(dict.fromkeys([("xaxis", "yaxis"), *(axes_of(trace) for trace in panel.data)]))
    columns = sorted({x for x, _ in pairs}, key=lambda name: _domain(layout, name)[0])
    rows = sorted({y for _, y in pairs}, key=lambda name: -_domain(layout, name)[1])
    if len(columns) > 1 and len(rows) > 1:
        return _matrix(canvas, place, layout, [axes_of(trace) for trace in panel.data])
    sizes = [[float(np.diff(_domain(layout, name))[0]) for name in names] for names in (columns, rows)]
    cells = place.subgridspec(len(rows), len(columns), width_ratios=sizes[0], height_ratios=sizes[1])
    made: Grid = {}
    for row, y in enumerate(rows):
        for column, x in enumerate(columns):
            shared = next(iter(made.values()), None)
            share = {} if shared is None else {"sharex": shared} if len(rows) > 1 else {"sharey": shared}
            made[x, y] = canvas.add_subplot(cells[row, column], **share)
    return made


def _matrix(canvas: Any, place: Any, layout: Mapping[str, Any], pairs: Sequence[tuple[str, str]]) -> Grid:
    """Return the axes of a matrix of plots: axes of the same domain stand in the same column, or row."""
    across = sorted({_domain(layout, x) for x, _ in pairs})
    down = sorted({_domain(layout, y) for _, y in pairs}, reverse=True)
    cells = place.subgridspec(len(down), len(across))
    made: Grid = {}
    for x, y in dict.fromkeys(pairs):
        made[x, y] = canvas.add_subplot(cells[down.index(_domain(layout, y)), across.index(_domain(layout, x))])
    return made


def _clear_inside(grid: Grid, layout: Mapping[str, Any]) -> None:
    """Leave what axes say to the matrix's lowest row and first column, but for the title of a row's first plot."""
    lowest = min(_domain(layout, y)[0] for _, y in grid)
    first = min(_domain(layout, x)[0] for x, _ in grid)
    for (x, y), axes in grid.items():
        if _domain(layout, y)[0] > lowest:
            axes.set_xlabel("")
            axes.tick_params(axis="x", labelbottom=False)
        if _domain(layout, x)[0] > first:
            axes.set_ylabel("")
            axes.tick_params(axis="y", left=False, labelleft=False)
            axes.spines["left"].set_visible(False)


def _domain(layout: Mapping[str, Any], name: str) -> tuple[float, float]:
    start, end = layout[name].get("domain", (0.0, 1.0))
    return float(start), float(end)


def _join(axes: Sequence[Axes], *, stacked: bool) -> None:
    """Show the axis that several axes share once: below the lowest, or left of the first."""
    if stacked:
        axes[-1].set_xlabel(axes[0].get_xlabel())
        for other in axes[:-1]:
            other.set_xlabel("")
            other.tick_params(axis="x", bottom=False, labelbottom=False)
            other.spines["bottom"].set_visible(False)
    else:
        for other in axes[1:]:
            other.set_ylabel("")
            other.tick_params(axis="y", left=False, labelleft=False)
            other.spines["left"].set_visible(False)


def share_texts(grid: Grid, layout: Mapping[str, Any]) -> None:
    """Leave what axes say to those that say it for others too."""
    if len(grid) < 2:
        return
    if len({x for x, _ in grid}) > 1 and len({y for _, y in grid}) > 1:
        _clear_inside(grid, layout)
    else:
        _join(list(grid.values()), stacked=len({x for x, _ in grid}) == 1)
