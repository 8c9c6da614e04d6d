"""The posterior of a block model of few nodes by counting up every assignment: what other engines are held against.

Given the assignments shares and rates are conjugate, so that the evidence is a sum over assignments of marginals, and
draws from the posterior are independent. With shares and rates kept, and the assignments summed out, there is a density
of continuous parameters, for engines that follow gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayeskit.core.errors import ConfigError
from bayeskit.models.blocks._states import States, Table
from bayeskit.models.blocks.likelihood import log_constant
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.simulation import draw_rates
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

MOST_STATES = 4_200_000
MOST_FOR_GRADIENTS = 70_000
_AT_ONCE = 1 << 23  # numbers


class ExactBlocks:
    """A block model and a graph of few nodes.

    Parameters
    ----------
    spec, pairs
        Model and graph.

    Raises
    ------
    ConfigError
        If there are too many assignments.
    """

    def __init__(self, spec: BlockSpec, pairs: Pairs) -> None:
        self.spec, self.pairs = spec, pairs
        self._check(MOST_STATES, "be counted up")
        self._states = States(spec, pairs)

    @property
    def log_evidence(self) -> float:
        """The log density of the graph.

        Raises
        ------
        ConfigError
            If concentrations are to be estimated.
        """
        return float(logsumexp(self._log_marginals))

    @property
    def probabilities(self) -> Floats:
        """The posterior probability of each assignment, in the order of their numbers."""
        return np.asarray(np.exp(self._log_marginals - self.log_evidence))

    def assignments(self, states: NDArray[np.integer[Any]]) -> dict[str, NDArray[np.int16]]:
        """Return assignments by their numbers, ``n_states x n`` by site."""
        return self._states.assignments(states)

    def sample(self, rng: np.random.Generator, n: int) -> dict[str, NDArray[Any]]:
        """Draw independently from the posterior.

        Parameters
        ----------
        rng
            The stream.
        n
            How many draws.

        Returns
        -------
        dict
            By site, ``n x`` the site's shape: assignments from 0, shares and rates.

        Raises
        ------
        ConfigError
            If concentrations are to be estimated.
        """
        below = np.cumsum(self.probabilities)
        states = np.searchsorted(below, rng.random(n) * below[-1], side="right")
        assigned = self.assignments(np.minimum(states, self._states.number - 1))
        return {**draw_rates(self.spec, self.pairs, assigned, rng), **assigned}

    def pyro_program(self) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Return a program of shares, rates and concentrations, assignments summed out, and what it is called with.

        Raises
        ------
        ConfigError
            If there are too many assignments for a density that is computed thousands of times.
        """
        import torch

        from bayeskit.models.blocks.summed import SummedTensors, summed_program

        table = self._table
        constant = log_constant(self.spec, self.pairs)
        tensors = SummedTensors(torch.tensor(table.rows), torch.tensor(np.log(table.numbers) + constant))
        return summed_program, (tensors, self.spec), {}

    def with_assignments(self, values: Arrays, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Return draws of the program's sites with assignments, drawn from what they are given the others.

        Parameters
        ----------
        values
            By site, ``n_chains x n_draws x ...``.
        rng
            The stream.
        """
        shape = values["theta"].shape[:2]
        flat = {name: np.asarray(value).reshape(-1, *value.shape[2:]) for name, value in values.items()}
        drawn = self.conditional_assignments(flat, rng)
        kept = {name: np.asarray(values[name]) for name in self.spec.shapes}
        return kept | {site: found.reshape(*shape, -1) for site, found in drawn.items()}

    def conditional_assignments(self, values: Arrays, rng: np.random.Generator) -> dict[str, NDArray[np.int16]]:
        """Draw assignments given shares and rates, by site ``n_draws x n`` from ``n_draws x ...``."""
        table = self._table
        factors = self._factors(values)
        chosen = np.empty(len(factors), dtype=np.int64)
        step = max(1, _AT_ONCE // len(table.rows))
        for first in range(0, len(factors), step):
            block = slice(first, first + step)
            log_chances = factors[block] @ table.rows.T + np.log(table.numbers)
            below = np.cumsum(np.exp(log_chances - log_chances.max(axis=1, keepdims=True)), axis=1)
            chance = rng.random((len(below), 1)) * below[:, -1:]
            chosen[block] = np.minimum((below <= chance).sum(axis=1), len(table.rows) - 1)
        member = (rng.random(len(chosen)) * table.numbers[chosen]).astype(np.int64)
        return self.assignments(table.order[table.first[chosen] + member])

    def _factors(self, values: Arrays) -> Floats:
        """Return what the table's totals are multiplied by in the log density, ``n_draws x n_totals``."""
        theta = np.asarray(values["theta"], dtype=float).reshape(len(values["theta"]), -1)
        shares = [np.log(values[f"pi{site[1:]}"]) for site in self.spec.partitions]
        rest = np.log1p(-theta) if self.spec.likelihood == "bernoulli" else -theta
        return np.concatenate([*shares, np.log(theta), rest], axis=1)

    @cached_property
    def _log_marginals(self) -> Floats:
        if self.spec.hyperparameters:
            raise ConfigError(
                f"engine exact takes fixed concentrations, and {', '.join(self.spec.hyperparameters)} has a prior; "
                "take engine nuts or gibbs, or leave that prior out"
            )
        return self._states.log_marginals()

    @cached_property
    def _table(self) -> Table:
        self._check(MOST_FOR_GRADIENTS, "be summed over at each step")
        return self._states.table()

    def _check(self, most: int, what: str) -> None:
        digits = self.pairs.n_nodes * sum(math.log10(size) for size in self.spec.partitions.values())
        if digits > math.log10(most):
            blocks = " and ".join(str(size) for size in self.spec.partitions.values())
            raise ConfigError(
                f"{self.pairs.n_nodes:,} nodes in {blocks} blocks have about 1e{digits:.0f} assignments, of which "
                f"{most:,} can {what}; take engine gibbs, vb or svi"
            )
