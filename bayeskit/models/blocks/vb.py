"""Coordinate ascent on the evidence lower bound of a block model, with conjugate factors.

The factors are independent: of each node's block, of the shares (Dirichlet) and of each rate (Beta, or Gamma). Daudin,
Picard and Robin (2008), doi:10.1007/s11222-007-9046-7; with priors, Latouche, Birmelé and Ambroise (2012),
doi:10.1177/1471082X1001200105; with two partitions, Govaert and Nadif (2008), doi:10.1016/j.csda.2007.09.007. Given the
factors q of the assignments, those of shares and rates have a best form, and with it the bound is

    L(q) = log m(E, M) + log m(n) + H(q)

with the same marginals m as ``log_marginal``, at the expected totals E and M of weights and exposures and the expected
sizes n of the blocks, and with the entropy H.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from bayeskit.core.errors import ConfigError
from bayeskit.models.blocks._variational import CrossedPairs, SharedPairs, Totals, entropy_of, expected_rates
from bayeskit.models.blocks.draws import counts_of_draws, log_marginals, totals_of_draws
from bayeskit.models.blocks.likelihood import log_block, log_constant, once
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.simulation import draw_dirichlet, draw_theta
from bayeskit.models.blocks.spec import BlockSpec
from bayeskit.models.blocks.spectral import StartingPartitions
from bayeskit.models.blocks.variational_draws import affordable_draws, draw_memberships

_MOST_MOVES = 40  # in a row
_MOVING_WORK = 50_000_000  # products, if each move took one step

Floats = NDArray[np.float64]
Partition = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class MeanField:
    """Where coordinate ascent is.

    Parameters
    ----------
    q
        By site of the assignments, each node's probabilities of the blocks, ``n x K``.
    totals
        Expected sums of weights and exposures by pair of blocks, which the factors of the rates follow from.
    entropy
        Of all assignments.
    """

    q: Mapping[str, Floats]
    totals: Totals
    entropy: float


class BlockVB:
    """A block model and its graph, as ``fit_vb`` takes them.

    Parameters
    ----------
    spec
        The model; concentrations fixed.
    pairs
        The graph.
    starts_at
        A partition to start from first, by site, ``n`` blocks from 0 each; then come those of ``StartingPartitions``.

    Raises
    ------
    ConfigError
        If concentrations are to be estimated.
    """

    def __init__(self, spec: BlockSpec, pairs: Pairs, starts_at: Partition | None = None) -> None:
        if spec.hyperparameters:
            raise ConfigError(
                f"variational Bayes takes fixed concentrations, and {', '.join(spec.hyperparameters)} has a prior; "
                "take engine gibbs or svi, or leave that prior out"
            )
        self.spec, self.pairs = spec, pairs
        self._given, self._found = [starts_at] if starts_at else [], StartingPartitions(spec, pairs)
        self._ready = SharedPairs(pairs) if spec.shared else CrossedPairs(pairs)
        self._constant = log_constant(spec, pairs)

    @property
    def n_factors(self) -> int:
        """Number of the assignments' factors."""
        return self.pairs.n_nodes * len(self.spec.partitions)

    def start(self, number: int, rng: np.random.Generator) -> MeanField:
        """Return where a run starts: at the given partition, then at those of ``StartingPartitions``."""
        if number < len(self._given):
            return self.start_at(self._given[number])
        return self.start_at(self._found.partition(number - len(self._given), int(rng.integers(2**32))))

    def start_at(self, partition: Partition) -> MeanField:
        """Return the factors that are certain of a partition, by site, ``n`` blocks from 0 each."""
        return self.at({site: np.eye(size)[partition[site]] for site, size in self.spec.partitions.items()})

    def at(self, q: Mapping[str, Floats]) -> MeanField:
        """Return the factors with these probabilities, by site, ``n x K`` each."""
        return MeanField(q, self._ready.totals(*q.values()), sum(entropy_of(rows) for rows in q.values()))

    def step(self, state: MeanField, inverse_temperature: float = 1.0) -> tuple[MeanField, float]:
        """Return the next factors, and their bound, which does not fall at temperature 1.

        Parameters
        ----------
        state
            Of a start, or of this.
        inverse_temperature
            Below 1 the assignments' factors are wider than they should be.
        """
        if isinstance(self._ready, SharedPairs):
            rates, shares = expected_rates(self.spec, state.totals), self._log_shares(state.q["z"])
            q, entropy = self._ready.sweep(state.q["z"], rates, shares, inverse_temperature)
            after = MeanField({"z": q}, self._ready.totals(q), entropy)
        else:
            after = self._crossed(self._ready, state, inverse_temperature)
        return after, self.bound(after)

    def bound(self, state: MeanField) -> float:
        """Return the evidence lower bound, shares and rates having their best factors."""
        weights, exposures = state.totals
        a, b = self.spec.rate_arguments
        rest = np.maximum(exposures, weights) if self.spec.likelihood == "bernoulli" else exposures
        bound = float(np.sum(once(self.spec, log_block(self.spec, weights, rest, a, b)))) + self._constant
        alpha = self.spec.alpha
        for rows in state.q.values():
            n_nodes, size = rows.shape
            bound += float(gammaln(size * alpha) - gammaln(n_nodes + size * alpha))
            bound += float(np.sum(gammaln(alpha + rows.sum(axis=0)) - gammaln(alpha)))
        return bound + state.entropy

    @property
    def moves(self) -> int:
        """How many moves in a row are worth their time: fewer, the larger the graph; none where there is one block."""
        sizes = self.spec.partitions.values()
        if max(sizes) < 2:
            return 0
        per_step = self.pairs.weights.nnz * sum(sizes) + self.pairs.n_nodes * sum(size**2 for size in sizes)
        return min(_MOST_MOVES, _MOVING_WORK // per_step)

    def propose(self, state: MeanField, rng: np.random.Generator) -> MeanField:
        """Return factors with two blocks merged, and another, or the same, split at random.

        Parameters
        ----------
        state
            The factors.
        rng
            The stream.
        """
        site = rng.choice([site for site, size in self.spec.partitions.items() if size > 1])
        rows = state.q[site].copy()
        into, emptied = rng.choice(rows.shape[1], 2, replace=False)
        rows[:, into] += rows[:, emptied]
        split = rng.choice(np.delete(np.arange(rows.shape[1]), emptied))
        goes = rng.random(len(rows)) < 0.5
        rows[:, emptied] = np.where(goes, rows[:, split], 0.0)
        rows[goes, split] = 0.0
        return self.at({**state.q, site: rows})

    def draw(
        self, state: MeanField, n: int, rng: np.random.Generator
    ) -> tuple[dict[str, NDArray[Any]], Floats, Floats]:
        """Draw assignments from their factors, and shares and rates from their exact conditionals given these.

        So draws are closer to the posterior than the factors are, and the ratio of both densities is that of the
        assignments alone.

        Parameters
        ----------
        state
            The factors.
        n
            How many draws, at most: of large graphs fewer, but no fewer than 100.
        rng
            The stream.

        Returns
        -------
        dict, array, array
            Values by site, ``n x ...``; the log densities of assignments and graph, shares and rates integrated out,
            ``n``; and those of the assignments' factors.
        """
        n = affordable_draws(self.spec, self.pairs, n)
        values: dict[str, NDArray[Any]] = {}
        log_q = np.zeros(n)
        for site, rows in state.q.items():
            values[site], log_chances = draw_memberships(rows, n, rng)
            log_q += log_chances
        weights, exposures = totals_of_draws(self.spec, self.pairs, values)
        log_p = log_marginals(self.spec, self.pairs, values, weights, exposures)
        for site, size in self.spec.partitions.items():
            counts = counts_of_draws(values[site], size)
            values[f"pi{site[1:]}"] = draw_dirichlet(self.spec.alpha + counts, rng)
        a, b = self.spec.rate_arguments
        rest = exposures - weights if self.spec.likelihood == "bernoulli" else exposures
        values["theta"] = draw_theta(self.spec, a + weights, b + np.maximum(rest, 0.0), rng)
        return values, log_p, log_q

    def _crossed(self, ready: CrossedPairs, state: MeanField, inverse_temperature: float) -> MeanField:
        q, totals, entropies = dict(state.q), state.totals, []
        for side, (site, other) in enumerate((("z_1", "z_2"), ("z_2", "z_1"))):
            rates, shares = expected_rates(self.spec, totals), self._log_shares(q[site])
            q[site], totals, entropy = ready.update(side, q[other], rates, shares, inverse_temperature)
            entropies.append(entropy)
        return MeanField(q, totals, sum(entropies))

    def _log_shares(self, rows: Floats) -> Floats:
        sizes = self.spec.alpha + rows.sum(axis=0)
        return np.asarray(digamma(sizes) - digamma(sizes.sum()))


@dataclass(frozen=True, eq=False)
class VBResult:
    """What coordinate ascent came to.

    Parameters
    ----------
    elbo
        The evidence lower bound.
    q
        By site of the assignments, each node's probabilities of the blocks, ``n x K``.
    converged
        Whether the last step changed hardly anything.
    n_iterations
        Steps from the best of the starts.
    """

    elbo: float
    q: Mapping[str, Floats]
    converged: bool
    n_iterations: int

    @property
    def partition(self) -> dict[str, NDArray[np.int64]]:
        """By site, each node's most probable block from 0, ``n``."""
        return {site: rows.argmax(axis=1) for site, rows in self.q.items()}


def fit_blocks_vb(
    spec: BlockSpec,
    pairs: Pairs,
    starts: Sequence[Partition],
    *,
    tolerance: float = 1e-6,
    max_iterations: int = 200,
) -> VBResult:
    """Return the best bound that coordinate ascent reaches from given partitions.

    Parameters
    ----------
    spec, pairs
        Model, with fixed concentrations, and graph.
    starts
        By site, ``n`` blocks from 0 each.
    tolerance
        The ascent ends when a step changes the bound by no more than this times the number of the assignments' factors.
    max_iterations
        Steps at most, from each start.

    Raises
    ------
    ConfigError
        If concentrations are to be estimated.
    """
    model = BlockVB(spec, pairs)
    return max((_ascent(model, start, tolerance, max_iterations) for start in starts), key=lambda found: found.elbo)


def _ascent(model: BlockVB, start: Partition, tolerance: float, most: int) -> VBResult:
    state, before, step, change = model.start_at(start), -np.inf, 0, np.inf
    while step < most and abs(change) > tolerance * model.n_factors:
        state, bound = model.step(state)
        step, change, before = step + 1, bound - before, bound
    return VBResult(before, state.q, abs(change) <= tolerance * model.n_factors, step)
