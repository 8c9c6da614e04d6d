"""A small table of groups, as a template lays it out: a row a group, a cell a text with a smaller one below it."""

from __future__ import annotations

from dataclasses import dataclass

Cell = tuple[str, str]


@dataclass(frozen=True)
class GroupRow:
    """One row: what it is of, a colour's name in the style sheet where it has one, and its cells.

    A cell is a text and a smaller one below it, either of which may be empty.
    """

    name: str
    cells: tuple[Cell, ...]
    colour: str = ""


@dataclass(frozen=True)
class GroupTable:
    """A titled table.

    Parameters
    ----------
    title, caption
        What it shows, and how to read it.
    first
        What stands above the rows' names.
    columns
        Headings of the other columns.
    rows
        Each with a cell a column.
    note
        What was left out.
    words
        Places of the columns that hold words rather than numbers.
    matrix
        Whether the columns are groups too: a narrow page scrolls it rather than making a card of each row.
    """

    title: str
    caption: str
    first: str
    columns: tuple[str, ...]
    rows: tuple[GroupRow, ...]
    note: str = ""
    words: tuple[int, ...] = ()
    matrix: bool = False
