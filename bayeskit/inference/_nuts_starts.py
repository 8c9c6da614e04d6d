"""Where chains of a no-U-turn sampler start: each from a stream of its own, at a point with a finite gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Density, Floats
from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.inference._starts import start_points
from bayeskit.inference._streams import BLOCK

Starts = Callable[[np.random.Generator, int], Mapping[str, NDArray[Any]]]

_ATTEMPTS = 10
_PURPOSE = 3  # tells the stream of a chain's start from those of its other numbers


def chain_starts(
    init: str,
    density: Density,
    program: Callable[..., Any] | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    *,
    starts: Starts | None,
    seed: int,
    chains: int,
) -> tuple[str, Floats, NDArray[Any]]:
    """Draw the chains' starts, and refuse those without a gradient.

    Parameters
    ----------
    init
        As ``NUTSConfig.init``.
    density
        The posterior.
    program, args, kwargs
        The Pyro program that it is of, if it is of one.
    starts
        The model's own starts, as ``fit_nuts`` takes them.
    seed, chains
        Of the run.

    Returns
    -------
    tuple
        Which kind it was; points, ``n_chains x n_dims``; and how often was drawn for each.

    Raises
    ------
    ConfigError
        If the model's own starts are asked for and there are none.
    ProgramError
        If no start is found, or one has no finite gradient.
    """
    if init == "auto":
        init = "uniform" if starts is None else "model"
    if init == "model":
        if starts is None:
            raise ConfigError("init 'model' needs the model's own starts, and it has none; give starts=, or init auto")
        points, attempts = _of_the_model(starts, density, seed, chains)
    elif init == "uniform":
        blocks = [
            start_points(density, seed=seed, block=first // BLOCK, n_chains=min(BLOCK, chains - first))
            for first in range(0, chains, BLOCK)
        ]
        points, attempts = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    else:
        from bayeskit.inference._initial import initial_points

        points = initial_points(init, density, program, args, kwargs, seed, chains)
        attempts = np.ones(chains, dtype=np.int64)
    slopes = _with_gradients(density, points)[1]
    for point, slope in zip(points, slopes, strict=True):
        if not np.isfinite(slope).all():
            raise ProgramError(f"the log density has no finite gradient at {density.told(point)}; correct it")
    return init, points, attempts


def _of_the_model(starts: Starts, density: Density, seed: int, chains: int) -> tuple[Floats, NDArray[Any]]:
    """Take each chain's start from its own stream, the first where the density is positive."""
    sequences = [np.random.SeedSequence(seed, spawn_key=(chain, _PURPOSE)) for chain in range(chains)]
    streams = [np.random.default_rng(sequence) for sequence in sequences]
    points, attempts = np.empty((chains, density.n_dims)), np.zeros(chains, dtype=np.int64)
    missing = np.arange(chains)
    for _ in range(_ATTEMPTS):
        for chain in missing:
            points[chain] = _at_values(density, starts(streams[chain], 1))
        attempts[missing] += 1
        missing = missing[~(_with_gradients(density, points[missing])[0] > -np.inf)]
        if not missing.size:
            return points, attempts
    raise ProgramError(
        f"chain {missing[0] + 1} finds no start: the density is 0 at all {_ATTEMPTS} of the model's own, the last "
        f"{density.told(points[missing[0]])}; correct starts"
    )


def _at_values(density: Density, values: Mapping[str, NDArray[Any]]) -> Floats:
    to_points = getattr(density, "at_values", None)
    if to_points is not None:
        (point,) = to_points(values)
        return np.asarray(point, dtype=float)
    missing = [name for name in density.shapes if name not in values]
    if missing:
        raise ProgramError(f"the starts have no value for '{missing[0]}'; give one for each variable")
    return np.concatenate([np.asarray(values[name], dtype=float).reshape(-1) for name in density.shapes])


def _with_gradients(density: Density, points: Floats) -> tuple[Floats, Floats]:
    # Together, in one call: what is called again and again with one point is recorded, which takes as long as a chain.
    given: Any = points
    if density.arrays == "torch":
        import torch

        given = torch.as_tensor(points, device=density.device)
    log_density, gradient = density.with_gradient(given)
    if density.arrays == "torch":
        log_density, gradient = log_density.cpu().numpy(), gradient.cpu().numpy()
    return log_density, gradient
