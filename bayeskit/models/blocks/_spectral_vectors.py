"""Graphs as spectral clustering takes them, and eigenvectors of their Laplacians."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from bayeskit.models.blocks.pairs import Pairs

Floats = NDArray[np.float64]
Laplacian = Literal["symmetric", "unnormalised", "random-walk"]
LAPLACIANS: tuple[Laplacian, ...] = get_args(Laplacian)

_DENSE = 200  # nodes, up to which all eigenvectors cost no more than some
_ITERATIONS = 1000
_TOLERANCE = 1e-5  # of an eigenvalue, relative


def symmetrised(pairs: Pairs) -> sparse.csr_array:
    """Return the weights of a node with another in either direction, ``n x n``, none with itself."""
    weights = pairs.weights.copy()
    weights.setdiag(0.0)
    return _clean(weights + weights.T if pairs.directed else weights)


def bipartite(pairs: Pairs) -> sparse.csr_array:
    """Return the graph in which each node is there twice, as a source and as a target: ``2n x 2n``, sources first."""
    quarters: Any = [[None, pairs.weights], [pairs.weights.T, None]]
    return _clean(sparse.block_array(quarters))


def laplacian_embedding(graph: sparse.csr_array, n_vectors: int, laplacian: Laplacian, seed: int) -> Floats:
    """Return the rows of a Laplacian's eigenvectors of the smallest eigenvalues.

    ``symmetric``: of 1 - D^(-1/2) A D^(-1/2), each row on the unit sphere, Ng, Jordan and Weiss (2001),
    https://papers.nips.cc/paper/2092-on-spectral-clustering-analysis-and-an-algorithm; ``random-walk``: of
    1 - D^(-1) A, Shi and Malik (2000), doi:10.1109/34.868688; ``unnormalised``: of D - A; von Luxburg (2007),
    doi:10.1007/s11222-007-9033-z.

    Parameters
    ----------
    graph
        ``n x n``, symmetric, without loops; each node has an edge.
    n_vectors
        At most; there are no more than nodes.
    laplacian
        Which.
    seed
        Where the iteration starts.

    Returns
    -------
    array
        ``n x n_vectors``, the smallest eigenvalue's first.
    """
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    _, parts = connected_components(graph, directed=False)
    # Lanczos finds one vector of each eigenvalue, and the smallest has one of each part of the graph: known ones.
    sizes = np.bincount(parts)
    largest = np.argsort(-sizes, kind="stable")[:n_vectors]
    known = (parts[:, np.newaxis] == largest).astype(float)
    if laplacian == "unnormalised":
        top = 2 * degrees.max()
        turned = sparse.diags_array(top - degrees) + graph
        return _with_known(turned, known / np.sqrt(sizes[largest]), top, n_vectors, seed)
    scale = 1 / np.sqrt(degrees)
    known *= np.sqrt(degrees)[:, np.newaxis]
    known /= np.linalg.norm(known, axis=0)
    vectors = _with_known(_scaled(graph, scale, scale), known, 1.0, n_vectors, seed)
    return on_sphere(vectors) if laplacian == "symmetric" else vectors * scale[:, np.newaxis]


def regularised_embedding(
    graph: sparse.csr_array, n_vectors: int, seed: int, *, either_sign: bool
) -> tuple[Floats, Floats]:
    """Return eigenvectors of the adjacency matrix divided by the roots of degrees, to which their mean is added.

    The addition keeps small parts of a sparse graph from having a vector each: Qin and Rohe (2013),
    https://papers.nips.cc/paper/5099-regularized-spectral-clustering-under-the-degree-corrected-stochastic-blockmodel.

    Parameters
    ----------
    graph
        ``n x n``, symmetric.
    n_vectors
        At most; there are no more than nodes.
    seed
        Where the iteration starts.
    either_sign
        Whether the largest eigenvalues in size are taken, so that blocks without edges within are found, too.

    Returns
    -------
    array, array
        The vectors, ``n x n_vectors``, and their eigenvalues, the largest first.
    """
    scale = _regular(graph.sum(axis=1))
    return _leading(_scaled(graph, scale, scale), n_vectors, seed, either_sign=either_sign)


def regularised_singular_vectors(weights: sparse.csr_array, n_vectors: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return the same of a graph with a direction: Rohe, Qin and Yu (2016), doi:10.1073/pnas.1525793113.

    Parameters
    ----------
    weights
        ``n x n``.
    n_vectors
        At most; there are no more than nodes.
    seed
        Where the iteration starts.

    Returns
    -------
    array, array, array
        Vectors of the sources and of the targets, ``n x n_vectors`` each, and their singular values, the largest first.
    """
    from scipy.sparse.linalg import LinearOperator

    forward = _scaled(_clean(weights.copy()), _regular(weights.sum(axis=1)), _regular(weights.sum(axis=0)))
    backward = sparse.csr_array(forward.T)

    def squared(dense: Floats) -> Floats:
        return np.asarray(backward @ (forward @ dense))

    operator = LinearOperator(weights.shape, matvec=squared, matmat=squared, dtype=float)
    right, squares = _leading(operator, n_vectors, seed, either_sign=False)
    values = np.sqrt(np.maximum(squares, 0.0))
    left = forward @ right / np.where(values > 0, values, 1.0)
    return left, right, values


def on_sphere(rows: Floats) -> Floats:
    """Return rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _with_known(matrix: Any, known: Floats, value: float, n_vectors: int, seed: int) -> Floats:
    """Return the leading vectors of a matrix some of which, of its largest eigenvalue, are known."""
    from scipy.sparse.linalg import LinearOperator

    n_more = min(n_vectors, matrix.shape[0]) - known.shape[1]
    if n_more <= 0:
        return known

    def rest(vector: Floats) -> Floats:
        # The known ones go to the other end, where nobody looks.
        return np.asarray(matrix @ vector - 2 * value * (known @ (known.T @ vector)))

    operator = LinearOperator(matrix.shape, matvec=rest, matmat=rest, dtype=float)
    found, _ = _leading(operator, n_more, seed, either_sign=False)
    return np.hstack([known, found])


def _leading(matrix: Any, n_vectors: int, seed: int, *, either_sign: bool) -> tuple[Floats, Floats]:
    """Return eigenvectors of the largest eigenvalues, and these, the largest first; zeros where there are none."""
    n_nodes = matrix.shape[0]
    n_vectors = min(n_vectors, n_nodes)
    if n_nodes <= max(_DENSE, 2 * n_vectors + 1):
        values, vectors = np.linalg.eigh(matrix @ np.eye(n_nodes))
    else:
        values, vectors = _iterated(matrix, n_vectors, seed, "LM" if either_sign else "LA")
    order = np.argsort(-(np.abs(values) if either_sign else values), kind="stable")[:n_vectors]
    values, vectors = values[order], vectors[:, order]
    # An eigenvector's sign is free, and the computer's choice of it none that one could repeat elsewhere.
    vectors = vectors * np.where((vectors**3).sum(axis=0) < 0, -1.0, 1.0)
    missing = n_vectors - len(values)
    return np.pad(vectors, ((0, 0), (0, missing))), np.pad(values, (0, missing))


def _iterated(matrix: Any, n_vectors: int, seed: int, which: Literal["LM", "LA"]) -> tuple[Floats, Floats]:
    """Return those eigenvalues and vectors that Lanczos iterations came to."""
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    start = np.random.default_rng(seed).uniform(0.5, 1.5, matrix.shape[0])
    if not (matrix @ start).any():
        return np.empty(0), np.empty((matrix.shape[0], 0))
    found: Any
    try:
        found = eigsh(matrix, n_vectors, which=which, v0=start, tol=_TOLERANCE, maxiter=_ITERATIONS)
    except ArpackNoConvergence as error:
        found = error.eigenvalues, error.eigenvectors
    values, vectors = (np.asarray(part, dtype=float) for part in found)
    return values, vectors


def _regular(degrees: Any) -> Floats:
    """Return the scale of rows, or of columns, by their degrees."""
    raised = np.asarray(degrees, dtype=float).ravel()
    return np.asarray(1 / np.sqrt(raised + max(raised.mean(), np.finfo(float).tiny)))


def _scaled(matrix: sparse.csr_array, rows: Floats, columns: Floats) -> sparse.csr_array:
    scaled = matrix.data * np.repeat(rows, np.diff(matrix.indptr)) * columns[matrix.indices]
    return sparse.csr_array((scaled, matrix.indices, matrix.indptr), shape=matrix.shape)


def _clean(graph: Any) -> sparse.csr_array:
    found = sparse.csr_array(graph)
    found.eliminate_zeros()
    if found.nnz < np.iinfo(np.int32).max:  # products are faster by short indices
        found.indices, found.indptr = found.indices.astype(np.int32), found.indptr.astype(np.int32)
    return found
