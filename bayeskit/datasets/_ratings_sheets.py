"""Tables of ratings as texts: ids as they are written, numbers at once, large files in little time and memory."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets._cells import MISSING
from bayeskit.datasets._files import Line, check_width, decode, each_line, tidy
from bayeskit.datasets._graph_cells import Column, Floats, Integers, coded, numbers_of
from bayeskit.datasets._problems import Place, listed

Numeric = Floats | NDArray[np.datetime64] | Column
"""A column of numbers, NaN where missing, of moments, NaT where missing, or of texts where it is neither."""

_HELD = 1 << 16  # first bytes of a file, which tell how it is written
_NEW_LINE = re.compile(r"\r\n|\r|\n")
_NOT_THERE = sorted({form for word in MISSING for form in (word, word.upper(), word.title())} | {"NaN", "N/A"})
_UNIT = "\x1f"  # Arrow's delimiters have one character


@dataclass(frozen=True, eq=False)
class Cells:
    """Some columns of a table.

    Parameters
    ----------
    rows
        ``n_rows``, the number of each in the file.
    ids
        The columns of texts, empty where missing.
    numbers
        The columns of numbers.
    """

    rows: Integers
    ids: tuple[Column, ...]
    numbers: tuple[Numeric, ...]


class Sheet(Protocol):
    """A table in a file or a script."""

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns; of a text without a header the cells of its first line."""

    def head(self, n_rows: int) -> list[list[str]]:
        """Return the cells of the first rows."""

    def read(self, ids: Sequence[int], numbers: Sequence[int] = ()) -> Cells:
        """Return columns by their positions: those of texts, and those of numbers."""


@dataclass(frozen=True, eq=False)
class TextSheet:
    """A table in a text; build it with ``text_sheet``.

    Parameters
    ----------
    content
        UTF-8.
    delimiter
        Between two cells.
    header
        The cells of the first line that has any.
    top
        The number of this line.
    n_above
        Lines of the header: 1, or 0 where the first line is one of the data.
    place
        The file.
    """

    content: bytes
    delimiter: str
    header: tuple[str, ...]
    top: int
    n_above: int
    place: Place

    def head(self, n_rows: int) -> list[list[str]]:
        """Return the cells of the first rows."""
        return [[cell.strip() for cell in cells] for _, cells in islice(self._body(_top_of(self.content)), n_rows)]

    def read(self, ids: Sequence[int], numbers: Sequence[int] = ()) -> Cells:
        """Return columns by their positions.

        Raises
        ------
        DataError
            If rows have other lengths, quotes do not close, or bytes are not UTF-8.
        """
        found = self._read_fast(ids, numbers)
        return self._read_slowly(ids, numbers) if found is None else found

    def _body(self, content: bytes) -> Iterator[Line]:
        text, _ = decode(content, self.place)
        return islice(_lines(text, self.delimiter, self.place), self.n_above, None)

    def _read_slowly(self, ids: Sequence[int], numbers: Sequence[int]) -> Cells:
        """Read line by line, to tell of what is wrong where it stands."""
        wanted = [*ids, *numbers]
        known: list[dict[str, int]] = [{} for _ in wanted]
        codes = [array("q") for _ in wanted]
        rows, ragged = array("q"), list[Line]()
        for row, cells in self._body(self.content):
            if len(cells) != len(self.header):
                ragged.append((row, cells))
                continue
            rows.append(row)
            for at, texts, kept in zip(wanted, known, codes, strict=True):
                kept.append(texts.setdefault(cells[at], len(texts)))
        self._refuse_ragged(ragged)
        columns = [coded(_whole(kept), texts, str.strip) for kept, texts in zip(codes, known, strict=True)]
        return Cells(_whole(rows), tuple(columns[: len(ids)]), tuple(_numeric(c) for c in columns[len(ids) :]))

    def _refuse_ragged(self, ragged: Sequence[Line]) -> None:
        if self.n_above:
            check_width(ragged, len(self.header), self.place)
        elif ragged:
            others = listed(f"row {row} has {len(cells)}" for row, cells in ragged)
            problem = f"row {self.top} has {len(self.header)} cells, but {others}"
            raise self.place.error(problem, "give each rating a row of the same length")

    def _read_fast(self, ids: Sequence[int], numbers: Sequence[int]) -> Cells | None:
        """Return the columns read by Arrow; None where anything is out of the ordinary, which is then read by lines."""
        import pyarrow  # type: ignore[import-untyped]

        if self.top != 1 or not _is_regular(self.content, self.delimiter.encode()):
            return None
        content, delimiter = self.content, self.delimiter
        if len(delimiter) > 1:
            if _UNIT.encode() in content:
                return None
            content, delimiter = content.replace(delimiter.encode(), _UNIT.encode()), _UNIT
        for as_text in ((), numbers):
            try:
                table = self._arrow(content, delimiter, {*ids, *as_text}, set(numbers) - set(as_text))
            except pyarrow.ArrowException:
                continue
            if table.num_rows != _n_lines(self.content) - self.n_above:
                return None
            rows = np.arange(1 + self.n_above, table.num_rows + 1 + self.n_above)
            texts = {at: _texts(table.column(str(at))) for at in {*ids, *as_text}}
            if any("" in texts[at].texts for at in ids):  # perhaps in rows of empty cells only
                return None
            plain = [_numeric(texts[at]) if at in texts else _floats(table.column(str(at))) for at in numbers]
            return Cells(rows, tuple(texts[at] for at in ids), tuple(plain))
        return None

    def _arrow(self, content: bytes, delimiter: str, ids: set[int], numbers: set[int]) -> Any:
        import pyarrow
        from pyarrow import csv

        text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        types = {str(at): text for at in ids} | {str(at): pyarrow.float64() for at in numbers}
        names = [str(at) for at in range(len(self.header))]
        return csv.read_csv(
            pyarrow.BufferReader(content),
            read_options=csv.ReadOptions(
                column_names=names, skip_rows=self.n_above, use_threads=False, block_size=1 << 22
            ),
            parse_options=csv.ParseOptions(delimiter=delimiter, quote_char='"' if _quotes(delimiter) else False),
            convert_options=csv.ConvertOptions(
                include_columns=list(types), column_types=types, null_values=_NOT_THERE, strings_can_be_null=False
            ),
        )


def text_sheet(content: bytes, suffix: str, place: Place, delimiter: str | None = None) -> TextSheet:
    """Find how a text is written; its first line is taken for a header.

    Parameters
    ----------
    content
        The file's bytes.
    suffix
        Of its name, in lower case: ``.tsv`` and ``.tab`` say that tabs stand between cells.
    place
        The file.
    delimiter
        What stands between cells, of MovieLens's older files; bytes that are not UTF-8 are Latin-1 there.

    Raises
    ------
    DataError
        If it is no text, or has no cells, or semicolons between them.
    """
    content = content if delimiter is None else _utf8(content)
    text, _ = decode(_top_of(content), place)
    delimiter = delimiter or _delimiter(text.lstrip().partition("\n")[0], suffix)
    first = next(_lines(text, delimiter, place), None)
    if first is None:
        raise place.error("the file holds no cells but empty ones", "download or save it again")
    row, cells = first
    if len(cells) == 1 and ";" in cells[0]:
        problem = f"the columns are separated by semicolons (row {row})"
        raise place.error(problem, "save it with commas or tabs between columns, and decimal points in numbers")
    return TextSheet(content, delimiter, tuple(tidy(cell) for cell in cells), row, 1, place)


def _delimiter(top: str, suffix: str) -> str:
    """Return what stands between the cells of a first line."""
    if suffix in {".tsv", ".tab"} or top.count("\t") > 1 or ("\t" in top and "," not in top):
        return "\t"
    if top.count("::") > 1:
        return "::"
    return "|" if top.count("|") > 1 and "," not in top else ","


def _lines(text: str, delimiter: str, place: Place) -> Iterator[Line]:
    if _quotes(delimiter):
        return each_line(text, place, delimiter)
    numbered = enumerate(_NEW_LINE.split(text), start=1)
    return ((row, line.split(delimiter)) for row, line in numbered if line.strip())


def _quotes(delimiter: str) -> bool:
    """Whether quotes may stand around cells; in MovieLens's own layouts they are characters like others."""
    return delimiter in {",", "\t"}


def _top_of(content: bytes) -> bytes:
    """Return the first lines."""
    end = content.rfind(b"\n", 0, _HELD)
    return content if len(content) <= _HELD or end < 0 else content[: end + 1]


def _utf8(content: bytes) -> bytes:
    try:
        content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1").encode()
    return content


def _is_regular(content: bytes, delimiter: bytes) -> bool:
    """Whether lines end in one way, and quotes stand around whole cells only."""
    if b"\0" in content or content.count(b"\r") not in (0, content.count(b"\r\n")):
        return False
    if b'"' not in content or not _quotes(delimiter.decode()):
        return True
    opening = content.count(delimiter + b'"') + content.count(b'\n"') + content.startswith((b'"', b'\xef\xbb\xbf"'))
    closing = content.count(b'"' + delimiter) + content.count(b'"\n') + content.count(b'"\r') + content.endswith(b'"')
    return opening == closing and opening + closing == content.count(b'"') and b'""' not in content


def _n_lines(content: bytes) -> int:
    """Return the number of lines, without empty ones at the end."""
    end = len(content)
    while end and content[end - 1] in b"\r\n":
        end -= 1
    return content.count(b"\n", 0, end) + 1


def _texts(column: Any) -> Column:
    """Return a column of Arrow's as texts, each converted once."""
    found = column.unify_dictionaries().combine_chunks()
    codes = found.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return coded(codes, found.dictionary.to_pylist(), str.strip)


def _floats(column: Any) -> Floats:
    found: Floats = column.to_numpy().astype(np.float64)
    return found


def _numeric(column: Column) -> Floats | Column:
    """Return a column as numbers, if all its texts are."""
    values, wrong = numbers_of(column, np.arange(len(column.codes)))
    return column if wrong else values


def _whole(values: Any) -> Integers:
    return np.array(values, dtype=np.int64)
