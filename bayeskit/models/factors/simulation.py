"""Draws from the prior of a matrix factorisation, and ratings from its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from bayeskit.models.factors._hyper import Population, wishart, wishart_arguments
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.quantities import Parameters
from bayeskit.models.factors.spec import SIDES, FactorSpec

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Arrays = Mapping[str, NDArray[Any]]


def draw_parameters(spec: FactorSpec, data: Observed, rng: np.random.Generator) -> dict[str, Floats]:
    """Draw all parameters from their prior, once.

    Parameters
    ----------
    spec
        Model.
    data
        Numbers of users and items, and their features; its ratings are not looked at.
    rng
        The stream.

    Returns
    -------
    dict
        By site, in the order and of the shapes of ``spec.shapes``, on the model's scale.
    """
    shapes = spec.shapes(data.n_users, data.n_items)
    found = {name: spec.prior(name).draw(shapes[name], rng) for name in ("mu", "tau", "alpha") if name in shapes}
    if "cutpoints" in shapes:
        # All have one prior: independent draws given that they ascend are independent draws in order.
        found["cutpoints"] = np.sort(spec.prior("cutpoints").draw(shapes["cutpoints"], rng))
    for side in SIDES:
        found |= _draw_side(spec, data, side, found, rng)
    return {name: np.asarray(found[name], dtype=float) for name in shapes}


def simulate_values(spec: FactorSpec, data: Observed, sites: Arrays, rng: np.random.Generator) -> Floats:
    """Draw ratings of the training pairs.

    Parameters
    ----------
    spec, data
        Model and pairs.
    sites
        Parameters, from ``draw_parameters``.
    rng
        The stream.

    Returns
    -------
    array
        ``n_ratings``, as ``Observed.values`` are: on the model's scale, or levels from 0.
    """
    return _draw_ratings(spec, sites, data.user, data.item, rng)


def simulate_test_values(spec: FactorSpec, data: Observed, sites: Arrays, rng: np.random.Generator) -> Floats:
    """Draw ratings of the test pairs, ``n_test``, in the data's units, as ``Observed.test_values`` are.

    Those of the normal likelihood are not kept within the scale.
    """
    drawn = _draw_ratings(spec, sites, data.test_user, data.test_item, rng)
    if spec.likelihood == "ordinal":
        return np.asarray(data.levels[drawn.astype(np.int64)], dtype=float)
    return np.asarray(data.in_units(drawn), dtype=float)


def parameters_of(spec: FactorSpec, sites: Arrays) -> Parameters:
    """Return one draw of all sites as what quantities and predictions are computed from."""
    return Parameters(
        spec=spec,
        rows={side: torch.as_tensor(sites[f"{side}_rows"]) for side in SIDES},
        populations={side: _population(spec, side, sites) for side in SIDES},
        level=float(sites["mu"]) if spec.has_level else 0.0,
        tau=float(sites["tau"]) if spec.likelihood == "normal" else 1.0,
        cutpoints=np.asarray(sites.get("cutpoints", ()), dtype=float),
        alpha=np.asarray(sites.get("alpha", ()), dtype=float),
    )


def _draw_side(
    spec: FactorSpec, data: Observed, side: str, shared: Arrays, rng: np.random.Generator
) -> dict[str, Floats]:
    """Draw the rows of users, or of items, and what these are drawn from."""
    n, width = data.n_rows(side), spec.width
    if spec.nonnegative:
        return {f"{side}_rows": np.abs(rng.standard_normal((n, width))) / np.sqrt(shared["alpha"])}
    found: dict[str, Floats] = {}
    if spec.family == "wishart":
        precision = wishart(*wishart_arguments(spec.prior("factors"), width), rng)
        factor = np.asarray(np.linalg.cholesky(precision), dtype=float)
        mean = _correlated(rng.standard_normal((1, width)), factor)[0]
        found |= {f"{side}_mean": mean, f"{side}_precision": precision}
    else:
        found[f"{side}_alpha"] = np.asarray(spec.prior("alpha").draw((), rng))
        factor = np.diag(np.append(found[f"{side}_alpha"], shared["alpha"]) ** 0.5)
        mean = np.zeros(width)
    features = data.features(side)
    means = np.broadcast_to(mean, (n, width))
    if features is not None:
        relevance = spec.prior("lambda").draw(len(features.names), rng)
        noise = rng.standard_normal((features.n_features, width)) / np.sqrt(relevance[features.groups, None])
        found |= {f"{side}_lambda": relevance, f"{side}_coefficients": _correlated(noise, factor)}
        means = means + features.matrix @ found[f"{side}_coefficients"]
    return found | {f"{side}_rows": means + _correlated(rng.standard_normal((n, width)), factor)}


def _correlated(noise: Floats, factor: Floats) -> Floats:
    """Return rows of the precision whose lower Cholesky factor this is, of rows of independent noise."""
    return np.asarray(solve_triangular(factor, noise.T, lower=True, trans=1).T)


def _draw_ratings(spec: FactorSpec, sites: Arrays, user: Integers, item: Integers, rng: np.random.Generator) -> Floats:
    pairs = (torch.as_tensor(places) for places in (user, item))
    eta = parameters_of(spec, sites).eta(*pairs).numpy()
    if spec.likelihood == "normal":
        return np.asarray(eta + rng.standard_normal(len(user)) / np.sqrt(sites["tau"]))
    return np.searchsorted(sites["cutpoints"], eta + rng.standard_normal(len(user))).astype(float)


def _population(spec: FactorSpec, side: str, sites: Arrays) -> Population:
    """Return what the rows of a side are drawn from."""
    if spec.family == "wishart":
        mean, precision = (np.asarray(sites[f"{side}_{part}"], dtype=float) for part in ("mean", "precision"))
    else:
        biases = () if spec.nonnegative else np.atleast_1d(sites[f"{side}_alpha"])
        mean, precision = np.zeros(spec.width), np.diag(np.concatenate([biases, sites["alpha"]]))
    if not spec.n_features[side]:
        return Population(mean, precision)
    coefficients = torch.as_tensor(sites[f"{side}_coefficients"], dtype=torch.float64)
    return Population(mean, precision, coefficients, np.asarray(sites[f"{side}_lambda"], dtype=float))
