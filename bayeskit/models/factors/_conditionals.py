"""What a sweep of a matrix factorisation draws: each part of the parameters, given all others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

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
from bayeskit.models.factors.spec import SIDES, FactorSpec

Floats = NDArray[np.float64]


class Conditionals:
    """The conditional distributions, with ratings and features on the device.

    Parameters
    ----------
    spec
        Model.
    data
        Ratings and features.
    device
        ``cpu`` or ``cuda``.
    """

    def __init__(self, spec: FactorSpec, data: Observed, device: str) -> None:
        self.spec, self.data, self.device = spec, data, device
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
    def has_features(self) -> bool:
        """Whether users or items have any."""
        return any(self._designs.values())

    def sweep(self, chain: Chain) -> None:
        """Draw everything once, in place."""
        if self.spec.likelihood == "ordinal":
            self._draw_hidden(chain)
        self._draw_populations(chain)
        self._draw_rows(chain)

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

    def log_likelihood(self, chain: Chain) -> float:
        """Return the log density of the training ratings, in the data's units."""
        if self.spec.likelihood == "normal":
            return chain.log_likelihood
        return float(log_chances(self.levels.level, chain.cutpoints, self.eta(chain)).sum())

    def population(self, side: str) -> Population:
        """Return what a side's rows are drawn from at the start."""
        width, design = self.spec.width, self._designs[side]
        if design is None:
            return Population(np.zeros(width), np.eye(width))
        coefficients = torch.zeros(design.matrix.shape[1], width, dtype=torch.float64, device=self.device)
        shape, rate = self.spec.prior("lambda").arguments
        return Population(np.zeros(width), np.eye(width), coefficients, np.full(len(design.counts), shape / rate))

    @cached_property
    def levels(self) -> Levels:
        """Ordinal ratings by their levels."""
        return levels_of(self.data.values, self.spec.n_levels, self.device)

    def _draw_hidden(self, chain: Chain) -> None:
        eta = self.eta(chain)
        prior = self.spec.prior("cutpoints")
        chain.cutpoints, _ = draw_cutpoints(self.levels, chain.cutpoints, eta, prior, chain.rng)
        chain.ratings = draw_hidden(self.levels.level, chain.cutpoints, eta, chain.stream)

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
        """Draw the scales of columns, all in their units held; return the table as it is then."""
        if self.spec.family == "wishart":
            self._stretch_axes(chain, side, ratings, table)
            return table
        if side == "user":  # both sides' factors have the same precisions, and are stretched together
            return table
        first = self.spec.width - self.spec.rank
        fit = fit_of_columns(self._links[side], ratings, table, chain.rows[side], chain.tau)
        factors = Fit(fit.slope[first:], fit.curvature[first:, first:], fit.tau)
        shape, rate = self.spec.prior("alpha").arguments
        shapes, rates = np.full(self.spec.rank, shape), np.full(self.spec.rank, rate)
        found = stretch_columns(factors, chain.alpha, shapes, rates, 2, chain.rng)
        stretch = np.concatenate([np.ones(first), found])
        self._transform(chain, SIDES, np.diag(stretch), np.diag(1 / stretch))
        chain.alpha = chain.alpha / found**2
        return torch.cat([table[:, :first], chain.rows["user"][:, first:]], dim=1)

    def _stretch_axes(self, chain: Chain, side: str, ratings: Tensor, table: Tensor) -> None:
        """Draw the scales of rows along the axes of the other side's.

        Which axes these are must not depend on what is stretched: along the rows' own ones the posterior would change
        by how much room there is to turn them.
        """
        turn = principal_axes(table, self.spec.width - self.spec.rank)
        on_device = torch.as_tensor(turn, dtype=table.dtype, device=table.device)
        fit = fit_of_columns(self._links[side], ratings, table @ on_device, chain.rows[side] @ on_device, chain.tau)
        precisions = np.diag(turn.T @ chain.populations[side].precision @ turn)
        degrees, inverse_scale = wishart_arguments(self.spec.prior("factors"), self.spec.width)
        shapes, rates = np.full(self.spec.width, degrees / 2), np.diag(inverse_scale) / 2
        stretch = stretch_columns(fit, precisions, shapes, rates, 1, chain.rng)
        self._transform(chain, (side,), (turn * stretch) @ turn.T, (turn / stretch) @ turn.T)

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
