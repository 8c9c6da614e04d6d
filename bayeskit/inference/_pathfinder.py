"""Pathfinder: a normal approximation from a quasi-Newton optimiser's path, where the evidence lower bound is largest.

Zhang, Carpenter, Gelman and Vehtari (2022), https://jmlr.org/papers/v23/21-0889.html (arXiv:2108.03782). At each point
x of the path, with gradient g of the log density, the approximation is normal around ``x + S g`` with covariance ``S``,
the inverse Hessian that L-BFGS estimates there: ``S = diag(a) + b c b'``. Steps are chosen by weak Wolfe conditions,
bracketed by halving and doubling as in Lewis and Overton (2013), doi:10.1007/s10107-012-0514-2, which stays clear of
points where the density is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bayeskit.core.density import Density, Floats

HISTORY = 6
ITERATIONS = 300
BOUND_DRAWS = 10
_SUFFICIENT, _CURVATURE = 1e-4, 0.9
_HALVINGS = 60
_TOLERANCE = 1e-10  # relative change of the log density that ends a path
_CURVED = 1e-12

Evaluate = Callable[[Floats], tuple[float, Floats]]


@dataclass(frozen=True)
class Approximation:
    """A normal distribution with covariance ``diag(diagonal) + factor @ middle @ factor.T``.

    Parameters
    ----------
    mean
        ``n_dims``.
    diagonal
        ``n_dims``.
    factor, middle
        ``n_dims x 2 m`` and ``2 m x 2 m``, of ``m`` steps of the path.
    bound
        Evidence lower bound, by some draws.
    """

    mean: Floats
    diagonal: Floats
    factor: Floats
    middle: Floats
    bound: float = -math.inf

    @property
    def covariance(self) -> Floats:
        """``n_dims x n_dims``."""
        found: Floats = np.diag(self.diagonal) + self.factor @ self.middle @ self.factor.T
        return found

    def draws(self, rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        """Return ``n x n_dims`` draws and their ``n`` log densities, without forming the covariance.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the estimate is not positive definite.
        """
        root = np.sqrt(self.diagonal)
        orthogonal, triangle = np.linalg.qr(self.factor / root[:, None])
        inner = np.linalg.cholesky(np.eye(len(triangle)) + triangle @ self.middle @ triangle.T)
        normal = rng.standard_normal((n, len(self.mean)))
        along = normal @ orthogonal
        points = self.mean + root * (normal + (along @ inner.T - along) @ orthogonal.T)
        log_determinant = np.log(root).sum() + np.log(np.diag(inner)).sum()
        log_density = -0.5 * np.square(normal).sum(-1) - 0.5 * len(self.mean) * math.log(2 * math.pi) - log_determinant
        return points, log_density


def pathfinder(density: Density, start: Floats, rng: np.random.Generator) -> Approximation | None:
    """Follow one path, and return the best approximation on it.

    Parameters
    ----------
    density
        With a gradient, and without bounds.
    start
        ``n_dims``; where the path begins.
    rng
        For the draws by which the bound is estimated.

    Returns
    -------
    Approximation
        None where none on the path has draws of positive density.
    """
    best = None
    for approximation in approximations(density, start):
        try:
            points, log_q = approximation.draws(rng, BOUND_DRAWS)
        except np.linalg.LinAlgError:
            continue
        if not np.isfinite(points).all():
            continue
        bound = float(np.mean(_log_densities(density, points) - log_q))
        if math.isfinite(bound) and (best is None or bound > best.bound):
            best = Approximation(
                approximation.mean, approximation.diagonal, approximation.factor, approximation.middle, bound
            )
    return best


def approximations(density: Density, start: Floats) -> Iterator[Approximation]:
    """Yield the approximation at each point of the path from a start, that itself included."""
    evaluate = evaluator(density)
    diagonal = np.ones(len(start))
    steps: list[Floats] = []
    changes: list[Floats] = []
    point, (value, slope) = start, evaluate(start)
    for iteration in range(ITERATIONS):
        approximation = _approximation(point, slope, diagonal, steps, changes)
        yield approximation
        direction = approximation.mean - point
        if iteration == 0:
            direction = direction / max(1.0, float(np.linalg.norm(direction)))
        found = _searched(evaluate, point, value, slope, direction)
        if found is None:
            return
        moved, higher, other = found
        step, change = moved - point, slope - other
        if step @ change > _CURVED * change @ change > 0:
            diagonal = _updated(diagonal, step, change)
            steps, changes = [*steps, step][-HISTORY:], [*changes, change][-HISTORY:]
        small = higher - value <= _TOLERANCE * max(1.0, abs(value))
        point, value, slope = moved, higher, other
        if small:
            yield _approximation(point, slope, diagonal, steps, changes)
            return


def evaluator(density: Density) -> Evaluate:
    """Return the density's log density and gradient at one point, as NumPy's numbers."""

    def evaluate(point: Floats) -> tuple[float, Floats]:
        assert density.gradient is not None
        with np.errstate(all="ignore"):
            value, gradient = density.gradient(_arrays(density, point[None]))
        return float(value[0]), np.asarray(gradient[0].cpu() if density.arrays == "torch" else gradient[0], dtype=float)

    return evaluate


def _log_densities(density: Density, points: Floats) -> Floats:
    with np.errstate(all="ignore"):
        found = density.log_density(_arrays(density, points))
    return np.asarray(found.detach().cpu() if density.arrays == "torch" else found, dtype=float)


def _arrays(density: Density, points: Floats) -> object:
    if density.arrays == "numpy":
        return points
    import torch

    return torch.as_tensor(points, dtype=torch.float64, device=density.device)


def _approximation(
    point: Floats, slope: Floats, diagonal: Floats, steps: list[Floats], changes: list[Floats]
) -> Approximation:
    """Return L-BFGS's estimate in its compact form: Byrd, Nocedal and Schnabel (1994), doi:10.1007/BF01582063."""
    size = len(steps)
    if not size:
        empty = np.zeros((len(point), 0))
        return Approximation(point + diagonal * slope, diagonal, empty, np.zeros((0, 0)))
    s, y = np.stack(steps, axis=1), np.stack(changes, axis=1)
    products = s.T @ y
    inverse = np.linalg.inv(np.triu(products))
    scaled = diagonal[:, None] * y
    factor = np.concatenate([scaled, s], axis=1)
    middle = np.zeros((2 * size, 2 * size))
    middle[:size, size:] = -inverse
    middle[size:, :size] = -inverse.T
    middle[size:, size:] = inverse.T @ (np.diag(np.diag(products)) + y.T @ scaled) @ inverse
    return Approximation(point + diagonal * slope + factor @ (middle @ (factor.T @ slope)), diagonal, factor, middle)


def _updated(diagonal: Floats, step: Floats, change: Floats) -> Floats:
    """Return the diagonal after one more step: Gilbert and Lemaréchal (1989), doi:10.1007/BF01589113."""
    a, b, c = change @ (diagonal * change), change @ step, step @ (step / diagonal)
    found: Floats = 1 / (a / (b * diagonal) + np.square(change) / b - a * np.square(step) / (b * c * diagonal**2))
    return found if np.isfinite(found).all() and (found > 0).all() else diagonal


def _searched(
    evaluate: Evaluate, point: Floats, value: float, slope: Floats, direction: Floats
) -> tuple[Floats, float, Floats] | None:
    """Return a higher point in a direction with its log density and gradient, or None where there is none."""
    along = float(slope @ direction)
    if not along > 0:
        return None
    length, low, high = 1.0, 0.0, math.inf
    found = None
    for _ in range(_HALVINGS):
        moved = point + length * direction
        there, gradient = evaluate(moved)
        if not (there >= value + _SUFFICIENT * length * along and np.isfinite(gradient).all()):
            high = length
        else:
            found = moved, there, gradient
            if float(gradient @ direction) <= _CURVATURE * along:
                return found
            low = length
        length = (low + high) / 2 if high < math.inf else 2 * low
    return found
