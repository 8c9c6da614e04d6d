"""Any log density as a model: a Python function, over one point or over many at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Arrays, Density, Floats
from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.core.language import mark, say
from bayeskit.core.proposals import Proposal
from bayeskit.core.types import Draws, ModelCard, Source

NO_DATA = Source(path="", sha256="", description=mark("A density: what it knows of data is part of it"))
Bounds = float | Mapping[str, Any] | NDArray[Any] | None


@dataclass(frozen=True)
class DensityModel:
    """A log density with a name, for the samplers; build it with ``density``.

    Parameters
    ----------
    name
        What the report calls it.
    target
        The log density itself, as the engines take it.
    function
        As it was given, for the report to show.
    distribution
        What importance sampling, rejection and sequential Monte Carlo draw from at first; None for their own choice.
    kernel
        Makes the kernel of ``metropolis``, one of ``bayeskit.inference.kernels`` or one's own; None for the configured.
    reference
        ``FILE.py:NAME`` where it was read from; empty for one made in a script.
    sha256
        Hash of that file.
    """

    name: str
    target: Density
    function: Callable[..., Any]
    distribution: Proposal | None = None
    kernel: Callable[[Density], Any] | None = None
    reference: str = ""
    sha256: str = ""

    def density(self) -> Density:
        """Return what the engines evaluate."""
        return self.target

    def proposal(self) -> Proposal | None:
        """Return what to draw from at first, None for the engine's own choice."""
        return self.distribution

    @property
    def source(self) -> Source:
        """No file of data."""
        return NO_DATA

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """None: indices count from 1."""
        return {}

    @property
    def dims(self) -> dict[str, list[str]]:
        """None: dimensions have no names."""
        return {}

    def groups(self, values: Arrays) -> dict[str, Arrays]:
        """All draws are the posterior's."""
        return {"posterior": values}

    def card(self, draws: Draws | None = None) -> ModelCard:
        """Return the description for the report: the function's own documentation and text."""
        told = inspect.getdoc(self.function)
        summary = say("The log density {name}, a Python function.", name=self.name)
        return ModelCard(
            name=self.name,
            title=self.name,
            summary=told.splitlines()[0] if told else summary,
            formulas=(),
            program=self._text,
            language="python",
            quantities=(),
            priors=(),
            without_data=True,
        )

    @cached_property
    def _text(self) -> str:
        try:
            return inspect.getsource(self.function)
        except (OSError, TypeError):  # typed in by hand, or compiled
            return ""


def density(
    log_density: Callable[..., Any],
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    *,
    name: str | None = None,
    lower: Bounds = None,
    upper: Bounds = None,
    integer: tuple[str, ...] = (),
    gradient: Callable[[Any], Any] | None = None,
    start: Callable[[np.random.Generator, int], Floats] | None = None,
    proposal: Proposal | None = None,
    kernel: Callable[[Density], Any] | None = None,
    vectorized: bool = True,
    arrays: Literal["numpy", "torch"] = "numpy",
    device: str = "cpu",
) -> DensityModel:
    """Make a model of a log density, for ``fit`` with ``engine="metropolis"`` and the other samplers.

    Parameters
    ----------
    log_density
        Takes points, ``n_points x n_dims``, and returns ``n_points`` log densities up to one constant, -inf where the
        density is 0. With ``vectorized=False`` it takes one point, ``n_dims``, and returns one number.
    shapes
        Each variable's name and shape; ``{"x": ()}``, one number, unless given. A point holds the variables one after
        the other, each in C order.
    name
        What the report calls it; the function's own name unless given.
    lower, upper
        Bounds of the support: one for all, by variable, or by coordinate. Nothing is evaluated outside.
    integer
        Names of the variables that take whole numbers only.
    gradient
        Takes what ``log_density`` takes, and returns its value and its gradient, ``n_points x n_dims``.
    start
        Takes a random generator and ``n``, and returns ``n x n_dims`` overdispersed points to start from.
    proposal
        What importance sampling, rejection and sequential Monte Carlo draw from at first.
    kernel
        Takes the density and makes the kernel that ``metropolis`` uses in place of the configured one, e.g.
        ``lambda d: metropolis_hastings(d, multiplicative_walk())`` from ``bayeskit.inference.kernels``.
    vectorized
        Whether the functions take many points at once, which is much faster.
    arrays, device
        ``torch`` for functions of tensors (double precision), on which device.

    Raises
    ------
    ConfigError
        If shapes, bounds or names do not fit each other.
    """
    if not callable(log_density):
        raise ConfigError(f"log_density must be a function of points, got {type(log_density).__name__}")
    sizes = {"x": ()} if shapes is None else {str(key): tuple(shape) for key, shape in shapes.items()}
    unknown = sorted(set(integer) - set(sizes))
    if unknown:
        raise ConfigError(f"integer names '{unknown[0]}', which shapes does not; it has {', '.join(sizes)}")
    target = Density(
        log_density if vectorized else _by_row(log_density),
        sizes,
        gradient=gradient if vectorized or gradient is None else _gradient_by_row(gradient),
        lower=_bounds(lower, sizes, "lower", -np.inf),
        upper=_bounds(upper, sizes, "upper", np.inf),
        integer=_spread({key: key in integer for key in sizes}, sizes).astype(bool),
        start=start,
        arrays=arrays,
        device=device,
    )
    if proposal is not None and not isinstance(proposal, Proposal):
        raise ConfigError(
            f"proposal must draw and know its log density, as those in bayeskit.core.proposals do, got "
            f"{type(proposal).__name__}"
        )
    if proposal is not None and proposal.n_dims != target.n_dims:
        raise ConfigError(f"the proposal has {proposal.n_dims} dimensions, the density {target.n_dims}")
    return DensityModel(name or str(getattr(log_density, "__name__", "density")), target, log_density, proposal, kernel)


def _bounds(given: Bounds, sizes: Mapping[str, tuple[int, ...]], what: str, none: float) -> Floats | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        unknown = sorted(set(given) - set(sizes))
        if unknown:
            raise ConfigError(f"{what} names '{unknown[0]}', which shapes does not; it has {', '.join(sizes)}")
        return _spread({key: given.get(key, none) for key in sizes}, sizes)
    bound = np.asarray(given, dtype=float)
    return bound if bound.ndim else _spread(dict.fromkeys(sizes, float(bound)), sizes)


def _spread(values: Mapping[str, Any], sizes: Mapping[str, tuple[int, ...]]) -> Floats:
    """Return one number a coordinate of numbers by variable, each a scalar or of the variable's shape."""
    try:
        parts = [np.broadcast_to(np.asarray(values[key], dtype=float), shape).ravel() for key, shape in sizes.items()]
    except ValueError as error:
        raise ConfigError(f"bounds do not fit the shapes ({error})") from None
    return np.concatenate(parts) if parts else np.empty(0)


def _by_row(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def many(points: Any) -> Any:
        return np.array([_number(function(point)) for point in points])

    return many


def _gradient_by_row(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def many(points: Any) -> Any:
        found = [function(point) for point in points]
        return np.array([_number(value) for value, _ in found]), np.array([slope for _, slope in found], dtype=float)

    return many


def _number(value: Any) -> float:
    found = np.asarray(value, dtype=float)
    if found.size != 1:
        raise ProgramError(f"with vectorized=False the log density must return one number, got shape {found.shape}")
    return float(found.reshape(()))
