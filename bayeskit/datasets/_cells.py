"""From the text of cells to days and numbers."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets._problems import Cell, Place

Days = NDArray[np.datetime64]
Values = NDArray[np.float64]

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nat", "<na>"})
"""What stands for a missing value, in lower case."""

_DAYS = (
    re.compile(r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"),
    re.compile(r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"),
    re.compile(r"(?P<year>\d{4})年(?P<month>\d{1,2})月(?P<day>\d{1,2})日"),
)
_TIME = re.compile(r"[T ]+(\d\d?):(\d\d)(?::(\d\d)(?:\.(\d+))?)?\s*(?:Z|UTC|[+-]\d\d(?::?\d\d){0,2})?")
_YEAR_LAST = re.compile(r"\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}(?!\d).*")

_EMPTY = "no date"
_ORDER = "the order of day and month is not certain"
_CALENDAR = "no such day in the calendar"
_HOUR = "a time of day, where one row should be one day"
_NO_DATE = "not a date"
_ISO = "write dates with the year first (ISO 8601), e.g. 2013-12-25"
_REMEDIES = {
    _EMPTY: "write the day's date, or delete the row",
    _ORDER: _ISO,
    _CALENDAR: "correct the date",
    _HOUR: "give one row a day, with the date alone, e.g. 2013-12-25",
    _NO_DATE: _ISO,
}

_NUMBER_REMEDY = "write a number such as -1.5, or leave the cell empty where the value is missing"
_COMMA_REMEDY = "write numbers with a decimal point, e.g. 12.8"


def parse_days(texts: Sequence[str], rows: Sequence[int], column: str, place: Place) -> Days:
    """Turn the cells of the date column into days.

    Accepted are 2012-01-05, 2012/1/5, 2012.1.5, 20120105 and 2012年1月5日, also with the time of midnight.

    Raises
    ------
    DataError
        With the first three rows of the first kind of problem: no date, not a date, no such day, day and month
        in doubtful order (03/04/2013), a time of day.
    """
    parsed = [_parse_day(text) for text in texts]
    problems = [(row, text, day) for row, text, day in zip(rows, texts, parsed, strict=True) if isinstance(day, str)]
    if problems:
        first = problems[0][2]
        cells = [(row, text) for row, text, problem in problems if problem == first]
        raise place.error(first, _REMEDIES[first], column=column, cells=cells)
    return np.array(parsed, dtype="datetime64[D]")


def _parse_day(text: str) -> datetime.date | str:
    """Return the day, or what is wrong with ``text``."""
    if text.lower() in MISSING:
        return _EMPTY
    found = next((match for pattern in _DAYS if (match := pattern.match(text))), None)
    if found is None:
        return _ORDER if _YEAR_LAST.fullmatch(text) else _NO_DATE
    rest = text[found.end() :]
    time = _TIME.fullmatch(rest)
    if rest and time is None:
        return _NO_DATE
    if time and any(int(part or 0) for part in time.groups()):
        return _HOUR
    try:
        return datetime.date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        return _CALENDAR


def parse_number(text: str) -> float | None:
    """Return the number, NaN for a missing value, or None where ``text`` is neither."""
    if text.lower() in MISSING:
        return np.nan
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def parse_numbers(texts: Sequence[str], rows: Sequence[int], column: str, place: Place) -> Values:
    """Turn the cells of a column into numbers, NaN where missing.

    Raises
    ------
    DataError
        If a cell holds something else; a comma for a decimal point is named as such.
    """
    parsed = [parse_number(text) for text in texts]
    refuse_words([(row, text) for row, text, x in zip(rows, texts, parsed, strict=True) if x is None], column, place)
    return np.array(parsed, dtype=np.float64)


def refuse_words(cells: Sequence[Cell], column: str, place: Place) -> None:
    """Raise a DataError if there are ``cells`` that should have been numbers."""
    if cells:
        comma = all(re.fullmatch(r"[+-]?\d+,\d+", str(value)) for _, value in cells)
        raise place.error("not a number", _COMMA_REMEDY if comma else _NUMBER_REMEDY, column=column, cells=cells)
