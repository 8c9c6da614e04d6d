"""A mixture's densities in NumPy: the readable reference that the programs in Pyro and Stan are checked against.

With the assignment ``z`` of a point summed out and its missing coordinates integrated out,

    p(y) = sum over k of weights[k] * normal(y[o] | means[k, o], covariances[k][o, o]),      o: what is observed of y,

everything in the log domain: McLachlan and Peel (2000), Finite Mixture Models, chapter 2,
doi:10.1002/0471721182; a marginal of a normal distribution is the normal of the parts. Arrays have any leading
dimensions, written ``...``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, multigammaln, xlog1py, xlogy

from bayeskit.models.mixtures.parameters import Components
from bayeskit.models.mixtures.spec import MixtureSpec

Floats = NDArray[np.float64]

_LOG_2_PI = float(np.log(2 * np.pi))
_SMALLEST = 1e-150  # of a Cholesky factor's diagonal: less overflows where it is squared
_FARTHEST = 1e300  # squared distance, in place of what overflows
_AT_ONCE = 1 << 21  # numbers that hold the distances of a block of draws


def log_joint(y: Floats, components: Components) -> Floats:
    """Return the log density of each point together with each assignment, missing coordinates integrated out.

    Parameters
    ----------
    y
        ``n_points x n_columns``, NaN where missing.
    components
        With any leading dimensions.

    Returns
    -------
    array
        ``... x n_points x n_components``: ``log weights[k] + log normal(observed part of y[i] | component k)``, finite
        wherever the weight is positive, however far the point; without any observed coordinate the log weight alone.
    """
    with np.errstate(divide="ignore"):
        log_weights = np.log(components.weights)
    n_points, n_components = len(y), components.weights.shape[-1]
    found = np.empty((*components.weights.shape[:-1], n_points, n_components))
    for rows, columns in patterns(y):
        means = components.means[..., columns]
        part = log_normal(y[np.ix_(rows, columns)], means, marginal_cholesky(components.cholesky, columns))
        found[..., rows, :] = part + log_weights[..., np.newaxis, :]
    return found


def log_likelihood(y: Floats, components: Components) -> Floats:
    """Return the log density of each point, ``... x n_points``, its assignment and missing coordinates integrated out.

    Many draws are taken in blocks, so that memory is of the order of the result.
    """
    leading = components.weights.shape[:-1]
    flat = Components(
        *(
            array.reshape(-1, *array.shape[len(leading) :])
            for array in (components.weights, components.means, components.cholesky)
        )
    )
    found = np.empty((len(flat.weights), len(y)))
    step = max(1, _AT_ONCE // max(1, y.size * components.weights.shape[-1]))
    for first in range(0, len(found), step):
        block = slice(first, first + step)
        found[block] = log_sum_exp(log_joint(y, flat[block]))
    return found.reshape(*leading, len(y))


def log_prior(spec: MixtureSpec, values: Mapping[str, NDArray[Any]]) -> Floats:
    """Return the joint log prior density, ``...``, of sites' values, ``... x`` the site's shape.

    Normalised, with respect to the sites themselves: all weights but the last (of a Dirichlet process its sticks and
    concentration), and the entries of Cholesky factors below the diagonal.
    """
    total: Floats = np.sum(np.broadcast_arrays(*log_prior_terms(spec, values).values()), axis=0)
    return total


def log_prior_terms(spec: MixtureSpec, values: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """Return the terms of ``log_prior`` by the prior's name, ``sticks`` being those of a Dirichlet process.

    Correlations have the LKJ density of their Cholesky factors: Lewandowski, Kurowicka and Joe (2009), section 3,
    doi:10.1016/j.jmva.2009.04.008.
    """
    terms: dict[str, Floats] = {}
    if spec.dp:
        concentration = np.asarray(values["concentration"], dtype=float)
        terms["concentration"] = spec.prior("concentration").log_density(concentration)
        terms["sticks"] = _log_sticks(np.asarray(values["sticks"], dtype=float), concentration)
    else:
        (of_each,) = spec.prior("weights").arguments
        terms["weights"] = _log_dirichlet(np.asarray(values["weights"], dtype=float), of_each)
    for name in ("means", "scales"):
        array = np.asarray(values[name], dtype=float)
        terms[name] = _summed(spec.prior(name).log_density(array), len(spec.shapes[name]))
    if spec.correlated:
        (shape,) = spec.prior("correlations").arguments
        factors = np.asarray(values["corr_cholesky"], dtype=float)
        terms["correlations"] = _summed(_log_lkj(factors, shape), len(spec.shapes["corr_cholesky"]) - 2)
    return terms


def patterns(y: Floats) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the points with the same coordinates observed: their rows and these columns; complete ones come first."""
    missing = np.isnan(y)
    some = missing.any(axis=1)
    if not some.all():
        yield np.flatnonzero(~some), np.arange(y.shape[1])
    rows = np.flatnonzero(some)
    kinds, kind_of = np.unique(missing[rows], axis=0, return_inverse=True)
    for kind, columns in enumerate(~kinds):
        yield rows[kind_of.ravel() == kind], np.flatnonzero(columns)


def marginal_cholesky(cholesky: Floats, columns: NDArray[np.intp]) -> Floats:
    """Return lower Cholesky factors of the covariances of some columns, given in ascending order, of those of all.

    By an orthogonal transformation rather than from the covariances: what is nearly singular keeps its digits.
    """
    n_columns = cholesky.shape[-1]
    if columns.size == n_columns or columns.size == 0:
        return cholesky[..., columns, :][..., columns]
    upper = np.linalg.qr(np.swapaxes(cholesky[..., columns, :], -1, -2), mode="r")
    signs = np.where(np.diagonal(upper, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
    return np.swapaxes(upper * signs[..., np.newaxis], -1, -2)


def log_normal(y: Floats, means: Floats, cholesky: Floats) -> Floats:
    """Return the log density of each point under each component, ``... x n_points x n_components``.

    Parameters
    ----------
    y
        ``n_points x n_columns``, nothing missing.
    means
        ``... x n_components x n_columns``.
    cholesky
        ``... x n_components x n_columns x n_columns``, lower Cholesky factors of the covariances.
    """
    n_columns = y.shape[-1]
    shape = (*means.shape[:-2], len(y), means.shape[-2])
    distances, log_determinants = np.zeros(shape), np.zeros((*means.shape[:-2], 1, means.shape[-2]))
    whitened: list[Floats] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for column in range(n_columns):  # forward substitution
            factor = cholesky[..., np.newaxis, :, column, :]
            left = y[:, np.newaxis, column] - means[..., np.newaxis, :, column]
            for before, known in enumerate(whitened):
                left = left - factor[..., before] * known
            scale = np.maximum(factor[..., column], _SMALLEST)
            whitened.append(left / scale)
            distances = distances + whitened[-1] ** 2
            log_determinants = log_determinants + np.log(scale)
    distances = np.nan_to_num(distances, nan=_FARTHEST, posinf=_FARTHEST)
    return np.asarray(-0.5 * (n_columns * _LOG_2_PI + distances) - log_determinants)


def log_sum_exp(log_terms: Floats) -> Floats:
    """Return the log of the sum of exponentials over the last axis; minus infinity where all terms are."""
    largest = log_terms.max(axis=-1, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        total: Floats = np.log(np.exp(log_terms - largest).sum(axis=-1)) + largest[..., 0]
    return total


def _log_dirichlet(weights: Floats, concentration: float) -> Floats:
    n_components = weights.shape[-1]
    constant = gammaln(n_components * concentration) - n_components * gammaln(concentration)
    return np.asarray(constant + xlogy(concentration - 1, weights).sum(axis=-1))


def _log_sticks(sticks: Floats, concentration: Floats) -> Floats:
    """Return the log density of sticks that are independent, each from Beta(1, concentration)."""
    below_one = np.minimum(sticks, 1 - np.finfo(float).epsneg)  # rounding must not put one on the edge
    rest = xlog1py(concentration[..., np.newaxis] - 1, -below_one).sum(axis=-1)
    return np.asarray(sticks.shape[-1] * np.log(concentration) + rest)


def _log_lkj(factors: Floats, shape: float) -> Floats:
    d = factors.shape[-1]
    place = np.arange(2, d + 1)
    diagonal = np.diagonal(factors, axis1=-2, axis2=-1)[..., 1:]
    alpha = shape + 0.5 * (d - 1)
    constant = 0.5 * (d - 1) * np.log(np.pi) + multigammaln(alpha - 0.5, d - 1) - (d - 1) * gammaln(alpha)
    return np.asarray(xlogy(d - place + 2 * shape - 2, diagonal).sum(axis=-1) - constant)


def _summed(array: Floats, n_dims: int) -> Floats:
    return np.asarray(array.sum(axis=tuple(range(-n_dims, 0)))) if n_dims else array
