"""Draws from the prior of matrix factorisations, and ratings from these, against their distributions."""

from __future__ import annotations

import numpy as np
import pytest
from models.factor_problems import FORMS, LEVELS, problem, simulated
from models.factor_scores import predictions, scores_of
from scipy import stats

from bayeskit.models.factors.quantities import expected_ratings
from bayeskit.models.factors.simulation import draw_parameters, parameters_of, simulate_test_values

ALPHA = 1e-6  # false alarms of a test
every_form = pytest.mark.parametrize("form", FORMS)


def smallest(scores):
    """Return the smallest p-value of whether scores are standard normal, by site, times the number of sites."""
    return len(scores) * min(stats.kstest(score, "norm").pvalue for score in scores.values())


def together(spec, data, n, seed=1, told=None):
    """Return scores by site of many truths with their ratings; ``told`` is the model that they are held against."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(n):
        sites, made = simulated(spec, data, [seed, place])
        found.append(scores_of(told or spec, made, sites, rng))
    return {site: np.concatenate([np.ravel(one[site]) for one in found]) for site in found[0]}


@every_form
def test_draws_come_from_the_model(form):
    assert smallest(together(*problem(**FORMS[form]), 50)) > ALPHA


@pytest.mark.parametrize(
    ("form", "prior"),
    [
        ("normal, wishart", "factors=wishart(8, 0.4)"),
        ("normal, wishart", "mu=normal(0, 3)"),
        ("normal, ard", "alpha=gamma(2, 0.6)"),
        ("normal, not negative", "tau=gamma(3, 1)"),
        ("ordinal, wishart", "cutpoints=normal(1, 2)"),
        ("normal, wishart with features", "lambda=gamma(2, 0.1)"),
    ],
)
def test_draws_from_another_prior_are_told(form, prior):
    spec, data = problem(**FORMS[form])
    told, _ = problem(**FORMS[form], priors=(prior,))
    assert smallest(together(spec, data, 150, told=told)) < ALPHA


@every_form
def test_sites_are_as_the_spec_says(form):
    spec, data = problem(**FORMS[form])
    sites, made = simulated(spec, data, 1)
    assert {name: site.shape for name, site in sites.items()} == dict(spec.shapes(data.n_users, data.n_items))
    assert list(sites) == list(spec.shapes(data.n_users, data.n_items))
    again, _ = simulated(spec, data, 1)
    for name, site in sites.items():
        np.testing.assert_array_equal(site, again[name])
    if spec.likelihood == "ordinal":
        assert set(made.values) <= {0.0, 1.0, 2.0}
        assert set(made.test_values) <= set(LEVELS)


def test_ratings_of_test_pairs_are_in_the_data_s_units():
    spec, data = problem(n_test=3000)
    sites = draw_parameters(spec, data, np.random.default_rng(1))
    values = simulate_test_values(spec, data, sites, np.random.default_rng(2))
    expected = expected_ratings(data, parameters_of(spec, sites), data.test_user, data.test_item)
    noise = (values - expected) * np.sqrt(sites["tau"])
    assert stats.kstest(noise / data.spread, "norm").pvalue > ALPHA
    assert stats.kstest(noise, "norm").pvalue < ALPHA


def test_levels_of_test_pairs_come_as_often_as_they_should():
    spec, data = problem("ordinal", n_test=2000)
    sites = draw_parameters(spec, data, np.random.default_rng(1))
    values = simulate_test_values(spec, data, sites, np.random.default_rng(2))
    expected = expected_ratings(data, parameters_of(spec, sites), data.test_user, data.test_item)
    z = (values - expected).sum() / (values - expected).std() / np.sqrt(len(values))
    assert abs(z) < stats.norm.isf(ALPHA / 2)
    assert len(set(values)) == len(LEVELS)


@every_form
def test_parameters_are_the_sites(form):
    spec, data = problem(**FORMS[form])
    sites, made = simulated(spec, data, 2)
    found = parameters_of(spec, sites)
    eta = found.eta(*(found.rows["user"].new_tensor(places).long() for places in (data.user, data.item)))
    np.testing.assert_allclose(eta.numpy(), predictions(spec, made, sites), rtol=1e-12)
    if spec.family == "ard" and not spec.nonnegative:
        alpha = np.append(sites["user_alpha"], sites["alpha"])
        np.testing.assert_array_equal(found.populations["user"].precision, np.diag(alpha))
    elif spec.family == "wishart":
        np.testing.assert_array_equal(found.populations["item"].precision, sites["item_precision"])
