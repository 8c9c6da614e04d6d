"""From a path to bytes, from bytes to text, from text to numbered lines of cells."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from bayeskit.datasets._problems import Place, listed, nearest, one_line, quote
from bayeskit.datasets.sources import likely_name, located

Line = tuple[int, list[str]]
"""Number of the line in the file, as an editor shows it, and its cells."""

_NOT_TEXT = {
    b"PK\x03\x04": ("an Excel workbook or a ZIP archive", "save the sheet as CSV (UTF-8), or unpack the archive"),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "save the sheet as CSV (UTF-8)"),
    b"\x1f\x8b": ("compressed with gzip", "unpack it first, with gunzip"),
    b"\xff\xfe": ("encoded as UTF-16 (byte 0xff at position 0)", "save it again as UTF-8"),
    b"\xfe\xff": ("encoded as UTF-16 (byte 0xfe at position 0)", "save it again as UTF-8"),
}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
# Only a file that holds one of these is tried as cp932: almost any bytes decode to some Japanese.
_JAPANESE = ("年月日", "品質情報", "ダウンロードした時刻", "年,月,日")


def read_bytes(path: Path, place: Place) -> bytes:
    """Return the bytes of a file, which may be named as a data set.

    Raises
    ------
    DataError
        If there is no such file (a similar name in its folder, or of a data set, is suggested), or it is a folder,
        empty or unreadable.
    """
    file = located(path)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise place.error("there is no such file", _missing_remedy(path)) from None
    except IsADirectoryError:
        found = sorted(name for name in _names(file) if name.lower().endswith((".csv", ".parquet")))
        there = f", such as {quote(found[0])}" if found else ""
        raise place.error("this is a folder", f"name a CSV or Parquet file in it{there}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise place.error(f"cannot be read ({one_line(reason)})", "check the path and its permissions") from error
    if not data.strip():
        raise place.error("the file is empty", "download or save it again")
    return data


def _missing_remedy(path: Path) -> str:
    if not path.parent.is_dir():
        return f"nor is there a folder '{one_line(str(path.parent))}'; check the path"
    similar = nearest(path.name, _names(path.parent))
    data_set = likely_name(path.stem) if len(path.parts) == 1 else None
    if data_set and not (similar and path.suffix):
        return f"did you mean the data set '{data_set}'?"
    return f"did you mean '{one_line(str(path.with_name(similar)))}'?" if similar else "check the path"


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def decode(data: bytes, place: Place) -> tuple[str, str]:
    """Return the text, without a byte order mark, and the name of its encoding: UTF-8, or cp932 from Japan."""
    for magic, (what, remedy) in _NOT_TEXT.items():
        if data.startswith(magic):
            raise place.error(f"the file is {what}, not CSV in UTF-8", remedy)
    encoding = "UTF-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if not any(word.encode("cp932") in data for word in _JAPANESE):
            raise _encoding_error(error, encoding, data, place) from None
        encoding = "cp932"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as second:
            raise _encoding_error(second, encoding, data, place) from None
    if "\0" in text:
        position = data.index(b"\0")
        raise place.error(
            f"byte 0x00 at position {position}: this is not text in UTF-8", "save it again as CSV (UTF-8)"
        )
    return text.lstrip("\ufeff"), encoding


def _encoding_error(error: UnicodeDecodeError, encoding: str, data: bytes, place: Place) -> Exception:
    before = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    row = before.count(b"\n") + 1
    problem = f"byte 0x{data[error.start]:02x} at position {error.start} (row {row}) is not {encoding}"
    return place.error(problem, "save the file again as UTF-8 (in Excel: 'CSV UTF-8')")


def split_lines(text: str, place: Place) -> list[Line]:
    """Return the lines that hold anything, with their cells; a quoted cell may span lines, the first one counts."""
    lines = list(each_line(text, place))
    if not lines:
        raise place.error("the file holds no cells but empty ones", "download or save it again")
    return lines


def each_line(text: str, place: Place, delimiter: str = ",") -> Iterator[Line]:
    """Give such lines one after the other, so that a large file need not be held in cells."""
    # A StringIO would take four bytes a character.
    reader = csv.reader((line[0] for line in _LINE.finditer(text)), strict=True, delimiter=delimiter)
    start = 1
    try:
        for cells in reader:
            if any(cell and not cell.isspace() for cell in cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        problem = f"the quotes that open in row {start} do not close properly ({error})"
        raise place.error(problem, 'put quotes (") around whole cells, in pairs, or remove them') from None


def check_width(lines: Sequence[Line], width: int, place: Place) -> None:
    """Refuse lines with more or fewer than ``width`` cells."""
    ragged = [(row, len(cells)) for row, cells in lines if len(cells) != width]
    if ragged:
        rows = listed(f"row {row} has {n_cells}" for row, n_cells in ragged)
        raise place.error(
            f"the header has {width} cells, but {rows}",
            "look for a comma too many or too few, or a decimal comma (write 12.8)",
        )


def tidy(cell: str) -> str:
    """Strip white space; make full-width letters, digits and signs plain ones."""
    return (cell if cell.isascii() else unicodedata.normalize("NFKC", cell).replace("\u2212", "-")).strip()
