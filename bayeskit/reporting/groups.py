"""How groups look, be they components of a mixture or blocks of a graph: colours, symbols, and how sure a member is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_COLOURS = 7
PALE = 0.25  # opacity of a member that could belong anywhere
FULL = 0.85
_SYMBOLS = ("circle", "diamond", "square", "x")


def colour_of(group: int) -> str:
    """Return a group's colour, counted from 0; they repeat after ``N_COLOURS``, with another symbol."""
    return f"var(--{colour_name(group)})"


def colour_name(group: int) -> str:
    """Return what the style sheet calls a group's colour."""
    return f"component-{group % N_COLOURS + 1}"


def symbol_of(group: int) -> str:
    """Return what a group's members are drawn as."""
    return _SYMBOLS[group // N_COLOURS % len(_SYMBOLS)]


def opacities(certainty: Floats, n_groups: int) -> Floats:
    """Return opacities that grow with certainty, from that of a member that could belong to any group."""
    lowest = 1 / n_groups
    share = (certainty - lowest) / (1 - lowest) if n_groups > 1 else np.ones_like(certainty)
    made: Floats = np.round(PALE + (FULL - PALE) * np.clip(share, 0, 1), 2)
    return made


def thinned(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most so many of the places, in their order, chosen at random but always the same."""
    if places.size <= most:
        return places
    chosen = np.random.default_rng(places.size).choice(places.size, most, replace=False)
    kept: NDArray[np.int64] = places[np.sort(chosen)]
    return kept
