"""The columns of a file, as the arguments of a user's own program."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import DataError
from bayeskit.core.language import say, say_count
from bayeskit.core.types import Source
from bayeskit.core.words import listing
from bayeskit.datasets._cells import MISSING, parse_number
from bayeskit.datasets._problems import Place
from bayeskit.datasets.tables import Table, read_table, refuse_same_names

_SHOWN = 6


@dataclass(frozen=True)
class Columns:
    """The columns of a file; build it with ``load_columns``.

    Parameters
    ----------
    values
        By name: ``n_rows`` numbers, NaN where a cell is empty; or, of texts, ``n_rows`` whole numbers.
    levels
        The texts that those whole numbers stand for, from 0, by column.
    source
        The file.
    mistaken
        What is to be said of columns of texts that look like numbers with an error in them, by column.
    """

    values: Mapping[str, NDArray[Any]]
    levels: Mapping[str, tuple[str, ...]]
    source: Source
    mistaken: Mapping[str, DataError] = field(default_factory=dict)


def load_columns(path: str | Path) -> Columns:
    """Read all columns of a table.

    Parameters
    ----------
    path
        CSV with one header line, or Parquet.

    Raises
    ------
    DataError
        If there is no such file, it is no table, two columns have one name, a number is infinite, or some cells of a
        column of texts are empty.
    """
    place = Place(str(path))
    table = read_table(str(Path(path).expanduser()), place)
    refuse_same_names(table.header, place)
    values: dict[str, NDArray[Any]] = {}
    levels: dict[str, tuple[str, ...]] = {}
    mistaken: dict[str, DataError] = {}
    for position, name in enumerate(table.header):
        numbers = table.numbers(position)
        if numbers is None:
            mistake = _mistake(table, position, place)
            if mistake is not None:
                mistaken[name] = mistake
                continue
            values[name], levels[name] = _codes(table, position, place)
            continue
        wrong = np.flatnonzero(np.isinf(numbers))
        if wrong.size:
            cells = [(table.rows[row], float(numbers[row])) for row in wrong]
            raise place.error("infinite", "correct the value, or leave the cell empty", column=name, cells=cells)
        values[name] = numbers
    n_rows, n_columns = len(table.rows), len(table.header)
    source = Source(
        path=str(path),
        sha256=hashlib.sha256(table.content).hexdigest(),
        description=say(
            "{rows} of {columns}",
            rows=say_count(n_rows, "{n} row", "{n} rows"),
            columns=say_count(n_columns, "{n} column", "{n} columns"),
        ),
        variables={name: _described(numbers, levels.get(name, ())) for name, numbers in values.items()},
    )
    return Columns(values, levels, source, mistaken)


def _mistake(table: Table, position: int, place: Place) -> DataError | None:
    """Return what is wrong with a column of which most cells are numbers; None of a column of texts."""
    texts = [str(text) for text in table.cells(position)]
    known = [text for text in texts if text.lower() not in MISSING]
    if 2 * sum(parse_number(text) is not None for text in known) <= len(known):
        return None
    try:
        table.wanted_numbers(position, place)
    except DataError as error:
        return error
    return None


def _codes(table: Table, position: int, place: Place) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    texts = np.asarray(table.cells(position), dtype=str)
    empty = np.flatnonzero([text.lower() in MISSING for text in texts])
    if empty.size:
        cells = [(table.rows[row], str(texts[row])) for row in empty]
        raise place.error(
            "missing in a column of texts", "fill it, or drop the row", column=table.header[position], cells=cells
        )
    levels, codes = np.unique(texts, return_inverse=True)
    return codes.astype(np.int64), tuple(str(level) for level in levels)


def _described(numbers: NDArray[Any], levels: tuple[str, ...]) -> str:
    if levels:
        shown = [*levels[:_SHOWN], *(["…"] if len(levels) > _SHOWN else [])]
        return say("texts, as whole numbers from 0: {levels}", levels=listing(shown))
    missing = int(np.isnan(numbers).sum())
    return say_count(missing, "numbers, {n} missing", "numbers, {n} missing") if missing else say("numbers")
