"""The cells of a table of a graph: names kept as text, each text held once, and weights as numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets._cells import parse_number
from bayeskit.datasets._files import tidy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_WORDS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, eq=False)
class Column:
    """A column of texts.

    Parameters
    ----------
    codes
        ``n_rows``, each the position of the row's text.
    texts
        The different texts, without white space around them.
    """

    codes: Integers
    texts: list[str]

    def text(self, row: int) -> str:
        """Return the text of a row."""
        return self.texts[int(self.codes[row])]


@dataclass(frozen=True, eq=False)
class Cells:
    """Some columns of a table.

    Parameters
    ----------
    rows
        ``n_rows``, the number of each in the file.
    names
        The columns of texts.
    weights
        ``n_rows`` numbers, NaN where missing; None where no column was asked for.
    wrong
        Rows of the file and texts of the cells that hold no number, though one was asked for.
    """

    rows: Integers
    names: tuple[Column, ...]
    weights: Floats | None
    wrong: Sequence[tuple[int, str]]


@dataclass(frozen=True, eq=False)
class Grid:
    """The cells of an adjacency matrix that are not zero, row after row.

    Parameters
    ----------
    names, rows
        ``n_rows``, the first cell of each row, and its number in the file.
    row, column
        ``n_cells``, counted from 0 without the names.
    weights
        ``n_cells`` numbers, NaN where missing.
    wrong
        Positions, row and column, and texts of the cells that hold no number.
    """

    names: list[str]
    rows: Integers
    row: Integers
    column: Integers
    weights: Floats
    wrong: Sequence[tuple[int, int, str]]


class Sheet(Protocol):
    """A table in a file."""

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns, white space around them taken off."""

    def head(self, n_rows: int) -> list[list[str]]:
        """Return the cells of the first rows."""

    def read(self, names: Sequence[int], weight: int | None = None) -> Cells:
        """Return columns by their positions: those of texts, and one of numbers."""

    def grid(self) -> Grid:
        """Return all of it as a matrix, whose first column holds names."""


def weight_of(text: str) -> float | None:
    """Return the number, also of true and false, NaN for a missing value, or None where ``text`` is neither."""
    word = _WORDS.get(text.lower())
    return parse_number(text) if word is None else word


def text_of(value: Any) -> str:
    """Return a value of a typed column as it would stand in a CSV cell; nothing where it is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))  # whole numbers become floating ones where some are missing
    return tidy(str(value))


def coded(codes: Integers, values: Iterable[Any], text: Callable[[Any], str] = tidy) -> Column:
    """Return a column of texts; values that are the same text become one."""
    known: dict[str, int] = {}
    places = np.array([known.setdefault(text(value), len(known)) for value in values], dtype=np.int64)
    merged = codes if len(known) == len(places) else places[codes]
    return Column(merged, list(known))


def numbers_of(column: Column, rows: Integers) -> tuple[Floats, list[tuple[int, str]]]:
    """Return a column's numbers, and the cells that hold none with their rows."""
    found = [weight_of(text) for text in column.texts]
    wrong = np.array([number is None for number in found], dtype=bool)
    values = np.array([np.nan if number is None else number for number in found], dtype=np.float64)
    bad = np.flatnonzero(wrong[column.codes]) if wrong.any() else np.empty(0, dtype=np.int64)
    return values[column.codes], [(int(rows[at]), column.text(int(at))) for at in bad]


class Numbers(dict[str, float]):
    """The numbers that texts stand for, each parsed once; infinity for texts that are none, which ``wrong`` keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: set[str] = set()

    def __missing__(self, text: str) -> float:
        found = weight_of(tidy(text))
        if found is None:
            self.wrong.add(text)
        self[text] = number = math.inf if found is None else found
        return number


def grid_of_rows(lines: Iterable[tuple[int, list[str]]], width: int) -> Grid:
    """Read a matrix from rows of texts, the first of each its name, one after the other."""
    numbers = Numbers()
    rows, names, kept, at, found = [], [], [], [], []
    wrong = []
    for place, (row, cells) in enumerate(lines):
        rows.append(row)
        names.append(tidy(cells[0]))
        values = np.fromiter(map(numbers.__getitem__, cells[1:]), dtype=np.float64, count=width - 1)
        if numbers.wrong:
            wrong += [(place, column, tidy(text)) for column, text in enumerate(cells[1:]) if text in numbers.wrong]
        filled = np.flatnonzero(values)  # NaN is not zero
        kept.append(np.full(filled.size, place))
        at.append(filled)
        found.append(values[filled])
    return Grid(names, _whole(rows), *_joined(kept, at, found), wrong)


def grid_of_columns(names: list[str], columns: Iterator[tuple[Floats, list[tuple[int, str]]]]) -> Grid:
    """Read a matrix from columns of numbers, one after the other; its rows are counted from 1."""
    kept, at, found, wrong = [], [], [], []
    for place, (values, bad) in enumerate(columns):
        filled = np.flatnonzero(values)
        kept.append(filled)
        at.append(np.full(filled.size, place))
        found.append(values[filled])
        wrong += [(row - 1, place, text) for row, text in bad]
    row, column, weights = _joined(kept, at, found)
    order = np.lexsort((column, row))
    rows = np.arange(1, len(names) + 1)
    return Grid(names, rows, row[order], column[order], weights[order], sorted(wrong))


def _joined(row: list[Any], column: list[Any], weights: list[Any]) -> tuple[Integers, Integers, Floats]:
    if not row:
        return _whole([]), _whole([]), np.empty(0)
    return np.concatenate(row), np.concatenate(column), np.concatenate(weights)


def _whole(values: Sequence[int]) -> Integers:
    return np.array(values, dtype=np.int64)
