"""Draws from a mixture's prior, and points from a mixture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures.parameters import components_of, weights_of
from bayeskit.models.mixtures.spec import MixtureSpec

Floats = NDArray[np.float64]

_LARGEST_STICK = 1 - np.finfo(float).epsneg  # what breaks must leave something for the rest
_SMALLEST = np.finfo(float).tiny


def draw_prior_values(spec: MixtureSpec, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    """Draw from the prior.

    Parameters
    ----------
    spec
        Sizes, form and priors.
    rng
        The stream.
    n
        How many draws.

    Returns
    -------
    dict
        By site, in the order of the spec, ``n x`` the site's shape.
    """
    values: dict[str, Floats] = {}
    for name, shape in spec.shapes.items():
        if name == "sticks":
            values[name] = _sticks(values["concentration"], shape[0], rng)
        elif name == "weights" and spec.dp:
            values[name] = weights_of(values["sticks"])
        elif name == "weights":
            values[name] = _dirichlet(spec.prior("weights").arguments[0], (n, *shape), rng)
        elif name == "corr_cholesky":
            values[name] = lkj_cholesky(spec.prior("correlations").arguments[0], (n, *shape[:-2]), shape[-1], rng)
        else:
            values[name] = spec.prior(name).draw((n, *shape), rng)
    return values


def simulate_points(
    spec: MixtureSpec, values: Mapping[str, NDArray[Any]], n_points: int, rng: np.random.Generator
) -> Floats:
    """Draw points from mixtures.

    Parameters
    ----------
    spec
        Sizes and form.
    values
        By site, ``... x`` the site's shape.
    n_points
        How many of each mixture.
    rng
        The stream.

    Returns
    -------
    array
        ``... x n_points x n_columns``, on the model's scale.
    """
    components = components_of(spec, values)
    leading = components.weights.shape[:-1]
    weights = components.weights.reshape(-1, spec.n_components)
    below = np.cumsum(weights, axis=-1)[:, :-1]
    chance = rng.random((len(weights), n_points))
    noise = rng.standard_normal((len(weights), n_points, spec.n_columns))
    assigned = np.zeros(chance.shape, dtype=np.int64)
    for k in range(spec.n_components - 1):
        assigned += chance >= below[:, k, np.newaxis]
    means = components.means.reshape(-1, spec.n_components, spec.n_columns)
    cholesky = components.cholesky.reshape(-1, spec.n_components, spec.n_columns, spec.n_columns)
    simulated = np.empty_like(noise)
    for draw in range(len(weights)):  # gathering every point's factor for all draws at once would take d times more
        chosen = assigned[draw]
        simulated[draw] = means[draw, chosen] + np.einsum("nij,nj->ni", cholesky[draw, chosen], noise[draw])
    return simulated.reshape(*leading, n_points, spec.n_columns)


def lkj_cholesky(shape: float, size: tuple[int, ...], n_columns: int, rng: np.random.Generator) -> Floats:
    """Draw lower Cholesky factors of correlation matrices, ``size x n_columns x n_columns``.

    The matrices' density is proportional to their determinant to the power ``shape - 1``. By the onion method of
    Lewandowski, Kurowicka and Joe (2009), section 3.2, doi:10.1016/j.jmva.2009.04.008: row ``i`` of the factor, counted
    from 0, is a uniform direction in ``i`` dimensions whose squared length is Beta(i / 2, shape + (d - 1 - i) / 2), and
    what is left to length 1 stands on the diagonal.
    """
    factors = np.zeros((*size, n_columns, n_columns))
    factors[..., 0, 0] = 1.0
    for row in range(1, n_columns):
        # Two gamma variables in place of a beta one: what is left to 1 keeps its digits where it is small.
        inside = rng.standard_gamma(row / 2, size)
        rest = np.maximum(rng.standard_gamma(shape + (n_columns - 1 - row) / 2, size), _SMALLEST)
        direction = rng.standard_normal((*size, row))
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        factors[..., row, :row] = direction * np.sqrt(inside / (inside + rest))[..., np.newaxis]
        factors[..., row, row] = np.sqrt(rest / (inside + rest))
    return factors


def _sticks(concentration: Floats, n_sticks: int, rng: np.random.Generator) -> Floats:
    """Draw ``n x n_sticks`` from Beta(1, concentration), by inversion of its distribution function."""
    log_rest = -rng.standard_exponential((*concentration.shape, n_sticks)) / concentration[..., np.newaxis]
    return np.clip(-np.expm1(log_rest), _SMALLEST, _LARGEST_STICK)


def _dirichlet(concentration: float, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Draw from a symmetric Dirichlet distribution over the last axis.

    In the log domain: where the concentration is small, gamma variables vanish, G(a) = G(a + 1) U^(1/a) does not.
    """
    log_gamma = np.log(rng.standard_gamma(concentration + 1, shape)) - rng.standard_exponential(shape) / concentration
    weights = np.exp(log_gamma - log_gamma.max(axis=-1, keepdims=True))
    weights = np.maximum(weights, _SMALLEST)
    drawn: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return drawn
