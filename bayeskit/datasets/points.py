"""Points: the numeric columns of a table, one point a row."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Source
from bayeskit.core.words import commas, count
from bayeskit.datasets._points_checks import check_points
from bayeskit.datasets._points_columns import chosen_columns
from bayeskit.datasets._problems import Place, counted, listed
from bayeskit.datasets.tables import read_table, refuse_same_names

Floats = NDArray[np.float64]

_NAMED = 8  # columns that the description names
_NO_FILE = mark("Points made in a script")


@dataclass(frozen=True, eq=False, repr=False)
class Points:
    """Points as they were read; build them with ``load_points`` or ``points``.

    Parameters
    ----------
    values
        ``n_points x n_columns``, in the data's own units, NaN where missing. No row is missing altogether.
    columns
        Names of the columns.
    rows
        ``n_points``, the row of the file that each point stands in, counted from 1 with the header.
    source
        The file; of points made in a script without a path.
    """

    values: Floats
    columns: tuple[str, ...]
    rows: NDArray[np.int64]
    source: Source

    @property
    def n_points(self) -> int:
        """Number of points."""
        return int(self.values.shape[0])

    @property
    def n_columns(self) -> int:
        """Number of coordinates."""
        return int(self.values.shape[1])

    @property
    def n_missing(self) -> int:
        """Number of coordinates that are missing."""
        return int(np.isnan(self.values).sum())

    def __repr__(self) -> str:
        missing = f", {self.n_missing:,} coordinates missing" if self.n_missing else ""
        return f"Points({counted(self.n_points, 'point')}, columns {', '.join(self.columns)}{missing})"


def load_points(
    path: str | os.PathLike[str], *, columns: str | Sequence[str] | None = None, first: int | None = None
) -> Points:
    """Read points from a CSV or Parquet file with a header.

    Parameters
    ----------
    path
        The file. Empty cells, NA and NaN are missing values.
    columns
        Names of the columns to take, in this order, as a list or separated by commas. Unless given, all that hold
        numbers, but for those that are constant, count the rows, or are named for what they do not measure, such as
        ``id`` or ``year``; ``source.notes`` tells which.
    first
        Only so many of the file's first points, if not all.

    Returns
    -------
    Points
        In the file's order, without rows that have none of the columns' values.

    Raises
    ------
    DataError
        If the file cannot be used as it is: one line that names file, column, row (the line in the file, counted from
        1; of a Parquet file the record), value and remedy.
    """
    name = os.fspath(path)
    place = Place(str(name))
    table = read_table(str(name), place)
    chosen, values, notes = chosen_columns(table, columns, place)
    names = tuple(table.header[at] for at in chosen)
    kept = ~np.isnan(values).all(axis=1)
    if not kept.any():
        raise place.error("no row has any value in the chosen columns", "choose others (--columns)")
    values, rows, dropped = values[kept], table.rows[kept], table.rows[~kept]
    description = _described(values, names)
    if first is not None and first != len(values):
        if not 0 < first < len(values):
            remedy = "take fewer" if first > 0 else "take some"
            raise place.error(f"{first} points were asked for, there are {len(values)}", remedy)
        values, rows = values[:first], rows[:first]
        description = say("the first {points} of {whole}", points=count(first, "point"), whole=description)
    check_points(values, names, rows, place)
    told_rows = _notes_on_rows(dropped[dropped < rows[-1]] if first else dropped)
    source = Source(
        path=os.fsencode(name).decode("utf-8", "backslashreplace"),
        sha256=hashlib.sha256(table.content).hexdigest(),
        description=description,
        notes=(*notes, *told_rows, *_notes_on_cells(values, names, rows)),
        variables={column: _measured(values[:, at]) for at, column in enumerate(names)},
    )
    return Points(_frozen(values), names, _frozen(rows), source)


def points(values: ArrayLike, columns: Sequence[str] | None = None) -> Points:
    """Take points from an array or a data frame.

    Parameters
    ----------
    values
        ``n_points x n_columns``, or ``n_points`` of a single column; NaN where missing.
    columns
        Names; those of a data frame, or ``x1``, ``x2`` and so on unless given.

    Returns
    -------
    Points
        Without rows that have no values. As there is no file, no command can repeat a run of them.

    Raises
    ------
    DataError
        If they cannot be used as they are; places are counted from 1.
    """
    place = Place("points")
    array, found = _array(values, place)
    names = tuple(str(name) for name in (columns if columns is not None else found))
    if len(names) != array.shape[1]:
        raise place.error(f"{counted(len(names), 'name')} for {counted(array.shape[1], 'column')}", "name each column")
    refuse_same_names(names, place)
    kept = ~np.isnan(array).all(axis=1)
    whole = np.arange(1, len(array) + 1)
    check_points(array[kept], names, whole[kept], place)
    source = Source(
        path="",
        sha256="",
        description=say("{what}: {described}", what=say(_NO_FILE), described=_described(array[kept], names)),
        notes=(*_notes_on_rows(whole[~kept]), *_notes_on_cells(array[kept], names, whole[kept])),
        variables={column: _measured(array[kept, at]) for at, column in enumerate(names)},
    )
    return Points(_frozen(array[kept]), names, _frozen(whole[kept]), source)


def _array(values: ArrayLike, place: Place) -> tuple[Floats, list[str]]:
    """Return a copy with two dimensions, and names for its columns."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise place.error(f"not an array of numbers ({error})", "convert it, NaN where a value is missing") from error
    array = array[:, np.newaxis] if array.ndim == 1 else array
    if array.ndim != 2 or not array.shape[1]:
        raise place.error(f"an array of shape {array.shape}", "give one point a row, one coordinate a column")
    own: Any = getattr(values, "columns", None)
    return array, [str(name) for name in own] if own is not None else [f"x{at + 1}" for at in range(array.shape[1])]


def _described(values: Floats, names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    shown = [*names[:_NAMED], *([say("{n} more", n=f"{rest:,}")] if rest > 0 else [])]
    points_, columns = count(len(values), "point"), count(len(names), "column")
    return say("{points} of {columns}: {names}", points=points_, columns=columns, names=commas(shown))


def _measured(values: Floats) -> str:
    n_missing = int(np.isnan(values).sum())
    numbers = count(len(values) - n_missing, "number")
    return say("{numbers}, {missing} missing", numbers=numbers, missing=f"{n_missing:,}") if n_missing else numbers


def _notes_on_rows(dropped: NDArray[np.int64]) -> list[str]:
    if not dropped.size:
        return []
    told = say_count(
        dropped.size,
        "{n} row without any value was left out: {rows}.",
        "{n} rows without any value were left out: {rows}.",
        rows=listed(dropped),
    )
    return [told]


def _notes_on_cells(values: Floats, names: Sequence[str], rows: NDArray[np.int64]) -> list[str]:
    notes = []
    for at, name in enumerate(names):
        missing = rows[np.isnan(values[:, at])]
        if missing.size:
            notes.append(
                say_count(
                    missing.size,
                    "{column} lacks {n} value, in row {rows}.",
                    "{column} lacks {n} values, in rows {rows}.",
                    column=name,
                    rows=listed(missing),
                )
            )
    return notes


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
