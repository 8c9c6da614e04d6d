"""Mean, standard deviation and quantiles of every scalar, and which of them never move."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.types import Verdict
from bayeskit.diagnostics.labels import SAMPLE_DIMS, cell_dims, cell_labels

PROBABILITIES = {"q2.5": 0.025, "q16": 0.16, "median": 0.5, "q84": 0.84, "q97.5": 0.975}


def moments(posterior: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return mean, standard deviation (of what never moves: 0) and quantiles by the summary's column names."""
    with np.errstate(invalid="ignore"):  # infinite draws have no mean
        columns = {
            "mean": posterior.mean(SAMPLE_DIMS, skipna=False),
            "sd": posterior.std(SAMPLE_DIMS, ddof=1, skipna=False).where(span(posterior) != 0, 0.0),
        }
        quantiles = posterior.quantile(list(PROBABILITIES.values()), SAMPLE_DIMS, skipna=False)
    for name, probability in PROBABILITIES.items():
        columns[name] = quantiles.sel(quantile=probability, drop=True)
    return columns


def span(posterior: xr.Dataset) -> xr.Dataset:
    """Return the largest minus the smallest draw of each scalar; NaN where it never holds a number."""
    return _over_draws(posterior, lambda values: np.fmax.reduce(values, 0) - np.fmin.reduce(values, 0))


def finite(posterior: xr.Dataset) -> Verdict:
    """Judge whether all draws hold numbers. What never holds one was left unset by the program, and does not count."""
    broken = not_numbers(posterior)
    found = [label for array in broken.data_vars.values() for label in _where(array)]
    count = len(found)
    of = f"of {sum(array.size for array in broken.data_vars.values()):,} quantities"
    detail = f"{', '.join(found[:3])}{', …' if count > 3 else ''}, {of}" if found else of
    empty = _over_draws(posterior, lambda values: np.isnan(values).all(0))
    never = [label for array in empty.data_vars.values() for label in _where(array)]
    if never:
        detail += f"; never a number, and not counted: {', '.join(never[:3])}{', …' if len(never) > 3 else ''}"
    remedy = "look at what the program computes for these: an overflow, or a logarithm or root of a negative number"
    return Verdict("finite", count, 0, "<=", count == 0, detail, remedy if count else "")


def not_numbers(posterior: xr.Dataset) -> xr.Dataset:
    """Return which scalars hold a number in some draws but not in all, or an infinite one."""
    return _over_draws(posterior, lambda values: ~np.isfinite(values).all(0) & ~np.isnan(values).all(0))


def _where(array: xr.DataArray) -> list[str]:
    flags = array.to_numpy().ravel()
    return [label for label, flag in zip(cell_labels(array), flags, strict=True) if flag] if flags.any() else []


def _over_draws(posterior: xr.Dataset, function: Callable[[NDArray[Any]], Any]) -> xr.Dataset:
    made: dict[Hashable, xr.DataArray] = {}
    for name, array in posterior.data_vars.items():
        dims = cell_dims(array)
        values = array.transpose(*SAMPLE_DIMS, *dims).to_numpy().astype(float, copy=False)
        with np.errstate(invalid="ignore"):
            reduced = function(values.reshape(-1, *values.shape[2:]))
        made[name] = xr.DataArray(reduced, dims=dims, coords={dim: array[dim] for dim in dims})
    return xr.Dataset(made)
