"""Common labels for the blocks of all draws: chains and draws may call the same block by different numbers.

Each draw's labels are permuted so that its assignments are as probable as can be under the assignment probabilities of
all draws, which are computed anew until no permutation changes: the equivalence classes representatives algorithm in
its iterative form, Papastamoulis and Iliopoulos (2010), doi:10.1198/jcgs.2010.09008, and Papastamoulis (2016),
doi:10.18637/jss.v069.c01. The best permutation is a linear assignment problem: Kuhn (1955),
doi:10.1002/nav.3800020109.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

_MOST_ROUNDS = 20
_UNSEEN = 0.01  # draws: the weight of an assignment that no draw has


def common_labels(assignments: Integers, n_blocks: int, pivot: int) -> NDArray[np.int64]:
    """Return how each draw's blocks are to be called.

    Parameters
    ----------
    assignments
        ``n_draws x n_nodes``, blocks from 0.
    n_blocks
        K.
    pivot
        The draw whose labels the others are first brought to.

    Returns
    -------
    array
        ``n_draws x K``: block ``k`` of draw ``d`` becomes ``found[d, k]``. Blocks are in the order of their sizes over
        all draws, the largest first.
    """
    n_draws = len(assignments)
    found = np.tile(np.arange(n_blocks), (n_draws, 1))
    counts = _indicators(assignments[pivot], n_blocks)
    for _ in range(_MOST_ROUNDS if n_blocks > 1 else 0):
        log_chances = np.log((counts + _UNSEEN) / (counts.sum(axis=1, keepdims=True) + n_blocks * _UNSEEN))
        before, found = found, np.stack([_best(draw, log_chances) for draw in assignments])
        counts = assignment_counts(assignments, found)
        if (found == before).all():
            break
    ranks = np.empty(n_blocks, dtype=np.int64)
    ranks[np.argsort(-counts.sum(axis=0), kind="stable")] = np.arange(n_blocks)
    return ranks[found]


def assignment_counts(assignments: Integers, labels: NDArray[np.int64]) -> Floats:
    """Return in how many draws each node is in each block, ``n_nodes x K``, by the common labels."""
    n_nodes, n_blocks = assignments.shape[1], labels.shape[1]
    counts = np.zeros((n_nodes, n_blocks))
    places = np.arange(n_nodes)
    for draw, names in zip(assignments, labels, strict=True):
        counts[places, names[draw]] += 1
    return counts


def relabelled(assignments: Integers, labels: NDArray[np.int64]) -> Integers:
    """Return assignments by their common labels, ``n_draws x n_nodes``."""
    found: Integers = np.take_along_axis(labels, assignments.astype(np.int64), axis=1).astype(assignments.dtype)
    return found


def permuted(values: Floats, labels: NDArray[np.int64], axis: int) -> Floats:
    """Return values by block, ``n_draws x ...``, with the blocks of one axis in their common order."""
    order = np.argsort(labels, axis=1)
    shape = [1] * values.ndim
    shape[0], shape[axis] = order.shape
    found: Floats = np.take_along_axis(values, order.reshape(shape), axis=axis)
    return found


def _best(draw: Integers, log_chances: Floats) -> NDArray[np.int64]:
    n_blocks = log_chances.shape[1]
    gains = np.stack([np.bincount(draw, column, n_blocks) for column in log_chances.T], axis=1)
    _, names = linear_sum_assignment(gains, maximize=True)
    return np.asarray(names, dtype=np.int64)


def _indicators(draw: Integers, n_blocks: int) -> Floats:
    found = np.zeros((len(draw), n_blocks))
    found[np.arange(len(draw)), draw] = 1
    return found
