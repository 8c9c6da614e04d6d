"""Which nodes belong together, whatever their block is called."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.core.words import percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_matrix import harmless, sorted_layout
from bayeskit.reporting.block_view import Blocks, Partition
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TOGETHER = 0.9


def sharing_figure(fit: Fit, blocks: Blocks) -> f.Figure | None:
    """Draw the probability that two nodes share a block; None where it was not computed."""
    derived = group(fit, "derived")
    if derived is None or blocks.is_point:
        return None
    panels, decided, drawn = [], [], 0
    for partition in blocks.partitions:
        found = _read(derived, partition, blocks.card.n_nodes)
        if found is None:
            continue
        matrix, shown = found
        panels.append(_together(blocks, partition, matrix, shown))
        decided.append(_decided(matrix))
        drawn = shown.size
    if not panels:
        return None
    total = blocks.card.n_nodes
    return f.Figure(
        name="sharing",
        title=say(
            "For {share} of the pairs of nodes it is clear whether they share a block",
            share=percent(float(np.mean(decided))),
        ),
        caption=say(
            "How to read: each field is a pair of nodes, the darker, the more probable that both belong to the same "
            "block; nodes are ordered by their blocks, whose numbers stand at the axes. Sharp dark squares are groups "
            "that the graph tells apart; grey between two of them says that the border is open."
        ),
        panels=tuple(panels),
        note=say("Drawn: {n} of {total} nodes.", n=f"{drawn:,}", total=f"{total:,}") if drawn < total else "",
    )


def _read(derived: xr.Dataset, partition: Partition, n_nodes: int) -> tuple[Floats, Integers] | None:
    """Return the probabilities, and which nodes they are of, ordered by block."""
    names = [f"{name}{partition.suffix}" for name in ("co_assignment_matrix", "shown_node")]
    if not set(names) <= set(derived.data_vars):
        return None
    matrix, shown = derived[names[0]].to_numpy().astype(float), derived[names[1]].to_numpy().astype(np.int64).ravel()
    if shown.size < 2 or matrix.shape != (shown.size, shown.size) or not 0 <= shown.min() <= shown.max() < n_nodes:
        return None
    order = np.argsort(partition.block[shown], kind="stable")
    return matrix[np.ix_(order, order)], shown[order]


def _together(blocks: Blocks, partition: Partition, matrix: Floats, shown: Integers) -> f.Panel:
    size = shown.size
    names = harmless([str(blocks.names[node]) for node in shown])
    cells = {
        "type": "heatmap",
        "name": say("probability"),
        "x": np.arange(size) + 0.5,
        "y": np.arange(size) + 0.5,
        "z": np.round(100 * matrix).astype(np.int64),
        "zmin": 0,
        "zmax": 100,
        "colorscale": [[0, "var(--paper)"], [1, f.FIT]],
        "showscale": False,
        "hovertemplate": "%{text}: %{z} %<extra></extra>",
    }
    layout = sorted_layout([partition.block[shown]] * 2, [partition.n_blocks] * 2)
    layout["shapes"] = [shape for shape in layout["shapes"] if shape["type"] == "rect"]
    alone = len(blocks.partitions) == 1
    alt = say(
        "Heat map of {n} by {n} nodes: the probability that two share one of the {blocks}. {share} of the pairs are "
        "clear.",
        n=size,
        blocks=partition.plural,
        share=percent(_decided(matrix)),
    )
    behaviour = {"square": True, "names": {"x": names, "y": names, "between": " \N{MIDDLE DOT} "}}
    return f.Panel(
        [cells], layout, alt, label="" if alone else partition.plural, height=460 if alone else 400, behaviour=behaviour
    )


def _decided(matrix: Floats) -> float:
    """Return the share of pairs that belong together, or do not, with at least 90 % probability."""
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    return float(np.mean((pairs >= TOGETHER) | (pairs <= 1 - TOGETHER)))
