"""From the rows of a file to a series over consecutive days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeskit.core.language import say, say_count
from bayeskit.core.words import count, listing
from bayeskit.datasets._cells import Days, Values
from bayeskit.datasets._checks import check_gaps, check_series, check_unique, check_values
from bayeskit.datasets._problems import Place, listed, quote
from bayeskit.datasets._reading import Reading


@dataclass(frozen=True)
class Series:
    """A value a day, NaN where missing, and in words what was read and what was changed."""

    dates: Days
    temperature: Values
    precipitation: Values | None
    description: str
    notes: tuple[str, ...]


def complete(reading: Reading, place: Place) -> Series:
    """Check the rows, sort them, take the mean of the extremes if need be, and fill up the calendar.

    Raises
    ------
    DataError
        Two rows for a day, impossible values, a gap of more than 50 years, or a series that cannot be fitted: fewer
        than 10 observed days, or a constant.
    """
    names = reading.names
    rows = reading.frame.index.tolist()
    check_unique(reading.days, rows, names["date"], place)
    check_values(reading.frame, names, place)
    order = np.argsort(reading.days)
    days = reading.days[order]
    check_gaps(days, [rows[i] for i in order], names["date"], place)

    dates = np.arange(days[0], days[-1] + 1)
    where = (days - days[0]).astype(np.int64)
    columns: dict[str, Values] = {}
    for name in reading.frame:
        columns[str(name)] = np.full(len(dates), np.nan)
        columns[str(name)][where] = reading.frame[name].to_numpy()[order]
    temperature, title = _mean_temperature(columns, reading)
    added = np.delete(dates, where)
    check_series(temperature, title, place, reading.dropped)

    notes = (_how_it_was_read(reading), *reading.notes, *_notes(reading, columns, added))
    precipitation = columns.get("precipitation")
    return Series(dates, temperature, precipitation, _describe(reading, dates, temperature), notes)


def _mean_temperature(columns: dict[str, Values], reading: Reading) -> tuple[Values, str]:
    if "temperature" in columns:
        return columns["temperature"], reading.names["temperature"]
    mean = (columns["temp_max"] + columns["temp_min"]) / 2
    return mean, f"{reading.names['temp_max']} and {reading.names['temp_min']}"


def _notes(reading: Reading, columns: dict[str, Values], added: Days) -> list[str]:
    notes = []
    n_added = len(added)
    if (np.diff(reading.days) < np.timedelta64(0, "D")).any():
        notes.append(say("the rows were not in the order of their dates and have been sorted"))
    if n_added:
        notes.append(
            say_count(
                n_added,
                "{n} day missing from the calendar was added as missing: {days}",
                "{n} days missing from the calendar were added as missing: {days}",
                days=listed(added),
            )
        )
    if "temp_max" in columns:
        notes += _notes_on_extremes(reading, columns["temp_max"], columns["temp_min"])
    if "precipitation" in columns and np.isnan(columns["precipitation"]).all():
        notes.append(say("column {column} holds no values", column=quote(reading.names["precipitation"])))
    return notes


def _notes_on_extremes(reading: Reading, highest: Values, lowest: Values) -> list[str]:
    both = listing([quote(reading.names["temp_max"]), quote(reading.names["temp_min"])])
    notes = []
    n_half = int((np.isnan(highest) != np.isnan(lowest)).sum())
    if n_half:
        days = count(n_half, "day")
        notes.append(say("only one of {columns} is there on {days}, taken as missing", columns=both, days=days))
    n_crossed = int((highest < lowest).sum())
    if n_crossed:
        notes.append(
            say(
                "the minimum is above the maximum on {days} ({columns}); the mean was taken as it is",
                days=count(n_crossed, "day"),
                columns=both,
            )
        )
    return notes


def _describe(reading: Reading, dates: Days, temperature: Values) -> str:
    n_missing = int(np.isnan(temperature).sum())
    days = count(len(dates), "day")
    if reading.station:
        days = say("{days} at {station}", days=days, station=reading.station)
    told = {"days": days, "first": str(dates[0]), "last": str(dates[-1])}
    if not n_missing:
        return say("{days}, {first} to {last}, every one with its temperature", **told)
    return say("{days}, {first} to {last}, {missing} without temperature", missing=f"{n_missing:,}", **told)


def _how_it_was_read(reading: Reading) -> str:
    names = {name: quote(title) for name, title in reading.names.items()}
    mean = names.get("temperature") or say(
        "the mean of {highest} and {lowest}", highest=names["temp_max"], lowest=names["temp_min"]
    )
    told = {"layout": reading.layout, "rows": count(len(reading.days), "row"), "temperature": mean}
    if "precipitation" not in names:
        return say("{layout}, {rows}; temperature (°C) is {temperature}, no precipitation", **told)
    return say(
        "{layout}, {rows}; temperature (°C) is {temperature}, precipitation (mm) is {precipitation}",
        precipitation=names["precipitation"],
        **told,
    )
