"""A mixture as ``stan/gmm.stan`` takes it: its data, its start values, and the sites that the output stands for.

The program's arrays have as many dimensions in every form of the covariances: ``scales`` is ``K x d``, ``1 x d`` where
tied, ``K x 1`` where spherical; ``corr_cholesky`` is a list of matrices, ``concentration`` one of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures.likelihood import patterns
from bayeskit.models.mixtures.spec import COVARIANCES, MixtureSpec

Floats = NDArray[np.float64]

PROGRAM = "gmm.stan"


def stan_data(spec: MixtureSpec, y: Floats) -> dict[str, Any]:
    """Return the program's data block.

    Parameters
    ----------
    spec
        Sizes, form and priors.
    y
        ``n_points x n_columns``, NaN where missing; points without any coordinate are left out.
    """
    kinds = [(rows, columns) for rows, columns in patterns(y) if columns.size]
    sizes = np.array([rows.size for rows, _ in kinds], dtype=int)
    order = np.concatenate([np.empty(0, dtype=int), *(rows for rows, _ in kinds)])
    observed = np.zeros((len(kinds), spec.n_columns), dtype=int)
    for place, (_, columns) in enumerate(kinds):
        observed[place, : columns.size] = columns + 1
    return {
        "K": spec.n_components,
        "D": spec.n_columns,
        "N": order.size,
        "P": len(kinds),
        "y": np.nan_to_num(y[order]).T,
        "first": np.cumsum(sizes) - sizes + 1,
        "last": np.cumsum(sizes),
        "n_observed": (observed > 0).sum(axis=1),
        "observed": observed,
        "form": COVARIANCES.index(spec.covariance) + 1,
        "dp": int(spec.dp),
        **_prior_data(spec),
    }


def stan_start(spec: MixtureSpec, values: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the program's parameters, for one chain to start from, of one set of the sites' values."""
    given: dict[str, Any] = {"means": values["means"], "scales": np.reshape(values["scales"], _scales_shape(spec))}
    if spec.dp:
        given |= {"sticks": values["sticks"], "concentration": np.reshape(values["concentration"], 1)}
    else:
        given["shares"] = values["weights"][np.newaxis]
    if spec.correlated:
        given["corr_cholesky"] = np.reshape(values["corr_cholesky"], (-1, spec.n_columns, spec.n_columns))
    return given


def stan_outputs(spec: MixtureSpec) -> tuple[str, ...]:
    """Return which of the program's quantities to keep: the sites; what has no entries is not in the output."""
    return tuple(name for name, shape in spec.shapes.items() if 0 not in shape)


def site_values(spec: MixtureSpec, values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the sites' values, ``... x`` the site's shape, of the program's output, ``...`` being chains and draws."""
    leading = np.shape(values["means"])[:-2]
    return {name: np.reshape(values.get(name, ()), (*leading, *shape)) for name, shape in spec.shapes.items()}


def _scales_shape(spec: MixtureSpec) -> tuple[int, int]:
    rows = 1 if spec.covariance == "tied" else spec.n_components
    return rows, 1 if spec.covariance == "spherical" else spec.n_columns


def _prior_data(spec: MixtureSpec) -> dict[str, Any]:
    scales = spec.prior("scales")
    data: dict[str, Any] = {
        "means_args": list(spec.prior("means").arguments),
        "scales_family": scales.number,
        "scales_args": list(scales.arguments),
        "correlations_shape": spec.prior("correlations").arguments[0] if spec.correlated else 1.0,
        "weights_concentration": 1.0,
        "concentration_family": 0,
        "concentration_args": [0.0, 0.0],
    }
    if spec.dp:
        concentration = spec.prior("concentration")
        return data | {
            "concentration_family": concentration.number,
            "concentration_args": list(concentration.arguments),
        }
    return data | {"weights_concentration": spec.prior("weights").arguments[0]}
