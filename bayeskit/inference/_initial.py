"""Points for chains to start from, on the unconstrained scale: by variational fits, by Pathfinder, or the prior's.

Each point comes of a run of its own, so that the points are as far apart as such runs end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bayeskit.core.density import Density, Floats
from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.inference._pathfinder import Evaluate, evaluator, pathfinder

KINDS = ("svi", "pathfinder", "prior")

_PURPOSE = 8  # tells these streams from all others at the same seed
_WIDTH = 2.0  # of the uniform law that runs begin at: Stan's
_PATHS = 4  # of which a start takes the best
_TRIES = 100
_STEPS, _RATE = 600, 0.05
_SPREAD = 0.1  # standard deviation that a variational fit begins with


def initial_points(
    kind: str,
    density: Density,
    program: Callable[..., Any] | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    seed: int,
    n: int,
) -> Floats:
    """Return ``n x n_dims`` points; point ``i`` does not depend on how many there are.

    Parameters
    ----------
    kind
        ``svi``: a draw from a fit of independent normals, from 600 steps of stochastic gradients (Kucukelbir et al.
        2017, https://jmlr.org/papers/v18/16-107.html); ``pathfinder``: a draw from the best of four paths'
        approximations, by the evidence lower bound; ``prior``: a draw from the program's prior.
    density
        The posterior, with a gradient and without bounds.
    program, args, kwargs
        The Pyro program that it is of, for ``prior``.
    seed
        Of the run.
    n
        How many.

    Raises
    ------
    ConfigError
        For another kind, or ``prior`` where there is no program.
    InferenceError
        If no point of positive density, with a finite gradient, is found.
    ProgramError
        If the program misbehaves.
    """
    if kind not in KINDS:
        raise ConfigError(f"start '{kind}' is unknown; choose from {', '.join(KINDS)}")
    if kind != "prior":
        make = _by_svi if kind == "svi" else _by_pathfinder
        return np.array([make(density, _generator(seed, place)) for place in range(n)])
    at_values = getattr(density, "at_values", None)
    if program is None or at_values is None:
        raise ConfigError("start 'prior' needs a Pyro program to draw from; take svi or pathfinder")
    return np.array([_by_prior(density, at_values, program, args, kwargs, seed, place) for place in range(n)])


def _by_pathfinder(density: Density, rng: np.random.Generator) -> Floats:
    evaluate = evaluator(density)
    found = [pathfinder(density, _begin(density, evaluate, rng), rng) for _ in range(_PATHS)]
    known = [approximation for approximation in found if approximation is not None]
    if not known:
        raise InferenceError("no path of Pathfinder meets the density; start from the prior, or uniformly")
    best = max(known, key=lambda approximation: approximation.bound)
    return _usable(evaluate, lambda: best.draws(rng, 1)[0][0], "Pathfinder")


def _by_svi(density: Density, rng: np.random.Generator) -> Floats:
    """Fit independent normals to the density itself: their entropy is known, the rest is one gradient a step."""
    evaluate = evaluator(density)
    # The best of some points, so that not every fit begins in a poor mode's reach.
    begun = [_begin(density, evaluate, rng) for _ in range(_PATHS)]
    mean = max(begun, key=lambda point: evaluate(point)[0])
    where = np.concatenate([mean, np.full(density.n_dims, np.log(_SPREAD))])
    first, second = np.zeros_like(where), np.zeros_like(where)
    for step in range(1, _STEPS + 1):
        mean, spread = where[: density.n_dims], np.exp(where[density.n_dims :])
        normal = rng.standard_normal(density.n_dims)
        _, slope = evaluate(mean + spread * normal)
        if not np.isfinite(slope).all():  # a draw too far out tells nothing of where to go
            continue
        gradient = np.concatenate([slope, slope * normal * spread + 1])
        first += 0.1 * (gradient - first)
        second += 0.001 * (np.square(gradient) - second)
        root = np.sqrt(second / (1 - 0.999**step)) + 1e-8
        where = where + _RATE * (1 - step / (_STEPS + 1)) * first / (1 - 0.9**step) / root
    mean, spread = where[: density.n_dims], np.exp(where[density.n_dims :])
    return _usable(evaluate, lambda: mean + spread * rng.standard_normal(density.n_dims), "the variational fit")


def _by_prior(
    density: Density,
    at_values: Callable[[Mapping[str, Any]], Floats],
    program: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    seed: int,
    place: int,
) -> Floats:
    from bayeskit.inference._svi_context import alone, doubled, reseed
    from bayeskit.inference._svi_sites import name_of, traced

    with alone(density.device):
        reseed(seed, place, _PURPOSE)
        arguments = doubled((tuple(args), dict(kwargs or {})), density.device)

        def drawn() -> Floats:
            nodes: Any = traced(program, arguments, name_of(program), log_prob=False).nodes
            values = {name: np.asarray(nodes[name]["value"].detach().cpu())[None] for name in density.shapes}
            try:
                found: Floats = at_values(values)[0]
            except ProgramError:  # rounding has put a value on the edge of its support
                return np.full(density.n_dims, np.nan)
            return found

        return _usable(evaluator(density), drawn, "the prior")


def _begin(density: Density, evaluate: Evaluate, rng: np.random.Generator) -> Floats:
    return _usable(evaluate, lambda: rng.uniform(-_WIDTH, _WIDTH, density.n_dims), "(-2, 2) on the unconstrained scale")


def _usable(evaluate: Evaluate, draw: Callable[[], Floats], where: str) -> Floats:
    """Return a draw where the log density and its gradient are finite."""
    for _ in range(_TRIES):
        point = draw()
        if not np.isfinite(point).all():
            continue
        value, slope = evaluate(point)
        if np.isfinite(value) and np.isfinite(slope).all():
            return point
    raise InferenceError(f"none of {_TRIES} points drawn from {where} has a positive density with a finite gradient")


def _generator(seed: int, place: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(place, _PURPOSE)))
