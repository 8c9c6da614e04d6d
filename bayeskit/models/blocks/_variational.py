"""A block model's pairs as mean-field updates take them, and the updates of the assignments' factors."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import digamma, xlogy

from bayeskit.core.native import load_library
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]

_TOGETHER = 8  # rows are padded to a multiple of it, for the processor's vectors


class Rates(NamedTuple):
    """What the factors of the rates say: what a unit of weight and one of exposure add to a score, ``K x L`` each."""

    weight: Floats
    exposure: Floats


class Totals(NamedTuple):
    """Expected sums of weights and of exposures over the pairs of each two blocks, ``K x L``, as ``block_totals``."""

    weights: Floats
    exposures: Floats


def expected_rates(spec: BlockSpec, totals: Totals) -> Rates:
    """Return expectations under the rates' conjugate factors given totals: Beta, or Gamma."""
    a, b = spec.rate_arguments
    first = a + totals.weights
    if spec.likelihood == "poisson":
        second = b + totals.exposures
        return Rates(digamma(first) - np.log(second), -first / second)
    second = b + totals.exposures - totals.weights
    return Rates(digamma(first) - digamma(second), digamma(second) - digamma(first + second))


def entropy_of(q: Floats) -> float:
    """Return the sum of the entropies of rows."""
    return -float(xlogy(q, q).sum())


class CrossedPairs:
    """The pairs of sources and targets with partitions of their own, ready for updates of one given the other.

    Parameters
    ----------
    pairs
        The graph.
    """

    def __init__(self, pairs: Pairs) -> None:
        out, into = pairs.out_exposure, pairs.in_exposure
        self._self_pairs = pairs.self_pairs
        self._exposures = out, into
        self._weights = pairs.weights, sparse.csr_array(pairs.weights.T)
        lost = sparse.diags_array(out) @ pairs.unobserved @ sparse.diags_array(into)
        self._lost = sparse.csr_array(lost), sparse.csr_array(lost.T)

    def totals(self, first: Floats, second: Floats) -> Totals:
        """Return the expected totals under the sources' factors, ``n x K``, and the targets', ``n x L``."""
        weights, exposures = self._met(0, second)
        return Totals(first.T @ weights, first.T @ exposures)

    def update(
        self, side: int, q: Floats, rates: Rates, shares: Floats, inverse_temperature: float
    ) -> tuple[Floats, Totals, float]:
        """Give all nodes of one partition their best factors given the other's: exact, as they meet only the others.

        Parameters
        ----------
        side
            0 to update the sources, 1 the targets.
        q
            The other partition's factors, ``n x L`` or ``n x K``.
        rates
            ``K x L``.
        shares
            Expected log shares of the blocks of the partition to update.
        inverse_temperature
            That the scores are multiplied by.

        Returns
        -------
        array, Totals, float
            The factors, the totals that both partitions' factors give, and the entropy of these.
        """
        met, exposed = self._met(side, q)
        weight, exposure = rates if side == 0 else (rates.weight.T, rates.exposure.T)
        scores = (shares + met @ weight.T + exposed @ exposure.T) * inverse_temperature
        scores -= scores.max(axis=1, keepdims=True)
        updated = np.exp(scores, out=scores)
        updated /= updated.sum(axis=1, keepdims=True)
        weights, exposures = updated.T @ met, updated.T @ exposed
        totals = Totals(weights, exposures) if side == 0 else Totals(weights.T, exposures.T)
        return updated, totals, entropy_of(updated)

    def _met(self, side: int, q: Floats) -> tuple[Floats, Floats]:
        """Return the weights and exposures of each node's pairs, by the blocks of the others, given their factors."""
        own, others = self._exposures[side], self._exposures[1 - side]
        exposures = own[:, np.newaxis] * (others @ q) - self._lost[side] @ q
        if not self._self_pairs:
            exposures -= (own * others)[:, np.newaxis] * q
        return self._weights[side] @ q, np.maximum(exposures, 0.0)


class SharedPairs:
    """The pairs of one shared partition, ready for sweeps over its nodes.

    Parameters
    ----------
    pairs
        The graph.
    """

    def __init__(self, pairs: Pairs) -> None:
        self._directed = pairs.directed
        self._loops = pairs.weights.diagonal()
        self._own = pairs.out_exposure * pairs.in_exposure
        self._observed_own = self._own if pairs.self_pairs else np.zeros_like(self._own)
        self._exposures = np.ascontiguousarray(pairs.out_exposure), np.ascontiguousarray(pairs.in_exposure)
        out, into = (sparse.diags_array(exposure) for exposure in self._exposures)
        self._links = _without_diagonal(pairs.weights)
        self._lost = sparse.csr_array(pairs.unobserved @ into)
        tables = [_Table(self._links), _Table(self._lost)]
        if pairs.directed:
            tables += [_Table(self._links.T), _Table(pairs.unobserved.T @ out)]
        self._tables = tables

    def totals(self, q: Floats) -> Totals:
        """Return the expected totals under factors ``n x K``; a node's pair with itself has one block, not two."""
        out, into = self._exposures
        weights = q.T @ (self._links @ q)
        exposures = np.outer(out @ q, into @ q)
        exposures -= (out[:, np.newaxis] * q).T @ (self._lost @ q)
        exposures -= q.T @ (self._own[:, np.newaxis] * q)
        np.maximum(exposures, 0.0, out=exposures)
        places = np.arange(q.shape[1])
        if not self._directed:
            weights[places, places] /= 2
            exposures[places, places] /= 2
        weights[places, places] += self._loops @ q
        exposures[places, places] += self._observed_own @ q
        return Totals(weights, exposures)

    def sweep(self, q: Floats, rates: Rates, shares: Floats, inverse_temperature: float) -> tuple[Floats, float]:
        """Give each node in turn its best factor given all others, and return the factors and their entropy.

        Parameters
        ----------
        q
            ``n x K``.
        rates
            ``K x K``.
        shares
            ``K``, expected log shares.
        inverse_temperature
            That the scores are multiplied by.
        """
        n_nodes, n_blocks = q.shape
        width = -(-n_blocks // _TOGETHER) * _TOGETHER
        weight, exposure = rates
        given = [
            _padded(array, width)
            for array in (weight.T, weight, exposure.T, exposure, weight.diagonal(), exposure.diagonal(), shares)
        ]
        arrays = [*self._exposures, self._loops, self._observed_own, *given]
        out, lost_out = self._tables[:2]
        into, lost_into = self._tables[-2:]
        problem = _Problem(
            *(n_nodes, n_blocks, width, int(self._directed)),
            *(table.structure for table in (out, into, lost_out, lost_into)),
            *(array.ctypes.data for array in arrays),
            inverse_temperature,
        )
        swept = _padded(q, width)
        entropy = float(_library().sweep_nodes(ctypes.byref(problem), swept.ctypes.data))
        return np.ascontiguousarray(swept[:, :n_blocks]), entropy


class _Sparse(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("starts", "columns", "values"))


class _Problem(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n_nodes", "n_blocks", "width", "directed")),
        *((name, _Sparse) for name in ("out", "into", "lost_out", "lost_into")),
        *((name, ctypes.c_void_p) for name in ("out_exposure", "in_exposure", "loops", "own")),
        *((name, ctypes.c_void_p) for name in ("weight_out", "weight_into", "exposure_out", "exposure_into")),
        *((name, ctypes.c_void_p) for name in ("weight_own", "exposure_own", "shares")),
        ("inverse_temperature", ctypes.c_double),
    )


class _Table:
    """A sparse matrix in the types of the library, kept alive as long as its addresses are."""

    def __init__(self, matrix: Any) -> None:
        matrix = sparse.csr_array(matrix)
        self._arrays: tuple[NDArray[Any], ...] = (
            np.ascontiguousarray(matrix.indptr, dtype=np.int64),
            np.ascontiguousarray(matrix.indices, dtype=np.int32),
            np.ascontiguousarray(matrix.data, dtype=np.float64),
        )
        self.structure = _Sparse(*(array.ctypes.data for array in self._arrays))


@cache
def _library() -> ctypes.CDLL:
    library = load_library(Path(__file__).with_name("_variational.cpp"))
    library.sweep_nodes.restype = ctypes.c_double
    library.sweep_nodes.argtypes = [ctypes.POINTER(_Problem), ctypes.c_void_p]
    return library


def _padded(array: Floats, width: int) -> Floats:
    """Return a copy with zeros to the right."""
    found = np.zeros((*array.shape[:-1], width))
    found[..., : array.shape[-1]] = array
    return found


def _without_diagonal(matrix: sparse.csr_array) -> sparse.csr_array:
    kept = matrix.copy()
    kept.setdiag(0.0)
    kept.eliminate_zeros()
    kept.sort_indices()
    return kept
