"""The order of users and items: those known from training first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets._graph_cells import Column, Integers
from bayeskit.datasets._graph_first import texts_array


def ordered(column: Column, test: NDArray[np.bool_]) -> tuple[NDArray[np.str_], Integers]:
    """Return ids in order of first appearance, training ratings before others, and the position of each row."""
    n_rows = len(column.codes)
    first = np.full(len(column.texts), 2 * n_rows)
    for held in (True, False):  # what training knows is written last
        at = np.flatnonzero(test == held)[::-1]
        first[column.codes[at]] = at + held * n_rows
    order = np.argsort(first, kind="stable")[: np.count_nonzero(first < 2 * n_rows)]
    position = np.empty(len(column.texts), dtype=np.int64)
    position[order] = np.arange(len(order))
    return texts_array([column.texts[at] for at in order]), position[column.codes]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that cannot be written to."""
    array.flags.writeable = False
    return array
