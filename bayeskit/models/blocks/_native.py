"""Graphs of block models in C++."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.blocks.pairs import Pairs


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
        library.graph_free.argtypes = [ctypes.c_void_p]
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
            ctypes.c_int32(pairs.n_nodes),
            *(pointer(array) for array in arrays),
            ctypes.c_int32(pairs.directed),
            ctypes.c_int32(pairs.self_pairs),
        )
        self.handle = ctypes.c_void_p(found)
        weakref.finalize(self, library.graph_free, self.handle)


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    """Return where a contiguous array's numbers lie; the array must outlive its use."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)
