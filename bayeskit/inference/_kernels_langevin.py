"""The Metropolis-adjusted Langevin algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.inference._kernels_types import (
    Info,
    Kernel,
    State,
    Tuning,
    coloured,
    coloured_back,
    decided,
    namespace,
)
from bayeskit.inference._streams import Streams


def mala(density: Density, coordinates: Sequence[int] | None = None) -> Kernel:
    """Return the kernel that proposes a step of the Langevin diffusion, preconditioned by the tuning's factor.

    With scale s, factor L, noise z and gradient g, y = x + s² L Lᵀ g(x) / 2 + s L z. The noise that leads back is
    -(z + s Lᵀ (g(x) + g(y)) / 2), so that the Hastings correction needs no inverse. Roberts and Tweedie (1996),
    doi:10.2307/3318418; Roberts and Rosenthal (1998), doi:10.1111/1467-9868.00123. It is reversible.

    Parameters
    ----------
    density
        Left invariant; its gradient must be known.
    coordinates
        The ones that it moves; all unless given.

    Raises
    ------
    ConfigError
        If nobody knows the gradient.
    ProgramError
        In a step, if the gradient is NaN or infinite where the density is not 0.
    """
    if density.gradient is None:
        raise ConfigError("mala needs the density's gradient; give gradient=, or take a random walk")
    xp = namespace(density)
    moved = None if coordinates is None else list(coordinates)

    def init(position: Any) -> State:
        return State(position, *_checked(xp, density, position))

    def step(streams: Streams, state: State, tuning: Tuning) -> tuple[State, Info]:
        if state.gradient is None:  # another kernel of the same cycle has moved the chain
            state = state._replace(gradient=_checked(xp, density, state.position)[1])
        scale, factor = tuning.scale[:, None], (tuning if moved is None else tuning.on(moved)).factor
        noise = streams.normal(state.position.shape[1] if moved is None else len(moved))
        pull = coloured_back(_part(state.gradient, moved), factor)
        candidate = _moved(state.position, scale * coloured(noise + 0.5 * scale * pull, factor), moved)
        log_density, gradient = _checked(xp, density, candidate)
        with np.errstate(invalid="ignore", over="ignore"):  # outside the support, where it counts for nothing
            back = noise + 0.5 * scale * (pull + coloured_back(_part(gradient, moved), factor))
            log_correction = 0.5 * ((noise**2).sum(1) - (back**2).sum(1))
            log_ratio = xp.where(log_density == -np.inf, -np.inf, log_density - state.log_density + log_correction)
        return decided(xp, streams, state, State(candidate, log_density, gradient), log_ratio)

    return Kernel(init, step)


def _checked(xp: Any, density: Density, position: Any) -> tuple[Any, Any]:
    log_density, gradient = density.with_gradient(position)
    finite = xp.isfinite(gradient)
    if not bool(finite.all()):
        wrong = ~finite.all(1) & (log_density > -np.inf)
        if bool(wrong.any()):
            raise ProgramError(f"the gradient is not finite at {density.told(position[wrong][0])}; correct gradient")
    return log_density, gradient


def _part(array: Any, coordinates: list[int] | None) -> Any:
    return array if coordinates is None else array[:, coordinates]


def _moved(position: Any, step: Any, coordinates: list[int] | None) -> Any:
    if coordinates is None:
        return position + step
    candidate = position + 0.0
    candidate[:, coordinates] += step
    return candidate
