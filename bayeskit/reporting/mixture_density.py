"""Densities of a mixture of normal distributions: in some of its columns, of each draw, and how unusual a point is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIMULATED = 20_000  # points that anomalies are measured against
SMALLEST = 1e-12  # of a standard deviation, in units of the largest of its column
_JITTER = 1e-9  # of correlations: those of a component on few points make a matrix without a Cholesky factor
_CIRCLE = 61  # points of an ellipse


@dataclass(frozen=True)
class Parameters:
    """Parameters of a mixture by draw, in the data's units.

    Parameters
    ----------
    weights
        ``n_draws x n_components``.
    means, sds
        ``n_draws x n_components x n_columns``.
    correlations
        ``n_draws x n_components x n_columns x n_columns``.
    """

    weights: Floats
    means: Floats
    sds: Floats
    correlations: Floats

    def __len__(self) -> int:
        return len(self.weights)

    def few(self, n: int) -> Parameters:
        """Return at most so many draws, evenly spaced."""
        places = np.unique(np.linspace(0, len(self) - 1, min(n, len(self))).astype(int))
        return Parameters(*(part[places] for part in (self.weights, self.means, self.sds, self.correlations)))

    def along(self, columns: Sequence[int]) -> Parameters:
        """Return the parameters of the mixture's marginal distribution in some columns."""
        kept = list(columns)
        return Parameters(
            self.weights, self.means[..., kept], self.sds[..., kept], self.correlations[..., kept, :][..., kept]
        )

    def average(self) -> Parameters:
        """Return one draw: weights, means and covariances of the components, averaged."""
        scales = self.sds[..., :, None] * self.sds[..., None, :]
        covariances = (scales * self.correlations).mean(0)
        sds = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
        with np.errstate(invalid="ignore", divide="ignore"):
            correlations = covariances / (sds[..., :, None] * sds[..., None, :])
        eye = np.eye(sds.shape[-1], dtype=bool)
        correlations = np.where(eye, 1.0, np.nan_to_num(correlations))
        return Parameters(self.weights.mean(0)[None], self.means.mean(0)[None], sds[None], correlations[None])

    def lower(self) -> Floats:
        """Return the lower Cholesky factors of the covariances."""
        n_columns = self.sds.shape[-1]
        shrunk = (self.correlations + _JITTER * np.eye(n_columns)) / (1 + _JITTER)
        try:
            factors = np.linalg.cholesky(shrunk)
        except np.linalg.LinAlgError:
            values, vectors = np.linalg.eigh(shrunk)
            values = np.maximum(values, _JITTER)
            factors = np.linalg.cholesky((vectors * values[..., None, :]) @ np.swapaxes(vectors, -1, -2))
        smallest = SMALLEST * np.max(self.sds, axis=(0, 1))
        floor = np.where(smallest > 0, smallest, np.finfo(float).tiny)
        made: Floats = np.maximum(self.sds, floor)[..., :, None] * factors
        return made


def terms(points: Floats, parameters: Parameters) -> Iterator[Floats]:
    """Yield of each draw the log of weight times density, ``n_points x n_components``, missing coordinates left out."""
    patterns, of_point = np.unique(np.isnan(points), axis=0, return_inverse=True)
    known = [np.flatnonzero(~pattern) for pattern in patterns]
    marginals = [parameters.along(columns.tolist()) for columns in known]
    factors = [marginal.lower() if columns.size else None for marginal, columns in zip(marginals, known, strict=True)]
    with np.errstate(divide="ignore"):
        log_weights = np.log(parameters.weights)
    for draw in range(len(parameters)):
        found = np.repeat(log_weights[draw][None], len(points), axis=0)
        for place, columns in enumerate(known):
            factor = factors[place]
            rows = np.flatnonzero(of_point.ravel() == place)
            if factor is not None:
                found[rows] += _normal(points[rows][:, columns], marginals[place].means[draw], factor[draw])
        yield found


def _normal(points: Floats, means: Floats, lower: Floats) -> Floats:
    """Return normal log densities, ``n_points x n_components``."""
    away = np.swapaxes(points[None] - means[:, None], -1, -2)
    with np.errstate(over="ignore"):
        distance = np.square(np.linalg.solve(lower, away)).sum(-2)
    scale = np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(-1)
    log_density: Floats = -0.5 * distance.T - scale - 0.5 * points.shape[1] * math.log(2 * math.pi)
    return log_density


def log_sum(values: Floats, axis: int) -> Floats:
    """Return the logarithm of a sum of exponentials along an axis."""
    top = values.max(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total: Floats = np.log(np.exp(values - top).sum(axis)) + np.squeeze(top, axis)
    return total


def log_predictive(points: Floats, parameters: Parameters) -> Floats:
    """Return the log of the mean density over draws, ``n_points``."""
    by_draw = np.stack([log_sum(found, -1) for found in terms(points, parameters)])
    return log_sum(by_draw, 0) - math.log(len(parameters))


def responsibilities(points: Floats, parameters: Parameters) -> Floats:
    """Return the probability that a point belongs to a component, averaged over draws, ``n_points x n_components``."""
    total = np.zeros((len(points), parameters.weights.shape[1]))
    for found in terms(points, parameters):
        total += np.exp(found - log_sum(found, -1)[:, None])
    return total / len(parameters)


def simulate(parameters: Parameters, n: int, rng: np.random.Generator) -> Floats:
    """Draw points from the predictive distribution, ``n x n_columns``."""
    draws = rng.integers(len(parameters), size=n)
    cumulated = np.cumsum(parameters.weights, axis=1)[draws]
    component = (rng.random(n)[:, None] * cumulated[:, -1:] > cumulated[:, :-1]).sum(1)
    noise = rng.standard_normal((n, parameters.means.shape[-1]))
    made: Floats = parameters.means[draws, component] + np.einsum(
        "nij,nj->ni", parameters.lower()[draws, component], noise
    )
    return made


def rarity(points: Floats, parameters: Parameters, rng: np.random.Generator) -> Floats:
    """Return the probability that a new point is less probable than each of these, ``n_points``.

    Parameters
    ----------
    points
        Without missing coordinates.
    parameters
        A few draws: both densities are averages over them.
    rng
        For the new points, of which there are ``SIMULATED``.
    """
    new = np.sort(log_predictive(simulate(parameters, SIMULATED, rng), parameters))
    below: Floats = np.searchsorted(new, log_predictive(points, parameters)) / new.size
    return below


def levels(parameters: Parameters, shares: Sequence[float], rng: np.random.Generator, n: int = 4000) -> Floats:
    """Return the log densities above which these shares of new points lie."""
    found: Floats = np.quantile(log_predictive(simulate(parameters, n, rng), parameters), [1 - s for s in shares])
    return found


def ellipses(parameters: Parameters, component: int, share: float) -> Floats:
    """Return of each draw the ellipse that holds a share of a component, ``n_draws x n_ellipse x 2``.

    The squared distance from the mean of a normal distribution of two dimensions is exponential with a mean of 2.
    """
    angle = np.linspace(0, 2 * np.pi, _CIRCLE)
    circle = math.sqrt(-2 * math.log(1 - share)) * np.stack([np.cos(angle), np.sin(angle)])
    lines = parameters.means[:, component, None] + np.swapaxes(parameters.lower()[:, component] @ circle, -1, -2)
    made: Floats = lines
    return made
