"""The graph as nodes and edges in the colours of their blocks: laid out by springs, and by its spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.words import joined, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_view import CERTAIN, Blocks, Partition
from bayeskit.reporting.groups import N_COLOURS, colour_name, colour_of, opacities, symbol_of, thinned

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_NODES = 2000
MAX_EDGES = 2500
FEW_NODES = 300
MAX_KEY = 14  # blocks
_SHADES = 5  # of opacity, and as many sizes


def network_figure(blocks: Blocks) -> f.Figure | None:
    """Draw nodes and edges as springs along the edges lay them out; None where that was not computed."""
    if blocks.layout is None or blocks.edges is None or not blocks.edges.source.size:
        return None
    title = say(
        "{n} nodes and {edges} edges, by block", n=f"{blocks.card.n_nodes:,}", edges=f"{blocks.edges.n_edges:,}"
    )
    how = mark(
        "How to read: each dot is a node in the colour of the block that it most probably belongs to, the paler, the "
        "less certain, the larger, the more edges it has; lines are edges, in the colour of the block that they come "
        "from. Edges pull nodes together: where they lie means no more than that."
    )
    if not blocks.card.directed:
        how = mark(
            "How to read: each dot is a node in the colour of the block that it most probably belongs to, the paler, "
            "the less certain, the larger, the more edges it has; lines are edges. Edges pull nodes together: where "
            "they lie means no more than that."
        )
    return _figure(blocks, blocks.layout, "network", title, say(how))


def spectral_figure(blocks: Blocks) -> f.Figure | None:
    """Draw nodes and edges in two dimensions of the graph's spectrum; None where these were not computed."""
    if blocks.spectral is None:
        return None
    how = say(
        "How to read: nodes that link alike lie close together, whatever the model says of them; two main dimensions "
        "of the graph's spectrum are drawn. Blocks that lie apart are told apart by these alone; others differ in "
        "further dimensions, or hardly."
    )
    return _figure(blocks, blocks.spectral, "spectrum", say("The blocks in the graph's spectrum"), how)


def _figure(blocks: Blocks, places: Floats, name: str, title: str, caption: str) -> f.Figure:
    network = name == "network"
    nodes, edges = _drawn(blocks, connected=network)
    panels = tuple(
        _panel(blocks, partition, places, nodes, edges, side, network=network)
        for side, partition in enumerate(blocks.partitions)
    )
    return f.Figure(
        name=name,
        title=title,
        caption=caption,
        panels=panels,
        key=_key(blocks),
        note=joined([_thinned(blocks, nodes, edges, every=network), _repeated(blocks)]),
    )


def _drawn(blocks: Blocks, *, connected: bool) -> tuple[Integers, Integers]:
    """Return which nodes and which of the kept edges are drawn: of large graphs some edges, their ends and others.

    Nodes without edges are left out where only ``connected`` ones have a place.
    """
    every = np.arange(blocks.card.n_nodes)
    if connected and blocks.degrees is not None:
        every = np.flatnonzero(blocks.degrees[0] + blocks.degrees[1] > 0)
    if blocks.edges is None:
        return thinned(every, MAX_NODES), np.zeros(0, dtype=np.int64)
    few = every.size <= MAX_NODES
    edges = thinned(np.arange(blocks.edges.source.size), MAX_EDGES if few else MAX_NODES // 4)
    if few:
        return every, edges
    ends = np.unique(np.concatenate([blocks.edges.source[edges], blocks.edges.target[edges]]))
    return np.union1d(ends, thinned(every, MAX_NODES - ends.size)), edges


def _panel(
    blocks: Blocks, partition: Partition, places: Floats, nodes: Integers, edges: Integers, side: int, *, network: bool
) -> f.Panel:
    traces = [
        *_lines(blocks, partition, places, edges, side),
        *(_dots(blocks, partition, places, nodes[partition.block[nodes] == k], k) for k in partition.holding),
    ]
    hidden = {"showticklabels": False, "ticks": "", "showgrid": False, "visible": not network}
    names = ("", "") if network else (say("first dimension"), say("second dimension"))
    ends = [_span(places[nodes, axis]) for axis in (0, 1)]
    layout = f.layout(
        *names,
        xaxis={**hidden, "range": ends[0]},
        yaxis={**hidden, "range": ends[1]},
        hovermode="closest",
        margin={"l": 8, "r": 8, "t": 8, "b": 8} if network else {"l": 30},
    )
    labels = {
        "": "",
        "_1": say("in the colours of the source blocks"),
        "_2": say("in the colours of the target blocks"),
    }
    alone = len(blocks.partitions) == 1
    return f.Panel(
        traces,
        layout,
        _alt(blocks, partition, nodes, edges, network=network),
        label=labels[partition.suffix],
        height=560 if alone else 420,
    )


def _span(values: Floats) -> list[float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low or 1.0)
    return [low - margin, high + margin]


def _lines(blocks: Blocks, partition: Partition, places: Floats, edges: Integers, side: int) -> list[dict[str, Any]]:
    """Return edges: one trace for each block that they come from, or lead to; one for all without direction."""
    if blocks.edges is None or not edges.size:
        return []
    source, target = blocks.edges.source[edges], blocks.edges.target[edges]
    gap = np.full((edges.size, 2), np.nan)
    lines = np.stack([places[source], places[target], gap], axis=1)
    if not blocks.card.directed:
        return [_line(lines, f.MUTED, say("edges"), edges.size)]
    block = partition.block[target if side else source]
    template = mark("edges to {block}") if side else mark("edges from {block}")
    return [
        _line(lines[block == k], colour_of(k), say(template, block=partition.name(k)), edges.size)
        for k in np.unique(block).tolist()
    ]


def _line(lines: Floats, colour: str, name: str, total: int) -> dict[str, Any]:
    x, y = lines.reshape(-1, 2)[:-1].T
    opacity = 0.5 if total <= 300 else 0.3 if total <= 1000 else 0.18
    return f.line(x, y, colour, 1 if total <= 300 else 0.7, connectgaps=False, opacity=opacity, name=name)


def _dots(blocks: Blocks, partition: Partition, places: Floats, mine: Integers, block: int) -> dict[str, Any]:
    x, y = places[mine].T
    certainty = np.nan_to_num(partition.certainty[mine], nan=1.0)
    shades = (
        np.ones(mine.size)
        if blocks.is_point
        else np.round(_SHADES * opacities(certainty, partition.n_blocks)) / _SHADES
    )
    return {
        "type": "scatter",
        "mode": "markers",
        "name": partition.name(block),
        "x": x,
        "y": y,
        "marker": {
            "color": colour_of(block),
            "symbol": symbol_of(block),
            "size": _sizes(blocks, mine),
            "opacity": np.maximum(shades, 1 / _SHADES),
            "line": {"width": 0.5, "color": "var(--paper)"},
        },
        "text": [_told(blocks, partition, int(node)) for node in mine],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _sizes(blocks: Blocks, mine: Integers) -> Floats:
    """Return the dots' diameters: their areas grow with the nodes' degrees."""
    n = min(blocks.card.n_nodes, MAX_NODES)
    low, high = (5.0, 15.0) if n <= FEW_NODES else (4.0, 10.0) if n <= 1000 else (3.0, 7.0)
    if blocks.degrees is None:
        return np.full(mine.size, (low + high) / 2)
    total = blocks.degrees[0] + blocks.degrees[1]
    share = np.sqrt(total[mine] / max(float(np.quantile(total, 0.99)), 1e-9))
    sizes: Floats = low + (high - low) * np.round(_SHADES * np.clip(share, 0, 1)) / _SHADES
    return sizes


def _told(blocks: Blocks, partition: Partition, node: int) -> str:
    lines = [f.plot_text(str(blocks.names[node]))]
    name, certainty = partition.name(int(partition.block[node])), float(partition.certainty[node])
    certain = np.isfinite(certainty) and not blocks.is_point
    lines.append(say("{what}: {share}", what=name, share=percent(certainty)) if certain else name)
    if blocks.labels is not None and blocks.labels[node]:
        lines.append(say("known as {group}", group=f.plot_text(str(blocks.labels[node]))))
    return "<br>".join(lines)


def _key(blocks: Blocks) -> tuple[tuple[str, str], ...]:
    if len(blocks.partitions) == 1:
        held = blocks.sources.held
        shown = blocks.sources.holding[:MAX_KEY]
        return tuple((colour_name(k), _sized(blocks.sources.name(k), int(held[k]))) for k in shown)
    used = sorted({k for partition in blocks.partitions for k in partition.holding})[:MAX_KEY]
    return tuple((colour_name(k), say("block {n}", n=k + 1)) for k in used)


def _sized(name: str, n_nodes: int) -> str:
    return say_count(n_nodes, "{block}: {n} node", "{block}: {n} nodes", block=name)


def _thinned(blocks: Blocks, nodes: Integers, edges: Integers, *, every: bool) -> str:
    """Say what is not drawn; ``every``: all nodes with an edge are."""
    n_edges, left = blocks.edges.n_edges if blocks.edges is not None else 0, blocks.card.n_nodes - nodes.size
    if every or not left:
        few = say("Drawn: {n} of {total} edges, chosen at random.", n=f"{edges.size:,}", total=f"{n_edges:,}")
        alone = say_count(left, "{n} node without edges is not drawn.", "{n} nodes without edges are not drawn.")
        return joined([few if edges.size < n_edges else "", alone if left else ""])
    return say(
        "Drawn: {nodes} of {all_nodes} nodes and {edges} of {all_edges} edges, chosen at random; nodes with many "
        "edges are drawn more often.",
        nodes=f"{nodes.size:,}",
        all_nodes=f"{blocks.card.n_nodes:,}",
        edges=f"{edges.size:,}",
        all_edges=f"{n_edges:,}",
    )


def _repeated(blocks: Blocks) -> str:
    if max(partition.n_blocks for partition in blocks.partitions) <= N_COLOURS:
        return ""
    return say("Colours repeat after {n} blocks, with another symbol.", n=N_COLOURS)


def _alt(blocks: Blocks, partition: Partition, nodes: Integers, edges: Integers, *, network: bool) -> str:
    sure = float(np.mean(partition.certainty > CERTAIN)) if not blocks.is_point else float("nan")
    template = mark(
        "{n} nodes in two dimensions of the graph's spectrum, with {edges} edges, in the colours of {count} {blocks}."
    )
    if network:
        template = mark("Picture of {n} nodes and {edges} edges, in the colours of {count} {blocks}.")
    told = say(
        template,
        n=f"{nodes.size:,}",
        edges=f"{edges.size:,}",
        count=len(partition.holding),
        blocks=partition.plural,
    )
    if not np.isfinite(sure):
        return told
    return joined([told, say("{share} of the nodes are certain of theirs.", share=percent(sure))])
