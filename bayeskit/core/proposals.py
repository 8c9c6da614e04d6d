"""Distributions to propose from: each draws points and gives their log density, normalised.

Densities and samplers are the textbooks', e.g. Devroye (1986), https://luc.devroye.org/rnbookindex.html.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bayeskit.core._covariances import Factor, assign, matrix, vector
from bayeskit.core.errors import ConfigError

Floats = NDArray[np.float64]


@runtime_checkable
class Proposal(Protocol):
    """A distribution that points can be drawn from and whose normalised density is known."""

    @property
    def n_dims(self) -> int:
        """Number of coordinates of a point."""
        ...

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x n_dims``, independent of each other."""
        ...

    def log_density(self, points: Floats) -> Floats:
        """Return normalised log densities, ``n_points``, of points ``n_points x n_dims``; -inf outside the support."""
        ...


@dataclass(frozen=True, eq=False)
class Normal:
    """Multivariate normal distribution.

    Parameters
    ----------
    mean
        ``n_dims``.
    covariance
        ``n_dims x n_dims``.

    Raises
    ------
    ConfigError
        If the covariance is not symmetric and positive definite, or does not fit the mean.
    """

    mean: Floats
    covariance: Floats
    _factor: Factor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        assign(self, mean=vector("mean", self.mean))
        assign(self, covariance=matrix("covariance", self.covariance, self.mean.size))
        assign(self, _factor=Factor.of("covariance", self.covariance))

    @property
    def n_dims(self) -> int:
        """Number of coordinates of a point."""
        return self.mean.size

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x n_dims``."""
        return self.mean + self._factor.colour(rng.standard_normal((n, self.n_dims)))

    def log_density(self, points: Floats) -> Floats:
        """Return normalised log densities, ``n_points``."""
        distance = self._factor.distance(points - self.mean)
        return -0.5 * (distance + self.n_dims * math.log(2 * math.pi)) - self._factor.log_volume


@dataclass(frozen=True, eq=False)
class StudentT:
    """Multivariate t distribution, with tails that are the heavier the fewer degrees of freedom it has.

    Parameters
    ----------
    degrees_of_freedom
        Above 0; the mean exists above 1, the covariance above 2.
    mean
        Centre, ``n_dims``.
    scale_matrix
        ``n_dims x n_dims``; the covariance is that times ``degrees_of_freedom / (degrees_of_freedom - 2)``.

    Raises
    ------
    ConfigError
        If the scale matrix is not symmetric and positive definite, or does not fit the mean.
    """

    degrees_of_freedom: float
    mean: Floats
    scale_matrix: Floats
    _factor: Factor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.degrees_of_freedom < math.inf:
            raise ConfigError(
                f"degrees_of_freedom must be a number above 0, got {self.degrees_of_freedom}; take Normal for infinity"
            )
        assign(self, mean=vector("mean", self.mean))
        assign(self, scale_matrix=matrix("scale_matrix", self.scale_matrix, self.mean.size))
        assign(self, _factor=Factor.of("scale_matrix", self.scale_matrix))

    @property
    def n_dims(self) -> int:
        """Number of coordinates of a point."""
        return self.mean.size

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x n_dims``."""
        normal = rng.standard_normal((n, self.n_dims))
        stretch = np.sqrt(rng.chisquare(self.degrees_of_freedom, n) / self.degrees_of_freedom)
        # Of very few degrees of freedom the square underflows once in a while; the point is as far out as can be told.
        return self.mean + self._factor.colour(normal / np.maximum(stretch, 1e-150)[:, None])

    def log_density(self, points: Floats) -> Floats:
        """Return normalised log densities, ``n_points``."""
        freedom, size = float(self.degrees_of_freedom), self.n_dims
        constant = math.lgamma((freedom + size) / 2) - math.lgamma(freedom / 2) - size / 2 * math.log(freedom * math.pi)
        distance = self._factor.distance(points - self.mean)
        return constant - self._factor.log_volume - (freedom + size) / 2 * np.log1p(distance / freedom)


@dataclass(frozen=True, eq=False)
class Uniform:
    """Uniform distribution on a box.

    Parameters
    ----------
    lower, upper
        Its corners, ``n_dims`` each.
    whole
        ``n_dims``, which coordinates take whole numbers only; None for none.

    Raises
    ------
    ConfigError
        If the box is empty or endless.
    """

    lower: Floats
    upper: Floats
    whole: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        assign(self, lower=vector("lower", self.lower), upper=vector("upper", self.upper))
        if self.lower.shape != self.upper.shape or not np.all(self.lower < self.upper):
            raise ConfigError("lower must lie below upper in every coordinate of the box; correct lower and upper")
        with np.errstate(over="ignore"):
            finite = np.isfinite(self.upper - self.lower).all()
        if not finite:
            raise ConfigError("upper - lower is not finite; take a smaller box")
        if self.whole is not None and not np.all(self._sizes > 0):
            raise ConfigError("there is no whole number between lower and upper in some coordinate; take a larger box")

    @property
    def n_dims(self) -> int:
        """Number of coordinates of a point."""
        return self.lower.size

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x n_dims``."""
        share = rng.random((n, self.n_dims))
        points = np.minimum(self.lower + share * (self.upper - self.lower), self.upper)  # rounding may step over it
        if self.whole is None:
            return points
        counted = np.ceil(self.lower) + np.floor(share * self._sizes)
        return np.where(self.whole, np.minimum(counted, np.floor(self.upper)), points)

    def log_density(self, points: Floats) -> Floats:
        """Return normalised log densities, ``n_points``; of whole numbers, probabilities."""
        inside = (points >= self.lower) & (points <= self.upper)
        if self.whole is not None:
            inside &= ~self.whole | (points == np.round(points))
        return np.where(inside.all(axis=1), -np.log(self._sizes).sum(), -np.inf)

    @property
    def _sizes(self) -> Floats:
        """Return each coordinate's length, or how many whole numbers it may take."""
        length = self.upper - self.lower
        if self.whole is None:
            return length
        return np.where(self.whole, np.floor(self.upper) - np.ceil(self.lower) + 1, length)


@dataclass(frozen=True, eq=False)
class ShiftedExponential:
    """Exponential distribution of one coordinate, above an origin.

    Parameters
    ----------
    origin
        Where it starts.
    rate
        One over the mean distance from there.

    Raises
    ------
    ConfigError
        If the rate is not above 0.
    """

    origin: float
    rate: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.origin):
            raise ConfigError(f"origin must be a finite number, got {self.origin}")
        if not 0 < self.rate < math.inf:
            raise ConfigError(f"rate must be a finite number above 0, got {self.rate}")

    @property
    def n_dims(self) -> int:
        """Number of coordinates of a point: 1."""
        return 1

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x 1``."""
        return self.origin + rng.standard_exponential((n, 1)) / self.rate

    def log_density(self, points: Floats) -> Floats:
        """Return normalised log densities, ``n_points``."""
        above = points[:, 0] - self.origin
        return np.where(above >= 0, math.log(self.rate) - self.rate * above, -np.inf)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Mixture of distributions over the same coordinates; each point comes from one of them, drawn by its weight.

    Parameters
    ----------
    weights
        Of the parts, above 0; they are scaled to sum 1.
    parts
        The distributions.

    Raises
    ------
    ConfigError
        If weights and parts do not fit each other, or the parts differ in their number of coordinates.
    """

    weights: Floats
    parts: Sequence[Proposal]

    def __post_init__(self) -> None:
        weights = vector("weights", self.weights)
        if weights.size != len(self.parts) or not np.all(weights > 0):
            raise ConfigError(f"weights must be {len(self.parts)} numbers above 0, one a part, got {weights.tolist()}")
        if len(sizes := {part.n_dims for part in self.parts}) > 1:
            raise ConfigError(f"the parts of a mixture must have as many coordinates each, got {sorted(sizes)}")
        assign(self, weights=weights / weights.sum(), parts=tuple(self.parts))

    @property
    def n_dims(self) -> int:
        """Number of coordinates of a point."""
        return self.parts[0].n_dims

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x n_dims``."""
        chosen = np.searchsorted(np.cumsum(self.weights[:-1]), rng.random(n), side="right")
        points = np.empty((n, self.n_dims))
        for place, part in enumerate(self.parts):
            rows = np.flatnonzero(chosen == place)
            points[rows] = part.sample(rng, rows.size)
        return points

    def log_density(self, points: Floats) -> Floats:
        """Return normalised log densities, ``n_points``: of the mixture, whichever part a point came from."""
        parts = [
            math.log(weight) + part.log_density(points) for weight, part in zip(self.weights, self.parts, strict=True)
        ]
        return np.asarray(np.logaddexp.reduce(parts, axis=0))
