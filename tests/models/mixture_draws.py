"""The three clusters that mixtures are tried on, and draws around a known mixture, as engines hand them over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from bayeskit.core.types import Source
from bayeskit.datasets.points import Points
from bayeskit.models.gmm import GMM
from bayeskit.models.mixtures.parameters import values_of
from bayeskit.models.mixtures.posterior import mixture_coords, mixture_dims, mixture_groups
from bayeskit.models.mixtures.spec import MixtureSpec, priors_of

WEIGHTS = np.array([0.3, 0.4, 0.3])
MEANS = np.array([[0.0, 0.0], [3.0, 3.0], [-3.0, 3.0]])
COVARIANCES = np.array([[[1, 0.3], [0.3, 1]], [[1, -0.2], [-0.2, 1.5]], [[1.5, 0.4], [0.4, 1]]])


def clusters(n_points=1000):
    """Return points of three clusters, the first ones of each as many as its share asks for."""
    state = np.random.RandomState(42)
    sizes = (300, 400, 300)
    parts = [state.multivariate_normal(*two, size) for *two, size in zip(MEANS, COVARIANCES, sizes, strict=True)]
    return np.concatenate([part[: size * n_points // 1000] for part, size in zip(parts, sizes, strict=True)])


def mixture(values, *, n_components=3, covariance="full", dp=False, columns=None, selection=None):
    """Return a model of points, standardised."""
    values = np.asarray(values, dtype=float)
    n_points, d = values.shape
    columns = columns or tuple("abcdefghij"[:d])
    centre, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    priors = priors_of(n_columns=d, covariance=covariance, dp=dp)
    return GMM(
        data=Points(values, columns, np.arange(2, n_points + 2), Source("points.csv", "", "")),
        spec=MixtureSpec(n_components, d, covariance, dp, priors),
        y=(values - centre) / spread,
        centre=centre,
        spread=spread,
        options={},
        selection=selection or {},
    )


def draws_around(model, shape, rng, *, weights=WEIGHTS, means=MEANS, covariances=COVARIANCES, noise=0.03):
    """Return ``n_chains x n_draws x ...`` by site: a mixture in the data's units, with noise, labels in their order."""
    size = (*shape, len(weights))
    weights = weights * np.exp(noise * rng.standard_normal(size))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    means = (means - model.centre) / model.spread + noise * rng.standard_normal((*size, model.spec.n_columns))
    covariances = covariances / np.outer(model.spread, model.spread)
    covariances = covariances * np.exp(noise * rng.standard_normal((*size, 1, 1)))
    return values_of(model.spec, weights, means, covariances)


def shuffled(model, values, rng):
    """Return draws with the labels of each permuted at random."""
    shape = values["means"].shape[:3]
    order = np.argsort(rng.random(shape), axis=-1)

    def put(name, value):
        shared = name in ("concentration", "sticks") or (
            model.spec.covariance == "tied" and name in ("scales", "corr_cholesky")
        )
        return value if shared else np.take_along_axis(value, order.reshape(*shape, *[1] * (value.ndim - 3)), axis=2)

    return {name: put(name, value) for name, value in values.items()}


def with_missing(model, rng, share=0.2):
    """Return the model with some coordinates missing, one of each point left."""
    y = model.y.copy()
    gone = rng.random(y.shape) < share
    gone[np.arange(len(y)), rng.integers(y.shape[1], size=len(y))] = False
    y[gone] = np.nan
    return replace(model, y=y)


def posterior_of(model, values):
    """Return the posterior group as a run has it."""
    dims, coords = mixture_dims(model), mixture_coords(model)
    variables = {
        name: (("chain", "draw", *dims.get(name, [])), value)
        for name, value in mixture_groups(model, values)["posterior"].items()
    }
    used = {dim for along, _ in variables.values() for dim in along}
    return xr.Dataset(variables, {dim: places for dim, places in coords.items() if dim in used})
