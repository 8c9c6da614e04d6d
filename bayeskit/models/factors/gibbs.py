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
from torch import Tensor

from bayeskit.models.factors._chain import Chain
from bayeskit.models.factors._cutpoints import Levels, draw_cutpoints, draw_hidden, levels_of, log_chances
from bayeskit.models.factors._hyper import (
    Design,
    Population,
    design_of,
    deviations,
    draw_alpha,
    draw_coefficients,
    draw_wishart,
    wishart_arguments,
)
from bayeskit.models.factors._interweaving import (
    Fit,
    fit_of_columns,
    principal_axes,
    stretch_columns,
    stretch_groups,
    transformed,
)
from bayeskit.models.factors._rows import Links, draw_positive_rows, draw_rows, links_of, predicted
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
        both = (data.user, data.item)
        self._index = {side: torch.as_tensor(rows, device=device) for side, rows in zip(SIDES, both, strict=True)}
        self._links: dict[str, Links] = {
            "user": links_of(data.user, data.item, data.n_users, device),
            "item": links_of(data.item, data.user, data.n_items, device),
        }
        features = {side: data.features(side) for side in SIDES}
        self._designs: dict[str, Design | None] = {
            side: None if found is None else design_of(found, device) for side, found in features.items()
        }

    @property
    def blocks(self) -> Sequence[str]:
        """What is drawn in turn."""
        ordinal = self.spec.likelihood == "ordinal"
        return (
            *(("cutpoints", "hidden ratings") if ordinal else ()),
            *(() if not any(self._designs.values()) else ("coefficients", "lambda")),
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
        self._each(self._sweep, state)
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

    def eta(self, chain: Chain) -> Tensor:
        """Return what is predicted of the training ratings, ``n_ratings``."""
        found = predicted(
            chain.rows["user"],
            chain.rows["item"],
            self._index["user"],
            self._index["item"],
            biased=not self.spec.nonnegative,
        )
        return found + chain.level

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

    def _sweep(self, chain: Chain) -> None:
        if self.spec.likelihood == "ordinal":
            self._draw_hidden(chain)
        self._draw_populations(chain)
        self._draw_rows(chain)

    def _record(self, chain: Chain) -> dict[str, NDArray[Any]]:
        parameters = self.parameters(chain)
        kept = quantities_of(self.spec, self.data, parameters)
        kept["log_lik"] = np.asarray(self._log_likelihood(chain))
        if chain.tested is not None:
            kept["test_rmse"] = np.asarray(chain.tested.add(parameters))
        if chain.n_recorded % self._keep_every == 0:
            chain.kept.append(parameters.kept())
        chain.n_recorded += 1
        return kept

    @cached_property
    def _levels(self) -> Levels:
        return levels_of(self.data.values, self.spec.n_levels, self.device)

    def _begin(self, seed: np.random.SeedSequence) -> Chain:
        """Return a chain's start."""
        of_few, of_many = seed.spawn(2)
        stream = torch.Generator(self.device).manual_seed(int(of_many.generate_state(1, np.uint64)[0] >> 1))
        ordinal, width = self.spec.likelihood == "ordinal", self.spec.width
        rows = {}
        for side in SIDES:
            drawn = torch.randn(self.data.n_rows(side), width, generator=stream, device=self.device) * _STARTING_SD
            if self.spec.nonnegative:
                drawn = drawn.abs() + np.sqrt(max(float(np.mean(self.data.values)), 0.1) / width)
            else:
                drawn[:, 0] = 0.0
            rows[side] = drawn
        return Chain(
            rng=np.random.default_rng(of_few),
            stream=stream,
            rows=rows,
            populations={side: self._population(side) for side in SIDES},
            level=0.0,
            tau=1.0,
            cutpoints=self._levels.start if ordinal else np.empty(0),
            alpha=np.full(self.spec.rank if self.spec.family == "ard" else 0, 4.0),
            ratings=torch.as_tensor(self.data.values, dtype=torch.float32, device=self.device),
            tested=Tested(self.spec, self.data, self.device) if self.data.n_test else None,
        )

    def _population(self, side: str) -> Population:
        width, design = self.spec.width, self._designs[side]
        if design is None:
            return Population(np.zeros(width), np.eye(width))
        coefficients = torch.zeros(design.matrix.shape[1], width, dtype=torch.float64, device=self.device)
        shape, rate = self.spec.prior("lambda").arguments
        return Population(np.zeros(width), np.eye(width), coefficients, np.full(len(design.counts), shape / rate))

    def _draw_hidden(self, chain: Chain) -> None:
        eta = self.eta(chain)
        prior = self.spec.prior("cutpoints")
        chain.cutpoints, _ = draw_cutpoints(self._levels, chain.cutpoints, eta, prior, chain.rng)
        chain.ratings = draw_hidden(self._levels.level, chain.cutpoints, eta, chain.stream)

    def _draw_populations(self, chain: Chain) -> None:
        for side in SIDES:
            design = self._designs[side]
            if design is not None:
                chain.populations[side] = draw_coefficients(
                    chain.populations[side],
                    chain.rows[side],
                    design,
                    self.spec.prior("lambda"),
                    chain.rng,
                    chain.stream,
                )
        if self.spec.family == "ard":
            self._draw_relevance(chain)
            return
        for side in SIDES:
            chain.populations[side] = draw_wishart(
                chain.populations[side], chain.rows[side], self._designs[side], self.spec.prior("factors"), chain.rng
            )

    def _draw_relevance(self, chain: Chain) -> None:
        """Draw the precisions of each side's biases, and of factors, which both sides share."""
        prior, width = self.spec.prior("alpha"), self.spec.width
        squares, counts = {}, {}
        for side in SIDES:
            mean, around, n_features = deviations(chain.populations[side], chain.rows[side], self._designs[side])
            n_rows = len(chain.rows[side])
            squares[side] = np.diag(around) + n_rows * mean**2
            counts[side] = np.full(width, float(n_rows + n_features))
        first = width - self.spec.rank
        total, n_all = squares["user"] + squares["item"], counts["user"] + counts["item"]
        chain.alpha = draw_alpha(total[first:], n_all[first:], prior, chain.rng)
        for side in SIDES:
            own = draw_alpha(squares[side][:first], counts[side][:first], prior, chain.rng)
            population = chain.populations[side]
            chain.populations[side] = Population(
                population.mean,
                np.diag(np.concatenate([own, chain.alpha])),
                population.coefficients,
                population.relevance,
            )

    def _draw_rows(self, chain: Chain) -> None:
        """Draw all users, all items, and what is left of the ratings: level and precision."""
        left = chain.ratings - chain.level
        for side, other in (("user", "item"), ("item", "user")):
            across = chain.rows[other]
            if self.spec.nonnegative:
                across = self._stretch_columns(chain, side, left, across)
                alpha = torch.as_tensor(chain.alpha, dtype=across.dtype, device=across.device)
                drawn = draw_positive_rows(
                    self._links[side], left, across, chain.rows[side], alpha, chain.tau, chain.stream
                )
            else:
                ratings = left - across[:, 0].index_select(0, self._index[other])
                table = torch.cat([torch.ones_like(across[:, :1]), across[:, 1:]], dim=1)
                self._stretch_groups(chain, side, ratings, table)
                table = self._stretch_columns(chain, side, ratings, table)
                population = chain.populations[side]
                mean = population.row_means(self._designs[side], len(chain.rows[side]), across)
                precision = torch.as_tensor(population.precision, dtype=across.dtype, device=across.device)
                drawn = draw_rows(self._links[side], ratings, table, mean, precision, chain.tau, chain.stream)
            chain.rows[side] = drawn.rows
        if self.spec.likelihood == "normal":
            last = left if self.spec.nonnegative else ratings
            squares = float(last.square().sum(dtype=torch.float64)) - drawn.explained
            total = float(last.sum(dtype=torch.float64)) - drawn.total
            self._draw_level_and_precision(chain, squares, total)

    def _stretch_groups(self, chain: Chain, side: str, ratings: Tensor, table: Tensor) -> None:
        """Draw how much groups of features matter, the rows' own deviations held."""
        design = self._designs[side]
        if design is not None:
            links, prior = self._links[side], self.spec.prior("lambda")
            chain.rows[side], chain.populations[side] = stretch_groups(
                links, ratings, table, chain.rows[side], chain.populations[side], design, chain.tau, prior, chain.rng
            )

    def _stretch_columns(self, chain: Chain, side: str, ratings: Tensor, table: Tensor) -> Tensor:
        """Draw the scales of columns, all in their units held; return the other side's rows, as far as they turned."""
        width, other = self.spec.width, "item" if side == "user" else "user"
        first = width - self.spec.rank
        if self.spec.family == "wishart":
            turn = principal_axes(chain.rows[side], first)
            self._transform(chain, (side, other), turn, turn.T)
            table = torch.cat([table[:, :first], chain.rows[other][:, first:]], dim=1)
        fit = fit_of_columns(self._links[side], ratings, table, chain.rows[side], chain.tau)
        precisions = np.diag(chain.populations[side].precision)
        if self.spec.family == "wishart":
            degrees, inverse_scale = wishart_arguments(self.spec.prior("factors"), width)
            shapes, rates = np.full(width, degrees / 2), np.diag(inverse_scale) / 2
            stretch = stretch_columns(fit, precisions, shapes, rates, 1, chain.rng)
            self._transform(chain, (side,), np.diag(stretch), np.diag(1 / stretch))
        elif side == "item":  # both sides' factors have the same precisions
            shape, rate = self.spec.prior("alpha").arguments
            factors = Fit(fit.slope[first:], fit.curvature[first:, first:], fit.tau)
            shapes, rates = np.full(self.spec.rank, shape), np.full(self.spec.rank, rate)
            found = stretch_columns(factors, precisions[first:], shapes, rates, 2, chain.rng)
            stretch = np.concatenate([np.ones(first), found])
            self._transform(chain, SIDES, np.diag(stretch), np.diag(1 / stretch))
            chain.alpha = chain.alpha / found**2
            table = torch.cat([table[:, :first], chain.rows[other][:, first:]], dim=1)
        return table

    def _transform(self, chain: Chain, sides: Sequence[str], by: Floats, inverse: Floats) -> None:
        """Multiply rows by a matrix, and have what they are drawn from follow."""
        for side in sides:
            rows = chain.rows[side]
            chain.rows[side] = rows @ torch.as_tensor(by, dtype=rows.dtype, device=rows.device)
            chain.populations[side] = transformed(chain.populations[side], by, inverse)

    def _draw_level_and_precision(self, chain: Chain, squares: float, total: float) -> None:
        """Draw ``mu`` and ``tau`` by sum and sum of squares of what is left of the ratings."""
        n = self.data.n_ratings
        if self.spec.has_level:
            mean, sd = self.spec.prior("mu").arguments
            precision = chain.tau * n + sd**-2
            towards = chain.tau * (total + n * chain.level) + mean * sd**-2
            level = towards / precision + chain.rng.standard_normal() / np.sqrt(precision)
            moved = level - chain.level
            squares += n * moved**2 - 2 * moved * total
            chain.level = level
        squares = max(squares, 0.0)
        shape, rate = self.spec.prior("tau").arguments
        chain.tau = chain.rng.standard_gamma(shape + n / 2) / (rate + squares / 2)
        chain.log_likelihood = 0.5 * (n * np.log(chain.tau / (2 * np.pi * self.data.spread**2)) - chain.tau * squares)
        chain.train_rmse.append(self.data.spread * float(np.sqrt(squares / n)))

    def _log_likelihood(self, chain: Chain) -> float:
        if self.spec.likelihood == "normal":
            return chain.log_likelihood
        return float(log_chances(self._levels.level, chain.cutpoints, self.eta(chain)).sum())


def _stacked(chains: Sequence[Chain], name: str) -> NDArray[Any]:
    return np.stack([np.stack([kept[name] for kept in chain.kept]) for chain in chains])
