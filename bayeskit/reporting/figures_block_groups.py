"""Known groups beside the blocks: which nodes of each group went where, as streams from column to column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.words import joined, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_view import Blocks, Partition
from bayeskit.reporting.groups import colour_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_GROUPS = 12  # in a column; smaller ones share one
LONGEST = 16  # letters of a name
LEAST = 0.02  # of the height, of a group whose name is written
_WIDTH = 0.025  # of the figure, of a column
_STEPS = 24
_GAP = 0.018  # between groups, of the height


@dataclass(frozen=True, eq=False)
class Column:
    """A column of groups, from top to bottom: names, colours, and each node's group."""

    names: list[str]
    colours: list[str]
    belongs: Integers
    title: str


def groups_figure(blocks: Blocks) -> f.Figure | None:
    """Draw known groups beside the blocks; None where none are known."""
    if blocks.labels is None:
        return None
    known = np.flatnonzero(blocks.labels != "")
    groups = _groups(blocks.labels[known])
    parts = [_blocks(partition, known) for partition in blocks.partitions]
    middle = len(parts) - 1  # where the groups stand: before the blocks, or between those of sources and targets
    columns = _untangled([*parts[:middle], groups, *parts[middle:]], middle)
    panel = _panel(columns, middle, known.size)
    rest = len(blocks.labels) - known.size
    return f.Figure(
        name="groups",
        title=_title(blocks, known),
        caption=say(
            "How to read: a stream leads from each known group to the block that its nodes most probably belong to; "
            "the wider, the more nodes. Where a group's stream stays whole and meets no other, the block is that "
            "group."
        ),
        panels=(panel,),
        note=joined(
            [
                say("Of {n} nodes the group is not known.", n=f"{rest:,}") if rest else "",
                say("Groups or blocks of few nodes stand together as others.") if _gathered(columns) else "",
            ]
        ),
    )


def _groups(labels: NDArray[Any]) -> Column:
    names, belongs, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    place = np.empty(names.size, dtype=np.int64)
    place[order] = np.arange(names.size)
    written = [f.plot_text(_short(str(names[i]))) for i in order]
    return _gather(Column(written, [f.MUTED] * names.size, place[belongs], say("known groups")))


def _blocks(partition: Partition, known: Integers) -> Column:
    holding = [k for k in partition.holding if (partition.block[known] == k).any()]
    place = np.full(partition.n_blocks, -1)
    place[holding] = np.arange(len(holding))
    names = [partition.name(k) for k in holding]
    return _gather(Column(names, [colour_of(k) for k in holding], place[partition.block[known]], partition.plural))


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _gather(column: Column) -> Column:
    """Put the smallest groups of many together."""
    if len(column.names) <= MAX_GROUPS:
        return column
    counts = np.bincount(column.belongs, minlength=len(column.names))
    order = np.argsort(-counts, kind="stable")
    kept = np.sort(order[: MAX_GROUPS - 1])
    place = np.full(len(column.names), MAX_GROUPS - 1)
    place[kept] = np.arange(kept.size)
    names = [*(column.names[k] for k in kept), say("others")]
    colours = [*(column.colours[k] for k in kept), f.PRIOR]
    return Column(names, colours, place[column.belongs], column.title)


def _gathered(columns: Sequence[Column]) -> bool:
    return any(f.PRIOR in column.colours for column in columns)


def _untangled(columns: list[Column], groups: int) -> list[Column]:
    """Order the blocks by where their streams come from, so that few cross."""
    made = list(columns)
    home = columns[groups].belongs
    for place, column in enumerate(columns):
        if place == groups:
            continue
        n = len(column.names)
        middle = np.bincount(column.belongs, home, n) / np.maximum(np.bincount(column.belongs, minlength=n), 1)
        order = np.argsort(middle, kind="stable")
        new = np.empty(n, dtype=np.int64)
        new[order] = np.arange(n)
        made[place] = Column(
            [column.names[k] for k in order], [column.colours[k] for k in order], new[column.belongs], column.title
        )
    return made


def _panel(columns: Sequence[Column], groups: int, n_nodes: int) -> f.Panel:
    x = np.linspace(0, 1, len(columns))
    tops = [_tops(column, n_nodes) for column in columns]
    traces: list[dict[str, Any]] = []
    for left in range(len(columns) - 1):
        block = left if left != groups else left + 1
        traces += _streams(columns[left], columns[left + 1], tops[left : left + 2], x[left : left + 2], columns[block])
    notes = []
    for place, (column, top) in enumerate(zip(columns, tops, strict=True)):
        side = "left" if place == 0 else "right" if place == len(columns) - 1 else "middle"
        for k, name in enumerate(column.names):
            low, high = top[k]
            bar = f.line([x[place]] * 2, [low, high], column.colours[k], 9, name=name)
            traces.append(bar)
            if high - low >= LEAST:
                notes.append(_name(name, float(x[place]), (low + high) / 2, side))
    height = 1 + _GAP * (max(len(column.names) for column in columns) - 1)
    layout = f.layout(
        xaxis={"range": [-0.3, 1.3] if len(columns) == 2 else [-0.24, 1.24], "visible": False},
        yaxis={"range": [height + 0.02, -0.02], "visible": False},
        annotations=notes,
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        hovermode="closest",
    )
    alt = say(
        "Streams of {n} nodes between {columns}.",
        n=f"{n_nodes:,}",
        columns=joined([say("{n} {what}", n=len(column.names), what=column.title) for column in columns]),
    )
    return f.Panel(traces, layout, alt, height=400)


def _name(name: str, x: float, y: float, side: str) -> dict[str, Any]:
    anchors = {"left": ("right", -10), "right": ("left", 10), "middle": ("center", 0)}
    anchor, shift = anchors[side]
    more: dict[str, Any] = {"bgcolor": "var(--paper)", "opacity": 0.9, "borderpad": 1} if side == "middle" else {}
    return f.label(name, x, y, xanchor=anchor, xshift=shift, captureevents=False, **more)


def _tops(column: Column, n_nodes: int) -> list[tuple[float, float]]:
    """Return where each group begins and ends, from the top down."""
    counts = np.bincount(column.belongs, minlength=len(column.names)) / max(1, n_nodes)
    ends = np.cumsum(counts)
    shift = _GAP * np.arange(counts.size)
    return list(zip((ends - counts + shift).tolist(), (ends + shift).tolist(), strict=True))


def _streams(
    left: Column, right: Column, tops: Sequence[list[tuple[float, float]]], x: Floats, coloured: Column
) -> list[dict[str, Any]]:
    """Return each stream as a band between two curves."""
    table = np.zeros((len(left.names), len(right.names)))
    np.add.at(table, (left.belongs, right.belongs), 1)
    total = table.sum()
    starts, ends = [low for low, _ in tops[0]], [low for low, _ in tops[1]]
    along = np.linspace(0, 1, _STEPS)
    bent = along**2 * (3 - 2 * along)
    across = x[0] + _WIDTH / 2 + (x[1] - x[0] - _WIDTH) * along
    traces = []
    for i, j in zip(*np.nonzero(table), strict=True):
        width = float(table[i, j] / total)
        upper = starts[i] + (ends[j] - starts[i]) * bent
        starts[i], ends[j] = starts[i] + width, ends[j] + width
        colour = coloured.colours[j if coloured is right else i]
        pair = {"a": left.names[i], "b": right.names[j]}
        told = say_count(int(table[i, j]), "{a} – {b}: {n} node", "{a} – {b}: {n} nodes", **pair)
        edge = f.line(across, upper, colour, 0, name=told)
        fill = f.line(
            across,
            upper + width,
            colour,
            0,
            fill="tonexty",
            fillcolor=f.faded(colour, 0.45),
            name=told,
            hoverinfo="text",
            text=told,
            hoveron="fills",
        )
        traces += [edge, fill]
    return traces


def _title(blocks: Blocks, known: Integers) -> str:
    """Say how well the blocks tell the group of a node."""
    assert blocks.labels is not None
    shares = []
    for partition in blocks.partitions:
        _, group = np.unique(blocks.labels[known], return_inverse=True)
        table = np.zeros((partition.n_blocks, int(group.max()) + 1))
        np.add.at(table, (partition.block[known], group), 1)
        shares.append(percent(float(table.max(1).sum() / known.size)))
    if len(shares) == 1:
        return say("{share} of the nodes are in a block that is mostly of their own group", share=shares[0])
    return say(
        "{first} of the nodes are in a source block, and {second} in a target block, that is mostly of their own group",
        first=shares[0],
        second=shares[1],
    )
