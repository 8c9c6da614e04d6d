"""Spectral clustering of a graph's nodes: a baseline for block models, and partitions for other engines to start from.

Nodes have positions by eigenvectors of a matrix of the graph, and k-means finds clusters of these. Where one partition
is shared the graph is the symmetrised one. Where sources and targets have partitions of their own it is the bipartite
graph of both, whose eigenvectors are the singular vectors of the adjacency matrix: Dhillon (2001),
doi:10.1145/502512.502550; Rohe, Qin and Yu (2016), doi:10.1073/pnas.1525793113. Pairs that are not observed count as
pairs without an edge here.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.models.blocks._spectral_vectors import (
    Laplacian,
    bipartite,
    laplacian_embedding,
    on_sphere,
    regularised_embedding,
    regularised_singular_vectors,
    symmetrised,
)
from bayeskit.models.blocks.likelihood import totals
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_EMBEDDED_AT = 7  # a seed: all starts have the same vectors
_N_WAYS = 5  # of finding a start


class BlockSpectral:
    """A block model and its graph, as ``fit_spectral`` takes them.

    Parameters
    ----------
    spec
        The model; concentrations fixed.
    pairs
        The graph.

    Raises
    ------
    ConfigError
        If concentrations are to be estimated.
    """

    def __init__(self, spec: BlockSpec, pairs: Pairs) -> None:
        if spec.hyperparameters:
            raise ConfigError(
                f"spectral clustering estimates no concentrations, and {', '.join(spec.hyperparameters)} has a prior; "
                "take engine gibbs or svi, or leave that prior out"
            )
        self.spec, self.pairs = spec, pairs

    def clusters(self, laplacian: Laplacian, restarts: int, seed: int) -> dict[str, Integers]:
        """Return partitions by site, ``n`` blocks from 0 each.

        Parameters
        ----------
        laplacian
            Of the symmetrised graph, or of the bipartite one.
        restarts
            Of k-means.
        seed
            Of the iteration for eigenvectors, and of k-means.

        Notes
        -----
        A node without edges says nothing, and goes to the largest block.
        """
        graph = symmetrised(self.pairs) if self.spec.shared else bipartite(self.pairs)
        linked = np.diff(graph.indptr) > 0
        n_vectors = min(self.spec.partitions.values())
        places = np.zeros((len(linked), n_vectors))
        if linked.any():
            inner = graph[linked][:, linked]
            found = laplacian_embedding(inner, n_vectors, laplacian, seed)
            places[linked, : found.shape[1]] = found
        parts = zip(self._split(places), self._split(linked), self.spec.partitions.items(), strict=True)
        clusters = {}
        for rows, used, (site, size) in parts:
            blocks = np.zeros(len(rows), dtype=np.int64)
            if used.any():
                blocks[used] = k_means(rows[used], size, restarts, seed)
                blocks[~used] = np.bincount(blocks[used]).argmax()
            clusters[site] = blocks
        return clusters

    def values(self, clusters: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return values by site: the partitions, and the posterior means of shares and rates given these."""
        alpha, (a, b) = self.spec.alpha, self.spec.rate_arguments
        values: dict[str, NDArray[Any]] = dict(clusters)
        for site, size in self.spec.partitions.items():
            counts = np.bincount(clusters[site], minlength=size)
            values[f"pi{site[1:]}"] = (alpha + counts) / (self.pairs.n_nodes + size * alpha)
        weights, exposures = totals(self.spec, self.pairs, clusters)
        both = a + b if self.spec.likelihood == "bernoulli" else b
        values["theta"] = (a + weights) / (both + exposures)
        return values

    def _split(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        return np.split(rows, len(self.spec.partitions))


class StartingPartitions:
    """Partitions for an iteration to start from, each found in another way.

    Parameters
    ----------
    spec, pairs
        Model and graph.
    """

    def __init__(self, spec: BlockSpec, pairs: Pairs) -> None:
        self._spec, self._pairs = spec, pairs
        self._shared, self._crossed = cache(self._embedded), cache(self._embedded_twice)

    def partition(self, number: int, seed: int) -> dict[str, Integers]:
        """Return a partition by site, ``n`` blocks from 0 each.

        Parameters
        ----------
        number
            Of the start, from 0: five ways in turn. Nodes have their positions by regularised eigenvectors; by these on
            the unit sphere, where degrees in a block differ; with one partition of a directed graph, by both roles of
            nodes in the bipartite graph, else by half of the vectors; by vectors that count as their eigenvalues; or
            blocks are at random.
        seed
            Of k-means, or of what is at random.
        """
        way, n_nodes, partitions = number % _N_WAYS, self._pairs.n_nodes, self._spec.partitions.items()
        if way == _N_WAYS - 1:
            rng = np.random.default_rng(seed)
            return {site: rng.integers(size, size=n_nodes) for site, size in partitions}
        places = self._places(way)
        return {site: k_means(rows, size, 1, seed) for rows, (site, size) in zip(places, partitions, strict=True)}

    def _places(self, way: int) -> list[Floats]:
        """Return the nodes' positions, by partition."""
        if self._spec.shared and self._spec.directed and way == 2:
            left, right, _ = self._crossed()
            return [np.hstack([left, right])]
        *vectors, values = self._shared() if self._spec.shared else self._crossed()
        if way == 1:
            return [on_sphere(rows) for rows in vectors]
        if way == 2:
            return [rows[:, : -(-rows.shape[1] // 2)] for rows in vectors]
        return [rows * np.abs(values) for rows in vectors] if way == 3 else vectors

    def _embedded(self) -> tuple[Floats, Floats]:
        n_vectors = self._spec.n_source_blocks
        return regularised_embedding(symmetrised(self._pairs), n_vectors, _EMBEDDED_AT, either_sign=True)

    def _embedded_twice(self) -> tuple[Floats, Floats, Floats]:
        n_vectors = min(self._spec.partitions.values())
        return regularised_singular_vectors(self._pairs.weights, n_vectors, _EMBEDDED_AT)


def spectral_positions(pairs: Pairs, n_axes: int = 2) -> Floats:
    """Return where nodes lie in a figure, by regularised eigenvectors of the symmetrised graph.

    Parameters
    ----------
    pairs
        The graph.
    n_axes
        How many; of a graph with fewer nodes the rest are zeros.

    Returns
    -------
    array
        ``n x n_axes``. The leading eigenvector, which tells degrees, is left out.
    """
    graph = symmetrised(pairs)
    vectors, _ = regularised_embedding(graph, n_axes + 1, _EMBEDDED_AT, either_sign=False)
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    shown = vectors[:, 1:] / np.sqrt(degrees + max(degrees.mean(), 1.0))[:, np.newaxis]
    found = np.zeros((pairs.n_nodes, n_axes))
    found[:, : shown.shape[1]] = shown
    return found


def k_means(rows: Floats, n_clusters: int, restarts: int, seed: int) -> Integers:
    """Return the clusters of rows, from 0, by scikit-learn's k-means; of fewer rows each has one of its own.

    Parameters
    ----------
    rows
        ``n x d``.
    n_clusters
        At most: equal rows are in one cluster.
    restarts, seed
        Of k-means, on one thread, so that a seed gives the same clusters anywhere.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    if len(rows) <= n_clusters:
        return np.arange(len(rows))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct rows than clusters
        found = KMeans(n_clusters, n_init=restarts, random_state=seed % 2**32).fit(rows)
    return np.asarray(found.labels_, dtype=np.int64)
