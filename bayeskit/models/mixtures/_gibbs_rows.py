"""Assignments of the points of which every coordinate is known, and what they come to.

Where no component is tight, log densities are a matrix product of coefficients with 1, the coordinates and their
products, and so are the moments. The last component's is taken from the others' first: K - 1 exponentials a point are
enough. A component so tight that squares would lose its digits is dealt with by differences, chain by chain.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._gibbs_moments import Covariance, Form, Moments
from bayeskit.models.mixtures._gibbs_streams import ChainStreams

Floats = NDArray[np.float64]

LOG_2_PI = math.log(2 * math.pi)
_TIGHT = 1e6  # squared coordinate in units of a variance, above which digits are lost
_LARGEST = 600.0  # of a log ratio whose exponential can still be summed
_AT_ONCE = 1 << 14  # numbers of a chain: more do not stay in the cache


class CompleteRows:
    """Points without anything missing.

    Parameters
    ----------
    y
        ``n x d``, near 0.
    form
        Of the covariances.
    n_components
        K.
    """

    def __init__(self, y: Floats, form: Form, n_components: int) -> None:
        self._y, self._form, self._k = y, form, n_components
        n, d = y.shape
        self._reach = np.abs(y).max(axis=0, initial=0.0)
        self._step = max(256, _AT_ONCE // n_components)
        quadratic = form.quadratic(y)
        features = np.concatenate([np.ones((1, n)), y.T, quadratic])
        self._totals = features.sum(axis=1)
        # Where all components share the quadratic form, it drops out of their differences.
        self._used = 1 + d if form.shared else len(features)
        blocks = range(0, n, self._step)
        self._blocks = [np.ascontiguousarray(features[: self._used, first : first + self._step]) for first in blocks]
        self._room: dict[tuple[int, ...], Floats] = {}

    def assign(
        self, log_weights: Floats, means: Floats, covariance: Covariance, streams: ChainStreams
    ) -> tuple[Moments, Floats]:
        """Draw every point's component, given the parameters.

        Returns
        -------
        moments
            Of the components' points about the means.
        log_likelihood
            ``n_chains``: of these points, assignments summed out.
        """
        n, d = self._y.shape
        uniforms = streams.next("assignments", "uniform", (n,))
        coefficients = self._form.coefficients(log_weights, means, covariance)
        sums, log_likelihood = self._by_products(coefficients, uniforms)
        moments = self._form.raw_moments(sums, self._totals, means)
        tight = self._form.tightness(covariance, self._reach) > _TIGHT
        if tight.any():
            for chain in np.flatnonzero(tight).tolist():
                found, log_likelihood[chain] = self._by_differences(log_weights, means, covariance, uniforms, chain)
                for whole, part in zip(moments, found, strict=True):
                    whole[chain] = part[0]
        return moments, log_likelihood - 0.5 * n * d * LOG_2_PI

    def _by_products(self, coefficients: Floats, uniforms: Floats) -> tuple[Floats, Floats]:
        n_chains, k = len(coefficients), self._k
        last = coefficients[:, -1]
        ends = np.zeros((n_chains, k + 1, self._used))
        ends[:, k] = self._totals[: self._used]
        # Not a product with the matrix, which rounds by how many rows, chains, it has.
        log_likelihood = (last * self._totals).sum(axis=-1)
        relative = (coefficients[:, :-1] - last[:, None])[..., : self._used]
        for place, block in enumerate(self._blocks if k > 1 else ()):
            here = uniforms[:, place * self._step : place * self._step + block.shape[1]]
            logits = np.matmul(relative, block, out=self._space(n_chains, k - 1, block.shape[1]))
            below, log_totals = _choose(logits, here)
            ends[:, 1:k] += below @ block.T
            log_likelihood += log_totals
        return ends[:, 1:] - ends[:, :-1], log_likelihood

    def _by_differences(
        self, log_weights: Floats, means: Floats, covariance: Covariance, uniforms: Floats, chain: int
    ) -> tuple[Moments, float]:
        """Do the same for one chain without squares of coordinates."""
        k, form = self._k, self._form
        log_determinant = np.broadcast_to(covariance.log_determinant[chain], k)
        constants = log_weights[chain] - 0.5 * log_determinant
        found, log_likelihood = None, 0.0
        for first in range(0, len(self._y), self._step):
            y, here = self._y[first : first + self._step], uniforms[chain, first : first + self._step]
            logits = np.stack(
                [constants[j] - 0.5 * form.distances(covariance, chain, j, y - means[chain, j]) for j in range(k)]
            )
            assigned, log_total = choose_rows(logits.T[None], here[None])
            member = (assigned[..., None] == np.arange(k)).astype(float)
            part = form.moments((y - means[chain, assigned[0]])[None], member)
            found = part if found is None else found.plus(part)
            log_likelihood += float(log_total[0])
        assert found is not None
        return found, log_likelihood

    def _space(self, *shape: int) -> Floats:
        """Return room for a block's log ratios, always the same: what is freed would be zeroed when taken again."""
        if shape not in self._room:
            self._room[shape] = np.empty(shape)
        return self._room[shape]


def choose_rows(logits: Floats, uniforms: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Draw components by log weights of any size, ``n_chains x n x K``; return also the sums of their log totals."""
    largest = logits.max(axis=-1, keepdims=True)
    ends = np.cumsum(np.exp(logits - largest), axis=-1)
    assigned: NDArray[np.int64] = (ends[..., :-1] <= (uniforms * ends[..., -1])[..., None]).sum(axis=-1)
    return assigned, (np.log(ends[..., -1]) + largest[..., 0]).sum(axis=-1)


def _choose(logits: Floats, uniforms: Floats) -> tuple[Floats, Floats]:
    """Draw components by log ratios to the last, ``n_chains x (K - 1) x n``, which are overwritten.

    Returns
    -------
    below
        1 where the component is at most this one, else 0.
    log_totals
        ``n_chains``: sums over points of the log of the sum of ratios, the last's own, 1, included.
    """
    lowered: Floats | float = 1.0
    more: Floats | float = 0.0
    large = logits.max(axis=(1, 2)) > _LARGEST
    if large.any():
        shift = np.where(large[:, None], np.maximum(logits.max(axis=1), 0.0), 0.0)
        logits -= shift[:, None]
        lowered, more = np.exp(-shift), shift.sum(axis=1)
    ends = np.exp(logits, out=logits)
    for component in range(1, ends.shape[1]):
        ends[:, component] += ends[:, component - 1]
    totals = ends[:, -1] + lowered
    below = np.greater(ends, (totals * uniforms)[:, None], out=ends)
    return below, np.log(totals).sum(axis=1) + more
