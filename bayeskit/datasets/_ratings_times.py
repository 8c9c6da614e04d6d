"""When ratings were given: seconds since 1970, from whatever unit or text they stand in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayeskit.datasets._cells import MISSING
from bayeskit.datasets._graph_cells import Column, Floats, Integers, numbers_of
from bayeskit.datasets._problems import Cell, Place
from bayeskit.datasets._ratings_sheets import Numeric

_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (np.inf, 1_000_000_000))
"""Below which size times count seconds (until the year 5138), milli-, micro- and nanoseconds: how many a second."""
_DAYS = (19_000_101, 21_001_231)
_OUT = "leave the times out (--columns user,item,rating)"
_REMEDY = f"write seconds since 1970, or dates with the year first (ISO 8601), e.g. 2013-12-25; or {_OUT}"


def seconds_of(cells: Numeric, rows: Integers, title: str, place: Place) -> Integers:
    """Return times as whole seconds since 1970.

    Parameters
    ----------
    cells
        Numbers: seconds, or milliseconds, micro- or nanoseconds, by their size, or days such as 20131225; moments; or
        texts in ISO 8601, of UTC where they name no zone.
    rows
        Where each stands in the file.
    title
        Name of the column.
    place
        The file.

    Raises
    ------
    DataError
        Where there is no time, or it is no such one.
    """
    if isinstance(cells, Column):
        return _from_texts(cells, rows, title, place)
    missing = np.flatnonzero(np.isnat(cells) if cells.dtype.kind == "M" else np.isnan(cells.astype(np.float64)))
    _refuse([(int(rows[at]), "") for at in missing], "no time", f"fill the cell, or {_OUT}", title, place)
    if cells.dtype.kind == "M":
        return cells.astype("datetime64[s]").astype(np.int64)
    infinite = np.flatnonzero(np.isinf(cells))
    _refuse([(int(rows[at]), float(cells[at])) for at in infinite], "infinite", _REMEDY, title, place)
    return _from_numbers(cells.astype(np.float64))


def _from_numbers(values: Floats) -> Integers:
    if values.size and _DAYS[0] <= values.min() and values.max() <= _DAYS[1]:
        days = _days(values)
        if days is not None:
            return days
    largest = float(np.abs(values).max()) if values.size else 0.0
    per_second = next(unit for most, unit in _UNITS if largest < most)
    return np.floor(values / per_second).astype(np.int64)


def _days(values: Floats) -> Integers | None:
    """Return numbers such as 20131225 as days; None where they are not all days of the calendar."""
    import pandas as pd

    codes, different = pd.factorize(values)
    found = pd.to_datetime(pd.Series(different).astype(np.int64).astype(str), format="%Y%m%d", errors="coerce")
    if found.isna().any() or (different % 1).any():
        return None
    return found.to_numpy().astype("datetime64[s]").astype(np.int64)[codes]


def _from_texts(cells: Column, rows: Integers, title: str, place: Place) -> Integers:
    import pandas as pd

    blank = np.array([text.lower() in MISSING for text in cells.texts], dtype=bool)[cells.codes]
    missing = [(int(rows[at]), cells.text(int(at))) for at in np.flatnonzero(blank)]
    _refuse(missing, "no time", f"fill the cell, or {_OUT}", title, place)
    _, words = numbers_of(cells, rows)
    if 2 * len(words) < len(cells.codes):
        raise place.error("not a time, as most of the column are", _REMEDY, column=title, cells=words)
    texts = pd.Series(cells.texts, dtype=object)
    found = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce").dt.tz_convert(None)
    wrong = np.flatnonzero(found.isna().to_numpy()[cells.codes])
    _refuse([(int(rows[at]), cells.text(int(at))) for at in wrong], "not a time", _REMEDY, title, place)
    return found.to_numpy().astype("datetime64[s]").astype(np.int64)[cells.codes]


def _refuse(cells: Sequence[Cell], problem: str, remedy: str, title: str, place: Place) -> None:
    if cells:
        raise place.error(problem, remedy, column=title, cells=cells)
