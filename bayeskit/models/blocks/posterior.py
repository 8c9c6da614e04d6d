"""What is made of a block model's draws: blocks under common labels, what needs no labels, and what figures show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayeskit.models.blocks.draws import (
    counts_of_draws,
    expected_weights,
    log_likelihoods,
    log_marginals,
    totals_of_draws,
)
from bayeskit.models.blocks.relabelling import assignment_counts, common_labels, permuted, relabelled

if TYPE_CHECKING:
    from bayeskit.models.sbm import SBM

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]
Groups = dict[str, dict[str, NDArray[Any]]]

N_PAIRS = 12  # of nodes, whose co-assignment is followed draw by draw
MOST_SHOWN = 300  # nodes in the co-assignment matrix
MOST_EDGES = 20_000  # kept for figures
MOST_LAID_OUT = 1000  # nodes
_MOST_MATRICES = 500  # draws that the co-assignment matrix is the mean of
_MOST_KEPT = 20_000_000  # assignments, over all draws
_MOST_REPLICATIONS = 100
_MOST_SIMULATED = 10_000_000  # edges of all replications together
_LEAST_REPLICATIONS = 20


def block_groups(model: SBM, values: Arrays) -> Groups:
    """Sort an engine's draws into the posterior's groups.

    Parameters
    ----------
    model
        With the graph that was fitted.
    values
        ``n_chains x n_draws x ...`` by site, labels as they came.

    Returns
    -------
    dict
        ``posterior``: shares and rates under common labels, and what does not depend on labels; ``assignments``: of
        each node, from 1, by draw (thinned where there are many); ``posterior_predictive``: statistics of graphs drawn
        anew; ``derived``, ``graph`` and ``selection``, which have neither chains nor draws.
    """
    spec = model.spec
    shape = values["theta"].shape[:2]
    flat = {name: np.asarray(value).reshape(-1, *value.shape[2:]) for name, value in values.items()}
    weights, exposures = totals_of_draws(spec, model.pairs, flat)
    likelihoods = log_likelihoods(spec, model.pairs, flat["theta"], weights, exposures)
    densities = log_marginals(spec, model.pairs, flat, weights, exposures)
    pivot = int(np.argmax(densities))
    labels = {site: common_labels(flat[site], size, pivot) for site, size in spec.partitions.items()}
    ordered = _ordered(model, flat, labels)
    posterior = {name: ordered[name] for name in spec.shapes}
    posterior |= {"log_likelihood_total": likelihoods, "log_density": densities}
    derived: dict[str, NDArray[Any]] = {}
    for site, size in spec.partitions.items():
        suffix = site[1:]
        posterior |= {f"{name}{suffix}": found for name, found in _label_free(model, flat[site], size).items()}
        derived |= {f"{name}{suffix}": found for name, found in _of_nodes(model, flat[site], labels[site]).items()}
    if model.held_out is not None:
        rows, columns = model.held_out.rows, model.held_out.columns
        derived["held_out_probability"] = _mean_expected(model, flat, rows, columns)
        derived["held_out_weight"] = model.held_out.weights
    groups: Groups = {"posterior": {name: found.reshape(*shape, *found.shape[1:]) for name, found in posterior.items()}}
    groups["assignments"] = _kept(model, ordered, shape)
    replicated = _replicated(model, flat, shape)
    if replicated is not None:
        groups["posterior_predictive"] = {"graph_statistic": replicated}
    groups |= {"derived": derived, "graph": graph_group(model)}
    if model.selection:
        groups["selection"] = {name: np.asarray(column) for name, column in model.selection.items()}
    return groups


def block_coords(model: SBM) -> dict[str, NDArray[Any]]:
    """Return the coordinates of the posterior's dimensions; nodes are called by their names."""
    names = np.asarray(model.data.nodes)
    pairs = pairs_of_nodes(model.pairs.n_nodes)
    return {
        "source_block": np.arange(1, model.spec.n_source_blocks + 1),
        "target_block": np.arange(1, model.spec.n_target_blocks + 1),
        "node": names,
        "pair_of_nodes": np.array([f"{names[one]}:{names[other]}" for one, other in pairs], dtype=str),
        "statistic": np.array(model.statistics, dtype=str),
    }


def block_dims(model: SBM) -> dict[str, list[str]]:
    """Return the dimensions of each variable, but for chain and draw.

    Where a name stands in several groups, ``group/name`` tells what it has in that one.
    """
    found = {"theta": ["source_block", "target_block"], "graph_statistic": ["statistic"]}
    for site in model.spec.partitions:
        suffix, block = site[1:], "target_block" if site == "z_2" else "source_block"
        found |= {
            f"pi{suffix}": [block],
            f"co_assignment{suffix}": ["pair_of_nodes"],
            f"probability{suffix}": ["node", block],
            **{f"{name}{suffix}": ["node"] for name in ("block", "runner_up", "certainty")},
            f"shown_node{suffix}": ["shown"],
            f"co_assignment_matrix{suffix}": ["shown", "shown_across"],
            f"assignments/{site}": ["chain", "draw", "node"],
        }
    others = {
        ("held_out_probability", "held_out_weight"): "pair",
        ("graph/edge_source", "graph/edge_target", "graph/edge_weight"): "edge",
        ("graph/label", "graph/out_degree", "graph/in_degree", "graph/out_exposure", "graph/in_exposure"): "node",
        ("history/elbo", "history/iteration", "history/step"): "step",
        tuple(f"selection/{name}" for name in model.selection): "candidate",
    }
    found |= {name: [dim] for names, dim in others.items() for name in names}
    found |= {f"graph/{name}_position": ["node", "axis"] for name in ("spectral", "layout")}
    return found


def pairs_of_nodes(n_nodes: int) -> NDArray[np.int64]:
    """Return some pairs of nodes, ``n_pairs x 2``, that share none as far as there are nodes."""
    order = np.random.default_rng(3).permutation(n_nodes)
    n_pairs = min(N_PAIRS, n_nodes // 2)
    return np.asarray(order[: 2 * n_pairs].reshape(2, n_pairs).T, dtype=np.int64)


def _ordered(model: SBM, flat: Arrays, labels: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[Any]]:
    found = dict(flat)
    each = list(labels.values())
    found["theta"] = permuted(permuted(flat["theta"], each[0], axis=1), each[-1], axis=2)
    for site, names in labels.items():
        found[site] = relabelled(flat[site], names)
        found[f"pi{site[1:]}"] = permuted(flat[f"pi{site[1:]}"], names, axis=1)
    return found


def _label_free(model: SBM, assignments: NDArray[Any], n_blocks: int) -> dict[str, NDArray[Any]]:
    counts = counts_of_draws(assignments, n_blocks)
    shares = counts / model.pairs.n_nodes
    pairs = pairs_of_nodes(model.pairs.n_nodes)
    return {
        "n_occupied": (counts > 0).sum(axis=1).astype(float),
        "entropy": -np.sum(shares * np.log(np.where(shares > 0, shares, 1.0)), axis=1),
        "co_assignment": (assignments[:, pairs[:, 0]] == assignments[:, pairs[:, 1]]).astype(float),
    }


def _of_nodes(model: SBM, assignments: NDArray[Any], labels: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    n_draws, n_blocks = labels.shape
    probability = assignment_counts(assignments, labels) / n_draws
    order = np.argsort(-probability, axis=1, kind="stable")
    block, places = order[:, 0], np.arange(len(order))
    runner_up = np.zeros(len(order), dtype=np.int64)
    if n_blocks > 1:
        runner_up = np.where(probability[places, order[:, 1]] > 0, order[:, 1] + 1, 0)
    certainty = probability[places, block]
    shown = np.random.default_rng(4).permutation(model.pairs.n_nodes)[:MOST_SHOWN]
    shown = shown[np.lexsort((shown, -certainty[shown], block[shown]))]
    some = assignments[:: -(-n_draws // _MOST_MATRICES)][:, shown]
    together = np.zeros((shown.size, shown.size))
    for draw in some:
        together += draw[:, None] == draw
    return {
        "probability": probability,
        "block": block + 1,
        "runner_up": runner_up,
        "certainty": certainty,
        "shown_node": shown,
        "co_assignment_matrix": together / len(some),
    }


def _mean_expected(model: SBM, flat: Arrays, rows: NDArray[Any], columns: NDArray[Any]) -> Floats:
    """Return the mean over the draws of what pairs are expected to have, in batches of pairs."""
    size = max(1, _MOST_SIMULATED // len(flat["theta"]))
    parts = [
        expected_weights(model.spec, model.pairs, flat, rows[at : at + size], columns[at : at + size]).mean(axis=0)
        for at in range(0, rows.size, size)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _kept(model: SBM, ordered: Arrays, shape: tuple[int, int]) -> dict[str, NDArray[Any]]:
    step = max(1, -(-shape[0] * shape[1] * model.pairs.n_nodes * len(model.spec.partitions) // _MOST_KEPT))
    kept = {site: ordered[site].reshape(*shape, -1)[:, ::step] + 1 for site in model.spec.partitions}
    return kept | {"every": np.array(step)}


def _replicated(model: SBM, flat: Arrays, shape: tuple[int, int]) -> Floats | None:
    """Return statistics of graphs from evenly spaced draws, ``n_chains x n x n_statistics``; None if too large."""
    from bayeskit.models.blocks.simulation import simulate_pairs
    from bayeskit.models.blocks.statistics import graph_statistics

    most = min(_MOST_REPLICATIONS, int(_MOST_SIMULATED // max(1.0, float(model.pairs.weights.nnz))))
    each = min(most // shape[0], shape[1])
    if not model.statistics or each * shape[0] < min(_LEAST_REPLICATIONS, shape[0] * shape[1]):
        return None
    kept = np.arange(0, shape[1], -(-shape[1] // each)) + shape[1] * np.arange(shape[0])[:, None]
    rng = np.random.default_rng(5)
    found = np.empty((*kept.shape, len(model.statistics)))
    for place in np.ndindex(kept.shape):
        truth = {name: value[kept[place]] for name, value in flat.items()}
        told = graph_statistics(simulate_pairs(model.spec, model.pairs, truth, rng), model.statistics)
        found[place] = [told[name] for name in model.statistics]
    return found


def graph_group(model: SBM) -> dict[str, NDArray[Any]]:
    """Return what figures show of the graph itself; of many edges some, drawn at random."""
    from bayeskit.models.blocks.spectral import spectral_positions

    found = model.data.weights.tocoo()
    rows, columns = found.coords
    kept = np.arange(rows.size) if model.data.directed else np.flatnonzero(rows <= columns)
    n_edges = kept.size
    if n_edges > MOST_EDGES:
        kept = np.sort(np.random.default_rng(6).permutation(kept)[:MOST_EDGES])
    group: dict[str, NDArray[Any]] = {
        "edge_source": rows[kept],
        "edge_target": columns[kept],
        "edge_weight": found.data[kept],
        "n_edges": np.array(n_edges),
        "out_degree": np.asarray(model.data.weights.sum(axis=1)).ravel(),
        "in_degree": np.asarray(model.data.weights.sum(axis=0)).ravel(),
        "out_exposure": model.pairs.out_exposure,
        "in_exposure": model.pairs.in_exposure,
        "spectral_position": spectral_positions(model.pairs),
    }
    if model.data.labels is not None:
        group["label"] = np.asarray(model.data.labels)
    if model.pairs.n_nodes <= MOST_LAID_OUT:
        group["layout_position"] = _layout(model.data.weights)
    return group


def _layout(weights: sparse.csr_array) -> Floats:
    """Return places of the nodes by springs along the edges.

    Fruchterman and Reingold (1991), doi:10.1002/spe.4380211102; but a spring is the weaker, the more its nodes have,
    as those with the most would draw everything into one spot.
    """
    import networkx

    both = sparse.csr_array((weights + weights.T) > 0).astype(float)
    few = sparse.diags_array(1 / np.sqrt(np.maximum(both.sum(axis=1), 1.0)))
    springs = sparse.csr_array(few @ both @ few)
    springs *= both.sum() / max(float(springs.sum()), np.finfo(float).tiny)
    places = networkx.spring_layout(networkx.from_scipy_sparse_array(springs), seed=1, method="force")
    return np.stack([places[node] for node in range(both.shape[0])])
