"""Draws from independent factors of assignments, shares, rates and concentrations, with both log densities at each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, xlogy

from bayeskit.models.blocks.draws import counts_of_draws, log_likelihoods, totals_of_draws
from bayeskit.models.blocks.likelihood import once
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.simulation import concentrations, draw_dirichlet, draw_theta
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_MOST_WORK = 500_000_000  # edges, and probabilities of nodes, over all draws
_LEAST_DRAWS = 100


@dataclass(frozen=True, eq=False)
class Factors:
    """The factors of an approximation.

    Parameters
    ----------
    memberships
        By site of the assignments, each node's probabilities, ``n x K``.
    shares
        By site of the assignments, the concentrations of a Dirichlet factor, ``K``.
    rates
        Two arguments of Beta or Gamma factors (with rates), ``K x L`` each; undirected the upper triangle counts.
    concentrations
        Where they are estimated, mean and standard deviation of the log of each.
    """

    memberships: Mapping[str, Floats]
    shares: Mapping[str, Floats]
    rates: tuple[Floats, Floats]
    concentrations: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def draw_factors(
    spec: BlockSpec, pairs: Pairs, factors: Factors, n: int, rng: np.random.Generator
) -> tuple[dict[str, NDArray[Any]], Floats, Floats]:
    """Draw from an approximation.

    Parameters
    ----------
    spec, pairs
        Model and graph.
    factors
        The approximation.
    n
        How many draws, of large graphs fewer: see ``affordable_draws``.
    rng
        The stream.

    Returns
    -------
    dict, array, array
        Values by site, ``n x ...``, assignments from 0 in 16 bits; and ``n`` log densities of the model with its graph,
        and of the approximation.
    """
    values: dict[str, NDArray[Any]] = {}
    n = affordable_draws(spec, pairs, n)
    log_q = np.zeros(n)
    for name, (mean, sd) in factors.concentrations.items():
        noise = rng.standard_normal(n)
        values[name] = np.exp(mean + sd * noise)
        log_q += -0.5 * noise**2 - np.log(sd * np.sqrt(2 * np.pi)) - (mean + sd * noise)
    for site, concentration in factors.shares.items():
        values[f"pi{site[1:]}"] = draw_dirichlet(np.broadcast_to(concentration, (n, concentration.size)), rng)
        log_q += log_dirichlet(values[f"pi{site[1:]}"], concentration)
    for site, rows in factors.memberships.items():
        values[site], log_chances = draw_memberships(rows, n, rng)
        log_q += log_chances
    a, b = (np.broadcast_to(argument, (n, *argument.shape)) for argument in factors.rates)
    values["theta"] = draw_theta(spec, a, b, rng)
    log_q += once(spec, log_rates(spec, values["theta"], a, b)).sum(axis=(1, 2))
    return values, log_joints(spec, pairs, values), log_q


def draw_memberships(rows: Floats, n: int, rng: np.random.Generator) -> tuple[NDArray[np.int16], Floats]:
    """Draw a block for each row of probabilities, ``n x n_rows``, and return with the draws their log densities."""
    nodes = np.arange(len(rows))
    below = np.cumsum(rows, axis=1)
    below /= below[:, -1:]
    log_chances = np.log(np.diff(below, axis=1, prepend=0.0).clip(np.finfo(float).tiny))
    found, log_q = np.zeros((n, len(rows)), dtype=np.int16), np.empty(n)
    for draw in range(n):
        chance = rng.random(len(rows))
        for k in range(rows.shape[1] - 1):
            found[draw] += chance >= below[:, k]
        log_q[draw] = log_chances[nodes, found[draw]].sum()
    return found, log_q


def affordable_draws(spec: BlockSpec, pairs: Pairs, n: int) -> int:
    """Return how many draws of so many are made in some seconds, but no fewer than 100."""
    work = pairs.weights.nnz + pairs.n_nodes * sum(spec.partitions.values())
    return min(n, max(_LEAST_DRAWS, _MOST_WORK // max(work, 1)))


def log_joints(spec: BlockSpec, pairs: Pairs, values: Arrays) -> Floats:
    """Return the log density of graph, assignments and parameters together, ``n_draws``.

    Parameters
    ----------
    spec, pairs
        Model and graph.
    values
        By site, ``n_draws x ...``.
    """
    theta = np.asarray(values["theta"], dtype=float)
    found = log_likelihoods(spec, pairs, theta, *totals_of_draws(spec, pairs, values))
    alpha, a, b = concentrations(spec, values, len(theta))
    found += once(spec, log_rates(spec, theta, a[:, None, None], b[:, None, None])).sum(axis=(1, 2))
    for site, size in spec.partitions.items():
        shares = values[f"pi{site[1:]}"]
        found += log_dirichlet(shares, np.broadcast_to(alpha[:, None], shares.shape))
        found += np.sum(xlogy(counts_of_draws(values[site], size), shares), axis=1)
    for name in spec.hyperparameters:
        found += spec.prior(name).log_density(np.asarray(values[name], dtype=float))
    return found


def log_rates(spec: BlockSpec, theta: Floats, a: Floats, b: Floats) -> Floats:
    """Return log densities of rates one by one, of Beta(a, b) or Gamma(a, b) with rate b."""
    if spec.likelihood == "bernoulli":
        return np.asarray((a - 1) * np.log(theta) + (b - 1) * np.log1p(-theta) - betaln(a, b))
    return np.asarray(a * np.log(b) - gammaln(a) + (a - 1) * np.log(theta) - b * theta)


def log_dirichlet(shares: Floats, concentration: Floats) -> Floats:
    """Return log densities of Dirichlet distributions over the last axis."""
    constant = gammaln(concentration.sum(axis=-1)) - gammaln(concentration).sum(axis=-1)
    return np.asarray(constant + np.sum((concentration - 1) * np.log(shares), axis=-1))
