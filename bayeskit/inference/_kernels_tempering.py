"""Parallel tempering: replicas of each chain at flatter and flatter densities, which swap places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any, Literal, NamedTuple

import numpy as np

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError
from bayeskit.inference._kernels_types import Info, Kernel, State, Tuning, like, namespace, selected
from bayeskit.inference._streams import Streams

Swaps = Literal["even-odd", "random-pair"]


class Replicas(NamedTuple):
    """What a tempered state carries beside the position: each replica's state, and how often swaps were tried."""

    states: tuple[State, ...]
    n_rounds: int = 0


def parallel_tempering(
    kernel_of_density: Callable[[Density], Kernel],
    density: Density,
    inverse_temperatures: Sequence[float],
    reference: Density | None = None,
    swaps: Swaps = "even-odd",
) -> Kernel:
    """Return the kernel that moves each chain's replicas by themselves, and then lets neighbours swap places.

    Geyer (1991), https://hdl.handle.net/11299/58440. Swaps of all even pairs and of all odd pairs take turns, which
    is not reversible and faster than any choice at random: Syed, Bouchard-Côté, Deligiannidis and Doucet (2022),
    doi:10.1111/rssb.12464; or one pair of neighbours is drawn each time.

    A state's ``position`` is ``n_chains x (n_replicas * n_dims)``: the replicas side by side, the first ``n_dims``
    columns at inverse temperature 1, which are the chain; ``log_density`` is theirs. ``init`` also takes
    ``n_chains x n_dims``, where all replicas start. ``Info.acceptance`` is that of the first replica, ``Info.parts``
    and ``Tuning.parts`` have one entry a replica.

    Parameters
    ----------
    kernel_of_density
        Makes the kernel that moves one replica, of its tempered density.
    density
        Left invariant by the first replica.
    inverse_temperatures
        ``n_replicas``, falling from 1; the log density is multiplied by each.
    reference
        With it, replicas go from the density at 1 to this one at 0, which may be among the temperatures: it must
        cover the density.
    swaps
        How pairs are chosen.

    Raises
    ------
    ConfigError
        If the inverse temperatures do not fall from 1 to above 0, or to 0 with a reference.
    """
    betas, xp = _checked(inverse_temperatures, reference, swaps), namespace(density)
    bridge = _Bridge(density, reference)
    kernels = [kernel_of_density(bridge.at(beta)) for beta in betas]
    n_dims = density.n_dims

    def init(position: Any) -> State:
        columns = [0] * len(betas) if position.shape[1] == n_dims else [n_dims * place for place in range(len(betas))]
        if position.shape[1] not in (n_dims, n_dims * len(betas)):
            raise ConfigError(f"a start needs {n_dims} or {n_dims * len(betas)} coordinates, got {position.shape[1]}")
        parts = [position[:, first : first + n_dims] for first in columns]
        return _joined(
            xp, Replicas(tuple(kernel.init(part + 0.0) for kernel, part in zip(kernels, parts, strict=True)))
        )

    def step(streams: Streams, state: State, tuning: Tuning) -> tuple[State, Info]:
        moved = [
            kernel.step(streams, replica, tuning.part(place))
            for place, (kernel, replica) in enumerate(zip(kernels, state.replicas.states, strict=True))
        ]
        infos = tuple(info for _, info in moved)
        with np.errstate(invalid="ignore"):  # where the reference or the target is 0; no such swap is accepted
            ladder = _Ladder(xp, bridge, betas, [replica for replica, _ in moved])
            chances = ladder.swap(streams, swaps, state.replicas.n_rounds)
        replicas = Replicas(tuple(ladder.states), state.replicas.n_rounds + 1)
        return _joined(xp, replicas), Info(infos[0].acceptance, infos, chances)

    return Kernel(init, step)


def _joined(xp: Any, replicas: Replicas) -> State:
    first = replicas.states[0]
    position = xp.concatenate([replica.position for replica in replicas.states], 1)
    return State(position, first.log_density, None, replicas)


def _checked(given: Sequence[float], reference: Density | None, swaps: str) -> tuple[float, ...]:
    betas = tuple(float(beta) for beta in given)
    falling = all(after < before for before, after in pairwise(betas))
    if not betas or betas[0] != 1 or not falling or betas[-1] < 0 or (betas[-1] == 0 and reference is None):
        end = "above 0" if reference is None else "0 or above"
        raise ConfigError(f"inverse_temperatures must fall from 1 and stay {end}, got {list(betas)}")
    if swaps not in ("even-odd", "random-pair"):
        raise ConfigError(f"swaps must be 'even-odd' or 'random-pair', got {swaps!r}")
    return betas


@dataclass(frozen=True)
class _Bridge:
    """The densities between a reference, flat where there is none, and the target."""

    target: Density
    reference: Density | None

    def at(self, beta: float) -> Density:
        """Return the density at an inverse temperature."""
        if beta == 1:
            return self.target
        terms = [(beta, self.target)] if beta > 0 else []  # at 0 the target does not count, whatever it is there
        if self.reference is not None:
            terms.append((1 - beta, self.reference))

        def log_density(points: Any) -> Any:
            return reduce(add, [weight * density(points) for weight, density in terms])

        def gradient(points: Any) -> tuple[Any, Any]:
            found = [(weight, *density.with_gradient(points)) for weight, density in terms]
            return reduce(add, [weight * value for weight, value, _ in found]), reduce(
                add, [weight * slope for weight, _, slope in found]
            )

        known = all(density.gradient is not None for _, density in terms)
        return replace(self.target, log_density=log_density, gradient=gradient if known else None)

    def split(self, beta: float, state: State) -> tuple[Any, Any]:
        """Return the reference's log density at a replica's points, and the target's over it."""
        base = 0.0 * state.log_density if self.reference is None else self.reference(state.position)
        return base, (state.log_density - base) / beta if beta > 0 else self.target(state.position) - base


class _Ladder:
    """The replicas of a step, from inverse temperature 1 on, while neighbours swap."""

    def __init__(self, xp: Any, bridge: _Bridge, betas: tuple[float, ...], states: list[State]) -> None:
        self.xp, self.betas, self.states = xp, betas, states
        self._splits = [bridge.split(beta, state) for beta, state in zip(betas, states, strict=True)]
        over = [split[1] for split in self._splits]
        # The density of the two swapped over that of the two as they stand.
        self.log_ratios = [
            (betas[pair] - betas[pair + 1]) * (over[pair + 1] - over[pair]) for pair in range(len(betas) - 1)
        ]

    def swap(self, streams: Streams, swaps: Swaps, n_rounds: int) -> Any:
        """Let neighbours swap; return with which probabilities, ``n_chains x n_pairs``, NaN where none was tried."""
        if not self.log_ratios:
            return None
        tried = self._every_second(streams, n_rounds % 2) if swaps == "even-odd" else self._one(streams)
        columns = []
        for log_ratio, where in zip(self.log_ratios, tried, strict=True):
            chance = self.xp.exp(self.xp.where(log_ratio > 0, 0.0, log_ratio))
            columns.append(self.xp.where(where, chance, np.nan))
        return self.xp.stack(columns, 1)

    def _every_second(self, streams: Streams, first: int) -> list[Any]:
        tried = [self.log_ratios[0] < -np.inf] * len(self.log_ratios)
        for pair in range(first, len(self.log_ratios), 2):
            tried[pair] = ~tried[pair]
            self._swap(pair, streams.accept(self.log_ratios[pair]))
        return tried

    def _one(self, streams: Streams) -> list[Any]:
        n_pairs = len(self.log_ratios)
        chosen = like(streams.choose(np.full(n_pairs, 1 / n_pairs)), self.log_ratios[0])
        tried = [chosen == pair for pair in range(n_pairs)]
        log_ratio = self.log_ratios[0]
        for pair in range(1, n_pairs):
            log_ratio = self.xp.where(tried[pair], self.log_ratios[pair], log_ratio)
        accepted = streams.accept(log_ratio)
        for pair in range(n_pairs):
            self._swap(pair, accepted & tried[pair])
        return tried

    def _swap(self, pair: int, chains: Any) -> None:
        upper, lower = self.states[pair], self.states[pair + 1]
        self.states[pair] = selected(self.xp, chains, self._arrived(pair + 1, pair, lower.position), upper)
        self.states[pair + 1] = selected(self.xp, chains, self._arrived(pair, pair + 1, upper.position), lower)

    def _arrived(self, origin: int, place: int, position: Any) -> State:
        """Return the points of one replica as another's; their gradient is left for its kernel to find."""
        base, over = self._splits[origin]
        return State(position, base + self.betas[place] * over if self.betas[place] > 0 else base)
