"""Ratings made in a script: from a frame of pandas, or from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bayeskit.datasets._problems import Place
from bayeskit.datasets._ratings_columns import read_ratings
from bayeskit.datasets._ratings_frames import FrameSheet
from bayeskit.datasets._ratings_listing import Listing

if TYPE_CHECKING:
    import pandas as pd


def listing_of(
    user: Any, item: Any, values: Any, times: Any, columns: str | Sequence[str] | None, place: Place
) -> Listing:
    """Take ratings of either kind.

    Parameters
    ----------
    user
        A frame of ratings; or ``n_ratings`` ids of users.
    item, values, times
        ``n_ratings`` each, with ids of users; times may be left out.
    columns
        Of a frame, as in ``load_ratings``.
    place
        The script.

    Raises
    ------
    DataError
        If they are of no such kind, or arrays differ in length.
    """
    if hasattr(user, "columns") and hasattr(user, "index"):
        if item is not None or values is not None or times is not None:
            raise place.error("a frame, and arrays beside it", "give either")
        return read_ratings(FrameSheet(_with_index(user), place), columns, place)
    if item is None or values is None:
        raise place.error("no frame", "give a frame, or arrays of users, items and ratings")
    return read_ratings(FrameSheet(_frame(user, item, values, times, place), place), None, place)


def masked(listing: Listing, test: ArrayLike, place: Place) -> Listing:
    """Mark ratings that are held out.

    Raises
    ------
    DataError
        If the marks are not one true or false a rating.
    """
    marks = np.asarray(test)
    if marks.dtype != np.bool_ or marks.shape != (listing.n_listed,):
        problem = f"test is an array of {marks.dtype} of shape {marks.shape}, for {listing.n_listed:,} ratings"
        raise place.error(problem, "give true or false for each rating")
    return replace(listing, test=marks.copy())


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose index, if it has names, is among its columns."""
    return frame.reset_index() if any(name is not None for name in frame.index.names) else frame


def _frame(user: Any, item: Any, values: Any, times: Any, place: Place) -> pd.DataFrame:
    import pandas as pd

    given = {"user": user, "item": item, "rating": values} | ({} if times is None else {"time": times})
    found = {}
    for name, array in given.items():
        # A list of numbers and texts keeps both: an array would make texts of all.
        series = pd.Series(array if isinstance(array, list | pd.Series) else list(np.atleast_1d(array)))
        found[name] = series.reset_index(drop=True)
    sizes = {name: len(series) for name, series in found.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name}: {size:,}" for name, size in sizes.items())
        raise place.error(f"arrays of different lengths ({told})", "give one of each a rating")
    return pd.DataFrame(found)
