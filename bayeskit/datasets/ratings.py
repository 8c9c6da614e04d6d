"""Ratings: what users gave to items, sparse, with what is known of both, and those that are held out for testing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.core.language import mark, say
from bayeskit.core.types import Source
from bayeskit.datasets import _ratings_notes as told
from bayeskit.datasets._files import read_bytes
from bayeskit.datasets._problems import Place, counted
from bayeskit.datasets._ratings_columns import open_sheet, read_ratings
from bayeskit.datasets._ratings_files import ratings_file, tables_beside
from bayeskit.datasets._ratings_listing import Listing
from bayeskit.datasets._ratings_movielens import DELIMITERS
from bayeskit.datasets._ratings_order import frozen, ordered
from bayeskit.datasets._ratings_rules import Repeated, Rules
from bayeskit.datasets._ratings_scale import described
from bayeskit.datasets._ratings_scripts import listing_of, masked
from bayeskit.datasets._ratings_splits import split_up
from bayeskit.datasets._ratings_tables import Tables, read_tables, tables_of
from bayeskit.datasets.sources import located

if TYPE_CHECKING:
    import pandas as pd

FilePath = str | os.PathLike[str]

_NO_FILE = mark("Ratings made in a script")


@dataclass(frozen=True, eq=False, repr=False)
class Ratings:
    """Ratings as they were read; build them with ``load_ratings`` or ``ratings``.

    Parameters
    ----------
    users
        ``n_users`` ids, in order of first appearance among the training ratings, then those of test ratings only.
    items
        ``n_items`` ids, likewise.
    user
        ``n_ratings``, the position in ``users`` of who gave each, in the file's order.
    item
        ``n_ratings``, the position in ``items`` of what it was given to.
    values
        ``n_ratings``, all finite, on the scale. What was not rated is not there: it is missing, and not zero.
    times
        ``n_ratings``, seconds since 1970; None where the file has none.
    levels
        The steps of the scale, ascending, such as 1 to 5; empty where ratings are continuous.
    scale
        The least and the greatest rating there may be.
    test
        ``n_ratings``, whether each is held out for testing.
    user_table
        ``n_users`` rows in the order of ``users``, which is the index; columns such as age, gender and occupation, NaN
        or empty where missing. None where there is no table.
    item_table
        ``n_items`` rows likewise; columns such as title, year and genres (``Action|Comedy``).
    source
        The file; of ratings made in a script without a path.
    options
        What ``load_ratings`` was called with besides the file, to repeat it; empty of ratings made in a script.
    """

    users: NDArray[np.str_]
    items: NDArray[np.str_]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    values: NDArray[np.float64]
    times: NDArray[np.int64] | None
    levels: NDArray[np.float64]
    scale: tuple[float, float]
    test: NDArray[np.bool_]
    user_table: pd.DataFrame | None
    item_table: pd.DataFrame | None
    source: Source
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_users(self) -> int:
        """Number of users."""
        return int(self.users.size)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return int(self.items.size)

    @property
    def n_ratings(self) -> int:
        """Number of ratings."""
        return int(self.values.size)

    @property
    def n_test(self) -> int:
        """Number of ratings held out for testing."""
        return int(np.count_nonzero(self.test))

    @property
    def n_train(self) -> int:
        """Number of ratings for training."""
        return self.n_ratings - self.n_test

    @property
    def n_known_users(self) -> int:
        """Number of users with a rating for training; they are the first of ``users``."""
        return int(self.user[~self.test].max()) + 1

    @property
    def n_known_items(self) -> int:
        """Number of items with a rating for training; they are the first of ``items``."""
        return int(self.item[~self.test].max()) + 1

    def __repr__(self) -> str:
        held = f", {self.n_test:,} for testing" if self.n_test else ""
        sizes = f"{counted(self.n_users, 'user')}, {counted(self.n_items, 'item')}"
        return f"Ratings({counted(self.n_ratings, 'rating')}{held}, {sizes}, {self.scale[0]:g} to {self.scale[1]:g})"


def load_ratings(
    path: FilePath,
    *,
    columns: str | Sequence[str] | None = None,
    users: FilePath | None = None,
    items: FilePath | None = None,
    repeated: Repeated = "error",
    scale: str | None = None,
    split: str = "random",
    hold_out: float = 0.1,
    first: int | None = None,
) -> Ratings:
    """Read ratings from a table, or from a data set in one of MovieLens's layouts.

    Parameters
    ----------
    path
        A CSV, tab-separated or Parquet file with a rating a row; MovieLens's ``u.data``, ``ratings.csv`` or
        ``ratings.dat``, or the folder where one of them lies; or the name of a data set. Ids are texts as they are
        written, but for white space around them: ``007`` is not ``7``. From a column of floating numbers, 12.0 is
        ``12``; values that would become one text, such as the number 12 and the text ``12``, are refused.
    columns
        Names of the columns of users, of items, of ratings and, if wanted, of times, separated by commas or as a list.
        Unless given, those with usual names, such as user or userId, item or movieId, rating or stars, time or
        timestamp; or else the first three, and the last of four if it may hold times. Times are seconds since 1970,
        milliseconds, or dates in ISO 8601.
    users, items
        Tables of what is known of them: CSV, tab-separated or Parquet files, whose column user, item or id, or else the
        first, has the ids. Unless given, those that lie beside the ratings under the names that belong to them:
        ``u.user`` and ``u.item``, ``users.dat`` and ``movies.dat``, ``users.csv`` and ``items.csv`` or ``movies.csv``.
    repeated
        Pairs of user and item that are rated several times: ``error`` refuses them, ``mean`` takes the mean of the
        ratings and the last time, ``last`` the last one, by its time, or else by its row.
    scale
        ``least:greatest`` or ``least:greatest:step``; ratings outside it are refused. Unless given, it is guessed from
        all ratings, those for testing included: at most 20 equally spaced steps, or else a continuous scale.
    split
        What is held out for testing. ``none``; ``random``, the share ``hold_out`` of the ratings, always the same of
        the same file, as it does not depend on the seed of a run; ``last``, of each user with at least two ratings the
        last by its time, of several at that time the last in the file; or a ``NAME`` for which ``NAME.base`` and
        ``NAME.test`` lie beside the ratings, such as MovieLens 100K's ``u1`` to ``u5``, ``ua`` and ``ub``. ``u1`` to
        ``u5`` are rebuilt from the 100,000 ratings where these files are missing: for testing are, one after the other,
        the fifths of the file.
    hold_out
        Share that ``random`` holds out.
    first
        Only so many of the file's first ratings, if not all.

    Returns
    -------
    Ratings
        ``source.notes`` tells of all that was not taken as it stands.

    Raises
    ------
    DataError
        If the files cannot be used as they are: one line that names file, column, row (the line in the file, counted
        from 1; of a Parquet file the record), value and remedy.
    ConfigError
        For an option that is none.
    """
    rules = Rules(repeated, scale, split, hold_out, first)
    name = os.fspath(path)
    place, given = Place(str(name)), located(name)
    file = ratings_file(given, place)
    place = place if file == given else Place(str(file))
    content = read_bytes(file, place)
    sheet = open_sheet(content, file.suffix.lower(), place, DELIMITERS.get(file.name.lower()))
    listing = read_ratings(sheet, columns, place)
    paths = {"users": users, "items": items}
    tables = read_tables(paths, tables_beside(file), {"users": listing.user.texts, "items": listing.item.texts})
    found = _built(listing, tables, rules, place, file.parent)
    source = replace(
        found.source,
        path=os.fsencode(name).decode("utf-8", "backslashreplace"),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    options = {
        "columns": columns if columns is None or isinstance(columns, str) else ",".join(columns),
        **{option: None if table is None else os.fspath(table) for option, table in paths.items()},
        "repeated": repeated,
        "scale": scale,
        "split": split,
        "hold_out": hold_out,
        "first": first,
    }
    return replace(found, source=source, options=options)


def ratings(
    user: Any,
    item: ArrayLike | None = None,
    values: ArrayLike | None = None,
    times: ArrayLike | None = None,
    *,
    test: ArrayLike | None = None,
    columns: str | Sequence[str] | None = None,
    users: pd.DataFrame | None = None,
    items: pd.DataFrame | None = None,
    repeated: Repeated = "error",
    scale: str | None = None,
    split: str = "random",
    hold_out: float = 0.1,
) -> Ratings:
    """Take ratings from a script.

    Parameters
    ----------
    user
        A frame of pandas with a rating a row, whose columns are found as those of a file; or ``n_ratings`` ids of
        users.
    item, values, times
        ``n_ratings`` each, unless there is a frame: ids of items, ratings and, if known, times.
    test
        ``n_ratings``, true for those to hold out for testing, instead of a ``split``.
    users, items
        Frames of what is known of them; their ids are a column user, item or id, or else the index.
    columns, repeated, scale, split, hold_out
        As in ``load_ratings``.

    Returns
    -------
    Ratings
        As there is no file, no command can repeat a run of them.

    Raises
    ------
    DataError
        If they cannot be used as they are; rows are counted from 1.
    ConfigError
        For an option that is none, or both ``test`` and a ``split``.
    """
    rules = Rules(repeated, scale, split, hold_out)
    place = Place("ratings")
    listing = listing_of(user, item, values, times, columns, place)
    if test is not None:
        if split != "random":
            raise ConfigError(f"test marks the ratings to hold out, and split '{split}' others; give one of the two")
        listing = masked(listing, test, place)
    names = {"users": listing.user.texts, "items": listing.item.texts}
    found = _built(listing, tables_of({"users": users, "items": items}, names), rules, place)
    description = say("{what}: {described}", what=say(_NO_FILE), described=found.source.description)
    return replace(found, source=replace(found.source, description=description))


def _built(listing: Listing, tables: Tables, rules: Rules, place: Place, folder: Path | None = None) -> Ratings:
    """Build ratings whose source has neither path nor hash yet."""
    listing, steps = split_up(listing, rules, folder, place)
    assert listing.test is not None
    users, user = ordered(listing.user, listing.test)
    items, item = ordered(listing.item, listing.test)
    known, notes = tables.ordered({"users": users.tolist(), "items": items.tolist()})
    found = Ratings(
        users=users,
        items=items,
        user=frozen(user),
        item=frozen(item),
        values=frozen(listing.values),
        times=None if listing.times is None else frozen(listing.times),
        levels=frozen(steps.levels),
        scale=(steps.low, steps.high),
        test=frozen(listing.test),
        user_table=known["users"],
        item_table=known["items"],
        source=Source("", "", ""),
    )
    all_notes = (*listing.notes, *notes, *told.notes_on(found))
    source = Source("", "", told.described(found, described(steps)), all_notes, told.variables_of(found))
    return replace(found, source=source)
