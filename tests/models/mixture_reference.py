"""Mixtures small enough for brute force, and their posterior's log density over unconstrained coordinates."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from bayeskit.models.mixtures.likelihood import log_likelihood, log_prior
from bayeskit.models.mixtures.parameters import components_of, values_of
from bayeskit.models.mixtures.spec import COVARIANCES, MixtureSpec, priors_of


def mixture_spec(n_components=3, n_columns=2, covariance="full", dp=False, overrides=()):
    priors = priors_of(n_columns=n_columns, covariance=covariance, dp=dp, overrides=overrides)
    return MixtureSpec(n_components, n_columns, covariance, dp, priors)


def specs(max_components=4, max_columns=4):
    """Return Hypothesis's mixtures of every form."""
    return st.builds(
        mixture_spec,
        st.integers(1, max_components),
        st.integers(1, max_columns),
        st.sampled_from(COVARIANCES),
        st.booleans(),
    )


def some_points(spec, rng, n_points=6, missing=0.3):
    """Return points of which some coordinates are missing, of one point all."""
    y = 1.5 * rng.standard_normal((n_points, spec.n_columns))
    y[rng.random(y.shape) < missing] = np.nan
    if missing:
        y[-1] = np.nan
    return y


def some_values(spec, rng, *leading):
    """Return the sites' values of mixtures drawn at random, ``leading x`` the site's shape."""
    k, d = spec.n_components, spec.n_columns
    roots = rng.standard_normal((*leading, k, d, d + 2))
    covariances = roots @ np.swapaxes(roots, -1, -2) / (d + 2)
    concentration = rng.gamma(2, 1, leading) if spec.dp else None
    weights = rng.dirichlet(np.ones(k), leading)
    return values_of(spec, weights, rng.standard_normal((*leading, k, d)), covariances, concentration)


def by_brute_force(y, weights, means, covariances):
    """Return the log likelihood: a sum over each way to assign all the points."""
    terms = []
    for assignment in product(range(len(weights)), repeat=len(y)):
        term = 0.0
        for point, k in zip(y, assignment, strict=True):
            seen = np.flatnonzero(~np.isnan(point))
            term += np.log(weights[k])
            if seen.size:
                normal = multivariate_normal(means[k][seen], covariances[k][np.ix_(seen, seen)])
                term += normal.logpdf(point[seen])
        terms.append(term)
    return logsumexp(terms)


def log_posterior(spec, y, values):
    """Return the unnormalised log posterior over unconstrained coordinates, of one set of the sites' values."""
    likelihood = log_likelihood(y, components_of(spec, values)).sum()
    return likelihood + log_prior(spec, values) + sum(log_jacobian for _, log_jacobian in free(spec, values).values())


def coordinates(spec, values):
    """Return the unconstrained coordinates in the order of the Pyro program."""
    return np.concatenate([coordinate.ravel() for coordinate, _ in free(spec, values).values()])


def free(spec, values):
    """Return each free site's unconstrained coordinates, and the log Jacobian of the way from them, by torch."""
    import torch
    from torch.distributions import biject_to, constraints

    supports = {
        "concentration": constraints.positive,
        "sticks": constraints.unit_interval,
        "weights": constraints.simplex,
        "means": constraints.real,
        "scales": constraints.positive,
        "corr_cholesky": constraints.corr_cholesky,
    }
    found = {}
    for name in spec.shapes:
        if spec.dp and name == "weights":
            continue
        value = torch.as_tensor(np.asarray(values[name], dtype=float))
        bijection = biject_to(supports[name])
        coordinate = bijection.inv(value)
        found[name] = coordinate.numpy(), float(bijection.log_abs_det_jacobian(coordinate, value).sum())
    return found
