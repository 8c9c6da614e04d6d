"""The prior on a standard deviation as the Gibbs sampler takes it: on the log scale, with its slope and curvature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.priors import Prior

Floats = NDArray[np.float64]

LARGEST_LOG = 300.0  # of a scale: its square and what is made of it must be numbers


class ScalePrior(Protocol):
    """A density of a scale ``s``, up to a constant, by ``log s``."""

    @property
    def typical(self) -> float:
        """A scale that is neither small nor large."""
        ...

    def log_density(self, log_scale: Floats) -> Floats:
        """Return the log density of the scale itself, not of its logarithm."""
        ...

    def slope(self, log_scale: Floats) -> Floats:
        """Return the derivative of the log density by ``log s``."""
        ...

    def curvature(self, log_scale: Floats) -> Floats:
        """Return minus the second derivative."""
        ...

    def draw_log(self, rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
        """Draw logarithms of scales."""
        ...


def scale_prior(prior: Prior) -> ScalePrior:
    """Return a prior as the sampler takes it."""
    first, second = prior.arguments
    return LogNormal(first, second) if prior.family == "lognormal" else InverseGamma(first, second)


@dataclass(frozen=True)
class LogNormal:
    """``log s`` is normal."""

    mean: float
    sd: float

    @property
    def typical(self) -> float:
        return math.exp(min(max(self.mean, -LARGEST_LOG), LARGEST_LOG))

    def log_density(self, log_scale: Floats) -> Floats:
        return -log_scale - 0.5 * ((log_scale - self.mean) / self.sd) ** 2

    def slope(self, log_scale: Floats) -> Floats:
        return -1 - (log_scale - self.mean) / self.sd**2

    def curvature(self, log_scale: Floats) -> Floats:
        return np.full_like(log_scale, self.sd**-2)

    def draw_log(self, rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
        return self.mean + self.sd * rng.standard_normal(size)


@dataclass(frozen=True)
class InverseGamma:
    """``1 / s`` has a gamma distribution."""

    shape: float
    scale: float

    @property
    def typical(self) -> float:
        return self.scale / (self.shape + 1)

    def log_density(self, log_scale: Floats) -> Floats:
        return -(self.shape + 1) * log_scale - self._over(log_scale)

    def slope(self, log_scale: Floats) -> Floats:
        return self._over(log_scale) - (self.shape + 1)

    def curvature(self, log_scale: Floats) -> Floats:
        return self._over(log_scale)

    def draw_log(self, rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
        # G(a) = G(a + 1) U^(1/a) has a logarithm where a small a makes the number itself vanish.
        log_gamma = np.log(rng.standard_gamma(self.shape + 1, size)) - rng.standard_exponential(size) / self.shape
        drawn: Floats = math.log(self.scale) - log_gamma
        return drawn

    def _over(self, log_scale: Floats) -> Floats:
        over: Floats = self.scale * np.exp(-log_scale)
        return over
