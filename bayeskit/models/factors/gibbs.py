"""Blocked Gibbs sampling of matrix factorisations: all rows of a side at once, then what they are drawn from.

Salakhutdinov and Mnih (2008), doi:10.1145/1390156.1390267; here a row holds the bias with the factors. Test ratings are
predicted as the chain goes on, and of the rows few draws are kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from bayeskit.models.factors._chain import Chain
from bayeskit.models.factors._conditionals import Conditionals
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.quantities import Parameters, quantities_of
from bayeskit.models.factors.spec import SIDES, FactorSpec
from bayeskit.models.factors.testing import Tested

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

Result = TypeVar("Result")

_STARTING_SD = 0.3


class FactorGibbs:
    """Starts and sweeps for ``inference.gibbs``.

    Parameters
    ----------
    spec
        Model.
    data
        Ratings and features.
    device
        ``cpu`` or ``cuda``.
    keep_every
        Of so many kept draws the rows of one are kept, too.
    """

    def __init__(self, spec: FactorSpec, data: Observed, device: str = "cpu", keep_every: int = 10) -> None:
        self.spec, self.data, self.device, self._keep_every = spec, data, device, keep_every
        self.conditionals = Conditionals(spec, data, device)

    @property
    def blocks(self) -> Sequence[str]:
        """What is drawn in turn."""
        ordinal = self.spec.likelihood == "ordinal"
        return (
            *(("cutpoints", "hidden ratings") if ordinal else ()),
            *(() if not self.conditionals.has_features else ("coefficients", "lambda")),
            *(("alpha",) if self.spec.family == "ard" else ("means", "precisions")),
            "user_rows",
            "item_rows",
            *(("mu",) if self.spec.has_level else ()),
            *(() if ordinal else ("tau",)),
        )

    def start(self, seeds: Sequence[np.random.SeedSequence]) -> list[Chain]:
        """Return chains at small random rows."""
        return [self._begin(seed) for seed in seeds]

    def sweep(self, state: list[Chain]) -> list[Chain]:
        """Draw everything once, in place."""
        self._each(self.conditionals.sweep, state)
        return state

    def record(self, state: list[Chain]) -> dict[str, NDArray[Any]]:
        """Return what is kept of each chain; test ratings are predicted, and now and then rows put aside."""
        found = self._each(self._record, state)
        return {name: np.stack([kept[name] for kept in found]) for name in found[0]}

    def finish(self, recorded: Arrays) -> tuple[dict[str, NDArray[Any]], dict[str, Floats]]:
        """Return the values and, as a statistic, the log likelihood."""
        return dict(recorded), {"lp": recorded["log_lik"]}

    def groups(self, states: Sequence[list[Chain]]) -> dict[str, dict[str, NDArray[Any]]]:
        """Return what came of the chains besides: rows that were kept, test ratings, and errors by sweep."""
        chains = [chain for state in states for chain in state]
        groups: dict[str, dict[str, NDArray[Any]]] = {
            "factors": {name: _stacked(chains, name) for name in chains[0].kept[0]}
        }
        if chains[0].train_rmse:
            groups["history"] = {"train_rmse": np.array([chain.train_rmse for chain in chains])}
        tested = [chain.tested for chain in chains if chain.tested is not None]
        if tested:
            groups["held_out"] = Tested.together(tested)
            so_far = np.array([one.rmse_so_far for one in tested])
            groups["history"] = {**groups.get("history", {}), "test_rmse_so_far": so_far}
        return groups

    def parameters(self, chain: Chain) -> Parameters:
        """Return where a chain is, for all that is computed of a draw."""
        return Parameters(
            spec=self.spec,
            rows=chain.rows,
            populations=chain.populations,
            level=chain.level,
            tau=chain.tau,
            cutpoints=chain.cutpoints,
            alpha=chain.alpha,
        )

    def _each(self, do: Callable[[Chain], Result], chains: list[Chain]) -> list[Result]:
        """Do something with each chain; on the CPU each by one core, as sums must not depend on how many there are."""
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            if len(chains) == 1 or self.device != "cpu":
                return [do(chain) for chain in chains]
            return list(self._pool.map(do, chains))
        finally:
            torch.set_num_threads(n_threads)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())

    def _record(self, chain: Chain) -> dict[str, NDArray[Any]]:
        parameters = self.parameters(chain)
        kept = quantities_of(self.spec, self.data, parameters)
        kept["log_lik"] = np.asarray(self.conditionals.log_likelihood(chain))
        if chain.tested is not None:
            kept["test_rmse"] = np.asarray(chain.tested.add(parameters))
        if chain.n_recorded % self._keep_every == 0:
            chain.kept.append(parameters.kept())
        chain.n_recorded += 1
        return kept

    def _begin(self, seed: np.random.SeedSequence) -> Chain:
        """Return a chain's start."""
        of_few, of_many = seed.spawn(2)
        stream = torch.Generator(self.device).manual_seed(int(of_many.generate_state(1, np.uint64)[0] >> 1))
        ordinal, width = self.spec.likelihood == "ordinal", self.spec.width
        rows = {}
        for side in SIDES:
            shape, single = (self.data.n_rows(side), width), torch.float32
            drawn = _STARTING_SD * torch.randn(shape, generator=stream, dtype=single, device=self.device)
            if self.spec.nonnegative:
                drawn = drawn.abs() + np.sqrt(max(float(np.mean(self.data.values)), 0.1) / width)
            else:
                drawn[:, 0] = 0.0
            rows[side] = drawn
        return Chain(
            rng=np.random.default_rng(of_few),
            stream=stream,
            rows=rows,
            populations={side: self.conditionals.population(side) for side in SIDES},
            level=0.0,
            tau=1.0,
            cutpoints=self.conditionals.levels.start if ordinal else np.empty(0),
            alpha=np.full(self.spec.rank if self.spec.family == "ard" else 0, 4.0),
            ratings=torch.as_tensor(self.data.values, dtype=torch.float32, device=self.device),
            tested=Tested(self.spec, self.data, self.device) if self.data.n_test else None,
        )


def _stacked(chains: Sequence[Chain], name: str) -> NDArray[Any]:
    return np.stack([np.stack([kept[name] for kept in chain.kept]) for chain in chains])
