"""Products of a sparse matrix that stays as it is with a dense one that is differentiated."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Sparse(NamedTuple):
    """A square matrix in compressed rows, and its transpose.

    Tensors of numbers rather than torch's own sparse ones: these cannot be written down as a graph of operations.

    Parameters
    ----------
    offsets, columns, values
        ``n + 1``, and two of as many as there are entries.
    transposed_offsets, transposed_columns
        The same of the transpose.
    order
        Where in ``values`` the transpose's are.
    """

    offsets: Tensor
    columns: Tensor
    values: Tensor
    transposed_offsets: Tensor
    transposed_columns: Tensor
    order: Tensor


def sparse_tensors(rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any], n: int) -> Sparse:
    """Return a matrix's tensors, from its entries ordered by row."""
    order = np.argsort(columns, kind="stable")
    offsets, transposed = (np.concatenate([[0], np.cumsum(np.bincount(part, minlength=n))]) for part in (rows, columns))
    whole = [
        torch.tensor(np.asarray(part, dtype=np.int64)) for part in (offsets, columns, transposed, rows[order], order)
    ]
    return Sparse(whole[0], whole[1], torch.tensor(values, dtype=torch.float64), *whole[2:])


def product(matrix: Sparse, dense: Tensor) -> Tensor:
    """Return ``matrix @ dense``, whose gradient is a product with the transpose."""
    found: Tensor = _Product.apply(dense, *matrix)  # type: ignore[no-untyped-call]
    return found


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dense: Tensor, *matrix: Tensor) -> Tensor:
        ctx.matrix = matrix
        offsets, columns, values = matrix[:3]
        return _sums(dense, offsets, columns, values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        _, _, values, offsets, columns, order = ctx.matrix
        return _sums(gradient, offsets, columns, values[order]), *[None] * 6


def _sums(dense: Tensor, offsets: Tensor, columns: Tensor, values: Tensor) -> Tensor:
    """Return weighted sums of rows: bags of embeddings, of which torch has a product that a recording can hold."""
    return torch.nn.functional.embedding_bag(
        columns, dense.contiguous(), offsets, mode="sum", per_sample_weights=values, include_last_offset=True
    )
