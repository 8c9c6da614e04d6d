"""Columns of the tables of users and items as groups: of names, of several at once, of numbers by their quarters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.words import interval

Integers = NDArray[np.int64]

SEPARATOR = "|"  # between names of a row with several, such as genres
MAX_GROUPS = 40
FEW_VALUES = 8  # of numbers that are groups as they are
FEWEST = 20  # rows that are known, of a column of numbers


def members_of(values: NDArray[Any]) -> Mapping[str, Integers]:
    """Return each group's name and the rows that belong to it, the largest first; a row may belong to several.

    Nothing where there are fewer than two groups, or so many that they say nothing.
    """
    if values.dtype.kind in "iuf":
        names, member = quarters(values.astype(float))
        return {name: np.flatnonzero(member == place) for place, name in enumerate(names)}
    rows: dict[str, list[int]] = {}
    for place, text in enumerate(values.astype(str).tolist()):
        for name in filter(None, (part.strip() for part in text.split(SEPARATOR))):
            rows.setdefault(name, []).append(place)
            if len(rows) > max(MAX_GROUPS, values.size // 4):
                return {}
    if not 2 <= len(rows) <= min(MAX_GROUPS, max(2, values.size // 4)):
        return {}
    order = sorted(rows, key=lambda name: (-len(rows[name]), name))
    return {name: np.array(rows[name], dtype=np.int64) for name in order}


def quarters(values: NDArray[np.float64]) -> tuple[tuple[str, ...], Integers]:
    """Return groups of numbers and each row's, -1 where unknown: their values where these are few, else quarters."""
    known = np.isfinite(values)
    distinct = np.unique(values[known])
    nothing = (), np.full(values.size, -1)
    if distinct.size < 2 or known.sum() < FEWEST:
        return nothing
    if distinct.size <= FEW_VALUES:
        member = np.where(known, np.searchsorted(distinct, np.where(known, values, distinct[0])), -1)
        return tuple(f"{value:g}" for value in distinct), member.astype(np.int64)
    cuts = np.unique(np.quantile(values[known], [0.25, 0.5, 0.75], method="lower"))
    member = np.where(known, np.searchsorted(cuts, values, side="left"), -1).astype(np.int64)
    parts = [values[member == place] for place in range(cuts.size + 1)]
    if not all(part.size for part in parts):
        return nothing
    ends = [(f"{part.min():g}", f"{part.max():g}") for part in parts]
    return tuple(low if low == high else interval(low, high) for low, high in ends), member
