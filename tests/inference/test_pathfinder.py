"""Pathfinder against normal targets, whose approximation is known, and by its choice on others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.inference._pathfinder import Approximation, approximations, pathfinder


def normal(n_dims, seed=1):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n_dims, n_dims))
    covariance, mean = root @ root.T / n_dims + 0.1 * np.eye(n_dims), rng.standard_normal(n_dims)
    precision = np.linalg.inv(covariance)

    def gradient(points):
        slope = -(points - mean) @ precision
        return 0.5 * (slope * (points - mean)).sum(-1), slope

    return Density(lambda points: gradient(points)[0], {"x": (n_dims,)}, gradient=gradient), mean, covariance


def test_a_normal_target_of_few_dimensions_is_recovered():
    """L-BFGS with a history as long as the dimensions ends at the exact inverse Hessian of a quadratic."""
    density, mean, covariance = normal(3)
    found = pathfinder(density, np.array([1.5, -2.0, 0.5]), np.random.default_rng(2))
    np.testing.assert_allclose(found.mean, mean, atol=1e-3)
    # The bound is the log evidence less a divergence: of an approximation this close next to nothing is left.
    evidence = 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    assert found.bound == pytest.approx(evidence, abs=0.15)
    points, log_q = found.draws(np.random.default_rng(3), 20_000)
    log_p = stats.multivariate_normal.logpdf(points, mean, covariance)
    assert np.mean(log_q - log_p) < 0.1  # divergence, in nats
    wide = Approximation(found.mean, 4 * found.diagonal, 2 * found.factor, found.middle)
    points, log_q = wide.draws(np.random.default_rng(3), 20_000)
    assert np.mean(log_q - stats.multivariate_normal.logpdf(points, mean, covariance)) > 0.5  # negative control


def test_draws_and_densities_are_those_of_the_covariance():
    density, _, _ = normal(9)
    for found in approximations(density, np.full(9, 1.0)):
        points, log_q = found.draws(np.random.default_rng(4), 4000)
        np.testing.assert_allclose(
            log_q,
            stats.multivariate_normal.logpdf(points, found.mean, found.covariance, allow_singular=True),
            rtol=1e-6,
        )
        white = np.linalg.solve(np.linalg.cholesky(found.covariance), (points - found.mean).T)
        distance = np.square(white).sum(0)
        assert stats.kstest(distance, stats.chi2(9).cdf).pvalue > 1e-7
        assert stats.kstest(distance * 1.3, stats.chi2(9).cdf).pvalue < 1e-7  # negative control


def test_the_estimate_meets_the_secant_equation():
    """What defines a quasi-Newton estimate: it maps the last change of the gradient to the last step."""
    density, _, _ = normal(12, seed=3)
    trail = list(approximations(density, np.full(12, 2.0)))
    assert len(trail) > 5
    last = trail[-1]
    size = last.factor.shape[1] // 2
    step, scaled = last.factor[:, -1], last.factor[:, size - 1]
    np.testing.assert_allclose(last.covariance @ (scaled / last.diagonal), step, rtol=1e-6, atol=1e-10)


def test_the_best_of_the_path_is_no_matter_of_its_end():
    """A density with a spike: the optimiser ends in it, the bound prefers the mass around."""

    def gradient(points):
        distance = np.square(points).sum(-1)
        spike = 3 * np.exp(-distance / (2 * 0.02**2))
        slope = -points - points * (spike / 0.02**2)[:, None]
        return -0.5 * distance + spike, slope

    density = Density(lambda points: gradient(points)[0], {"x": (2,)}, gradient=gradient)
    found = pathfinder(density, np.array([1.2, -0.9]), np.random.default_rng(5))
    assert np.sqrt(np.linalg.eigvalsh(found.covariance)).min() > 0.2
    assert found.bound == pytest.approx(np.log(2 * np.pi), abs=1.0)
    end = list(approximations(density, np.array([1.2, -0.9])))[-1]
    assert np.sqrt(np.linalg.eigvalsh(end.covariance)).min() < 0.05  # negative control: the end is in the spike


def test_points_of_no_density_are_steered_clear_of():
    """Half the plane has none, and the start is near its edge."""

    def gradient(points):
        with np.errstate(all="ignore"):
            value = np.where(points[:, 0] > 0, np.log(points[:, 0]) * 3 - points[:, 0], -np.inf) - points[:, 1] ** 2
        return value, np.stack([3 / points[:, 0] - 1, -2 * points[:, 1]], axis=-1)

    density = Density(lambda points: gradient(points)[0], {"x": (2,)}, gradient=gradient)
    *_, end = approximations(density, np.array([0.01, 5.0]))
    np.testing.assert_allclose(end.mean, [3.0, 0.0], atol=0.01)


def test_a_density_that_is_nowhere_positive_has_no_approximation():
    density = Density(
        lambda points: np.full(len(points), -np.inf),
        {"x": (2,)},
        gradient=lambda points: (np.full(len(points), -np.inf), points * np.nan),
    )
    assert pathfinder(density, np.zeros(2), np.random.default_rng(1)) is None
