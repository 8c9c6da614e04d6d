"""The rows of a table as examples: measured columns, and what is given beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.words import commas, count
from bayeskit.datasets._examples_conditions import (
    LARGEST,
    Condition,
    condition_of,
    labels_of,
    missing_in,
    parted,
    told_of,
)
from bayeskit.datasets._points_checks import is_constant
from bayeskit.datasets._points_columns import measuring_columns, named_columns, names_in
from bayeskit.datasets._problems import Place, counted, listed, quote
from bayeskit.datasets.tables import Table, refuse_same_names

Floats = NDArray[np.float64]
Names = str | Sequence[str]

FEWEST_ROWS = 2
_NAMED = 8  # columns that the description names
_STEPS = 1000
"""Numbers that single precision must tell apart within a standard deviation."""


@dataclass(frozen=True)
class Rows:
    """What was read of a table."""

    values: Floats
    columns: tuple[str, ...]
    rows: NDArray[np.int64]
    labels: NDArray[np.str_] | None
    conditions: tuple[Condition, ...]
    notes: tuple[str, ...]


def read_rows(
    table: Table, place: Place, *, columns: Names | None, condition: Names | None, label: str | None, first: int | None
) -> Rows:
    """Read the columns of a table that are learned, given, or only colour the others.

    Raises
    ------
    DataError
        If a column is not there or serves twice, and whatever ``check_rows`` and ``condition_of`` find.
    """
    given = _given(table, condition, place)
    at_label = None if label is None else table.position(label, place)
    apart = {at for at, _ in given} | ({at_label} if at_label is not None else set())
    chosen, values, notes = _measured(table, columns, apart, place)
    names = tuple(table.header[at] for at in chosen)
    kept = np.flatnonzero(~np.isnan(values).all(axis=1))
    if not kept.size:
        raise place.error("no row has any value in the chosen columns", "choose others (--columns)")
    kept = kept[: first_of(first, len(kept), place)]
    rows = table.rows[kept]
    check_rows(values[kept], names, rows, place)
    conditions, told = [], []
    for at, kind in given:
        made = condition_of(table.header[at], _cells(table, at, kept), rows, place, kind)
        conditions.append(made)
        told.append(told_of(made, guessed=made.is_class and kind is None and table.numbers(at) is not None))
    labels = None if at_label is None else labels_of(table.header[at_label], _cells(table, at_label, kept), place)
    dropped = np.setdiff1d(table.rows[: kept[-1] + 1], rows)
    return Rows(values[kept], names, rows, labels, tuple(conditions), (*notes, *_dropped(dropped), *told))


def described_rows(found: Rows) -> str:
    """Return what there is, in a few words."""
    rest = len(found.columns) - _NAMED
    shown = [*found.columns[:_NAMED], *([say("{n} more", n=f"{rest:,}")] if rest > 0 else [])]
    told = say(
        "{rows} of {columns}: {names}",
        rows=count(len(found.values), "row"),
        columns=count(len(found.columns), "column"),
        names=commas(shown),
    )
    if not found.conditions:
        return told
    return say("{described}; given {names}", described=told, names=commas([given.name for given in found.conditions]))


def variables_of_rows(found: Rows) -> Mapping[str, str]:
    """Return what is known of each row."""
    told = {name: count(len(found.values), "number") for name in found.columns}
    for given in found.conditions:
        told[given.name] = count(len(given.classes), "class", "classes") if given.is_class else say("a number, given")
    return told


def first_of(first: int | None, whole: int, place: Place) -> int:
    """Return how many rows are taken.

    Raises
    ------
    DataError
        If there are not as many.
    """
    if first is None:
        return whole
    if not 0 < first <= whole:
        remedy = "take fewer" if first > 0 else "take some"
        raise place.error(f"{counted(first, 'row')} were asked for, there are {whole:,}", f"{remedy} (--first)")
    return first


def check_rows(values: Floats, columns: Sequence[str], rows: NDArray[np.int64], place: Place) -> None:
    """Check numbers that are ``n_rows x n_columns``.

    Raises
    ------
    DataError
        Fewer than two rows, missing, infinite or huge values, constant columns, and columns that vary by less than
        single precision tells apart.
    """
    if len(values) < FEWEST_ROWS:
        raise place.error(f"there is {counted(len(values), 'row')}", f"at least {FEWEST_ROWS} are needed; give more")
    for at, name in enumerate(columns):
        column = values[:, at]
        missing = np.isnan(column)
        if missing.any():
            remedy = "fill or drop, or leave the column out (--columns)"
            raise place.error(missing_in(rows[missing]), remedy, column=name)
        large = np.flatnonzero(np.abs(column) > LARGEST)
        if large.size:
            cells = [(rows[row], float(column[row])) for row in large]
            problem = f"beyond {LARGEST:g}" if np.isfinite(column[large]).all() else "infinite"
            raise place.error(
                problem, "correct the value, or leave the column out (--columns)", column=name, cells=cells
            )
        if is_constant(column):
            problem = f"all {counted(len(column), 'value')} are {quote(float(column[0]))}"
            raise place.error(problem, "a constant column has no density; leave it out (--columns)", column=name)
        if column.std() < _STEPS * np.finfo(np.float32).eps * np.abs(column).max():
            problem = f"values vary by {column.std():.2g} around {column.mean():.10g}, too little for single precision"
            raise place.error(problem, "subtract a constant, e.g. the mean", column=name)


def _given(table: Table, condition: Names | None, place: Place) -> list[tuple[int, str | None]]:
    """Return where conditions stand, and how each is to be taken."""
    given: list[tuple[int, str | None]] = []
    for name in [] if condition is None else names_in(condition, table.header):
        plain, kind = parted(name.strip(), table.header, place)
        at = table.position(plain, place)
        if at in [before for before, _ in given]:
            raise place.error("given twice", "name it once (--condition)", column=table.header[at])
        given.append((at, kind))
    if condition is not None and not given:
        raise place.error("no condition is named", f"name a column, e.g. {quote(table.header[0])} (--condition)")
    return given


def _measured(
    table: Table, columns: Names | None, apart: set[int], place: Place
) -> tuple[list[int], Floats, tuple[str, ...]]:
    """Return where the columns stand that are learned, their values, and what to tell of those left out."""
    refuse_same_names(table.header, place)
    if columns is None:
        return measuring_columns(table, place, without=apart)
    chosen = named_columns(table, columns, place)
    for at in chosen:
        if at in apart:
            remedy = "name it in --columns, or in --condition and --label"
            raise place.error("both learned and given", remedy, column=table.header[at])
    return chosen, np.column_stack([_numbers(table, at, place) for at in chosen]), ()


def _numbers(table: Table, at: int, place: Place) -> Floats:
    numbers = table.measured(at, place)
    if numbers is None:
        remedy = "leave the column out (--columns); it may be a condition (--condition) or a label (--label)"
        raise place.error("text, not numbers", remedy, column=table.header[at])
    return numbers


def _cells(table: Table, at: int, kept: NDArray[np.int64]) -> Floats | Sequence[str]:
    cells = table.cells(at)
    return cells[kept] if isinstance(cells, np.ndarray) else [cells[row] for row in kept]


def _dropped(rows: NDArray[np.int64]) -> list[str]:
    if not rows.size:
        return []
    told = say_count(
        rows.size,
        "{n} row without any value was left out: {rows}.",
        "{n} rows without any value were left out: {rows}.",
        rows=listed(rows),
    )
    return [told]
