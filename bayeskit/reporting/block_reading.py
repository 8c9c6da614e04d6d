"""What a block model's run holds, read from the posterior's tree; what is damaged or missing is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.types import BlockCard, Fit
from bayeskit.reporting.block_view import Blocks, Edges, Partition
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]

MAX_DRAWS = 4000  # that are read
_MAX_COUNTED = 400  # draws whose assignments are counted


def read_blocks(fit: Fit) -> Blocks | None:
    """Return what a block model's run holds, or None where it is none or holds too little to show."""
    card, derived = fit.provenance.card.blocks, group(fit, "derived")
    if card is None or not fit.has_draws or derived is None:
        return None
    draws = _draws(fit, card)
    if draws is None:
        return None
    partitions = [_partition(fit, derived, name, shares) for name, shares in draws.items() if name != "theta"]
    whole = [one for one in partitions if one is not None and one.block.size == card.n_nodes]
    if len(whole) != len(partitions) or not whole:
        return None
    graph = group(fit, "graph")
    edges = _edges(graph, card)
    return Blocks(
        card=card,
        kind=fit.provenance.kind,
        names=_names(derived, card.n_nodes),
        partitions=tuple(whole),
        rates=draws["theta"],
        edges=edges,
        labels=_labels(graph, card.n_nodes),
        spectral=_positions(graph, "spectral_position", card.n_nodes),
        layout=_positions(graph, "layout_position", card.n_nodes),
        degrees=read_degrees(fit),
        totals=_totals(derived, card),
    )


def _draws(fit: Fit, card: BlockCard) -> dict[str, Floats] | None:
    """Return shares and rates of some draws that are numbers throughout."""
    posterior = fit.posterior["posterior"].to_dataset()
    sizes = (
        {"pi": card.n_source_blocks} if card.shared else {"pi_1": card.n_source_blocks, "pi_2": card.n_target_blocks}
    )
    shapes = {name: (size,) for name, size in sizes.items()} | {"theta": (card.n_source_blocks, card.n_target_blocks)}
    if not shapes.keys() <= set(posterior.data_vars):
        return None
    step = max(1, -(-posterior.sizes["chain"] * posterior.sizes["draw"] // MAX_DRAWS))
    thin = posterior.isel(draw=slice(None, None, step))
    found = {name: _stacked(thin[name]) for name in shapes}
    if any(values.shape[1:] != shapes[name] for name, values in found.items()):
        return None
    finite = np.all([np.isfinite(values.reshape(len(values), -1)).all(1) for values in found.values()], axis=0)
    return {name: values[finite] for name, values in found.items()} if finite.any() else None


def _stacked(array: xr.DataArray) -> Floats:
    values = array.transpose("chain", "draw", ...).to_numpy().astype(float)
    stacked: Floats = values.reshape(-1, *values.shape[2:])
    return stacked


def _partition(fit: Fit, derived: xr.Dataset, name: str, shares: Floats) -> Partition | None:
    suffix, n_blocks = name.removeprefix("pi"), shares.shape[1]
    if f"block{suffix}" not in derived:
        return None
    block = derived[f"block{suffix}"].to_numpy().astype(np.int64).ravel() - 1
    if not block.size or block.min() < 0 or block.max() >= n_blocks:
        return None
    n, nothing = block.size, np.full(block.size, np.nan)
    probability = _column(derived, f"probability{suffix}", (n, n_blocks))
    certainty = _column(derived, f"certainty{suffix}", (n,))
    if certainty is None:
        certainty = nothing if probability is None else probability[np.arange(n), block]
    runner_up = _column(derived, f"runner_up{suffix}", (n,))
    second = np.full(n, -1) if runner_up is None else np.nan_to_num(runner_up).astype(np.int64) - 1
    second = np.where((second >= 0) & (second < n_blocks), second, -1)
    chance = nothing if probability is None else np.where(second >= 0, probability[np.arange(n), second], np.nan)
    sizes = _sizes(fit, f"z{suffix}", n_blocks)
    return Partition(suffix, shares, block, certainty, second, chance, probability, sizes)


def _sizes(fit: Fit, site: str, n_blocks: int) -> Floats | None:
    """Return how many nodes each block held in some draws; nothing of a point, or where assignments were not kept."""
    kept = group(fit, "assignments")
    if kept is None or site not in kept or fit.provenance.kind == "point":
        return None
    array = kept[site]
    step = max(1, -(-array.sizes["chain"] * array.sizes["draw"] // _MAX_COUNTED))
    draws = _stacked(array.isel(draw=slice(None, None, step))).astype(np.int64)
    if not draws.size or draws.min() < 1 or draws.max() > n_blocks:
        return None
    return np.stack([np.bincount(draw - 1, minlength=n_blocks) for draw in draws]).astype(float)


def _column(data: xr.Dataset | None, name: str, shape: tuple[int, ...]) -> Floats | None:
    if data is None or name not in data or data[name].shape != shape or data[name].dtype.kind not in "biuf":
        return None
    return np.asarray(data[name].to_numpy(), dtype=float)


def _names(derived: xr.Dataset, n_nodes: int) -> NDArray[Any]:
    coordinate = derived.coords.get("node")
    if coordinate is None or coordinate.size != n_nodes:
        return np.arange(1, n_nodes + 1).astype(str)
    return np.asarray(coordinate.to_numpy()).astype(str)


def _edges(graph: xr.Dataset | None, card: BlockCard) -> Edges | None:
    if graph is None or not {"edge_source", "edge_target"} <= set(graph.data_vars):
        return None
    source, target = (graph[name].to_numpy().astype(np.int64).ravel() for name in ("edge_source", "edge_target"))
    weight = np.ones(source.size)
    if "edge_weight" in graph and card.likelihood == "poisson":  # else the model knows only whether there is an edge
        weight = graph["edge_weight"].to_numpy().astype(float).ravel()
    ends = np.concatenate([source, target])
    if not source.size == target.size == weight.size or (
        ends.size and not 0 <= ends.min() <= ends.max() < card.n_nodes
    ):
        return None
    told = graph["n_edges"] if "n_edges" in graph else graph.attrs.get("n_edges", source.size)
    return Edges(source, target, weight, max(int(np.asarray(told)), source.size))


def _labels(graph: xr.Dataset | None, n_nodes: int) -> NDArray[Any] | None:
    if graph is None or "label" not in graph or graph["label"].size != n_nodes:
        return None
    labels = np.asarray(graph["label"].to_numpy()).astype(str)
    return labels if (labels != "").any() else None


def _positions(graph: xr.Dataset | None, name: str, n_nodes: int) -> Floats | None:
    if graph is None or name not in graph or graph[name].ndim != 2:
        return None
    places = graph[name].to_numpy().astype(float)
    if places.shape[0] != n_nodes or places.shape[1] < 2 or not np.isfinite(places[:, :2]).all():
        return None
    return places[:, :2]


def read_degrees(fit: Fit) -> tuple[Floats, Floats] | None:
    """Return the weight out of and into each node; of a graph without direction twice the same."""
    card, graph = fit.provenance.card.blocks, group(fit, "graph")
    if card is None:
        return None
    edges = _edges(graph, card)
    if edges is not None and edges.complete:
        out, into = (
            np.bincount(ends, edges.weight, card.n_nodes).astype(float) for ends in (edges.source, edges.target)
        )
        loops = np.where(edges.source == edges.target, edges.weight, 0.0)
        both = out + into - np.bincount(edges.source, loops, card.n_nodes)
        return (out, into) if card.directed else (both, both)
    out_degree, in_degree = (_column(graph, f"{way}_degree", (card.n_nodes,)) for way in ("out", "in"))
    if out_degree is None:
        return None
    return out_degree, out_degree if in_degree is None else in_degree


def _totals(derived: xr.Dataset, card: BlockCard) -> tuple[Floats | None, Floats | None]:
    shape = (card.n_source_blocks, card.n_target_blocks)
    return _column(derived, "block_weight", shape), _column(derived, "block_pairs", shape)
