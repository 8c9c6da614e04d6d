"""Elliptical slice sampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bayeskit.core.density import Density
from bayeskit.inference._kernels_independence import Gaussian
from bayeskit.inference._kernels_types import Info, Kernel, State, Tuning, as_numpy, like, namespace, namespace_of
from bayeskit.inference._streams import Streams

MAX_TRIES = 500  # by then the bracket is the current point, to rounding, and the chain stays there


def elliptical_slice(density: Density, mean: Any, covariance: Any, coordinates: Sequence[int] | None = None) -> Kernel:
    """Return the kernel that draws from a slice of an ellipse through the current point and a Gaussian draw.

    It has nothing to tune and rejects nothing; ``Info.acceptance`` is one over the number of points that were tried.
    A block draws until its slowest chain is done: here a block of fewer than 64 chains is not the start of a whole one.
    Murray, Adams and MacKay (2010), https://proceedings.mlr.press/v9/murray10a.html, for a Gaussian prior times a
    likelihood; for any other density the likelihood is the density over the Gaussian: Nishihara, Murray and Adams
    (2014), https://jmlr.org/papers/v15/nishihara14a.html. It is reversible.

    Parameters
    ----------
    density
        Left invariant.
    mean, covariance
        Of the Gaussian: the prior, or an approximation of the density, rather too wide than too narrow.
    coordinates
        The ones that it moves, and that the Gaussian is of; all unless given.

    Raises
    ------
    ConfigError
        If the covariance is not positive definite, or does not fit the mean.
    """
    gaussian, xp = Gaussian.of(mean, covariance), namespace(density)
    moved = list(range(density.n_dims) if coordinates is None else coordinates)

    def init(position: Any) -> State:
        return State(position, density(position))

    def step(streams: Streams, state: State, tuning: Tuning) -> tuple[State, Info]:
        ellipse, level = _Ellipse.drawn(gaussian, streams, state, moved)
        height = level + xp.log(1 - streams.uniform())  # from (0, 1]
        angle = 2 * math.pi * streams.uniform()
        lower, upper = angle - 2 * math.pi, angle
        position, log_density = state.position + 0.0, state.log_density + 0.0
        tries = 0.0 * state.log_density
        active = np.ones(streams.n_chains, dtype=bool)
        for _ in range(MAX_TRIES):
            rows = like(np.flatnonzero(active), angle)
            candidate = state.position[rows]
            candidate[:, moved] = ellipse.points(rows, angle[rows])
            found = density(candidate)
            tries[rows] += 1
            inside = found - ellipse.log_reference(rows, angle[rows]) >= height[rows]
            position[rows[inside]], log_density[rows[inside]] = candidate[inside], found[inside]
            active[as_numpy(rows[inside])] = False
            if not active.any():
                break
            lower, upper = xp.where(angle < 0, angle, lower), xp.where(angle < 0, upper, angle)
            angle = lower + (upper - lower) * streams.uniform(active)
        return State(position, log_density), Info(1 / tries)

    return Kernel(init, step)


class _Ellipse(NamedTuple):
    """The points mean + centred cos(angle) + noise sin(angle), and the Gaussian's log density there.

    ``squares`` are the products, ``n_chains``, of the whitened vectors with themselves and each other, so that a point
    costs no product of matrices.
    """

    mean: Any
    centred: Any
    noise: Any
    squares: tuple[Any, Any, Any]

    @classmethod
    def drawn(cls, gaussian: Gaussian, streams: Streams, state: State, moved: list[int]) -> tuple[_Ellipse, Any]:
        """Return the ellipse through the current points and draws, and log density over Gaussian where it starts."""
        part = state.position[:, moved]
        white, white_noise = gaussian.whiten(part), streams.normal(len(moved))
        mean = like(gaussian.mean, part)
        squares = ((white**2).sum(1), (white * white_noise).sum(1), (white_noise**2).sum(1))
        ellipse = cls(mean, part - mean, gaussian.colour(white_noise), squares)
        return ellipse, state.log_density + 0.5 * squares[0]

    def points(self, rows: Any, angle: Any) -> Any:
        xp = namespace_of(angle)
        return self.mean + self.centred[rows] * xp.cos(angle)[:, None] + self.noise[rows] * xp.sin(angle)[:, None]

    def log_reference(self, rows: Any, angle: Any) -> Any:
        xp = namespace_of(angle)
        cosine, sine = xp.cos(angle), xp.sin(angle)
        own, mixed, noise = (square[rows] for square in self.squares)
        return -0.5 * (own * cosine**2 + 2 * mixed * cosine * sine + noise * sine**2)
