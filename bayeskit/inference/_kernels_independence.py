"""Independence proposals: candidates come from one distribution, wherever the chain stands.

Tierney (1994), doi:10.1214/aos/1176325750. Everything random comes from the chains' streams, so that only
distributions are offered here that standard normal and uniform numbers make.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.core.proposals import Normal, StudentT, Uniform
from bayeskit.inference._kernels_discrete import finite
from bayeskit.inference._kernels_types import Propose, Tuning, as_numpy, coloured, like
from bayeskit.inference._streams import Streams


def independence(distribution: Normal | StudentT | Uniform | Sequence[float] | NDArray[np.float64]) -> Propose:
    """Return the proposal that draws candidates from a distribution.

    Parameters
    ----------
    distribution
        A normal, Student's t or uniform one; or the probabilities of the states 0 to n - 1 of one coordinate.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    if isinstance(distribution, Normal):
        gaussian = Gaussian.of(distribution.mean, distribution.covariance)
        return _independence(gaussian.draw, lambda position: -0.5 * gaussian.distance(position))
    if isinstance(distribution, StudentT):
        return _student(distribution)
    if isinstance(distribution, Uniform):
        return _uniform(distribution)
    if isinstance(distribution, (Sequence, np.ndarray)):
        probabilities = np.asarray(distribution, dtype=float)
        if probabilities.ndim != 1:
            raise ConfigError(f"probabilities must be a row of numbers, got shape {probabilities.shape}")
        return finite(np.tile(probabilities, (probabilities.size, 1)))
    raise ConfigError(
        f"an independence proposal can be normal, Student's t, uniform, or probabilities of states, "
        f"got {type(distribution).__name__}; take one of these, or proposal()"
    )


class Gaussian(NamedTuple):
    """A normal distribution by its mean, its covariance's Cholesky factor and that factor's inverse."""

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]
    inverse: NDArray[np.float64]

    @classmethod
    def of(cls, mean: Any, covariance: Any) -> Gaussian:
        """Make one; ``Normal`` raises where the covariance is none."""
        checked = Normal(mean, covariance)
        factor = np.asarray(np.linalg.cholesky(checked.covariance), dtype=float)
        return cls(checked.mean, factor[None], np.asarray(np.linalg.inv(factor), dtype=float)[None])

    def noise(self, streams: Streams, position: Any) -> Any:
        """Return draws around 0."""
        return self.colour(streams.normal(self.mean.size))

    def draw(self, streams: Streams, position: Any) -> Any:
        """Return draws."""
        return like(self.mean, position) + self.noise(streams, position)

    def colour(self, white: Any) -> Any:
        """Return independent coordinates with the covariance's correlations and scales."""
        return coloured(white, like(self.factor, white))

    def whiten(self, position: Any) -> Any:
        """Return the coordinates that ``colour`` makes positions of, around the mean."""
        return coloured(position - like(self.mean, position), like(self.inverse, position))

    def distance(self, position: Any) -> Any:
        """Return squared Mahalanobis distances, ``n_chains``."""
        return (self.whiten(position) ** 2).sum(1)


def _independence(draw: Callable[[Streams, Any], Any], log_density: Callable[[Any], Any]) -> Propose:
    def propose(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, Any]:
        candidate = draw(streams, position)
        return candidate, log_density(position) - log_density(candidate)

    return propose


def _student(distribution: StudentT) -> Propose:
    from scipy.special import gammaincinv

    gaussian = Gaussian.of(distribution.mean, distribution.scale_matrix)
    freedom = float(distribution.degrees_of_freedom)
    power = (freedom + distribution.n_dims) / 2

    def draw(streams: Streams, position: Any) -> Any:
        noise = gaussian.noise(streams, position)
        # 0 is among the uniform numbers, but not the quantile of it.
        uniform = np.maximum(as_numpy(streams.uniform()), np.finfo(float).eps / 2)
        chi_square = np.maximum(2 * gammaincinv(freedom / 2, uniform), np.finfo(float).tiny)
        return like(gaussian.mean, position) + noise * like(np.sqrt(freedom / chi_square), position)[:, None]

    def log_density(position: Any) -> Any:
        ratio = gaussian.distance(position) / freedom
        return -power * (np.log1p(ratio) if isinstance(ratio, np.ndarray) else ratio.log1p())

    return _independence(draw, log_density)


def _uniform(distribution: Uniform) -> Propose:
    lower, upper = distribution.lower, distribution.upper

    def propose(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, Any]:
        low, high = like(lower, position), like(upper, position)
        columns = [low[place] + streams.uniform() * (high - low)[place] for place in range(distribution.n_dims)]
        candidate = position + 0.0
        for place, column in enumerate(columns):
            candidate[:, place] = column
        inside = ((position >= low) & (position <= high)).all(1)
        log_correction = 0.0 * position[:, 0]
        log_correction[~inside] = -np.inf  # the box covers no way back there
        return candidate, log_correction

    return propose
