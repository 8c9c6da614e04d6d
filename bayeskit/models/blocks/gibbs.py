"""Collapsed Gibbs sampling of block models, for the engine in ``inference.gibbs``; the sweeps are in C++.

Shares and rates are integrated out: Nowicki and Snijders (2001), doi:10.1198/016214501753208735, collapsed as in
McDaid, Murphy, Friel and Hurley (2013), doi:10.1016/j.csda.2012.10.021, and, with two partitions, Wyse and Friel
(2012), doi:10.1007/s11222-010-9233-4. A sweep draws in turn

1. every node's block given all others, in the order of the nodes;
2. the blocks of many nodes at once, on each side, by Metropolis-Hastings moves (``_moves.hpp``), since a chain that
   goes from node to node rarely leaves an arrangement in which one block is split and two others are one:
   *reallocations* of the nodes of two labels, Nobile and Fearnside (2007), doi:10.1007/s11222-006-9014-7; *splits and
   merges* by restricted Gibbs scans, Jain and Neal (2004), doi:10.1198/1061860043001, which need an empty label; and a
   merge of two blocks *with* a split of a third, which needs none;
3. those of ``alpha``, ``a`` and ``b`` that are estimated, by slice sampling of their logarithms, Neal (2003),
   doi:10.1214/aos/1056562461.

Shares and rates are drawn at the end from their conditional distributions given assignments, independently in each
draw.

Chains begin at given assignments as far as there are any, and all others at clusters of a spectral embedding, each in
another way, or at random; a share of their nodes is scattered, and they go from node to node under the posterior to a
power that grows to 1, which belongs to the start, not to the chain. Labels are left as they are: what depends on labels
is relabelled after sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.blocks._native import NativeGraph, NativeSampler, gibbs_library
from bayeskit.models.blocks.likelihood import log_constant, log_marginal
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.simulation import draw_rates
from bayeskit.models.blocks.spec import HYPERPARAMETERS, BlockSpec
from bayeskit.models.blocks.spectral import StartingPartitions

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_MOVES = ("reallocation", "split_merge", "exchange")


class Plan(NamedTuple):
    """What a sweep does: ``Plan`` of ``_chain.hpp``."""

    visits: int = 1
    moves: int = 4
    reallocations: int = 1
    splits: int = 4
    exchanges: int = 3
    scans: int = 8
    arguments: int = 1


class Annealing(NamedTuple):
    """What leads to a start: a share of the nodes to scatter, sweeps, and the power that these begin with."""

    share: float
    n_sweeps: int
    power: float


_TRIES = 3  # of k-means, of which a chain takes the best
_NONE, _FROM_CLUSTERS = Annealing(0.0, 0, 1.0), Annealing(0.25, 10, 0.5)


class State(NamedTuple):
    """Where the chains stand, which sweeps change in place; and what their shares and rates will be drawn with."""

    sampler: NativeSampler
    keys: NDArray[np.uint64]


class BlockGibbs:
    """Sweeps over the assignments of a block model, and over its concentrations where they are estimated.

    Parameters
    ----------
    spec, pairs
        Model and graph.
    starts_at
        Assignments by site, ``n`` or ``n_starts x n`` from 0, that the first chains begin at.
    threads
        At most so many at a time; as many as there are processors by default. Draws do not depend on it.
    plan
        How often each part of a sweep is done.
    """

    def __init__(
        self,
        spec: BlockSpec,
        pairs: Pairs,
        starts_at: Arrays | None = None,
        *,
        threads: int | None = None,
        plan: Plan | None = None,
    ) -> None:
        import os

        self.spec, self.pairs = spec, pairs
        self._starts = {site: np.atleast_2d(array) for site, array in (starts_at or {}).items()}
        self._threads = threads or os.cpu_count() or 1
        self._plan = plan or Plan()
        self._partitions = StartingPartitions(spec, pairs)
        self._graph = NativeGraph(gibbs_library(), pairs)
        self._kept_as = np.int16 if max(spec.partitions.values()) <= np.iinfo(np.int16).max else np.int32

    @property
    def blocks(self) -> tuple[str, ...]:
        """What is drawn in turn."""
        return (*self.spec.partitions, *self.spec.hyperparameters, "shares", "rates")

    def start(self, seeds: Sequence[np.random.SeedSequence]) -> State:
        """Return the state of as many chains as there are seeds, each from a start of its own."""
        state = self._state(seeds)
        ways = []
        for chain, seed in enumerate(seeds):
            assignments, way = self._start(seed)
            state.sampler.assign(chain, assignments)
            ways.append(way)
        shares, n_sweeps, powers = zip(*ways, strict=True)
        state.sampler.anneal(shares, n_sweeps, powers, self._threads)
        return state

    def state_at(self, assignments: Arrays, seeds: Sequence[np.random.SeedSequence], **arguments: Floats) -> State:
        """Return the state at assignments by site, ``n_chains x n``, and concentrations, ``n_chains`` each."""
        state = self._state(seeds)
        fixed = dict(zip(HYPERPARAMETERS, (self.spec.alpha, *self.spec.rate_arguments), strict=True))
        for chain in range(len(seeds)):
            state.sampler.assign(chain, {site: array[chain] for site, array in assignments.items()})
            at = {name: float(arguments[name][chain]) if name in arguments else fixed[name] for name in fixed}
            state.sampler.set(chain, **at)
        return state

    def _state(self, seeds: Sequence[np.random.SeedSequence]) -> State:
        words = np.array([seed.generate_state(2, np.uint64) for seed in seeds])
        sampler = NativeSampler(self.spec, self.pairs, self._graph, [int(word) for word in words[:, 0]])
        return State(sampler, words[:, 1])

    def _start(self, seed: np.random.SeedSequence) -> tuple[Mapping[str, NDArray[Any]], Annealing]:
        """Return where a chain begins, and what leads it on from there."""
        place = seed.spawn_key[-1] if seed.spawn_key else 0
        if place < min((len(array) for array in self._starts.values()), default=0):
            return {site: array[place] for site, array in self._starts.items()}, _NONE
        # Every fifth way is to take any blocks, from which chains on large graphs do not arrive.
        way = place + place // 4
        rng = np.random.default_rng(seed.generate_state(6, np.uint64)[2:])
        found = [self._partitions.partition(way, int(seed)) for seed in rng.integers(1 << 31, size=_TRIES)]
        return max(found, key=lambda one: log_marginal(self.spec, self.pairs, one)), _FROM_CLUSTERS

    def sweep(self, state: State) -> State:
        """Draw assignments and concentrations once, in place."""
        plan = self._plan if self.spec.hyperparameters else self._plan._replace(arguments=0)
        state.sampler.sweep(plan, self._threads)
        return state

    def record(self, state: State) -> dict[str, NDArray[Any]]:
        """Return what is kept of a state."""
        numbers = state.sampler.numbers()
        recorded: dict[str, NDArray[Any]] = {
            site: array.astype(self._kept_as) for site, array in state.sampler.assignments().items()
        }
        recorded |= {name: numbers[:, 1 + HYPERPARAMETERS.index(name)] for name in self.spec.hyperparameters}
        recorded |= {"objective": numbers[:, 0], "key": state.keys}
        for place, name in enumerate(_MOVES):
            recorded[name] = numbers[:, 7 + place] / np.maximum(numbers[:, 4 + place], 1.0)
        return recorded

    def finish(self, recorded: Arrays) -> tuple[dict[str, NDArray[Any]], dict[str, Floats]]:
        """Return the sites' values and statistics of all draws.

        Statistics are ``lp``, the log density of graph, assignments and concentrations, with shares and rates
        integrated out, and the share of each kind of move that was accepted.
        """
        kept = (*self.spec.partitions, *self.spec.hyperparameters)
        values = {name: recorded[name] for name in kept}
        rates = [
            draw_rates(
                self.spec,
                self.pairs,
                {name: array[chain] for name, array in values.items()},
                np.random.default_rng(key),
            )
            for chain, key in enumerate(recorded["key"][:, 0])
        ]
        values |= {name: np.stack([one[name] for one in rates]) for name in rates[0]}
        lp = recorded["objective"] + log_constant(self.spec, self.pairs)
        for name in self.spec.hyperparameters:
            lp = lp + self.spec.prior(name).log_density(recorded[name])
        return values, {"lp": lp, **{f"{name}_acceptance": recorded[name] for name in _MOVES}}
