"""The reference: against brute force, scipy and integrals, and where numbers are extreme."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.mixture_reference import by_brute_force, mixture_spec, some_points, some_values, specs
from scipy import stats
from scipy.special import logsumexp

from bayeskit.models.mixtures import likelihood as module
from bayeskit.models.mixtures.likelihood import (
    log_joint,
    log_likelihood,
    log_prior,
    log_prior_terms,
    log_sum_exp,
    marginal_cholesky,
    patterns,
)
from bayeskit.models.mixtures.parameters import Components, components_of
from bayeskit.models.mixtures.spec import COVARIANCES

seeds = st.integers(0, 2**32 - 1)


def differs(found, expected):
    return float(np.max(np.abs(np.asarray(found) - expected) / np.maximum(1, np.abs(expected))))


@settings(deadline=None, max_examples=40)
@given(spec=specs(max_components=3), seed=seeds)
def test_likelihood_is_the_sum_over_all_assignments(spec, seed):
    rng = np.random.default_rng(seed)
    y, parts = some_points(spec, rng, 4), components_of(spec, some_values(spec, rng))
    expected = by_brute_force(y, parts.weights, parts.means, parts.covariances)
    assert differs(log_likelihood(y, parts).sum(), expected) < 1e-10


def test_brute_force_tells_broken_likelihoods():
    rng = np.random.default_rng(3)
    spec = mixture_spec(3, 2)
    y, parts = some_points(spec, rng), components_of(spec, some_values(spec, rng))
    expected = by_brute_force(y, parts.weights, parts.means, parts.covariances)
    assert differs(log_likelihood(y, parts).sum(), expected) < 1e-10
    without_weights = log_sum_exp(log_joint(y, parts) - np.log(parts.weights)).sum()
    transposed = Components(parts.weights, parts.means, np.swapaxes(parts.cholesky, -1, -2))
    imputed = np.nan_to_num(y)
    for broken in (without_weights, log_likelihood(y, transposed).sum(), log_likelihood(imputed, parts).sum()):
        assert differs(broken, expected) > 1e-3


@pytest.mark.parametrize("seen", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_missing_coordinates_are_integrated_out(seen):
    rng = np.random.default_rng(5)
    spec = mixture_spec(2, 3)
    parts = components_of(spec, some_values(spec, rng))
    missing = [column for column in range(3) if column not in seen]
    grid = np.linspace(-25, 25, 1001)  # sums of a smooth density on a fine grid are exact to rounding
    points = np.empty((grid.size ** len(missing), 3))
    points[:, seen] = known = rng.standard_normal(len(seen))
    points[:, missing] = np.stack([axis.ravel() for axis in np.meshgrid(*[grid] * len(missing))], axis=1)
    step = grid[1] - grid[0]
    total = logsumexp(log_likelihood(points, parts)) + len(missing) * np.log(step)
    y = np.full((1, 3), np.nan)
    y[0, seen] = known
    assert differs(log_likelihood(y, parts)[0], total) < 1e-10
    assert differs(log_likelihood(np.nan_to_num(y), parts)[0], total) > 1e-3  # control: zeros put in


@settings(deadline=None, max_examples=40)
@given(spec=specs(), seed=seeds, leading=st.sampled_from([(2,), (2, 3)]))
def test_leading_dimensions_are_worked_on_together(spec, seed, leading):
    rng = np.random.default_rng(seed)
    values = some_values(spec, rng, *leading)
    y = some_points(spec, rng)
    parts = components_of(spec, values)
    joint, likelihood, prior = log_joint(y, parts), log_likelihood(y, parts), log_prior(spec, values)
    assert joint.shape == (*leading, len(y), spec.n_components)
    assert (likelihood.shape, prior.shape) == ((*leading, len(y)), leading)
    for index in np.ndindex(leading):
        one = {name: value[index] for name, value in values.items()}
        np.testing.assert_allclose(joint[index], log_joint(y, components_of(spec, one)), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(prior[index], log_prior(spec, one), rtol=1e-12, atol=1e-12)


def test_many_draws_are_taken_in_blocks(monkeypatch):
    rng = np.random.default_rng(2)
    spec = mixture_spec(3, 2)
    y, parts = some_points(spec, rng), components_of(spec, some_values(spec, rng, 7))
    together = log_likelihood(y, parts)
    monkeypatch.setattr(module, "_AT_ONCE", 70)
    np.testing.assert_array_equal(log_likelihood(y, parts), together)


def test_points_are_sorted_by_what_is_observed():
    nan = np.nan
    y = np.array([[1, nan], [1, 2], [nan, nan], [3, nan], [4, 5]])
    found = [(rows.tolist(), columns.tolist()) for rows, columns in patterns(y)]
    assert found[0] == ([1, 4], [0, 1])
    assert sorted(found) == [([0, 3], [0]), ([1, 4], [0, 1]), ([2], [])]
    assert [(rows.size, columns.size) for rows, columns in patterns(y[:0])] == []


def test_marginal_of_a_nearly_singular_covariance():
    corner = 1e-9
    cholesky = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [1, corner, corner]])
    found = marginal_cholesky(cholesky, np.array([0, 2]))
    np.testing.assert_allclose(found, [[1, 0], [1, np.sqrt(2) * corner]], rtol=1e-6)
    covariance = (cholesky @ cholesky.T)[np.ix_([0, 2], [0, 2])]
    assert np.linalg.det(covariance) == 0  # control: by the covariance nothing is left


@pytest.mark.parametrize("form", COVARIANCES)
@pytest.mark.parametrize("dp", [False, True])
def test_prior_is_that_of_scipy(form, dp):
    spec = mixture_spec(3, 2, form, dp, ("scales=inv_gamma(3, 2)",))
    values = some_values(spec, np.random.default_rng(8))
    terms = log_prior_terms(spec, values)
    expected = {
        "means": stats.norm(0, 2).logpdf(values["means"]).sum(),
        "scales": stats.invgamma(3, scale=2).logpdf(values["scales"]).sum(),
    }
    if dp:
        concentration = float(values["concentration"])
        expected["concentration"] = stats.gamma(2, scale=0.5).logpdf(concentration)
        expected["sticks"] = stats.beta(1, concentration).logpdf(values["sticks"]).sum()
    else:
        expected["weights"] = stats.dirichlet(np.ones(3)).logpdf(values["weights"])
    if spec.correlated:
        expected["correlations"] = np.log(
            3 / 4 * np.diagonal(values["corr_cholesky"], axis1=-2, axis2=-1)[..., 1] ** 2
        ).sum()
    assert set(terms) == set(expected)
    for name, term in terms.items():
        assert differs(term, expected[name]) < 1e-12, name
    assert differs(log_prior(spec, values), sum(expected.values())) < 1e-12


def test_dirichlet_of_another_concentration():
    spec = mixture_spec(4, 1, overrides=("weights=dirichlet(2.5)",))
    values = some_values(spec, np.random.default_rng(8))
    expected = stats.dirichlet(np.full(4, 2.5)).logpdf(values["weights"])
    assert differs(log_prior_terms(spec, values)["weights"], expected) < 1e-12


@pytest.mark.parametrize("shape", [1.0, 2.0, 3.5])
def test_density_of_correlations_has_the_integral_one(shape):
    spec = mixture_spec(1, 3, "tied", overrides=(f"correlations=lkj({shape})",))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    # The second row is (sin a, cos a), the third (sin b cos c, sin b sin c, cos b).
    a, b, c = np.meshgrid(np.pi / 2 * nodes, np.pi / 4 * (nodes + 1), np.pi * nodes)
    volume = np.einsum("i,j,k->jik", weights, weights, weights) * np.pi / 2 * np.pi / 4 * np.pi
    factors = np.zeros((*a.shape, 3, 3))
    factors[..., 0, 0] = 1
    factors[..., 1, :2] = np.stack([np.sin(a), np.cos(a)], -1)
    factors[..., 2, :] = np.stack([np.sin(b) * np.cos(c), np.sin(b) * np.sin(c), np.cos(b)], -1)
    jacobian = np.cos(a) * np.sin(b) * np.cos(b)
    values = {"weights": np.ones(1), "means": np.zeros((1, 3)), "scales": np.ones(3), "corr_cholesky": factors}
    density = np.exp(log_prior_terms(spec, values)["correlations"])
    assert np.sum(volume * jacobian * density) == pytest.approx(1, abs=1e-6)
    # Control: as if it were the density of the correlations themselves.
    assert abs(np.sum(volume * jacobian * density / factors[..., 1, 1]) - 1) > 1e-2


@pytest.mark.parametrize("form", COVARIANCES)
def test_no_number_is_lost_where_the_mixture_is_extreme(form):
    rng = np.random.default_rng(6)
    spec = mixture_spec(10, 20, form)
    values = some_values(spec, rng)
    values["means"][:5] = values["means"][0]  # on top of each other
    y = np.concatenate([np.repeat(rng.standard_normal((3, 20)), 4, axis=0), np.full((1, 20), 1e6)])
    y[0, 3] = np.nan
    for shrink in (1, 1e-8, 1e-200, 0):
        shrunk = values | {"scales": values["scales"] * shrink}
        joint = log_joint(y, components_of(spec, shrunk))
        assert np.isfinite(joint).all()
        if shrink > 1e-100:  # below, all points are as far from all components
            responsibilities = np.exp(joint - log_sum_exp(joint)[:, None])
            np.testing.assert_allclose(responsibilities.sum(axis=1), 1)


def test_a_component_without_weight_takes_no_point():
    parts = Components(np.array([0.0, 1.0]), np.zeros((2, 1)), np.ones((2, 1, 1)))
    y = np.array([[0.0], [1e8]])
    joint = log_joint(y, parts)
    assert (joint[:, 0] == -np.inf).all()
    np.testing.assert_array_equal(log_likelihood(y, parts), joint[:, 1])
    assert log_sum_exp(np.full((2, 3), -np.inf)).tolist() == [-np.inf, -np.inf]
