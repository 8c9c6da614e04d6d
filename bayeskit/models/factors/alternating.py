"""Point estimates of a matrix factorisation: its rows by alternating minimisation, as baselines.

The loss is half the sum of squares of what the rows leave of ratings, and ``ridge / 2`` times the squares of the rows,
ratings being in units of their standard deviation. Where missing ratings are excluded, a rating is ``mu + b_u + b_i +
<U_u, V_i>``, as in the Bayesian model; where they are imputed, or nothing may be negative, ``<U_u, V_i>`` alone.
Least squares: Zhou, Wilkinson, Schreiber and Pan (2008), doi:10.1007/978-3-540-68880-8_32, here with the same ridge for
all rows. Non-negative rows by hierarchical alternating least squares: Cichocki and Phan (2009),
doi:10.1587/transfun.E92.A.708.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.models.factors._estimate import expected_test_ratings, off_scale, parameters_at
from bayeskit.models.factors._rows import Moments
from bayeskit.models.factors._squares import ImputedSquares, Point, RatedSquares, Squares
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.quantities import Parameters, quantities_of
from bayeskit.models.factors.spec import SIDES, FactorSpec

Floats = NDArray[np.float64]
Missing = Literal["excluded", "zero", "mean"]

_STARTING_SD = 0.3
_TINY = 1e-300


class FactorPoint:
    """A matrix factorisation and its ratings, as ``fit_alternating`` takes them.

    Parameters
    ----------
    spec
        Rank and form; priors have no part in it.
    data
        Ratings.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If ratings are levels, or there are features.
    """

    def __init__(self, spec: FactorSpec, data: Observed, device: str = "cpu") -> None:
        if spec.likelihood == "ordinal":
            raise ConfigError(
                "point estimates minimise squares of ratings, and levels have none; take --likelihood normal, or "
                "engine gibbs, svi or nuts"
            )
        if any(spec.n_features.values()):
            raise ConfigError(
                "point estimates take no features; leave --features out, or take engine gibbs, svi or nuts"
            )
        self._spec, self._data, self._device = spec, data, device

    def objective(self, *, ridge: float, missing: Missing, nonnegative: bool) -> FactorObjective:
        """Return what is to be minimised.

        Parameters
        ----------
        ridge
            Weight of the rows' squares.
        missing
            ``excluded``; or imputed by ``zero`` or the item's ``mean``.
        nonnegative
            Whether rows are not negative.

        Raises
        ------
        ConfigError
            If the model asks for rows that are not negative, and these may be.
        """
        if self._spec.nonnegative and not nonnegative:
            raise ConfigError(
                "engines als and gd give factors of any sign; take engine nmf, or leave --nonnegative out"
            )
        return FactorObjective(self._spec, self._data, self._device, ridge, missing, nonnegative=nonnegative)


class FactorObjective:
    """A loss, and half-steps that make it smaller.

    Parameters
    ----------
    spec, data, device
        As of ``FactorPoint``.
    ridge, missing, nonnegative
        As of its ``objective``.
    """

    def __init__(
        self, spec: FactorSpec, data: Observed, device: str, ridge: float, missing: Missing, *, nonnegative: bool
    ) -> None:
        self._spec, self._data, self._ridge = spec, data, ridge
        self._nonnegative, self._biased = nonnegative, missing == "excluded" and not nonnegative
        ratings = data.values if self._biased else data.values + data.centre / data.spread
        values = torch.as_tensor(ratings, dtype=torch.float64, device=device)
        self._rated = RatedSquares(data, values, biased=self._biased)
        self._squares: Squares = self._rated
        self._mean = float(ratings.mean())
        counts = [np.bincount(data.user, minlength=data.n_users), np.bincount(data.item, minlength=data.n_items)]
        self._known = {
            side: torch.as_tensor((count > 0) | (missing != "excluded"), device=device)
            for side, count in zip(SIDES, counts, strict=True)
        }
        if missing != "excluded":
            imputed = np.zeros(data.n_items) if missing == "zero" else _item_means(data, ratings)
            squares = ImputedSquares(data, values, torch.as_tensor(imputed, device=device))
            self._squares, self._mean = squares, squares.mean

    @property
    def blocks(self) -> Sequence[str]:
        """What is improved in turn."""
        return (*SIDES, "level") if self._biased else SIDES

    def start(self, rng: np.random.Generator) -> Point:
        """Return small random rows; of those that are not negative with products around the mean rating."""
        width = self._spec.rank + self._biased
        rows = {}
        for side in SIDES:
            drawn = rng.standard_normal((self._data.n_rows(side), width))
            if self._nonnegative:
                drawn = np.abs(drawn) * np.sqrt(max(self._mean, 0.0) / width)
            else:
                drawn *= _STARTING_SD
                drawn[:, : int(self._biased)] = 0.0
            rows[side] = torch.as_tensor(drawn, device=self._known[side].device) * self._known[side][:, None]
        return Point(rows, 0.0)

    def solve(self, point: Point, block: str) -> Point:
        """Return the point with a block at its minimum.

        Raises
        ------
        InferenceError
            If the ridge is too small for rows with few ratings to have one.
        """
        if block == "level":
            return self._levelled(point)
        rows = torch.empty_like(point.rows[block])
        ridge = self._ridge * torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
        for found in self._squares.moments(block, point):
            factor, failed = torch.linalg.cholesky_ex(found.products + ridge)
            if failed.any():
                raise InferenceError(
                    f"the ridge {self._ridge:g} is too small for least squares: some {block} has fewer ratings than "
                    "there are factors; give a larger ridge"
                )
            rows[found.rows] = _solved(factor, found.weighted)
        return point.but(block, rows)

    def descend(self, point: Point, block: str, learning_rate: float | None) -> Point:
        """Return the point with a block moved along its gradient: as far as told, or each row to the minimum."""
        if block == "level":
            return self._levelled(point)
        rows = point.rows[block]
        along = self._squares.gradient(block, point) + self._ridge * rows
        if learning_rate is not None:
            return point.but(block, rows - learning_rate * along)
        squares = along.square().sum(1)
        curvature = self._squares.curvature(block, point, along) + self._ridge * squares
        return point.but(block, rows - (squares / curvature.clamp_min(_TINY))[:, None] * along)

    def project(self, point: Point, block: str) -> Point:
        """Return the point with each column of a block at its minimum among numbers that are not negative, in turn."""
        rows = point.rows[block].clone()
        for found in self._squares.moments(block, point):
            rows[found.rows] = self._by_columns(found, rows[found.rows])
        return point.but(block, rows)

    def loss(self, point: Point) -> float:
        """Return half the sum of squares, with the ridge."""
        of_rows = sum(float(rows.square().sum()) for rows in point.rows.values())
        return self._squares.total(point) + self._ridge * of_rows / 2

    def errors(self, point: Point) -> dict[str, float]:
        """Return root mean square errors: of training ratings, and of test ones, predictions kept within the scale."""
        data = self._data
        found = {"train_rmse": data.spread * float(self._rated.left(point).square().mean().sqrt())}
        if data.n_test:
            mean = np.clip(expected_test_ratings(data, self.parameters(point)), *data.scale)
            found["test_rmse"] = float(np.sqrt(np.mean((mean - data.test_values) ** 2)))
        return found

    def values(self, point: Point) -> dict[str, NDArray[Any]]:
        """Return what does not depend on the factors' rotation, and the errors."""
        found = quantities_of(self._spec, self._data, self.parameters(point))
        del found["sigma"]  # of a single rating: a point estimate does not say
        return found | {name: np.asarray(error) for name, error in self.errors(point).items()}

    def groups(self, point: Point) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the ``factors``, one draw of one chain; and test ratings with what is said of them, ``held_out``."""
        parameters, data = self.parameters(point), self._data
        kept = parameters.kept()
        names = ("mu", *(f"{side}_rows" for side in SIDES))
        groups = {"factors": {name: kept[name][np.newaxis, np.newaxis] for name in names}}
        if data.n_test:
            raw = expected_test_ratings(data, parameters)
            groups["held_out"] = {
                "user": data.test_user,
                "item": data.test_item,
                "rating": data.test_values,
                "mean": np.clip(raw, *data.scale),
                "raw": raw,
            }
        return groups

    def said(self, point: Point) -> dict[str, Any]:
        """Return how far predictions are off the scale, as ``off_scale`` has it."""
        return off_scale(self._data, self.parameters(point))

    def parameters(self, point: Point) -> Parameters:
        """Return a point as the draw that says the same of every pair."""
        return parameters_at(self._spec, self._data, point, self._known, biased=self._biased)

    def _levelled(self, point: Point) -> Point:
        return point._replace(level=point.level + float(self._rated.left(point).mean()))

    def _by_columns(self, found: Moments, rows: Tensor) -> Tensor:
        """Return rows with each column at its minimum, given those before it as they are now."""
        for column in range(rows.shape[1]):
            products = found.products[..., column, :]
            slope = (products * rows).sum(-1) - found.weighted[:, column] + self._ridge * rows[:, column]
            curvature = (products[..., column] + self._ridge).clamp_min(_TINY)
            rows[:, column] = (rows[:, column] - slope / curvature).clamp_min(0.0)
        return rows


def _solved(factor: Tensor, weighted: Tensor) -> Tensor:
    """Return the solution for each row, by its own Cholesky factor or by that of all."""
    if factor.ndim == 2:
        return torch.cholesky_solve(weighted.T, factor).T
    return torch.cholesky_solve(weighted.unsqueeze(-1), factor).squeeze(-1)


def _item_means(data: Observed, ratings: Floats) -> Floats:
    """Return the mean of each item's ratings; of all, where it has none."""
    counts = np.bincount(data.item, minlength=data.n_items)
    totals = np.bincount(data.item, weights=ratings, minlength=data.n_items)
    return np.where(counts > 0, totals / np.maximum(counts, 1), ratings.mean())
