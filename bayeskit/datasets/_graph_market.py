"""Matrix Market files: Boisvert, Pozo and Remington (1996), https://math.nist.gov/MatrixMarket/reports/MMformat.ps.

SciPy's reader is not used, as it brings the interpreter down on some broken files.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayeskit.datasets._files import decode
from bayeskit.datasets._graph_cells import Floats, Integers
from bayeskit.datasets._graph_listing import Listing
from bayeskit.datasets._problems import Place, counted, quote

BANNER = b"%%matrixmarket"
MOST_NODES = 20_000_000
"""More are a mistake in the size that a file states, and would not fit into memory with their names."""

_WORDS = (
    ("matrix",),
    ("coordinate", "array"),
    ("real", "double", "integer", "unsigned-integer", "pattern"),
    ("general", "symmetric"),
)
_LARGE = 200_000  # entries above which speed and memory matter
_CORRECT = "correct it, or write the file again"


@dataclass(frozen=True)
class _Head:
    """What the first lines say, and where the entries begin: as a position in the text, and as a row."""

    n_nodes: int
    n_entries: int
    is_array: bool
    is_pattern: bool
    is_symmetric: bool
    start: int
    row: int


def read_market(content: bytes, place: Place) -> Listing:
    """Read a square matrix of real numbers; its nodes are named by their numbers, from 1.

    Raises
    ------
    DataError
        If the file is not such a matrix.
    """
    text, _ = decode(content, place)
    head = _head(text, place)
    names = [str(at) for at in range(1, head.n_nodes + 1)]
    if head.is_array:
        row, column, weights, rows = _array(text, head, place)
    else:
        found = _coordinates_fast(text, head) if head.n_entries > _LARGE else None
        row, column, weights, rows = found or _coordinates(text, head, place)
    if head.is_symmetric:
        off = row != column
        row, column = np.concatenate([row, column[off]]), np.concatenate([column, row[off]])
        weights, rows = np.concatenate([weights, weights[off]]), np.concatenate([rows, rows[off]])
    return Listing(names, row, column, weights, rows, directed=False if head.is_symmetric else None, whole=True)


def _lines(text: str, start: int, row: int) -> Iterator[tuple[int, str, int]]:
    """Give the lines that say anything, with their rows, and the position behind each."""
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].strip()
        start = end + 1
        if line and not line.startswith("%"):
            yield row, line, start
        row += 1


def _head(text: str, place: Place) -> _Head:
    banner = text.partition("\n")[0].split()
    if not banner or banner[0].lower().encode() != BANNER:
        raise place.error("not a Matrix Market file: its first line is no banner", "begin with %%MatrixMarket")
    words = [word.lower() for word in banner[1:]]
    for at, known in enumerate(_WORDS):
        if at >= len(words) or words[at] not in known:
            found = quote(words[at]) if at < len(words) else "nothing"
            remedy = f"a graph's matrix is {', '.join(known[:-1])}{' or ' if known[:-1] else ''}{known[-1]} there"
            raise place.error(f"{found} as word {at + 2} of the banner (row 1)", remedy)
    first = next(_lines(text, text.find("\n") + 1 or len(text), 2), None)
    if first is None:
        raise place.error("there is a banner, but no line of sizes", "download or save it again")
    row, line, start = first
    is_array = words[1] == "array"
    sizes = [int(word) if word.isascii() and word.isdigit() else -1 for word in line.split()]
    if len(sizes) != (2 if is_array else 3) or min(sizes) < 0:
        wanted = "two" if is_array else "three"
        raise place.error(f"{quote(line)} in row {row}: not a line of {wanted} sizes", _CORRECT)
    n_rows, n_columns = sizes[:2]
    if n_rows != n_columns:
        problem = f"a matrix of {n_rows:,} rows and {n_columns:,} columns"
        raise place.error(problem, "a graph's matrix has a row and a column a node")
    n_entries = sizes[-1]
    if is_array:
        n_entries = n_rows * (n_rows + 1) // 2 if words[3] == "symmetric" else n_rows * n_rows
    # What a broken file states must not make the reader ask for memory: an entry takes a character and a blank.
    if n_rows > MOST_NODES or 2 * n_entries > len(text) + 1:
        stated = f"{counted(n_rows, 'node')} and {n_entries:,} entries"
        problem = f"{stated} are stated in row {row} of a file of {counted(len(text), 'character')}"
        raise place.error(problem, f"correct it, or download the file again; there may be {MOST_NODES:,} nodes")
    return _Head(n_rows, n_entries, is_array, words[2] == "pattern", words[3] == "symmetric", start, row + 1)


def _coordinates(text: str, head: _Head, place: Place) -> tuple[Integers, Integers, Floats, Integers]:
    rows, sources, targets, weights = array("q"), array("q"), array("q"), array("d")
    n_words = 2 if head.is_pattern else 3
    for row, line, _ in _lines(text, head.start, head.row):
        words = line.split()
        if len(words) != n_words:
            raise place.error(f"{quote(line)} in row {row}: {counted(len(words), 'number')} for {n_words}", _CORRECT)
        for word, found in zip(words, (sources, targets), strict=False):
            at = int(word) if word.isascii() and word.isdigit() else 0
            if not 1 <= at <= head.n_nodes:
                raise place.error(f"{quote(word)} in row {row}: not a node, from 1 to {head.n_nodes:,}", _CORRECT)
            found.append(at - 1)
        weights.append(1.0 if head.is_pattern else _number(words[2], row, place))
        rows.append(row)
    _check_number(len(rows), head, place)
    whole = [np.array(found, dtype=np.int64) for found in (sources, targets, rows)]
    return whole[0], whole[1], np.array(weights, dtype=np.float64), whole[2]


def _coordinates_fast(text: str, head: _Head) -> tuple[Integers, Integers, Floats, Integers] | None:
    """Return the entries read by Arrow; None where anything is out of the ordinary, which is then read by lines."""
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import csv

    names = ["source", "target"] if head.is_pattern else ["source", "target", "weight"]
    types = {name: pyarrow.float64() if name == "weight" else pyarrow.int64() for name in names}
    body = text[head.start :].rstrip().encode()
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(body),
            read_options=csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=csv.ConvertOptions(column_types=types, null_values=[]),
        )
    except pyarrow.ArrowException:
        return None
    source, target = (table.column(name).to_numpy() for name in names[:2])
    in_range = min(source.min(), target.min()) >= 1 and max(source.max(), target.max()) <= head.n_nodes
    if not (table.num_rows == head.n_entries == body.count(b"\n") + 1 and in_range):
        return None
    weights = np.ones(len(source)) if head.is_pattern else table.column("weight").to_numpy()
    return source - 1, target - 1, weights, np.arange(head.row, head.row + len(source))


def _array(text: str, head: _Head, place: Place) -> tuple[Integers, Integers, Floats, Integers]:
    """Return the entries that are not zero of a matrix whose columns stand one below the other."""
    lines = [(row, _number(line, row, place)) for row, line, _ in _lines(text, head.start, head.row)]
    _check_number(len(lines), head, place)
    target, source = (
        np.triu_indices(head.n_nodes) if head.is_symmetric else np.indices((head.n_nodes,) * 2).reshape(2, -1)
    )
    rows, weights = np.array([row for row, _ in lines], dtype=np.int64), np.array([weight for _, weight in lines])
    filled = np.flatnonzero(weights)  # NaN is not zero
    return source[filled].astype(np.int64), target[filled].astype(np.int64), weights[filled], rows[filled]


def _number(word: str, row: int, place: Place) -> float:
    try:
        if "_" not in word:
            return float(word)
    except ValueError:
        pass
    raise place.error(f"{quote(word)} in row {row}: not a number", _CORRECT)


def _check_number(found: int, head: _Head, place: Place) -> None:
    if found != head.n_entries:
        problem = f"{found:,} entries, where {head.n_entries:,} are stated"
        raise place.error(problem, "correct the line of sizes, or download the file again")
