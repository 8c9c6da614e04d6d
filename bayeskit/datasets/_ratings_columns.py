"""Which columns of a table hold users, items, ratings and times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayeskit.core.language import mark, say
from bayeskit.core.words import commas
from bayeskit.datasets._files import tidy
from bayeskit.datasets._graph_cells import Column, Floats, Integers, numbers_of, weight_of
from bayeskit.datasets._problems import Cell, Place, counted, joined, quote
from bayeskit.datasets._ratings_frames import parquet_sheet
from bayeskit.datasets._ratings_listing import Listing, refuse_blank
from bayeskit.datasets._ratings_sheets import Numeric, Sheet, TextSheet, text_sheet
from bayeskit.datasets._ratings_times import seconds_of
from bayeskit.datasets.tables import position_of

# fmt: off
USERS = frozenset({
    "user", "userid", "uid", "username", "customer", "customerid", "reviewer", "reviewerid", "rater", "raterid",
})
ITEMS = frozenset({
    "item", "itemid", "iid", "movie", "movieid", "film", "filmid", "book", "bookid", "isbn", "product", "productid",
    "asin", "song", "songid", "artist", "artistid", "anime", "animeid", "business", "businessid", "recipe", "recipeid",
})
# fmt: on
_RATINGS = frozenset({"rating", "ratings", "stars", "score", "value", "overall", "bookrating"})
_TIMES = frozenset({"time", "timestamp", "date", "datetime", "unixreviewtime", "reviewtime", "ratedat"})

_ROLES = ("users", "items", "ratings", "times")
_EXAMPLE = "user,item,rating"
_CHOOSE = f"name the columns to take (--columns {_EXAMPLE})"
_MOST_PLACED = 8  # columns of which the first may be taken for what they are not named for: more may be a matrix
_HEADLESS = mark("The file has no header: its columns are taken for {roles}, in this order.")
_PLACED = mark("By their order, columns {columns} are taken for {roles}.")
_NAMED = mark("Columns {columns} are taken for {roles}.")
_LEFT_OUT = mark("Columns left out: {columns}. Name columns to take others.")
_ROLE = {
    "users": mark("users"),
    "items": mark("items"),
    "ratings": mark("ratings"),
    "times": mark("times"),
}
_LARGEST = 1e100  # the square of a larger number, summed over ratings, is more than numbers hold


@dataclass(frozen=True)
class _Chosen:
    """A table, where its columns of users, items, ratings and perhaps times stand, and what to tell of it."""

    sheet: Sheet
    positions: tuple[int, ...]
    notes: tuple[str, ...] = ()


def open_sheet(content: bytes, suffix: str, place: Place, delimiter: str | None = None) -> Sheet:
    """Return the table that a file holds: Parquet by its content or name, or else text.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    if content.startswith(b"PAR1") or suffix in {".parquet", ".pq"}:
        return parquet_sheet(content, place)
    return text_sheet(content, suffix, place, delimiter)


def read_ratings(sheet: Sheet, columns: str | Sequence[str] | None, place: Place) -> Listing:
    """Read the ratings of a table.

    Parameters
    ----------
    sheet
        The table.
    columns
        Names of the columns of users, of items, of ratings and, if wanted, of times. Unless given, they are found by
        their names, or else by their order.
    place
        The file.

    Raises
    ------
    DataError
        If there are no such columns, no rows, ids or ratings are missing, or ratings and times are none.
    """
    chosen = _named(sheet, columns, place) if columns is not None else _found(sheet, place)
    user, item, rating, *time = chosen.positions
    cells = chosen.sheet.read((user, item), (rating, *time))
    if not len(cells.rows):
        raise place.error("there is a header, but no rows of data", "give one rating a row")
    headless = isinstance(chosen.sheet, TextSheet) and not chosen.sheet.n_above
    titles = [str(at + 1) if headless else chosen.sheet.header[at] for at in chosen.positions]
    for column, title, what in zip(cells.ids, titles, ("user", "item"), strict=False):
        refuse_blank(column, cells.rows, title, what, place)
    values = _values(cells.numbers[0], cells.rows, titles[2], place)
    times = seconds_of(cells.numbers[1], cells.rows, titles[3], place) if time else None
    users, items = cells.ids
    return Listing(users, items, values, times, cells.rows, titles[2], notes=chosen.notes)


def is_word(title: str, words: frozenset[str]) -> bool:
    """Whether a column's name is one of some words, whatever its case, its hyphens, and its type behind a colon."""
    return plain(title) in words


def plain(title: str) -> str:
    """Return a column's name in lower case, without what stands between words, and without RecBole's types."""
    return re.sub(r"[\s_.-]", "", re.sub(r":(token|float)(_seq)?$", "", title.strip())).lower()


def _values(cells: Numeric, rows: Integers, title: str, place: Place) -> Floats:
    """Return the ratings, all of them finite."""
    if isinstance(cells, Column):
        numbers, words = numbers_of(cells, rows)
        if len(words) > len(rows) // 2 and len(words) > 1:
            remedy = f"ratings are numbers; {_CHOOSE}"
            raise place.error("text, not numbers", remedy, column=title, cells=words)
        if words:
            comma = all(re.fullmatch(r"[+-]?\d+,\d+", word) for _, word in words)
            remedy = "write numbers with a decimal point, e.g. 3.5" if comma else "write a number, or delete the row"
            raise place.error("not a number", remedy, column=title, cells=words)
    elif cells.dtype.kind == "M":
        raise place.error("dates, not ratings", _CHOOSE, column=title)
    else:
        numbers = np.asarray(cells, dtype=np.float64)
    missing = np.flatnonzero(np.isnan(numbers))
    if missing.size:
        found: list[Cell] = [(int(rows[at]), "") for at in missing]
        remedy = "delete the row: what was not rated need not stand in the file"
        raise place.error("no rating", remedy, column=title, cells=found)
    for wrong, what in ((np.isinf(numbers), "infinite"), (np.abs(numbers) > _LARGEST, "too large to be squared")):
        if wrong.any():
            found = [(int(rows[at]), float(numbers[at])) for at in np.flatnonzero(wrong)]
            raise place.error(what, "correct the rating, or delete the row", column=title, cells=found)
    return numbers


def _named(sheet: Sheet, columns: str | Sequence[str], place: Place) -> _Chosen:
    wanted = [part for part in columns.split(",") if part.strip()] if isinstance(columns, str) else list(columns)
    if len(wanted) not in (3, 4):
        remedy = f"name those of users, items, ratings and, if wanted, times (--columns {_EXAMPLE})"
        raise place.error(f"{counted(len(wanted), 'column')} chosen", remedy)
    unknown = any(tidy(name) not in sheet.header for name in wanted)
    if unknown and isinstance(sheet, TextSheet) and _is_headless(sheet.header):
        problem = f"row {sheet.top} holds a rating, so that there are no names of columns to choose from"
        raise place.error(problem, "leave their names out (--columns), or put a header above the ratings")
    positions = tuple(position_of(name, sheet.header, place) for name in wanted)
    for at in positions:
        if positions.count(at) > 1:
            raise place.error("chosen twice", "name it once (--columns)", column=sheet.header[at])
    return _Chosen(sheet, positions)


def _found(sheet: Sheet, place: Place) -> _Chosen:
    """Find the columns by their names, or else by their order."""
    header = sheet.header
    is_named = any(is_word(title, _RATINGS) for title in header)
    if isinstance(sheet, TextSheet) and _is_headless(header) and not is_named:
        return _headless(sheet, place)
    known = [_recognised(header, words, place) for words in (USERS, ITEMS, _RATINGS, _TIMES)]
    if all(at is not None for at in known[:3]):
        positions = tuple(at for at in known if at is not None)
        return _Chosen(sheet, positions, _told(header, positions, _NAMED))
    return _placed(sheet, known, place)


def _headless(sheet: TextSheet, place: Place) -> _Chosen:
    """Take the columns of a file without a header by their order."""
    if len(sheet.header) > _MOST_PLACED:
        raise _too_many(sheet.header, _ROLES[:3], place)
    sheet = replace(sheet, n_above=0)
    positions = tuple(range(4 if len(sheet.header) > 3 and _is_time(sheet, 3) else 3))
    roles = commas([say(_ROLE[role]) for role in _ROLES[: len(positions)]])
    return _Chosen(sheet, positions, (say(_HEADLESS, roles=roles),))


def _placed(sheet: Sheet, known: Sequence[int | None], place: Place) -> _Chosen:
    """Take columns by their order, if those that are known by their names stand where they should."""
    header = sheet.header
    lacking = [role for role, at in zip(_ROLES[:3], known, strict=False) if at is None]
    if len(header) > _MOST_PLACED:
        raise _too_many(header, lacking, place)
    usable = [at for at, title in enumerate(header) if title and not title.lower().startswith("unnamed:")]
    if len(usable) < 3:
        problem = f"{counted(len(header), 'column')}, {joined([quote(title) for title in header])}"
        raise place.error(problem, f"ratings have three, e.g. {_EXAMPLE}, separated by commas or tabs")
    first, time = usable[:3], known[3]
    if time in first or any(at not in (None, order) for at, order in zip(known[:3], first, strict=True)):
        problem = f"no column is named for {joined(lacking)}, only {joined([quote(header[at]) for at in usable])}"
        raise place.error(problem, _CHOOSE)
    if time is None and len(usable) == 4 and _is_time(sheet, usable[3]):
        time = usable[3]
    positions = (*first, *([] if time is None else [time]))
    return _Chosen(sheet, positions, _told(header, positions, _PLACED))


def _too_many(header: Sequence[str], lacking: Sequence[str], place: Place) -> Exception:
    problem = f"there are {counted(len(header), 'column')}, and none is named for {joined(lacking)}"
    return place.error(problem, f"give one rating a row, e.g. {_EXAMPLE}, or {_CHOOSE}")


def _told(header: Sequence[str], positions: Sequence[int], template: str) -> tuple[str, ...]:
    names = [header[at] for at in positions]
    left = [quote(title) for at, title in enumerate(header) if at not in positions and title]
    notes = []
    if template == _PLACED or [plain(name).removesuffix("id") for name in names[:3]] != ["user", "item", "rating"]:
        roles = commas([say(_ROLE[role]) for role in _ROLES[: len(positions)]])
        notes.append(say(template, columns=commas([quote(name) for name in names]), roles=roles))
    return (*notes, *([say(_LEFT_OUT, columns=commas(left))] if left else []))


def _recognised(header: Sequence[str], words: frozenset[str], place: Place) -> int | None:
    found = [at for at, title in enumerate(header) if is_word(title, words)]
    if len(found) > 1:
        which = joined([quote(header[at]) for at in found])
        raise place.error(f"columns {which} may mean the same", _CHOOSE)
    return found[0] if found else None


def _is_headless(header: Sequence[str]) -> bool:
    """Whether a first line holds a rating, where a name should stand."""
    return len(header) > 2 and weight_of(header[2]) is not None


def _is_time(sheet: Sheet, position: int) -> bool:
    """Whether a column's first cells are numbers, or begin with a year."""
    cells = [cells[position] for cells in sheet.head(8) if len(cells) > position]
    return bool(cells) and all(re.match(r"\d+(\.\d*)?$|\d{4}-\d", cell) for cell in cells)
