"""Mixtures of multivariate t distributions fitted to points, weighted or not, to propose from.

Peel and McLachlan (2000), doi:10.1023/A:1008981510081: expectation maximisation, here with fixed degrees of freedom.
With importance weights it is the population Monte Carlo of Cappé, Douc, Guillin, Marin and Robert (2008),
doi:10.1007/s11222-008-9059-x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.core.proposals import Mixture, StudentT

Floats = NDArray[np.float64]

SIZES = (1, 2, 4, 8)
FREEDOMS = (4.0, 30.0)  # a mixture has only the heavier tails: parts that fit too closely miss what lies between them
_STEPS = 40
_TOLERANCE = 1e-4  # gain in mean log likelihood below which nothing more is learnt
_POINTS_A_NUMBER = 3  # a component needs so many points for each number it has
_FLOOR = 1e-3  # a component's covariance keeps so much of all points'


@dataclass(frozen=True)
class _Parts:
    weights: Floats
    freedom: float
    means: Floats
    matrices: Floats

    def mixture(self) -> Mixture:
        parts = [StudentT(self.freedom, mean, matrix) for mean, matrix in zip(self.means, self.matrices, strict=True)]
        return Mixture(self.weights, parts)


def fit_student_mixture(points: Floats, weights: Floats | None = None) -> Mixture:
    """Return a mixture of t distributions; how many, and how heavy their tails, by the Bayesian information criterion.

    Parameters
    ----------
    points
        ``n_points x n_dims``.
    weights
        Of the points; all equal unless given.

    Raises
    ------
    InferenceError
        If the points have no volume.
    """
    n_points, n_dims = points.shape
    shares = np.full(n_points, 1 / n_points) if weights is None else weights / weights.sum()
    worth = 1 / np.square(shares).sum()  # Kish's effective number of points
    numbers = 1 + n_dims + n_dims * (n_dims + 1) // 2
    centre, spread = moments(points, shares)
    best, found = math.inf, None
    for size in SIZES:
        if size > 1 and size * numbers * _POINTS_A_NUMBER > worth:
            break
        first_of_size = math.inf
        for freedom in FREEDOMS if size == 1 else FREEDOMS[:1]:
            parts, fit = _fitted(points, shares, _start(points, shares, size, freedom, centre, spread), spread)
            criterion = numbers * len(parts.weights) * math.log(worth) - 2 * worth * fit
            first_of_size = min(first_of_size, criterion)
            if criterion < best:
                best, found = criterion, parts
        if first_of_size > best:
            break
    assert found is not None
    return found.mixture()


def moments(points: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return mean and covariance of points, ``n_points x n_dims``, with shares of sum 1.

    Raises
    ------
    InferenceError
        If the covariance is singular.
    """
    mean = shares @ points
    centred = points - mean
    covariance = np.einsum("i,ij,ik->jk", shares, centred, centred, optimize=True)
    try:
        StudentT(1.0, mean, covariance)
    except ConfigError as error:
        raise InferenceError(
            f"a pilot run found no proposal ({error}); give a proposal, or start points that differ in every coordinate"
        ) from error
    return mean, covariance


def _start(points: Floats, shares: Floats, size: int, freedom: float, centre: Floats, spread: Floats) -> _Parts:
    """Start from points far from each other: k-means++ of Arthur and Vassilvitskii (2007), on the whitened points."""
    if size == 1:
        return _Parts(np.ones(1), freedom, centre[None], spread[None])
    rng = np.random.default_rng(size)
    white = np.linalg.solve(np.linalg.cholesky(spread), (points - centre).T).T
    chosen = [int(rng.choice(len(points), p=shares))]
    distance = np.full(len(points), np.inf)
    for _ in range(size - 1):
        distance = np.minimum(distance, np.square(white - white[chosen[-1]]).sum(axis=1))
        chance = shares * distance
        chosen.append(int(rng.choice(len(points), p=chance / chance.sum())))
    matrices = np.repeat(spread[None] / size ** (2 / points.shape[1]), size, axis=0)
    return _Parts(np.full(size, 1 / size), freedom, points[chosen], matrices)


def _fitted(points: Floats, shares: Floats, parts: _Parts, spread: Floats) -> tuple[_Parts, float]:
    """Improve a mixture until it fits no better; return it with its mean log likelihood."""
    before = -math.inf
    for _ in range(_STEPS):
        log_parts = np.array(
            [
                math.log(weight) + part.log_density(points)
                for weight, part in zip(parts.weights, parts.mixture().parts, strict=True)
            ]
        )
        log_density = np.logaddexp.reduce(log_parts, axis=0)
        fit = float(shares @ log_density)
        if fit - before < _TOLERANCE:
            break
        before = fit
        parts = _improved(points, shares, parts, np.exp(log_parts - log_density), spread)
    return parts, fit


def _improved(points: Floats, shares: Floats, parts: _Parts, belongs: Floats, spread: Floats) -> _Parts:
    n_dims, needed = points.shape[1], points.shape[1] + 2
    worth = np.square((shares * belongs).sum(axis=1)) / np.square(shares * belongs).sum(axis=1)
    kept = np.flatnonzero(worth > needed)
    kept = kept if kept.size else np.array([int(worth.argmax())])
    weights, means, matrices = [], [], []
    for place in kept:
        own = shares * belongs[place]
        centred = points - parts.means[place]
        distance = np.einsum("ij,ij->i", centred @ np.linalg.inv(parts.matrices[place]), centred)
        pulled = own * (parts.freedom + n_dims) / (parts.freedom + distance)
        mean = pulled @ points / pulled.sum()
        centred = points - mean
        matrix = (centred * pulled[:, None]).T @ centred / own.sum()
        weights.append(own.sum())
        means.append(mean)
        matrices.append((1 - _FLOOR) * matrix + _FLOOR * spread)
    return _Parts(np.array(weights) / sum(weights), parts.freedom, np.array(means), np.array(matrices))
