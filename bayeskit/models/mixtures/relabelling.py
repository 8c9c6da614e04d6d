"""Label switching undone after sampling: every draw's components are put in the order that agrees best with the others.

The posterior of a mixture does not change when its components change places, so that a draw's labels mean nothing by
themselves. Stephens (2000), doi:10.1111/1467-9868.00265, algorithm 2: with ``p`` a draw's responsibilities, the chances
``p[i, k]`` that component k made point i, find permutations and a matrix ``q`` that have the smallest

    loss = sum over draws s, points i and components k of p[s, i, j] log(p[s, i, j] / q[i, k]),    j = permutation[s, k]

by turns: ``q`` the mean of the permuted responsibilities, and each draw's permutation that of an assignment problem,
where it costs ``-sum over i of p[s, i, j] log q[i, k]`` to call the label j the component k. Either step lowers the
loss or leaves it. The first ``q`` comes from one draw, the pivot.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations as all_permutations

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures.likelihood import log_joint, log_sum_exp
from bayeskit.models.mixtures.parameters import Components

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]

MOST_POINTS = 500  # that labels are told apart by
_MOST_NUMBERS = 6_000_000  # responsibilities held at once
_AT_ONCE = 1 << 17  # of these in a block that is computed while it lies in cache
_POOL = 50_000  # points from which these are taken
_MOST_PIVOTS = 500
_MOST_ROUNDS = 100
_FEW_COMPONENTS = 4  # all of their permutations are tried at once
_FLOOR = 1e-12  # of q: else a component that one draw leaves empty could never be another's
_DOUBT = 0.02  # of the pivot, which is one draw: mixed with the uniform distribution


@dataclass(frozen=True)
class Relabelling:
    """Permutations of the draws' labels.

    Parameters
    ----------
    permutations
        ``n_draws x n_components``: which of a draw's labels each component has.
    reference
        ``n_points x n_components``, the matrix q that they were brought in line with.
    losses
        After each round, never rising.
    """

    permutations: Labels
    reference: Floats
    losses: tuple[float, ...]


def relabel(responsibilities: Floats, pivot: int = 0) -> Relabelling:
    """Bring the labels of draws in line by Stephens' algorithm.

    Parameters
    ----------
    responsibilities
        ``n_draws x n_points x n_components``.
    pivot
        The draw whose labels are the first reference, best one of high density.
    """
    n_components = responsibilities.shape[-1]
    negentropy = float(np.sum(responsibilities * np.log(np.maximum(responsibilities, np.finfo(float).tiny))))
    reference = (1 - _DOUBT) * responsibilities[pivot] + _DOUBT / n_components
    found: Labels | None = None
    losses: list[float] = []
    for _ in range(_MOST_ROUNDS):
        costs = _costs(responsibilities, reference)
        new = _cheapest(costs)
        losses.append(negentropy + float(np.take_along_axis(costs, new[..., np.newaxis], axis=-1).sum()))
        if found is not None and np.array_equal(new, found):
            break
        found = new
        reference = np.take_along_axis(responsibilities, found[:, np.newaxis, :], axis=-1).mean(axis=0)
    assert found is not None
    return Relabelling(found, reference, tuple(losses))


def in_line(responsibilities: Floats, reference: Floats) -> Labels:
    """Return the permutations, ``n_draws x n_components``, that agree best with a reference that is given."""
    return _cheapest(_costs(responsibilities, reference))


def common_labels(y: Floats, components: Components, log_prior: Floats) -> Labels:
    """Return permutations that bring the labels of a mixture's draws in line, largest mean weight first.

    Parameters
    ----------
    y
        ``n_points x n_columns``, NaN where missing. Of many points some are taken, with as many from each component of
        the pivot as there are.
    components
        With ``n_draws`` as the one leading dimension. Of many draws some make the reference that all are brought in
        line with.
    log_prior
        ``n_draws``; the pivot is the draw of the highest density of some hundred, by these and the points taken.

    Returns
    -------
    array
        ``n_draws x n_components``; ``components.weights[draw, permutations[draw]]`` are in the common order.
    """
    n_draws, n_components = components.weights.shape
    rng = np.random.default_rng(0)
    few = rng.permutation(len(y))[:MOST_POINTS]
    thinned = np.arange(0, n_draws, -(-n_draws * few.size * n_components // _MOST_NUMBERS))
    step = -(-thinned.size // _MOST_PIVOTS)
    candidates = thinned[::step]
    pivot = int(np.argmax(_responsibilities(y[few], components[candidates])[1] + log_prior[candidates]))
    if len(y) > few.size:
        few = _from_each_component(y, components[candidates[pivot]], rng)
    found = relabel(_responsibilities(y[few], components[thinned])[0], pivot * step)
    permutations = found.permutations
    if thinned.size < n_draws:
        blocks = np.array_split(np.arange(n_draws), -(-n_draws // thinned.size))
        permutations = np.concatenate(
            [in_line(_responsibilities(y[few], components[block])[0], found.reference) for block in blocks]
        )
    weights = np.take_along_axis(components.weights, permutations, axis=-1).mean(axis=0)
    return permutations[:, np.argsort(-weights, kind="stable")]


def permuted(array: NDArray[np.generic], permutations: Labels) -> NDArray[np.generic]:
    """Return ``n_draws x n_components x ...`` with each draw's components in their new places."""
    return np.take_along_axis(array, permutations.reshape(*permutations.shape, *[1] * (array.ndim - 2)), axis=1)


def _from_each_component(y: Floats, pivot: Components, rng: np.random.Generator) -> Labels:
    """Return points, as many of each of the pivot's components as there are, so that no small one goes unseen."""
    pool = rng.permutation(len(y))[:_POOL]
    holder = np.argmax(log_joint(y[pool], pivot), axis=-1)
    order = np.argsort(holder, kind="stable")
    place = np.empty(pool.size, dtype=np.intp)  # of each point within its component
    starts = np.searchsorted(holder[order], holder[order])
    place[order] = np.arange(pool.size) - starts
    return np.sort(pool[np.argsort(place, kind="stable")[:MOST_POINTS]])


def _responsibilities(y: Floats, components: Components) -> tuple[Floats, Floats]:
    """Return ``n_draws x n_points x n_components``, and the log likelihood of these points, ``n_draws``."""
    n_draws, n_components = components.weights.shape
    found, total = np.empty((n_draws, len(y), n_components)), np.empty(n_draws)
    step = max(1, _AT_ONCE // (len(y) * n_components))
    for first in range(0, n_draws, step):
        block = slice(first, first + step)
        log_terms = log_joint(y, components[block])
        log_density = log_sum_exp(log_terms)
        total[block] = log_density.sum(axis=-1)
        np.exp(log_terms - log_density[..., np.newaxis], out=found[block])
    return found, total


def _costs(responsibilities: Floats, reference: Floats) -> Floats:
    """Return ``n_draws x n_components x n_components``, what it costs to call label j (last) the component k."""
    costs: Floats = np.matmul(-np.log(np.maximum(reference, _FLOOR)).T, responsibilities)
    return costs


def _cheapest(costs: Floats) -> Labels:
    """Solve the assignment problem of each draw."""
    n_components = costs.shape[-1]
    places = np.arange(n_components)
    if n_components <= _FEW_COMPONENTS:
        candidates = np.array(list(all_permutations(range(n_components))))
        totals = costs[:, places, candidates].sum(axis=-1)
        return np.asarray(candidates[np.argmin(totals, axis=-1)], dtype=np.intp)
    from scipy.optimize import linear_sum_assignment

    best: Labels = np.argmin(costs, axis=-1)
    clash = (np.sort(best, axis=-1) != places).any(axis=-1)  # else each has its cheapest label, and nothing can be less
    for draw in np.flatnonzero(clash):
        best[draw] = linear_sum_assignment(costs[draw])[1]
    return best
