"""A log density over points, as the samplers ask for it: of a Python function, a Pyro model or a Stan program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError, InferenceError, ProgramError, ToolchainError

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]
MAX_SHOWN = 6  # coordinates of a point in a message


@dataclass(frozen=True)
class Density:
    """A log density, up to a constant, over points of ``n_dims`` coordinates; call it to evaluate it, checked.

    Parameters
    ----------
    log_density
        Takes points, ``n_points x n_dims``, and returns ``n_points`` log densities, -inf where the density is 0. Each
        row counts by itself.
    shapes
        Every variable by name to its shape; a point holds them one after the other, each in C order.
    gradient
        Takes points and returns log densities and their gradients, ``n_points x n_dims``; None where nobody knows them.
    lower, upper
        ``n_dims`` bounds of the support's box, itself included; outside it nothing is evaluated.
    integer
        ``n_dims``, which coordinates take whole numbers only.
    start
        Draws ``n`` overdispersed start points, ``n x n_dims``; None for the engine's own.
    transform
        Takes ``n`` points, ``n x n_dims``, and a seed, and returns what the posterior is told in, ``n x ...`` by name;
        None where this is the points' variables themselves.
    arrays
        What ``log_density`` and ``gradient`` take and return: NumPy arrays or torch tensors, of double precision.
    device
        Where the tensors live.

    Raises
    ------
    ConfigError
        If bounds do not fit the shapes, or leave nothing between them.
    """

    log_density: Callable[[Any], Any]
    shapes: Mapping[str, tuple[int, ...]]
    gradient: Callable[[Any], tuple[Any, Any]] | None = None
    lower: Floats | None = None
    upper: Floats | None = None
    integer: NDArray[np.bool_] | None = None
    start: Callable[[np.random.Generator, int], Floats] | None = None
    transform: Callable[[Floats, int], Arrays] | None = None
    arrays: Literal["numpy", "torch"] = "numpy"
    device: str = "cpu"
    box: tuple[Floats, Floats] = field(init=False)

    def __post_init__(self) -> None:
        if self.n_dims == 0:
            raise ConfigError("a density needs at least one coordinate; give it shapes, such as {'x': ()}")
        low = np.full(self.n_dims, -np.inf) if self.lower is None else np.asarray(self.lower, dtype=float)
        high = np.full(self.n_dims, np.inf) if self.upper is None else np.asarray(self.upper, dtype=float)
        for name, bound in (("lower", low), ("upper", high)):
            if bound.shape != (self.n_dims,):
                raise ConfigError(f"{name} must have {self.n_dims} bounds, one a coordinate, got shape {bound.shape}")
        if not np.all(low < high):
            place = self.labels[int(np.flatnonzero(~(low < high))[0])]
            raise ConfigError(f"the lower bound of {place} must lie below the upper one; correct lower and upper")
        if self.integer is not None and np.shape(self.integer) != (self.n_dims,):
            raise ConfigError(
                f"integer must say of each of {self.n_dims} coordinates whether it is whole, got shape "
                f"{np.shape(self.integer)}"
            )
        object.__setattr__(self, "box", (low, high))

    @cached_property
    def n_dims(self) -> int:
        """Number of coordinates."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The coordinates' names, indices counted from 1: ``beta[2]``."""
        return tuple(_labels(self.shapes))

    @cached_property
    def is_bounded(self) -> bool:
        """Whether any coordinate has a finite bound."""
        return bool(np.isfinite(self.box).any())

    @cached_property
    def is_discrete(self) -> bool:
        """Whether any coordinate takes whole numbers only."""
        return self.integer is not None and bool(np.any(self.integer))

    def __call__(self, points: Any) -> Any:
        """Evaluate at ``n_points x n_dims``, in the density's own kind of arrays.

        Raises
        ------
        ProgramError
            If the function raises, returns another shape, NaN or +inf: with the first point where it does.
        """
        inside, within = self._inside(points)
        if inside is None:
            return within
        return self._outside_is_zero(self._checked(self._called(self.log_density, inside), inside), within)

    def with_gradient(self, points: Any) -> tuple[Any, Any]:
        """Evaluate with gradients, ``n_points x n_dims``; 0 outside the box.

        Raises
        ------
        ConfigError
            If nobody knows the gradient.
        ProgramError
            As for a call.
        """
        if self.gradient is None:
            raise ConfigError("this needs the density's gradient; give gradient=, or take a kernel that needs none")
        inside, within = self._inside(points)
        if inside is None:
            return within, points * 0.0
        found = self._called(self.gradient, inside)
        if not isinstance(found, tuple) or len(found) != 2 or tuple(found[1].shape) != tuple(inside.shape):
            raise ProgramError(f"gradient must return log densities and gradients of shape {tuple(inside.shape)}")
        log_density = self._outside_is_zero(self._checked(found[0], inside), within)
        if within is None:
            return log_density, found[1]
        gradient = found[1] + 0.0
        gradient[~within] = 0.0
        return log_density, gradient

    def values(self, positions: Floats, seed: int) -> dict[str, NDArray[Any]]:
        """Return what the posterior is told in, of positions ``n_chains x n_draws x n_dims``: the same by name.

        Parameters
        ----------
        positions
            Where the chains stood.
        seed
            For what is generated at random beside the parameters.
        """
        n_chains, n_draws, _ = positions.shape
        flat = positions.reshape(n_chains * n_draws, self.n_dims)
        if self.transform is not None:
            found = self.transform(flat, seed)
        else:
            found, first = {}, 0
            for name, shape in self.shapes.items():
                size = int(np.prod(shape))
                columns = slice(first, first + size)
                whole = self.integer is not None and bool(np.all(self.integer[columns]))
                part = flat[:, columns].reshape(-1, *shape)
                found[name], first = part.astype(np.int64) if whole else part, first + size
        return {name: np.asarray(array).reshape(n_chains, n_draws, *array.shape[1:]) for name, array in found.items()}

    def _inside(self, points: Any) -> tuple[Any, Any]:
        """Return points with those outside the box moved onto one inside, and which are inside; none: None, -inf."""
        if not self.is_bounded:
            return points, None
        low, high = self._box_like(points)
        within = ((points >= low) & (points <= high)).all(-1)
        if bool(within.all()):
            return points, None
        if not bool(within.any()):
            return None, points[..., 0] * 0.0 - np.inf
        moved = points + 0.0
        moved[~within] = points[within][0]
        return moved, within

    def _box_like(self, points: Any) -> tuple[Any, Any]:
        if self.arrays == "numpy":
            return self.box
        import torch

        low, high = (torch.as_tensor(bound, dtype=points.dtype, device=points.device) for bound in self.box)
        return low, high

    @staticmethod
    def _outside_is_zero(log_density: Any, within: Any) -> Any:
        if within is None:
            return log_density
        kept = log_density + 0.0
        kept[~within] = -np.inf
        return kept

    def _called(self, function: Callable[[Any], Any], points: Any) -> Any:
        try:
            with np.errstate(all="ignore"):
                return function(points)
        except (ConfigError, DataError, InferenceError, ProgramError, ToolchainError):  # of what is behind the function
            raise
        except Exception as error:
            where = self._first(points, lambda point: _raises(function, point))
            what = " ".join(str(error).split())
            raise ProgramError(f"the log density raised {type(error).__name__} ({what}){where}; correct it") from error

    def _checked(self, log_density: Any, points: Any) -> Any:
        if tuple(getattr(log_density, "shape", ())) != tuple(points.shape[:1]):
            got = getattr(log_density, "shape", type(log_density).__name__)
            raise ProgramError(
                f"the log density must take {tuple(points.shape)} points and return {points.shape[0]} numbers, "
                f"got {tuple(got) if not isinstance(got, str) else got}; give vectorized=False where it takes one point"
            )
        if len(log_density) and not bool(log_density.max() < np.inf):  # NaN is the largest of all
            wrong = (log_density != log_density) | (log_density == np.inf)
            point, what = points[wrong][0], "NaN" if bool((log_density[wrong] != log_density[wrong])[0]) else "+inf"
            raise ProgramError(
                f"the log density is {what} at {self.told(point)}; it must be a number, or -inf where the density is 0"
            )
        return log_density

    def told(self, point: Any) -> str:
        """Return a point in words: ``x = 1.2, y = 3``."""
        numbers = [f"{label} = {float(value):.6g}" for label, value in zip(self.labels, point, strict=True)]
        return ", ".join([*numbers[:MAX_SHOWN], *(["…"] if len(numbers) > MAX_SHOWN else [])])

    def _first(self, points: Any, wrong: Callable[[Any], bool]) -> str:
        for row in range(min(len(points), 10_000)):
            if wrong(points[row : row + 1]):
                return f" at {self.told(points[row])}"
        return ""


def _raises(function: Callable[[Any], Any], point: Any) -> bool:
    try:
        function(point)
    except Exception:
        return True
    return False


def _labels(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    for name, shape in shapes.items():
        for place in np.ndindex(shape):
            yield f"{name}[{','.join(str(index + 1) for index in place)}]" if place else name
