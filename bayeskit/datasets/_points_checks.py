"""What must be true of points, wherever they come from: a file, or an array built in code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets._problems import Place, counted, joined, quote

Floats = NDArray[np.float64]

LARGEST = 1e100
"""The square of a larger number, summed over points, is more than numbers hold."""
FEWEST_POINTS = 2
_ROUNDING = 1e-12
_DEPENDENT = 1e-6
"""Share of a column's spread that others must leave unexplained; single precision alone gives 1e-7."""
_MOST_FITTED = 100_000  # points that tell whether columns depend on each other


def check_points(values: Floats, columns: Sequence[str], rows: NDArray[np.int64], place: Place) -> None:
    """Check points that are ``n_points x n_columns``, NaN where missing.

    Raises
    ------
    DataError
        Infinite or huge values, fewer than two points, columns without any value or with one value only, and columns
        that others determine.
    """
    for at, name in enumerate(columns):
        _check_values(values[:, at], name, rows, place)
    if len(values) < FEWEST_POINTS:
        problem = f"there is {counted(len(values), 'point')}" if len(values) else "there are no points"
        raise place.error(problem, f"at least {FEWEST_POINTS} are needed; give more rows")
    for at, name in enumerate(columns):
        _check_spread(values[:, at], name, place)
    _check_dependence(values, columns, place)


def is_constant(values: Floats) -> bool:
    """Whether the observed values differ by no more than rounding."""
    observed = values[~np.isnan(values)]
    if not observed.size:
        return True
    largest = float(np.abs(observed).max())
    with np.errstate(over="ignore", invalid="ignore"):  # of infinite values, which are told of later
        return bool(np.isfinite(largest)) and float(np.ptp(observed)) <= _ROUNDING * largest


def _check_values(values: Floats, name: str, rows: NDArray[np.int64], place: Place) -> None:
    with np.errstate(invalid="ignore"):
        large = np.flatnonzero(np.abs(values) > LARGEST)
    infinite = large[np.isinf(values[large])]
    if infinite.size:
        cells = [(rows[at], float(values[at])) for at in infinite]
        remedy = "correct the value, or leave the cell empty where it is missing"
        raise place.error("infinite", remedy, column=name, cells=cells)
    if large.size:
        cells = [(rows[at], float(values[at])) for at in large]
        remedy = "correct the value, or give the column another unit"
        raise place.error(f"beyond {LARGEST:g}, too large to be squared", remedy, column=name, cells=cells)


def _check_spread(values: Floats, name: str, place: Place) -> None:
    observed = values[~np.isnan(values)]
    if not observed.size:
        problem = f"all {counted(len(values), 'value')} are missing"
        raise place.error(problem, "leave the column out (--columns)", column=name)
    if is_constant(values):
        same = "is" if observed.size == 1 else "are"
        problem = f"all {counted(observed.size, 'observed value')} {same} {quote(float(observed[0]))}"
        remedy = "a constant column has no density; leave it out (--columns)"
        raise place.error(problem, remedy, column=name)


def _check_dependence(values: Floats, columns: Sequence[str], place: Place) -> None:
    """Refuse columns that are linear functions of others: their covariance has no inverse."""
    whole = values[~np.isnan(values).any(axis=1)][:_MOST_FITTED]
    if len(columns) < 2 or len(whole) < len(columns) + 2:
        return
    spread = whole.std(axis=0)
    if not spread.all():  # constant where all columns are observed, though not as a whole
        return
    standard = (whole - whole.mean(axis=0)) / (spread * np.sqrt(len(whole)))
    _, singular, directions = np.linalg.svd(np.linalg.qr(standard, mode="r"))
    if singular[-1] > _DEPENDENT * singular[0]:
        return
    loadings = np.abs(directions[-1])
    involved = [quote(name) for name, loading in zip(columns, loadings, strict=True) if loading > 0.05 * loadings.max()]
    last = involved[-1]
    problem = f"columns {joined(involved)} are collinear: each is a linear function of the others, to rounding"
    raise place.error(problem, f"leave one of them out (--columns), e.g. {last}")
