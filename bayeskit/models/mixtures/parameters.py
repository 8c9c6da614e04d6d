"""A mixture's parameters in two forms: the sites of the programs, and components with their covariances.

Arrays have any leading dimensions, written ``...``: chains and draws, restarts, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.priors import Prior
from bayeskit.models.mixtures.spec import MixtureSpec

Floats = NDArray[np.float64]

SMALLEST_WEIGHT = 1e-12  # what a start gives to an empty component: its coordinate must be finite
SMALLEST_SCALE = 1e-12
_SHRINKAGES = (0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)  # of correlations, until their matrix has a Cholesky factor


@dataclass(frozen=True)
class Components:
    """Weights, means and covariances of a mixture's components.

    Parameters
    ----------
    weights
        ``... x n_components``, each from 0 to 1, with the sum 1.
    means
        ``... x n_components x n_columns``.
    cholesky
        ``... x n_components x n_columns x n_columns``, lower Cholesky factors of the covariances; where tied, all the
        same.
    """

    weights: Floats
    means: Floats
    cholesky: Floats

    @property
    def covariances(self) -> Floats:
        """``... x n_components x n_columns x n_columns``."""
        covariances: Floats = self.cholesky @ np.swapaxes(self.cholesky, -1, -2)
        return covariances

    def __getitem__(self, index: Any) -> Components:
        """Return a part by leading dimensions, as NumPy would index them."""
        return Components(self.weights[index], self.means[index], self.cholesky[index])


def components_of(spec: MixtureSpec, values: Mapping[str, NDArray[Any]]) -> Components:
    """Return the components that sites' values stand for.

    Parameters
    ----------
    spec
        Sizes and form.
    values
        By site, ``... x`` the site's shape. Weights may be left out of a Dirichlet process: its sticks make them.
    """
    k, d = spec.n_components, spec.n_columns
    means = np.asarray(values["means"], dtype=float)
    weights = values["weights"] if "weights" in values else weights_of(values["sticks"])
    scales = np.asarray(values["scales"], dtype=float)
    if spec.covariance == "tied":
        scales = scales[..., np.newaxis, :]
    elif spec.covariance == "spherical":
        scales = scales[..., np.newaxis]
    correlation = np.eye(d)
    if spec.correlated:
        correlation = np.asarray(values["corr_cholesky"], dtype=float)
        correlation = correlation[..., np.newaxis, :, :] if spec.covariance == "tied" else correlation
    cholesky = scales[..., np.newaxis] * correlation
    cholesky = np.broadcast_to(cholesky, (*means.shape[:-2], k, d, d))
    return Components(np.asarray(weights, dtype=float), means, cholesky)


def values_of(
    spec: MixtureSpec, weights: Floats, means: Floats, covariances: Floats, concentration: Floats | None = None
) -> dict[str, Floats]:
    """Return the sites' values that stand for components: the inverse of ``components_of``, for starts and estimates.

    Parameters
    ----------
    spec
        Sizes and form.
    weights
        ``... x n_components``; a weight of 0 becomes ``SMALLEST_WEIGHT``.
    means
        ``... x n_components x n_columns``.
    covariances
        ``... x n_components x n_columns x n_columns``. Where they are not of the spec's form, the nearest in
        likelihood is taken of points with these moments: tied, their average by weight; diagonal, their diagonals;
        spherical, the mean of their diagonals. A matrix that is singular has its correlations shrunk until it is not.
    concentration
        ``...``, of a Dirichlet process; a typical value under its prior unless given.

    Returns
    -------
    dict
        By site, in the order of the spec, ``... x`` the site's shape: all inside their supports.
    """
    weights = np.maximum(weights, SMALLEST_WEIGHT)
    weights = weights / weights.sum(axis=-1, keepdims=True)
    values: dict[str, Floats] = {"means": np.asarray(means, dtype=float)}
    if spec.dp:
        if concentration is None:
            concentration = np.full(weights.shape[:-1], _typical(spec.prior("concentration")))
        values["concentration"] = np.asarray(concentration, dtype=float)
        values["sticks"] = sticks_of(weights)
        weights = weights_of(values["sticks"])
    values["weights"] = weights
    covariances = np.asarray(covariances, dtype=float)
    if spec.covariance == "tied":
        covariances = np.einsum("...k,...kij->...ij", weights, covariances)
    variances = np.diagonal(covariances, axis1=-2, axis2=-1)
    if spec.covariance == "spherical":
        variances = variances.mean(axis=-1)
    values["scales"] = np.sqrt(np.maximum(variances, SMALLEST_SCALE**2))
    if spec.correlated:
        values["corr_cholesky"] = _correlation_cholesky(covariances, values["scales"])
    return {name: values[name] for name in spec.shapes}


def weights_of(sticks: Floats) -> Floats:
    """Return a Dirichlet process's weights, ``... x n_components``, of its sticks, ``... x (n_components - 1)``.

    ``weights[k] = sticks[k] * prod(1 - sticks[:k])``; the last component takes the rest.
    """
    sticks = np.asarray(sticks, dtype=float)
    one = np.ones((*sticks.shape[:-1], 1))
    left = np.concatenate([one, np.cumprod(1 - sticks, axis=-1)], axis=-1)
    weights: Floats = left * np.concatenate([sticks, one], axis=-1)
    return weights


def sticks_of(weights: Floats) -> Floats:
    """Return the sticks, ``... x (n_components - 1)``, that break into these weights; the inverse of ``weights_of``.

    Each is kept from 0 and 1 by ``SMALLEST_WEIGHT``.
    """
    left = np.flip(np.cumsum(np.flip(weights, axis=-1), axis=-1), axis=-1)
    sticks = weights[..., :-1] / np.maximum(left[..., :-1], np.finfo(float).tiny)
    return np.clip(sticks, SMALLEST_WEIGHT, 1 - SMALLEST_WEIGHT)


def _typical(prior: Prior) -> float:
    first, second = prior.arguments
    return first / second if prior.family == "gamma" else float(np.exp(first))


def _correlation_cholesky(covariances: Floats, scales: Floats) -> Floats:
    """Return Cholesky factors of the correlations; of each matrix with as little shrinkage as it needs."""
    correlations = covariances / (scales[..., :, np.newaxis] * scales[..., np.newaxis, :])
    flat = np.clip(correlations, -1, 1).reshape(-1, *correlations.shape[-2:])
    flat[:, np.arange(flat.shape[-1]), np.arange(flat.shape[-1])] = 1.0
    factors = [_factor(matrix) for matrix in flat]
    return np.array(factors).reshape(correlations.shape)


def _factor(correlation: Floats) -> Floats:
    identity = np.eye(len(correlation))
    for shrinkage in _SHRINKAGES:
        try:
            factor = np.linalg.cholesky((1 - shrinkage) * correlation + shrinkage * identity)
        except np.linalg.LinAlgError:
            continue
        if np.diagonal(factor).min() > 1e-7:  # else rounding puts it on the support's edge
            return np.asarray(factor / np.linalg.norm(factor, axis=-1, keepdims=True))
    return identity
