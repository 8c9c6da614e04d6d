"""Likelihoods of rows are densities, also where a logit is tiny or huge, and draws have their moments."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from bayeskit.models.autoencoders.likelihoods import ContinuousBernoulli, GreyLevels, row_law

LOGITS = (-300.0, -40.0, -3.0, -0.25, -0.2499, -1e-4, 0.0, 1e-8, 0.2499, 0.25, 5.0, 40.0, 300.0)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(400)


def integral(logit, function):
    """Integrate over 0 to 1, in pieces that shrink towards both ends, where the density of a large logit lies."""
    edges = np.r_[0, np.geomspace(1e-6, 0.5, 12), 1 - np.geomspace(0.5, 1e-6, 12)[1:], 1]
    total = 0.0
    for low, high in itertools.pairwise(edges):
        x = torch.tensor(low + (high - low) * (NODES + 1) / 2)
        law = ContinuousBernoulli(torch.full((len(x),), logit, dtype=torch.float64))
        total += float((law.log_prob(x).exp() * function(x)).numpy() @ WEIGHTS) * (high - low) / 2
    return total


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_integrates_to_1_and_has_its_mean(logit):
    law = ContinuousBernoulli(torch.tensor(logit, dtype=torch.float64))
    assert integral(logit, torch.ones_like) == pytest.approx(1, abs=1e-9)
    assert float(law.mean) == pytest.approx(integral(logit, lambda x: x), abs=1e-7)


def test_cross_entropy_alone_would_not_integrate_to_1():
    x = torch.tensor((NODES + 1) / 2)
    density = (
        row_law("bernoulli", torch.full((len(x), 1, 1), 3.0, dtype=torch.float64), None).log_prob(x[:, None]).exp()
    )
    assert abs(float(density.numpy() @ WEIGHTS) / 2 - 1) > 0.3


def test_continuous_bernoulli_is_torchs_where_that_is_exact():
    logits = torch.linspace(-8, 8, 33, dtype=torch.float64)
    logits, x = logits[logits.abs() > 0.3], 0.37
    theirs = torch.distributions.ContinuousBernoulli(logits=logits)
    ours = ContinuousBernoulli(logits)
    torch.testing.assert_close(ours.log_prob(torch.tensor(x)), theirs.log_prob(torch.tensor(x, dtype=torch.float64)))
    torch.testing.assert_close(ours.mean, theirs.mean)


def test_gradient_of_continuous_bernoulli_is_its_mean_less_what_is_observed():
    logits = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    law = ContinuousBernoulli(logits)
    (gradient,) = torch.autograd.grad(law.log_prob(torch.tensor(0.3, dtype=torch.float64)).sum(), logits)
    torch.testing.assert_close(gradient, 0.3 - law.mean.detach(), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("logit", [-30.0, -2.0, 0.0, 1e-3, 4.0])
def test_continuous_bernoulli_draws_follow_its_distribution_function(logit):
    torch.manual_seed(1)
    drawn = ContinuousBernoulli(torch.tensor(logit, dtype=torch.float64)).sample((2000,)).numpy()
    cdf = (lambda x: x) if logit == 0 else (lambda x: np.expm1(logit * x) / np.expm1(logit))
    assert stats.kstest(drawn, cdf).pvalue > 1e-4
    assert stats.kstest(drawn + 0.1 * (0.5 - drawn), cdf).pvalue < 1e-4


def test_grey_levels_sum_to_1_and_have_their_mean():
    torch.manual_seed(2)
    law = GreyLevels(torch.randn(5, 17, dtype=torch.float64) * 3)
    grey = torch.linspace(0, 1, 17, dtype=torch.float64)
    chances = torch.stack([law.log_prob(level.expand(5)).exp() for level in grey], dim=1)
    torch.testing.assert_close(chances.sum(1), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(law.mean, chances @ grey)
    drawn = law.sample((20_000,))
    assert set(np.round(drawn.numpy().ravel() * 16, 9)) <= set(range(17))
    error = (drawn.mean(0) - law.mean) / (drawn.std(0) / 20_000**0.5)
    assert error.abs().max() < 4.5


def test_grey_is_taken_for_a_chance():
    grey, logits = torch.rand(3, 4), torch.randn(3, 4)
    found = row_law("bernoulli", logits[..., None], None).log_prob(grey)
    chance = logits.sigmoid()
    torch.testing.assert_close(found, (grey * chance.log() + (1 - grey) * (1 - chance).log()).sum(1))


def test_gaussian_takes_one_standard_deviation_or_one_of_each_column():
    means, rows = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    for sd in (torch.tensor([0.5], dtype=torch.float64), torch.tensor([0.5, 1, 2, 3], dtype=torch.float64)):
        expected = stats.norm(means.numpy(), sd.numpy()).logpdf(rows.numpy()).sum(axis=1)
        np.testing.assert_allclose(row_law("gaussian", means[..., None], sd).log_prob(rows).numpy(), expected)
