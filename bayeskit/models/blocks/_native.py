"""Graphs and chains of block models in C++, held by Python."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.native import load_library
from bayeskit.core.priors import Prior
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import HYPERPARAMETERS, BlockSpec

Floats = NDArray[np.float64]

_FAMILIES = ("gamma", "lognormal", "exponential", "inv_gamma")  # in the order of `Hyperprior::Family`, from 1
_LARGEST_TABLE = 1 << 20
_SMALLEST_TABLE = 1 << 10


class NativeGraph:
    """The ``Graph`` of ``_graph.hpp``, made of pairs; it goes when this object goes.

    Parameters
    ----------
    library
        Has ``graph_new`` and ``graph_free``, as in ``_gibbs.cpp``.
    pairs
        The graph.
    """

    def __init__(self, library: ctypes.CDLL, pairs: Pairs) -> None:
        library.graph_new.restype = ctypes.c_void_p
        library.graph_free.restype = None
        arrays = (
            np.ascontiguousarray(pairs.weights.indptr, dtype=np.int64),
            np.ascontiguousarray(pairs.weights.indices, dtype=np.int32),
            np.ascontiguousarray(pairs.weights.data, dtype=np.float64),
            np.ascontiguousarray(pairs.unobserved.indptr, dtype=np.int64),
            np.ascontiguousarray(pairs.unobserved.indices, dtype=np.int32),
            np.ascontiguousarray(pairs.out_exposure, dtype=np.float64),
            np.ascontiguousarray(pairs.in_exposure, dtype=np.float64),
        )
        found = library.graph_new(
            pairs.n_nodes, *(pointer(array) for array in arrays), int(pairs.directed), int(pairs.self_pairs)
        )
        self.handle = ctypes.c_void_p(found)
        weakref.finalize(self, library.graph_free, self.handle)


class NativeSampler:
    """Chains of a collapsed Gibbs sampler; sides are 0 of sources, or of one partition that is shared, 1 of targets.

    Parameters
    ----------
    spec
        Model.
    pairs
        Graph.
    graph
        The same in C++, by ``gibbs_library()``.
    seeds
        Of the chains, below 2^64.
    """

    def __init__(self, spec: BlockSpec, pairs: Pairs, graph: NativeGraph, seeds: Sequence[int]) -> None:
        library = gibbs_library()
        self._graph = graph  # which lives as long as its chains
        self._library, self._n_nodes, self.n_chains = library, pairs.n_nodes, len(seeds)
        self._sizes = (spec.n_source_blocks, spec.n_target_blocks)
        self._sites = tuple(spec.partitions)
        families = np.zeros(3, dtype=np.int32)
        arguments = np.zeros((3, 2))
        for place, name in enumerate(HYPERPARAMETERS):
            if name in spec.hyperparameters:
                families[place], arguments[place] = _coded(spec.prior(name))
        fixed = np.array([spec.alpha, *spec.rate_arguments])
        self._handle = ctypes.c_void_p(
            library.sampler_new(
                graph.handle, int(spec.likelihood == "poisson"), int(spec.shared), *self._sizes,
                pointer(fixed), pointer(families), pointer(arguments), *_tables(spec, pairs),
            )
        )  # fmt: skip
        weakref.finalize(self, library.sampler_free, self._handle)
        for seed in seeds:
            library.sampler_add(self._handle, ctypes.c_uint64(seed))

    def assign(self, chain: int, assignments: Mapping[str, NDArray[Any]]) -> None:
        """Put a chain's nodes into blocks, by site."""
        given = [np.ascontiguousarray(assignments[site], dtype=np.int32) for site in self._sites]
        self._library.sampler_assign(self._handle, chain, pointer(given[0]), pointer(given[-1]))

    def set(self, chain: int, alpha: float, a: float, b: float) -> None:
        """Set the arguments of the priors."""
        self._library.sampler_set(self._handle, chain, *(ctypes.c_double(number) for number in (alpha, a, b)))

    def anneal(self, shares: Sequence[float], n_sweeps: Sequence[int], powers: Sequence[float], threads: int) -> None:
        """Scatter a share of each chain's nodes, and sweep with the posterior to a power that grows to 1."""
        share, sweeps = np.array(shares, dtype=float), np.array(n_sweeps, dtype=np.int32)
        power = np.array(powers, dtype=float)
        self._library.sampler_anneal(
            self._handle, self.n_chains, threads, pointer(share), pointer(sweeps), pointer(power)
        )

    def sweep(self, plan: Sequence[int], threads: int) -> None:
        """Sweep all chains once, by the numbers of a ``Plan``."""
        planned = np.array(plan, dtype=np.int32)
        self._library.sampler_sweep(self._handle, self.n_chains, threads, pointer(planned))

    def assignments(self) -> dict[str, NDArray[np.int32]]:
        """Return all chains' assignments by site, ``n_chains x n`` each."""
        found = np.empty((2, self.n_chains, self._n_nodes), dtype=np.int32)
        for chain in range(self.n_chains):
            self._library.sampler_labels(self._handle, chain, pointer(found[0, chain]), pointer(found[1, chain]))
        return dict(zip(self._sites, found, strict=False))

    def totals(self, chain: int) -> Floats:
        """Return a chain's weights and exposures between blocks, ``2 x K x L``."""
        found = np.empty((2, *self._sizes))
        self._library.sampler_totals(self._handle, chain, pointer(found[0]), pointer(found[1]))
        return found

    def numbers(self) -> Floats:
        """Return ``n_chains x 10`` numbers.

        The log density of graph and assignments, rates and shares integrated out, without what depends on neither;
        ``alpha``, ``a`` and ``b``; and how often each of three kinds of move was tried, and taken, since the last call.
        """
        found = np.empty((self.n_chains, 10))
        for chain in range(self.n_chains):
            self._library.sampler_numbers(self._handle, chain, pointer(found[chain]))
        return found

    def scores(self, chain: int, side: int, node: int) -> Floats:
        """Return the log density with a node in each block, up to a constant."""
        found = np.empty(self._sizes[side])
        self._library.sampler_scores(self._handle, chain, side, node, pointer(found))
        return found

    def move(self, chain: int, side: int, node: int, block: int) -> None:
        """Move a node to a block."""
        self._library.sampler_move(self._handle, chain, side, node, block)

    def merge(self, chain: int, side: int, old: int, new: int) -> float:
        """Let a block's nodes join another, and return the change of the log density."""
        return float(self._library.sampler_merge(self._handle, chain, side, old, new))


def gibbs_library() -> ctypes.CDLL:
    """Compile ``_gibbs.cpp``, or take it from the cache."""
    library = load_library(Path(__file__).with_name("_gibbs.cpp"))
    library.sampler_new.restype, library.sampler_merge.restype = ctypes.c_void_p, ctypes.c_double
    return library


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    """Return where a contiguous array's numbers lie; the array must outlive its use."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def _coded(prior: Prior) -> tuple[int, tuple[float, float]]:
    first, second = (*prior.arguments, 1.0)[:2]
    return _FAMILIES.index(prior.family) + 1, (first, second)


def _tables(spec: BlockSpec, pairs: Pairs) -> tuple[ctypes.c_int64, ctypes.c_int64]:
    """Return sizes of tables by weight and by exposure; where they are made in every sweep, in proportion to it."""
    weights, exposures = pairs.total
    limit = _LARGEST_TABLE
    if {"a", "b"} & set(spec.hyperparameters):
        limit = max(_SMALLEST_TABLE, pairs.n_nodes * spec.n_source_blocks * spec.n_target_blocks // 16)
    sizes = (min(int(total) + 1, limit, _LARGEST_TABLE) for total in (weights, exposures))
    first, second = (ctypes.c_int64(size) for size in sizes)
    return first, second
