"""What is known of users and of items: a row each, by their ids."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeskit.datasets import _ratings_notes as told
from bayeskit.datasets._cells import MISSING, parse_number
from bayeskit.datasets._files import read_bytes
from bayeskit.datasets._graph_cells import Column, Integers
from bayeskit.datasets._problems import Place, listed, quote
from bayeskit.datasets._ratings_columns import ITEMS, USERS, open_sheet, plain
from bayeskit.datasets._ratings_frames import FrameSheet
from bayeskit.datasets._ratings_listing import refuse_blank
from bayeskit.datasets._ratings_movielens import DELIMITERS, HEADERS, objects, tidied
from bayeskit.datasets._ratings_sheets import Cells, Sheet, TextSheet
from bayeskit.datasets.tables import refuse_same_names

if TYPE_CHECKING:
    import pandas as pd

_NAMES = {"movietitle": "title", "releaseyear": "year", "genre": "genres", "zipcode": "zip", "sex": "gender"}
_KNOWN = frozenset({"title", "year", "genres", "age", "gender", "occupation", "zip"})
_TEXTS = frozenset({"title", "genres", "gender", "occupation", "zip"})
_IDS = {"users": USERS | {"id"}, "items": ITEMS | {"id"}}


@dataclass(frozen=True, eq=False)
class Known:
    """A table of users or items.

    Parameters
    ----------
    ids
        ``n_rows``, each once.
    frame
        ``n_rows``, numbers (NaN where missing) or texts (empty where missing) by column.
    notes
        What to tell of it.
    """

    ids: Sequence[str]
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()

    def rows_of(self, names: Sequence[str]) -> Integers:
        """Return the row of each name, -1 where there is none."""
        places = {text: at for at, text in enumerate(self.ids)}
        return np.array([places.get(name, -1) for name in names], dtype=np.int64)

    def ordered(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the rows of names, in their order, with missing values where there is none."""
        import pandas as pd

        rows = self.rows_of(names)
        found = {}
        for title in self.frame.columns:
            values = self.frame[title].to_numpy()
            missing: Any = np.nan if values.dtype.kind == "f" else ""
            found[title] = np.where(rows < 0, missing, values[rows])
        return pd.DataFrame(found, index=pd.Index(list(names)))


@dataclass(frozen=True)
class Tables:
    """The tables that there are of ``users`` and ``items``, and what to tell of those that there are not."""

    known: Mapping[str, Known]
    notes: tuple[str, ...] = ()

    def ordered(self, names: Mapping[str, Sequence[str]]) -> tuple[dict[str, pd.DataFrame | None], tuple[str, ...]]:
        """Return the tables in the order of names, None where there is none, and what to tell of them."""
        notes = list(self.notes)
        found: dict[str, pd.DataFrame | None] = {}
        for what, texts in names.items():
            table = self.known.get(what)
            found[what] = None if table is None else table.ordered(texts)
            if table is not None:
                n_lacking = int(np.count_nonzero(table.rows_of(texts) < 0))
                notes += [*table.notes, *([told.lacking(n_lacking, what)] if n_lacking else [])]
        return found, tuple(notes)


def read_tables(
    named: Mapping[str, str | os.PathLike[str] | None], beside: Mapping[str, Path], names: Mapping[str, Sequence[str]]
) -> Tables:
    """Read the tables of ``users`` and ``items``.

    Parameters
    ----------
    named
        Files that the user names: CSV, TSV or Parquet with a header, or one of MovieLens's without.
    beside
        Files that lie beside the ratings, for where none is named.
    names
        Ids of those that are rated.

    Raises
    ------
    DataError
        If a table cannot be used: ids that are missing or repeated, no header, or, of one that the user names, none of
        those that are rated.
    """
    known, notes = {}, []
    for what, ids in names.items():
        file = named[what]
        path = beside.get(what) if file is None else Path(file)
        if path is None:
            continue
        found = _read(path, what, ids)
        if (found.rows_of(ids) >= 0).any():
            known[what] = found
        elif file is None:
            notes.append(told.unrelated(path, what))
        else:
            raise _unrelated(found, what, ids, Place(str(path)))
    return Tables(known, tuple(notes))


def tables_of(frames: Mapping[str, pd.DataFrame | None], names: Mapping[str, Sequence[str]]) -> Tables:
    """Take tables from a script: frames whose column of ids, or else whose index, has the names.

    Raises
    ------
    DataError
        As ``read_tables``.
    """
    known = {}
    for what, frame in frames.items():
        if frame is None:
            continue
        place = Place(what)
        if not any(plain(str(title)) in _IDS[what] for title in frame.columns):
            frame = frame.rename_axis(what.removesuffix("s")).reset_index()
        known[what] = _known(FrameSheet(frame, place), what, names[what], place)
        if not (known[what].rows_of(names[what]) >= 0).any():
            raise _unrelated(known[what], what, names[what], place)
    return Tables(known)


def _read(path: Path, what: str, names: Sequence[str]) -> Known:
    place = Place(str(path))
    name = path.name.lower()
    content = read_bytes(path, place)
    sheet = open_sheet(content, path.suffix.lower(), place, DELIMITERS.get(name))
    if isinstance(sheet, TextSheet) and name in HEADERS:
        header = HEADERS[name]
        if len(header) != len(sheet.header):
            problem = f"{len(sheet.header)} cells in row {sheet.top}, where {path.name} of MovieLens has {len(header)}"
            raise place.error(problem, "give the file another name, and a header")
        sheet = replace(sheet, header=header, n_above=0)
    return replace(_known(sheet, what, names, place, name), notes=(told.from_file(what, path, content),))


def _unrelated(found: Known, what: str, names: Sequence[str], place: Place) -> Exception:
    problem = (
        f"none of the {what} that are rated ({listed(map(quote, names))}) is among {listed(map(quote, found.ids))}"
    )
    return place.error(problem, "ids are compared as texts; write them alike in both, or leave the table out")


def _known(sheet: Sheet, what: str, names: Sequence[str], place: Place, layout: str = "") -> Known:
    """Take the rows of a table by their ids."""
    import pandas as pd

    header = sheet.header
    at = next((at for at, title in enumerate(header) if plain(title) in _IDS[what]), 0)
    if plain(header[at]) not in _IDS[what] and header[at] in set(names):
        problem = f"the header is {quote(header[at])}, one of the {what}, where the name of the column should stand"
        raise place.error(problem, f"put a header above the {what}, e.g. {what.removesuffix('s')}")
    wanted = [at, *(one for one, title in enumerate(header) if one != at and title)]
    refuse_same_names([header[one] for one in wanted], place)
    cells = sheet.read(wanted)
    if not len(cells.rows):
        raise place.error("there is a header, but no rows of data", f"give one of the {what} a row")
    ids = _ids(cells, header[at], what, place)
    found = tidied(_columns(cells, [header[one] for one in wanted[1:]]), layout)
    return Known(ids, pd.DataFrame(found, index=range(len(ids))))


def _ids(cells: Cells, title: str, what: str, place: Place) -> list[str]:
    column = cells.ids[0]
    refuse_blank(column, cells.rows, title, what.removesuffix("s"), place)
    counts = np.bincount(column.codes, minlength=len(column.texts))
    if counts.max() > 1:
        twice = int(column.codes[np.flatnonzero(counts[column.codes] > 1)[0]])
        found = [(int(cells.rows[at]), column.texts[twice]) for at in np.flatnonzero(column.codes == twice)]
        raise place.error(f"the same {what.removesuffix('s')}", "name each once", column=title, cells=found)
    return [column.texts[code] for code in column.codes]


def _columns(cells: Cells, titles: Sequence[str]) -> dict[str, Any]:
    """Return columns under the names that are usual for what they hold."""
    found: dict[str, Any] = {}
    for title, column in zip(titles, cells.ids[1:], strict=True):
        simple = plain(title)
        name = _NAMES.get(simple, simple)
        name = name if name in _KNOWN and name not in found else title
        found[name] = _texts(column, name) if name in _TEXTS else _values(column, name)
    return found


def _texts(column: Column, name: str) -> Any:
    missing = MISSING if name != "title" else frozenset({""})
    return objects(["" if text.lower() in missing else text for text in column.texts])[column.codes]


def _values(column: Column, name: str) -> Any:
    """Return numbers, if all that is there are such and none begins with a zero as codes do; or else texts."""
    numbers = [parse_number(text) for text in column.texts]
    codes = any(re.match(r"0\d", text) for text in column.texts)
    if codes or any(number is None or np.isinf(number) for number in numbers):
        return _texts(column, name)
    return np.array(numbers, dtype=np.float64)[column.codes]
