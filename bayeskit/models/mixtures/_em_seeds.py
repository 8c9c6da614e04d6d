"""Where EM starts: centres by k-means++, a few steps of k-means, and moments that no small cluster collapses with.

Arthur and Vassilvitskii (2007), https://theory.stanford.edu/~sergei/papers/kMeansPP-soda.pdf: each centre is a point
drawn by its squared distance from those before; here the best of several such points, as their section 6 suggests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._em_rows import Floats
from bayeskit.models.mixtures._em_steps import Moments


def seeds(points: Floats, n_components: int, rng: np.random.Generator) -> Floats:
    """Return centres, ``n_components x n_columns``, that are points.

    Where the points differ in fewer places than that, some centres are equal.
    """
    n_candidates = 2 + int(np.log(n_components))
    centres = np.empty((n_components, points.shape[1]))
    squares = np.vecdot(points, points)
    centres[0] = points[rng.integers(len(points))]
    nearest = _distances(points, squares, centres[:1])[0]
    for place in range(1, n_components):
        ends = np.cumsum(nearest)
        if not ends[-1] > 0:
            centres[place:] = points[rng.integers(len(points), size=n_components - place)]
            break
        candidates = points[np.searchsorted(ends[:-1], rng.random(n_candidates) * ends[-1], side="right")]
        distances = np.minimum(_distances(points, squares, candidates), nearest)
        best = int(np.argmin(distances.sum(axis=1)))
        centres[place], nearest = candidates[best], distances[best]
    return centres


def clusters(points: Floats, centres: Floats, n_steps: int) -> NDArray[np.intp]:
    """Return each point's cluster after steps of k-means (Lloyd 1982, doi:10.1109/TIT.1982.1056489)."""
    squares = np.vecdot(points, points)
    members: NDArray[np.intp] = np.argmin(_distances(points, squares, centres), axis=0)
    for _ in range(n_steps):
        counts = np.bincount(members, minlength=len(centres))
        sums = np.stack([np.bincount(members, column, len(centres)) for column in points.T], axis=1)
        centres = np.where(counts[:, np.newaxis] > 0, sums / np.maximum(counts, 1)[:, np.newaxis], centres)
        before, members = members, np.argmin(_distances(points, squares, centres), axis=0)
        if np.array_equal(before, members):
            break
    return members


def first_moments(points: Floats, members: NDArray[np.intp], n_components: int, *, dense: bool) -> Moments:
    """Return moments of clusters as if each had some points more, with the covariance within the clusters together.

    Parameters
    ----------
    points
        ``n_points x n_columns``.
    members
        ``n_points``.
    n_components
        Number of clusters; one without points gets the mean of a point drawn by none: the origin.
    dense
        Whether products of different coordinates are among the moments.
    """
    n_columns = points.shape[1]
    shares = np.zeros((n_components, len(points)))
    shares[members, np.arange(len(points))] = 1.0
    counts = shares.sum(axis=1)
    means = shares @ points / np.maximum(counts, 1)[:, np.newaxis]
    left = points - means[members]
    more = counts + n_columns + 2
    if dense:
        within = left.T @ left
        parts = (left[members == component] for component in range(n_components))
        each = np.stack([part.T @ part for part in parts])
        covariances = (each + (n_columns + 2) * within / len(points)) / more[:, np.newaxis, np.newaxis]
        products = covariances + means[:, :, np.newaxis] * means[:, np.newaxis]
        return Moments(more, more[:, np.newaxis] * means, more[:, np.newaxis, np.newaxis] * products)
    variances = (shares @ left**2 + (n_columns + 2) * (left**2).mean(axis=0)) / more[:, np.newaxis]
    return Moments(more, more[:, np.newaxis] * means, more[:, np.newaxis] * (variances + means**2))


def _distances(points: Floats, squares: Floats, centres: Floats) -> Floats:
    """Return squared distances, ``n_centres x n_points``, none of them below 0."""
    distances = centres @ points.T
    distances *= -2
    distances += squares
    distances += np.vecdot(centres, centres)[:, np.newaxis]
    return np.maximum(distances, 0.0, out=distances)
