"""A negative control: the block model with its assignments marginalised once per edge, as if each edge drew its own.

Then every pair of nodes is as likely to have an edge as any other, pi_1' theta pi_2, and nothing says that a node has
a block: what the model is for is gone, and only checks against the model itself can tell.
"""

from __future__ import annotations

import numpy as np
import pyro
import torch
from pyro import distributions as dist
from scipy.special import logsumexp, xlog1py, xlogy


def per_edge_program(n_edges, n_pairs, k, m, *, flat=False):
    """With fixed concentrations of 1, or as it was found: flat priors on all of them."""
    concentrations = torch.ones(4)
    if flat:
        positive = dist.constraints.positive
        law = dist.ImproperUniform(positive, (), (4,)).mask(False).to_event(0)
        concentrations = pyro.sample("concentrations", law)
    pi_1 = pyro.sample("pi_1", dist.Dirichlet(concentrations[0].expand(k)))
    pi_2 = pyro.sample("pi_2", dist.Dirichlet(concentrations[1].expand(m)))
    theta = pyro.sample("theta", dist.Beta(concentrations[2], concentrations[3]).expand([k, m]).to_event(2))
    chance = pi_1 @ theta @ pi_2
    pyro.factor("x", n_edges * chance.log() + (n_pairs - n_edges) * (-chance).log1p())


def per_edge_chances(k, m, n, rng, *, alpha=1.0, a=1.0, b=1.0):
    """Draw the one chance that there is from its prior."""
    pi_1, pi_2 = rng.dirichlet(np.full(k, alpha), n), rng.dirichlet(np.full(m, alpha), n)
    return np.einsum("nk,nkm,nm->n", pi_1, rng.beta(a, b, (n, k, m)), pi_2)


def log_likelihoods(n_edges, n_pairs, chances):
    return xlogy(n_edges, chances) + xlog1py(n_pairs - n_edges, -chances)


def per_edge_evidence(n_edges, n_pairs, chances):
    """Return the log evidence, and its standard error, from draws of the prior."""
    logs = log_likelihoods(n_edges, n_pairs, chances)
    weights = np.exp(logs - logs.max())
    return logsumexp(logs) - np.log(len(logs)), weights.std() / weights.mean() / np.sqrt(len(logs))


def per_edge_posterior(n_edges, n_pairs, chances, n, rng):
    """Resample draws of the prior by their likelihood."""
    logs = log_likelihoods(n_edges, n_pairs, chances)
    weights = np.exp(logs - logsumexp(logs))
    return rng.choice(chances, n, p=weights / weights.sum())
