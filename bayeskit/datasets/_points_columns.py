"""Which columns of a table measure something, and which the user named."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.words import commas
from bayeskit.datasets._points_checks import is_constant
from bayeskit.datasets._problems import Place, quote
from bayeskit.datasets.tables import Table, refuse_same_names

Floats = NDArray[np.float64]

_LABELS = frozenset({"", "id", "index", "row", "rowid", "no", "number", "year", "month", "day", "date", "time"})
"""Names, in lower case, of columns that say which item a row is or when it was, and measure nothing."""
_LEFT_OUT = {
    "text": mark("Left out, as they hold text: {columns}."),
    "empty": mark("Left out, as they hold no values: {columns}."),
    "constant": mark("Left out, as they are constant: {columns}."),
    "label": mark("Left out, as their names or values count rows or tell times: {columns}. Name them to take them."),
}


def chosen_columns(
    table: Table, columns: str | Sequence[str] | None, place: Place
) -> tuple[list[int], Floats, tuple[str, ...]]:
    """Return the positions of the columns to take, their values, and what to tell of those left out.

    Raises
    ------
    DataError
        If one is not there, is named twice or holds anything but numbers, or if there is none to take.
    """
    if columns is None:
        return measuring_columns(table, place)
    positions = named_columns(table, columns, place)
    return positions, np.column_stack([table.wanted_numbers(at, place) for at in positions]), ()


def named_columns(table: Table, columns: str | Sequence[str], place: Place) -> list[int]:
    """Return where columns stand that are named in a list, or separated by commas.

    Raises
    ------
    DataError
        If one is not there, or is named twice.
    """
    wanted = names_in(columns, table.header)
    if not wanted:
        raise place.error("no columns are chosen", f"name some, e.g. {quote(table.header[0])} (--columns)")
    positions = [table.position(name, place) for name in wanted]
    for at in positions:
        if positions.count(at) > 1:
            raise place.error("chosen twice", "name it once (--columns)", column=table.header[at])
    return positions


def names_in(columns: str | Sequence[str], header: Sequence[str]) -> list[str]:
    """Return the names in a list, or in a text: one that may hold commas itself, or several separated by them."""
    if isinstance(columns, str) and columns not in header:
        return [part for part in columns.split(",") if part.strip()]
    return [columns] if isinstance(columns, str) else list(columns)


def measuring_columns(
    table: Table, place: Place, without: Collection[int] = ()
) -> tuple[list[int], Floats, tuple[str, ...]]:
    """Take all columns that measure something, but for those at some positions; tell which are left out.

    Raises
    ------
    DataError
        If there is none, or a column that is mostly of numbers holds something else.
    """
    refuse_same_names(table.header, place)
    taken: dict[int, Floats] = {}
    left: dict[str, list[str]] = {why: [] for why in _LEFT_OUT}
    for at, name in enumerate(table.header):
        if at in without:
            continue
        numbers = table.measured(at, place)
        why = "text" if numbers is None else _reason(name, numbers)
        if numbers is not None and not why:
            taken[at] = numbers
        else:
            left[why].append(quote(name))
    if not taken:
        told = "; ".join(f"{why}: {', '.join(names)}" for why, names in left.items() if names)
        raise place.error(f"no column holds numbers to take ({told})", "choose columns by name (--columns)")
    notes = tuple(say(_LEFT_OUT[why], columns=commas(names)) for why, names in left.items() if names)
    return list(taken), np.column_stack(list(taken.values())), notes


def _reason(name: str, numbers: Floats) -> str:
    """Return why a column of numbers is left out unless it is named; empty where it is taken."""
    if np.isnan(numbers).all():
        return "empty"
    if is_constant(numbers) and len(numbers) > 1:
        return "constant"
    plain = name.lower().replace(" ", "_")
    with np.errstate(invalid="ignore"):  # infinite values are told of later
        counts = len(numbers) > 2 and bool((np.diff(numbers) == 1).all())
    is_label = plain in _LABELS or plain.endswith("_id") or plain.startswith(("unnamed:", "__index_level"))
    return "label" if counts or is_label else ""
