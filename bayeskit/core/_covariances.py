"""Covariances, checked and factored, for the distributions that have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError

Floats = NDArray[np.float64]

SYMMETRY = 1e-8  # of a matrix whose diagonal is 1
_PIECE = 64


@dataclass(frozen=True, eq=False)
class Factor:
    """Cholesky factor of a covariance, and what follows from it."""

    lower: Floats
    inverse: Floats
    log_volume: float

    @classmethod
    def of(cls, name: str, matrix: Floats) -> Factor:
        """Factor a covariance.

        Raises
        ------
        ConfigError
            If it is not symmetric and positive definite.
        """
        scales = np.sqrt(np.diag(matrix))
        # Whether a matrix is singular must not depend on the coordinates' units.
        correlation = matrix / np.outer(scales, scales)
        if not np.allclose(correlation, correlation.T, rtol=0, atol=SYMMETRY):
            raise ConfigError(f"{name} is not symmetric; correct it")
        try:
            factor = np.linalg.cholesky((correlation + correlation.T) / 2)
        except np.linalg.LinAlgError:
            factor = np.zeros_like(matrix)
        if np.square(np.diag(factor)).min() <= scales.size * np.finfo(float).eps:
            raise ConfigError(
                f"{name} is singular: it must be positive definite, so that no coordinate follows from the others; "
                "drop what is redundant, or add a little to the diagonal"
            )
        lower = scales[:, None] * factor
        return cls(lower, np.linalg.inv(factor) / scales, float(np.log(np.diag(lower)).sum()))

    def colour(self, white: Floats) -> Floats:
        """Return standard normal points, ``n_points x n_dims``, with this covariance."""
        return white * self.lower[0, 0] if white.shape[1] == 1 else _product(white, self.lower.T)

    def distance(self, centred: Floats) -> Floats:
        """Return squared Mahalanobis distances, ``n_points``."""
        white = centred * self.inverse[0, 0] if centred.shape[1] == 1 else _product(centred, self.inverse.T)
        with np.errstate(over="ignore"):  # infinitely far
            return np.asarray(np.einsum("ij,ij->i", white, white))


def _product(rows: Floats, matrix: Floats) -> Floats:
    """Return rows times a matrix, in small pieces.

    A large product is spread over threads, for which samplers that run in threads would queue, and its last digits
    depend on how many rows and threads there are.
    """
    n_rows, n_dims = rows.shape
    n_pieces = -(-n_rows // _PIECE)
    whole = np.zeros((n_pieces * _PIECE, n_dims))
    whole[:n_rows] = rows
    product = whole.reshape(n_pieces, _PIECE, n_dims) @ matrix
    return np.asarray(product.reshape(n_pieces * _PIECE, n_dims)[:n_rows])


def assign(target: object, **values: Any) -> None:
    """Set fields of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(target, name, value)


def vector(name: str, given: Any) -> Floats:
    """Return finite numbers, checked.

    Raises
    ------
    ConfigError
        If these are none.
    """
    numbers = _numbers(name, given, "numbers").reshape(-1)
    if not numbers.size:
        raise ConfigError(f"{name} must hold at least one number")
    return numbers


def matrix(name: str, given: Any, size: int) -> Floats:
    """Return a square matrix of finite numbers whose diagonal is above 0, checked.

    Raises
    ------
    ConfigError
        If this is none.
    """
    numbers = _numbers(name, given, "a matrix of numbers")
    if numbers.size == 1 == size:
        numbers = numbers.reshape(1, 1)
    if numbers.shape != (size, size):
        raise ConfigError(f"{name} must have shape {(size, size)} as the mean has {size} numbers, got {numbers.shape}")
    if not np.all(np.diag(numbers) > 0):
        raise ConfigError(f"{name} is singular: its diagonal must be above 0, got {np.diag(numbers).min():.6g}")
    return numbers


def _numbers(name: str, given: Any, what: str) -> Floats:
    try:
        numbers = np.array(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} must be {what}, got {given!r}") from error
    if not np.isfinite(numbers).all():
        raise ConfigError(f"{name} must be finite, got {numbers[~np.isfinite(numbers)][0]}; correct it")
    return numbers
