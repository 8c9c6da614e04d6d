"""Stochastic block models of graphs: which nodes link alike, with their blocks inferred.

Holland, Laskey and Leinhardt (1983), doi:10.1016/0378-8733(83)90021-7; Bayesian, with blocks unknown: Nowicki and
Snijders (2001), doi:10.1198/016214501753208735. The parts are in ``bayeskit.models.blocks``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.core.priors import Prior
from bayeskit.core.types import Draws, ModelCard, Source
from bayeskit.datasets.graphs import Graph, graph
from bayeskit.models.blocks.card import block_card
from bayeskit.models.blocks.observed import HeldOut, pairs_of_graph
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.posterior import block_coords, block_dims, block_groups
from bayeskit.models.blocks.quantities import label_free_quantities
from bayeskit.models.blocks.simulation import draw_assignments, draw_prior_values, simulate_pairs
from bayeskit.models.blocks.spec import BlockSpec, Likelihood, priors_of
from bayeskit.models.blocks.statistics import graph_statistics

if TYPE_CHECKING:
    from bayeskit.models.blocks.exact import ExactBlocks
    from bayeskit.models.blocks.gibbs import BlockGibbs
    from bayeskit.models.blocks.guide import BlockGuide
    from bayeskit.models.blocks.spectral import BlockSpectral
    from bayeskit.models.blocks.vb import BlockVB

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_MOST_PRIOR_PAIRS = 2_000_000  # of all graphs simulated from the prior together
_MOST_FOR_STATISTICS = 2_000_000  # edges
_N_STARTS = 5


@dataclass(frozen=True, eq=False)
class SBM:
    """A stochastic block model with its graph and its priors; build it with ``sbm``.

    Parameters
    ----------
    data
        The graph as it was read.
    spec
        Sizes, form and priors.
    pairs
        The pairs of nodes that are fitted: the data's own, without those held out, or simulated ones.
    options
        What ``sbm`` was called with.
    held_out
        The pairs held out, None where there are none.
    starts_at
        Assignments by site, from 0, that engines may start from: those that the choice of the number of blocks found.
    selection
        How the number of blocks was chosen, by column of a table; empty where it was given.
    reference, sha256
        ``FILE.py:NAME`` and that file's hash, where it was made there; empty otherwise.
    """

    data: Graph
    spec: BlockSpec
    pairs: Pairs
    options: Mapping[str, Any]
    held_out: HeldOut | None = None
    starts_at: Arrays = field(default_factory=dict)
    selection: Arrays = field(default_factory=dict)
    reference: str = ""
    sha256: str = ""

    @property
    def name(self) -> str:
        """The command's word for this family."""
        return "sbm"

    @property
    def source(self) -> Source:
        """The file that the graph came from."""
        return self.data.source

    @property
    def priors(self) -> tuple[Prior, ...]:
        """Priors of the parameters, with the scales that the data gave them."""
        return self.spec.priors

    @property
    def hold_out(self) -> float:
        """Share of the pairs held out."""
        return float(self.options["hold_out"])

    @property
    def is_complete(self) -> bool:
        """Whether there is an edge, or a weight that is the same, between all nodes."""
        n, weights = self.pairs.n_nodes, self.pairs.weights
        n_pairs = n * n - self.pairs.unobserved.nnz - (0 if self.pairs.self_pairs else n)
        return weights.nnz == n_pairs and weights.nnz > 0 and bool((weights.data == weights.data[0]).all())

    def card(self, draws: Draws | None = None) -> ModelCard:
        """Return the model's description for the report."""
        return block_card(self, draws)

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """Coordinates of the posterior's dimensions."""
        return block_coords(self)

    @property
    def dims(self) -> dict[str, list[str]]:
        """Dimensions of each variable, but for chain and draw."""
        return block_dims(self)

    def groups(self, values: Arrays) -> dict[str, dict[str, NDArray[Any]]]:
        """Sort an engine's draws (``n_chains x n_draws x ...`` by site) into the posterior's groups."""
        return block_groups(self, values)

    @property
    def states(self) -> tuple[str, ...]:
        """No hidden states over time; assignments stand in a group of their own."""
        return ()

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """Names of what graphs drawn from the model are compared by with the data; none of very large ones."""
        return tuple(self.observed_statistics)

    @cached_property
    def observed_statistics(self) -> Mapping[str, float]:
        """These of the data."""
        return {} if self.pairs.weights.nnz > _MOST_FOR_STATISTICS else graph_statistics(self.pairs)

    def observations(self) -> dict[str, NDArray[Any]]:
        """Return statistics of the graph; none where no graphs are simulated to compare them with."""
        if not self.statistics or not self._n_prior_graphs:
            return {}
        return {"graph_statistic": np.array(list(self.observed_statistics.values()))}

    def constants(self) -> dict[str, NDArray[Any]]:
        """Nothing is known besides the graph."""
        return {}

    def draw_prior(self, n_draws: int, rng: np.random.Generator) -> tuple[dict[str, NDArray[Any]], Floats]:
        """Simulate from the prior.

        Returns
        -------
        dict, array
            Parameters by site, each ``n_draws x ...``; and statistics of graphs, ``n x n_statistics``, with ``n`` less
            than ``n_draws`` where graphs are large, and 0 where one would be.
        """
        values = draw_prior_values(self.spec, rng, n_draws)
        n_kept = min(n_draws, self._n_prior_graphs)
        found = np.empty((n_kept, len(self.statistics)))
        drawn: dict[str, NDArray[Any]] = dict(values)
        drawn |= draw_assignments(self.spec, values, self.pairs.n_nodes, rng) if n_kept else {}
        for draw in range(n_kept):
            truth = {name: value[draw] for name, value in drawn.items()}
            told = graph_statistics(simulate_pairs(self.spec, self.pairs, truth, rng), self.statistics)
            found[draw] = [told[name] for name in self.statistics]
        return dict(values), found

    @property
    def _n_prior_graphs(self) -> int:
        return int(_MOST_PRIOR_PAIRS // max(1, self.pairs.n_nodes**2))

    def simulate(self, rng: np.random.Generator) -> tuple[dict[str, NDArray[Any]], SBM]:
        """Draw a truth, by site, and a graph: what recovery tests and simulation-based calibration start from.

        Priors, exposures and pairs that are unobserved stay as they are, however the simulated graph looks.
        """
        values = draw_prior_values(self.spec, rng, 1)
        drawn: dict[str, NDArray[Any]] = {**values, **draw_assignments(self.spec, values, self.pairs.n_nodes, rng)}
        truth = {name: value[0] for name, value in drawn.items()}
        simulated = simulate_pairs(self.spec, self.pairs, truth, rng)
        return truth, replace(self, pairs=simulated, held_out=None, starts_at={})

    def test_quantities(self, values: Arrays) -> dict[str, Floats]:
        """Return what calibration ranks, ``n_draws`` values by label, of draws given as ``n_draws x ...`` by site."""
        return label_free_quantities(self.spec, self.pairs, values)

    def gibbs(self) -> BlockGibbs:
        """Return the conditionals of collapsed Gibbs sampling."""
        from bayeskit.models.blocks.gibbs import BlockGibbs

        return BlockGibbs(self.spec, self.pairs, self.starts_at)

    def vb(self) -> BlockVB:
        """Return the updates of coordinate-ascent variational Bayes."""
        from bayeskit.models.blocks.vb import BlockVB

        return BlockVB(self.spec, self.pairs, self.starts_at)

    def spectral(self) -> BlockSpectral:
        """Return the steps of spectral clustering."""
        from bayeskit.models.blocks.spectral import BlockSpectral

        return BlockSpectral(self.spec, self.pairs)

    def pyro_program(
        self, *, enumerated: bool = False, seed: int = 1
    ) -> tuple[Callable[..., Any], tuple[Any, ...], BlockGuide]:
        """Return the Pyro program, what it is called with, and its guide, which begins at a partition found fast.

        ``enumerated``: the readable reference, whose assignments Pyro sums out, two partitions of a small graph only.
        """
        from bayeskit.models.blocks.guide import BlockGuide
        from bayeskit.models.blocks.program import graph_tensors, sbm_program
        from bayeskit.models.blocks.reference import EnumeratedGuide, pair_tensors, reference_program

        if enumerated:
            arguments = (pair_tensors(self.spec, self.pairs), self.spec)
            return reference_program, arguments, EnumeratedGuide(self.spec, self.pairs, self._partition(seed))
        guide = BlockGuide(self.spec, self.pairs, self._partition(seed))
        return sbm_program, (graph_tensors(self.spec, self.pairs), self.spec), guide

    def _partition(self, seed: int) -> Arrays:
        """Return the partition that the choice of the number of blocks found, or the best of the spectral ones."""
        if self.starts_at:
            return self.starts_at
        from bayeskit.models.blocks.likelihood import log_marginal
        from bayeskit.models.blocks.spectral import StartingPartitions

        starts = StartingPartitions(self.spec, self.pairs)
        found = [starts.partition(number, seed) for number in range(_N_STARTS)]
        return max(found, key=lambda partition: log_marginal(self.spec, self.pairs, partition))

    def exact(self) -> ExactBlocks:
        """Return the posterior by enumeration, of few nodes only."""
        from bayeskit.models.blocks.exact import ExactBlocks

        return ExactBlocks(self.spec, self.pairs)


def sbm(
    data: Graph,
    *,
    source_blocks: int = 2,
    target_blocks: int | None = None,
    shared: bool = False,
    likelihood: Likelihood | None = None,
    degree_corrected: bool = False,
    hold_out: float = 0.0,
    prior: str | Sequence[str] = (),
) -> SBM:
    """Build a stochastic block model.

    Parameters
    ----------
    data
        From ``load_graph`` or ``graph``.
    source_blocks, target_blocks
        Numbers of blocks; of targets as many as of sources unless given.
    shared
        Whether a node has one block, as a source and as a target; always so where edges have no direction.
    likelihood
        ``bernoulli``, of edges that are there or not; ``poisson``, of weights as counts. Bernoulli unless given or
        corrected for degrees.
    degree_corrected
        Whether nodes of a block may differ in their expected degrees (Poisson): Karrer and Newman (2011),
        doi:10.1103/PhysRevE.83.016107.
    hold_out
        Share of the pairs of nodes to hold out, for the prediction of links to be judged.
    prior
        Overrides, each ``name=distribution(arguments)``: of ``pi`` and ``theta``; ``alpha``, ``a`` and ``b`` given here
        are estimated, and stand for the arguments of the former.

    Raises
    ------
    ConfigError
        For options that do not go together, a prior that makes no sense, or more blocks than nodes.
    DataError
        For weights that the likelihood cannot take.

    Notes
    -----
    By default shares and chances are uniform; Poisson rates have an exponential prior whose mean is the mean weight of
    all pairs, which becomes part of the model and is kept with the run.
    """
    overrides = [prior] if isinstance(prior, str) else list(prior)
    chosen, one_partition = form_of(data, likelihood, shared=shared, degree_corrected=degree_corrected)
    targets = source_blocks if target_blocks is None else target_blocks
    check_blocks(data, source_blocks, targets, shared=one_partition)
    if not 0 <= hold_out <= 0.9:
        raise ConfigError(f"the share of pairs to hold out (--hold-out) must lie between 0 and 0.9, got {hold_out:g}")
    pairs, held_out = pairs_of_graph(data, chosen, degree_corrected=degree_corrected, hold_out=hold_out)
    weight, exposure = pairs.total
    priors = priors_of(chosen, mean_rate=weight / exposure if exposure > 0 else 0.0, overrides=tuple(overrides))
    spec = BlockSpec(source_blocks, targets, one_partition, data.directed, chosen, degree_corrected, priors)
    return SBM(
        data=data,
        spec=spec,
        pairs=pairs,
        held_out=held_out,
        options={
            "source_blocks": source_blocks,
            "target_blocks": None if one_partition else targets,
            "shared": shared,
            "likelihood": likelihood,
            "degree_corrected": degree_corrected,
            "hold_out": hold_out,
            "prior": overrides,
        },
    )


def form_of(
    data: Graph, likelihood: Likelihood | None, *, shared: bool, degree_corrected: bool
) -> tuple[Likelihood, bool]:
    """Return the likelihood, and whether one partition is shared.

    Raises
    ------
    ConfigError
        For a correction for degrees of a likelihood that knows none.
    """
    if degree_corrected and likelihood == "bernoulli":
        raise ConfigError(
            "the correction for degrees is of the Poisson likelihood; give --likelihood poisson, or leave "
            "--degree-corrected out"
        )
    return likelihood or ("poisson" if degree_corrected else "bernoulli"), shared or not data.directed


def check_blocks(data: Graph, sources: int, targets: int, *, shared: bool) -> None:
    """Refuse numbers of blocks that are out of range, or that differ where one partition is shared."""
    for option, number in (("--source-blocks", sources), ("--target-blocks", targets)):
        if not 1 <= number <= data.n_nodes:
            raise ConfigError(
                f"there are {data.n_nodes:,} nodes, which {number:,} blocks are too {'many' if number > 0 else 'few'} "
                f"for; give {option} from 1 to {data.n_nodes:,}, or auto"
            )
    if shared and sources != targets:
        raise ConfigError(
            f"{sources} blocks of sources and {targets} of targets are no shared partition; leave --target-blocks out, "
            f"or --shared{'' if data.directed else ' and --undirected'}"
        )


@cache
def six_nodes() -> SBM:
    """Return a block model of a made-up graph of six nodes, of which two are followed and two follow many."""
    followed = ["bde", "de", "b", "ae", "c", ""]
    edges = np.array([[float(name in names) for name in "abcdef"] for names in followed])
    return sbm(graph(edges, nodes=list("abcdef")), source_blocks=2, target_blocks=2)
