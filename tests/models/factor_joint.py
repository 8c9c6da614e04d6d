"""The log density of parameters and ratings together, as the model is written down, in NumPy and SciPy."""

from __future__ import annotations

import numpy as np
from models.factor_scores import predictions
from scipy import special, stats

from bayeskit.models.factors.spec import SIDES


def log_joint(spec, data, sites):
    """Return the log density of the sites and the training ratings."""
    total = log_prior(spec, data, sites)
    eta = predictions(spec, data, sites)
    if spec.likelihood == "normal":
        return total + stats.norm(eta, sites["tau"] ** -0.5).logpdf(data.values).sum()
    bounds = np.concatenate([[-np.inf], sites["cutpoints"], [np.inf]])
    level = data.values.astype(int)
    return total + np.log(special.ndtr(bounds[level + 1] - eta) - special.ndtr(bounds[level] - eta)).sum()


def log_prior(spec, data, sites):
    total = 0.0
    if spec.has_level:
        total += stats.norm(*spec.prior("mu").arguments).logpdf(sites["mu"])
    if spec.likelihood == "normal":
        total += of_gamma(spec, "tau", sites["tau"])
    else:
        cutpoints = sites["cutpoints"]
        assert (np.diff(cutpoints) > 0).all()
        orders = special.factorial(len(cutpoints))
        total += stats.norm(*spec.prior("cutpoints").arguments).logpdf(cutpoints).sum() + np.log(orders)
    if spec.family == "ard":
        total += of_gamma(spec, "alpha", sites["alpha"])
    return total + sum(of_side(spec, data, side, sites) for side in SIDES)


def of_side(spec, data, side, sites):
    rows = sites[f"{side}_rows"]
    if spec.nonnegative:
        return stats.halfnorm(scale=sites["alpha"] ** -0.5).logpdf(rows).sum()
    total, mean = 0.0, np.zeros(spec.width)
    if spec.family == "wishart":
        excess, scale = spec.prior("factors").arguments
        precision, mean = sites[f"{side}_precision"], sites[f"{side}_mean"]
        scale_matrix = np.eye(spec.width) / (excess * scale**2)
        total += stats.wishart(spec.width + 1 + excess, scale_matrix).logpdf(precision)
        total += normal(np.zeros(spec.width), precision, mean)
    else:
        precision = np.diag(np.append(sites[f"{side}_alpha"], sites["alpha"]))
        total += of_gamma(spec, "alpha", sites[f"{side}_alpha"])
    features = data.features(side)
    means = np.tile(mean, (len(rows), 1))
    if features is not None:
        relevance, coefficients = sites[f"{side}_lambda"], sites[f"{side}_coefficients"]
        total += of_gamma(spec, "lambda", relevance)
        for group, own in zip(features.groups, coefficients, strict=True):
            total += normal(np.zeros(spec.width), relevance[group] * precision, own)
        means = means + features.matrix @ coefficients
    return total + sum(normal(center, precision, row) for center, row in zip(means, rows, strict=True))


def normal(mean, precision, value):
    return stats.multivariate_normal(mean, np.linalg.inv(precision)).logpdf(value)


def of_gamma(spec, name, value):
    shape, rate = spec.prior(name).arguments
    return stats.gamma(shape, scale=1 / rate).logpdf(value).sum()


def triangles(spec, sites):
    """Return what a program has in place of precisions, and the log of how much larger volumes are of these.

    With A the triangle, whose squared diagonal is ``chi``, c^2 times a precision is A A'.
    """
    found, log_volume = {}, 0.0
    for side in SIDES if spec.family == "wishart" else ():
        excess, scale = spec.prior("factors").arguments
        c, d = scale * excess**0.5, spec.width
        triangle = np.linalg.cholesky(sites[f"{side}_precision"]) * c
        diagonal = np.diag(triangle)
        found |= {f"{side}_chi": diagonal**2, f"{side}_below": triangle[np.tril_indices(d, -1)]}
        # Of A A' by A, of A's diagonal by its square, and of what it is divided by.
        log_volume += d * np.log(2) + np.sum((d - np.arange(d)) * np.log(diagonal)) - np.log(2 * diagonal).sum()
        log_volume -= d * (d + 1) * np.log(c)
    return found, log_volume
