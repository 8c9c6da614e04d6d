"""Tables of nodes: which there are, and to which group each is known to belong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from bayeskit.datasets._cells import MISSING
from bayeskit.datasets._files import read_bytes
from bayeskit.datasets._graph_cells import Column, Integers, Sheet
from bayeskit.datasets._graph_edges import read_pairs, refuse_blank
from bayeskit.datasets._graph_listing import Listing, located
from bayeskit.datasets._graph_sheets import open_sheet
from bayeskit.datasets._problems import Place, joined, quote
from bayeskit.datasets.tables import position_of, refuse_same_names

_NAMES = ("node", "name", "id")


@dataclass(frozen=True)
class _Table:
    """A file with a name of a node in each row."""

    sheet: Sheet
    place: Place
    position: int


def declare_nodes(listing: Listing, path: str, place: Place) -> Listing:
    """Return the edges with the nodes of a table, in its order.

    Raises
    ------
    DataError
        If the table names a node twice or not at all, or an edge one that is not in it.
    """
    table = _opened(path, listing.names)
    column, _ = _names(table)
    known = {text: at for at, text in enumerate(column.texts)}
    ends = np.column_stack([listing.source, listing.target]).ravel()
    rows = None if listing.rows is None else np.repeat(listing.rows, 2)
    what = f"the nodes of {PurePath(path).name}"
    located(listing.names, known, ends, rows, what, place)
    found = located(listing.names, known, np.arange(len(listing.names)), None, what, place)
    attributes = None
    if listing.attributes is not None:
        attributes = {key: _spread(texts, found, len(known)) for key, texts in listing.attributes.items()}
    return replace(
        listing, names=column.texts, source=found[listing.source], target=found[listing.target], attributes=attributes
    )


def read_labels(path: str, label_column: str | None, names: Sequence[str]) -> list[str]:
    """Return the known group of each node, empty where it is not known: missing, or not in the table.

    Raises
    ------
    DataError
        If the table names a node twice, or one that is not in the graph, or it is not clear which column holds groups.
    """
    table = _opened(path, names)
    position = _label_position(table, label_column)
    column, rows = _names(table)
    groups = table.sheet.read([position]).names[0]
    found = located(
        column.texts,
        {name: at for at, name in enumerate(names)},
        column.codes,
        rows,
        "the nodes of the graph",
        table.place,
    )
    texts = ["" if text.lower() in MISSING else text for text in groups.texts]
    return _spread([texts[code] for code in groups.codes], found[column.codes], len(names))


def labels_of(listing: Listing, label_column: str, place: Place) -> list[str]:
    """Return an attribute of the nodes in the file of the graph itself as their known groups.

    Raises
    ------
    DataError
        If the file has none of this name.
    """
    attributes: Mapping[str, Sequence[str]] = listing.attributes or {}
    if not attributes:
        raise place.error("the nodes have no attributes", "give their groups as a table (--labels)")
    title = list(attributes)[position_of(label_column, list(attributes), place)]
    return ["" if text.lower() in MISSING else text for text in attributes[title]]


def read_unobserved(path: str, names: Sequence[str]) -> tuple[Listing, Place]:
    """Return the pairs of a table by the positions of their nodes.

    Raises
    ------
    DataError
        If it names nodes that are not in the graph.
    """
    place = Place(path)
    known = {name: at for at, name in enumerate(names)}
    sheet = open_sheet(read_bytes(Path(path), place), PurePath(path).suffix.lower(), place)
    found = read_pairs(sheet, known, place)
    assert found.rows is not None
    ends = np.column_stack([found.source, found.target]).ravel()
    at = located(found.names, known, ends, np.repeat(found.rows, 2), "the nodes of the graph", place)
    return replace(found, names=names, source=at[found.source], target=at[found.target]), place


def _opened(path: str, known: Sequence[str]) -> _Table:
    """Open a table, and find its column of names; refuse one whose header is a node."""
    place = Place(path)
    sheet = open_sheet(read_bytes(Path(path), place), PurePath(path).suffix.lower(), place)
    titles = [title.lower() for title in sheet.header]
    position = next((titles.index(name) for name in _NAMES if name in titles), 0)
    title = sheet.header[position]
    if titles[position] not in _NAMES and title in set(known):
        problem = f"the header is {quote(title)}, a node, where the name of the column should stand"
        raise place.error(problem, "put a header above the nodes, e.g. node")
    refuse_same_names([name for name in sheet.header if name == title], place)
    if not sheet.head(1):
        raise place.error("there is a header, but no rows of data", "give one node a row")
    return _Table(sheet, place, position)


def _names(table: _Table) -> tuple[Column, Integers]:
    """Return the names, none of them blank or repeated, and their rows."""
    cells = table.sheet.read([table.position])
    column, title = cells.names[0], table.sheet.header[table.position]
    blank = np.flatnonzero(column.codes == column.texts.index("")) if "" in column.texts else ()
    refuse_blank(column.texts, title, [(int(cells.rows[at]), "") for at in blank], table.place)
    counts = np.bincount(column.codes, minlength=len(column.texts))
    if counts.max() > 1:
        twice = int(column.codes[np.flatnonzero(counts[column.codes] > 1)[0]])
        places = [(int(cells.rows[at]), column.texts[twice]) for at in np.flatnonzero(column.codes == twice)]
        raise table.place.error("the same node", "name each node once", column=title, cells=places)
    # A file may come with texts that no row has.
    texts = [column.text(at) for at in range(len(column.codes))]
    return Column(np.arange(len(texts)), texts), cells.rows


def _label_position(table: _Table, label_column: str | None) -> int:
    header = table.sheet.header
    if label_column is not None:
        position = position_of(label_column, header, table.place)
        if position == table.position:
            problem = "holds the names of the nodes, not their groups"
            raise table.place.error(problem, "name another column (--label-column)", column=header[position])
        return position
    others = [at for at in range(len(header)) if at != table.position and header[at]]
    if len(others) != 1:
        found = f"columns {joined([quote(header[at]) for at in others])} may hold" if others else "no column holds"
        remedy = "name the one to take (--label-column)" if others else "add a column with the group of each node"
        raise table.place.error(f"{found} the groups of the nodes", remedy)
    return others[0]


def _spread(texts: Sequence[str], positions: Integers, n_nodes: int) -> list[str]:
    spread = [""] * n_nodes
    for text, at in zip(texts, positions, strict=True):
        spread[at] = text
    return spread
