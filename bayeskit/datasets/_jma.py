"""The raw CSV of daily values that the Japan Meteorological Agency's site hands out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.datasets._cells import MISSING, Days, Values, parse_days, parse_number, refuse_words
from bayeskit.datasets._files import Line, tidy
from bayeskit.datasets._jma_header import HOMOGENEITY, NO_PHENOMENON, QUALITY, Header, Series, find_header, read_header
from bayeskit.datasets._problems import Cell, Place, joined, listed, quote
from bayeskit.datasets._reading import Reading

CREDIT = mark("Source: Japan Meteorological Agency website")

_NOTHING = MISSING | {"×", "x", "/", "//", "///"}
_NORMAL, _NEARLY_COMPLETE, _INCOMPLETE = 8, 5, 4


@dataclass(frozen=True)
class _Column:
    """A variable's values, NaN where missing, and in which rows something has to be said about them."""

    numbers: Values
    dropped: Sequence[int]
    nearly_complete: Sequence[int]


def is_jma(lines: Sequence[Line]) -> bool:
    """Whether these are the lines of a file of the agency."""
    return find_header(lines) is not None


def read_jma(lines: Sequence[Line], encoding: str, place: Place, station: str | None) -> Reading:
    """Read the lines of a file of the agency.

    Values of quality 4 or below, or without one where there is a column for it, are missing; so are those marked
    ``]`` or ``#`` and the words ``×`` and ``///``. Where 現象なし情報 is 1, or the value ``--``, precipitation is 0.

    Raises
    ------
    DataError
        A header that makes no sense, dates or cells that cannot be read.
    """
    at = find_header(lines)
    assert at is not None, "is_jma comes first"
    header = read_header(lines, at, place, station)
    rows = [row for row, _ in header.body]
    days = _days(header, rows, place)
    columns = {series.name: _read_column(series, header, rows, place) for series in header.series}
    notes = [CREDIT]
    for series in header.series:
        notes += _notes(series, columns[series.name], header, days)
    temperature = {
        row for series in header.series if series.name != "precipitation" for row in columns[series.name].dropped
    }
    return Reading(
        days=days,
        frame=pd.DataFrame({name: column.numbers for name, column in columns.items()}, index=rows),
        names={"date": "年月日", **{series.name: series.title for series in header.series}},
        layout=say("Japan Meteorological Agency CSV in {encoding}", encoding=encoding),
        station=header.station,
        notes=tuple(notes),
        dropped=f" ({len(temperature)} of them for their quality)" if temperature else "",
    )


def _days(header: Header, rows: Sequence[int], place: Place) -> Days:
    texts = ["-".join(tidy(cells[i]) for i in header.dates).strip("-") for _, cells in header.body]
    return parse_days(texts, rows, "年月日", place)


def _texts(header: Header, position: int) -> list[str]:
    return [tidy(cells[position]) for _, cells in header.body]


def _read_column(series: Series, header: Header, rows: Sequence[int], place: Place) -> _Column:
    texts = _texts(header, series.value)
    parsed = [_parse_value(text, series.name == "precipitation") for text in texts]
    unread = [(row, text) for row, text, (x, _) in zip(rows, texts, parsed, strict=True) if x is None]
    refuse_words(unread, series.title, place)
    values = np.array([value for value, _ in parsed], dtype=np.float64)
    if series.name == "precipitation":
        values[_nothing(series, header, values, rows, place)] = 0.0
    quality = np.full(len(rows), _NORMAL)
    if series.quality is not None:
        known = (0, 1, 2, 3, _INCOMPLETE, _NEARLY_COMPLETE, _NORMAL)
        quality = _codes(_texts(header, series.quality), rows, QUALITY, known, place)
    incomplete = (quality <= _INCOMPLETE) | np.array(["]" in marks or "#" in marks for _, marks in parsed])
    nearly = ~incomplete & ((quality == _NEARLY_COMPLETE) | np.array([")" in marks for _, marks in parsed]))
    there = ~np.isnan(values)
    values[incomplete] = np.nan
    return _Column(values, np.flatnonzero(incomplete & there).tolist(), np.flatnonzero(nearly & there).tolist())


def _nothing(series: Series, header: Header, values: Values, rows: Sequence[int], place: Place) -> NDArray[np.bool_]:
    """Return on which days there was nothing to measure, so that an empty cell is truly 0."""
    if series.no_phenomenon is None:
        return np.zeros(len(rows), dtype=bool)
    codes = _codes(_texts(header, series.no_phenomenon), rows, NO_PHENOMENON, (0, 1), place)
    nothing: NDArray[np.bool_] = codes == 1
    wrong = [(rows[i], float(values[i])) for i in np.flatnonzero(nothing & (np.abs(values) > 0)).tolist()]
    if wrong:
        remedy = "correct the one or the other"
        raise place.error(f"yet {NO_PHENOMENON} (no phenomenon) is 1", remedy, column=series.title, cells=wrong)
    return nothing


def _parse_value(text: str, is_precipitation: bool) -> tuple[float | None, str]:
    """Return the number (None where there is none) and the marks behind it."""
    number = text.rstrip(")]#* ")
    marks = text[len(number) :]
    if number and not number.strip("-"):
        return (0.0 if is_precipitation else np.nan), marks
    return (np.nan if number.lower() in _NOTHING else parse_number(number)), marks


def _codes(
    texts: Sequence[str], rows: Sequence[int], column: str, known: Sequence[int], place: Place
) -> NDArray[np.int64]:
    """Return a column of code numbers, 0 where empty."""
    codes = [0.0 if text.lower() in MISSING else parse_number(text) for text in texts]
    wrong: list[Cell] = [(row, text) for row, text, code in zip(rows, texts, codes, strict=True) if code not in known]
    if wrong:
        remedy = f"known are {joined([str(code) for code in known])}; correct it, or download the file again"
        raise place.error("an unknown code", remedy, column=column, cells=wrong)
    return np.array(codes, dtype=np.int64)


def _notes(series: Series, column: _Column, header: Header, days: Days) -> list[str]:
    notes = []
    title = quote(series.title)
    if column.dropped:
        notes.append(
            say_count(
                len(column.dropped),
                "of {column}, {n} value of low quality (4 or below, or none) taken as missing: {days}",
                "of {column}, {n} values of low quality (4 or below, or none) taken as missing: {days}",
                column=title,
                days=listed(days[column.dropped]),
            )
        )
    if column.nearly_complete:
        notes.append(
            say_count(
                len(column.nearly_complete),
                "of {column}, {n} value from nearly complete data (quality 5) used: {days}",
                "of {column}, {n} values from nearly complete data (quality 5) used: {days}",
                column=title,
                days=listed(days[column.nearly_complete]),
            )
        )
    if series.homogeneity is not None:
        numbers = _texts(header, series.homogeneity)
        in_order = [(days[i], numbers[i]) for i in np.argsort(days) if numbers[i]]
        changes = [day for (_, before), (day, now) in itertools.pairwise(in_order) if now != before]
        if changes:
            notes.append(
                say(
                    "{number} of {column} changes on {days}: the station moved or its instruments changed, so values "
                    "before and after do not quite compare",
                    number=HOMOGENEITY,
                    column=title,
                    days=listed(changes),
                )
            )
    return notes
