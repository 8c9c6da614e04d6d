"""One of the report's panels on matplotlib axes: what the figures' modules make, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayeskit.reporting.figures import Panel
from bayeskit.reporting.print_grid import axes_grid, axes_of, share_texts
from bayeskit.reporting.print_style import POINTS, colour, plain
from bayeskit.reporting.print_traces import (
    Axes,
    Trace,
    draw_bars,
    draw_heat_map,
    draw_image,
    draw_scatter,
    line_style,
    line_width,
    numbers,
)

GAP = 0.2  # between bars, of their distance
DAYS_A_YEAR = 365.25
_AXIS = re.compile(r"[xy]axis\d*")


def draw_panel(canvas: Any, place: Any, panel: Panel, *, whole: bool) -> Axes:
    """Draw a panel.

    Parameters
    ----------
    canvas, place
        A matplotlib figure, and the cell of its grid to draw in.
    panel
        As the report has it.
    whole
        Show all of a series, of which the report's view opens on a part.

    Returns
    -------
    matplotlib.axes.Axes
        Those at the top left.

    Raises
    ------
    TypeError
        For a trace, a shape or a property that has no printed form: it must not be left out in silence.
    """
    layout = panel.layout
    grid = axes_grid(canvas, place, panel)
    for (x, y), axes in grid.items():
        traces = [trace for trace in panel.data if axes_of(trace) == (x, y)]
        dated = layout[x].get("type") == "date"
        _draw_traces(axes, traces, float(layout.get("bargap", GAP)), dated=dated)
        _lay_out(axes, layout[x], layout[y], dated=dated, whole=whole)
    share_texts(grid, layout)
    first = grid.get(("xaxis", "yaxis"), next(iter(grid.values())))
    dated = layout["xaxis"].get("type") == "date"
    for shape in layout.get("shapes", ()):
        _shape(first, shape, dated=dated)
    for note in layout.get("annotations", ()):
        _annotation(first, note, dated=dated)
    return next(iter(grid.values()))


def _draw_traces(axes: Axes, traces: Sequence[Trace], gap: float, *, dated: bool) -> None:
    below: Trace | None = None
    for order, trace in enumerate(traces):
        kind = trace.get("type", "scatter")
        if kind == "scatter":
            draw_scatter(axes, trace, below, dated=dated, order=order)
            below = trace
        elif kind == "heatmap":
            draw_heat_map(axes, trace)
        elif kind == "image":
            draw_image(axes, trace)
        elif kind != "bar":
            raise TypeError(f"a trace of type '{kind}' has no printed form")
    draw_bars(axes, [trace for trace in traces if trace.get("type") == "bar"], gap, dated=dated)


def texts_of(panel: Panel) -> list[str]:
    """Return all texts that a panel shows."""
    layout = panel.layout
    axes = [axis for name, axis in layout.items() if _AXIS.fullmatch(name)]
    found = [panel.label, *(_title(axis) for axis in axes)]
    found += [text for axis in axes for text in axis.get("ticktext", ())]
    found += [note["text"] for note in layout.get("annotations", ())]
    return [plain(text) for text in found]


def is_dated(panel: Panel) -> bool:
    """Whether the panel's horizontal axis is time."""
    return bool(panel.layout["xaxis"].get("type") == "date")


def _title(axis: Mapping[str, Any]) -> str:
    title = axis.get("title", "")
    return str(title.get("text", "") if isinstance(title, Mapping) else title)


def _lay_out(axes: Axes, x: Mapping[str, Any], y: Mapping[str, Any], *, dated: bool, whole: bool) -> None:
    axes.set_xlabel(plain(_title(x)))
    axes.set_ylabel(plain(_title(y)))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for name, settings in (("x", x), ("y", y)):
        if settings.get("type", "linear") not in ("linear", "date", "log", "-"):
            raise TypeError(f"an axis of type '{settings['type']}' has no printed form")
        if settings.get("type") == "log":
            getattr(axes, f"set_{name}scale")("log")
        _ticks(axes, name, settings, dated=dated and name == "x")
    if "range" in x and not whole:
        axes.set_xlim(*_ends(x, dated=dated))
    elif whole:
        axes.margins(x=0)
    if "range" in y:
        axes.set_ylim(*_ends(y, dated=False))
    elif y.get("rangemode") == "tozero":
        axes.set_ylim(bottom=min(0.0, axes.dataLim.y0) if np.isfinite(axes.dataLim.y0) else 0.0)
    elif y.get("autorange") == "reversed":
        axes.invert_yaxis()


def _ends(axis: Mapping[str, Any], *, dated: bool) -> tuple[Any, Any]:
    low, high = numbers(axis["range"], dated=dated)
    return (10.0**low, 10.0**high) if axis.get("type") == "log" else (low, high)


def _ticks(axes: Axes, name: str, settings: Mapping[str, Any], *, dated: bool) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    axis = getattr(axes, f"{name}axis")
    shown = settings.get("showticklabels", True) and settings.get("visible", True)
    if settings.get("showgrid", True) and shown:
        axis.grid(True, color=colour("var(--grid)"), linewidth=0.4)
    if "tickvals" in settings:
        values = [float(value) for value in settings["tickvals"]]
        axis.set_major_locator(FixedLocator(values))
        if "ticktext" in settings:
            axis.set_major_formatter(lambda value, _: _label_at(value, values, settings["ticktext"]))
    elif dated:
        axis.set_major_locator(_DateTicks.locator())
        axis.set_major_formatter(lambda value, _: _DateTicks.text(value, axes.get_xlim()))
    elif settings.get("type") != "log":
        axis.set_major_locator(MaxNLocator(nbins=max(3, int(settings.get("nticks", 6)) - 1), steps=[1, 2, 2.5, 5, 10]))
    ticks = settings.get("ticks", "outside") != "" and settings.get("visible", True)
    sides = ("left", "labelleft") if name == "y" else ("bottom", "labelbottom")
    axes.spines[sides[0]].set_visible(shown and (ticks or name == "x"))
    axes.tick_params(axis=name, **dict(zip(sides, (ticks, shown), strict=True)))


def _label_at(value: float, values: Sequence[float], texts: Sequence[str]) -> str:
    place = int(np.argmin(np.abs(np.asarray(values) - value)))
    return plain(texts[place])


class _DateTicks:
    """Dates in figures only, as the data have them: no names of months, which differ from language to language."""

    @staticmethod
    def locator() -> Any:
        from matplotlib.dates import AutoDateLocator

        make: Any = AutoDateLocator
        return make(minticks=3, maxticks=6)

    @staticmethod
    def text(value: float, limits: tuple[float, float]) -> str:
        from matplotlib.dates import num2date

        read: Any = num2date
        days = limits[1] - limits[0]
        patterns = ((6 * DAYS_A_YEAR, "%Y"), (150, "%Y-%m"), (3, "%Y-%m-%d"), (0, "%m-%d %H:%M"))
        return str(read(value).strftime(next(pattern for least, pattern in patterns if days >= least)))


def _shape(axes: Axes, shape: Mapping[str, Any], *, dated: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    x0, x1 = _place(shape, "x", dated=dated)
    y0, y1 = _place(shape, "y", dated=False)
    transform = _transform(axes, shape)
    order = 1 if shape.get("layer") == "below" else 2.2
    line = shape.get("line", {})
    if shape["type"] == "line":
        drawn = Line2D([x0, x1], [y0, y1], transform=transform, zorder=order)
        drawn.set(
            color=colour(line["color"]), linewidth=line_width(float(line.get("width", 2))), linestyle=line_style(line)
        )
        axes.add_line(drawn)
    elif shape["type"] == "rect":
        fill = colour(shape.get("fillcolor", "rgba(0,0,0,0)"))
        rectangle = Rectangle(
            (x0, y0), x1 - x0, y1 - y0, transform=transform, facecolor=fill, linewidth=0, zorder=order
        )
        axes.add_patch(rectangle)
    else:
        raise TypeError(f"a shape of type '{shape['type']}' has no printed form")


def _place(item: Mapping[str, Any], name: str, *, dated: bool) -> tuple[float, float]:
    ends = [item[f"{name}0"], item[f"{name}1"]]
    if dated and item.get(f"{name}ref", name) != "paper":
        return _number(ends[0]), _number(ends[1])
    return float(ends[0]), float(ends[1])


def _number(moment: Any) -> float:
    from matplotlib.dates import date2num

    number: Any = date2num
    return float(number(np.datetime64(str(moment))))


def _transform(axes: Axes, item: Mapping[str, Any]) -> Any:
    from matplotlib.transforms import blended_transform_factory

    x = axes.transAxes if item.get("xref") == "paper" else axes.transData
    y = axes.transAxes if item.get("yref") == "paper" else axes.transData
    return blended_transform_factory(x, y)


def _annotation(axes: Axes, note: Mapping[str, Any], *, dated: bool) -> None:
    if note.get("showarrow", True) or note.get("textangle"):
        raise TypeError("annotations with arrows or at an angle have no printed form")
    x = _number(note["x"]) if dated and note.get("xref") != "paper" else float(note["x"])
    y = float(note["y"])
    if not np.isfinite([x, y]).all():
        return
    anchors = {"auto": "center", "middle": "center"}
    horizontal = note.get("xanchor", "center")
    vertical = note.get("yanchor", "center")
    axes.annotate(
        plain(note["text"]),
        (x, y),
        xycoords=_transform(axes, note),
        xytext=(float(note.get("xshift", 0)) * POINTS, float(note.get("yshift", 0)) * POINTS),
        textcoords="offset points",
        ha=anchors.get(horizontal, horizontal),
        va=anchors.get(vertical, vertical),
        color=colour(note.get("font", {}).get("color", "var(--ink)")),
        fontsize=6.5,
        annotation_clip=False,
        zorder=4,
    )
