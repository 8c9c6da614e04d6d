"""Plain CSV and Parquet: one header, one row a day."""

from __future__ import annotations

import datetime
import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bayeskit.core.errors import DataError
from bayeskit.core.language import say
from bayeskit.datasets._cells import MISSING, parse_days, parse_numbers
from bayeskit.datasets._files import Line, check_width, tidy
from bayeskit.datasets._problems import Place, joined, nearest, one_line, quote
from bayeskit.datasets._reading import Reading, choose_station

_KNOWN = ("date", "temperature", "temp_max", "temp_min", "precipitation", "station")
_WANTED = {
    "date": "'date'",
    "temperature": "'temperature', nor 'temp_max' and 'temp_min'",
    "temp_max": "'temp_max' to go with 'temp_min'",
    "temp_min": "'temp_min' to go with 'temp_max'",
}


@dataclass(frozen=True)
class _Table:
    """A header, the numbers of the rows, and a way to the text of a column's cells."""

    header: Sequence[str]
    rows: Sequence[int]
    column: Callable[[int], list[str]]
    layout: str


def read_plain_csv(lines: Sequence[Line], encoding: str, place: Place, station: str | None) -> Reading:
    """Read a plain CSV file, already split into cells; the first line is its header.

    Raises
    ------
    DataError
        Another delimiter than a comma, no rows, ragged rows, and whatever ``_read`` finds.
    """
    (header_row, header), *body = lines
    for delimiter, name in ((";", "semicolons"), ("\t", "tabs")):
        if any(delimiter in cell for cell in header) and "date" not in map(_plain, header):
            problem = f"the columns are separated by {name} (row {header_row})"
            raise place.error(
                problem, "save the file with commas between columns and decimal points in numbers, e.g. 12.8"
            )
    positions = _positions(header, place)
    if not body:
        raise place.error("there is a header, but no rows of data", "give a file with one row a day")
    check_width(body, len(header), place)
    table = _Table(
        header=[tidy(cell) for cell in header],
        rows=[row for row, _ in body],
        column=lambda position: [tidy(cells[position]) for _, cells in body],
        layout=say("CSV in {encoding}", encoding=encoding),
    )
    return _read(table, positions, place, station)


def read_parquet(data: bytes, place: Place, station: str | None) -> Reading:
    """Read a Parquet file; its rows are counted from 1."""
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]

    try:
        # Arrow's reader of Python file objects, with threads, now and then aborts the interpreter at its exit.
        file = ParquetFile(pyarrow.BufferReader(data))
        header = [str(name) for name in file.schema_arrow.names]
        positions = _positions(header, place)
        content = file.read(columns=[header[position] for position in positions.values()], use_threads=False)
        cells = {
            name: [_text(value) for value in content.column(header[at]).to_pylist()] for name, at in positions.items()
        }
    except DataError:
        raise
    except (pyarrow.ArrowException, OSError, ArithmeticError, ValueError, LookupError) as error:
        problem = f"not a Parquet file that can be read ({one_line(str(error))[:120]})"
        raise place.error(problem, "write it again, or save it as CSV") from error
    if not content.num_rows:
        raise place.error("there are columns, but no rows of data", "give a file with one row a day")
    by_position = {at: cells[name] for name, at in positions.items()}
    table = _Table(header, range(1, content.num_rows + 1), by_position.__getitem__, "Parquet")
    return _read(table, positions, place, station)


def _text(value: Any) -> str:
    """Return a Parquet value as it would stand in a CSV cell, without loss."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime.date) else tidy(str(value))


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", tidy(name).lower())


def _positions(header: Sequence[str], place: Place) -> dict[str, int]:
    """Find the columns that are used.

    Raises
    ------
    DataError
        No date or no temperature (the columns that there are and the nearest name are given), or one of them twice.
    """
    plain = [_plain(cell) for cell in header]
    used = ["date", *_temperature_columns(plain), *(name for name in ("precipitation", "station") if name in plain)]
    for name in used:
        if name not in plain:
            problem = f"there is no column {_WANTED[name]}, only {_few(header)}"
            raise place.error(problem, _rename(name, plain, header))
    for name, count in Counter(plain).items():
        if name in used and count > 1:
            raise place.error(f"{count} columns have this name", "keep one, or rename the others", column=name)
    return {name: plain.index(name) for name in used}


def _temperature_columns(plain: Sequence[str]) -> tuple[str, ...]:
    if "temperature" not in plain and {"temp_max", "temp_min"} & set(plain):
        return ("temp_max", "temp_min")
    return ("temperature",)


def _few(header: Sequence[str]) -> str:
    shown = [quote(tidy(cell)) for cell in header[:12]]
    return joined([*shown, *([f"{len(header) - 12} more"] if len(header) > 12 else [])])


def _rename(name: str, plain: Sequence[str], header: Sequence[str]) -> str:
    if any(re.fullmatch(r"[-+.\d/:]+", cell) for cell in plain):
        return "put a header above the data: date,temperature,precipitation"
    free = {cell: title for cell, title in zip(plain, header, strict=True) if cell not in _KNOWN}
    meant = nearest(name, free)
    what = f"rename {quote(tidy(free[meant]))}" if meant else "rename the column that holds it"
    return f"{what} to '{name}' in the first row"


def _read(table: _Table, positions: Mapping[str, int], place: Place, station: str | None) -> Reading:
    cells = {name: table.column(position) for name, position in positions.items()}
    names = {name: table.header[position] for name, position in positions.items()}
    keep, station = _at_station(cells.pop("station", None), len(table.rows), station, place)
    rows = list(itertools.compress(table.rows, keep))
    texts = {name: list(itertools.compress(column, keep)) for name, column in cells.items()}
    days = parse_days(texts.pop("date"), rows, names["date"], place)
    values = {name: parse_numbers(column, rows, names[name], place) for name, column in texts.items()}
    return Reading(days, pd.DataFrame(values, index=rows), names, table.layout, station)


def _at_station(
    column: Sequence[str] | None, n_rows: int, station: str | None, place: Place
) -> tuple[Sequence[bool], str | None]:
    """Return which rows are the station's (all, where the file has but one), and its name."""
    if column is None:
        return [True] * n_rows, choose_station((), station, place)
    found = list(dict.fromkeys(name for name in column if name.lower() not in MISSING))
    chosen = choose_station(found, station, place)
    return [len(found) < 2 or name == chosen for name in column], chosen
