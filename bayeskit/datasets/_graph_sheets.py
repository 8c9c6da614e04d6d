"""Tables of a graph in files: CSV and TSV, and Parquet; large ones in as little time and memory as columns allow."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from bayeskit.datasets._cells import MISSING
from bayeskit.datasets._files import Line, check_width, decode, each_line, tidy
from bayeskit.datasets._graph_cells import (
    Cells,
    Column,
    Floats,
    Grid,
    Integers,
    Sheet,
    coded,
    grid_of_columns,
    grid_of_rows,
    numbers_of,
    text_of,
)
from bayeskit.datasets._problems import Place, one_line

_LARGE = 1_000_000  # bytes of a text file above which speed and memory matter
_TABS = frozenset({".tsv", ".tab"})
_INDEX = "__index_level_"
_NOT_THERE = sorted({form for word in MISSING for form in (word, word.upper(), word.title())} | {"NaN", "N/A"})


def open_sheet(content: bytes, suffix: str, place: Place) -> Sheet:
    """Return the table that a file holds: Parquet by its content or name, or else text.

    Raises
    ------
    DataError
        If it cannot be read, or has no header.
    """
    if content.startswith(b"PAR1") or suffix in {".parquet", ".pq"}:
        return _ParquetSheet(content, place)
    return _TextSheet(content, suffix, place)


class _TextSheet:
    """A CSV or TSV file."""

    def __init__(self, content: bytes, suffix: str, place: Place) -> None:
        self._content, self._place = content, place
        self._text, self._encoding = decode(content, place)
        top = self._text.lstrip().partition("\n")[0]
        self._delimiter = "\t" if suffix in _TABS or ("\t" in top and "," not in top) else ","
        first = next(each_line(self._text, place, self._delimiter), None)
        if first is None:
            raise place.error("the file holds no cells but empty ones", "download or save it again")
        self._top, cells = first
        if len(cells) == 1 and ";" in cells[0]:
            problem = f"the columns are separated by semicolons (row {self._top})"
            raise place.error(problem, "save it with commas or tabs between columns, and decimal points in numbers")
        self.header = tuple(tidy(cell) for cell in cells)

    def head(self, n_rows: int) -> list[list[str]]:
        return [[tidy(cell) for cell in cells] for _, cells in islice(self._body(), n_rows)]

    def read(self, names: Sequence[int], weight: int | None = None) -> Cells:
        found = self._read_fast(names, weight) if len(self._content) > _LARGE else None
        return self._read_slowly(names, weight) if found is None else found

    def grid(self) -> Grid:
        ragged: list[Line] = []
        found = grid_of_rows(self._whole(ragged), len(self.header))
        check_width(ragged, len(self.header), self._place)
        return found

    def _body(self) -> Iterator[Line]:
        return islice(each_line(self._text, self._place, self._delimiter), 1, None)

    def _whole(self, ragged: list[Line]) -> Iterator[Line]:
        """Give the lines as wide as the header; the others are kept."""
        for line in self._body():
            if len(line[1]) == len(self.header):
                yield line
            else:
                ragged.append(line)

    def _read_slowly(self, names: Sequence[int], weight: int | None) -> Cells:
        wanted = [*names, *([] if weight is None else [weight])]
        known: list[dict[str, int]] = [{} for _ in wanted]
        codes = [array("q") for _ in wanted]
        rows, ragged = array("q"), list[Line]()
        for row, cells in self._whole(ragged):
            rows.append(row)
            for column, texts, kept in zip(wanted, known, codes, strict=True):
                kept.append(texts.setdefault(cells[column], len(texts)))
        check_width(ragged, len(self.header), self._place)
        columns = [coded(np.array(kept, dtype=np.int64), texts) for kept, texts in zip(codes, known, strict=True)]
        return _cells(np.array(rows, dtype=np.int64), columns, len(names))

    def _read_fast(self, names: Sequence[int], weight: int | None) -> Cells | None:
        """Return the columns read by Arrow; None where anything is out of the ordinary, which is then read by lines."""
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import csv

        if self._top != 1 or self._encoding != "UTF-8" or not _is_regular(self._content, self._delimiter.encode()):
            return None
        text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        types = {str(at): text for at in names} | ({} if weight is None else {str(weight): pyarrow.float64()})
        header = [str(at) for at in range(len(self.header))]
        try:
            table = csv.read_csv(
                pyarrow.BufferReader(self._content),
                read_options=csv.ReadOptions(column_names=header, skip_rows=1, use_threads=False),
                parse_options=csv.ParseOptions(delimiter=self._delimiter),
                convert_options=csv.ConvertOptions(
                    include_columns=list(types), column_types=types, null_values=_NOT_THERE, strings_can_be_null=False
                ),
            )
        except pyarrow.ArrowException:
            return None
        n_lines = self._content.rstrip(b"\r\n").count(b"\n") + 1
        columns = [_arrow_texts(table.column(str(at)), tidy) for at in names]
        if table.num_rows != n_lines - 1 or any("" in column.texts for column in columns):
            return None
        rows = np.arange(2, table.num_rows + 2)
        if weight is None:
            return Cells(rows, tuple(columns), None, ())
        weights = table.column(str(weight)).to_numpy()
        surprising = np.count_nonzero(np.isnan(weights)) != table.column(str(weight)).null_count
        return None if surprising else Cells(rows, tuple(columns), weights.astype(np.float64), ())


def _is_regular(content: bytes, delimiter: bytes) -> bool:
    """Whether lines end in one way, and quotes stand around whole cells only."""
    if content.count(b"\r") not in (0, content.count(b"\r\n")):
        return False
    n_quotes = content.count(b'"')
    if not n_quotes:
        return True
    opening = content.count(delimiter + b'"') + content.count(b'\n"') + content.startswith((b'"', b'\xef\xbb\xbf"'))
    closing = content.count(b'"' + delimiter) + content.count(b'"\n') + content.count(b'"\r') + content.endswith(b'"')
    return opening == closing and opening + closing == n_quotes and b'""' not in content


class _ParquetSheet:
    """A Parquet file; its rows are counted from 1."""

    def __init__(self, content: bytes, place: Place) -> None:
        import pyarrow
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]

        try:
            # Arrow's reader of Python file objects, with threads, now and then aborts the interpreter at its exit.
            read = ParquetFile(pyarrow.BufferReader(content)).read(use_threads=False)
            stored = (read.schema.pandas_metadata or {}).get("index_columns", [])
        except (pyarrow.ArrowException, OSError, ArithmeticError, ValueError, LookupError) as error:
            problem = f"not a Parquet file that can be read ({one_line(str(error))[:120]})"
            raise place.error(problem, "write it again, or save it as CSV") from error
        if not read.num_columns:
            raise place.error("the file has no columns", "give one with columns for sources and targets")
        found = [str(name) for name in read.schema.names]
        # A frame's index is kept behind its columns, and stands before them wherever it is shown.
        index = [at for at, name in enumerate(found) if name in stored or name.startswith(_INDEX)]
        order = [*index, *(at for at in range(len(found)) if at not in set(index))]
        self._place = place
        self._columns = [read.column(at) for at in order]
        self._n_rows = read.num_rows
        self.header = tuple("" if found[at].startswith(_INDEX) else tidy(found[at]) for at in order)

    def head(self, n_rows: int) -> list[list[str]]:
        columns = [[text_of(value) for value in column.slice(0, n_rows).to_pylist()] for column in self._columns]
        return [list(cells) for cells in zip(*columns, strict=True)]

    def read(self, names: Sequence[int], weight: int | None = None) -> Cells:
        columns = tuple(self._texts(at) for at in names)
        rows = np.arange(1, self._n_rows + 1)
        if weight is None:
            return Cells(rows, columns, None, ())
        return Cells(rows, columns, *self._numbers(weight, rows))

    def grid(self) -> Grid:
        names = self._texts(0)
        rows = np.arange(1, self._n_rows + 1)
        columns = (self._numbers(at, rows) for at in range(1, len(self._columns)))
        return grid_of_columns([names.texts[code] for code in names.codes], columns)

    def _texts(self, position: int) -> Column:
        return _arrow_texts(self._columns[position], text_of)

    def _numbers(self, position: int, rows: Integers) -> tuple[Floats, list[tuple[int, str]]]:
        import pyarrow

        column, kind = self._columns[position], self._columns[position].type
        if pyarrow.types.is_boolean(kind):
            column = column.cast(pyarrow.int8())
        elif not (pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)):
            return numbers_of(self._texts(position), rows)
        # Arrow refuses to turn integers above 2**53 into numbers that do not hold all their digits.
        return column.cast(pyarrow.float64(), safe=False).to_numpy().astype(np.float64), []


def _arrow_texts(column: Any, text: Any) -> Column:
    """Return a column of Arrow's as texts, each converted once."""
    import pyarrow

    try:
        found = column.dictionary_encode(null_encoding="encode").unify_dictionaries().combine_chunks()
    except pyarrow.ArrowException:  # of types that have no dictionaries
        values = column.to_pylist()
        return coded(np.arange(len(values)), values, text)
    if isinstance(found, pyarrow.ChunkedArray):
        found = found.chunk(0) if found.num_chunks else pyarrow.array([], found.type)
    codes = found.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    values = found.dictionary.to_pylist()
    if (codes < 0).any():  # as dictionaries of the file's own keep what is missing
        codes, values = np.where(codes < 0, len(values), codes), [*values, None]
    return coded(codes, values, text)


def _cells(rows: Integers, columns: list[Column], n_names: int) -> Cells:
    if len(columns) == n_names:
        return Cells(rows, tuple(columns), None, ())
    weights, wrong = numbers_of(columns[-1], rows)
    return Cells(rows, tuple(columns[:-1]), weights, wrong)
