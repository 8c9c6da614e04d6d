"""What is known of users and items, as features that their prior means depend on.

Only training ratings enter. Implicit feedback, that a user has rated an item however she liked it, as in SVD++: Koren
(2008), doi:10.1145/1401890.1401944, of items by their users too, Rendle, Zhang and Koren (2019), arXiv:1905.01395.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.core.language import say
from bayeskit.datasets._problems import nearest
from bayeskit.models.factors.observed import Features

if TYPE_CHECKING:
    from bayeskit.datasets.ratings import Ratings

Floats = NDArray[np.float64]

KINDS = ("users", "items", "time", "implicit")
_BINS = 20  # of times, and of numbers in tables
_MOST_CATEGORIES = 100
_LARGEST_SYSTEM = 6000  # rows or features, whichever are fewer: a dense system of this size is solved in every sweep
_MOST_NUMBERS = 200_000_000  # in a table of features
_BY_AREA = ("zip", "postal", "postcode")  # codes whose first character says where


class Group(NamedTuple):
    """Features that matter more or less as a whole: a name, ``n x n_columns``, and the columns' names."""

    name: str
    matrix: Floats
    columns: tuple[str, ...]


class Built(NamedTuple):
    """Features of both sides, None where there are none, and what to tell of them."""

    user: Features | None
    item: Features | None
    notes: tuple[str, ...]


def kinds_of(text: str | Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of features that were asked for, in their own order.

    Raises
    ------
    ConfigError
        For a kind that is none.
    """
    words = text.split(",") if isinstance(text, str) else list(text)
    asked = [word.strip() for word in words if word.strip()]
    if asked == ["none"]:
        return ()
    if asked == ["all"]:
        return KINDS
    for word in asked:
        if word not in KINDS:
            raise ConfigError(f"features '{word}' are unknown; choose from {', '.join(KINDS)}, all or none")
    return tuple(kind for kind in KINDS if kind in asked)


def build_features(data: Ratings, kinds: Sequence[str]) -> Built:
    """Build the features of users and of items.

    Parameters
    ----------
    data
        The ratings, with their tables.
    kinds
        Of ``KINDS``: ``users`` and ``items`` take the columns of their tables, one column for each category, or for
        each of up to 20 bins of a number; ``time`` the shares of a user's, and of an item's, ratings in 20 bins with
        equally many ratings; ``implicit`` which items a user has rated, and which users an item, divided by the square
        root of their number.

    Raises
    ------
    ConfigError
        If there is no table or there are no times, or there would be too many features.
    """
    groups: dict[str, list[Group]] = {"user": [], "item": []}
    notes: list[str] = []
    for side, kind, table in (("user", "users", data.user_table), ("item", "items", data.item_table)):
        if kind not in kinds:
            continue
        if table is None:
            raise ConfigError(f"there is no table of {kind} to take features from; give --{kind} FILE, or leave it out")
        left: list[str] = []
        groups[side] += _of_table(table, left)
        if left:
            notes.append(_left_out(kind, left))
    if "time" in kinds:
        groups["user"].append(_in_time(data, data.user, data.n_users))
        groups["item"].append(_in_time(data, data.item, data.n_items))
    if "implicit" in kinds:
        groups["user"].append(_implicit(data, data.user, data.item, data.n_users, data.items))
        groups["item"].append(_implicit(data, data.item, data.user, data.n_items, data.users))
    user, item = (_joined(groups[side], side) for side in ("user", "item"))
    return Built(user, item, tuple(notes))


@dataclass(frozen=True, eq=False)
class Seen:
    """What features of users were made of.

    Parameters
    ----------
    kinds
        Of ``KINDS``.
    table
        The users' table; None where there was none.
    times
        Of the training ratings, seconds since 1970; None where there were none.
    n_items
        Number of items with training ratings.
    """

    kinds: Sequence[str]
    table: pd.DataFrame | None
    times: NDArray[np.int64] | None
    n_items: int

    def new_user(self, told: Mapping[str, object], rated: NDArray[np.int64]) -> Floats:
        """Return the features of a user whom the fit did not see, as it would have made them.

        Parameters
        ----------
        told
            What is known of her, by the columns of the table: values, or texts of them. What is not told is 0
            everywhere, and so is when she rated.
        rated
            Items that she has rated, from 0.

        Raises
        ------
        ConfigError
            For a column that has no features, or a value that the fit has not seen.
        """
        table = self.table if self.table is not None and "users" in self.kinds else pd.DataFrame()
        groups = list(_of_table(table, []))
        usable = [group.name for group in groups]
        for name in told:
            if name not in usable:
                there = f"there are {', '.join(usable)}" if usable else "there are none: fit with --features users"
                raise ConfigError(f"the fit has no features of users by '{name}'; {there}")
        parts = [_new_indicators(group, table[group.name], told.get(group.name, "")) for group in groups]
        if "time" in self.kinds and self.times is not None:
            parts.append(np.zeros(len(_time_edges(self.times)) + 1))
        if "implicit" in self.kinds:
            parts.append(np.zeros(self.n_items))
            seen = rated[rated < self.n_items]
            parts[-1][seen] = 1 / np.sqrt(max(len(seen), 1))
        return np.concatenate([*parts, np.empty(0)])


def _new_indicators(group: Group, like: pd.Series, value: object) -> Floats:
    """Return a group's features of one value, which need not be in the table."""
    found = np.zeros(len(group.columns))
    known = {label for labels in _labels(group.name, like, like) for label in labels}
    for label in _labels(group.name, _one(group.name, value, like), like)[0]:
        if label not in known:
            near = nearest(label, known)
            hint = f"choose from {', '.join(sorted(known))}" if near is None else f"did you mean '{near}'?"
            raise ConfigError(f"{group.name} '{label}' is none that the fit has seen; {hint}")
        column = f"{group.name}={label}"
        if column in group.columns:  # not where all have it
            found[group.columns.index(column)] = 1.0
    return found


def _one(name: str, value: object, like: pd.Series) -> pd.Series:
    """Return a value as a column of the same kind."""
    if not pd.api.types.is_numeric_dtype(like):
        return pd.Series([value], dtype=object)
    try:
        number = float(str(value) or "nan")
    except ValueError:
        raise ConfigError(f"{name} '{value}' is not a number, as those of the fit are") from None
    whole = pd.api.types.is_integer_dtype(like) and number.is_integer()
    return pd.Series([int(number) if whole else number])


def _left_out(kind: str, columns: Sequence[str]) -> str:
    told = ", ".join(columns)
    if kind == "users":
        return say("No features of users, as nearly all their values differ: {columns}.", columns=told)
    return say("No features of items, as nearly all their values differ: {columns}.", columns=told)


def _of_table(table: pd.DataFrame, left: list[str]) -> Iterator[Group]:
    """Give a group for each column; names of those with too many categories are added to ``left``."""
    for name in map(str, table.columns):
        matrix, columns = _indicators(_labels(name, table[name], table[name]))
        if not columns:
            continue
        if len(columns) > min(_MOST_CATEGORIES, len(table) // 2):
            left.append(name)
            continue
        yield Group(name, matrix, tuple(f"{name}={column}" for column in columns))


def _labels(name: str, column: pd.Series, like: pd.Series) -> list[list[str]]:
    """Return the labels of each value of a column, as it has them in a table where the column is ``like``."""
    if _is_binned(like):
        labels = _binned(column.to_numpy(dtype=float), like.to_numpy(dtype=float))
        return [[label] if label else [] for label in labels]
    texts = ["" if pd.isna(value) else str(value).strip() for value in column]
    if name.lower().startswith(_BY_AREA):
        texts = [text[:1] for text in texts]
    return [[part for part in text.split("|") if part] for text in texts]


def _is_binned(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and column.nunique() > _BINS


def _binned(values: Floats, like: Floats) -> list[str]:
    """Return the bin of each number, by bins of about equally many of ``like``; empty where it is missing."""
    known = like[np.isfinite(like)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1), method="inverted_cdf"))
    places = np.searchsorted(edges, values, side="right") - 1
    places = np.clip(places, 0, max(len(edges) - 2, 0))
    return [f"{edges[at]:.6g}-" if np.isfinite(value) else "" for value, at in zip(values, places, strict=True)]


def _indicators(rows: Sequence[Sequence[str]]) -> tuple[Floats, list[str]]:
    """Return a column of ones and zeros for each label that some, and not all, rows have."""
    labels = sorted({label for row in rows for label in row})
    position = {label: at for at, label in enumerate(labels)}
    matrix = np.zeros((len(rows), len(labels)))
    for at, row in enumerate(rows):
        for label in row:
            matrix[at, position[label]] = 1.0
    kept = np.flatnonzero((matrix != matrix[:1]).any(axis=0))
    return matrix[:, kept], [labels[at] for at in kept]


def _in_time(data: Ratings, rows: NDArray[np.int64], n_rows: int) -> Group:
    """Return the share of each row's training ratings in bins of time."""
    if data.times is None:
        raise ConfigError("the ratings have no times to take features from; leave time out of --features")
    train = ~data.test
    times = data.times[train]
    edges = _time_edges(times)
    counts = np.zeros((n_rows, len(edges) + 1))
    np.add.at(counts, (rows[train], np.searchsorted(edges, times, side="right")), 1.0)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return Group("time", shares, tuple(f"time={at + 1}" for at in range(len(edges) + 1)))


def _time_edges(times: NDArray[np.int64]) -> Floats:
    """Return where one bin of time ends and the next begins."""
    return np.unique(np.quantile(times, np.linspace(0, 1, _BINS + 1)[1:-1], method="inverted_cdf"))


def _implicit(
    data: Ratings, rows: NDArray[np.int64], columns: NDArray[np.int64], n_rows: int, names: NDArray[np.str_]
) -> Group:
    """Return which of the other side each row has a training rating with."""
    train = ~data.test
    n_columns = int(columns[train].max()) + 1
    _check_size(n_rows, n_columns, "implicit")
    matrix = np.zeros((n_rows, n_columns))
    matrix[rows[train], columns[train]] = 1.0
    matrix /= np.sqrt(np.maximum(matrix.sum(axis=1, keepdims=True), 1.0))
    return Group("implicit", matrix, tuple(f"rated={name}" for name in names[:n_columns]))


def _joined(groups: Sequence[Group], side: str) -> Features | None:
    groups = [group for group in groups if group.matrix.shape[1]]
    if not groups:
        return None
    sizes = [group.matrix.shape[1] for group in groups]
    _check_size(len(groups[0].matrix), sum(sizes), f"of {side}s")
    return Features(
        matrix=np.concatenate([group.matrix for group in groups], axis=1),
        groups=np.repeat(np.arange(len(groups)), sizes),
        names=tuple(group.name for group in groups),
        columns=tuple(column for group in groups for column in group.columns),
    )


def _check_size(n_rows: int, n_features: int, what: str) -> None:
    if min(n_rows, n_features) > _LARGEST_SYSTEM or n_rows * n_features > _MOST_NUMBERS:
        raise ConfigError(
            f"{n_features:,} features ({what}) of {n_rows:,} rows are too many, as every sweep solves a system, of "
            f"{_LARGEST_SYSTEM:,} at most; leave implicit out of --features"
        )
