"""The steps of EM between two passes: parameters to coefficients of the features, and their sums to parameters.

Expected sums of what is missing given what is observed: Ghahramani and Jordan (1994),
https://papers.nips.cc/paper/1993/hash/f2201f5191c4e92cc5af043eebfd0946-Abstract.html. Within a pattern of missing
coordinates they are linear in the observed ones' sums, so that no point needs a solution of its own.

Covariances whose eigenvalues have a floor: of all such, that with the sample covariance's eigenvectors and its
eigenvalues raised to the floor is the most likely, so that the log likelihood still never falls: Ingrassia and Rocci
(2007), doi:10.1016/j.csda.2006.10.011.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._em_rows import Floats, Rows
from bayeskit.models.mixtures.spec import Covariance

FLOOR = 1e-6
"""The least eigenvalue of a covariance, columns having variance 1."""

_IMPOSSIBLE = -1e300  # the log of a weight of 0, for sums in which minus infinity would make NaN
_SMALLEST_COUNT = 1e-10  # of a component's points: of less there are no moments, and it stays as it is
_TIGHT = 1e-4  # eigenvalue below which few points are not believed


@dataclass(frozen=True)
class Moments:
    """Expected sums over the points: of assignments, and of coordinates and their products by component.

    Parameters
    ----------
    counts
        ``n_components``.
    sums
        ``n_components x n_columns``.
    products
        ``n_components x n_columns x n_columns``; without correlations the squares alone, ``n_components x n_columns``.
    """

    counts: Floats
    sums: Floats
    products: Floats

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.counts + other.counts, self.sums + other.sums, self.products + other.products)

    def __mul__(self, factor: float) -> Moments:
        return Moments(self.counts * factor, self.sums * factor, self.products * factor)


@dataclass(frozen=True)
class Mixture:
    """Parameters on the scale of EM.

    Parameters
    ----------
    weights, means
        ``n_components`` and ``n_components x n_columns``.
    covariances
        ``n_components x n_columns x n_columns``; without correlations the variances, ``n_components x n_columns``.
    floored
        ``n_components``: whether an eigenvalue is at the floor.
    moments
        What they were made of, per point; None of parameters that do not come from a step.
    """

    weights: Floats
    means: Floats
    covariances: Floats
    floored: NDArray[np.bool_]
    moments: Moments | None = None


def coefficients_of(mixture: Mixture, observed: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return what the log density of a point and its assignment is of its features, and the precisions.

    Parameters
    ----------
    mixture
        The parameters.
    observed
        ``n_patterns x n_columns``.

    Returns
    -------
    array, array
        ``n_patterns x n_components x n_features``; and ``n_patterns x n_components x n_columns x n_columns``, those of
        what is observed and 0 elsewhere, or without correlations ``n_patterns x n_components x n_columns``.
    """
    masks = observed[:, np.newaxis].astype(float)
    precisions, log_determinants = _precisions(mixture.covariances, masks)
    dense = precisions.ndim == 4
    linear = (precisions @ mixture.means[..., np.newaxis])[..., 0] if dense else precisions * mixture.means
    with np.errstate(divide="ignore"):
        log_weights = np.maximum(np.log(mixture.weights), _IMPOSSIBLE)
    distances = (linear * mixture.means).sum(axis=-1) + masks.sum(axis=-1) * np.log(2 * np.pi)
    constant = log_weights - 0.5 * (distances + log_determinants)
    if not dense:
        return np.concatenate([constant[..., np.newaxis], linear, -0.5 * precisions], axis=-1), precisions
    rows, columns, factors = _triangle(precisions.shape[-1])
    quadratic = factors * precisions[..., rows, columns]
    return np.concatenate([constant[..., np.newaxis], linear, quadratic], axis=-1), precisions


def moments_of(sums: Floats, rows: Rows, mixture: Mixture, precisions: Floats) -> Moments:
    """Return expected moments of whole points, of sums of the features of what is observed of them.

    Parameters
    ----------
    sums
        ``n_patterns x n_components x n_features``.
    rows
        The points that they are sums over.
    mixture, precisions
        The parameters under which what is missing is expected, and what ``coefficients_of`` makes of them.
    """
    dense = mixture.covariances.ndim == 3
    n_columns = mixture.means.shape[1]
    counts, first, second = sums[..., 0], sums[..., 1 : n_columns + 1], sums[..., n_columns + 1 :]
    if dense:
        second = second[..., _square(n_columns)]
    if not rows.complete:
        masks = rows.observed[:, np.newaxis].astype(float)
        if dense:
            first, second = _filled_dense(counts, first, second, masks, mixture, precisions)
        else:
            first, second = _filled_diagonal(counts, first, second, masks, mixture)
    return Moments(counts.sum(axis=0), first.sum(axis=0), second.sum(axis=0))


def maximise(moments: Moments, form: Covariance, before: Mixture | None = None) -> Mixture:
    """Return the most likely parameters of a form, given expected moments.

    Parameters
    ----------
    moments
        Over the points.
    form
        Of the covariances.
    before
        Where a component without points stays.
    """
    n_points = moments.counts.sum()
    counts = np.maximum(moments.counts, _SMALLEST_COUNT)[:, np.newaxis]
    means = moments.sums / counts
    covariances, floored = raise_to_floor(_covariances(moments, counts, means, form))
    empty = moments.counts < _SMALLEST_COUNT
    if before is not None and empty.any():
        means[empty] = before.means[empty]
        if form != "tied":
            covariances[empty], floored[empty] = before.covariances[empty], before.floored[empty]
    return Mixture(moments.counts / n_points, means, covariances, floored, moments * (1 / n_points))


def raise_to_floor(covariances: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return covariances, or variances where these are all, with eigenvalues from the floor up, and which had others.

    Parameters
    ----------
    covariances
        ``n_components x n_columns x n_columns``, or ``n_components x n_columns``.
    """
    if covariances.ndim == 2:
        return np.maximum(covariances, FLOOR), np.any(covariances <= FLOOR, axis=-1)
    values, vectors = np.linalg.eigh(covariances)
    low = values[:, 0] <= FLOOR
    if low.any():
        raised = (vectors * np.maximum(values, FLOOR)[:, np.newaxis]) @ np.swapaxes(vectors, -1, -2)
        covariances = np.where(low[:, np.newaxis, np.newaxis], raised, covariances)
    return covariances, low


def collapsed(mixture: Mixture, form: Covariance, n_points: float) -> NDArray[np.bool_]:
    """Return which components sit on one point, or nearly, or on points that lie in a plane.

    Their covariance is at the floor: without it, the likelihood would have no bound. Or they have few points, for the
    number that a covariance of their own takes, and are very narrow.
    """
    at_floor = mixture.floored
    if form != "tied":
        dense = mixture.covariances.ndim == 3
        extents = np.linalg.eigvalsh(mixture.covariances) if dense else mixture.covariances
        needed = mixture.means.shape[1] if dense else 1
        few = mixture.weights * n_points < 2 * (needed + 1)
        at_floor = at_floor | (few & (extents.min(axis=-1) < _TIGHT))
    return np.asarray(at_floor & (mixture.weights > 0))


def _covariances(moments: Moments, counts: Floats, means: Floats, form: Covariance) -> Floats:
    dense = moments.products.ndim == 3
    outer = means[:, :, np.newaxis] * means[:, np.newaxis] if dense else means**2
    if dense:
        counts = counts[..., np.newaxis]
    if form == "tied":
        within = (moments.products - counts * outer).sum(axis=0) / moments.counts.sum()
        return np.repeat(within[np.newaxis], len(means), axis=0)
    covariances: Floats = moments.products / counts - outer
    if form == "spherical":
        covariances = np.repeat(covariances.mean(axis=-1, keepdims=True), means.shape[1], axis=-1)
    return covariances


def _precisions(covariances: Floats, masks: Floats) -> tuple[Floats, Floats]:
    """Return precisions of the observed coordinates by pattern, zero elsewhere, and log determinants of covariances."""
    if covariances.ndim == 2:
        return masks / covariances, (masks * np.log(covariances)).sum(axis=-1)
    if masks.all():
        inverses, log_determinants = _inverses(covariances)
        return inverses[np.newaxis], log_determinants[np.newaxis]
    both = masks[..., :, np.newaxis] * masks[..., np.newaxis, :]
    # With 1 on the diagonal and 0 beside it, what is missing adds nothing to the determinant.
    inverses, log_determinants = _inverses(covariances * both + np.eye(masks.shape[-1]) * (1 - masks[..., np.newaxis]))
    return inverses * both, log_determinants


def _inverses(covariances: Floats) -> tuple[Floats, Floats]:
    """Return inverses, symmetric to the last bit, and log determinants of covariances."""
    inverses: Floats = np.asarray(np.linalg.inv(covariances), dtype=np.float64)
    factors = np.linalg.cholesky(covariances)
    # The features have one product of two coordinates: the error of one half would count twice, that of both cancels.
    inverses = 0.5 * (inverses + np.swapaxes(inverses, -1, -2))
    log_determinants: Floats = 2 * np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
    return inverses, log_determinants


def _filled_dense(
    counts: Floats, first: Floats, second: Floats, masks: Floats, mixture: Mixture, precisions: Floats
) -> tuple[Floats, Floats]:
    """Return expected sums of coordinates and products, by pattern and component, what is missing filled in."""
    means, counts = mixture.means, counts[..., np.newaxis]
    both = masks[..., :, np.newaxis] * masks[..., np.newaxis, :]
    around = (first - counts * means) * masks  # the mean
    crossed = first[..., :, np.newaxis] * means[..., np.newaxis, :]
    outer = means[..., :, np.newaxis] * means[..., np.newaxis, :]
    spread = (second - crossed - np.swapaxes(crossed, -1, -2) + counts[..., np.newaxis] * outer) * both
    slopes = mixture.covariances @ precisions
    left = mixture.covariances - slopes @ mixture.covariances
    missing = 1 - masks
    left = left * missing[..., :, np.newaxis] * missing[..., np.newaxis, :]
    slopes = np.where(masks[..., np.newaxis] > 0, np.eye(masks.shape[-1]), slopes)
    around = (slopes @ around[..., np.newaxis])[..., 0]
    spread = slopes @ spread @ np.swapaxes(slopes, -1, -2) + counts[..., np.newaxis] * left
    crossed = around[..., :, np.newaxis] * means[..., np.newaxis, :]
    products = spread + crossed + np.swapaxes(crossed, -1, -2) + counts[..., np.newaxis] * outer
    return around + counts * means, products


def _filled_diagonal(
    counts: Floats, first: Floats, second: Floats, masks: Floats, mixture: Mixture
) -> tuple[Floats, Floats]:
    """Return expected sums of coordinates and squares, by pattern and component, what is missing filled in."""
    missing = (1 - masks) * counts[..., np.newaxis]
    return first + missing * mixture.means, second + missing * (mixture.means**2 + mixture.covariances)


@cache
def _triangle(n_columns: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Return the places of a matrix that the features' products are of, and the factors of a quadratic form there."""
    rows, columns = np.triu_indices(n_columns)
    return rows, columns, np.where(rows == columns, -0.5, -1.0)


@cache
def _square(n_columns: int) -> NDArray[np.intp]:
    """Return each matrix element's place among the features' products."""
    rows, columns = np.triu_indices(n_columns)
    places = np.empty((n_columns, n_columns), dtype=np.intp)
    places[rows, columns] = places[columns, rows] = np.arange(len(rows))
    return places
