"""Numbers for the page's scripts in few bytes, and the draws that are worth a place there.

Numbers travel as 32-bit floats; the few that these would change are added exactly, and where they are many the column
has 64 bits. The bytes of equal weight stand together, which compresses better (the shuffle filter of HDF5), then gzip:
a hundred thousand quantities take 5 MB. ``files.js`` undoes it.
"""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.types import Fit
from bayeskit.diagnostics.labels import cell_dims

Floats = NDArray[np.floating[Any]]

DRAWS = 800  # of one quantity, all chains together
CHAINS = 16
MAX_EXACT = 0.05  # of a column's numbers
_LOST = 1e-3  # of the standard deviation: what 32 bits may move a number


@dataclass(frozen=True)
class Drawn:
    """Thinned draws, ``n_drawn x n_chains x n_draws``, of the table's rows at ``rows``; one draw in ``step``."""

    rows: tuple[int, ...]
    draws: Floats
    step: int


def packed_column(values: Floats, sd: Floats) -> dict[str, Any]:
    """Return a column's numbers: how many bits, packed, and those to be set exactly as pairs of row and value.

    ``sd`` is what a number's digits follow from; 0 where they are its own first ones.
    """
    lossy = _lossy(values, sd)
    few = lossy.size <= MAX_EXACT * values.size
    with np.errstate(over="ignore"):
        single = values.astype("<f4") if few else values.astype("<f8")
    return {
        "bits": 32 if few else 64,
        "values": packed_floats(single),
        "exact": [[int(row), float(values[row])] for row in lossy] if few else [],
    }


def packed(data: bytes) -> str:
    """Return bytes as base64 of gzip, the same for the same bytes."""
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


def packed_floats(values: Floats) -> str:
    """Return numbers with their first bytes first, then all second ones, and so on."""
    raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    return packed(raw.reshape(-1, values.dtype.itemsize).T.tobytes())


def draws_of(fit: Fit, rows: Sequence[int], names: Sequence[str], places: NDArray[np.int64]) -> Drawn | None:
    """Take the draws of these rows, each variable's cells at once and no others.

    Weighted draws are left out: drawn without their weights they would show another distribution.
    """
    if not rows or not fit.has_draws or fit.provenance.kind in ("point", "weighted"):
        return None
    posterior = fit.posterior["posterior"].to_dataset()
    step = math.ceil(min(posterior.sizes["chain"], CHAINS) * posterior.sizes["draw"] / DRAWS)
    kept: list[int] = []
    parts: list[Floats] = []
    for name in dict.fromkeys(names[row] for row in rows):
        array = _variable(posterior, name)
        mine = [row for row in rows if names[row] == name]
        if array is None or max(places[mine]) >= math.prod(array.sizes[dim] for dim in cell_dims(array)):
            continue  # the table and the draws are not of the same run
        parts.append(_cells(array.isel(chain=slice(CHAINS), draw=slice(None, None, step)), places[mine]))
        kept += mine
    return Drawn(tuple(kept), np.concatenate(parts), step) if parts else None


def _variable(posterior: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return a variable as the summary names it; complex ones are there in two parts."""
    if name in posterior:
        return posterior[name]
    whole, _, part = name.rpartition(".")
    if whole in posterior and part in ("real", "imag"):
        return posterior[whole].real if part == "real" else posterior[whole].imag
    return None


def _cells(array: xr.DataArray, places: NDArray[np.int64]) -> Floats:
    """Return the draws of a variable's cells, ``n_cells x n_chains x n_draws``; places count the last index fastest."""
    dims = cell_dims(array)
    if not dims:
        single: Floats = array.transpose("chain", "draw").to_numpy()[None].astype(float)
        return single
    index = np.unravel_index(places, [array.sizes[dim] for dim in dims])
    picked = array.isel({dim: xr.DataArray(at, dims="cell") for dim, at in zip(dims, index, strict=True)})
    values: Floats = picked.transpose("cell", "chain", "draw").to_numpy().astype(float)
    return values


def _lossy(values: Floats, sd: Floats) -> NDArray[np.int64]:
    """Return where 32 bits would change what is shown: 1,700,000,003.1 ± 0.5 is such a number.

    ``sd`` is what a number's digits follow from; 0 where they are its own first ones.
    """
    finite = np.isfinite(values)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        lost = np.abs(values.astype("<f4").astype(float) - values)
        allowed = np.where(sd > 0, _LOST * sd, 1e-6 * np.abs(values))
    found: NDArray[np.int64] = np.flatnonzero(finite & ~(lost <= allowed))
    return found
