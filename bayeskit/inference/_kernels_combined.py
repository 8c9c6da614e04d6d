"""Kernels made of kernels: one after the other, or one at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayeskit.core.errors import ConfigError
from bayeskit.inference._kernels_types import Info, Kernel, State, Tuning, like, namespace_of, selected
from bayeskit.inference._streams import Streams


def cycle(kernels: Sequence[Kernel]) -> Kernel:
    """Return the kernel that takes a step of each in turn; ``Info.acceptance`` is their mean.

    It leaves invariant what all of them do, but is not reversible. Tierney (1994), doi:10.1214/aos/1176325750.

    Raises
    ------
    ConfigError
        If there is no kernel.
    """
    parts = _some(kernels, "a cycle")

    def step(streams: Streams, state: State, tuning: Tuning) -> tuple[State, Info]:
        infos: tuple[Info, ...] = ()
        for place, kernel in enumerate(parts):
            state, info = kernel.step(streams, state, tuning.part(place))
            infos += (info,)
        return state, Info(sum(info.acceptance for info in infos) / len(infos), infos)

    return Kernel(_one_chain(parts[0], "a cycle"), step)


def mixture(kernels: Sequence[Kernel], weights: Sequence[float]) -> Kernel:
    """Return the kernel that takes a step of one of them, drawn for each chain by fixed weights.

    It is reversible where all of them are. Tierney (1994), doi:10.1214/aos/1176325750. As the chains step together,
    each kernel steps for all of them, and its ``Info`` among the parts counts for all; a chain that drew another
    forgets the step.

    Raises
    ------
    ConfigError
        If there is no kernel, or the weights do not fit: one each, above 0.
    """
    parts = _some(kernels, "a mixture")
    shares = np.asarray(weights, dtype=float)
    if shares.shape != (len(parts),) or not np.all((shares > 0) & (shares < np.inf)):
        raise ConfigError(f"weights must be {len(parts)} numbers above 0, one a kernel, got {list(weights)}")
    shares = shares / shares.sum()

    def step(streams: Streams, state: State, tuning: Tuning) -> tuple[State, Info]:
        chosen = streams.choose(shares)
        xp = namespace_of(state.log_density)
        moved, acceptance = state, 0.0 * state.log_density
        infos: tuple[Info, ...] = ()
        for place, kernel in enumerate(parts):
            candidate, info = kernel.step(streams, state, tuning.part(place))
            mine = like(chosen == place, state.log_density)
            moved = selected(xp, mine, candidate, moved)
            acceptance = xp.where(mine, info.acceptance, acceptance)
            infos += (info,)
        return moved, Info(acceptance, infos)

    return Kernel(_one_chain(parts[0], "a mixture"), step)


def _some(kernels: Sequence[Kernel], what: str) -> tuple[Kernel, ...]:
    if not kernels:
        raise ConfigError(f"{what} needs at least one kernel")
    return tuple(kernels)


def _one_chain(kernel: Kernel, what: str) -> Any:
    def init(position: Any) -> State:
        state = kernel.init(position)
        if state.replicas is not None:
            raise ConfigError(f"{what} cannot hold parallel tempering; give parallel_tempering {what} instead")
        return state

    return init
