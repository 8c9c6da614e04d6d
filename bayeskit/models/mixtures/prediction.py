"""What a mixture's posterior says of new points, and points drawn from it: all in the data's units.

Everything is of the posterior predictive distribution, the mixtures of all draws averaged, and none of it depends on
which label a component has, but for the responsibilities themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures.likelihood import log_joint, log_sum_exp, patterns
from bayeskit.models.mixtures.parameters import Components

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]

PROBABILITY = 0.9  # of the intervals
_MOST_DRAWS = 1000
_FEWEST_DRAWS = 100
_MOST_WORK = 1_000_000_000  # draws times points times components: a minute
_AT_ONCE = 1 << 21  # numbers of a block
_REFERENCE = 10_000  # points drawn from the mixture that densities are held against
_SMALLEST_REFERENCE = 1000
_CHUNK = 50_000  # points that are generated at once


@dataclass(frozen=True)
class Predictions:
    """What a mixture says of points.

    Parameters
    ----------
    responsibility
        ``n_points x n_components``: chance that the component made the point, the mean over the draws.
    low, high
        Ends of its central interval of probability 0.9 over the draws; None of a point estimate.
    log_density
        ``n_points``: logarithm of the posterior predictive density of what is observed of the point; NaN of nothing.
    anomaly
        ``n_points``, from 0 to 1: chance that a new point of the same mixture, looked at in the same columns, has a
        higher density. Of points that the mixture itself makes it is uniform; near 1 is what it hardly ever makes. NaN
        of nothing.
    """

    responsibility: Floats
    low: Floats | None
    high: Floats | None
    log_density: Floats
    anomaly: Floats

    @property
    def component(self) -> Labels:
        """The likeliest component of each point, from 1."""
        component: Labels = self.responsibility.argmax(axis=-1) + 1
        return component

    @property
    def certainty(self) -> Floats:
        """The chance that it is this one."""
        certainty: Floats = self.responsibility.max(axis=-1)
        return certainty


def components_in_units(posterior: xr.Dataset) -> Components:
    """Return the components of a run's posterior, in the data's units, ``n_draws`` the one leading dimension.

    Parameters
    ----------
    posterior
        ``weight``, ``mean``, ``sd`` and, where there is one, ``correlation``, as ``mixture_groups`` made them.
    """
    weights = _pooled(posterior["weight"], "component")
    means = _pooled(posterior["mean"], "component", "column")
    n_components, d = means.shape[-2:]
    sd = _of_each(posterior["sd"], n_components, "column")
    factors = np.eye(d)
    if "correlation" in posterior:
        values = _of_each(posterior["correlation"], n_components, "pair")
        correlations = np.broadcast_to(np.eye(d), (*values.shape[:-1], d, d)).copy()
        for pair, (first, second) in enumerate(combinations(range(d), 2)):
            correlations[..., first, second] = correlations[..., second, first] = values[..., pair]
        factors = _cholesky(correlations)
    cholesky = np.broadcast_to(sd[..., np.newaxis] * factors, (*means.shape, d))
    return Components(weights, means, cholesky)


def predict_points(components: Components, points: Floats, *, rng: np.random.Generator) -> Predictions:
    """Say of points where they belong, how dense the mixture is there, and how unusual they are.

    Parameters
    ----------
    components
        In the data's units, with ``n_draws`` as the one leading dimension. Of many draws evenly spaced ones are taken.
    points
        ``n_points x n_columns``, in the data's units, NaN where missing: such coordinates are integrated out.
    rng
        For the points of the mixture that densities are held against.
    """
    n_draws, n_components = components.weights.shape
    most = int(np.clip(_MOST_WORK // max(1, len(points) * n_components), _FEWEST_DRAWS, _MOST_DRAWS))
    kept = components[:: -(-n_draws // most)]
    n_kept = len(kept.weights)
    size = (len(points), n_components)
    responsibility, log_density = np.empty(size), np.empty(len(points))
    low, high = (np.empty(size), np.empty(size)) if n_draws > 1 else (None, None)
    step = max(1, _AT_ONCE // (n_kept * n_components))
    for first in range(0, len(points), step):
        block = slice(first, first + step)
        log_terms = log_joint(points[block], kept)
        densities = log_sum_exp(log_terms)
        chances = np.exp(log_terms - densities[..., np.newaxis])
        responsibility[block] = chances.mean(axis=0)
        log_density[block] = log_sum_exp(densities.T) - np.log(n_kept)
        if low is not None and high is not None:
            low[block], high[block] = np.quantile(chances, [(1 - PROBABILITY) / 2, (1 + PROBABILITY) / 2], axis=0)
    log_density[np.isnan(points).all(axis=-1)] = np.nan
    return Predictions(responsibility, low, high, log_density, _anomaly(kept, points, log_density, rng))


def generate_points(components: Components, n_points: int, *, rng: np.random.Generator) -> tuple[Floats, Labels]:
    """Draw points from the posterior predictive distribution, each from a draw of the parameters of its own.

    Parameters
    ----------
    components
        In the data's units, with ``n_draws`` as the one leading dimension.
    n_points
        How many.
    rng
        The stream.

    Returns
    -------
    array, array
        ``n_points x n_columns``, in the data's units, and the component that made each, from 1.
    """
    n_draws, n_components = components.weights.shape
    draws = rng.integers(n_draws, size=n_points)
    chances = rng.random(n_points)
    noise = rng.standard_normal((n_points, components.means.shape[-1]))
    points, labels = np.empty_like(noise), np.empty(n_points, dtype=np.intp)
    for first in range(0, n_points, _CHUNK):
        block = slice(first, first + _CHUNK)
        edges = np.cumsum(components.weights[draws[block]], axis=-1)
        chosen = (edges[:, :-1] <= (chances[block] * edges[:, -1])[:, np.newaxis]).sum(axis=-1)
        at = (draws[block], np.minimum(chosen, n_components - 1))
        points[block] = components.means[at] + np.einsum("nij,nj->ni", components.cholesky[at], noise[block])
        labels[block] = at[1] + 1
    return points, labels


def _anomaly(components: Components, points: Floats, log_density: Floats, rng: np.random.Generator) -> Floats:
    """Return the share of the mixture's own points that are denser, in the columns that are observed of a point."""
    found = np.full(len(points), np.nan)
    kinds = list(patterns(points))
    n_reference = max(_SMALLEST_REFERENCE, _REFERENCE // max(1, len(kinds)))
    reference, _ = generate_points(components, n_reference, rng=rng)
    for rows, columns in kinds:
        if columns.size == 0:
            continue
        seen = np.full_like(reference, np.nan)
        seen[:, columns] = reference[:, columns]
        densities = np.sort(_log_density(seen, components))
        denser = n_reference - np.searchsorted(densities, log_density[rows], side="right")
        found[rows] = (denser + 0.5) / (n_reference + 1)
    return found


def _log_density(points: Floats, components: Components) -> Floats:
    n_draws, n_components = components.weights.shape
    step = max(1, _AT_ONCE // (n_draws * n_components))
    blocks = [
        log_sum_exp(log_sum_exp(log_joint(points[first : first + step], components)).T) - np.log(n_draws)
        for first in range(0, len(points), step)
    ]
    return np.concatenate(blocks)


def _pooled(array: xr.DataArray, *dims: str) -> Floats:
    """Return ``n_draws x ...``, all chains behind each other."""
    values: NDArray[Any] = array.transpose("chain", "draw", *dims).to_numpy()
    return np.asarray(values.reshape(-1, *values.shape[2:]), dtype=float)


def _of_each(array: xr.DataArray, n_components: int, dim: str) -> Floats:
    """Return ``n_draws x n_components x ...``, what is tied being the same of each."""
    if "component" in array.dims:
        return _pooled(array, "component", dim)
    values = _pooled(array, dim)
    return np.broadcast_to(values[:, np.newaxis], (len(values), n_components, *values.shape[1:]))


def _cholesky(correlations: Floats) -> Floats:
    """Return lower Cholesky factors, of matrices that rounding may have made singular, too."""
    try:
        return np.asarray(np.linalg.cholesky(correlations))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(correlations)
        mended = (vectors * np.maximum(values, 1e-12)[..., np.newaxis, :]) @ np.swapaxes(vectors, -1, -2)
        return np.asarray(np.linalg.cholesky(mended))
