"""Search for the partition of a graph, and its number of blocks, that a criterion prefers.

From partitions that are too fine, blocks are merged and single nodes moved, down to the fewest blocks: agglomeration as
by Peixoto (2014), doi:10.1103/PhysRevE.89.012804, with every node at its best block before the next few merges. Around
the best of these, blocks are split and merged, and all nodes shaken up, where that helps: ``_exploring.hpp``. A search
is no proof: the best that it finds may not be the best there is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.models.blocks._native import NativeGraph
from bayeskit.models.blocks._search_start import at_random, over_split, singletons
from bayeskit.models.blocks._sessions import Labels, Limits, Session, Sizes, search_library
from bayeskit.models.blocks.criteria import OBJECTIVES, Objective, check_counts
from bayeskit.models.blocks.likelihood import log_constant
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec

_FEW_NODES = 300  # up to which each node is a block of its own in the beginning
_SOME_NODES = 2000
_FINE, _COARSE = 200, 64  # blocks to begin with, up to so many nodes and beyond
_MOST_SHAKEN, _SHAKEN_EDGES = 100, 800_000  # attempts to shake a partition up, at most, and times edges
_BELOW, _ABOVE = 4, 3  # numbers of blocks next to the best that are told


@dataclass(frozen=True, eq=False)
class Partition:
    """Blocks of all nodes.

    Parameters
    ----------
    assignments
        By site, ``n`` blocks from 0 each, none empty.
    n_source_blocks, n_target_blocks
        K and L.
    score
        What was minimised, in nats: the description length, or minus the integrated log likelihood.
    """

    assignments: Mapping[str, NDArray[np.int64]]
    n_source_blocks: int
    n_target_blocks: int
    score: float


@dataclass(frozen=True, eq=False)
class Found(Partition):
    """The best partition of a search, and others on its way.

    Parameters
    ----------
    path
        The best partition found for each pair of numbers of blocks, by these numbers. Those next to the best are looked
        for; farther off they are as they came.
    """

    path: tuple[Partition, ...]


def search_partition(
    spec: BlockSpec,
    pairs: Pairs,
    *,
    objective: Objective = "dl",
    most_blocks: int | None = None,
    n_source_blocks: int | None = None,
    n_target_blocks: int | None = None,
    seed: int = 1,
    restarts: int | None = None,
) -> Found:
    """Search for the partition, or the two, with the smallest objective.

    Parameters
    ----------
    spec
        The model; its own numbers of blocks do not count.
    pairs
        The graph.
    objective
        ``dl``: the description length, degree-corrected where the model is; ``icl``: minus the integrated likelihood,
        concentrations taken where they start.
    most_blocks
        On a side whose number is free.
    n_source_blocks, n_target_blocks
        Numbers of blocks, all with nodes; None: free. Of one partition that is shared either is its number.
    seed
        Of the search.
    restarts
        Searches, the best of which counts; by default a few, of large graphs one.

    Raises
    ------
    ConfigError
        For an unknown objective, or a number of blocks below 1 or above that of nodes.
    DataError
        If the description length is asked for and weights are no counts.
    """
    if objective not in OBJECTIVES:
        raise ConfigError(f"objective '{objective}' is unknown; choose from {', '.join(OBJECTIVES)}")
    if objective == "dl":
        check_counts(pairs)
    limits = _limits(spec, pairs, most_blocks, n_source_blocks, n_target_blocks)
    if restarts is None:
        few = 2 if spec.shared else 6 if pairs.n_nodes <= _FEW_NODES else 3
        restarts = few if pairs.n_nodes <= _SOME_NODES else 1
    from threadpoolctl import threadpool_limits

    searcher = _Searcher(spec, pairs, limits, integrated=objective == "icl")
    rngs = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(restarts)]
    n_threads = min(restarts, len(os.sched_getaffinity(0)))
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        sessions = list(pool.map(searcher.run, range(restarts), rngs))
    max(sessions, key=lambda session: _best(session)[1]).widen(_BELOW, _ABOVE)
    return searcher.gathered(sessions)


class _Searcher:
    """A model, its graph in C++ too, and limits of the numbers of blocks."""

    def __init__(self, spec: BlockSpec, pairs: Pairs, limits: Limits, *, integrated: bool) -> None:
        self.spec, self.pairs, self.limits, self.integrated = spec, pairs, limits, integrated
        self.graph = NativeGraph(search_library(), pairs)

    def run(self, number: int, rng: np.random.Generator) -> Session:
        """Search from one start, and leave the session as it ends."""
        session = self._agglomerated(self._start(number, rng), rng)
        if self.integrated:
            session = self._continued(session, rng)
        session.polish()
        session.shake(min(_MOST_SHAKEN, _SHAKEN_EDGES // max(self.pairs.weights.nnz, 1)))
        return session

    def gathered(self, sessions: Sequence[Session]) -> Found:
        """Return the best of all sessions, by numbers of blocks and in all."""
        constant = log_constant(self.spec, self.pairs) if self.integrated else 0.0
        path: dict[Sizes, Partition] = {}
        for session in sessions:
            for sizes, value in session.found().items():
                score = -(value + constant)
                if sizes not in path or score < path[sizes].score:
                    labels = session.labels(sizes)
                    named = {site: z.astype(np.int64) for site, z in zip(self.spec.partitions, labels, strict=True)}
                    path[sizes] = Partition(named, *sizes, score)
        ordered = tuple(path[sizes] for sizes in sorted(path))
        best = min(ordered, key=lambda found: found.score)
        return Found(best.assignments, best.n_source_blocks, best.n_target_blocks, best.score, ordered)

    def _start(self, number: int, rng: np.random.Generator) -> list[Labels]:
        """Return a start: from positions, or, in turn with that, of few nodes each by itself, of more at random."""
        n_nodes, n_partitions = self.pairs.n_nodes, len(self.spec.partitions)
        n_blocks = max(_FINE if n_nodes <= _SOME_NODES else _COARSE, 3 * max(self.limits.fewest))
        if n_nodes <= _FEW_NODES:
            if number % 2 == 0:
                return singletons(self.pairs, n_partitions)
            return over_split(self.pairs, n_partitions, max(n_nodes // 3, *self.limits.fewest), rng)
        n_blocks = min(n_nodes, n_blocks)
        if number % 2:
            return at_random(self.pairs, n_partitions, n_blocks, rng)
        return over_split(self.pairs, n_partitions, n_blocks, rng)

    def _agglomerated(self, start: list[Labels], rng: np.random.Generator) -> Session:
        """Descend from a start, and from its best with all blocks divided while this is better and not much coarser."""
        largest = max(int(labels.max()) + 1 for labels in start)
        session = self._session(False, largest, rng)
        session.descend(start, divided=False)
        while True:
            sizes, value = _best(session)
            reach = min(max(self.limits.most), self.pairs.n_nodes)
            if 2 * max(sizes) <= largest or largest >= reach or reach <= max(self.limits.fewest):
                return session
            largest = min(2 * max(sizes), self.pairs.n_nodes)
            finer = self._session(False, largest, rng)
            finer.descend(session.labels(sizes), divided=True)
            if _best(finer)[1] <= value:
                return session
            session = finer

    def _continued(self, session: Session, rng: np.random.Generator) -> Session:
        """Descend by integrated likelihoods from where the description length has half as many blocks again as best."""
        judge = self._session(True, max(max(sizes) for sizes in session.found()), rng)
        values = {sizes: judge.value(session.labels(sizes)) for sizes in session.found()}
        best = max(values, key=lambda sizes: values[sizes])
        finer = [sizes for sizes in values if all(2 * k >= 3 * l for k, l in zip(sizes, best, strict=True))]  # noqa: E741
        start = min(finer, key=sum, default=max(values, key=sum))
        follower = self._session(True, max(start), rng)
        for sizes in dict.fromkeys((start, best)):
            follower.descend(session.labels(sizes), divided=False)
        return follower

    def _session(self, integrated: bool, largest: int, rng: np.random.Generator) -> Session:
        seed = int(rng.integers(2**63))
        labels = max(largest, *self.limits.fewest) + 2
        return Session(
            self.spec, self.pairs, self.graph, integrated=integrated, labels=labels, limits=self.limits, seed=seed
        )


def _best(session: Session) -> tuple[Sizes, float]:
    return max(session.found().items(), key=lambda found: found[1])


def _limits(
    spec: BlockSpec, pairs: Pairs, most_blocks: int | None, n_source_blocks: int | None, n_target_blocks: int | None
) -> Limits:
    if spec.shared:
        given = n_source_blocks if n_target_blocks is None else n_target_blocks
        if n_source_blocks not in (None, given):
            raise ConfigError(
                f"one partition has as many blocks of sources as of targets, got {n_source_blocks} and "
                f"{n_target_blocks}; give one of them"
            )
        n_source_blocks = n_target_blocks = given
    names = ("n_source_blocks", "n_target_blocks", "most_blocks")
    for name, number in zip(names, (n_source_blocks, n_target_blocks, most_blocks), strict=True):
        if number is not None and (number < 1 or (number > pairs.n_nodes and name != "most_blocks")):
            raise ConfigError(f"{name} must be from 1 to the number of nodes, {pairs.n_nodes}, got {number}")
    most = min(pairs.n_nodes, most_blocks or pairs.n_nodes)
    fixed = (n_source_blocks, n_target_blocks)
    first, second = ((1, most) if number is None else (number, number) for number in fixed)
    return Limits((first[0], second[0]), (first[1], second[1]))
