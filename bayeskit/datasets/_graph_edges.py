"""From a table to edges: which of its columns hold what, or that it is an adjacency matrix."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from bayeskit.core.language import mark, say
from bayeskit.core.words import commas
from bayeskit.datasets._graph_cells import Sheet, weight_of
from bayeskit.datasets._graph_listing import Listing, paired
from bayeskit.datasets._problems import Place, counted, joined, listed, quote
from bayeskit.datasets.tables import is_headless, position_of

SOURCES = ("source", "from", "src")
TARGETS = ("target", "to", "dst", "dest")
WEIGHTS = ("weight", "w", "count", "value")

_PEEKED = 64  # rows and columns that tell what a table is
_TAKEN = mark("Edges are from column {source} to column {target}, all of weight 1.")
_WEIGHED = mark("Edges are from column {source} to column {target}, with weights in column {weight}.")
_LEFT_OUT = mark("Columns left out: {columns}. Name columns to take others.")
_NUMBER_REMEDY = "write a number such as 2, or leave the cell empty where the pair was not observed"


def read_edges(sheet: Sheet, columns: str | Sequence[str] | None, place: Place) -> Listing:
    """Read an edge list or an adjacency matrix.

    Parameters
    ----------
    sheet
        The table.
    columns
        Names of the columns of sources, of targets and, if there are weights, of these: those of an edge list. Unless
        given, they are found by their names or places.

    Raises
    ------
    DataError
        If it is neither, or cells hold what they should not.
    """
    if not sheet.head(1):
        raise place.error("there is a header, but no rows of data", "give one edge a row")
    if columns is None and _is_matrix(sheet, place):
        return _matrix(sheet, place)
    positions, notes = _named(sheet, columns, place) if columns is not None else _found(sheet, place)
    return replace(_edges(sheet, positions, place), notes=notes)


def read_pairs(sheet: Sheet, known: Collection[str], place: Place) -> Listing:
    """Read two columns of names, of pairs that were not observed.

    Raises
    ------
    DataError
        If there are no two columns, or no header above them: one of ``known`` stands there.
    """
    positions, _ = _found(sheet, place)
    title = sheet.header[positions[0]]
    if title in known and title.lower() not in SOURCES:
        raise _headless(sheet, place)
    return _edges(sheet, positions[:2], place)


def refuse_blank(names: Sequence[str], column: str | None, cells: Sequence[tuple[int, str]], place: Place) -> None:
    """Refuse nodes without a name, and names with a character that arrays of texts do not hold."""
    if cells:
        raise place.error("a node without a name", "fill the cell, or delete the row", column=column, cells=cells)
    for name in names:
        if "\0" in name:
            raise place.error(f"{quote(name)}: a name with the character NUL", "rename the node", column=column)


def _found(sheet: Sheet, place: Place) -> tuple[list[int], tuple[str, ...]]:
    """Find the columns by their names, or else take the first two, and a third where it holds weights."""
    header = sheet.header
    source, target, weight = (_recognised(header, names, place) for names in (SOURCES, TARGETS, WEIGHTS))
    if source is None or target is None:
        _refuse_headless(sheet, place)
        usable = [at for at, title in enumerate(header) if title and not title.lower().startswith("unnamed:")]
        usable = [at for at in usable if at != weight]
        if len(usable) < 2:
            problem = f"{counted(len(header), 'column')}, {joined([quote(title) for title in header])}"
            remedy = "an edge list has two, e.g. source,target, separated by commas or tabs"
            raise place.error(problem, remedy)
        source, target = usable[:2]
        if weight is None and len(usable) == 3 and _is_numeric(sheet, usable[2], place):
            weight = usable[2]
    positions = [source, target, *([] if weight is None else [weight])]
    left = [title for at, title in enumerate(header) if at not in positions and title]
    is_plain = header[source].lower() in SOURCES and header[target].lower() in TARGETS and not left
    return positions, () if is_plain else _told(header, positions, left)


def _told(header: Sequence[str], positions: Sequence[int], left: Sequence[str]) -> tuple[str, ...]:
    source, target, *weight = (quote(header[at]) for at in positions)
    taken = say(_WEIGHED if weight else _TAKEN, source=source, target=target, weight="".join(weight))
    return (taken, *([say(_LEFT_OUT, columns=commas([quote(title) for title in left]))] if left else []))


def _named(sheet: Sheet, columns: str | Sequence[str], place: Place) -> tuple[list[int], tuple[str, ...]]:
    wanted = [part for part in columns.split(",") if part.strip()] if isinstance(columns, str) else list(columns)
    if len(wanted) not in (2, 3):
        remedy = "name that of the sources, that of the targets and, if any, that of the weights (--columns)"
        raise place.error(f"{counted(len(wanted), 'column')} chosen", remedy)
    positions = [position_of(name, sheet.header, place) for name in wanted]
    for at in positions:
        if positions.count(at) > 1:
            raise place.error("chosen twice", "name it once (--columns)", column=sheet.header[at])
    return positions, ()


def _recognised(header: Sequence[str], names: Sequence[str], place: Place) -> int | None:
    found = [at for at, title in enumerate(header) if title.lower() in names]
    if len(found) > 1:
        which = joined([quote(header[at]) for at in found])
        raise place.error(f"columns {which} may mean the same", "name the columns to take (--columns)")
    return found[0] if found else None


def _refuse_headless(sheet: Sheet, place: Place) -> None:
    """Refuse a header that holds an edge: numbers, or names of nodes that stand below it, too."""
    header = sheet.header
    if is_headless(header):
        raise _headless(sheet, place)
    below = {cell for cells in sheet.head(_PEEKED) for cell in cells[:2] if cell}
    third = len(header) == 3 and header[2] and weight_of(header[2]) is not None
    if third or any(title in below for title in header[:2]):
        raise _headless(sheet, place)


def _headless(sheet: Sheet, place: Place) -> Exception:
    first = ", ".join(quote(title) for title in sheet.header[:3])
    example = "source,target,weight" if len(sheet.header) > 2 else "source,target"
    problem = f"the header ({first}) looks like an edge, where the names of the columns should stand"
    return place.error(problem, f"put a header above the edges, e.g. {example}, or name the columns (--columns)")


def _is_numeric(sheet: Sheet, position: int, place: Place) -> bool:
    """Whether a column holds weights: numbers, some cells perhaps empty."""
    cells = sheet.read((), position)
    assert cells.weights is not None
    n_numbers = int(np.count_nonzero(~np.isnan(cells.weights)))
    if cells.wrong and len(cells.wrong) < n_numbers:
        remedy = "correct it, or choose the columns without this one (--columns)"
        problem = "not a number, as most of the column are"
        raise place.error(problem, remedy, column=sheet.header[position], cells=cells.wrong)
    return n_numbers > 0 and not cells.wrong


def _edges(sheet: Sheet, positions: Sequence[int], place: Place) -> Listing:
    cells = sheet.read(positions[:2], positions[2] if len(positions) > 2 else None)
    titles = [sheet.header[at] for at in positions]
    for column, title in zip(cells.names, titles, strict=False):
        blank = np.flatnonzero(column.codes == column.texts.index("")) if "" in column.texts else ()
        refuse_blank(column.texts, title, [(int(cells.rows[at]), "") for at in blank], place)
    if cells.wrong:
        raise place.error("not a number", _NUMBER_REMEDY, column=titles[2], cells=cells.wrong)
    names, source, target = paired(*cells.names)
    weights = np.ones(len(source)) if cells.weights is None else cells.weights
    return Listing(names, source, target, weights, cells.rows, column=titles[2] if len(titles) > 2 else None)


def _is_matrix(sheet: Sheet, place: Place) -> bool:
    """Whether the header repeats the names of the first column, at least in part."""
    header = sheet.header
    corner, others = header[0], header[1:]
    if len(others) < 2 or (corner and weight_of(corner) is not None):
        return False
    head = [cells for cells in sheet.head(_PEEKED) if len(cells) == len(header)]
    first = [cells[0] for cells in head]
    if first and first == list(others[: len(first)]) and (len(first) == _PEEKED or len(first) == len(others)):
        return True
    if all(_recognised(header, names, place) is not None for names in (SOURCES, TARGETS)):
        return False
    shared = len(set(first) & set(others))
    if first and 2 * shared >= min(len(first), len(others)):
        return True
    numbers = all(weight_of(cell) is not None for cells in head for cell in cells[1:_PEEKED])
    if head and numbers and (len(others) > 2 or not corner):
        rows = listed(map(quote, first))
        problem = f"no columns are named source and target, nor do columns bear the names of rows ({rows})"
        remedy = "name the columns of an edge list (--columns), or give a matrix's rows and columns the same names"
        raise place.error(problem, remedy)
    return False


def _matrix(sheet: Sheet, place: Place) -> Listing:
    grid, columns = sheet.grid(), sheet.header[1:]
    blank = [(int(grid.rows[at]), "") for at, name in enumerate(grid.names) if not name]
    refuse_blank(grid.names, sheet.header[0] or None, blank, place)
    if len(grid.names) != len(columns):
        problem = f"{counted(len(grid.names), 'row')} for {counted(len(columns), 'column')} of an adjacency matrix"
        remedy = f"give each node a row and a column{_lacking(grid.names, columns)}"
        raise place.error(problem, remedy)
    for kind, names in (("rows", grid.names), ("columns", columns)):
        if len(set(names)) < len(names):
            twice = next(name for name in names if list(names).count(name) > 1)
            raise place.error(f"two {kind} are named {quote(twice)}", "give each node a name of its own")
    where = {name: at for at, name in enumerate(grid.names)}
    if set(where) != set(columns):
        raise place.error("the names of rows and columns differ", f"make them the same{_lacking(grid.names, columns)}")
    if grid.wrong:
        column = grid.wrong[0][1]
        cells = [(int(grid.rows[at]), text) for at, which, text in grid.wrong if which == column]
        remedy = "write True or False, a number, or nothing where the pair was not observed"
        raise place.error("not a number", remedy, column=columns[column], cells=cells)
    order = np.array([where[name] for name in columns], dtype=np.int64)
    target = order[grid.column]
    return Listing(grid.names, grid.row, target, grid.weights, grid.rows[grid.row], whole=True)


def _lacking(rows: Sequence[str], columns: Sequence[str]) -> str:
    """Name nodes that have a row only, or a column only."""
    told = []
    for what, names, others in (("column", rows, set(columns)), ("row", columns, set(rows))):
        found = [quote(name) for name in dict.fromkeys(names) if name not in others]
        told += [f"{listed(found)} {'lacks' if len(found) == 1 else 'lack'} a {what}"] if found else []
    return f" ({'; '.join(told)})" if told else ""
