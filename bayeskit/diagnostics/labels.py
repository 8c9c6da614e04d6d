"""What every summary and figure calls the scalars of a variable: ``beta[1]`` as Stan counts, ``mu[2012-01-01]``."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.words import day

SAMPLE_DIMS = ("chain", "draw")
_UNNAMED = re.compile(r".*_dim_\d+")  # what ArviZ calls a dimension that the model gave no name


def cell_dims(array: xr.DataArray) -> list[str]:
    """Return the dimensions of a variable but for chain and draw."""
    return [str(dim) for dim in array.dims if dim not in SAMPLE_DIMS]


def cell_labels(array: xr.DataArray) -> list[str]:
    """Return the labels of a variable's scalars, the last index running fastest.

    Dimensions that the model gave no name are counted from 1, as Stan does.

    Examples
    --------
    >>> cell_labels(xr.DataArray(np.zeros((1, 1, 2)), dims=("chain", "draw", "beta_dim_0"), name="beta"))
    ['beta[1]', 'beta[2]']
    """
    dims = cell_dims(array)
    if not dims:
        return [str(array.name)]
    return [f"{array.name}[{','.join(place)}]" for place in product(*(_along(array, dim) for dim in dims))]


def draws_at(array: xr.DataArray, place: int) -> NDArray[np.float64]:
    """Return one scalar of a variable as ``n_chains x n_draws``; of one that lies on disk, nothing else is read."""
    dims = cell_dims(array)
    places = np.unravel_index(place, [array.sizes[dim] for dim in dims]) if dims else ()
    chosen = array.isel(dict(zip(dims, places, strict=True)))
    values: NDArray[np.float64] = chosen.transpose(*SAMPLE_DIMS).to_numpy().astype(float, copy=False)
    return values


def cell_draws(array: xr.DataArray) -> NDArray[Any]:
    """Return a variable as ``n_chains x n_draws x n_cells``, in the order of ``cell_labels``."""
    values: NDArray[Any] = array.transpose(*SAMPLE_DIMS, *cell_dims(array)).to_numpy()
    return values.reshape(*values.shape[:2], -1)


def real_valued(posterior: xr.Dataset) -> xr.Dataset:
    """Return the variables that hold numbers: complex ones in two parts, empty ones left out.

    Nothing is read from disk for this, but for complex ones.
    """
    parts: dict[str, xr.DataArray] = {}
    for name, array in posterior.data_vars.items():
        if array.size == 0 or array.dtype.kind not in "biufc":
            continue
        if array.dtype.kind == "c":
            parts |= {f"{name}.real": array.real, f"{name}.imag": array.imag}
        else:
            parts[str(name)] = array
    return xr.Dataset(parts)


def _along(array: xr.DataArray, dim: str) -> list[str]:
    places = array[dim].to_numpy()
    if _UNNAMED.fullmatch(dim) and np.array_equal(places, np.arange(places.size)):
        places = places + 1
    return [day(place) if places.dtype.kind == "M" else str(place) for place in places]
