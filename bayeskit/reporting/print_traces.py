"""The traces that the figures' modules make, on matplotlib axes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.reporting.print_style import POINTS, colour

Axes = Any  # matplotlib's, imported when something is drawn
Trace = Mapping[str, Any]

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_DASHES = {"solid": "-", "dash": (0, (4, 2)), "dot": (0, (1, 1.5)), "dashdot": "-."}
_STEPS = {None: "default", "linear": "default", "hv": "steps-post", "vh": "steps-pre"}
_SYMBOLS = {
    None: "o",
    "circle": "o",
    "circle-open": "o",
    "diamond": "D",
    "diamond-open": "D",
    "square": "s",
    "line-ns": "|",
    "line-ew": "_",
    "x-thin": "x",
    "x": "x",
}
_MODES = {"lines", "markers", "lines+markers", "none"}
_FILLS = {None, "none", "tonexty", "tozeroy"}
MANY = 400  # markers
SMALLEST = 1.1  # points


def draw_scatter(axes: Axes, trace: Trace, below: Trace | None, *, dated: bool, order: int) -> None:
    """Draw lines, markers and fills, the later ones in front; ``below`` is the trace that a fill reaches down to."""
    mode, fill = trace.get("mode", "lines"), trace.get("fill")
    if mode not in _MODES or fill not in _FILLS:
        raise TypeError(f"mode '{mode}' with fill '{fill}' has no printed form")
    x, y = numbers(trace["x"], dated=dated), numbers(trace["y"], dated=False)
    opacity, line = float(trace.get("opacity", 1.0)), trace.get("line", {})
    step = _STEPS[line.get("shape")]
    if fill in ("tonexty", "tozeroy"):
        base = np.zeros(y.size) if fill == "tozeroy" or below is None else numbers(below["y"], dated=False)
        filled = _faded(trace["fillcolor"], opacity)
        name = {"default": None, "steps-post": "post", "steps-pre": "pre"}[step]
        axes.fill_between(x, base, y, color=filled, linewidth=0, step=name, zorder=2 + 0.01 * order)
    width = float(line.get("width", 2.0))
    if "lines" in mode and width > 0:
        kept = np.isfinite(y) if trace.get("connectgaps", False) else np.full(y.size, True)
        axes.plot(
            x[kept],
            y[kept],
            color=_faded(line.get("color", "var(--fit)"), opacity),
            linewidth=line_width(width),
            linestyle=line_style(line),
            drawstyle=step,
            zorder=2.5 + 0.01 * order,
        )
    if "markers" in mode:
        _markers(axes, trace, x, y, opacity, order)


def _markers(axes: Axes, trace: Trace, x: Any, y: Any, opacity: float, order: int, *, many: int | None = None) -> None:
    marker = trace.get("marker", {})
    for name in ("opacity", "size"):
        if isinstance(marker.get(name), np.ndarray):
            _each(axes, trace, name, x, y, opacity, order, many=len(y) if many is None else many)
            return
    single = marker.get("opacity", 1.0)
    opacity *= float(single)
    symbol = marker.get("symbol")
    edge = marker.get("line", {})
    thin = symbol in ("line-ns", "line-ew", "x-thin", "x")
    hollow = symbol is not None and symbol.endswith("-open")
    face = "none" if hollow else _faded(marker.get("color", "var(--fit)"), opacity)
    outline = _faded(edge.get("color", marker.get("color", "var(--fit)")), opacity if thin or hollow else 1.0)
    axes.plot(
        x,
        y,
        linestyle="none",
        marker=_SYMBOLS[symbol],
        markersize=_dot(float(marker.get("size", 6)), len(y) if many is None else many),
        markerfacecolor=face,
        markeredgecolor=outline,
        markeredgewidth=line_width(float(edge.get("width", 1 if thin else 0))) if edge or thin else 0,
        zorder=3 + 0.01 * order,
    )


def _each(axes: Axes, trace: Trace, name: str, x: Any, y: Any, opacity: float, order: int, *, many: int) -> None:
    """Draw markers that differ, those that are alike together."""
    marker = trace["marker"]
    for value in np.unique(marker[name]):
        mine = marker[name] == value
        rest = {key: part[mine] if isinstance(part, np.ndarray) else part for key, part in marker.items()}
        alike = {**trace, "marker": {**rest, name: float(value)}}
        _markers(axes, alike, x[mine], y[mine], opacity, order, many=many)


def draw_bars(axes: Axes, bars: Sequence[Trace], gap: float, *, dated: bool) -> None:
    """Draw the bars of all traces, side by side; ``gap`` is the share of their distance that stays empty."""
    from matplotlib.dates import date2num

    as_days: Any = date2num
    for place, trace in enumerate(bars):
        if "base" in trace:
            raise TypeError("bars that float have no printed form")
        lying = trace.get("orientation", "v") == "h"
        along, length = (trace["y"], trace["x"]) if lying else (trace["x"], trace["y"])
        x, sizes = numbers(along, dated=dated and not lying), numbers(length, dated=False)
        x = np.asarray(as_days(x), dtype=float) if x.dtype.kind == "M" else x
        distinct = np.unique(x)
        step = float(np.min(np.diff(distinct))) if distinct.size > 1 else 1.0
        width = trace.get("width")
        wide = np.asarray(width, dtype=float) if width is not None else np.full(x.size, step * (1 - gap))
        marker = trace.get("marker", {})
        edge = marker.get("line", {})
        (axes.barh if lying else axes.bar)(
            x + wide * ((place + 0.5) / len(bars) - 0.5),
            sizes,
            wide / len(bars),
            color=_faded(marker.get("color", "var(--fit)"), float(trace.get("opacity", 1.0))),
            edgecolor=colour(edge["color"]) if "color" in edge else "none",
            linewidth=line_width(float(edge.get("width", 0))),
            zorder=2,
        )


def draw_heat_map(axes: Axes, trace: Trace) -> None:
    """Draw a matrix whose columns and rows are evenly spaced; what is no number stays empty."""
    from matplotlib.colors import LinearSegmentedColormap

    if trace.get("showscale", True):
        raise TypeError("a heat map with a scale of colours has no printed form")
    values = np.asarray(trace["z"], dtype=float)
    left, right = _edges(trace.get("x"), values.shape[1])
    bottom, top = _edges(trace.get("y"), values.shape[0])
    scale = [(float(place), colour(name)) for place, name in trace["colorscale"]]
    axes.imshow(
        values,
        cmap=LinearSegmentedColormap.from_list("shades", scale),
        extent=(left, right, bottom, top),
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        vmin=trace.get("zmin"),
        vmax=trace.get("zmax"),
        zorder=2,
    )


def draw_image(axes: Axes, trace: Trace) -> None:
    """Draw a picture, a pixel a unit, the first one at 0."""
    import base64
    import io

    from matplotlib.image import imread

    data = base64.b64decode(str(trace["source"]).partition(",")[2])
    axes.imshow(imread(io.BytesIO(data), format="png"), interpolation="nearest", aspect="equal", zorder=2)


def _edges(middles: Any, size: int) -> tuple[float, float]:
    """Return where the fields of a matrix begin and end; they are 1 wide where there is but one."""
    places = np.arange(size) if middles is None else np.asarray(middles, dtype=float)
    half = float(places[-1] - places[0]) / (2 * (size - 1)) if size > 1 else 0.5
    return float(places[0]) - half, float(places[-1]) + half


def numbers(values: Any, *, dated: bool) -> NDArray[Any]:
    """Return numbers, NaN where there is none, or dates."""
    if dated:
        return np.asarray(values, dtype="datetime64[s]")
    found = np.asarray(values)
    if found.dtype.kind in "OU" and found.size and _ISO.match(str(found.flat[0])):
        raise TypeError("dates stand on an axis that is not of type 'date'")
    return np.asarray([np.nan if value is None else value for value in found.tolist()], dtype=float)


def line_width(width: float) -> float:
    """Return a printed line's width in points."""
    return max(0.3, width * POINTS) if width > 0 else 0.0


def _dot(size: float, many: int) -> float:
    """Return a marker's size: of many, each is smaller, so that what lies below them can be seen."""
    thinner: float = min(1.0, math.sqrt(MANY / max(1, many)))
    return max(min(size * POINTS, SMALLEST), size * POINTS * thinner)


def line_style(line: Mapping[str, Any]) -> Any:
    """Return a line's dashes as matplotlib takes them."""
    return _DASHES[line.get("dash", "solid")]


def _faded(name: str, opacity: float) -> tuple[float, float, float, float]:
    red, green, blue, own = colour(name)
    return red, green, blue, own * opacity
