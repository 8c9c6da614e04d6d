"""Ratings as a file or a script lists them, before they are split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets import _ratings_notes as told
from bayeskit.datasets._graph_cells import Column, Floats, Integers
from bayeskit.datasets._problems import Place, quote


@dataclass(frozen=True, eq=False)
class Listing:
    """Ratings row by row.

    Parameters
    ----------
    user, item
        ``n_listed`` ids each.
    values
        ``n_listed``, all of them finite.
    times
        ``n_listed``, seconds since 1970; None where there are none.
    rows
        ``n_listed``, where each stands in the file.
    title
        Name of the column of ratings, for messages.
    test
        ``n_listed``, those held out for testing; None until they are split.
    notes
        What to tell of how they were read.
    """

    user: Column
    item: Column
    values: Floats
    times: Integers | None
    rows: Integers
    title: str | None = None
    test: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_listed(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def keys(self) -> Integers:
        """``n_listed``, one number a pair of user and item."""
        return self.user.codes * len(self.item.texts) + self.item.codes

    def take(self, which: NDArray[Any]) -> Listing:
        """Return some of the rows, by a mask or positions."""
        return replace(
            self,
            user=Column(self.user.codes[which], self.user.texts),
            item=Column(self.item.codes[which], self.item.texts),
            values=self.values[which],
            times=None if self.times is None else self.times[which],
            rows=self.rows[which],
            test=None if self.test is None else self.test[which],
        )

    def pair(self, at: int) -> str:
        """Return user and item of a row."""
        return f"user {quote(self.user.text(at))} and item {quote(self.item.text(at))}"

    def wrong(self, which: NDArray[np.bool_], problem: str, remedy: str, place: Place) -> Exception:
        """Return an error on such ratings: the first three and the number of the others."""
        cells = [(int(self.rows[at]), float(self.values[at])) for at in np.flatnonzero(which)]
        return place.error(problem, remedy, column=self.title, cells=cells)


def first_rows(listing: Listing, first: int, place: Place) -> Listing:
    """Return the first rows only.

    Raises
    ------
    DataError
        If there are not so many.
    """
    if first == listing.n_listed:
        return listing
    if not 0 < first < listing.n_listed:
        remedy = "take fewer" if first > 0 else "take some"
        raise place.error(f"{first:,} ratings were asked for, there are {listing.n_listed:,}", remedy)
    notes = (*listing.notes, told.only_first(first, listing.n_listed))
    return replace(listing.take(np.arange(first)), notes=notes)


def refuse_blank(column: Column, rows: Integers, title: str | None, what: str, place: Place) -> None:
    """Refuse rows without an id, and ids with a character that arrays of texts do not hold."""
    if "" in column.texts:
        blank = np.flatnonzero(column.codes == column.texts.index(""))
        if blank.size:
            cells: Sequence[tuple[int, str]] = [(int(rows[at]), "") for at in blank]
            raise place.error(f"no {what}", "fill the cell, or delete the row", column=title, cells=cells)
    for text in column.texts:
        if "\0" in text:
            raise place.error(f"{quote(text)}: an id with the character NUL", "write it otherwise", column=title)
