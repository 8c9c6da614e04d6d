"""Parameters and ratings of a matrix factorisation as independent standard normal numbers, if they come from its model.

Each site is taken through the steps by which it could be drawn, backwards: Rosenblatt (1952),
doi:10.1214/aoms/1177729394.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from bayeskit.models.factors.spec import SIDES


def scores_of(spec, data, sites, rng):
    """Return scores by site, those of the training ratings as ``ratings``; levels are spread out at random."""
    found = {}
    if "mu" in sites:
        found["mu"] = of_normal(spec.prior("mu"), sites["mu"])
    if "alpha" in sites:
        found["alpha"] = of_gamma(spec.prior("alpha"), sites["alpha"])
    if "cutpoints" in sites:
        found["cutpoints"] = of_ordered(of_normal(spec.prior("cutpoints"), sites["cutpoints"]))
    else:
        found["tau"] = of_gamma(spec.prior("tau"), sites["tau"])
    for side in SIDES:
        found |= of_side(spec, data, side, sites)
    found["ratings"] = of_ratings(spec, data, sites, rng)
    return found


def of_side(spec, data, side, sites):
    rows = np.asarray(sites[f"{side}_rows"], dtype=float)
    if spec.nonnegative:
        return {f"{side}_rows": of_uniform(special.erf(rows * np.sqrt(sites["alpha"] / 2)))}
    found, mean = {}, np.zeros(spec.width)
    if spec.family == "wishart":
        mean, precision = sites[f"{side}_mean"], sites[f"{side}_precision"]
        factor = np.linalg.cholesky(precision)
        found |= {f"{side}_mean": mean @ factor, f"{side}_precision": of_wishart(spec, factor)}
    else:
        found[f"{side}_alpha"] = of_gamma(spec.prior("alpha"), sites[f"{side}_alpha"])
        factor = np.diag(np.sqrt(np.append(sites[f"{side}_alpha"], sites["alpha"])))
    features = data.features(side)
    if features is not None:
        coefficients, relevance = sites[f"{side}_coefficients"], sites[f"{side}_lambda"]
        mean = mean + features.matrix @ coefficients
        found[f"{side}_lambda"] = of_gamma(spec.prior("lambda"), relevance)
        found[f"{side}_coefficients"] = coefficients @ factor * np.sqrt(relevance[features.groups, None])
    return found | {f"{side}_rows": (rows - mean) @ factor}


def of_ratings(spec, data, sites, rng):
    eta = predictions(spec, data, sites)
    if spec.likelihood == "normal":
        return (data.values - eta) * np.sqrt(sites["tau"])
    at_most = special.ndtr(np.concatenate([[-np.inf], sites["cutpoints"], [np.inf]]) - eta[:, None])
    level, places = data.values.astype(int), np.arange(len(eta))
    below, above = at_most[places, level], at_most[places, level + 1]
    return of_uniform(below + (above - below) * rng.random(len(eta)))


def predictions(spec, data, sites):
    """Return what is predicted of the training pairs."""
    left, right = sites["user_rows"][data.user], sites["item_rows"][data.item]
    if spec.nonnegative:
        return (left * right).sum(axis=1)
    return sites.get("mu", 0.0) + left[:, 0] + right[:, 0] + (left[:, 1:] * right[:, 1:]).sum(axis=1)


def of_wishart(spec, factor):
    """Return the elements of Bartlett's matrix, whose squared diagonal is chi-squared."""
    excess, scale = spec.prior("factors").arguments
    width = len(factor)
    bartlett = factor * scale * np.sqrt(excess)
    half = (width + 1 + excess - np.arange(width)) / 2
    diagonal = of_uniform(special.gammainc(half, np.diag(bartlett) ** 2 / 2))
    return np.concatenate([diagonal, bartlett[np.tril_indices(width, -1)]])


def of_normal(prior, value):
    mean, sd = prior.arguments
    return (np.asarray(value, dtype=float) - mean) / sd


def of_gamma(prior, value):
    shape, rate = prior.arguments
    return of_uniform(special.gammainc(shape, rate * np.asarray(value, dtype=float)))


def of_ordered(score):
    """Return independent scores of those in order: of the least given nothing, and of each given that before it."""
    above = special.ndtr(-score)
    before = np.concatenate([[1.0], above[:-1]])
    left = len(score) - np.arange(len(score))
    return -of_uniform((above / before) ** left)


def of_uniform(share):
    return special.ndtri(np.clip(share, 1e-15, 1 - 1e-15))
