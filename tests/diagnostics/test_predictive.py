"""Probability integral transforms: uniform where the model is right, each observation left out or not."""

import numpy as np
from scipy.stats import kstest, norm

from bayeskit.diagnostics.predictive import leave_out, transform

N_DRAWS, N_GROUPS, SIZE = 2000, 300, 4


def few_data_a_parameter(rng, sd=1.0):
    """Few observations a group, each group with a mean of its own: the posterior leans on each of them."""
    groups = np.repeat(np.arange(N_GROUPS), SIZE)
    y = rng.normal(0, 1, N_GROUPS)[groups] + rng.normal(0, sd, groups.size)
    centre = np.bincount(groups, y) / (SIZE + 1)  # prior normal(0, 1), observations of variance 1
    means = rng.normal(centre, np.sqrt(1 / (SIZE + 1)), (N_DRAWS, N_GROUPS))[:, groups]
    return y, rng.normal(means, 1.0), norm.logpdf(y, means, 1.0)


def test_left_out_observations_are_uniform_and_seen_ones_too_central():
    """By Kolmogorov's test at 0.1 % each; that of a model that is wrong, and of observations seen, must fail."""
    rng = np.random.default_rng(1)
    y, replicated, likelihood = few_data_a_parameter(rng)
    weights, unreliable = leave_out(likelihood)
    assert unreliable < 0.01 * y.size
    assert kstest(transform(y, replicated, weights), "uniform").pvalue > 0.001
    seen = transform(y, replicated)
    assert kstest(seen, "uniform").pvalue < 0.001
    assert np.mean(np.abs(seen - 0.5) < 0.25) > 0.53
    y, replicated, likelihood = few_data_a_parameter(rng, sd=2.0)
    assert kstest(transform(y, replicated, leave_out(likelihood)[0]), "uniform").pvalue < 0.001


def test_counts_are_uniform_within_their_steps():
    rng = np.random.default_rng(2)
    y, replicated = rng.poisson(1.5, 500).astype(float), rng.poisson(1.5, (N_DRAWS, 500)).astype(float)
    assert kstest(transform(y, replicated), "uniform").pvalue > 0.001
    assert kstest(transform(y + (y > 2), replicated), "uniform").pvalue < 0.001


def test_an_observation_beyond_all_draws_stays_inside():
    replicated = np.random.default_rng(3).normal(size=(50, 2))
    low, high = transform(np.array([-9.0, 9.0]), replicated)
    assert 0 < low < 1 / 51
    assert 50 / 51 < high < 1


def test_an_observation_that_holds_the_posterior_alone_cannot_be_left_out():
    likelihood = np.random.default_rng(4).normal(size=(N_DRAWS, 3)) * np.array([0.1, 8.0, 0.0])
    weights, unreliable = leave_out(likelihood)
    assert unreliable == 1
    assert not weights[:, 1:].any()
