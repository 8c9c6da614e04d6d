"""What predictive checks look at: numbers that tell of a graph's density, degrees, reciprocity and triangles."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy import sparse

from bayeskit.core.language import mark
from bayeskit.models.blocks.pairs import Pairs

TOTAL = mark("total weight")
SPREAD_OUT, SPREAD_IN, SPREAD = mark("sd of out-degrees"), mark("sd of in-degrees"), mark("sd of degrees")
RECIPROCITY = mark("reciprocity")
TRANSITIVITY = mark("transitivity")
WITHOUT_EDGES = mark("nodes without edges")

_MOST_DENSE = 2000  # nodes
_MOST_PATHS = 50_000_000  # of two edges, which are looked at for triangles one by one


def graph_statistics(pairs: Pairs, names: Collection[str] = ()) -> dict[str, float]:
    """Return statistics of a graph; pairs that are not observed have no edge.

    Parameters
    ----------
    pairs
        The graph.
    names
        Those wanted; all unless given, but for the transitivity of a graph with so many paths that it would take long.

    Returns
    -------
    dict
        By name: the sum of all weights; standard deviations of the nodes' weighted degrees; directed, the share of
        edges whose reverse is there, too; the share of paths of two edges whose ends are joined, edges without
        direction; and the number of nodes without edges. Edges of a node with itself count in the first two only.
        Shares of nothing are 0.
    """
    weights = pairs.weights
    out, into = np.asarray(weights.sum(axis=1)).ravel(), np.asarray(weights.sum(axis=0)).ravel()
    there = _without_loops(weights)
    joined = sparse.csr_array((there + there.T) > 0).astype(np.float32)
    degrees = np.asarray(joined.sum(axis=1), dtype=float).ravel()
    if pairs.directed:
        found = {TOTAL: float(weights.sum()), SPREAD_OUT: float(out.std()), SPREAD_IN: float(into.std())}
        found[RECIPROCITY] = float(there.multiply(there.T).sum()) / max(there.nnz, 1)
    else:
        found = {TOTAL: float(weights.sum() + weights.diagonal().sum()) / 2, SPREAD: float(out.std())}
    few = pairs.n_nodes <= _MOST_DENSE or float(np.sum(degrees**2)) <= _MOST_PATHS
    if TRANSITIVITY in names or (not names and few):
        found[TRANSITIVITY] = _closed(joined) / max(float(np.sum(degrees * (degrees - 1))), 1.0)
    found[WITHOUT_EDGES] = float(np.sum(degrees == 0))
    return {name: value for name, value in found.items() if not names or name in names}


def _closed(joined: sparse.csr_array) -> float:
    """Return the number of paths of two edges whose ends are joined, in both directions."""
    if joined.shape[0] <= _MOST_DENSE:
        matrix = joined.toarray()
        return float(np.sum((matrix @ matrix) * matrix, dtype=float))
    return float((joined @ joined).multiply(joined).sum(dtype=float))


def _without_loops(weights: sparse.csr_array) -> sparse.csr_array:
    found = weights.tocoo()
    rows, columns = found.coords
    kept = rows != columns
    return sparse.csr_array((np.ones(int(kept.sum())), (rows[kept], columns[kept])), shape=weights.shape)
