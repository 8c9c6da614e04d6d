"""New points: where they belong, how unusual they are, and points that a posterior makes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from models.mixture_draws import COVARIANCES, MEANS, WEIGHTS, clusters, draws_around, mixture, posterior_of
from scipy.stats import binom, chi2, chisquare, kstest, multivariate_normal

from bayeskit.models.mixtures import prediction
from bayeskit.models.mixtures.prediction import components_in_units, generate_points, predict_points

FORMS = ("full", "tied", "diagonal", "spherical")
P_VALUE = 1e-7
UNITS = np.array([10.0, 0.1])


def components_of(covariance="full", shape=(2, 30), noise=0.03, seed=1):
    """Return components in the data's units around the three clusters."""
    model = mixture(clusters(200) * UNITS + [100, 0], covariance=covariance)
    values = draws_around(
        model,
        shape,
        np.random.default_rng(seed),
        means=MEANS * UNITS + [100, 0],
        covariances=COVARIANCES * np.outer(UNITS, UNITS),
        noise=noise,
    )
    return components_in_units(posterior_of(model, values))


def from_mixture(n, rng):
    """Return points of the true mixture, made here."""
    labels = rng.choice(3, size=n, p=WEIGHTS)
    points = np.array([rng.multivariate_normal(MEANS[k], COVARIANCES[k]) for k in labels])
    return points * UNITS + [100, 0]


@pytest.mark.parametrize(("covariance", "missing"), list(product(FORMS, (False, True))))
def test_predictions_are_those_of_bayes_theorem(covariance, missing):
    components = components_of(covariance, (2, 10))
    points = from_mixture(7, np.random.default_rng(2))
    if missing:
        points[0, 0] = points[3, 1] = np.nan
    found = predict_points(components, points, rng=np.random.default_rng(0))
    chances, densities = np.empty((20, 7, 3)), np.empty((20, 7))
    for draw, (i, point) in product(range(20), enumerate(points)):
        seen = np.flatnonzero(~np.isnan(point))
        terms = [
            np.log(components.weights[draw, k])
            + multivariate_normal(
                components.means[draw, k][seen], components.covariances[draw, k][np.ix_(seen, seen)]
            ).logpdf(point[seen])
            for k in range(3)
        ]
        densities[draw, i] = np.logaddexp.reduce(terms)
        chances[draw, i] = np.exp(terms - densities[draw, i])
    np.testing.assert_allclose(found.responsibility, chances.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(found.low, np.quantile(chances, 0.05, axis=0), atol=1e-9)
    np.testing.assert_allclose(found.high, np.quantile(chances, 0.95, axis=0), atol=1e-9)
    np.testing.assert_allclose(found.log_density, np.logaddexp.reduce(densities, axis=0) - np.log(20), rtol=1e-9)
    np.testing.assert_array_equal(found.component, chances.mean(axis=0).argmax(axis=-1) + 1)
    np.testing.assert_allclose(found.certainty, chances.mean(axis=0).max(axis=-1), atol=1e-9)


@pytest.mark.parametrize("missing", [False, True])
def test_anomaly_scores_of_the_mixture_s_own_points_are_uniform(missing):
    components = components_of()
    rng = np.random.default_rng(3)
    points, _ = generate_points(components, 3000, rng=rng)
    if missing:
        points[::2, 0] = np.nan
        points[1::4, 1] = np.nan
    scores = predict_points(components, points, rng=np.random.default_rng(4)).anomaly
    assert kstest(scores, "uniform").pvalue > P_VALUE
    assert ((scores > 0) & (scores < 1)).all()


def test_anomaly_scores_of_other_points_are_not():
    """Controls: wider points, and scores that take the density of both columns for that of one."""
    components = components_of()
    rng = np.random.default_rng(5)
    points, _ = generate_points(components, 3000, rng=rng)
    wider = points + 0.5 * UNITS * rng.standard_normal(points.shape)
    assert kstest(predict_points(components, wider, rng=rng).anomaly, "uniform").pvalue < P_VALUE
    half = np.where([True, False], points, np.nan)
    wrong = prediction._anomaly(components, points, predict_points(components, half, rng=rng).log_density, rng)
    assert kstest(wrong, "uniform").pvalue < P_VALUE


def test_what_lies_between_and_far_away_is_anomalous():
    found = predict_points(
        components_of(),
        np.array([[0.0, 0.0], [3.0, 3.0], [60.0, -80.0], [1e9, 1e9]]) * UNITS + [100, 0],
        rng=np.random.default_rng(0),
    )
    assert (found.anomaly[:2] < 0.5).all()
    assert (found.anomaly[2:] > 0.9999).all()
    assert np.isfinite(found.responsibility).all()


def test_a_point_without_any_coordinate_is_where_the_weights_say():
    components = components_of()
    found = predict_points(components, np.full((1, 2), np.nan), rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.responsibility[0], components.weights.mean(axis=0))
    assert np.isnan([found.log_density[0], found.anomaly[0]]).all()


def test_a_point_estimate_has_no_intervals():
    found = predict_points(components_of(shape=(1, 1)), clusters(10) * UNITS + [100, 0], rng=np.random.default_rng(0))
    assert found.low is None
    assert found.high is None
    assert found.responsibility.shape == (10, 3)


def test_generated_points_have_the_mixture_s_moments_and_shares():
    components = components_of(noise=0.5)
    points, labels = generate_points(components, 20000, rng=np.random.default_rng(6))
    shares = components.weights.mean(axis=0)
    for k in range(3):
        assert binom.ppf(P_VALUE / 2, 20000, shares[k]) <= (labels == k + 1).sum()
        assert (labels == k + 1).sum() <= binom.isf(P_VALUE / 2, 20000, shares[k])
    assert chisquare(np.bincount(labels)[1:], 20000 / 3).pvalue < P_VALUE  # were they equally likely
    within = components.covariances + np.einsum("ski,skj->skij", components.means, components.means)
    mean = np.einsum("sk,ski->i", components.weights, components.means) / 60
    covariance = np.einsum("sk,skij->ij", components.weights, within) / 60 - np.outer(mean, mean)
    off = points.mean(axis=0) - mean
    assert 20000 * off @ np.linalg.solve(covariance, off) < chi2.isf(P_VALUE, 2)
    second = (points - mean)[:, :, None] * (points - mean)[:, None, :]
    error = second.std(axis=0) / np.sqrt(20000)
    assert (abs(second.mean(axis=0) - covariance) < 5.5 * error).all()
    centres = components.means.mean(axis=0) - mean  # the control: one mixture, the mean of all, in place of the draws
    narrow = np.einsum("k,kij->ij", shares, components.covariances.mean(axis=0))
    narrow += np.einsum("k,ki,kj->ij", shares, centres, centres)
    assert (abs(second.mean(axis=0) - narrow) > 5.5 * error).any()


def test_points_come_from_their_own_components():
    components = components_of()
    points, labels = generate_points(components, 2000, rng=np.random.default_rng(7))
    found = predict_points(components, points, rng=np.random.default_rng(8))
    agree = int((found.component == labels).sum())
    expected = found.certainty.sum()
    error = np.sqrt((found.certainty * (1 - found.certainty)).sum())
    assert abs(agree - expected) < 5.5 * error


def test_chunks_and_thinned_draws_change_little(monkeypatch):
    components = components_of(shape=(2, 200))
    points = from_mixture(40, np.random.default_rng(9))
    monkeypatch.setattr(prediction, "_REFERENCE", 1000)
    whole = predict_points(components, points, rng=np.random.default_rng(0))
    monkeypatch.setattr(prediction, "_AT_ONCE", 2000)
    parts = predict_points(components, points, rng=np.random.default_rng(0))
    np.testing.assert_allclose(parts.responsibility, whole.responsibility, rtol=1e-12)
    np.testing.assert_array_equal(parts.anomaly, whole.anomaly)
    first, _ = generate_points(components, 100, rng=np.random.default_rng(1))
    monkeypatch.setattr(prediction, "_CHUNK", 7)
    second, _ = generate_points(components, 100, rng=np.random.default_rng(1))
    np.testing.assert_allclose(first, second, rtol=1e-12)
    monkeypatch.setattr(prediction, "_MOST_WORK", 1)
    few = predict_points(components, points, rng=np.random.default_rng(0))
    spread = (whole.high - whole.low).max()
    assert abs(few.responsibility - whole.responsibility).max() < spread


def test_correlations_that_rounding_made_singular_are_mended():
    model = mixture(clusters(60))
    posterior = posterior_of(model, draws_around(model, (1, 3), np.random.default_rng(1)))
    posterior["correlation"][0, 0, 0] = 1 + 1e-15
    components = components_in_units(posterior)
    assert np.isfinite(components.cholesky).all()
