"""The exact simultaneous band around the distribution function of uniform values, its p-value and its power.

Of n independent uniform values C_k lie at or below the point z_k; each count is binomial. A curve of counts is as
strange as its strangest point, which is the smallest over the points of the two-sided binomial tail probabilities
(Säilynoja, Bürkner and Vehtari 2022, doi:10.1007/s11222-022-10090-6). How that smallest one is distributed follows
exactly from one recursion from point to point: n uniform values are a Poisson process of which n points are known, so
that counts between neighbouring points are independent but for their sum (Moscovich and Nadler 2017,
doi:10.1016/j.spl.2016.11.027). The mass that crosses is added up as it does so, without any subtraction, so that small
p-values keep their digits. The band holds what has a p-value of at least ``alpha``, and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

N_CELLS = 100
GRID: Floats = np.arange(1, N_CELLS) / N_CELLS
POWER = 0.8
_WIDEST = 1000.0  # a standard deviation wrong by more than that is no longer asked for


@dataclass(frozen=True, eq=False)
class Band:
    """The smallest and the largest count at each point of ``GRID`` that stay inside, ``n_points``, of ``n`` values."""

    n: int
    low: Counts
    high: Counts

    def holds(self, counts: Counts) -> bool:
        """Return whether a curve of counts stays inside everywhere."""
        return bool(np.all((counts >= self.low) & (counts <= self.high)))


def curve(values: Floats) -> Counts:
    """Return how many values lie at or below each point of ``GRID``."""
    counts: Counts = np.searchsorted(np.sort(values), GRID, side="right")
    return counts


@lru_cache(maxsize=32)
def band(n: int, alpha: float) -> Band:
    """Return the band that ``n`` uniform values leave with a probability below ``alpha``, the closest one there is.

    Parameters
    ----------
    n
        Number of values, at least 1.
    alpha
        Between 0 and 1.
    """
    tails = _tails(n)
    levels = np.unique(tails)
    first, last = 0, levels.size - 1
    while first < last:  # the smallest level that is reached with a probability of at least alpha
        middle = (first + last) // 2
        if _strange(n, float(levels[middle])) < alpha:
            first = middle + 1
        else:
            last = middle
    return _band(n, tails >= levels[first])


def p_value(values: Floats) -> float:
    """Return the probability that as many uniform values make a curve at least as strange.

    Parameters
    ----------
    values
        In [0, 1], at least one.
    """
    counts = curve(values)
    strangest = _tails(values.size)[np.arange(GRID.size), counts].min()
    return _strange(values.size, float(strangest))


def power(n: int, alpha: float, factor: float) -> float:
    """Return how likely ``n`` simulations leave the band where a posterior's standard deviation is wrong.

    Parameters
    ----------
    n, alpha
        Of the band.
    factor
        The right standard deviation over that of the posterior: above 1, it is too narrow. The posterior is taken to be
        normal, so that the truth's place in it is distributed as Phi(factor Z).
    """
    from scipy.special import ndtr, ndtri

    return crossing(band(n, alpha), ndtr(ndtri(GRID) / factor))


def detectable(n: int, alpha: float, probability: float = POWER) -> float:
    """Return by which factor a posterior must be too narrow to be found with this probability; infinite if none is."""
    from scipy.optimize import brentq

    if n == 0 or power(n, alpha, _WIDEST) < probability:
        return math.inf
    root: float = brentq(
        lambda log_factor: power(n, alpha, math.exp(log_factor)) - probability, 0.0, math.log(_WIDEST), xtol=1e-4
    )
    return math.exp(root)


def simulations_for(factor: float, alpha: float, probability: float = POWER) -> int:
    """Return about how many simulations find a posterior that is too narrow by this factor."""
    enough = 8
    while power(enough, alpha, factor) < probability:
        enough *= 2
    few = enough // 2
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if power(middle, alpha, factor) >= probability else (middle, enough)
    return enough


def crossing(within: Band, cumulative: Floats = GRID) -> float:
    """Return the probability that a curve of independent values leaves a band.

    Parameters
    ----------
    within
        The band.
    cumulative
        The values' distribution function at the points of ``GRID``; that of uniform ones unless given.
    """
    from scipy.special import gammaln, xlogy

    n = within.n
    totals = np.arange(n + 1)

    def poisson(mean: float) -> Floats:
        pmf: Floats = np.exp(xlogy(totals, mean) - mean - gammaln(totals + 1))
        return pmf

    mass, start, crossed = np.ones(1), 0, 0.0
    kernels: dict[float, Floats] = {}
    for place, step in enumerate(np.diff(cumulative, prepend=0.0).round(15)):  # equal steps share their kernel
        if step not in kernels:
            kernels[step] = np.trim_zeros(poisson(n * step), "b")
        mass = np.convolve(mass, kernels[step])[: n + 1 - start]
        inside = slice(max(within.low[place] - start, 0), max(within.high[place] + 1 - start, 0))
        rest = poisson(n * (1 - cumulative[place]))[::-1]  # by the count so far: the others come later
        leaving = mass * rest[start : start + mass.size]
        crossed += float(leaving[: inside.start].sum() + leaving[inside.stop :].sum())
        mass, start = mass[inside], start + inside.start
        if not mass.size:
            break
    return min(crossed / float(poisson(n)[n]), 1.0)


@lru_cache(maxsize=8)
def _tails(n: int) -> Floats:
    """Return each count's two-sided tail probability, ``n_points x (n + 1)``, exactly the same seen from both ends."""
    from scipy.special import bdtr

    lower = bdtr(np.arange(n + 1)[None, :], n, GRID[:, None])
    tails: Floats = np.minimum(2 * np.minimum(lower, lower[::-1, ::-1]), 1.0)
    return tails


@lru_cache(maxsize=8192)  # of thousands of quantities, many are equally strange
def _strange(n: int, level: float) -> float:
    """Return the probability that some count has a tail probability of at most ``level``."""
    return crossing(_band(n, _tails(n) > level))


def _band(n: int, inside: NDArray[np.bool_]) -> Band:
    """Return the band of these counts; where none is inside, one that nothing can stay in."""
    some = inside.any(axis=1)
    low = np.where(some, inside.argmax(axis=1), n + 1)
    high = np.where(some, n - inside[:, ::-1].argmax(axis=1), -1)
    return Band(n, low, high)
