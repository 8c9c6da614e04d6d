"""Starts of Markov chains on a mixture: inside the support, spread as they should be, and each on its own."""

from collections import Counter

import numpy as np
import pytest

from bayeskit.models.mixtures.likelihood import log_likelihood, log_prior
from bayeskit.models.mixtures.parameters import components_of
from bayeskit.models.mixtures.spec import MixtureSpec, priors_of
from bayeskit.models.mixtures.starts import start_values

FORMS = ("full", "tied", "diagonal", "spherical")


def spec_of(k, d, form="full", dp=False):
    return MixtureSpec(k, d, form, dp, priors_of(n_columns=d, covariance=form, dp=dp))


def three_clusters(n=600):
    rng = np.random.default_rng(1)
    y = rng.normal(size=(n, 2)) + np.array([(0, 0), (4, 4), (-4, 4)])[np.arange(n) % 3]
    return (y - y.mean(axis=0)) / y.std(axis=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dp", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_they_have_the_sites_shapes_and_a_finite_density(form, dp, missing):
    y, spec = three_clusters(), spec_of(5, 2, form, dp)
    y[np.random.default_rng(2).random(len(y)) < missing, 1] = np.nan
    found = start_values(spec, y, np.random.default_rng(1), 3)
    assert {name: value.shape for name, value in found.items()} == {
        name: (3, *shape) for name, shape in spec.shapes.items()
    }
    assert np.isfinite(log_prior(spec, found)).all()
    assert np.isfinite(log_likelihood(y, components_of(spec, found))).all()


def test_a_start_does_not_depend_on_how_many_there_are():
    y, spec = three_clusters(), spec_of(3, 2)
    two, four, other = (start_values(spec, y, np.random.default_rng(seed), n) for seed, n in ((7, 2), (7, 4), (8, 2)))
    for name in spec.shapes:
        np.testing.assert_array_equal(four[name][:2], two[name])
        assert not np.array_equal(four[name][0], four[name][1])
        assert not np.array_equal(other[name], two[name])


@pytest.mark.parametrize("form", FORMS)
def test_they_lie_two_posterior_standard_deviations_about_the_maximum_in_any_order(form):
    y, spec, n = three_clusters(), spec_of(3, 2, form), 200
    found = start_values(spec, y, np.random.default_rng(3), n)
    order = np.argsort(found["means"][:, :, 0], axis=1)
    means = np.take_along_axis(found["means"], order[..., None], axis=1)
    weights = np.take_along_axis(found["weights"], order, axis=1)
    within = np.array([y[np.arange(600) % 3 == k].std(axis=0) for k in (2, 0, 1)])
    # Clusters do not overlap, so that the posterior's are those of 200 points each.
    expected = {"means": (means, within / np.sqrt(200)), "weights": (weights, np.sqrt(1 / 3 * 2 / 3 / 600))}
    if form == "tied":
        expected["scales"] = (found["scales"], found["scales"].mean(axis=0) / np.sqrt(2 * 600))
    if form in ("full", "diagonal"):
        scales = np.take_along_axis(found["scales"], order[..., None], axis=1)
        expected["scales"] = (scales, within / np.sqrt(2 * 200))
    for name, (values, error) in expected.items():
        ratio = values.std(axis=0) / error
        # The standard deviation of 200 numbers is known to 5 %, and clusters and normal limits are nearly what is said.
        assert (ratio > 1.4).all(), name
        assert (ratio < 2.8).all(), name
    assert len(Counter(map(tuple, order))) == 6


def test_of_a_dirichlet_process_they_use_few_components_or_many():
    y, spec = three_clusters(), spec_of(12, 2, dp=True)
    found = start_values(spec, y, np.random.default_rng(3), 24)
    used = (found["weights"] > 0.02).sum(axis=1)
    assert used.min() <= 2
    assert used.max() >= 6
    assert len(np.unique(found["concentration"])) == 24
    # Sticks break off the larger pieces first, more often than not.
    assert (found["weights"][:, 0] > found["weights"][:, -1]).mean() > 0.8


@pytest.mark.parametrize(
    ("k", "y"),
    [
        (30, np.random.default_rng(1).normal(size=(40, 1))),
        (6, np.repeat(np.random.default_rng(1).normal(size=(4, 2)), 10, axis=0)),
        (4, np.random.default_rng(1).normal(size=(60, 20))),
        (1, np.random.default_rng(1).normal(size=(5, 2))),
    ],
    ids=["too many components", "duplicates", "many columns", "one component"],
)
def test_hard_cases_do_not_start_on_a_point(k, y):
    spec = spec_of(k, y.shape[1])
    found = start_values(spec, y, np.random.default_rng(1), 2)
    assert np.isfinite(log_likelihood(y, components_of(spec, found))).all()
    assert np.isfinite(log_prior(spec, found)).all()
    assert found["scales"].min() > 1e-3


def test_of_many_points_some_are_enough():
    y = np.tile(three_clusters(), (100, 1))
    found = start_values(spec_of(3, 2), y, np.random.default_rng(1), 2)
    spread = np.abs(np.sort(found["means"][0, :, 0]) - np.sort(found["means"][1, :, 0]))
    # Errors of 60,000 points, of which a sixth had to say where the maximum lies.
    assert spread.max() < 6 * 3 * 0.4 / np.sqrt(10_000 / 3)
