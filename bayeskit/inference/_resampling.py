"""Resampling: which of weighted particles go on, each as often, in expectation, as its weight says.

Douc, Cappé and Moulines (2005), doi:10.1109/ISPA.2005.195385: given the weights, stratified and residual resampling
never have more variance than multinomial resampling; systematic resampling usually has the least, without proof.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import InferenceError

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Scheme = Literal["systematic", "stratified", "residual", "multinomial"]

_BELOW_ONE = float(np.nextafter(1.0, 0.0))


def resample(scheme: Scheme, weights: Floats, n: int, rng: np.random.Generator) -> Places:
    """Return the places of ``n`` particles that go on, in ascending order; particle i's expected number is n w_i.

    Parameters
    ----------
    scheme
        ``systematic``: equally spaced points from one uniform number, so that particle i goes on ``n w_i`` times,
        rounded up or down; ``stratified``: one point in each of ``n`` strata; ``residual``: ``n w_i`` times, rounded
        down, the rest at random; ``multinomial``: all at random.
    weights
        Not negative, up to a constant.
    n
        How many go on.
    rng
        Where the randomness comes from.

    Raises
    ------
    InferenceError
        If all weights are 0, or some are no numbers.
    """
    total = float(weights.sum())
    if not 0 < total < np.inf or weights.min() < 0:
        raise InferenceError(
            f"there is nothing to resample: the weights' sum is {total:g}; start closer to the density"
        )
    return _SCHEMES[scheme](weights / total, n, rng)


def _systematic(weights: Floats, n: int, rng: np.random.Generator) -> Places:
    return _at((np.arange(n) + rng.random()) / n, weights)


def _stratified(weights: Floats, n: int, rng: np.random.Generator) -> Places:
    return _at((np.arange(n) + rng.random(n)) / n, weights)


def _residual(weights: Floats, n: int, rng: np.random.Generator) -> Places:
    sure = np.floor(n * weights).astype(np.int64)
    kept = np.repeat(np.arange(weights.size), sure)
    rest = n - kept.size
    if rest <= 0:  # n w are whole numbers
        return kept[:n]
    return np.sort(np.concatenate([kept, _multinomial(n * weights - sure, rest, rng)]))


def _multinomial(weights: Floats, n: int, rng: np.random.Generator) -> Places:
    return _at(np.sort(rng.random(n)), weights)


def _at(points: Floats, weights: Floats) -> Places:
    """Return which particle's share of the interval from 0 to 1 each point lies in: never one without weight."""
    ends = np.cumsum(weights)
    ends /= ends[-1]
    places: Places = np.searchsorted(ends, np.minimum(points, _BELOW_ONE), side="right")
    return places


_SCHEMES: dict[str, Callable[[Floats, int, np.random.Generator], Places]] = {
    "systematic": _systematic,
    "stratified": _stratified,
    "residual": _residual,
    "multinomial": _multinomial,
}
