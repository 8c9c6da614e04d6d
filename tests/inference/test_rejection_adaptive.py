"""Adaptive rejection: hulls lie above what they are made from, and what is not log-concave is found out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.inference._hulls import prolonged, tangents
from bayeskit.inference.rejection import RejectionConfig, fit_rejection


def line(function, low=-np.inf, high=np.inf, gradient=None):
    both = None if gradient is None else lambda x: (function(x), gradient(x))
    return Density(function, {"x": ()}, lower=np.array([low]), upper=np.array([high]), gradient=both)


def fit(density, draws=1000, seed=1):
    return fit_rejection(density, RejectionConfig(draws=draws, adaptive=True), seed=seed)


def concave(x):
    return -0.5 * x**2 + np.minimum(x, 1.0) - np.exp(0.3 * x)


def slope(x):
    return -x + (x < 1.0) - 0.3 * np.exp(0.3 * x)


KNOTS = st.lists(st.integers(-40, 40), min_size=4, max_size=9, unique=True).map(lambda n: np.sort(n) / 10 + 0.013)


def hulls(knots, low, high):
    yield tangents(knots, concave(knots), slope(knots), low, high)
    yield prolonged(knots, concave(knots), low, high)


@given(KNOTS)
@settings(max_examples=100, deadline=None)
def test_hulls_lie_above_and_chords_below(knots):
    x = np.linspace(-5, 5, 401)
    for hull in hulls(knots, -5.0, 5.0):
        assert np.all(hull.upper(x) >= concave(x) - 1e-9)
        assert np.all(hull.lower(x) <= concave(x) + 1e-9)
        np.testing.assert_allclose(hull.upper(knots[1:-1]), concave(knots[1:-1]), rtol=0, atol=1e-9)
        assert np.all(np.diff(hull.left) >= 0)
        np.testing.assert_array_equal(hull.left[1:], hull.right[:-1])


@given(KNOTS)
@settings(max_examples=20, deadline=None)
def test_areas_below_hulls(knots):
    for hull in hulls(knots, -5.0, 5.0):
        pieces = [
            quad(lambda x, h=hull: math.exp(h.upper(np.array([x]))[0] - 10), a, b)[0]
            for a, b in zip(hull.left, hull.right, strict=True)
        ]
        assert hull.log_area - 10 == pytest.approx(math.log(sum(pieces)), abs=1e-6)


@pytest.mark.parametrize("ends", [(-5.0, 5.0), (-np.inf, np.inf), (-np.inf, 5.0)])
def test_draws_know_the_height_of_the_hull(ends):
    knots = np.array([-2.0, -0.7, 0.1, 0.8, 2.0])
    for hull in hulls(knots, *ends):
        points, upper = hull.sample(np.random.default_rng(1), 2000)
        assert np.all((points >= ends[0]) & (points <= ends[1]))
        np.testing.assert_allclose(upper, hull.upper(points), rtol=1e-9, atol=1e-9)


def test_most_candidates_are_accepted_and_few_evaluated():
    told = fit(line(lambda x: -0.5 * x[..., 0] ** 2), draws=200_000).engine
    assert told["acceptance"] > 0.99
    assert told["evaluations"] < 20_000
    assert np.all(told["envelope_density"] <= told["envelope_bound"] * (1 + 1e-7))


def test_same_seed_same_bits_and_more_draws_begin_with_the_same():
    target = line(lambda x: -0.5 * x[..., 0] ** 2)
    first = fit(target, 3000).values["x"]
    np.testing.assert_array_equal(first, fit(target, 3000).values["x"])
    np.testing.assert_array_equal(first, fit(target, 9000).values["x"][:, :3000])
    assert not np.array_equal(first, fit(target, 3000, seed=2).values["x"])


def far_bump(place, width, height):
    def log_density(x):
        return np.logaddexp(-0.5 * x[..., 0] ** 2, height - 0.5 * ((x[..., 0] - place) / width) ** 2)

    return log_density


NOT_CONCAVE = {
    "two modes": line(far_bump(6, 1, 0)),
    "a small second mode": line(far_bump(4, 0.3, -6)),
    "t": line(lambda x: -3 * np.log1p(x[..., 0] ** 2 / 5)),
    "two uniform parts": line(lambda x: np.where(np.abs(x[..., 0] - 0.5) > 0.2, 0.0, -np.inf), 0, 1),
    "pole": line(lambda x: -0.5 * np.log(x[..., 0]), 1e-12, 1),
    "dent": line(lambda x: -0.1 * np.exp(-0.5 * ((x[..., 0] - 0.4) / 0.02) ** 2), 0, 1),
}


@pytest.mark.parametrize("name", NOT_CONCAVE)
def test_what_is_not_log_concave_is_refused_with_the_place(name):
    with pytest.raises(InferenceError, match=r"the density is not log-concave: at x = [-0-9.e+]+ it is"):
        fit(NOT_CONCAVE[name], draws=20_000)


def test_a_wrong_gradient_is_found_out():
    with pytest.raises(InferenceError, match=r"not log-concave, or its gradient is wrong|above its tangents"):
        fit(line(lambda x: -0.5 * x[..., 0] ** 2, gradient=lambda x: 2 * x))


def test_what_does_not_fall_is_refused():
    with pytest.raises(InferenceError, match="does not fall towards the ends"):
        fit(line(lambda x: 0 * x[..., 0]))
    with pytest.raises(InferenceError, match="does not fall towards the ends"):
        fit(line(lambda x: x[..., 0], low=0.0))


def test_the_density_may_be_0_on_a_part_of_the_support():
    inside = fit(line(lambda x: np.where(np.abs(x[..., 0] - 0.31) < 0.01, 0.0, -np.inf), 0, 1)).values["x"]
    assert np.all(np.abs(inside - 0.31) < 0.01)
    with pytest.raises(InferenceError, match="the density is 0 at each"):
        fit(line(lambda x: x[..., 0] * 0 - np.inf, 0, 1))


def test_one_continuous_number_only():
    with pytest.raises(ConfigError, match="this one is of 2 numbers"):
        fit(Density(lambda x: -np.square(x).sum(-1), {"x": (2,)}))
    with pytest.raises(ConfigError, match="whole numbers"):
        fit(Density(lambda x: -x[..., 0], {"k": ()}, lower=np.zeros(1), integer=np.array([True])))
