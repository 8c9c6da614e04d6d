"""Normal distributions of the observed part of a point, in torch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from bayeskit.models.mixtures.likelihood import patterns


def normal(means: Tensor, spread: Tensor) -> TorchDistribution:
    """Return normal distributions of vectors, by their spread: standard deviations, or Cholesky factors."""
    if spread.dim() > means.dim():
        return dist.MultivariateNormal(means, scale_tril=spread)
    return vector(dist.Normal(means, spread))


def vector(each: TorchDistribution, size: int | None = None) -> TorchDistribution:
    """Return the distribution of vectors of independent numbers, of a size where it is to have one."""
    expanded = each if size is None else each.expand(torch.Size([size]))
    independent: TorchDistribution = expanded.to_event(1)  # type: ignore[no-untyped-call]
    return independent


def marginal(means: Tensor, spread: Tensor, columns: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return means and spread of some columns, of those of all."""
    if len(columns) == means.shape[-1]:
        return means, spread
    chosen = list(columns)
    return means[..., chosen], marginal_cholesky(spread, columns) if spread.dim() > means.dim() else spread[..., chosen]


def marginal_cholesky(cholesky: Tensor, columns: tuple[int, ...]) -> Tensor:
    """Return Cholesky factors of the covariances of some columns, of those of all.

    By modified Gram-Schmidt on the rows: no difference of squares is taken, so that a covariance that is nearly
    singular keeps its digits.
    """
    rows = cholesky[..., list(columns), :]
    found = []
    for column in range(len(columns)):
        row, rest = rows[..., :1, :], rows[..., 1:, :]
        length = row.norm(dim=-1, keepdim=True)
        direction = row / length
        shares = (rest * direction).sum(-1, keepdim=True)
        zeros = shares.new_zeros((*shares.shape[:-2], column, 1))
        found.append(torch.cat([zeros, length, shares], dim=-2))
        rows = rest - shares * direction
    return torch.cat(found, dim=-1)


def observed_together(y: Tensor) -> list[tuple[Tensor, tuple[int, ...]]]:
    """Return the points by which of their coordinates are observed: these coordinates, and which columns they are.

    Points without any are left out.
    """
    cells: NDArray[np.float64] = y.detach().cpu().numpy()
    return [
        (y.new_tensor(cells[np.ix_(rows, columns)]), tuple(columns.tolist()))
        for rows, columns in patterns(cells)
        if columns.size
    ]
