"""Points as a pass of EM takes them: grouped by what is observed, on a scale of their own, with their products.

A component's log density is linear in a point's coordinates and their products, so that the log densities of many
points are one matrix product, and so are the sums over points that the next parameters are made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import DataError

Floats = NDArray[np.float64]

_AT_ONCE = 1 << 20  # numbers that are looked at at once, and that are kept between passes
_IN_FLIGHT = 1 << 23  # numbers of a file that are read at once
_PARAMETERS = 1 << 22  # numbers that the parameters of all patterns may take


@dataclass(frozen=True)
class Scaling:
    """The scale on which EM works: ``(y - shift) / scale``, so that products of coordinates lose no digits.

    Parameters
    ----------
    shift, scale
        ``n_columns``: the columns' means and standard deviations; the same scale for all where the form of the
        covariances would not survive another.
    counts
        ``n_columns``: how many points have the coordinate.
    """

    shift: Floats
    scale: Floats
    counts: Floats

    @property
    def log_jacobian(self) -> float:
        """What is added to a log likelihood on this scale to have that of ``y``."""
        return -float(self.counts @ np.log(self.scale))


@dataclass(frozen=True, eq=False)
class Rows:
    """Points in the order of their patterns of observed coordinates.

    Parameters
    ----------
    values
        ``n_points x n_columns``, NaN where missing.
    observed
        ``n_patterns x n_columns``.
    starts
        ``n_patterns + 1``: where each pattern's points begin, and where the last one's end.
    features
        ``n_features x n_points``; None of many points, whose features are made again in each pass.
    """

    values: Floats
    observed: NDArray[np.bool_]
    starts: NDArray[np.int64]
    features: Floats | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.observed.all())

    def segments(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Yield the patterns of some points: each one's number, and where its points begin and end, from ``first``."""
        pattern = int(np.searchsorted(self.starts, first, side="right")) - 1
        while pattern < len(self.observed) and self.starts[pattern] < last:
            begin, end = max(first, int(self.starts[pattern])), min(last, int(self.starts[pattern + 1]))
            yield pattern, begin - first, end - first
            pattern += 1


def scaling_of(y: Floats, *, one_scale: bool) -> Scaling:
    """Return means and standard deviations of the columns, what is missing left out; 1 where a column is constant.

    Pieces are joined by Chan, Golub and LeVeque (1979), doi:10.1007/978-3-642-51461-6_3.

    Raises
    ------
    DataError
        If a number is infinite, or a column has none.
    """
    n_columns = y.shape[1]
    counts, means, squares = np.zeros(n_columns), np.zeros(n_columns), np.zeros(n_columns)
    for piece in pieces(y, _AT_ONCE):
        observed = ~np.isnan(piece)
        if np.isinf(piece).any():
            raise DataError("a point has an infinite coordinate; mark what is missing as NaN, or leave the point out")
        more = observed.sum(axis=0)
        theirs = np.where(observed, piece, 0.0).sum(axis=0) / np.maximum(more, 1)
        squares += (np.where(observed, piece - theirs, 0.0) ** 2).sum(axis=0)
        together = np.maximum(counts + more, 1)
        squares += (theirs - means) ** 2 * counts * more / together
        means += (theirs - means) * more / together
        counts += more
    if not counts.all():
        raise DataError(f"column {int(np.argmin(counts)) + 1} has no number; leave it out")
    variances = squares / counts
    variances[variances <= (1e-14 * np.abs(means)) ** 2] = 0.0  # what rounding leaves of a constant column
    if one_scale:
        variances[:] = variances.mean()
    return Scaling(means, np.where(variances > 0, np.sqrt(variances), 1.0), counts)


def pieces(y: Floats, numbers: int = _IN_FLIGHT) -> Iterator[Floats]:
    """Yield the points in pieces of about so many numbers."""
    step = max(1, numbers // y.shape[1])
    for first in range(0, len(y), step):
        yield np.asarray(y[first : first + step])


def tables(y: Floats, n_components: int, scaling: Scaling, *, dense: bool) -> Iterator[Rows]:
    """Yield the points in one or more tables, none of which has too many patterns.

    Parameters
    ----------
    y
        ``n_points x n_columns``, in memory.
    n_components
        What each pattern has parameters for.
    scaling
        The scale of the features.
    dense
        Whether the features have the products of different coordinates.
    """
    n_features = number_of_features(y.shape[1], dense=dense)
    keep = len(y) * n_features <= _AT_ONCE
    for rows in _grouped(y, max(1, _PARAMETERS // (n_components * n_features))):
        features = make_features(rows, 0, len(rows.values), scaling, dense=dense) if keep else None
        yield Rows(rows.values, rows.observed, rows.starts, features)


def number_of_features(n_columns: int, *, dense: bool) -> int:
    """Return how many features a point has: 1, its coordinates, and their squares or products."""
    return 1 + n_columns + (n_columns * (n_columns + 1) // 2 if dense else n_columns)


def make_features(
    rows: Rows, first: int, last: int, scaling: Scaling, *, dense: bool, out: Floats | None = None
) -> Floats:
    """Return the features of some points, ``n_features x n_points``, zero where they take something that is missing."""
    n_columns, n_points = rows.values.shape[1], last - first
    found = np.empty((number_of_features(n_columns, dense=dense), n_points)) if out is None else out[:, :n_points]
    found[0] = 1.0
    coordinates = found[1 : n_columns + 1]
    np.subtract(rows.values[first:last].T, scaling.shift[:, np.newaxis], out=coordinates)
    coordinates /= scaling.scale[:, np.newaxis]
    if not rows.complete:
        for pattern, begin, end in rows.segments(first, last):
            coordinates[~rows.observed[pattern], begin:end] = 0.0
    if not dense:
        np.multiply(coordinates, coordinates, out=found[n_columns + 1 :])
        return found
    place = n_columns + 1
    for column in range(n_columns):
        np.multiply(coordinates[column:], coordinates[column], out=found[place : place + n_columns - column])
        place += n_columns - column
    return found


def _grouped(y: Floats, most: int) -> Iterator[Rows]:
    """Yield the points by pattern, at most so many patterns at once."""
    n_points, n_columns = y.shape
    if not any(np.isnan(piece).any() for piece in pieces(y, _AT_ONCE)):
        yield Rows(y, np.ones((1, n_columns), dtype=bool), np.array([0, n_points]))
        return
    codes: NDArray[Any] = np.packbits(~np.isnan(y), axis=1)
    kinds, kind_of, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    observed = np.unpackbits(kinds, axis=1, count=n_columns).astype(bool)
    order = np.argsort(kind_of.ravel(), kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    for kind in range(0, len(kinds), most):
        ends = starts[kind : kind + most + 1]
        yield Rows(y[order[ends[0] : ends[-1]]], observed[kind : kind + most], ends - ends[0])
