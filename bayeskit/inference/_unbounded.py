"""A density's box stretched over all of space, where distributions with tails on every side fit it.

The maps are Stan's: the logarithm of the distance from one bound, the logit between two, see Stan reference manual,
chapter "Constraint transforms", https://mc-stan.org/docs/reference-manual/transforms.html. Whole numbers stay as they
are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Density
from bayeskit.core.errors import ProgramError
from bayeskit.core.proposals import Proposal

Floats = NDArray[np.float64]

_FARTHEST = 700.0  # exp of more overflows


class Unbounded:
    """The map between points x in a density's box and coordinates z in all of space.

    Parameters
    ----------
    density
        Whose box.
    """

    def __init__(self, density: Density) -> None:
        low, high = density.box
        mapped = np.ones(density.n_dims, dtype=bool) if density.integer is None else ~density.integer
        below, above = np.isfinite(low) & mapped, np.isfinite(high) & mapped
        self._density = density
        self._above_low, self._below_high = np.flatnonzero(below & ~above), np.flatnonzero(above & ~below)
        self._between = np.flatnonzero(below & above)
        self._low, self._high = low, high
        # Densities may be infinite on the edge itself, where only rounding would take a point.
        self._innermost = (
            np.where(below, np.nextafter(low, np.inf), -np.inf),
            np.where(above, np.nextafter(high, -np.inf), np.inf),
        )

    def points(self, coordinates: Floats) -> Floats:
        """Return points, ``n x n_dims``, of coordinates, ``n x n_dims``."""
        if not self._moves:
            return coordinates
        points = coordinates.copy()
        for places, bound, sign in ((self._above_low, self._low, 1.0), (self._below_high, self._high, -1.0)):
            points[:, places] = bound[places] + sign * np.exp(np.clip(points[:, places], -_FARTHEST, _FARTHEST))
        logit = points[:, self._between]
        low, high = self._low[self._between], self._high[self._between]
        tail = np.exp(-np.abs(logit))
        distance = (high - low) * (tail / (1 + tail))  # from the nearer bound, so that it keeps its digits
        points[:, self._between] = np.where(logit > 0, high - distance, low + distance)
        return np.clip(points, *self._innermost)

    def coordinates(self, points: Floats) -> Floats:
        """Return coordinates of points; the edge counts as what is next to it."""
        if not self._moves:
            return points
        inside = np.clip(points, *self._innermost)
        coordinates = inside.copy()
        for places, bound in ((self._above_low, self._low), (self._below_high, self._high)):
            coordinates[:, places] = np.log(np.abs(inside[:, places] - bound[places]))
        between = inside[:, self._between]
        low, high = self._low[self._between], self._high[self._between]
        coordinates[:, self._between] = np.log(between - low) - np.log(high - between)
        return coordinates

    def log_jacobian(self, coordinates: Floats) -> Floats:
        """Return the logarithm of ``|dx / dz|``, ``n``."""
        one_bound = np.concatenate([self._above_low, self._below_high])
        logit = np.abs(coordinates[:, self._between])
        slopes = np.log((self._high - self._low)[self._between]) - logit - 2 * np.log1p(np.exp(-logit))
        return np.asarray(coordinates[:, one_bound].sum(axis=1) + slopes.sum(axis=1))

    def density(self) -> Density:
        """Return the density of the coordinates, over NumPy arrays."""
        start = self._density.start

        def log_density(coordinates: Floats) -> Floats:
            return evaluate(self._density, self.points(coordinates)) + self.log_jacobian(coordinates)

        return Density(
            log_density,
            {"coordinates": (self._density.n_dims,)},
            start=None if start is None else lambda rng, n: self.coordinates(np.asarray(start(rng, n), dtype=float)),
        )

    @cached_property
    def _moves(self) -> bool:
        return bool(self._above_low.size or self._below_high.size or self._between.size)


@dataclass(frozen=True, eq=False)
class Stretched:
    """A proposal for coordinates, taken as one for points.

    Parameters
    ----------
    of
        Proposes coordinates.
    unbounded
        The map.
    """

    of: Proposal
    unbounded: Unbounded

    @property
    def n_dims(self) -> int:
        """Number of coordinates of a point."""
        return self.of.n_dims

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x n_dims``."""
        return self.unbounded.points(self.of.sample(rng, n))

    def log_density(self, points: Floats) -> Floats:
        """Return normalised log densities, ``n_points``, of points in the box."""
        coordinates = self.unbounded.coordinates(points)
        return self.of.log_density(coordinates) - self.unbounded.log_jacobian(coordinates)


def evaluate(density: Density, points: Floats) -> Floats:
    """Return log densities as NumPy's, whatever arrays the density takes."""
    if density.arrays == "numpy":
        return np.asarray(density(points), dtype=float)
    import torch

    with torch.no_grad():
        found = density(torch.as_tensor(points, dtype=torch.float64, device=density.device))
    log_density: Floats = found.detach().cpu().numpy().astype(float)
    return log_density


@contextmanager
def first_cause() -> Iterator[None]:
    """Let an error in a density's program come out as it was told first, however many densities it went through."""
    try:
        yield
    except ProgramError as error:
        found = error
        seen: list[BaseException] = [error]
        # What was raised while another was handled; an error may have been raised "from" itself, which hides its cause.
        while (before := seen[-1].__context__) is not None and before not in seen:
            found = before if isinstance(before, ProgramError) else found
            seen.append(before)
        if found is error:
            raise
        raise found from None
