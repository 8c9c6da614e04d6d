"""What every layout is read into before it becomes weather data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bayeskit.datasets._cells import Days
from bayeskit.datasets._files import tidy
from bayeskit.datasets._problems import Place, joined, listed, nearest, quote


@dataclass(frozen=True)
class Reading:
    """The rows of a file, in its own order, each a day.

    Parameters
    ----------
    days
        One a row; not yet sorted, unique or complete.
    frame
        ``temperature``, or ``temp_max`` and ``temp_min`` (degrees Celsius), and perhaps ``precipitation`` (mm), all
        float64 with NaN where missing. The index is the number of the row in the file.
    names
        What these columns, and ``date``, are called in the file.
    layout
        The kind of file in words.
    station
        Where it was observed, if the file says so.
    notes
        What the reader of a report should know about how the file was read.
    dropped
        Why values that stand in the file were set to missing, in words, for errors; empty if none were.
    """

    days: Days
    frame: pd.DataFrame
    names: Mapping[str, str]
    layout: str
    station: str | None = None
    notes: tuple[str, ...] = ()
    dropped: str = ""


def _all(stations: Sequence[str]) -> str:
    """Name every station, but not the thousands of cells of a column that is none."""
    return joined(stations) if len(stations) <= 50 else listed(stations)


def choose_station(found: Sequence[str], wanted: str | None, place: Place) -> str | None:
    """Return the one station to read: the wanted one, or the only one.

    Raises
    ------
    DataError
        Several stations and none was asked for, or one that is not there; the names are given.
    """
    if wanted is None:
        if len(found) > 1:
            problem = f"the file holds {len(found)} stations: {_all(found)}"
            raise place.error(problem, f"say which one by station (--station), e.g. {quote(found[0])}")
        return found[0] if found else None
    if not found:
        raise place.error(
            f"the file names no station, so {quote(wanted)} cannot be found in it", "leave the station out"
        )
    by_name = {tidy(name).casefold(): name for name in found}
    if tidy(wanted).casefold() not in by_name:
        meant = nearest(wanted, found)
        remedy = f"did you mean {quote(meant)}?" if meant else f"ask for one that is there, e.g. {quote(found[0])}"
        raise place.error(f"there is no station {quote(wanted)}, only {_all(found)}", remedy)
    return by_name[tidy(wanted).casefold()]
