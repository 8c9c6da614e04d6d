"""A table of any columns, CSV or Parquet: its header, and the cells of a column as text or as numbers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.datasets._cells import MISSING, parse_number, refuse_words
from bayeskit.datasets._files import check_width, decode, read_bytes, split_lines, tidy
from bayeskit.datasets._problems import Place, counted, joined, nearest, one_line, quote

Floats = NDArray[np.float64]

_SHOWN = 12
_LARGE = 2_000_000  # bytes of a CSV file above which speed and memory matter


@dataclass(frozen=True)
class Table:
    """The columns of a file, read as they are asked for.

    Parameters
    ----------
    header
        Names of the columns, white space around them taken off.
    rows
        ``n_rows``, the number of each in the file.
    cells
        Takes a column's position, and returns its ``n_rows`` cells: numbers where the file has its own type for
        these, NaN where missing, or texts.
    content
        The file's bytes.
    layout
        The kind of file in words.
    """

    header: tuple[str, ...]
    rows: NDArray[np.int64]
    cells: Callable[[int], Floats | Sequence[str]]
    content: bytes
    layout: str

    def numbers(self, position: int) -> Floats | None:
        """Return a column as numbers, NaN where missing; None where it holds anything else."""
        parsed, wrong = self._parsed(position)
        return None if wrong else parsed

    def measured(self, position: int, place: Place) -> Floats | None:
        """Return a column as numbers, NaN where missing; None where it holds texts.

        Raises
        ------
        DataError
            If most cells are numbers, so that the few others are mistakes: these cells, with their rows.
        """
        parsed, wrong = self._parsed(position)
        if wrong and len(wrong) < np.count_nonzero(~np.isnan(parsed)):
            cells = [(self.rows[at], text) for at, text in wrong]
            remedy = "correct it, or choose columns without this one (--columns)"
            raise place.error(
                "not a number, as most of the column are", remedy, column=self.header[position], cells=cells
            )
        return None if wrong else parsed

    def wanted_numbers(self, position: int, place: Place) -> Floats:
        """Return a column as numbers, NaN where missing.

        Raises
        ------
        DataError
            If a cell holds anything else: these cells, with their rows.
        """
        parsed, wrong = self._parsed(position)
        if len(wrong) > len(self.rows) // 2 and len(wrong) > 1:
            cells = [(self.rows[at], text) for at, text in wrong]
            remedy = "a mixture is of numbers; leave the column out (--columns)"
            raise place.error("text, not numbers", remedy, column=self.header[position], cells=cells)
        refuse_words([(self.rows[at], text) for at, text in wrong], self.header[position], place)
        return parsed

    def position(self, name: str, place: Place) -> int:
        """Return where a column stands.

        Raises
        ------
        DataError
            If there is none of this name (the nearest one is given), or more than one.
        """
        return position_of(name, self.header, place)

    def _parsed(self, position: int) -> tuple[Floats, list[tuple[int, str]]]:
        """Return a column's numbers, and the cells that hold none with their positions."""
        cells = self.cells(position)
        if isinstance(cells, np.ndarray):
            return cells, []
        parsed = [parse_number(text) for text in cells]
        wrong = [(at, text) for at, (text, number) in enumerate(zip(cells, parsed, strict=True)) if number is None]
        return np.array([np.nan if number is None else number for number in parsed], dtype=float), wrong


def read_table(path: str, place: Place) -> Table:
    """Read a CSV or Parquet file.

    Raises
    ------
    DataError
        If there is no such file, it cannot be read, has no header, no rows, or rows of other lengths: one line.
    """
    content = read_bytes(Path(path), place)
    if content.startswith(b"PAR1") or Path(path).suffix.lower() in {".parquet", ".pq"}:
        return _read_parquet(content, place)
    return _read_csv(content, place)


def position_of(name: str, header: Sequence[str], place: Place) -> int:
    """Return where a column stands in a header.

    Raises
    ------
    DataError
        If there is none of this name (the nearest one is given), or more than one.
    """
    found = [at for at, title in enumerate(header) if title == tidy(name)]
    if not found:
        meant = nearest(tidy(name), header)
        remedy = f"did you mean {quote(meant)}?" if meant else "choose from these"
        raise place.error(f"there is no column {quote(name)}, only {_few(header)}", remedy)
    if len(found) > 1:
        refuse_same_names([header[at] for at in found], place)
    return found[0]


def refuse_same_names(header: Sequence[str], place: Place) -> None:
    """Refuse columns of the same name."""
    for name in header:
        if header.count(name) > 1:
            raise place.error(f"{header.count(name)} columns have this name", "rename all but one", column=name)


def _few(header: Sequence[str]) -> str:
    shown = [quote(title) for title in header[:_SHOWN]]
    return joined([*shown, *([f"{len(header) - _SHOWN} more"] if len(header) > _SHOWN else [])])


def _read_csv(content: bytes, place: Place) -> Table:
    text, encoding = decode(content, place)
    top = text.partition("\n")[0]
    large = len(content) > _LARGE and encoding == "UTF-8" and '"' not in text and bool(top.strip())
    (header_row, header), *body = split_lines(top if large else text, place)
    titles = tuple(tidy(cell) for cell in header)
    found = _plain_numbers(content, len(titles)) if large else None
    if found is not None and not is_headless(titles):
        return Table(titles, np.arange(2, len(found) + 2), lambda at: found[:, at], content, _csv(encoding))
    body = split_lines(text, place)[1:] if large else body
    for delimiter, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(titles) == 1 and delimiter in header[0]:
            problem = f"the columns are separated by {name} (row {header_row})"
            raise place.error(problem, "save it with commas between columns and decimal points in numbers, e.g. 12.8")
    if is_headless(titles):
        problem = f"row {header_row} holds numbers, where the names of the columns should stand"
        example = ",".join(f"x{at + 1}" for at in range(min(len(titles), 3)))
        raise place.error(problem, f"put a header above the data, e.g. {example}")
    if not body:
        raise place.error("there is a header, but no rows of data", "give a file with one point a row")
    check_width(body, len(titles), place)
    rows = np.array([row for row, _ in body], dtype=np.int64)
    return Table(titles, rows, lambda at: [tidy(line[at]) for _, line in body], content, _csv(encoding))


def is_headless(titles: Sequence[str]) -> bool:
    """Whether a header holds numbers, or nothing."""
    return all(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", title.lower()) or title.lower() in MISSING for title in titles)


def _plain_numbers(content: bytes, n_columns: int) -> Floats | None:
    """Return the cells below the first line where all are numbers or empty: in less time and memory than as texts.

    None where anything is out of the ordinary (a text, an empty row, a row of another length), which is then read, and
    told, cell by cell.
    """
    import pandas as pd

    if content.count(b"\r") not in (0, content.count(b"\r\n")):
        return None
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            header=None,
            skiprows=1,
            dtype=np.float64,
            keep_default_na=False,
            na_values=[""],
        )
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError):
        return None
    cells: Floats = frame.to_numpy()
    n_lines = content.count(b"\n") + (not content.endswith(b"\n"))
    commas = content.count(b",", content.index(b"\n"))
    whole = cells.shape == (n_lines - 1, n_columns) and commas == len(cells) * (n_columns - 1)
    return cells if whole and not np.isnan(cells).all(axis=1).any() else None


def _csv(encoding: str) -> str:
    return say("CSV in {encoding}", encoding=encoding)


def _read_parquet(content: bytes, place: Place) -> Table:
    """Read a Parquet file; its rows are counted from 1."""
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]

    try:
        # Arrow's reader of Python file objects, with threads, now and then aborts the interpreter at its exit.
        read = ParquetFile(pyarrow.BufferReader(content)).read(use_threads=False)
    except (pyarrow.ArrowException, OSError, ArithmeticError, ValueError, LookupError) as error:
        problem = f"not a Parquet file that can be read ({one_line(str(error))[:120]})"
        raise place.error(problem, "write it again, or save it as CSV") from error
    if not read.num_rows:
        raise place.error(f"there are {counted(read.num_columns, 'column')}, but no rows of data", "give some points")

    def cells(position: int) -> Floats | Sequence[str]:
        column = read.column(position)
        if pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type):
            # Arrow refuses to turn integers above 2**53 into numbers that do not hold all their digits.
            found: Floats = column.cast(pyarrow.float64(), safe=False).to_numpy().astype(np.float64)
            return found
        return [_text(value) for value in column.to_pylist()]

    header = tuple(tidy(str(name)) for name in read.schema.names)
    return Table(header, np.arange(1, read.num_rows + 1), cells, content, "Parquet")


def _text(value: Any) -> str:
    """Return a Parquet value as it would stand in a CSV cell."""
    return "" if value is None else tidy(str(value))
