"""The joint test: how far apart two results are in many directions at once.

The sliced Wasserstein distance, Bonneel, Rabin, Peyré and Pfister (2015), doi:10.1007/s10851-014-0506-3: the mean over
directions of the Wasserstein distance of the projected draws; here the root of the mean of its square, whose null is
close to that of a quadratic form. Quantities enter as normal scores of their pooled ranks,
so that heavy tails do no harm and only what is joint is left to be seen: half of the directions lie in the plane of two
quantities, where a correlation shows, the others anywhere.

Its null comes from permutations of effectively independent draws: of chains one in two autocorrelation times, of
weighted draws those that rejection by their weights leaves, of each family one. P-values below what so many
permutations can show come from the Pearson type III law with their first three moments, Winkler, Ridgway, Douaud,
Nichols and Smith (2016), doi:10.1016/j.neuroimage.2016.05.068, its skewness enlarged by its standard error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearson3, skew

from bayeskit.diagnostics.agreement_profiles import Profile
from bayeskit.diagnostics.agreement_ranks import normal_scores

Floats = NDArray[np.float64]

MAX_DRAWS = 1500  # of each result
MIN_DRAWS = 50
DIRECTIONS = 24
PERMUTATIONS = 200
ENOUGH = 10  # permutations beyond the distance, from which their share is the p-value
APART = 2.0  # autocorrelation times between draws that count as independent


def independent_draws(one: Profile, rng: np.random.Generator) -> Floats:
    """Return draws of all cells that are independent as far as can be told, at most ``MAX_DRAWS x n_cells``."""
    places = _thinned(one) if one.chains else _accepted(one, rng)
    if places.size > MAX_DRAWS:
        places = rng.choice(places, MAX_DRAWS, replace=False)
    return one.draws[:, places].T


def sliced_wasserstein(first: Floats, second: Floats, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return the distance of two samples, ``n x n_cells``, what it is in permutations, and the p-value."""
    draws = np.concatenate([first, second])
    n, m = len(first), len(second)
    standard = np.column_stack([_standard(column) for column in draws.T])
    projected = standard @ _directions(draws.shape[1], rng)
    shares = np.empty((1 + PERMUTATIONS, n + m), dtype=np.float32)
    shares[0] = np.concatenate([np.full(n, 1 / n), np.full(m, -1 / m)])
    shares[1:] = rng.permuted(np.broadcast_to(shares[0], (PERMUTATIONS, n + m)), axis=1)
    total = np.zeros(1 + PERMUTATIONS)
    for column in projected.T:
        order = np.argsort(column, kind="stable")
        gaps = np.diff(column[order]).astype(np.float32)
        total += np.square(np.abs(np.cumsum(shares[:, order], axis=1)[:, :-1]) @ gaps)
    squares = total / DIRECTIONS
    usual = float(np.sqrt(squares[1:].mean()))
    return float(np.sqrt(squares[0])), usual, _p_value(float(squares[0]), squares[1:])


def _p_value(distance: float, permuted: Floats) -> float:
    beyond = int((permuted >= distance).sum())
    if beyond >= ENOUGH:
        return (1 + beyond) / (1 + permuted.size)
    shape = max(0.0, float(skew(permuted))) + float(np.sqrt(6 / permuted.size))
    z = (distance - permuted.mean()) / permuted.std(ddof=1)
    # Not below, where few permutations already say more.
    return float(min(pearson3.sf(z, shape), (1 + ENOUGH) / (1 + permuted.size)))


def _standard(column: Floats) -> Floats:
    order = np.argsort(column, kind="stable")
    found = np.empty_like(column)
    found[order] = normal_scores(column[order], np.full(column.size, 1 / column.size))
    return found


def _directions(n_cells: int, rng: np.random.Generator) -> Floats:
    """Return unit vectors, ``n_cells x DIRECTIONS``."""
    found = rng.standard_normal((n_cells, DIRECTIONS))
    for column in found.T[: DIRECTIONS // 2]:
        pair = rng.choice(n_cells, 2, replace=False)
        kept = rng.choice([-1.0, 1.0], 2)
        column[:] = 0.0
        column[pair] = kept
    found /= np.linalg.norm(found, axis=0)
    return found


def _thinned(one: Profile) -> NDArray[np.int64]:
    n_chains, n_draws = one.shape
    size = float(np.nanmin(one.smallest_size))
    step = max(1, int(np.ceil(APART * n_chains * n_draws / size))) if size < n_chains * n_draws else 1
    # From the end, where a chain is furthest from where it started.
    kept = np.arange(n_draws - 1, -1, -step)[::-1]
    return (np.arange(n_chains)[:, None] * n_draws + kept).ravel()


def _accepted(one: Profile, rng: np.random.Generator) -> NDArray[np.int64]:
    """Accept families in proportion to their weight, and of each one draw in proportion to its own."""
    families = np.arange(one.weights.size) if one.families is None else one.families
    mass = np.bincount(families, one.weights)
    accepted = rng.random(mass.size) * mass.max() < mass
    # The largest of exponential clocks with these rates: one of each family, by weight (Efraimidis, Spirakis 2006).
    with np.errstate(divide="ignore", over="ignore"):
        keys = np.log(rng.random(one.weights.size)) / one.weights
    order = np.lexsort((keys, families))
    last = order[np.append(families[order][1:] != families[order][:-1], True)]
    found: NDArray[np.int64] = last[accepted[families[last]]]
    return found
