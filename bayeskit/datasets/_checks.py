"""What must be true of daily weather, wherever it comes from: a file, or arrays built in code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from bayeskit.datasets._cells import Days, Values
from bayeskit.datasets._problems import Place, counted, listed, quote

TEMPERATURE_RANGE = (-95.0, 65.0)
"""Degrees Celsius; the records on Earth are -89.2 and 56.7, and -99 is many a file's code for a missing value."""
MOST_PRECIPITATION = 2000.0
"""Millimetres in a day; the record on Earth is 1825."""
LONGEST_GAP = 50 * 366
"""Days; a longer gap in the calendar is taken for a typing error in a year."""
FEWEST_DAYS = 10
"""Observed days below which no model of a series of days makes sense."""

_CODE = "this looks like a code for a missing value; leave such cells empty"
_INFINITE, _RANGE, _NEGATIVE, _FLOOD = "infinite", "range", "negative", "flood"


def _finite(series: pd.Series[float]) -> pd.Series[bool]:
    return series.abs() != np.inf


_TEMPERATURE = [pa.Check(_finite, error=_INFINITE), pa.Check.in_range(*TEMPERATURE_RANGE, error=_RANGE)]
_PRECIPITATION = [
    pa.Check(_finite, error=_INFINITE),
    pa.Check.ge(0.0, error=_NEGATIVE),
    pa.Check.le(MOST_PRECIPITATION, error=_FLOOD),
]
SCHEMA = pa.DataFrameSchema(
    {
        "temperature": pa.Column(float, _TEMPERATURE, nullable=True, required=False),
        "temp_max": pa.Column(float, _TEMPERATURE, nullable=True, required=False),
        "temp_min": pa.Column(float, _TEMPERATURE, nullable=True, required=False),
        "precipitation": pa.Column(float, _PRECIPITATION, nullable=True, required=False),
    }
)


def check_values(frame: pd.DataFrame, names: Mapping[str, str], place: Place) -> None:
    """Check each value by itself.

    Parameters
    ----------
    frame
        Columns ``temperature``, ``temp_max``, ``temp_min`` (degrees Celsius), ``precipitation`` (mm), those that
        there are; the index says what a row is called.
    names
        What each of these columns is called where the data come from.

    Raises
    ------
    DataError
        Infinite values, temperatures outside -95 to 65 degrees, precipitation below 0 or above 2000 mm.
    """
    try:
        SCHEMA.validate(frame, lazy=True)
    except SchemaErrors as errors:
        failures = errors.failure_cases
    else:
        return
    first = failures.iloc[0]
    found = failures[(failures["column"] == first["column"]) & (failures["check"] == first["check"])]
    column, bad = str(first["column"]), found["failure_case"].astype(float)
    problem, remedy = _explain(str(first["check"]), frame[column].to_numpy(), bad.to_numpy())
    cells = [(row, float(value)) for row, value in zip(found["index"], bad, strict=True)]
    raise place.error(problem, remedy, column=names[column], cells=cells) from None


def _explain(check: str, values: Values, bad: Values) -> tuple[str, str]:
    """Return problem and remedy of the values that failed a check."""
    low, high = TEMPERATURE_RANGE
    problem = {
        _INFINITE: "infinite",
        _RANGE: f"outside {low:g} to {high:g} °C",
        _NEGATIVE: "precipitation below 0",
        _FLOOD: f"more than {MOST_PRECIPITATION:g} mm in a day",
    }[check]
    if check != _INFINITE and all(set(format(abs(value), ".10g")) <= {"9", "."} for value in bad):
        return problem, _CODE
    if check == _RANGE:
        return problem, _unit_remedy(values[np.isfinite(values)], bad)
    if check == _FLOOD:
        return problem, "the unit must be mm a day; convert or correct the values"
    return problem, "correct the value, or leave the cell empty where it is missing"


def _unit_remedy(values: Values, bad: Values) -> str:
    if np.median(values) > 150:
        return "the column looks like kelvin; convert it to degrees Celsius (K - 273.15)"
    if len(bad) > 1 and bad.min() > 0 and bad.max() < 150:
        return "the column looks like degrees Fahrenheit; convert it to degrees Celsius ((F - 32) / 1.8)"
    return "the unit must be degrees Celsius (not Fahrenheit, not kelvin); convert the column or correct the value"


def check_unique(days: Days, rows: Sequence[int], column: str, place: Place) -> None:
    """Refuse two rows for one day; both are named."""
    if len(np.unique(days)) == len(days):
        return
    by_day: dict[np.datetime64, list[int]] = {}
    for day, row in zip(days, rows, strict=True):
        by_day.setdefault(day, []).append(row)
    again = [f"{day} stands in rows {listed(found)}" for day, found in by_day.items() if len(found) > 1]
    raise place.error(listed(again), "keep one row a day", column=column)


def check_gaps(days: Days, rows: Sequence[int], column: str, place: Place) -> None:
    """Refuse a gap of more than 50 years between sorted ``days``: it comes from a typing error, not from a calendar."""
    gaps = np.diff(days).astype(np.int64)
    if not len(gaps) or gaps.max() <= LONGEST_GAP:
        return
    before = int(gaps.argmax())
    suspect, neighbour = (before, before + 1) if before + 1 <= len(days) / 2 else (before + 1, before)
    years = f"{gaps[before] / 365.25:.0f} years"
    problem = f"{years} away from the nearest other date, {days[neighbour]} in row {rows[neighbour]}"
    cells = [(rows[suspect], str(days[suspect]))]
    raise place.error(problem, "correct the year, or cut the file there", column=column, cells=cells)


def check_series(temperature: Values, column: str, place: Place, why: str = "") -> None:
    """Check the series as a whole; ``why`` says in words what made days missing.

    Raises
    ------
    DataError
        All days missing, fewer than 10 observed, or all observed values the same.
    """
    observed = temperature[~np.isnan(temperature)]
    n_days = len(temperature)
    if not len(observed):
        raise place.error(
            f"all {counted(n_days, 'day')} are missing{why}", "give a file with observed days", column=column
        )
    if len(observed) < FEWEST_DAYS:
        problem = f"only {len(observed)} of {counted(n_days, 'day')} observed{why}"
        raise place.error(problem, f"at least {FEWEST_DAYS} are needed; give a longer series", column=column)
    if (observed == observed[0]).all():
        problem = f"all {len(observed)} observed values are {quote(float(observed[0]))}"
        raise place.error(
            problem, "a constant series cannot be fitted; check that this is the right column", column=column
        )
