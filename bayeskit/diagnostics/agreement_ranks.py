"""Ranks of weighted draws: shares of weight, normal scores and quantiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]


def scores(flat: Floats, weights: Floats) -> Floats:
    """Return each draw's normal score among its own cell's draws, ties averaged, weights counted."""
    found = np.empty_like(flat)
    for row, cell in enumerate(flat):
        order = np.argsort(cell, kind="stable")
        found[row, order] = normal_scores(cell[order], weights[order])
    return found


def normal_scores(ordered: Floats, weights: Floats) -> Floats:
    """Return the normal scores of draws in ascending order; draws without weight at an end have finite ones, too."""
    edge = 1 / (4 * ordered.size)
    found: Floats = ndtri(np.clip(middle_shares(ordered, weights), edge, 1 - edge))
    return found


def middle_shares(ordered: Floats, weights: Floats) -> Floats:
    """Return the share of weight below the middle of each value's own: of draws in ascending order, ties averaged."""
    ends = np.cumsum(weights)
    if not (ordered[1:] == ordered[:-1]).any():
        return ends - weights / 2
    last = np.append(ordered[1:] != ordered[:-1], True)
    places = np.flatnonzero(last)
    upper = ends[places]
    lower = np.append(0.0, upper[:-1])
    group = np.searchsorted(places, np.arange(ordered.size))
    middle: Floats = ((lower + upper) / 2)[group]
    return middle


def quantiles(flat: Floats, weights: Floats, ends: Floats) -> Floats:
    """Return ``n_cells x n_quantiles``: the first draws at which enough weight lies below."""
    found = np.empty((flat.shape[0], ends.size))
    for row, cell in enumerate(flat):
        order = np.argsort(cell, kind="stable")
        found[row] = cell[order][np.minimum(np.searchsorted(np.cumsum(weights[order]), ends), cell.size - 1)]
    return found
