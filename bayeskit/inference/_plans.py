"""Which kernel a Metropolis run takes, and what of it warm-up adapts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError
from bayeskit.inference._adaptation import (
    LANGEVIN_ACCEPTANCE,
    Adaptation,
    best_acceptance,
    langevin_scale,
    random_walk_scale,
)
from bayeskit.inference.kernels import (
    Kernel,
    cycle,
    elliptical_slice,
    integer_walk,
    mala,
    metropolis_hastings,
    on,
    parallel_tempering,
    random_walk,
)

Floats = NDArray[np.float64]

WHOLE_SPREAD = 0.25  # variance that whole coordinates have at least: steps that all round to 0 would teach nothing


@dataclass(frozen=True)
class Part:
    """Coordinates that move together, and how their proposals are tuned.

    Parameters
    ----------
    name
        For the reader, where a kernel has several.
    coordinates
        Their columns in the kernel's position.
    target
        Acceptance rate.
    reference
        Scale where the factor is that of the target's covariance.
    least_variance
        Added to every coordinate's.
    """

    name: str
    coordinates: NDArray[np.int64]
    target: float
    reference: float
    least_variance: float = 0.0

    def of(self, position: Floats) -> Floats:
        """Return the part's own columns."""
        return position if len(self.coordinates) == position.shape[1] else position[:, self.coordinates]

    def adaptation(self, position: Floats, n_blocks: int, warmup: int) -> Adaptation:
        """Return what learns this part's tuning, given where all coordinates start."""
        return Adaptation(
            self.of(position),
            n_blocks=n_blocks,
            warmup=warmup,
            target=self.target,
            reference=self.reference,
            least_variance=self.least_variance,
        )

    def moved(self, name: str, columns: int) -> Part:
        """Return the same part of a replica whose columns come later."""
        return replace(self, name=name, coordinates=self.coordinates + columns)


Tree: TypeAlias = "Part | tuple[Tree, ...]"
"""A kernel's parts as they are nested in it; an empty tuple where nothing is adapted."""


class Plan(NamedTuple):
    """A kernel, still without its density, and its parts; ``never_rejects`` says that acceptance means nothing."""

    kernel: Callable[[Density], Kernel]
    tree: Tree
    engine: Mapping[str, Any] = {}
    never_rejects: bool = False

    @property
    def target(self) -> float:
        """The acceptance rate that the first part is adapted to; 1 where none is."""
        found = leaves(self.tree)
        return found[0].target if found else 1.0


def leaves(tree: Tree) -> list[Part]:
    """Return all parts of a tree."""
    return [tree] if isinstance(tree, Part) else [part for branch in tree for part in leaves(branch)]


def walk_plan(density: Density, target: float | None) -> Plan:
    """Return the random walk: on whole coordinates its steps are rounded, on both kinds two walks take turns."""
    real, whole = _kinds(density)
    parts: list[Part] = []
    if len(real):
        parts.append(Part("real", real, target or best_acceptance(len(real)), random_walk_scale(len(real))))
    if len(whole):
        parts.append(_whole(whole, target))
    if len(parts) == 1:
        walk = integer_walk() if len(whole) else random_walk()
        return Plan(lambda watched: metropolis_hastings(watched, walk), parts[0])
    return Plan(
        lambda watched: cycle(
            [
                metropolis_hastings(watched, on(random_walk(), real.tolist())),
                metropolis_hastings(watched, on(integer_walk(), whole.tolist())),
            ]
        ),
        tuple(parts),
    )


def own_plan(density: Density, kernel: Callable[[Density], Kernel], target: float | None) -> Plan:
    """Return a kernel of the caller's own; scale and covariance are adapted for those that take them."""
    places = np.arange(density.n_dims)
    spread = WHOLE_SPREAD if density.is_discrete else 0.0
    part = Part("all", places, target or best_acceptance(len(places)), random_walk_scale(len(places)), spread)
    return Plan(kernel, part)


def langevin_plan(density: Density, target: float | None) -> Plan:
    """Return the Langevin kernel, with a walk on whole coordinates in turn.

    Raises
    ------
    ConfigError
        If nobody knows the gradient, or all coordinates are whole numbers.
    """
    real, whole = _kinds(density)
    if density.gradient is None:
        raise ConfigError("kernel 'mala' needs the density's gradient; give gradient=, or take kernel 'random-walk'")
    if not len(real):
        raise ConfigError("kernel 'mala' moves real coordinates, of which there is none; take kernel 'random-walk'")
    part = Part("real", real, target or LANGEVIN_ACCEPTANCE, langevin_scale(len(real)))
    if not len(whole):
        return Plan(mala, part)
    return Plan(
        lambda watched: cycle(
            [mala(watched, real.tolist()), metropolis_hastings(watched, on(integer_walk(), whole.tolist()))]
        ),
        (part, _whole(whole, target)),
    )


def slice_plan(mean: Floats, covariance: Floats) -> Plan:
    """Return the elliptical slice sampler, given the Gaussian of its ellipses."""
    engine = {"ellipse_mean": mean, "ellipse_deviation": np.sqrt(np.diagonal(covariance))}
    return Plan(lambda watched: elliptical_slice(watched, mean, covariance), (), engine, True)


def tempering_plan(density: Density, target: float | None, inverse_temperatures: Sequence[float]) -> Plan:
    """Return parallel tempering of random walks; each replica learns its own proposals."""
    walk = walk_plan(density, target)
    tree = tuple(_replica(walk.tree, place, density.n_dims) for place in range(len(inverse_temperatures)))
    return Plan(
        lambda watched: parallel_tempering(walk.kernel, watched, inverse_temperatures),
        tree,
        {"inverse_temperatures": np.asarray(inverse_temperatures, dtype=float)},
    )


def _replica(tree: Tree, place: int, n_dims: int) -> Tree:
    if isinstance(tree, Part):
        return tree.moved(f"{tree.name}_{place + 1}", place * n_dims)
    return tuple(_replica(branch, place, n_dims) for branch in tree)


def _whole(coordinates: NDArray[np.int64], target: float | None) -> Part:
    n_dims = len(coordinates)
    return Part("whole", coordinates, target or best_acceptance(n_dims), random_walk_scale(n_dims), WHOLE_SPREAD)


def _kinds(density: Density) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the real and of the whole coordinates."""
    whole = np.zeros(density.n_dims, dtype=bool) if density.integer is None else np.asarray(density.integer, dtype=bool)
    return np.flatnonzero(~whole), np.flatnonzero(whole)
