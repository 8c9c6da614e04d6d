"""Kept draws of a factorisation's rows, read one by one, and what each says of ratings.

Rows are known up to a rotation, so that nothing is averaged over draws but what no rotation changes: what is expected
of users and items, how much they differ, and the singular values of what they make together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_DRAWS = 100
MOST_NUMBERS = 60_000_000  # of rows that are read
FEWEST = 4  # draws


@dataclass(frozen=True)
class Scale:
    """How predictors become ratings.

    Parameters
    ----------
    centre, spread
        Of ratings: a predictor is in units of ``spread``, from ``centre``.
    levels
        Empty where the likelihood is normal.
    """

    centre: float
    spread: float
    levels: tuple[float, ...]

    def expected(self, eta: Floats, cutpoints: Floats, more: Floats | float = 0.0) -> Floats:
        """Return what is expected of ratings whose predictor is ``eta``, or normal around it with variance ``more``."""
        if not self.levels:
            return self.centre + self.spread * eta
        wide = np.sqrt(1 + more)
        found = np.full(eta.shape, self.levels[0], dtype=float)
        for cut, step in zip(cutpoints, np.diff(self.levels), strict=True):
            found += step * ndtr((eta - cut) / wide)
        return found


@dataclass(frozen=True, eq=False)
class Drawn:
    """One draw: biases, 0 where there are none, and factors, ``n x K``; the level of all; between levels, cutpoints."""

    scale: Scale
    level: float
    cutpoints: Floats
    user_bias: Floats
    item_bias: Floats
    user_factors: Floats
    item_factors: Floats

    def table(self, users: Integers, items: Integers) -> Floats:
        """Return what is expected of some users and items, ``n_users x n_items``; not kept within the scale."""
        eta: Floats = self.user_factors[users] @ self.item_factors[items].T
        eta += self.user_bias[users][:, None] + self.item_bias[items] + self.level
        return self.scale.expected(eta, self.cutpoints)

    def singular_values(self) -> Floats:
        """Return the standard deviations of what each factor adds to predictors, the largest first."""
        user, item = _covariance(self.user_factors), _covariance(self.item_factors)
        values, vectors = np.linalg.eigh(user)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        squares: Floats = np.linalg.eigvalsh(root.T @ item @ root)[::-1]
        found: Floats = np.sqrt(np.maximum(squares, 0.0))
        return found

    def of_items(self) -> tuple[Floats, Floats]:
        """Return of each item what all users together are expected to give, and how far its friends are from its foes.

        The second is half the difference between users whose taste is one standard deviation for and against it.
        """
        return self._sides(self.item_bias, self.item_factors, self.user_bias, self.user_factors)

    def of_users(self) -> tuple[Floats, Floats]:
        """Return of each user what all items together are expected to get, and how much taste moves that."""
        return self._sides(self.user_bias, self.user_factors, self.item_bias, self.item_factors)

    def tastes(self, users: Integers, items: Integers) -> Floats:
        """Return what some users and items make together, their own means taken out, in predictors' units."""
        user = self.user_factors[users] - self.user_factors.mean(0)
        item = self.item_factors[items] - self.item_factors.mean(0)
        found: Floats = user @ item.T
        return found

    def _sides(self, bias: Floats, factors: Floats, across_bias: Floats, across: Floats) -> tuple[Floats, Floats]:
        """Return of each row the mean over the other side's, and how much that side's factors spread around it.

        Of levels the predictors over the other side are taken as normal, which the model says of their rows.
        """
        middle = self.level + bias + float(across_bias.mean()) + factors @ across.mean(0)
        shape = _covariance(across)
        taste = np.sqrt(np.maximum(_forms(factors - factors.mean(0), shape), 0.0))
        if not self.scale.levels:
            return self.scale.expected(middle, self.cutpoints), self.scale.spread * taste
        joint = _covariance(np.column_stack([across_bias, across]))
        more = np.maximum(_forms(np.column_stack([np.ones(len(factors)), factors]), joint), 0.0)
        ends = [self.scale.expected(middle + sign * taste, self.cutpoints) for sign in (1, -1)]
        return self.scale.expected(middle, self.cutpoints, more), (ends[0] - ends[1]) / 2


@dataclass(frozen=True, eq=False)
class Kept:
    """Draws of rows that lie in a run's folder, or in memory.

    Parameters
    ----------
    data
        The group of the posterior's tree.
    scale
        Of ratings.
    biased
        Whether rows begin with a bias.
    """

    data: xr.Dataset
    scale: Scale
    biased: bool

    @property
    def n_kept(self) -> int:
        """How many draws there are, of all chains together."""
        rows = self.data["user_rows"]
        return int(rows.shape[0] * rows.shape[1])

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """Chain and draw of those that are read: as many as there is time for, evenly spaced."""
        chains, draws, n_users, width = self.data["user_rows"].shape
        numbers = (n_users + self.data["item_rows"].shape[2]) * width
        most = max(FEWEST, min(MOST_DRAWS, MOST_NUMBERS // max(1, numbers)))
        every = [(chain, draw) for draw in range(draws) for chain in range(chains)]
        if len(every) <= most:
            return every
        chosen = np.unique(np.linspace(0, len(every) - 1, most).round().astype(int))
        return [every[place] for place in chosen]

    def draws(self) -> Iterator[Drawn]:
        """Yield the draws that are read."""
        few = {name: self.data[name].to_numpy().astype(float) for name in ("mu", "cutpoints") if name in self.data}
        for chain, draw in self.places:
            user, item = self._of("user_rows", chain, draw), self._of("item_rows", chain, draw)
            first = int(self.biased)
            yield Drawn(
                scale=self.scale,
                level=float(few["mu"][chain, draw]) if "mu" in few else 0.0,
                cutpoints=few["cutpoints"][chain, draw] if "cutpoints" in few else np.empty(0),
                user_bias=user[:, 0] if self.biased else np.zeros(len(user)),
                item_bias=item[:, 0] if self.biased else np.zeros(len(item)),
                user_factors=user[:, first:],
                item_factors=item[:, first:],
            )

    def _of(self, name: str, chain: int, draw: int) -> Floats:
        array = self.data[name]
        first, second = (str(dim) for dim in array.dims[:2])
        values: Floats = np.asarray(array.isel({first: chain, second: draw}).to_numpy(), dtype=float)
        return values


def _covariance(factors: Floats) -> Floats:
    around = factors - factors.mean(0)
    found: Floats = around.T @ around / len(factors)
    return found


def _forms(rows: Floats, shape: Floats) -> Floats:
    """Return the quadratic form of each row."""
    found: Floats = np.einsum("ij,ij->i", rows @ shape, rows)
    return found
