"""Sites and components stand for each other, whatever the form, and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.mixture_reference import mixture_spec, some_values, specs

from bayeskit.models.mixtures.likelihood import log_prior
from bayeskit.models.mixtures.parameters import Components, components_of, sticks_of, values_of, weights_of
from bayeskit.models.mixtures.spec import COVARIANCES

seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(spec=specs(), seed=seeds, leading=st.sampled_from([(), (2,), (2, 3)]))
def test_values_stand_for_components_and_back(spec, seed, leading):
    values = some_values(spec, np.random.default_rng(seed), *leading)
    assert {name: value.shape[len(leading) :] for name, value in values.items()} == dict(spec.shapes)
    assert list(values) == list(spec.shapes)
    parts = components_of(spec, values)
    again = values_of(spec, parts.weights, parts.means, parts.covariances, values.get("concentration"))
    for name, value in values.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-7, atol=1e-9, err_msg=name)


def test_components_by_hand():
    spec = mixture_spec(2, 2)
    values = {
        "weights": np.array([0.25, 0.75]),
        "means": np.array([[0.0, 1], [2, 3]]),
        "scales": np.array([[1.0, 2], [3, 4]]),
        "corr_cholesky": np.array([[[1, 0], [0.6, 0.8]], [[1, 0], [0, 1]]]),
    }
    parts = components_of(spec, values)
    np.testing.assert_allclose(parts.covariances, [[[1, 1.2], [1.2, 4]], [[9, 0], [0, 16]]])
    tied = components_of(
        mixture_spec(2, 2, "tied"), values | {name: values[name][0] for name in ("scales", "corr_cholesky")}
    )
    np.testing.assert_allclose(tied.covariances, [[[1, 1.2], [1.2, 4]]] * 2)
    spherical = components_of(mixture_spec(2, 2, "spherical"), values | {"scales": np.array([1.0, 3])})
    np.testing.assert_allclose(spherical.covariances, [np.eye(2), 9 * np.eye(2)])
    assert isinstance(parts[...], Components)


def test_sticks_break_into_weights():
    np.testing.assert_allclose(weights_of(np.array([0.5, 0.5, 0.2])), [0.5, 0.25, 0.05, 0.2])
    np.testing.assert_allclose(weights_of(np.empty((3, 0))), np.ones((3, 1)))
    weights = np.random.default_rng(0).dirichlet(np.ones(6), 20)
    np.testing.assert_allclose(weights_of(sticks_of(weights)), weights, rtol=1e-12)
    spec = mixture_spec(4, 1, dp=True)
    values = some_values(spec, np.random.default_rng(1))
    without = {name: value for name, value in values.items() if name != "weights"}
    np.testing.assert_array_equal(components_of(spec, without).weights, values["weights"])


def loss(parts, weights, covariances):
    """Return minus twice the mean log likelihood of points with these moments, the means being theirs."""
    precision = np.linalg.inv(parts.covariances)
    log_determinant = np.linalg.slogdet(parts.covariances)[1]
    return weights @ (log_determinant + np.einsum("kij,kji->k", precision, covariances))


@pytest.mark.parametrize("form", COVARIANCES)
def test_covariances_of_another_form_become_the_nearest_in_likelihood(form):
    rng = np.random.default_rng(4)
    spec, full = mixture_spec(3, 3, form), mixture_spec(3, 3)
    given = components_of(full, some_values(full, rng))
    nearest = values_of(spec, given.weights, given.means, given.covariances)
    least = loss(components_of(spec, nearest), given.weights, given.covariances)
    for _ in range(50):
        other = dict(nearest, scales=nearest["scales"] * np.exp(0.05 * rng.standard_normal(nearest["scales"].shape)))
        if spec.correlated:
            factor = nearest["corr_cholesky"] + np.tril(0.05 * rng.standard_normal(nearest["corr_cholesky"].shape))
            other["corr_cholesky"] = factor / np.linalg.norm(factor, axis=-1, keepdims=True)
        assert loss(components_of(spec, other), given.weights, given.covariances) > least
    if form != "full":  # the control: those of the first component alone are beaten
        first = values_of(spec, given.weights, given.means, given.covariances[[0, 0, 0]])
        assert loss(components_of(spec, first), given.weights, given.covariances) > least


@pytest.mark.parametrize("form", COVARIANCES)
@pytest.mark.parametrize("dp", [False, True])
def test_what_has_collapsed_is_put_inside_the_supports(form, dp):
    spec = mixture_spec(4, 3, form, dp)
    direction = np.array([1.0, 2, 3])
    singular = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.outer(direction, direction), 1e-30 * np.eye(3)])
    values = values_of(spec, np.array([0.0, 1, 0, 0]), np.zeros((4, 3)), singular)
    assert np.isfinite(log_prior(spec, values))
    assert (values["weights"] > 0).all()
    assert (values["scales"] > 0).all()
    assert values["weights"].sum() == pytest.approx(1)
    if dp:
        assert ((values["sticks"] > 0) & (values["sticks"] < 1)).all()
        assert values["concentration"] == 1  # the mean of gamma(2, 2)
    if spec.correlated:
        np.testing.assert_allclose(np.linalg.norm(values["corr_cholesky"], axis=-1), 1)
        assert (np.diagonal(values["corr_cholesky"], axis1=-2, axis2=-1) > 0).all()


def test_a_lognormal_concentration_starts_at_its_median():
    spec = mixture_spec(2, 1, dp=True, overrides=("concentration=lognormal(1, 2)",))
    values = values_of(spec, np.array([0.5, 0.5]), np.zeros((2, 1)), np.ones((2, 1, 1)))
    assert values["concentration"] == pytest.approx(np.e)
