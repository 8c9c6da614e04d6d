"""What the figures of a graph as a matrix have in common: nodes sorted by block, borders, and colours along them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.reporting import figures as f
from bayeskit.reporting.groups import colour_of

Integers = NDArray[np.int64]

LEAST_TICK = 0.02  # of the nodes, of a block whose number stands at the axis
LEAST_ROOM = 0.045  # of the nodes, between two of these
LEAST_BORDER = 0.005  # of the nodes, of a block whose border is drawn: of smaller ones lines would hide the edges
STRIP = 0.022  # of the nodes, how wide the blocks' colours run along the matrix


def sorted_layout(
    sorted_blocks: Sequence[Integers], n_blocks: Sequence[int], *, titles: tuple[str, str] = ("", "")
) -> dict[str, Any]:
    """Return a matrix's layout: blocks' numbers at the axes, their borders as lines, their colours as strips."""
    size = sorted_blocks[0].size
    shapes, axes = [], []
    for axis, belongs, n in zip("yx", sorted_blocks, n_blocks, strict=True):
        ends = np.searchsorted(belongs, np.arange(n + 1))
        shapes += _borders(axis, ends, size)
        large = _apart([float(ends[k] + ends[k + 1]) / 2 for k in range(n)], np.diff(ends), size)
        axes.append(
            {
                "tickvals": [float(ends[k] + ends[k + 1]) / 2 for k in large],
                "ticktext": [str(k + 1) for k in large],
                "showgrid": False,
                "ticks": "",
                "tickangle": 0,
            }
        )
    low = -STRIP * size
    return f.layout(
        titles[1],
        titles[0],
        xaxis={**axes[1], "range": [low, size]},
        yaxis={**axes[0], "range": [size, low]},
        shapes=shapes,
        hovermode="closest",
    )


def _apart(middles: Sequence[float], held: Integers, size: int) -> list[int]:
    """Return the blocks whose numbers find room at the axis."""
    kept: list[int] = []
    for k, middle in enumerate(middles):
        if held[k] >= LEAST_TICK * size and (not kept or middle - middles[kept[-1]] >= LEAST_ROOM * size):
            kept.append(k)
    return kept


def _borders(axis: str, ends: Integers, size: int) -> list[dict[str, Any]]:
    other = "x" if axis == "y" else "y"
    shapes: list[dict[str, Any]] = []
    for k, (start, end) in enumerate(pairwise(ends)):
        if start == end:
            continue
        strip = {
            f"{axis}0": int(start),
            f"{axis}1": int(end),
            f"{other}0": -STRIP * size,
            f"{other}1": -0.3 * STRIP * size,
        }
        shapes.append({"type": "rect", **strip, "fillcolor": colour_of(k), "line": {"width": 0}})
        if end < size and end - start >= LEAST_BORDER * size:
            border = {f"{axis}0": int(end), f"{axis}1": int(end), f"{other}0": -STRIP * size, f"{other}1": size}
            shapes.append({"type": "line", **border, "line": {"color": f.FIT, "width": 1}})
    return shapes


def harmless(names: Sequence[str]) -> list[str]:
    """Return names that Plotly takes as they are."""
    return [f.plot_text(name) for name in names]
