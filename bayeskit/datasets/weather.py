"""Daily weather: mean temperature, and perhaps precipitation, over consecutive calendar days."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeskit.core.errors import DataError
from bayeskit.core.language import say
from bayeskit.core.types import Source
from bayeskit.core.words import count
from bayeskit.datasets._calendar import complete
from bayeskit.datasets._cells import Days, Values
from bayeskit.datasets._checks import check_series, check_values
from bayeskit.datasets._files import decode, read_bytes, split_lines
from bayeskit.datasets._jma import is_jma, read_jma
from bayeskit.datasets._plain import read_parquet, read_plain_csv
from bayeskit.datasets._problems import Place, counted

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False, repr=False)
class WeatherData:
    """A series of days, complete in the calendar, with the values that were observed.

    Parameters
    ----------
    dates
        ``n_days`` consecutive calendar days, datetime64[D].
    temperature
        ``n_days`` daily mean temperatures, degrees Celsius, NaN where missing.
    precipitation
        ``n_days`` daily totals, mm, NaN where missing; None if it was not observed at all.
    station
        Name of the place of observation, if known.
    source
        The file that it came from, as read.
    days
        How many of the file's first days these are; None for all of them.

    Raises
    ------
    DataError
        If dates are not consecutive, lengths differ, values are infinite or impossible (temperature outside -95 to
        65 degrees Celsius, precipitation below 0 or above 2000 mm), fewer than 10 days are observed, or all observed
        temperatures are the same.

    Notes
    -----
    The arrays are copies and read-only.
    """

    dates: NDArray[np.datetime64]
    temperature: NDArray[np.float64]
    precipitation: NDArray[np.float64] | None
    station: str | None
    source: Source
    days: int | None = None

    def __post_init__(self) -> None:
        place = Place("weather data", "on", "day")
        dates = _frozen(self.dates, "datetime64[D]", "dates", place)
        _check_calendar(dates, place)
        values: dict[str, Values] = {"temperature": _frozen(self.temperature, "float64", "temperature", place)}
        if self.precipitation is not None:
            values["precipitation"] = _frozen(self.precipitation, "float64", "precipitation", place)
        for name, array in values.items():
            if len(array) != len(dates):
                problem = f"{counted(len(array), 'value')} for {counted(len(dates), 'day')}"
                raise place.error(problem, "give one value a day, NaN where it is missing", column=name)
        check_values(pd.DataFrame(values, index=dates.astype(str)), {name: name for name in values}, place)
        check_series(values["temperature"], "temperature", place)
        object.__setattr__(self, "dates", dates)
        for name, array in values.items():
            object.__setattr__(self, name, array)

    @property
    def n_days(self) -> int:
        """Number of days in the calendar from the first to the last."""
        return len(self.dates)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Whether the temperature of each of the ``n_days`` was observed."""
        return ~np.isnan(self.temperature)

    def head(self, n_days: int) -> WeatherData:
        """Return the first days.

        Raises
        ------
        DataError
            If there are not so many, or fewer than 10 of them are observed.
        """
        if not 0 < n_days <= self.n_days:
            remedy = "take fewer" if n_days > 0 else "take some"
            raise DataError(f"{self.source.path}: {n_days} days were asked for, there are {self.n_days}; {remedy}")
        if n_days == self.n_days:
            return self
        return WeatherData(
            dates=self.dates[:n_days],
            temperature=self.temperature[:n_days],
            precipitation=None if self.precipitation is None else self.precipitation[:n_days],
            station=self.station,
            source=replace(
                self.source,
                description=say(
                    "{days}, {first} to {last}: the first of {whole}",
                    days=count(n_days, "day"),
                    first=str(self.dates[0]),
                    last=str(self.dates[n_days - 1]),
                    whole=self.source.description,
                ),
            ),
            days=n_days,
        )

    def __repr__(self) -> str:
        n_missing = self.n_days - int(self.observed.sum())
        where = f" at {self.station}" if self.station else ""
        rain = "with" if self.precipitation is not None else "without"
        return (
            f"WeatherData({counted(self.n_days, 'day')}{where}, {self.dates[0]} to {self.dates[-1]}, "
            f"{n_missing:,} missing, {rain} precipitation)"
        )


def load_weather(path: str | os.PathLike[str], *, station: str | None = None, days: int | None = None) -> WeatherData:
    """Read daily weather from a plain CSV, a Parquet file, or a CSV of the Japan Meteorological Agency.

    Parameters
    ----------
    path
        The file. A plain one has a column ``date`` and either ``temperature`` or ``temp_max`` and ``temp_min``
        (degrees Celsius; the mean of the two then stands for it), perhaps ``precipitation`` (mm) and ``station``;
        further columns are ignored. Empty cells and NA are missing values.
    station
        Which station to read, where the file holds several.
    days
        Only so many of its first days, if not all.

    Returns
    -------
    WeatherData
        Sorted by date, with the days that the calendar of the file lacks as missing ones; ``source.notes`` tells of
        all that was changed.

    Raises
    ------
    DataError
        If the file cannot be used as it is: one line that names file, row (the line in the file, counted from 1; of
        a Parquet file the record), column, value and remedy.
    """
    name = os.fspath(path)
    place = Place(str(name))
    data = read_bytes(Path(name), place)
    if data.startswith(b"PAR1") or Path(name).suffix.lower() in {".parquet", ".pq"}:
        reading = read_parquet(data, place, station)
    else:
        text, encoding = decode(data, place)
        lines = split_lines(text, place)
        read = read_jma if is_jma(lines) else read_plain_csv
        reading = read(lines, encoding, place, station)
    series = complete(reading, place)
    source = Source(
        os.fsencode(name).decode("utf-8", "backslashreplace"),
        hashlib.sha256(data).hexdigest(),
        series.description,
        series.notes,
    )
    whole = WeatherData(series.dates, series.temperature, series.precipitation, reading.station, source)
    return whole if days is None else whole.head(days)


def _frozen(array: NDArray[_Scalar], dtype: str, name: str, place: Place) -> NDArray[_Scalar]:
    """Return a read-only copy with one dimension and this dtype."""
    try:
        copy = np.array(array, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise place.error(f"not an array of {dtype} ({error})", "convert it", column=name) from error
    if copy.ndim != 1:
        raise place.error(f"an array of shape {copy.shape}", "give one value a day, in one dimension", column=name)
    copy.flags.writeable = False
    return copy


def _check_calendar(dates: Days, place: Place) -> None:
    if not len(dates):
        raise place.error("there are no days", "give at least one row a day", column="dates")
    if np.isnat(dates).any():
        at = int(np.flatnonzero(np.isnat(dates))[0])
        raise place.error(f"dates[{at}] is NaT", "give every day its date", column="dates")
    breaks = np.flatnonzero(np.diff(dates) != np.timedelta64(1, "D"))
    if len(breaks):
        at = int(breaks[0])
        problem = f"not consecutive days: after {dates[at]} comes {dates[at + 1]}"
        raise place.error(problem, "sort them, and put missing days in, with NaN for their values", column="dates")
