"""A graph as a matrix, its nodes sorted by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.words import joined, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_matrix import harmless, sorted_layout
from bayeskit.reporting.block_numbers import share_text
from bayeskit.reporting.block_tables import ordered_members
from bayeskit.reporting.block_view import Blocks, Edges, Partition

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_SIDE = 300  # fields; of more nodes, several share one
MOST_OF = 0.8  # of the edges: how few pairs of blocks hold so many


def adjacency_figure(blocks: Blocks) -> f.Figure | None:
    """Draw the edges between all nodes, sorted by block; None where the graph was not kept, or has no edge."""
    if blocks.edges is None or not blocks.edges.source.size:
        return None
    orders = [_order(blocks, partition) for partition in (blocks.sources, blocks.targets)]
    matrix = _matrix(blocks, blocks.edges, orders)
    size, side = blocks.card.n_nodes, len(matrix)
    scale = size / side
    middle = np.minimum(((np.arange(side) + 0.5) * scale).astype(np.int64), size - 1)
    alone = side == size
    names = [
        [str(blocks.names[node]) for node in order]
        if alone
        else [partition.name(int(block)) for block in partition.block[order[middle]]]
        for partition, order in zip((blocks.sources, blocks.targets), orders, strict=True)
    ]
    top = max(1.0, float(np.quantile(matrix[matrix > 0], 0.98))) if (matrix > 0).any() else 1.0
    cells = {
        "type": "heatmap",
        "name": say("weight") if alone and blocks.card.weighted else say("edges"),
        "x": (np.arange(side) + 0.5) * scale,
        "y": (np.arange(side) + 0.5) * scale,
        "z": matrix.astype(np.int64) if np.array_equal(matrix, np.round(matrix)) else matrix,
        "zmin": 0,
        "zmax": top,
        "colorscale": _scale(top, alone=alone),
        "showscale": False,
        "hovertemplate": f"%{{text}}: %{{z}}{_hovered(blocks, alone=alone)}<extra></extra>",
    }
    layout = sorted_layout(
        [blocks.sources.block[orders[0]], blocks.targets.block[orders[1]]],
        [blocks.sources.n_blocks, blocks.targets.n_blocks],
        titles=_titles(blocks),
    )
    behaviour = {
        "square": True,
        "names": {"y": harmless(names[0]), "x": harmless(names[1]), "between": _link(blocks)},
    }
    panel = f.Panel([cells], layout, _alt(blocks), height=560, behaviour=behaviour)
    return f.Figure(
        name="adjacency",
        title=_title(blocks),
        caption=_caption(blocks, alone=alone),
        panels=(panel,),
        note=_note(blocks, blocks.edges, scale),
    )


def _order(blocks: Blocks, partition: Partition) -> Integers:
    return np.concatenate([ordered_members(blocks, partition, k) for k in partition.holding])


def _matrix(blocks: Blocks, edges: Edges, orders: Sequence[Integers]) -> Floats:
    """Return weights by pair of nodes, or the numbers of edges by pair of fields that several nodes share."""
    size = blocks.card.n_nodes
    side = min(size, MAX_SIDE)
    rows, columns = (_places(order) * side // size for order in orders)
    weight = edges.weight if side == size else np.ones(edges.source.size)
    matrix = np.zeros((side, side))
    np.add.at(matrix, (rows[edges.source], columns[edges.target]), weight)
    if not blocks.card.directed:
        both = edges.source != edges.target
        np.add.at(matrix, (rows[edges.target[both]], columns[edges.source[both]]), weight[both])
    return matrix


def _places(order: Integers) -> Integers:
    places = np.empty(order.size, dtype=np.int64)
    places[order] = np.arange(order.size)
    return places


def _scale(top: float, *, alone: bool) -> list[list[Any]]:
    """Return shades: the smallest weight can be told from none."""
    if top <= 1:
        return [[0, "var(--paper)"], [1, f.OBSERVED]]
    if not alone:
        return [[0, "var(--paper)"], [0.35, f.PRIOR], [1, f.OBSERVED]]
    least = 0.5 / top
    return [[0, "var(--paper)"], [least, "var(--paper)"], [least, f.PRIOR], [1, f.OBSERVED]]


def _hovered(blocks: Blocks, *, alone: bool) -> str:
    return "" if alone and blocks.card.weighted else f" {say('edges')}"


def _link(blocks: Blocks) -> str:
    return f" {blocks.link} "


def _titles(blocks: Blocks) -> tuple[str, str]:
    if not blocks.card.directed:
        return say("nodes, by block"), say("nodes, by block")
    return say("from: nodes, by block"), say("to: nodes, by block")


def _title(blocks: Blocks) -> str:
    """Say how few of the pairs of nodes hold most of the edges."""
    first, second = (partition.held.astype(float) for partition in (blocks.sources, blocks.targets))
    pairs, flow = np.outer(first, second), blocks.flow
    if not blocks.card.directed:
        kept = np.triu_indices(len(flow))
        pairs, flow = (2 * pairs - np.diag(np.diag(pairs)))[kept], flow[kept]
    pairs, flow = pairs.ravel(), flow.ravel()
    with np.errstate(invalid="ignore", divide="ignore"):
        order = np.argsort(-np.nan_to_num(flow / pairs, posinf=0.0), kind="stable")
    enough = int(np.searchsorted(np.cumsum(flow[order]), MOST_OF * flow.sum())) + 1
    if flow.size < 2 or enough >= flow.size or not flow.sum() > 0:
        return say("The graph, sorted by block")
    edges = float(flow[order][:enough].sum() / flow.sum())
    template = mark("{share} of the edges lie in {pairs} of the pairs of nodes")
    if blocks.card.weighted:
        template = mark("{share} of the weight lies in {pairs} of the pairs of nodes")
    return say(template, share=percent(edges), pairs=share_text(float(pairs[order][:enough].sum() / pairs.sum())))


def _caption(blocks: Blocks, *, alone: bool) -> str:
    how = {
        (True, True): mark(
            "How to read: each row is a node that links, each column one that is linked to; a dark field is an edge."
        ),
        (True, False): mark(
            "How to read: each field is of several nodes that link (rows) to several others (columns), the darker, the "
            "more edges."
        ),
        (False, True): mark("How to read: rows and columns are nodes; a dark field is an edge between two of them."),
        (False, False): mark(
            "How to read: rows and columns are nodes, several in each; the darker a field, the more edges."
        ),
    }
    return joined(
        [
            say(how[blocks.card.directed, alone]),
            say("The darker, the larger its weight.") if alone and blocks.card.weighted else "",
            say(
                "Nodes of a block stand together, those with the most edges first; lines are the blocks' borders, "
                "strips their colours."
            ),
        ]
    )


def _note(blocks: Blocks, edges: Edges, scale: float) -> str:
    told = []
    if not edges.complete:
        told.append(
            say(
                "Drawn: {n} of {total} edges, chosen at random.", n=f"{edges.source.size:,}", total=f"{edges.n_edges:,}"
            )
        )
    if scale > 1:
        told.append(
            say("About {n} nodes share a row, or a column.", n=f"{scale:,.0f}" if scale >= 2 else f"{scale:.1f}")
        )
    return joined(told)


def _alt(blocks: Blocks) -> str:
    return say(
        "Matrix of the edges between {n} nodes, sorted by their blocks. {title}.",
        n=f"{blocks.card.n_nodes:,}",
        title=_title(blocks),
    )
