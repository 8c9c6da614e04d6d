"""Small matrices in operations that a compiler can fuse: it cannot look into LAPACK, nor call all of it.

Triangular systems are solved by substitution, and positive definite matrices factorised by Cholesky's method, column by
column and, where they are larger, half by half: Golub and Van Loan (2013), Matrix computations, 4th edition, sections
3.1 and 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten

_FEW = 8  # unknowns of a triangular system, or columns of a matrix, that are written out one by one
_MANY = 64  # columns of a matrix beyond which it would be too many operations


def lower_matrix(vec: torch.Tensor, diag: int = 0) -> torch.Tensor:
    """Return lower triangular matrices of the elements of vectors, row by row, as torch's own of this purpose."""
    size = 0
    while size * (size + 1) // 2 + diag * size - (diag * (diag + 1) // 2 if diag > 0 else 0) < vec.shape[-1]:
        size += 1
    rows, columns = torch.tril_indices(size, size, diag, device=vec.device)
    flat = vec.new_zeros((*vec.shape[:-1], size * size))
    return flat.index_copy(-1, rows * size + columns, vec).reshape(*vec.shape[:-1], size, size)


def lower_vector(mat: torch.Tensor, diag: int = 0) -> torch.Tensor:
    """Return the elements of lower triangular matrices, row by row, as torch's own of this purpose."""
    size = mat.shape[-1]
    rows, columns = torch.tril_indices(size, size, diag, device=mat.device)
    return mat.reshape(*mat.shape[:-2], size * size).index_select(-1, rows * size + columns)


def solve_triangular(
    matrix: torch.Tensor, right: torch.Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> torch.Tensor:
    """Solve a triangular system unknown by unknown where these are few, as ``torch.linalg.solve_triangular``."""
    size = matrix.shape[-1]
    if not left:
        return solve_triangular(matrix.mT, right.mT, upper=not upper, unitriangular=unitriangular).mT
    if size > _FEW:
        solution: torch.Tensor = aten.triangular_solve.default(right, matrix, upper, False, unitriangular)[0]
        return solution
    solved: dict[int, torch.Tensor] = {}
    for row in reversed(range(size)) if upper else range(size):
        rest = right[..., row, :]
        for column, known in solved.items():
            rest = rest - matrix[..., row, column, None] * known
        solved[row] = rest if unitriangular else rest / matrix[..., row, row, None]
    # Which unknown is the first to have the matrices' batch as well depends on the shape of the triangle.
    batch = torch.zeros_like(right[..., :1, :] * matrix[..., :1, :1])
    return torch.cat([solved[row].unsqueeze(-2) + batch for row in range(size)], -2)


def cholesky_ex(
    matrix: torch.Tensor, *, upper: bool = False, check_errors: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the Cholesky factor and 0, as ``torch.linalg.cholesky_ex``; NaN and 1 where there is none."""
    del check_errors  # which come of themselves, as NaN
    if matrix.shape[-1] > _MANY:
        unfactorised: tuple[torch.Tensor, torch.Tensor] = NotImplemented  # left as it is
        return unfactorised
    factor = _cholesky(matrix.mT if upper else matrix)
    wrong = factor.diagonal(dim1=-2, dim2=-1).sum(-1).isnan()
    return factor.mT if upper else factor, wrong.to(torch.int32)


def _cholesky(matrix: torch.Tensor) -> torch.Tensor:
    size = matrix.shape[-1]
    if size > _FEW:
        half = size // 2
        first = _cholesky(matrix[..., :half, :half])
        below = solve_triangular(first, matrix[..., half:, :half].mT, upper=False).mT
        second = _cholesky(matrix[..., half:, half:] - below @ below.mT)
        above = torch.cat([first, torch.zeros_like(below.mT)], -1)
        return torch.cat([above, torch.cat([below, second], -1)], -2)
    columns: list[torch.Tensor] = []
    for place in range(size):
        rest = matrix[..., place:, place]
        for before in columns:
            rest = rest - before[..., place:] * before[..., place, None]
        column = rest / rest[..., :1].sqrt()
        columns.append(torch.cat([torch.zeros_like(matrix[..., :place, place]), column], -1))
    return torch.stack(columns, -1)


WRITTEN_OUT: dict[Any, Callable[..., Any]] = {
    aten.linalg_solve_triangular.default: solve_triangular,
    aten.linalg_cholesky_ex.default: cholesky_ex,
}
"""Operations of torch to what a graph has in their place."""
