"""All scalars of a posterior, a block at a time: of one that is larger than memory, no more than a few blocks are held.

A variable that lies on disk is read once, in slices along its last dimensions. Blocks are worked on side by side, as
NumPy sorts and multiplies outside Python's lock; the results do not depend on how many cores there are.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeskit.diagnostics.labels import SAMPLE_DIMS, cell_dims, cell_labels, real_valued

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

BLOCK_BYTES = 2**26  # read at a time
PIECE_BYTES = 2**21  # worked on at a time: what stays in a core's cache
_MAX_THREADS = 8


def over_cells(posterior: xr.Dataset, function: Callable[[Floats], Columns]) -> pd.DataFrame:
    """Return statistics of every scalar, one row a scalar, labelled and in the order of ``cell_labels``.

    Parameters
    ----------
    posterior
        Variables with dimensions ``chain`` and ``draw``; what holds no real numbers is left out, complex variables
        give two.
    function
        From ``n_cells x n_chains x n_draws`` to columns of ``n_cells`` each. It is called from several threads.
    """
    found: dict[str, list[NDArray[Any]]] = {}
    labels: list[str] = []
    n_chains = max(1, posterior.sizes.get("chain", 1))
    with ThreadPoolExecutor(max_workers=min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        waiting: deque[Future[Columns]] = deque()

        def collect(at_most: int) -> None:
            while len(waiting) > at_most:
                for name, column in waiting.popleft().result().items():
                    found.setdefault(name, []).append(column)

        for array in real_valued(posterior).data_vars.values():
            labels += cell_labels(array)
            for block in cell_blocks(array):
                pieces = _pieces(block)
                waiting.extend(pool.submit(function, piece) for piece in pieces)
                collect(at_most=len(pieces))  # one block is read while the one before is worked on
        collect(at_most=0)
    if not found:  # a table without rows has its columns all the same
        found = {name: [column[:0]] for name, column in function(np.zeros((1, n_chains, 1))).items()}
    return pd.DataFrame(
        {name: np.concatenate(parts) for name, parts in found.items()}, index=pd.Index(labels, dtype=object)
    )


def cell_blocks(array: xr.DataArray) -> Iterator[Floats]:
    """Give a variable's scalars in the order of ``cell_labels``, ``n_cells x n_chains x n_draws``.

    A block takes at most ``BLOCK_BYTES``, but for a single scalar that takes more.
    """
    dims = cell_dims(array)
    sizes = [array.sizes[dim] for dim in dims]
    room = max(1, BLOCK_BYTES // (8 * max(1, array.sizes["chain"] * array.sizes["draw"])))
    # The last dimensions that fit are taken whole, the one before them in slices, those further before one by one.
    whole = next(place for place in range(len(sizes) + 1) if prod(sizes[place:]) <= room)
    step = max(1, room // prod(sizes[whole:]))
    outer = product(*(range(size) for size in sizes[: max(0, whole - 1)]))
    for places in outer:
        chosen: dict[str, Any] = dict(zip(dims, places, strict=False))
        for start in range(0, sizes[whole - 1], step) if whole else [0]:
            if whole:
                chosen[dims[whole - 1]] = slice(start, start + step)
            part = array.isel(chosen).transpose(*SAMPLE_DIMS, ...).to_numpy()
            flat = part.reshape(part.shape[0] * part.shape[1], -1)
            yield np.ascontiguousarray(flat.T, dtype=float).reshape(-1, *part.shape[:2])


def finite_cells(array: xr.DataArray) -> NDArray[np.bool_]:
    """Return which of a variable's scalars hold a number in every draw."""
    return np.concatenate([np.isfinite(block).all((1, 2)) for block in cell_blocks(array)])


def cells_at(array: xr.DataArray, places: NDArray[np.int64], draws: NDArray[np.int64]) -> Floats:
    """Return some of a variable's scalars in some of the draws, those of all chains taken together.

    Parameters
    ----------
    array
        With dimensions ``chain`` and ``draw``.
    places
        Positions among ``cell_labels``, ascending.
    draws
        Positions among all draws, the chains one behind the other.

    Returns
    -------
    ndarray
        ``n_draws x n_places``.
    """
    found, start = [], 0
    for block in cell_blocks(array):
        mine = places[(places >= start) & (places < start + len(block))] - start
        found.append(block.reshape(len(block), -1)[np.ix_(mine, draws)])
        start += len(block)
    return np.concatenate(found).T


def _pieces(block: Floats) -> list[Floats]:
    step = max(1, PIECE_BYTES // (8 * block.shape[1] * block.shape[2]))
    return [block[start : start + step] for start in range(0, block.shape[0], step)]
