"""The whole numbers in a box, to propose from evenly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeskit.core.errors import ConfigError
from bayeskit.inference._intervals import Floats

N_LISTED = 2**20  # points of a support that are still evaluated one and all


@dataclass(frozen=True, eq=False)
class Lattice:
    """Even distribution over the whole numbers of a finite box, ``lower`` and ``upper`` with ``n_dims`` each.

    Raises
    ------
    ConfigError
        If there are none.
    """

    lower: Floats
    upper: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "lower", np.ceil(self.lower))
        object.__setattr__(self, "upper", np.floor(self.upper))
        if not np.all(self.lower <= self.upper) or np.abs([self.lower, self.upper]).max() > 2**53:
            raise ConfigError(
                "there must be whole numbers between the bounds, and none beyond 2**53; correct the bounds"
            )

    @property
    def n_dims(self) -> int:
        """Number of coordinates of a point."""
        return self.lower.size

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x n_dims``."""
        low, high = self.lower.astype(np.int64), self.upper.astype(np.int64)
        return rng.integers(low, high, size=(n, self.n_dims), endpoint=True).astype(float)

    def log_density(self, points: Floats) -> Floats:
        """Return log probabilities, ``n_points``."""
        inside = ((points >= self.lower) & (points <= self.upper) & (points == np.floor(points))).all(axis=1)
        return np.where(inside, -np.log(self.upper - self.lower + 1).sum(), -np.inf)

    def points(self) -> Floats:
        """Return all points, ``n_points x n_dims``."""
        sides = [np.arange(low, high + 1) for low, high in zip(self.lower, self.upper, strict=True)]
        return np.stack([side.ravel() for side in np.meshgrid(*sides, indexing="ij")], axis=1)


def n_points(lower: Floats, upper: Floats) -> float:
    """Return how many whole points a box holds."""
    return float(np.prod(np.floor(upper) - np.ceil(lower) + 1))
