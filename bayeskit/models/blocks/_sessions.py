"""Searches for partitions in C++, held by Python."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.native import load_library
from bayeskit.models.blocks._native import NativeGraph, pointer
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec

Labels = NDArray[np.int32]
Sizes = tuple[int, int]

_TABLE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Numbers of blocks that a search may end with, of sources and of targets; the same twice if shared."""

    fewest: Sizes
    most: Sizes


class Session:
    """One search; whatever it comes by it keeps.

    Parameters
    ----------
    spec, pairs, graph
        Model and graph, and the graph in C++ by ``search_library()``.
    integrated
        Whether the integrated likelihood is to grow, not the description length to become less.
    labels
        Blocks that there may be on the way, of either side.
    limits
        At the end.
    seed
        Below 2^64.
    """

    def __init__(
        self,
        spec: BlockSpec,
        pairs: Pairs,
        graph: NativeGraph,
        *,
        integrated: bool,
        labels: int,
        limits: Limits,
        seed: int,
    ) -> None:
        library = search_library()
        self._graph = graph  # which lives as long as the search
        self._library, self._n_nodes, self._n_partitions = library, pairs.n_nodes, len(spec.partitions)
        numbers = np.array([labels, labels, *limits.fewest, *limits.most], dtype=np.int32)
        shared, number = int(spec.shared), ctypes.c_uint64(seed)
        if integrated:
            arguments = np.array([spec.alpha, *spec.rate_arguments])
            tables = (ctypes.c_int64(min(int(total) + 2, _TABLE)) for total in pairs.total)
            poisson = int(spec.likelihood == "poisson")
            made = library.integrated_new(
                graph.handle, poisson, shared, pointer(numbers), pointer(arguments), *tables, number
            )
        else:
            made = library.length_new(graph.handle, int(spec.degree_corrected), shared, pointer(numbers), number)
        self._handle = ctypes.c_void_p(made)
        weakref.finalize(self, library.session_free, self._handle)

    def descend(self, start: Sequence[Labels], *, divided: bool) -> None:
        """Merge blocks of a start, each of which may be divided first, down to the fewest, nodes moving on the way."""
        self._library.session_descend(self._handle, pointer(start[0]), pointer(start[-1]), int(divided))

    def value(self, labels: Sequence[Labels]) -> float:
        """Return what is to grow, at a partition or two, up to what no partition changes."""
        return float(self._library.session_value(self._handle, pointer(labels[0]), pointer(labels[-1])))

    def polish(self) -> None:
        """Split and merge blocks of the best until nothing helps."""
        self._library.session_polish(self._handle)

    def shake(self, rounds: int) -> None:
        """Shake the best up, so many times."""
        self._library.session_shake(self._handle, rounds)

    def widen(self, below: int, above: int) -> None:
        """Look for the best partitions into a few blocks less, and more, than the best has, of either side."""
        self._library.session_widen(self._handle, below, above)

    def drift(self) -> float:
        """Return how far, at most, the value kept up while nodes moved was from the one counted anew."""
        return float(self._library.session_drift(self._handle))

    def found(self) -> Mapping[Sizes, float]:
        """Return the values of what was found by numbers of blocks."""
        count = self._library.session_n_found(self._handle)
        sizes, values = np.empty((count, 2), dtype=np.int32), np.empty(count)
        self._library.session_found(self._handle, pointer(sizes), pointer(values))
        return {(int(k), int(l)): float(value) for (k, l), value in zip(sizes, values, strict=True)}  # noqa: E741

    def labels(self, sizes: Sizes) -> list[Labels]:
        """Return the best partition or two with these numbers of blocks."""
        into = np.empty((2, self._n_nodes), dtype=np.int32)
        self._library.session_labels(self._handle, *sizes, pointer(into[0]), pointer(into[1]))
        return list(into[: self._n_partitions])


def search_library() -> ctypes.CDLL:
    """Compile ``_search.cpp``, or take it from the cache."""
    library = load_library(Path(__file__).with_name("_search.cpp"))
    library.length_new.restype = library.integrated_new.restype = ctypes.c_void_p
    library.session_value.restype = library.session_drift.restype = ctypes.c_double
    for name in ("descend", "polish", "shake", "widen", "found", "labels", "free"):
        getattr(library, f"session_{name}").restype = None
    return library
