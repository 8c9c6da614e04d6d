"""Pairs of user and item that are rated several times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets import _ratings_notes as told
from bayeskit.datasets._graph_cells import Integers
from bayeskit.datasets._problems import Place, counted, listed
from bayeskit.datasets._ratings_listing import Listing
from bayeskit.datasets._ratings_rules import Repeated
from bayeskit.datasets._ratings_scale import Scale


def each_once(listing: Listing, steps: Scale, repeated: Repeated, place: Place) -> tuple[Listing, Scale]:
    """Return each pair of user and item once, where its last rating stands, and the scale of what is left.

    Parameters
    ----------
    listing
        The ratings.
    steps
        Their scale; without steps where means of ratings lie between them.
    repeated
        ``error`` refuses pairs that are rated several times; ``last`` keeps the last rating, by its time, or else by
        its row; ``mean`` gives it the mean of them all.
    place
        The file.

    Raises
    ------
    DataError
        If there are such pairs and they are refused, or one is held out for testing in part only.
    """
    found = _merged(listing, repeated, place)
    if found is listing or not steps.levels.size or np.isin(found.values, steps.levels).all():
        return found, steps
    return replace(found, notes=(*found.notes, told.between_steps())), replace(steps, levels=np.empty(0))


def _merged(listing: Listing, repeated: Repeated, place: Place) -> Listing:
    import pandas as pd

    keys = listing.keys
    if (np.diff(np.sort(keys)) != 0).all():
        return listing
    is_repeated: NDArray[np.bool_] = pd.Series(keys).duplicated(keep=False).to_numpy()
    at = np.flatnonzero(is_repeated)
    times = np.zeros(at.size, dtype=np.int64) if listing.times is None else listing.times[at]
    at = at[np.lexsort((at, times, keys[at]))]
    starts = np.flatnonzero(np.r_[True, np.diff(keys[at]) != 0])
    sizes = np.diff(np.r_[starts, at.size])
    if repeated == "error":
        raise _refused(listing, at, starts, sizes, place)
    if listing.test is not None:
        held = np.add.reduceat(listing.test[at].astype(np.int64), starts)
        torn = np.flatnonzero((held > 0) & (held < sizes))
        if torn.size:
            rows = np.sort(listing.rows[at[starts[torn[0]] : starts[torn[0]] + sizes[torn[0]]]])
            problem = (
                f"{listing.pair(int(at[starts[torn[0]]]))}: both for training and for testing, rows {listed(rows)}"
            )
            raise place.error(problem, "a rating that is known need not be predicted; take one of the two out")
    last = at[starts + sizes - 1]
    values = listing.values.copy()
    if repeated == "mean":
        values[last] = np.add.reduceat(values[at], starts) / sizes
    kept = ~is_repeated
    kept[last] = True
    note = told.averaged(last.size) if repeated == "mean" else told.replaced(last.size)
    return replace(listing, values=values, notes=(*listing.notes, note)).take(kept)


def _refused(listing: Listing, at: Integers, starts: Integers, sizes: Integers, place: Place) -> Exception:
    """Return an error on the pair that is the first to be repeated in the file."""
    second = np.minimum.reduceat(np.where(np.isin(np.arange(at.size), starts), listing.n_listed, at), starts)
    first = int(np.argmin(second))
    rows = np.sort(listing.rows[at[starts[first] : starts[first] + sizes[first]]])
    others = (
        f", as {'is' if starts.size == 2 else 'are'} {counted(starts.size - 1, 'other pair')}"
        if starts.size > 1
        else ""
    )
    problem = f"{listing.pair(int(at[starts[first]]))} are rated {sizes[first]:,} times (rows {listed(rows)}){others}"
    return place.error(problem, "keep one rating, or take their mean or the last of them (--repeated mean, last)")
