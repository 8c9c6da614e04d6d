"""The pairs of nodes that a block model's likelihood is a product over: their weights, and how much each counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Weights and exposures of all pairs of nodes, sparse.

    Parameters
    ----------
    weights
        ``n x n``, canonical CSR without explicit zeros: x[i, j], 0 or 1 for Bernoulli, counts for Poisson. Undirected:
        symmetric, each pair's weight in both triangles, a self-loop's once on the diagonal. 0 where unobserved.
    unobserved
        ``n x n``, canonical CSR of ones: pairs that say nothing, none on the diagonal. Undirected: symmetric.
    self_pairs
        Whether the pairs of a node with itself are observed.
    out_exposure, in_exposure
        ``n`` each; an observed pair's exposure is ``m[i, j] = out_exposure[i] * in_exposure[j]``. Ones unless corrected
        for degrees. Undirected: equal.
    directed
        If not, only pairs ``i <= j`` count, each once.
    """

    weights: sparse.csr_array
    unobserved: sparse.csr_array
    self_pairs: bool
    out_exposure: Floats
    in_exposure: Floats
    directed: bool

    @property
    def n_nodes(self) -> int:
        """N."""
        return int(self.weights.shape[0])

    @property
    def total(self) -> tuple[float, float]:
        """Sum of all weights, and of all exposures."""
        one = np.zeros(self.n_nodes, dtype=np.int64)
        weights, exposures = block_totals(self, one, one, 1, 1)
        return float(weights[0, 0]), float(exposures[0, 0])


def block_totals(
    pairs: Pairs, z_1: Integers, z_2: Integers, n_source_blocks: int, n_target_blocks: int
) -> tuple[Floats, Floats]:
    """Return the sums of weights and of exposures over the pairs of each two blocks.

    Parameters
    ----------
    pairs
        The graph.
    z_1, z_2
        ``n`` each, the blocks of sources and of targets from 0; the same where one partition is shared.
    n_source_blocks, n_target_blocks
        K and L.

    Returns
    -------
    array, array
        ``K x L`` each. Undirected: symmetric, entry ``[k, l]`` the sum over the pairs between k and l, ``[k, k]`` over
        those within k, each counted once: totals are sums over ``k <= l``.
    """
    first, second = _indicators(z_1, n_source_blocks), _indicators(z_2, n_target_blocks)
    diagonal = pairs.weights.diagonal()
    own = pairs.out_exposure * pairs.in_exposure
    weights = np.asarray((first.T @ pairs.weights @ second).todense(), dtype=float)
    lost = sparse.diags_array(pairs.out_exposure) @ pairs.unobserved @ sparse.diags_array(pairs.in_exposure)
    exposures = np.outer(first.T @ pairs.out_exposure, second.T @ pairs.in_exposure)
    exposures -= np.asarray((first.T @ lost @ second).todense(), dtype=float)
    if pairs.directed:
        if not pairs.self_pairs:
            np.subtract.at(exposures, (z_1, z_2), own)
        return weights, exposures
    places = np.arange(n_source_blocks)
    loops = np.bincount(z_1, diagonal, n_source_blocks)
    selves = np.bincount(z_1, own, n_source_blocks)
    weights[places, places] = (weights[places, places] - loops) / 2 + loops
    exposures[places, places] = (exposures[places, places] - selves) / 2 + (selves if pairs.self_pairs else 0.0)
    return weights, exposures


def _indicators(z: Integers, n_blocks: int) -> sparse.csr_array:
    n_nodes = len(z)
    return sparse.csr_array((np.ones(n_nodes), np.asarray(z), np.arange(n_nodes + 1)), shape=(n_nodes, n_blocks))
