"""From a graph as it was read to the pairs that a block model is of: weights as it takes them, pairs held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayeskit.core.errors import DataError
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import Likelihood

if TYPE_CHECKING:
    from bayeskit.datasets.graphs import Graph

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_HELD_OUT = 2_000_000  # pairs
_STREAM = 7


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Pairs that the model does not see, to judge what it says of them.

    Parameters
    ----------
    rows, columns
        ``n_pairs`` each: positions of the nodes.
    weights
        ``n_pairs``, what was observed there, as the model takes it.
    """

    rows: Integers
    columns: Integers
    weights: Floats


def pairs_of_graph(
    data: Graph, likelihood: Likelihood, *, degree_corrected: bool, hold_out: float
) -> tuple[Pairs, HeldOut | None]:
    """Return the pairs that a model is fitted to, and those that are held out.

    Parameters
    ----------
    data
        From ``load_graph`` or ``graph``.
    likelihood
        ``bernoulli`` takes a whole positive weight for an edge that is there, ``poisson`` weights as counts.
    degree_corrected
        Whether exposures are the observed degrees, of the pairs that are not held out.
    hold_out
        Share of the observed pairs, drawn at random whether there is an edge or not, to be held out: so those that
        remain are missing at random, and say what all would say. At most two million.

    Raises
    ------
    DataError
        For negative or fractional weights: the first pair, and the remedy; or if no edge is left to fit.
    """
    weights = _as_taken(data, likelihood)
    unobserved = data.unobserved
    held = _hold_out(data, weights, hold_out) if hold_out else None
    if held is not None:
        pattern = _pattern(held, data)
        weights = _without(weights, pattern)
        if not weights.nnz:
            raise DataError(
                f"{data.source.path or 'graph'}: all edges are among the {hold_out:.3g} of the pairs that are held "
                "out; hold out fewer (--hold-out), or none"
            )
        unobserved = sparse.csr_array((unobserved + pattern) > 0).astype(np.float64)
    out, into = np.ones(data.n_nodes), np.ones(data.n_nodes)
    if degree_corrected:
        out, into = degree_exposures(weights)
    return Pairs(weights, _canonical(unobserved), data.self_loops, out, into, data.directed), held


def degree_exposures(weights: sparse.csr_array) -> tuple[Floats, Floats]:
    """Return the out- and in-degrees of all nodes, in units of their mean."""
    out, into = np.asarray(weights.sum(axis=1)).ravel(), np.asarray(weights.sum(axis=0)).ravel()
    mean = max(float(out.mean()), np.finfo(float).tiny)
    return out / mean, into / mean


def _as_taken(data: Graph, likelihood: Likelihood) -> sparse.csr_array:
    found = _canonical(data.weights)
    wrong = np.flatnonzero((found.data < 0) | (found.data != np.floor(found.data)))
    if wrong.size:
        coordinates = found.tocoo().coords
        one = wrong[0]
        names = f"{data.nodes[coordinates[0][one]]!s} -> {data.nodes[coordinates[1][one]]!s}"
        more = f" (and {wrong.size - 1:,} more)" if wrong.size > 1 else ""
        kind = "negative" if found.data[one] < 0 else "fractional"
        what = "an edge is there or not" if likelihood == "bernoulli" else "weights are counts"
        raise DataError(
            f"{data.source.path or 'graph'}: edge {names}: {kind} weight {found.data[one]:.10g}{more}, where {what}; "
            "round or rescale the weights, or leave their column out (--columns source,target)"
        )
    if likelihood == "bernoulli":
        found.data[:] = 1.0
    return found


def _hold_out(data: Graph, weights: sparse.csr_array, share: float) -> HeldOut:
    rng = np.random.default_rng(_STREAM)
    n_nodes = data.n_nodes
    wanted = min(MOST_HELD_OUT, round(share * n_nodes * (n_nodes - 1) / (1 if data.directed else 2)))
    found = np.empty(0, dtype=np.int64)
    while found.size < wanted:  # pairs of a node with itself, and those drawn before, are drawn again
        more = rng.integers(n_nodes * n_nodes, size=2 * (wanted - found.size) + 16)
        row, column = np.divmod(more, n_nodes)
        more = more[row != column if data.directed else row < column]
        together = np.concatenate([found, more])
        _, first = np.unique(together, return_index=True)
        found = together[np.sort(first)][:wanted]
    rows, columns = np.divmod(found, n_nodes)
    seen = np.asarray(data.unobserved[rows, columns]).ravel() == 0
    rows, columns = rows[seen], columns[seen]
    return HeldOut(rows, columns, np.asarray(weights[rows, columns], dtype=float).ravel())


def _pattern(held: HeldOut, data: Graph) -> sparse.csr_array:
    shape = (data.n_nodes, data.n_nodes)
    pattern = sparse.csr_array((np.ones(held.rows.size), (held.rows, held.columns)), shape=shape)
    return pattern if data.directed else sparse.csr_array(pattern + pattern.T)


def _without(weights: sparse.csr_array, pattern: sparse.csr_array) -> sparse.csr_array:
    return _canonical(weights - weights.multiply(pattern))


def _canonical(matrix: Any) -> sparse.csr_array:
    found = sparse.csr_array(matrix, dtype=np.float64, copy=True)
    found.sum_duplicates()
    found.eliminate_zeros()
    found.sort_indices()
    return found
