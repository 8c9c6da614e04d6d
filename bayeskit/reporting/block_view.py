"""A block model's run as figures and sentences take it: who belongs to which block, rates, and the graph itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import BlockCard, Kind

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CERTAIN = 0.95


@dataclass(frozen=True, eq=False)
class Partition:
    """The blocks of the sources, of the targets, or of both; counted from 0.

    Parameters
    ----------
    suffix
        Of its variables: empty where one partition is shared, else ``_1`` of sources or ``_2`` of targets.
    shares
        ``n_draws x n_blocks``.
    block
        ``n_nodes``, the most probable one.
    certainty
        ``n_nodes``, its probability.
    runner_up
        ``n_nodes``, the second most probable one; -1 where there is none.
    second
        ``n_nodes``, the probability of that.
    probability
        ``n_nodes x n_blocks``; None where it was not kept.
    sizes
        How many nodes each block held, ``n x n_blocks``, of some draws; None where assignments were not kept.
    """

    suffix: str
    shares: Floats
    block: Integers
    certainty: Floats
    runner_up: Integers
    second: Floats
    probability: Floats | None
    sizes: Floats | None

    @property
    def n_blocks(self) -> int:
        """How many there are, with those that are empty."""
        return int(self.shares.shape[1])

    @cached_property
    def held(self) -> Integers:
        """How many nodes most probably belong to each block."""
        return np.bincount(self.block, minlength=self.n_blocks)

    @cached_property
    def holding(self) -> list[int]:
        """Blocks that hold nodes."""
        return [int(k) for k in np.flatnonzero(self.held)]

    def name(self, block: int) -> str:
        """Return what the report calls a block, counted from 0."""
        if self.suffix == "_1":
            return say("source block {n}", n=block + 1)
        if self.suffix == "_2":
            return say("target block {n}", n=block + 1)
        return say("block {n}", n=block + 1)

    @property
    def singular(self) -> str:
        """What the report calls one of its blocks, whichever."""
        return {"_1": say("source block"), "_2": say("target block")}.get(self.suffix, say("block"))

    @property
    def plural(self) -> str:
        """What the report calls its blocks together."""
        return {"_1": say("source blocks"), "_2": say("target blocks")}.get(self.suffix, say("blocks"))


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges that were kept, ``n_kept`` each, nodes counted from 0; without direction each once.

    ``n_edges`` says how many the graph has.
    """

    source: Integers
    target: Integers
    weight: Floats
    n_edges: int

    @property
    def complete(self) -> bool:
        """Whether all of the graph's edges are there."""
        return self.source.size >= self.n_edges


@dataclass(frozen=True, eq=False)
class Blocks:
    """A fitted block model.

    Parameters
    ----------
    card
        Its form.
    kind
        Of the fit; of a point there is one draw.
    names
        Of the nodes.
    partitions
        One that is shared, or that of the sources and that of the targets.
    rates
        ``n_draws x n_source_blocks x n_target_blocks``.
    edges
        None where the graph was not kept.
    labels
        Known groups of the nodes, empty where unknown; None where none are given.
    spectral, layout
        Places of the nodes, ``n_nodes x 2``; None where they were not computed.
    degrees
        Weights out of and into each node; None where nobody knows.
    totals
        Weight and number of pairs by pair of blocks, as they were kept; None where they were not.
    """

    card: BlockCard
    kind: Kind
    names: NDArray[Any]
    partitions: tuple[Partition, ...]
    rates: Floats
    edges: Edges | None
    labels: NDArray[Any] | None
    spectral: Floats | None
    layout: Floats | None
    degrees: tuple[Floats, Floats] | None
    totals: tuple[Floats | None, Floats | None] = (None, None)

    @property
    def is_point(self) -> bool:
        """Whether these are estimates without a distribution."""
        return self.kind == "point"

    @property
    def sources(self) -> Partition:
        """Blocks by whom a node links to."""
        return self.partitions[0]

    @property
    def targets(self) -> Partition:
        """Blocks by who links to a node; the same where one partition is shared."""
        return self.partitions[-1]

    @cached_property
    def mean_rates(self) -> Floats:
        """The rates' means, ``n_source_blocks x n_target_blocks``."""
        mean: Floats = self.rates.mean(0)
        return mean

    @cached_property
    def ends(self) -> tuple[Floats, Floats] | None:
        """The ends of the rates' central 95 % intervals; None of a point."""
        if self.is_point or len(self.rates) < 2:
            return None
        low, high = np.quantile(self.rates, [0.025, 0.975], axis=0)
        return low, high

    @cached_property
    def weight(self) -> Floats | None:
        """The observed weight by pair of blocks, symmetric without direction; None where it cannot be told."""
        if self.totals[0] is not None or self.edges is None or not self.edges.complete:
            return self.totals[0]
        return self._weight_of(self.edges)

    @cached_property
    def overall(self) -> float:
        """The rate of all pairs together."""
        weight, pairs = self.weight, self.totals[1]
        if weight is not None and pairs is not None and pairs.sum() > 0:
            return float(weight.sum() / pairs.sum())
        first, second = self.sources.held, self.targets.held
        return float(first @ self.mean_rates @ second / max(1, first.sum() * second.sum()))

    @cached_property
    def flow(self) -> Floats:
        """Weight between the blocks, as observed, or else as expected: the rows' shares say whom a block links to."""
        if self.weight is not None:
            return self.weight
        if self.edges is not None and self.edges.source.size:
            return self._weight_of(self.edges)
        return self.mean_rates * np.outer(self.sources.held, self.targets.held)

    @property
    def link(self) -> str:
        """What stands between the names of two nodes: an arrow where edges have a direction."""
        return "\N{RIGHTWARDS ARROW}" if self.card.directed else "\N{EN DASH}"

    def _weight_of(self, edges: Edges) -> Floats:
        """Return the weight of some edges between the blocks; without direction each counts once in a pair."""
        found = np.zeros((self.sources.n_blocks, self.targets.n_blocks))
        np.add.at(found, (self.sources.block[edges.source], self.targets.block[edges.target]), edges.weight)
        return found if self.card.directed else found + found.T - np.diag(np.diag(found))
