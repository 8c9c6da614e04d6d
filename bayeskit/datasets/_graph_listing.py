"""Edges as a file or a script lists them: names once, positions of sources and targets, weights as given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets._graph_cells import Column, Floats, Integers
from bayeskit.datasets._problems import Place, counted, joined, nearest, quote

_SHOWN = 3
_MOST_COMPARED = 100_000  # names among which a similar one is looked for


@dataclass(frozen=True, eq=False)
class Listing:
    """Pairs of nodes with their weights.

    Parameters
    ----------
    names
        Of the nodes, each once, in order of first appearance.
    source, target
        ``n_listed`` each, positions in ``names``.
    weights
        ``n_listed``, NaN where missing.
    rows
        ``n_listed``, where each stands in the file; None where that has no rows.
    directed
        What the file itself says; None where it says nothing.
    whole
        Whether all pairs are listed but for those of weight zero, as in a matrix: an undirected graph's has both
        directions of each.
    column
        Name of the column of weights.
    attributes
        Of the nodes, by name, each ``n_nodes`` texts.
    notes
        What to tell of how they were read.
    """

    names: Sequence[str]
    source: Integers
    target: Integers
    weights: Floats
    rows: Integers | None = None
    directed: bool | None = None
    whole: bool = False
    column: str | None = None
    attributes: Mapping[str, Sequence[str]] | None = None
    notes: tuple[str, ...] = ()

    def take(self, which: NDArray[Any]) -> Listing:
        """Return some of the pairs, by a mask or positions."""
        rows = None if self.rows is None else self.rows[which]
        return replace(
            self, source=self.source[which], target=self.target[which], weights=self.weights[which], rows=rows
        )

    def pair(self, at: int, *, directed: bool = True) -> str:
        """Return a pair by its names."""
        source, target = quote(self.names[self.source[at]]), quote(self.names[self.target[at]])
        return f"from {source} to {target}" if directed else f"between {source} and {target}"

    def wrong(self, which: NDArray[np.bool_], problem: str, remedy: str, place: Place) -> Exception:
        """Return an error on such weights: the first three and the number of the others."""
        found = np.flatnonzero(which)
        shown = [self.told(int(at)) for at in found[:_SHOWN]]
        more = [f"{found.size - _SHOWN:,} more"] if found.size > _SHOWN else []
        return place.error(f"{joined([*shown, *more])}: {problem}", remedy, column=self.column)

    def told(self, at: int) -> str:
        """Return a pair by its names, with its weight and its row."""
        row = "" if self.rows is None else f" (row {self.rows[at]})"
        return f"{quote(float(self.weights[at]))} {self.pair(at)}{row}"


def direction_of(listing: Listing, directed: bool | None, place: Place) -> bool:
    """Return whether a graph is directed: as asked for, or else as its file says, or else yes.

    Raises
    ------
    DataError
        If the file says otherwise.
    """
    if listing.directed is not None and directed is not None and listing.directed != directed:
        said, asked = ("directed", "undirected") if listing.directed else ("undirected", "directed")
        raise place.error(f"the graph is {said}, and {asked} was asked for", f"take it as it is, {said}")
    return next((known for known in (directed, listing.directed) if known is not None), True)


def paired(source: Column, target: Column) -> tuple[list[str], Integers, Integers]:
    """Return the names of two columns in order of first appearance, row by row, and the positions of both there."""
    known = {text: at for at, text in enumerate(source.texts)}
    for text in target.texts:
        known.setdefault(text, len(known))
    codes = np.array([known[text] for text in target.texts], dtype=np.int64)
    n_rows = len(source.codes)
    flat = np.empty(2 * n_rows, dtype=np.int64)
    flat[::2] = source.codes
    flat[1::2] = codes[target.codes]
    first = np.full(len(known), len(flat))
    first[flat[::-1]] = np.arange(len(flat))[::-1]  # of several, the last one written stays
    order = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(flat))]
    place = np.empty(len(known), dtype=np.int64)
    place[order] = np.arange(len(order))
    flat = place[flat]
    texts = list(known)
    return [texts[at] for at in order], flat[::2].copy(), flat[1::2].copy()


def located(
    names: Sequence[str], known: Mapping[str, int], used: Integers, rows: Integers | None, what: str, place: Place
) -> Integers:
    """Return the positions of names among the known ones.

    Parameters
    ----------
    names
        To be found.
    known
        Positions by name.
    used, rows
        Positions in ``names`` and rows in the file, for messages.
    what
        What is known, in words.

    Raises
    ------
    DataError
        If some are not known: where they stand, and the nearest known one.
    """
    found = np.array([known.get(name, -1) for name in names], dtype=np.int64)
    unknown = np.unique(used[found[used] < 0]) if used.size else used
    if unknown.size:
        first = [int(np.flatnonzero(used == at)[0]) for at in unknown[:_SHOWN]]
        shown = [f"{quote(names[used[at]])}" + ("" if rows is None else f" in row {rows[at]}") for at in sorted(first)]
        more = [f"{counted(unknown.size - _SHOWN, 'more name')}"] if unknown.size > _SHOWN else []
        meant = nearest(names[unknown[0]], list(known)[:_MOST_COMPARED])
        hint = f"did you mean {quote(meant)}? Or " if meant else ""
        raise place.error(f"{joined([*shown, *more])}: not among {what}", f"{hint}declare all nodes (--nodes)")
    return found
