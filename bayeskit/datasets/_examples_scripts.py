"""Examples that a script made: arrays and data frames in the place of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeskit.datasets._images_types import Pictures, check_shape, graded
from bayeskit.datasets._problems import Place, counted, one_line
from bayeskit.datasets.tables import Table


def array_of(values: Any, place: Place) -> NDArray[Any]:
    """Return an array of numbers; of one dimension it is a single column.

    Raises
    ------
    DataError
        If it is none.
    """
    try:
        array = np.asarray(values)
        array = array if array.dtype.kind in "biuf" else array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise place.error(f"not an array of numbers ({one_line(str(error))[:120]})", "convert it") from error
    if not array.size:
        raise place.error(f"an array of shape {array.shape}, without values", "give some")
    return array.reshape(-1, 1) if array.ndim < 2 else array


def table_of(
    values: Any, columns: Sequence[str] | None, beside: Mapping[str, ArrayLike], place: Place
) -> tuple[Table, Sequence[str] | None]:
    """Return a data frame or an array as the table that a file would hold, and the names of what is to be learned.

    Parameters
    ----------
    values
        ``n_rows x n_columns``.
    columns
        Of a data frame the names of those to take; of an array, names for all.
    beside
        Further columns, each of ``n_rows``.
    place
        For messages.

    Raises
    ------
    DataError
        If there are more or fewer names than columns, or a further column has another length.
    """
    if hasattr(values, "columns"):
        header = [str(name) for name in values.columns]
        found = [np.asarray(values.iloc[:, at]) for at in range(len(header))]
        chosen = columns
    else:
        found = list(array_of(values, place).T)
        header = [str(name) for name in columns] if columns else [f"x{at + 1}" for at in range(len(found))]
        if len(header) != len(found):
            problem = f"{counted(len(header), 'name')} for {counted(len(found), 'column')}"
            raise place.error(problem, "name each column")
        chosen = tuple(header)
    if not found:
        raise place.error("a data frame without columns", "give some")
    n_rows = len(found[0])
    header += [str(name) for name in beside]
    found += [_beside(more, n_rows, str(name), place) for name, more in beside.items()]
    return Table(tuple(header), np.arange(1, n_rows + 1), lambda at: _cells(found[at]), b"", ""), chosen


def pictures_of(
    array: NDArray[Any],
    labels: ArrayLike | None,
    held_out: ArrayLike | None,
    beside: Mapping[str, ArrayLike],
    place: Place,
) -> Pictures:
    """Return an array as the images that a file would hold.

    Raises
    ------
    DataError
        If it cannot be used as images, or what stands beside it has another length.
    """
    check_shape(array.shape, place)
    values, levels = graded(array, place)
    n = len(values)
    return Pictures(
        values=values,
        levels=levels,
        rows=np.arange(1, n + 1),
        sha256="",
        labels=None if labels is None else _beside(labels, n, "labels", place).astype(str),
        held_out=None if held_out is None else held_of(held_out, n, place),
        arrays={str(name): _beside(more, n, str(name), place) for name, more in beside.items()},
    )


def held_of(held_out: ArrayLike, n_rows: int, place: Place) -> NDArray[np.bool_]:
    """Return which rows are held out.

    Raises
    ------
    DataError
        If it is not a truth value a row, some true and some false.
    """
    found = _beside(held_out, n_rows, "held_out", place)
    if found.dtype.kind != "b" or found.all() or not found.any():
        raise place.error("held_out", "give True for each row that is held out, and False for the others")
    return found.copy()


def _beside(more: ArrayLike, n_rows: int, name: str, place: Place) -> NDArray[Any]:
    found = np.asarray(more)
    if found.shape != (n_rows,):
        told = " x ".join(map(str, found.shape)) or "a single value"
        raise place.error(f"shape ({told}) for {counted(n_rows, 'row')}", "give one value a row", column=name)
    return found


def _cells(found: NDArray[Any]) -> NDArray[np.float64] | list[str]:
    """Return a column as a file gives it: numbers, NaN where missing, or texts."""
    if found.dtype.kind in "iuf":
        return found.astype(np.float64)
    import pandas as pd

    return ["" if missing else str(value) for value, missing in zip(found, pd.isna(found), strict=True)]
