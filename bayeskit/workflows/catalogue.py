"""Users and items by their names, as a run of a factorisation has them, and as a reader writes them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.datasets._cells import parse_number
from bayeskit.datasets._graph_cells import text_of
from bayeskit.datasets._problems import Place, counted, listed, nearest, quote
from bayeskit.datasets._ratings_columns import ITEMS, USERS, is_word
from bayeskit.workflows.tables import texts_of

if TYPE_CHECKING:
    import pandas as pd

    from bayeskit.core.types import Fit
    from bayeskit.workflows.tables import Data

    Told = Mapping[Any, Any] | Data

Integers = NDArray[np.int64]

_SIDES = {"user": USERS, "item": ITEMS}
_VALUES = frozenset({"rating", "ratings", "stars", "score", "value"})
_ONE_RATING = re.compile(r"\s*(.+?)\s*=\s*([^,=]+?)\s*(?:,|$)")
_ONE_VALUE = re.compile(r"\s*([^=,]+?)\s*=\s*(.*?)\s*(?:,(?=[^=,]+=)|$)")


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Names of users and items, in the run's order.

    Parameters
    ----------
    users, items
        Names.
    titles
        Of the items, with the year where it is known; empty where there are none.
    plain_titles
        The same without the year.
    """

    users: Sequence[str]
    items: Sequence[str]
    titles: Sequence[str]
    plain_titles: Sequence[str]

    def user(self, name: object) -> int:
        """Return a user's position.

        Raises
        ------
        DataError
            If there is none of this name.
        """
        text = text_of(name)
        if text not in self._users:
            near = nearest(text, self.users)
            there = f"the nearest is {quote(near)}; " if near else ""
            raise DataError(
                f"the run has no user {quote(text)}; {there}for somebody new give --ratings or --profile instead"
            )
        return self._users[text]

    def item(self, name: object) -> int:
        """Return an item's position, by its name or its title, with or without the year.

        Raises
        ------
        DataError
            If there is none, or several have this title.
        """
        text = text_of(name)
        if text in self._items:
            return self._items[text]
        found = self._by_title.get(text.casefold(), [])
        if len(found) == 1:
            return found[0]
        if found:
            which = listed(f"{quote(self.titles[at])} ({self.items[at]})" for at in found)
            raise DataError(
                f"{counted(len(found), 'item')} of the run have the title {quote(text)}: {which}; give the id"
            )
        near = nearest(text, [*self.items, *self.titles])
        raise DataError(
            f"the run has no item {quote(text)}; " + (f"did you mean {quote(near)}?" if near else "correct it")
        )

    def positions(self, side: str, names: Sequence[object]) -> Integers:
        """Return positions of users or items, -1 of those that the run does not know."""
        known = self._users if side == "user" else self._items
        return np.array([known.get(text_of(name), -1) for name in names], dtype=np.int64)

    @cached_property
    def _users(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.users)}

    @cached_property
    def _items(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.items)}

    @cached_property
    def _by_title(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for at, titles in enumerate(zip(self.titles, self.plain_titles, strict=True)):
            for title in {title.casefold() for title in titles if title}:
                found.setdefault(title, []).append(at)
        return found


def catalogue_of(fit: Fit) -> Catalogue:
    """Return the names of a run's users and items."""
    users, items = (fit.posterior[name].to_dataset() for name in ("users", "items"))
    names = [str(name) for name in items["item_name"].values]
    plain = [str(title) for title in items["title"].values] if "title" in items else []
    titles = plain
    if plain and "year" in items and items["year"].dtype.kind in "iuf":
        years = items["year"].values
        dated = zip(plain, years, np.isfinite(years), strict=True)
        titles = [f"{title} ({year:.0f})" if title and known else title for title, year, known in dated]
    return Catalogue([str(name) for name in users["user_name"].values], names, titles, plain)


def read_pairs(fit: Fit, data: Data) -> tuple[pd.DataFrame, Integers, NDArray[np.generic]]:
    """Return all columns, the positions of users and items, ``n_rows x 2``, and what each row is called.

    Users and items that the run does not know, and those that are missing, are -1.
    """
    frame, rows, place = texts_of(data)
    names, columns = catalogue_of(fit), [_column(fit, frame, side, words, place) for side, words in _SIDES.items()]
    found = [names.positions(side, frame[column].tolist()) for side, column in zip(_SIDES, columns, strict=True)]
    return frame, np.column_stack(found), rows


def read_ratings(fit: Fit, told: Told, names: Catalogue) -> tuple[Integers, NDArray[np.float64]]:
    """Return the positions of items that somebody has rated, and what she gave.

    Parameters
    ----------
    fit
        The run, whose scale ratings have to lie on.
    told
        Ratings by item, a table with columns of items and ratings, its file, or a text such as
        ``Star Wars (1977)=5,Fargo (1996)=4``.
    names
        Of the run's items.

    Raises
    ------
    DataError
        If an item is unknown or rated twice, or a rating is none or off the scale.
    """
    place, pairs = _told(fit, told)
    found: dict[int, float] = {}
    for name, value in pairs:
        item, number = names.item(name), parse_number(text_of(value))
        if number is None or not np.isfinite(number):
            raise place.error(
                f"the rating of {quote(text_of(name))}, {quote(text_of(value))}, is not a number", "correct it"
            )
        if item in found:
            raise place.error(f"item {quote(names.items[item])} is rated twice", "say one of its ratings")
        found[item] = _checked(fit, number, place)
    return np.array(list(found), dtype=np.int64), np.array(list(found.values()), dtype=np.float64)


def read_profile(told: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return values by column, of a mapping or a text such as ``age=24,occupation=student``.

    Raises
    ------
    ConfigError
        For a text of another form.
    """
    if not isinstance(told, str):
        return {str(name): value for name, value in told.items()}
    found = _ONE_VALUE.findall(told)
    if not found or _ONE_VALUE.sub("", told).strip():
        raise ConfigError(
            f"profile {quote(told)} is no list of columns and values; give --profile age=24,occupation=student"
        )
    return dict(found)


def _told(fit: Fit, told: Told) -> tuple[Place, list[tuple[Any, Any]]]:
    if isinstance(told, Mapping):
        return Place("ratings"), list(told.items())
    if isinstance(told, str) and "=" in told and not Path(told).is_file():
        if _ONE_RATING.sub("", told).strip():
            raise ConfigError(
                f"ratings {quote(told)} are no list of items and numbers; give --ratings 'Fargo (1996)=4,50=5'"
            )
        return Place("ratings"), _ONE_RATING.findall(told)
    frame, _, place = texts_of(Path(told).expanduser() if isinstance(told, str | os.PathLike) else told)
    item, value = (_column(fit, frame, what, words, place) for what, words in (("item", ITEMS), ("rating", _VALUES)))
    return place, list(zip(frame[item].tolist(), frame[value].tolist(), strict=True))


def _checked(fit: Fit, number: float, place: Place) -> float:
    card = fit.provenance.card.factors
    assert card is not None
    if not card.low <= number <= card.high:
        raise place.error(f"a rating of {number:g} is off the scale, {card.low:g} to {card.high:g}", "correct it")
    if card.likelihood == "ordinal" and number not in card.levels:
        raise place.error(
            f"a rating of {number:g} is none of the levels {listed(f'{one:g}' for one in card.levels)}", "correct it"
        )
    return number


def _column(fit: Fit, frame: pd.DataFrame, what: str, words: frozenset[str], place: Place) -> Any:
    """Return the column that the run's data have by this name, or one with a usual name."""
    chosen = str(fit.provenance.config.get("columns") or "").split(",")
    own = dict(zip(("user", "item", "rating"), (name.strip() for name in chosen), strict=False)).get(what)
    if own and own in frame:
        return own
    found = [name for name in frame.columns if is_word(str(name), words)]
    if len(found) != 1:
        problem = (
            f"columns {listed(map(quote, map(str, found)))} may be meant" if found else f"there is no column of {what}s"
        )
        raise place.error(problem, f"call it {quote(own or what)}")
    return found[0]
