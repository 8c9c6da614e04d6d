"""Partitions into more blocks than there are, for a search to start from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayeskit.models.blocks.pairs import Pairs

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int32]

_VECTORS = 32
_ROUNDS = 15  # of two products with the matrix each
_SAMPLED = 20  # rows for every cluster, among which the first centres are
_MEANS = 10
_ROWS = 20_000  # at once


def singletons(pairs: Pairs, n_partitions: int) -> list[Integers]:
    """Return partitions in which each node is a block of its own."""
    return [np.arange(pairs.n_nodes, dtype=np.int32) for _ in range(n_partitions)]


def at_random(pairs: Pairs, n_partitions: int, n_blocks: int, rng: np.random.Generator) -> list[Integers]:
    """Return partitions that say nothing."""
    return [rng.integers(n_blocks, size=pairs.n_nodes, dtype=np.int32) for _ in range(n_partitions)]


def over_split(pairs: Pairs, n_partitions: int, n_blocks: int, rng: np.random.Generator) -> list[Integers]:
    """Return partitions by more clusters of nodes' positions than there are blocks.

    The positions are rows of leading eigenvectors of the symmetrised graph, or of singular vectors where there are two
    partitions, of the adjacency matrix divided by roots of degrees, to which their mean is added: Qin and Rohe (2013),
    https://papers.nips.cc/paper/5099-regularized-spectral-clustering-under-the-degree-corrected-stochastic-blockmodel;
    by subspace iteration from random vectors, Halko, Martinsson and Tropp (2011), doi:10.1137/090771806. Nothing here
    is exact, as nothing has to be: the search moves every node.

    Parameters
    ----------
    pairs
        The graph.
    n_partitions
        1 if shared, else 2.
    n_blocks
        Clusters of each partition.
    rng
        Source of randomness.

    Returns
    -------
    list
        Of ``n`` blocks from 0 each, by partition.
    """
    weights: sparse.csr_array = pairs.weights.astype(np.float32)
    if n_partitions == 1 and pairs.directed:
        weights = sparse.csr_array(weights + weights.T)
    rows, columns = (_regular(weights.sum(axis=axis)) for axis in (1, 0))
    scaled = sparse.csr_array(sparse.diags_array(rows) @ weights @ sparse.diags_array(columns))
    scaled.indices, scaled.indptr = scaled.indices.astype(np.int32), scaled.indptr.astype(np.int32)
    back = scaled if n_partitions == 1 else sparse.csr_array(scaled.T)
    basis = rng.standard_normal((pairs.n_nodes, min(_VECTORS, pairs.n_nodes))).astype(np.float32)
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(back @ (scaled @ basis))[0]
    left = scaled @ basis
    positions = [left * rows[:, np.newaxis]]
    if n_partitions == 2:
        positions.append((back @ left) * columns[:, np.newaxis])
    return [_clusters(places, n_blocks, rng) for places in positions]


def _regular(degrees: Any) -> Floats:
    raised = np.asarray(degrees, dtype=np.float32).ravel()
    return np.asarray(1 / np.sqrt(raised + max(raised.mean(), np.float32(1e-6))))


def _clusters(rows: Floats, n_clusters: int, rng: np.random.Generator) -> Integers:
    """Return clusters by a few rounds of k-means, from k-means++ of a sample."""
    sample = rows[rng.choice(len(rows), min(len(rows), _SAMPLED * n_clusters), replace=False)]
    centres = sample[rng.integers(len(sample))][np.newaxis]
    distances = np.square(sample - centres).sum(axis=1, dtype=float)
    while len(centres) < n_clusters and distances.sum() > 0:
        centre = sample[rng.choice(len(sample), p=distances / distances.sum())]
        centres = np.vstack([centres, centre])
        distances = np.minimum(distances, np.square(sample - centre).sum(axis=1))
    for _ in range(_MEANS):
        nearest = _nearest(rows, centres)
        _, nearest, sizes = np.unique(nearest, return_inverse=True, return_counts=True)
        members = sparse.csr_array((np.ones(len(rows), np.float32), nearest, np.arange(len(rows) + 1)))
        centres = (members.T @ rows) / sizes[:, np.newaxis]
    return np.asarray(nearest, dtype=np.int32)


def _nearest(rows: Floats, centres: Floats) -> NDArray[np.int64]:
    parts = np.array_split(rows, -(-len(rows) // _ROWS))
    lengths = np.square(centres).sum(axis=1)
    return np.concatenate([np.argmin(lengths - 2 * (part @ centres.T), axis=1) for part in parts])
