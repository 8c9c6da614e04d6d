"""Probability integral transforms of observations among their replications, each left out where that can be had.

A replication drawn after seeing an observation lies nearer to it than a prediction would, so that a model judged by
its own replications looks too good. Weights from Pareto-smoothed importance sampling take the observation out again:
Vehtari, Gelman and Gabry (2017), doi:10.1007/s11222-016-9696-4. Discrete observations are randomised within their own
step: Czado, Gneiting and Held (2009), doi:10.1111/j.1541-0420.2009.01191.x.
"""

from __future__ import annotations

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from bayeskit.diagnostics.weights import k_hat_limit

Floats = NDArray[np.float64]


def transform(observed: Floats, replicated: Floats, log_weights: Floats | None = None, seed: int = 1) -> Floats:
    """Return the probability integral transform of each observation: uniform, where the model is right.

    Parameters
    ----------
    observed
        ``n_observed``.
    replicated
        ``n_draws x n_observed``.
    log_weights
        Of the draws, for each observation its own; equal ones unless given.
    seed
        For the places of observations that equal some of their replications.
    """
    n_draws = replicated.shape[0]
    weights = np.full(replicated.shape, 1 / n_draws) if log_weights is None else np.exp(log_weights)
    weights = weights / weights.sum(0)
    below = np.sum(weights * (replicated < observed), 0)
    equal = np.sum(weights * (replicated == observed), 0)
    place = np.random.default_rng(seed).random(observed.size)
    # An observation is one more draw, so that even the smallest and the largest leave room beyond them.
    values: Floats = (n_draws * (below + place * equal) + place) / (n_draws + 1)
    return values


def leave_out(log_likelihood: Floats) -> tuple[Floats, int]:
    """Return log weights that take each observation out of the posterior, and of how many they cannot be relied on.

    Parameters
    ----------
    log_likelihood
        Of each observation, ``n_draws x n_observed``.
    """
    made = np.zeros_like(log_likelihood)
    unreliable = 0
    limit = k_hat_limit(log_likelihood.shape[0])
    for column, values in enumerate(log_likelihood.T):
        if np.ptp(values) == 0:
            continue
        with np.errstate(all="ignore"):
            try:
                log_weights, k_hat = array_stats.psislw(values)
            except ValueError:  # all of the tail is the same
                continue
        if np.isfinite(log_weights).all() and k_hat <= limit:
            made[:, column] = log_weights
        else:
            unreliable += 1
    return made, unreliable
