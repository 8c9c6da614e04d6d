"""Which component made which point: what all draws say of all points, in one pass whose memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures.likelihood import log_joint, log_sum_exp
from bayeskit.models.mixtures.parameters import Components

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_AT_ONCE = 1 << 17  # log densities of a block, which then lies in cache
_MOST_TERMS = 20_000_000  # of the pointwise log likelihood
_HELD = 0.9  # of a component's points


@dataclass(frozen=True)
class Membership:
    """What draws of a mixture say of its points.

    Parameters
    ----------
    log_likelihood
        ``n_draws``, of all points together.
    pointwise
        ``n_draws x n_points``; None where these are too many.
    entropy
        ``n_draws``: of a point's assignment given the draw, the mean over the points.
    n_occupied
        ``n_draws``: components with at least one point, assignments drawn from their distribution given the draw.
    responsibility
        ``n_points x n_components``: chance that the component made the point, the mean over the draws.
    """

    log_likelihood: Floats
    pointwise: Floats | None
    entropy: Floats
    n_occupied: Integers
    responsibility: Floats


def membership(y: Floats, components: Components) -> Membership:
    """Go through all draws and all points.

    Parameters
    ----------
    y
        ``n_points x n_columns``, NaN where missing.
    components
        With ``n_draws`` as the one leading dimension, the same label meaning the same in all of them.
    """
    (n_draws, n_components), n_points = components.weights.shape, len(y)
    pointwise = np.empty((n_draws, n_points)) if n_draws * n_points <= _MOST_TERMS else None
    total, entropy = np.zeros(n_draws), np.zeros(n_draws)
    occupied = np.zeros((n_draws, n_components), dtype=bool)
    responsibility = np.zeros((n_points, n_components))
    rng = np.random.default_rng(2)  # the same for the same draws, whatever engine made them
    for draws, points in _blocks(n_draws, n_points, n_components):
        log_terms = log_joint(y[points], components[draws])
        density = log_sum_exp(log_terms)
        log_terms -= density[..., np.newaxis]
        chances = np.exp(log_terms)
        total[draws] += density.sum(axis=-1)
        with np.errstate(invalid="ignore"):  # 0 times minus infinity, of a component without weight
            entropy[draws] -= np.nansum(chances * log_terms, axis=(-2, -1)) / n_points
        occupied[draws] |= _occupied(chances, rng)
        responsibility[points] += chances.sum(axis=0) / n_draws
        if pointwise is not None:
            pointwise[draws, points] = density
    return Membership(total, pointwise, entropy, occupied.sum(axis=-1), responsibility)


def together(y: Floats, components: Components, pairs: Integers) -> Floats:
    """Return the chance that both points of a pair belong to one component, ``n_draws x n_pairs``.

    Given a draw, points are assigned independently of each other, so that it is the sum over the components of the
    product of their chances.
    """
    found = np.empty((len(components.weights), len(pairs)))
    for draws in _draws_together(len(found), 2 * len(pairs) * components.weights.shape[-1]):
        chances = responsibilities(y[pairs.ravel()], components[draws])
        chances = chances.reshape(len(chances), *pairs.shape, -1)
        found[draws] = (chances[:, :, 0] * chances[:, :, 1]).sum(axis=-1)
    return found


def co_assignment(y: Floats, components: Components) -> Floats:
    """Return the chance that points share a component, ``n_points x n_points``, the mean over the draws."""
    found = np.zeros((len(y), len(y)))
    n_draws, n_components = components.weights.shape
    for draws in _draws_together(n_draws, len(y) * n_components):
        chances = np.moveaxis(responsibilities(y, components[draws]), 1, 0).reshape(len(y), -1)
        found += chances @ chances.T / n_draws
    np.fill_diagonal(found, 1.0)
    return found


def responsibilities(y: Floats, components: Components) -> Floats:
    """Return the chance that each component made each point, ``... x n_points x n_components``."""
    log_terms = log_joint(y, components)
    chances: Floats = np.exp(log_terms - log_sum_exp(log_terms)[..., np.newaxis])
    return chances


def distinct_points(y: Floats, responsibility: Floats) -> Integers:
    """Return for each component how many distinct points hold nine tenths of it, at least.

    One that has collapsed has 1: all that it accounts for is one point, or equal ones.

    Parameters
    ----------
    y
        ``n_points x n_columns``, NaN where missing.
    responsibility
        ``n_points x n_components``.
    """
    filled = np.where(np.isnan(y), np.inf, y)
    _, which = np.unique(filled, axis=0, return_inverse=True)
    which = which.ravel()
    held = np.stack([np.bincount(which, weights=column) for column in responsibility.T], axis=-1)
    shares = np.cumsum(-np.sort(-held, axis=0), axis=0) / np.maximum(held.sum(axis=0), np.finfo(float).tiny)
    return np.asarray(1 + (shares < _HELD - 1e-9).sum(axis=0), dtype=np.int64)


def _occupied(chances: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw assignments; return which components, ``n_draws x n_components``, have any point."""
    n_draws, n_points, n_components = chances.shape
    edges = np.cumsum(chances[..., :-1], axis=-1)
    chosen = (edges <= rng.random((n_draws, n_points, 1))).sum(axis=-1)
    found = np.zeros((n_draws, n_components), dtype=bool)
    found[np.arange(n_draws)[:, np.newaxis], chosen] = True
    return found


def _blocks(n_draws: int, n_points: int, n_components: int) -> Iterator[tuple[slice, slice]]:
    n_together = min(n_points, max(1, _AT_ONCE // n_components))
    for draws in _draws_together(n_draws, n_together * n_components):
        for start in range(0, n_points, n_together):
            yield draws, slice(start, start + n_together)


def _draws_together(n_draws: int, of_each: int) -> Iterator[slice]:
    step = max(1, _AT_ONCE // max(1, of_each))
    for first in range(0, n_draws, step):
        yield slice(first, first + step)
