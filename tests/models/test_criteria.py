"""Counts of parameters and information criteria, against scikit-learn's and by their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from models.mixture_draws import COVARIANCES, MEANS, WEIGHTS, clusters, draws_around, mixture, with_missing
from scipy.stats import multivariate_normal

from bayeskit.models.mixtures import criteria
from bayeskit.models.mixtures.criteria import aic, bic, icl, log_jacobian, maximum_likelihood
from bayeskit.models.mixtures.likelihood import log_likelihood
from bayeskit.models.mixtures.parameters import Components, components_of
from bayeskit.models.mixtures.spec import MixtureSpec

FORMS = {"full": "full", "tied": "tied", "diagonal": "diag", "spherical": "spherical"}


def start_of(model, **changes):
    """Return one mixture near the truth, on the model's scale."""
    values = draws_around(model, (1, 1), np.random.default_rng(0), noise=0.01, **changes)
    return components_of(model.spec, {name: value[0, 0] for name, value in values.items()})


@pytest.mark.parametrize("covariance", FORMS)
@pytest.mark.parametrize(("n_components", "d"), [(1, 1), (3, 2), (4, 5)])
def test_parameters_are_as_many_as_directions_that_the_density_changes_in(covariance, n_components, d):
    """The rank of the log densities' derivatives by all numbers that the sites hold, constraints removed."""
    spec = MixtureSpec(n_components, d, covariance, False, ())
    rng = np.random.default_rng(1)
    shared = 1 if covariance == "tied" else n_components
    pairs = np.tril_indices(d, -1)
    sizes = [n_components, n_components * d, shared * (1 if covariance == "spherical" else d), 0]
    sizes[3] = shared * pairs[0].size if covariance in ("full", "tied") else 0

    def mixture_of(theta):
        weights, means, scales, below = np.split(theta, np.cumsum(sizes)[:-1])
        factors = np.zeros((shared, d, d)) + np.eye(d) * np.exp(scales.reshape(shared, -1, 1))
        if sizes[3]:
            factors[:, pairs[0], pairs[1]] = below.reshape(shared, -1)
        weights = np.exp(weights) / np.exp(weights).sum()
        cholesky = np.broadcast_to(factors, (n_components, d, d))
        return Components(weights, means.reshape(n_components, d), cholesky)

    theta = rng.normal(0, 0.3, sum(sizes))  # overlapping, so that every point sees every component
    points = rng.normal(0, 1.2, (400, d))
    step = 1e-5
    moved = np.array([theta + sign * step * unit for unit in np.eye(theta.size) for sign in (1, -1)])
    densities = np.array([log_likelihood(points, mixture_of(each)) for each in moved])
    slopes = (densities[::2] - densities[1::2]) / (2 * step)
    singular = np.linalg.svd(slopes, compute_uv=False)
    assert int((singular > 1e-8 * singular[0]).sum()) == spec.n_parameters


@pytest.mark.parametrize(("covariance", "theirs"), FORMS.items())
def test_criteria_are_scikit_learn_s_on_three_clusters(covariance, theirs):
    peer = pytest.importorskip("sklearn.mixture")
    points = clusters()
    model = mixture(points * [1.0, 20.0], covariance=covariance)
    start = start_of(model, means=MEANS * [1, 20], covariances=COVARIANCES * np.outer([1, 20], [1, 20]))
    found = maximum_likelihood(model, start)
    # Spherical components are so in the model's scale, the data's standardised columns.
    scaled = (points * [1.0, 20.0] - model.centre) / model.spread
    fitted = peer.GaussianMixture(
        3, covariance_type=theirs, tol=1e-10, max_iter=10000, reg_covar=0, means_init=start.means, random_state=0
    ).fit(scaled)
    moved = 2 * len(points) * np.log(model.spread).sum()  # from the model's scale to the data's units
    assert int(found["n_parameters"]) == fitted._n_parameters()
    assert float(found["bic"]) == pytest.approx(fitted.bic(scaled) + moved, abs=0.01)
    assert float(found["aic"]) == pytest.approx(fitted.aic(scaled) + moved, abs=0.01)
    chances = np.maximum(fitted.predict_proba(scaled), 1e-300)
    entropy = -(chances * np.log(chances)).sum()
    log_lik = float(found["max_log_likelihood"])
    assert icl(log_lik, fitted._n_parameters(), 1000, entropy) == pytest.approx(
        float(found["bic"]) + 2 * entropy, rel=1e-12
    )


def test_the_largest_likelihood_on_the_clusters_is_known():
    model = mixture(clusters())
    found = maximum_likelihood(model, start_of(model))
    assert float(found["max_log_likelihood"]) >= -3936.65
    truth = [
        np.log(weight) + multivariate_normal(mean, covariance).logpdf(clusters())
        for weight, mean, covariance in zip(WEIGHTS, MEANS, COVARIANCES, strict=True)
    ]
    at_truth = np.logaddexp.reduce(truth, axis=0).sum()
    # Twice the difference is about chi-square of 17 degrees of freedom; 66 has a probability of 1e-7.
    assert 0 < 2 * (float(found["max_log_likelihood"]) - at_truth) < 66
    assert float(found["aic"]) == pytest.approx(34 - 2 * float(found["max_log_likelihood"]))


def test_definitions():
    assert aic(-10.0, 3) == 26
    assert bic(-10.0, 3, 100) == pytest.approx(20 + 3 * math.log(100))
    assert icl(-10.0, 3, 100, 2.5) == pytest.approx(bic(-10.0, 3, 100) + 5)


def test_the_jacobian_counts_what_is_observed():
    model = with_missing(mixture(clusters(50) * [1, 20]), np.random.default_rng(2))
    components = start_of(model, means=MEANS * [1, 20], covariances=COVARIANCES * np.outer([1, 20], [1, 20]))
    in_units = Components(
        components.weights,
        model.centre + model.spread * components.means,
        model.spread[:, np.newaxis] * components.cholesky,
    )
    points = model.centre + model.spread * model.y
    expected = log_likelihood(points, in_units)
    found = log_likelihood(model.y, components) + log_jacobian(model.y, model.spread)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert abs(log_likelihood(model.y, components) - expected).max() > 1


def test_a_collapsed_component_has_no_criteria():
    """Its likelihood has no bound, so that any number of these would only be the floor's."""
    model = mixture(np.concatenate([clusters(100), np.tile([[9.0, 9.0]], (5, 1))]), n_components=4)
    start = start_of(
        model,
        weights=np.array([0.28, 0.38, 0.29, 0.05]),
        means=np.concatenate([MEANS, [[9.0, 9.0]]]),
        covariances=np.concatenate([COVARIANCES, [1e-4 * np.eye(2)]]),
    )
    assert set(maximum_likelihood(model, start)) == {"n_parameters"}


def test_a_dirichlet_process_has_none():
    model = mixture(clusters(60), dp=True)
    assert maximum_likelihood(model, start_of(model)) == {}


def test_data_too_large_to_arrive_have_a_count_only(monkeypatch):
    monkeypatch.setattr(criteria, "_MOST_WORK", 60 * 2 * 3)
    model = mixture(clusters(60))
    assert set(maximum_likelihood(model, start_of(model))) == {"n_parameters"}
