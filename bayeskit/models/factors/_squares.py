"""Sums of squares that a point estimate makes small: over the rated pairs, or over all, with missing ratings imputed.

Given the rows of the other side, half the sum of squares of ``r - <x, c>`` is of each row x

    <x, P x> / 2 - <x, w> + constant,    P = sum(c c'),    w = sum(r c),

with c of the other side's rows. Over the rated pairs both are segment sums. Over all pairs P is the same for all rows,
and the imputed table is sparse but for a constant in each column, so that no table is made and time is linear in the
ratings: Hu, Koren and Volinsky (2008), doi:10.1109/ICDM.2008.22.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from bayeskit.models.factors._rows import Links, Moments, links_of, moments, predicted
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.spec import SIDES

_BLOCK = 2**18  # numbers in the rows that are gathered together: more do not stay in the cache
ACROSS = {"user": "item", "item": "user"}


class Point(NamedTuple):
    """Parameters, ratings being in units of their standard deviation.

    Parameters
    ----------
    rows
        By side, ``n x d``, in double precision.
    level
        Of all ratings; 0 where there is none.
    """

    rows: Mapping[str, Tensor]
    level: float

    def but(self, side: str, rows: Tensor) -> Point:
        """Return parameters with other rows on one side."""
        return Point({**self.rows, side: rows}, self.level)


class Squares(Protocol):
    """Half a sum of squares, as a function of rows."""

    def moments(self, side: str, point: Point) -> Iterator[Moments]:
        """Give P and w of all rows of a side, some at a time; P is ``d x d`` where all rows have the same."""
        ...

    def gradient(self, side: str, point: Point) -> Tensor:
        """Return P x - w of all rows of a side, ``n x d``; P is not made where rows have their own."""
        ...

    def curvature(self, side: str, point: Point, along: Tensor) -> Tensor:
        """Return <g, P g> of all rows of a side, ``n``, with directions g, ``n x d``."""
        ...

    def total(self, point: Point) -> float:
        """Return it."""
        ...


class RatedSquares:
    """Over the rated pairs.

    Parameters
    ----------
    data
        Who rated what.
    values
        ``n_ratings``, on the device.
    biased
        Whether rows begin with a bias, and there is a level: ``r - level - b_u - b_i - <U_u, V_i>``.
    """

    def __init__(self, data: Observed, values: Tensor, *, biased: bool) -> None:
        self._values, self._biased = values, biased
        self._links = both_links(data, values.device)
        both = (data.user, data.item)
        self._index = {
            side: torch.as_tensor(rows, device=values.device) for side, rows in zip(SIDES, both, strict=True)
        }

    def moments(self, side: str, point: Point) -> Iterator[Moments]:
        """Give P and w of all rows of a side, some at a time."""
        ratings, across = self._values - point.level, point.rows[ACROSS[side]]
        if self._biased:
            ratings = ratings - across[:, 0].index_select(0, self._index[ACROSS[side]])
        return moments(self._links[side], ratings, self._table(across))

    def gradient(self, side: str, point: Point) -> Tensor:
        """Return P x - w of all rows of a side, ``n x d``."""
        links = self._links[side]
        left = self.left(point).index_select(0, links.order)
        return -_summed(links, self._table(point.rows[ACROSS[side]]), left)

    def curvature(self, side: str, point: Point, along: Tensor) -> Tensor:
        """Return <g, P g> of all rows of a side, ``n``: the sum of <g, c>^2."""
        links, table = self._links[side], self._table(point.rows[ACROSS[side]])
        own = self._index[side].index_select(0, links.order)
        moved = _of_pairs(along, table, own, links.other, biased=False)
        return torch.segment_reduce(moved.square(), "sum", offsets=links.starts.to(moved.device))

    def total(self, point: Point) -> float:
        """Return half the sum of squares."""
        return float(self.left(point).square().sum()) / 2

    def left(self, point: Point) -> Tensor:
        """Return what rows leave of each rating, ``n_ratings``."""
        user, item = (point.rows[side] for side in SIDES)
        found = _of_pairs(user, item, self._index["user"], self._index["item"], biased=self._biased)
        return self._values - point.level - found

    def _table(self, across: Tensor) -> Tensor:
        """Return rows of the other side as they stand in the product."""
        return torch.cat([torch.ones_like(across[:, :1]), across[:, 1:]], dim=1) if self._biased else across


class ImputedSquares:
    """Over all pairs, those without a rating having one that depends on the item.

    Parameters
    ----------
    data
        Who rated what.
    values
        ``n_ratings``, on the device.
    imputed
        ``n_items``, what stands for a missing rating.
    """

    def __init__(self, data: Observed, values: Tensor, imputed: Tensor) -> None:
        self._imputed, self._links = imputed, both_links(data, values.device)
        item = torch.as_tensor(data.item, device=values.device)
        own = imputed.index_select(0, item)
        self._beyond = {side: (values - own).index_select(0, links.order) for side, links in self._links.items()}
        everywhere = data.n_users * imputed.square().sum()
        self._squares = everywhere + (values.square() - own.square()).sum()
        self.mean = float((data.n_users * imputed.sum() + (values - own).sum()) / (data.n_users * data.n_items))

    def moments(self, side: str, point: Point) -> Iterator[Moments]:
        """Give P, the same for all, and w of all rows of a side."""
        across = point.rows[ACROSS[side]]
        yield Moments(slice(None), across.T @ across, self._weighted(side, across))

    def gradient(self, side: str, point: Point) -> Tensor:
        """Return P x - w of all rows of a side, ``n x d``."""
        across = point.rows[ACROSS[side]]
        return point.rows[side] @ (across.T @ across) - self._weighted(side, across)

    def curvature(self, side: str, point: Point, along: Tensor) -> Tensor:
        """Return <g, P g> of all rows of a side, ``n``."""
        across = point.rows[ACROSS[side]]
        return ((along @ (across.T @ across)) * along).sum(1)

    def total(self, point: Point) -> float:
        """Return half the sum of squares."""
        user, item = point.rows["user"], point.rows["item"]
        along = (self._weighted("user", item) * user).sum()
        return max(float(self._squares - 2 * along + ((user.T @ user) * (item.T @ item)).sum()) / 2, 0.0)

    def _weighted(self, side: str, across: Tensor) -> Tensor:
        """Return the product of the imputed table and the other side's rows."""
        sparse = _summed(self._links[side], across, self._beyond[side])
        if side == "user":
            return sparse + self._imputed @ across
        return sparse + torch.outer(self._imputed, across.sum(0))


def both_links(data: Observed, device: torch.device) -> dict[str, Links]:
    """Sort ratings by users, and by items."""
    return {
        "user": links_of(data.user, data.item, data.n_users, str(device)),
        "item": links_of(data.item, data.user, data.n_items, str(device)),
    }


def _summed(links: Links, table: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum of the other side's table over each row's ratings, ``n x d``."""
    starts = links.starts[:-1].to(table.device)
    return embedding_bag(links.other, table, starts, mode="sum", per_sample_weights=weights)


def _of_pairs(user_rows: Tensor, item_rows: Tensor, user: Tensor, item: Tensor, *, biased: bool) -> Tensor:
    """Return what rows say of pairs, as ``predicted`` does, some pairs at a time."""
    step = max(1, _BLOCK // user_rows.shape[1])
    parts = zip(torch.split(user, step), torch.split(item, step), strict=True)
    return torch.cat([predicted(user_rows, item_rows, *pairs, biased=biased) for pairs in parts])
