"""The scale of ratings: its steps where it has some, its ends where it has none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayeskit.core.language import mark, say
from bayeskit.core.words import significant
from bayeskit.datasets._graph_cells import Floats
from bayeskit.datasets._problems import Place, quote
from bayeskit.datasets._ratings_listing import Listing
from bayeskit.datasets._ratings_rules import TOLERANCE, Declared

_MOST_GUESSED = 20
_MOST_PARTS = 5  # into which the least difference between two ratings is divided, less one
_LEAST = 1e-100  # of steps that can be divided
_DIGITS = 10
_STEPPED = mark("{low} to {high} in steps of {step}")
_STARS = mark("{low} to {high} stars")
_ENDS = mark("from {low} to {high}")


@dataclass(frozen=True, eq=False)
class Scale:
    """What ratings may be.

    Parameters
    ----------
    low, high
        The least and the greatest.
    levels
        All steps, ascending; empty where ratings are continuous.
    """

    low: float
    high: float
    levels: Floats


def on_scale(listing: Listing, declared: Declared | None, place: Place) -> tuple[Listing, Scale]:
    """Find the scale, and put ratings on its steps, from which they may be off by rounding.

    Parameters
    ----------
    listing
        The ratings.
    declared
        The scale. Unless given, and where no step is, it is guessed from the values: at most 20 steps, equally spaced,
        or else a continuous scale.
    place
        The file.

    Raises
    ------
    DataError
        If ratings are outside the scale, or between its steps.
    """
    import pandas as pd

    different = np.sort(pd.unique(listing.values))
    if declared is None:
        scale = _guessed(different)
    else:
        low, high, step = declared
        outside = (listing.values < low - TOLERANCE) | (listing.values > high + TOLERANCE)
        if outside.any():
            problem = f"outside the scale of {quote(low)} to {quote(high)}"
            raise listing.wrong(outside, problem, "correct the ratings, or the scale (--scale)", place)
        scale = _guessed(np.union1d(different, [low, high])) if step is None else _stepped(low, high, step)
    if not scale.levels.size:
        return listing, scale
    nearest = np.searchsorted((scale.levels[1:] + scale.levels[:-1]) / 2, listing.values)
    values = scale.levels[nearest]
    between = np.abs(values - listing.values) > TOLERANCE * (scale.levels[1] - scale.levels[0])
    if between.any():
        step_ = quote(float(scale.levels[1] - scale.levels[0]))
        problem = f"not on the scale of {quote(scale.low)} to {quote(scale.high)} in steps of {step_}"
        raise listing.wrong(between, problem, "correct the ratings, or leave the step out (--scale)", place)
    return replace(listing, values=values), scale


def described(scale: Scale) -> str:
    """Return the scale in words."""
    low, high = plain(scale.low), plain(scale.high)
    if not scale.levels.size:
        return say(_ENDS, low=low, high=high)
    step = float(scale.levels[1] - scale.levels[0])
    if step == 1 and scale.low in (0, 1) and scale.high == 5:
        return say(_STARS, low=low, high=high)
    return say(_STEPPED, low=low, high=high, step=plain(step))


def plain(value: float) -> str:
    """Return a rating as briefly as it can be."""
    return (
        f"{value:g}".replace("-", "\N{MINUS SIGN}")
        if abs(value) < 1e4 and len(f"{value:g}") < 6
        else significant(value)
    )


def _guessed(different: Floats) -> Scale:
    """Return the scale that has all these values, ascending."""
    low, high = float(different[0]), float(different[-1])
    continuous = Scale(low, high, np.empty(0))
    if not 1 < different.size <= _MOST_GUESSED:
        return continuous
    smallest = float(np.diff(different).min())
    if smallest < _LEAST or (high - low) / smallest > _MOST_GUESSED:
        return continuous
    for step in smallest / np.arange(1, _MOST_PARTS):
        n_steps = (different - low) / step
        if n_steps[-1] < _MOST_GUESSED and (np.abs(n_steps - np.round(n_steps)) < TOLERANCE).all():
            scale = _stepped(low, high, float(step))
            scale.levels[np.round(n_steps).astype(np.int64)] = different  # to the last digit
            return scale
    return continuous


def _stepped(low: float, high: float, step: float) -> Scale:
    levels: Floats = low + step * np.arange(round((high - low) / step) + 1, dtype=np.float64)
    levels = np.round(levels, _DIGITS) if abs(high) < 1e5 else levels
    levels[0], levels[-1] = low, high
    return Scale(low, high, levels)
