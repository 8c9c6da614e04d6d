"""The lines above the data in a file of the Japan Meteorological Agency: which column is what.

There stand, with Japanese names: the time of the download, the stations, the variables (repeated once for each column
that says something about the values), perhaps details such as wind directions, and a line that says which column is
品質情報 (quality), 均質番号 (homogeneity) or 現象なし情報 (no phenomenon). Any of these lines may be missing but that
of the variables, and columns may stand in any order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bayeskit.datasets._cells import parse_number
from bayeskit.datasets._files import Line, check_width, tidy
from bayeskit.datasets._problems import Place, joined, listed, quote
from bayeskit.datasets._reading import choose_station

QUALITY, HOMOGENEITY, NO_PHENOMENON = "品質情報", "均質番号", "現象なし情報"

_VARIABLES = {
    "平均気温": "temperature",
    "日平均気温": "temperature",
    "気温": "temperature",
    "最高気温": "temp_max",
    "日最高気温": "temp_max",
    "最低気温": "temp_min",
    "日最低気温": "temp_min",
    "降水量の合計": "precipitation",
    "降水量": "precipitation",
    "日降水量": "precipitation",
}
_DATE = ("年月日",)
_DATE_PARTS = ("年", "月", "日")
_NOT_DAILY = {"年月日時": "hourly", "時": "hourly", "年月": "monthly"}
_LONGEST = 12
"""Lines among which that of the variables has to be."""


@dataclass(frozen=True)
class Series:
    """The columns of one variable, by position; None for those that the file does not have."""

    name: str
    title: str
    value: int
    quality: int | None
    homogeneity: int | None
    no_phenomenon: int | None


@dataclass(frozen=True)
class Header:
    """What the lines above the data say, for one station."""

    dates: tuple[int, ...]
    series: tuple[Series, ...]
    station: str | None
    body: Sequence[Line]


@dataclass(frozen=True)
class _Column:
    position: int
    station: str
    title: str
    labels: frozenset[str]

    @property
    def variable(self) -> str:
        """The title without its unit and white space."""
        return re.sub(r"\(.*\)|\s", "", tidy(self.title))

    @property
    def name(self) -> str | None:
        """What we call it, if we use it."""
        return _VARIABLES.get(self.variable)


def find_header(lines: Sequence[Line]) -> int | None:
    """Return which line names the variables, by the name of its date column, or None: not a file of the agency."""
    for at, (_, cells) in enumerate(lines[:_LONGEST]):
        names = {tidy(cell) for cell in cells}
        if names & {"年月日", "年月日時", "年月"} or {"年", "月"} <= names:
            return at
    return None


def read_header(lines: Sequence[Line], at: int, place: Place, station: str | None) -> Header:
    """Make sense of the lines above the data.

    Parameters
    ----------
    lines
        All lines of the file.
    at
        Which of them names the variables.
    place
        The file, for messages.
    station
        The station that is wanted, None where the file has but one.

    Raises
    ------
    DataError
        Values that are not daily, several stations and none chosen, no temperature, columns that cannot be told
        apart, ragged rows, no data.
    """
    titles = [cell.strip() for cell in lines[at][1]]
    dates = _date_columns([tidy(title) for title in titles], place)
    n_labels = _count_labels(lines[at + 1 :], dates)
    labels = [cells for _, cells in lines[at + 1 : at + 1 + n_labels]]
    body = lines[at + 1 + n_labels :]
    if not body:
        raise place.error("there is a header, but no rows of data", "download the file again, with a longer period")
    check_width(body, len(titles), place)
    stations = _stations(lines[at - 1][1] if at else [], len(titles), dates)
    columns = [
        _Column(i, stations[i], title, frozenset(tidy(cells[i]) for cells in labels if i < len(cells)) - {""})
        for i, title in enumerate(titles)
        if i not in dates
    ]
    chosen = choose_station(list(dict.fromkeys(filter(None, stations))), station, place)
    here = [column for column in columns if chosen is None or column.station == chosen]
    series = tuple(_series(name, here, place) for name in _wanted(here, place))
    return Header(dates, series, chosen, body)


def _date_columns(titles: Sequence[str], place: Place) -> tuple[int, ...]:
    for title, kind in _NOT_DAILY.items():
        if title in titles:
            raise place.error(f"the file holds {kind} values (column {title})", "download daily values (日別値)")
    parts = _DATE if _DATE[0] in titles else _DATE_PARTS
    if "日" not in titles and parts == _DATE_PARTS:
        raise place.error("the file holds monthly values (columns 年, 月)", "download daily values (日別値)")
    if any(titles.count(part) > 1 for part in parts):
        raise place.error("the file holds values over several days (two dates a row)", "download daily values (日別値)")
    return tuple(titles.index(part) for part in parts)


def _count_labels(lines: Sequence[Line], dates: Sequence[int]) -> int:
    """Return how many lines come before the first that has a date or a number."""
    for n_labels, (_, cells) in enumerate(lines):
        dated = any(i < len(cells) and tidy(cells[i]) for i in dates)
        if dated or any(tidy(cell) and parse_number(tidy(cell)) is not None for cell in cells):
            return n_labels
    return len(lines)


def _stations(cells: Sequence[str], width: int, dates: Sequence[int]) -> list[str]:
    """Return the station of each column; a single one is that of all."""
    if cells and tidy(cells[0]).startswith("ダウンロード"):
        return [""] * width
    padded = [*(cell.strip() for cell in cells), *[""] * width][:width]
    names = ["" if i in dates else name for i, name in enumerate(padded)]
    single = set(filter(None, names))
    return [*single] * width if len(single) == 1 else names


def _wanted(columns: Sequence[_Column], place: Place) -> list[str]:
    """Return what to read: the temperature or its two extremes, and the precipitation if there is any."""
    there = {column.name for column in columns if not column.labels}
    extremes = ["temp_max", "temp_min"]
    if "temperature" not in there and not there.issuperset(extremes):
        titles = list(dict.fromkeys(quote(column.title) for column in columns))
        problem = f"there is no column 平均気温, nor 最高気温 and 最低気温, only {listed(titles)}"
        raise place.error(problem, "download the file again with the daily mean temperature (日平均気温)")
    temperature = ["temperature"] if "temperature" in there else extremes
    return [*temperature, *(["precipitation"] if "precipitation" in there else [])]


def _series(name: str, columns: Sequence[_Column], place: Place) -> Series:
    values = [column for column in columns if column.name == name and not column.labels]
    if len(values) > 1:
        numbers = joined([str(column.position + 1) for column in values])
        problem = f"columns {numbers} could all be the values"
        remedy = (
            f"keep the line that says which of them is {QUALITY}, {HOMOGENEITY} or {NO_PHENOMENON}, or one column only"
        )
        raise place.error(problem, remedy, column=values[0].title)
    value = values[0]
    same = [column for column in columns if column.variable == value.variable]
    quality, homogeneity, no_phenomenon = (_beside(value, same, role) for role in (QUALITY, HOMOGENEITY, NO_PHENOMENON))
    return Series(name, value.title, value.position, quality, homogeneity, no_phenomenon)


def _beside(value: _Column, columns: Sequence[_Column], role: str) -> int | None:
    """Return the column with this role; of several (a normal value has its own) the first after the values."""
    found = [column.position for column in columns if column.labels == {role}]
    after = [position for position in found if position > value.position]
    return next(iter(after or found), None) if len(found) != 1 else found[0]
