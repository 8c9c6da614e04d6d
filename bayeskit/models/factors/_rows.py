"""All rows of one side given those of the other, in a few large kernels on any device.

A row x of ratings r = <x, c> + noise of precision tau, with c of the other side's rows, is Normal given the rest, with
precision Lambda + tau sum(c c') and, times this, mean Lambda m + tau sum(r c): Salakhutdinov and Mnih (2008),
doi:10.1145/1390156.1390267. Both sums over the ratings of all rows at once are segment sums of tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag

from bayeskit.models.factors._normal import draw_above_zero

_BLOCK = 2**25  # numbers in the precisions of the rows that are drawn together


class Links(NamedTuple):
    """Ratings sorted by the rows of one side.

    Parameters
    ----------
    order
        ``n_ratings``, the position of each among the ratings.
    other
        ``n_ratings``, its row of the other side.
    starts
        ``n_rows + 1``, where the ratings of each row begin, and the end, on the CPU.
    """

    order: Tensor
    other: Tensor
    starts: Tensor

    @property
    def n_rows(self) -> int:
        """Number of rows of this side."""
        return len(self.starts) - 1


class Moments(NamedTuple):
    """Of some rows: their range, ``sum(c c')`` and ``sum(r c)`` of each."""

    rows: slice
    products: Tensor
    weighted: Tensor


class Drawn(NamedTuple):
    """Rows, and what their ratings are left with.

    Parameters
    ----------
    rows
        ``n x d``.
    explained
        How much less the sum of squares of ``r - <x, c>`` is than that of ``r``.
    total
        The sum of ``<x, c>``, where the first column of all c is 1.
    """

    rows: Tensor
    explained: float
    total: float


def links_of(rows: NDArray[np.int64], other: NDArray[np.int64], n_rows: int, device: str) -> Links:
    """Sort ratings by rows; those of a row stay in their order."""
    order = np.argsort(rows, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))])
    return Links(
        torch.as_tensor(order, device=device), torch.as_tensor(other[order], device=device), torch.as_tensor(starts)
    )


def draw_rows(
    links: Links, ratings: Tensor, table: Tensor, mean: Tensor, precision: Tensor, tau: float, stream: torch.Generator
) -> Drawn:
    """Draw all rows of a side.

    Parameters
    ----------
    links
        Of the ratings, by this side's rows.
    ratings
        ``n_ratings``, in the data's order: what the rows are to explain.
    table
        ``n_other x d``, the other side's rows as they stand in the product.
    mean, precision
        ``n x d`` and ``d x d``, of the rows' prior.
    tau
        Precision of a rating.
    stream
        Of random numbers, on the device.
    """
    rows, explained, total = torch.empty_like(mean), 0.0, 0.0
    for found in moments(links, ratings, table):
        here = mean[found.rows]
        factor = torch.linalg.cholesky(found.products * tau + precision)
        towards = (found.weighted * tau + here @ precision).unsqueeze(-1)
        whitened = torch.linalg.solve_triangular(factor, towards, upper=False)
        whitened += torch.randn(whitened.shape, generator=stream, dtype=mean.dtype, device=mean.device)
        drawn = torch.linalg.solve_triangular(factor.mT, whitened, upper=True).squeeze(-1)
        rows[found.rows] = drawn
        explained += _explained(found, drawn)
        total += float((found.products[:, 0] * drawn).sum(dtype=torch.float64))
    return Drawn(rows, explained, total)


def draw_positive_rows(
    links: Links, ratings: Tensor, table: Tensor, rows: Tensor, alpha: Tensor, tau: float, stream: torch.Generator
) -> Drawn:
    """Draw rows that are not negative, one column after the other, each of all rows together.

    Parameters
    ----------
    links, ratings, table, tau, stream
        As of ``draw_rows``.
    rows
        ``n x d``, as they are now.
    alpha
        d, precision of each column's half-normal prior.
    """
    rows, explained = rows.clone(), 0.0
    for found in moments(links, ratings, table):
        here = rows[found.rows]
        for column in range(here.shape[1]):
            precision = tau * found.products[:, column, column] + alpha[column]
            others = (found.products[:, column] * here).sum(1) - found.products[:, column, column] * here[:, column]
            mean = tau * (found.weighted[:, column] - others) / precision
            here[:, column] = draw_above_zero(mean, precision.rsqrt(), stream)
        rows[found.rows] = here
        explained += _explained(found, here)
    return Drawn(rows, explained, 0.0)


def predicted(user_rows: Tensor, item_rows: Tensor, user: Tensor, item: Tensor, *, biased: bool) -> Tensor:
    """Return what rows say of pairs, ``n_pairs``: ``b_u + b_i + <U_u, V_i>``, or the product alone."""
    left, right = user_rows.index_select(0, user), item_rows.index_select(0, item)
    if not biased:
        return (left * right).sum(1)
    return left[:, 0] + right[:, 0] + (left[:, 1:] * right[:, 1:]).sum(1)


def moments(links: Links, ratings: Tensor, table: Tensor) -> Iterator[Moments]:
    """Give the moments of as many rows at a time as there is room for."""
    width = table.shape[1]
    products = (table[:, :, None] * table[:, None, :]).reshape(-1, width * width)
    sorted_ratings = ratings.index_select(0, links.order)
    step = max(1, _BLOCK // width**2)
    for first in range(0, links.n_rows, step):
        last = min(first + step, links.n_rows)
        begin, end = int(links.starts[first]), int(links.starts[last])
        starts = (links.starts[first:last] - begin).to(table.device)
        other = links.other[begin:end]
        yield Moments(
            slice(first, last),
            embedding_bag(other, products, starts, mode="sum").view(-1, width, width),
            embedding_bag(other, table, starts, mode="sum", per_sample_weights=sorted_ratings[begin:end]),
        )


def _explained(found: Moments, rows: Tensor) -> float:
    along = torch.einsum("nij,nj->ni", found.products, rows)
    return float(((2 * found.weighted - along) * rows).sum(dtype=torch.float64))
