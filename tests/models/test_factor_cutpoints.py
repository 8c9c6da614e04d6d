"""Ordinal ratings: chances of levels, hidden ratings and cutpoints, against SciPy and integration."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats
from scipy import special, stats

from bayeskit.core.priors import Prior
from bayeskit.models.factors._cutpoints import draw_cutpoints, draw_hidden, level_chances, levels_of, log_chances

ALPHA = 1e-6  # false alarms of a test
CUTPOINTS = np.array([-1.0, 0.2, 1.5])
PRIOR = Prior("cutpoints", "normal", (0.0, 2.0))


def log_mass(low, high):
    """Return the log of the normal mass between two numbers, from the side where there is less of it."""
    low, high = np.where(low > 0, -high, low), np.where(low > 0, -low, high)
    with np.errstate(divide="ignore"):
        return special.log_ndtr(high) + np.log1p(-np.exp(special.log_ndtr(low) - special.log_ndtr(high)))


def ends(level):
    bounds = np.concatenate([[-np.inf], CUTPOINTS, [np.inf]])
    return bounds[level], bounds[level + 1]


@pytest.mark.parametrize("eta", [-35.0, -8.0, -0.5, 0.0, 1.0, 7.0, 36.0])
def test_chances_are_scipy_s(eta):
    """To the last digits even where they are no more than 1e-300."""
    level = np.arange(4)
    low, high = ends(level)
    found = log_chances(torch.tensor(level), CUTPOINTS, torch.full((4,), eta)).numpy()
    expected = log_mass(low - eta, high - eta)
    np.testing.assert_allclose(found, np.maximum(expected, np.log(1e-300)), rtol=1e-10, atol=1e-14)
    every = level_chances(CUTPOINTS, torch.tensor([eta])).numpy()
    np.testing.assert_allclose(every, np.exp(expected)[None], atol=1e-15)
    assert every.sum() == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("share", [1e-9, 0.3, 0.5, 0.999999])
@pytest.mark.parametrize("eta", [-12.0, -0.5, 0.1, 2.0, 9.0])
def test_hidden_ratings_are_truncated_normal_numbers(eta, share, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape, dtype, **_: torch.full(shape, share, dtype=dtype))
    level = np.arange(4)
    found = draw_hidden(torch.tensor(level), CUTPOINTS, torch.full((4,), eta).double(), torch.Generator()).numpy()
    for one, low, high in zip(found, *ends(level), strict=True):
        law = stats.truncnorm(low - eta, high - eta, eta)
        # From the side where there is more of the law's mass below, as random numbers are as likely as 1 minus them.
        expected = law.isf(share) if low > eta else law.ppf(share)
        assert one == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_hidden_ratings_stay_in_their_levels_however_unlikely():
    eta = torch.tensor([-300.0, -45.0, 45.0, 300.0]).repeat_interleave(4)
    level = np.tile(np.arange(4), 4)
    found = draw_hidden(torch.tensor(level), CUTPOINTS, eta, torch.Generator().manual_seed(1)).double().numpy()
    low, high = ends(level)
    assert np.isfinite(found).all()
    assert (found >= low - 1e-6).all()
    assert (found <= high + 1e-6).all()


def test_hidden_ratings_come_as_often_as_they_should():
    n, stream = 4000, torch.Generator().manual_seed(2)
    for level, eta in ((0, 0.5), (2, -1.0), (3, 0.0)):
        found = draw_hidden(torch.full((n,), level), CUTPOINTS, torch.full((n,), eta), stream).numpy()
        low, high = ends(level)
        assert stats.kstest(found, stats.truncnorm(low - eta, high - eta, eta).cdf).pvalue > ALPHA
        other = eta + 0.5
        assert stats.kstest(found, stats.truncnorm(low - other, high - other, other).cdf).pvalue < ALPHA


def ratings(seed=3, n=30):
    """Return levels and predictions, three of them, with two cutpoints."""
    rng = np.random.default_rng(seed)
    eta = rng.standard_normal(n)
    return np.searchsorted([-0.7, 0.9], eta + rng.standard_normal(n)), eta


def on_a_grid(level, eta, prior):
    """Return mean and covariance of two cutpoints by sums over a fine grid."""
    grid = np.linspace(-5, 5, 401)
    below = special.log_ndtr(grid[:, None] - eta[level == 0]).sum(axis=1)
    above = special.log_ndtr(eta[level == 2] - grid[:, None]).sum(axis=1)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    log_density = np.where(first < second, below[:, None] + above, -np.inf)
    mean, sd = prior.arguments
    log_density = log_density - ((first - mean) ** 2 + (second - mean) ** 2) / (2 * sd**2)
    wider = first < second
    for one in eta[level == 1]:
        log_density[wider] += log_mass(first[wider] - one, second[wider] - one)
    weights = np.exp(log_density - log_density.max())
    both = np.stack([first, second]).reshape(2, -1)
    mean = both @ weights.ravel() / weights.sum()
    return mean, np.cov(both, aweights=weights.ravel(), ddof=0)


def worst(draws, mean, covariance):
    """Return by how many standard errors means and products differ at most."""
    around = draws - mean
    columns = [*np.moveaxis(around, -1, 0), around[..., 0] ** 2, around[..., 1] ** 2, around.prod(axis=-1)]
    expected = [0, 0, covariance[0, 0], covariance[1, 1], covariance[0, 1]]
    sizes = [array_stats.ess(column, chain_axis=0, draw_axis=1, method="mean") for column in columns]
    return max(
        abs(column.mean() - value) / column.std() * np.sqrt(size)
        for column, value, size in zip(columns, expected, sizes, strict=True)
    )


def test_cutpoints_have_their_posterior():
    level, eta = ratings()
    levels, given, rng = levels_of(level.astype(float), 3, "cpu"), torch.tensor(eta), np.random.default_rng(4)
    chains, shares = [], []
    for _ in range(2):
        cutpoints, draws = levels.start, []
        for _ in range(1800):
            cutpoints, share = draw_cutpoints(levels, cutpoints, given, PRIOR, rng)
            draws.append(cutpoints)
            shares.append(share)
        chains.append(draws[100:])
    found, limit = np.array(chains), stats.norm.isf(ALPHA / 10)
    assert (np.diff(found) > 0).all()
    assert 0.2 < np.mean(shares) < 0.7
    assert worst(found, *on_a_grid(level, eta, PRIOR)) < limit
    assert worst(found, *on_a_grid(level, eta, replace(PRIOR, arguments=(0.0, 0.8)))) > limit
    moved = np.maximum(level - (np.arange(level.size) % 10 == 0), 0)
    assert worst(found, *on_a_grid(moved, eta, PRIOR)) > limit


def test_cutpoints_begin_where_the_levels_shares_say():
    levels = levels_of(np.repeat([0.0, 1.0, 2.0], [10, 30, 60]), 3, "cpu")
    shares = special.ndtr(levels.start / np.sqrt(2))
    np.testing.assert_allclose(shares, [0.1, 0.4], atol=0.01)


def test_cutpoints_of_levels_that_nobody_gave_stay_between_their_neighbours():
    levels = levels_of(np.array([0.0, 0.0, 3.0, 3.0, 3.0]), 5, "cpu")
    cutpoints, rng = levels.start, np.random.default_rng(5)
    seen = []
    for _ in range(400):
        cutpoints, _ = draw_cutpoints(levels, cutpoints, torch.zeros(5), PRIOR, rng)
        seen.append(cutpoints)
    assert all((np.diff(each) >= 0).all() for each in seen)
    assert all(np.std(column) > 0.1 for column in np.array(seen).T)
    assert any((first != second).all() for first, second in pairwise(seen))
