"""Metropolis-Hastings over many chains at once, and its Langevin form."""

from __future__ import annotations

from typing import Any

from bayeskit.core.density import Density
from bayeskit.inference._kernels_types import Info, Kernel, Propose, State, Tuning, decided, namespace
from bayeskit.inference._streams import Streams


def metropolis_hastings(density: Density, propose: Propose) -> Kernel:
    """Return the kernel that proposes, and accepts with the Metropolis-Hastings probability.

    Metropolis et al. (1953), doi:10.1063/1.1699114; Hastings (1970), doi:10.1093/biomet/57.1.97. It is reversible.

    Parameters
    ----------
    density
        Left invariant.
    propose
        One of ``random_walk``, ``independence``, ``multiplicative_walk``, ``proposal``, ``integer_walk``,
        ``birth_death``, ``finite`` or ``on``, made.
    """
    xp = namespace(density)

    def init(position: Any) -> State:
        return State(position, density(position))

    def step(streams: Streams, state: State, tuning: Tuning) -> tuple[State, Info]:
        candidate, log_correction = propose(streams, state.position, tuning)
        log_density = density(candidate)
        log_ratio = log_density - state.log_density
        if log_correction is not None:
            log_ratio = log_ratio + log_correction
        return decided(xp, streams, state, State(candidate, log_density), log_ratio)

    return Kernel(init, step)
