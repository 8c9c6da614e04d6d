"""What is made of a mixture's draws: units, order, label-free quantities, and memory that is bounded."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.mixture_draws import MEANS, clusters, draws_around, mixture, shuffled, with_missing
from scipy.stats import multivariate_normal

from bayeskit.models.mixtures import membership, posterior
from bayeskit.models.mixtures.likelihood import log_prior
from bayeskit.models.mixtures.parameters import components_of
from bayeskit.models.mixtures.posterior import mixture_coords, mixture_dims, mixture_groups, pairs_of_points

FORMS = ("full", "tied", "diagonal", "spherical")
LABEL_FREE = ("log_likelihood_total", "n_occupied", "entropy", "co_assignment")


def brute_force(model, found, chain, draw):
    """Return log densities of points in the data's units and responsibilities, from the posterior group alone."""
    spec, d = model.spec, model.spec.n_columns
    points = model.centre + model.spread * model.y
    terms = np.empty((len(points), spec.n_components))
    for k in range(spec.n_components):
        at = (chain, draw) if spec.covariance == "tied" else (chain, draw, k)
        sd = found["sd"][at]
        correlation = np.eye(d)
        if spec.correlated:
            for value, (a, b) in zip(found["correlation"][at], zip(*np.triu_indices(d, 1), strict=True), strict=True):
                correlation[a, b] = correlation[b, a] = value
        covariance = correlation * np.outer(sd, sd)
        for i, point in enumerate(points):
            seen = np.flatnonzero(~np.isnan(point))
            normal = multivariate_normal(found["mean"][chain, draw, k][seen], covariance[np.ix_(seen, seen)])
            terms[i, k] = np.log(found["weight"][chain, draw, k]) + normal.logpdf(point[seen])
    density = np.logaddexp.reduce(terms, axis=-1)
    return density, np.exp(terms - density[:, None])


@pytest.mark.parametrize(("covariance", "missing"), list(product(FORMS, (False, True))))
def test_everything_equals_a_computation_from_the_posterior_alone(covariance, missing):
    rng = np.random.default_rng(1)
    model = mixture(clusters(40) * [10, 0.1] + [100, -3], covariance=covariance)
    model = with_missing(model, rng) if missing else model
    values = shuffled(model, draws_around(model, (2, 3), rng, means=MEANS * [10, 0.1] + [100, -3]), rng)
    groups = mixture_groups(model, values)
    found = groups["posterior"]
    pairs = pairs_of_points(model.y)
    responsibility, together = np.zeros((40, 3)), np.zeros((40, 40))
    for chain, draw in product(range(2), range(3)):
        density, chances = brute_force(model, found, chain, draw)
        responsibility += chances / 6
        together += chances @ chances.T / 6
        np.testing.assert_allclose(groups["log_likelihood"]["points"][chain, draw], density, rtol=1e-9, atol=1e-9)
        assert found["log_likelihood_total"][chain, draw] == pytest.approx(density.sum(), rel=1e-9)
        logs = np.log(np.maximum(chances, 1e-300))
        assert found["entropy"][chain, draw] == pytest.approx(-(chances * logs).sum() / 40, abs=1e-9)
        same = (chances[pairs[:, 0]] * chances[pairs[:, 1]]).sum(axis=-1)
        np.testing.assert_allclose(found["co_assignment"][chain, draw], same, atol=1e-9)
    derived = groups["derived"]
    np.testing.assert_allclose(derived["responsibility"], responsibility, atol=1e-9)
    np.testing.assert_array_equal(derived["assignment"], responsibility.argmax(axis=-1) + 1)
    np.testing.assert_allclose(derived["certainty"], responsibility.max(axis=-1), atol=1e-9)
    np.fill_diagonal(together, 1.0)
    shown = derived["shown_point"]
    np.testing.assert_allclose(derived["co_assignment_matrix"], together[np.ix_(shown, shown)], atol=1e-9)
    assert (np.diff(derived["assignment"][shown]) >= 0).all()
    terms = groups["log_prior"]
    assert set(terms) <= {prior.name for prior in model.spec.priors}
    np.testing.assert_allclose(found["log_density"], found["log_likelihood_total"] + sum(terms.values()), rtol=1e-12)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), covariance=st.sampled_from(FORMS), dp=st.booleans(), missing=st.booleans())
def test_nothing_depends_on_the_labels_that_draws_come_with(seed, covariance, dp, missing):
    rng = np.random.default_rng(seed)
    model = mixture(clusters(30), covariance=covariance, dp=dp)
    model = with_missing(model, rng) if missing else model
    values = draws_around(model, (2, 5), rng)
    first, second = (mixture_groups(model, each) for each in (values, shuffled(model, values, rng)))
    # The prior of a Dirichlet process orders the components, so that its density depends on the labels.
    compared = [name for name in first["posterior"] if not (dp and name == "log_density")]
    for name in compared:
        np.testing.assert_allclose(first["posterior"][name], second["posterior"][name], rtol=1e-9, atol=1e-12)
    for name in ("responsibility", "assignment", "co_assignment_matrix", "distinct_points"):
        np.testing.assert_allclose(first["derived"][name], second["derived"][name], atol=1e-9)


def test_label_free_quantities_need_no_relabelling(monkeypatch):
    """The same without it; the control: parameters are not."""
    rng = np.random.default_rng(3)
    model = mixture(clusters(60))
    values = shuffled(model, draws_around(model, (1, 20), rng), rng)
    ordered = mixture_groups(model, values)["posterior"]
    monkeypatch.setattr(
        posterior, "common_labels", lambda y, components, prior: np.tile(np.arange(3), (len(components.weights), 1))
    )
    as_they_came = mixture_groups(model, values)["posterior"]
    for name in set(LABEL_FREE) - {"n_occupied"}:  # of which assignments are drawn, in the order of the labels
        np.testing.assert_allclose(as_they_came[name], ordered[name], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(as_they_came["log_density"], ordered["log_density"], rtol=1e-9)
    assert np.ptp(as_they_came["mean"][..., 0], axis=1).max() > 5
    assert np.ptp(ordered["mean"][..., 0], axis=1).max() < 1


def test_the_number_of_occupied_components_has_its_distribution():
    """Of two points and two components: both are occupied with the chance that the points do not share one."""
    model = mixture(np.array([[0.0], [1.0]]), n_components=2)
    shape = (1, 4000)
    values = {
        "weights": np.full((*shape, 2), 0.5),
        "means": np.broadcast_to(np.array([[-0.6], [0.6]]), (*shape, 2, 1)),
        "scales": np.ones((*shape, 2, 1)),
    }
    groups = mixture_groups(model, values)
    p = np.unique(groups["derived"]["responsibility"].round(12), axis=0)
    both = 1 - (p[0, 0] * p[1, 0] + p[0, 1] * p[1, 1])
    n_both = int((groups["posterior"]["n_occupied"] == 2).sum())
    error = np.sqrt(4000 * both * (1 - both))
    assert abs(n_both - 4000 * both) < 5.3 * error
    assert abs(n_both - 4000 * 0.5) > 5.3 * error  # what assignments that ignore the points would give


def test_replications_have_the_mixture_s_moments_and_the_data_s_gaps():
    rng = np.random.default_rng(4)
    model = with_missing(mixture(clusters(300) * [10, 1]), rng)
    values = draws_around(model, (2, 400), rng, means=MEANS * [10, 1], noise=0.0)
    groups = mixture_groups(model, values)
    copies = groups["posterior_predictive"]["points"]
    assert copies.shape[0] == 2
    assert 200 < copies.shape[0] * copies.shape[1] <= 500
    assert (np.isnan(copies) == np.isnan(model.y)).all()
    found = groups["posterior"]
    weight, mean, sd = (found[name][0, 0] for name in ("weight", "mean", "sd"))
    expected = weight @ mean
    variance = weight @ (sd**2 + mean**2) - expected**2
    for column in range(2):
        cells = copies[..., column][np.isfinite(copies[..., column])]
        assert abs(cells.mean() - expected[column]) < 5.3 * np.sqrt(variance[column] / cells.size)
        equally_likely = mean[:, column].mean()  # what components drawn without their weights would give
        assert abs(cells.mean() - equally_likely) > 5.3 * np.sqrt(variance[column] / cells.size)


def test_names_sizes_and_coordinates_agree():
    rng = np.random.default_rng(5)
    for covariance, dp in product(FORMS, (False, True)):
        model = mixture(clusters(30), covariance=covariance, dp=dp, columns=("width", "length"))
        groups = mixture_groups(model, draws_around(model, (2, 4), rng))
        coords, dims = mixture_coords(model), mixture_dims(model)
        for group, variables in groups.items():
            samples = 0 if group in ("derived", "selection") else 2
            for name, value in variables.items():
                along = dims.get(f"{group}/{name}", dims.get(name, []))
                size = value.shape[samples:]
                along = along[: len(size)] if group == "log_likelihood" else along  # as ArviZ takes them there
                assert len(along) == len(size), (group, name)
                assert all(coords[d].size == n for d, n in zip(along, size, strict=True) if d in coords), name
        assert list(coords["pair"]) == ["width:length"]
        assert coords["point"][0] == 2
        assert ("concentration" in groups["posterior"]) == dp
        assert ("correlation" in groups["posterior"]) == (covariance in ("full", "tied"))


def test_one_column_has_no_pairs_and_spherical_ones_share_a_scale():
    model = mixture(clusters(60)[:, :1], n_components=2)
    values = draws_around(
        model,
        (1, 3),
        np.random.default_rng(6),
        weights=np.array([0.5, 0.5]),
        means=np.array([[-1.0], [1.0]]),
        covariances=np.ones((2, 1, 1)),
    )
    assert "correlation" not in mixture_groups(model, values)["posterior"]
    assert mixture_coords(model)["pair"].size == 0
    model = mixture(clusters(60) * [1, 10], covariance="spherical")
    found = mixture_groups(model, draws_around(model, (1, 3), np.random.default_rng(6)))["posterior"]
    ratio = found["sd"][..., 1] / found["sd"][..., 0]
    np.testing.assert_allclose(ratio, model.spread[1] / model.spread[0])


def test_a_point_estimate_keeps_one_draw():
    model = mixture(clusters(60))
    groups = mixture_groups(model, draws_around(model, (1, 1), np.random.default_rng(7)))
    assert groups["posterior"]["mean"].shape == (1, 1, 3, 2)
    assert (np.diff(groups["posterior"]["weight"][0, 0]) <= 0).all()
    assert groups["posterior_predictive"]["points"].shape == (1, 1, 60, 2)


def test_what_would_not_fit_is_left_out(monkeypatch):
    model = mixture(clusters(60))
    values = draws_around(model, (2, 50), np.random.default_rng(8))
    whole = mixture_groups(model, values)
    monkeypatch.setattr(membership, "_MOST_TERMS", 5999)
    monkeypatch.setattr(posterior, "_MOST_CELLS", 120 * 20)
    groups = mixture_groups(model, values)
    assert "log_likelihood" not in groups
    assert "posterior_predictive" not in groups
    np.testing.assert_array_equal(groups["posterior"]["log_density"], whole["posterior"]["log_density"])
    monkeypatch.setattr(posterior, "_MOST_WORK", 60 * 2 * 3 * 25)
    groups = mixture_groups(model, values)
    assert not {"log_density", "log_likelihood_total", "entropy", "n_occupied"} & set(groups["posterior"])
    error = 5 * whole["derived"]["certainty"].std()
    assert abs(groups["derived"]["responsibility"] - whole["derived"]["responsibility"]).max() < error


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(9)
    model = with_missing(mixture(clusters(60)), rng)
    values = draws_around(model, (2, 10), rng)
    whole = mixture_groups(model, values)
    monkeypatch.setattr(membership, "_AT_ONCE", 50)
    parts = mixture_groups(model, values)
    for name in ("log_likelihood_total", "entropy", "co_assignment"):
        np.testing.assert_allclose(parts["posterior"][name], whole["posterior"][name], rtol=1e-10)
    for name in ("responsibility", "co_assignment_matrix"):
        np.testing.assert_allclose(parts["derived"][name], whole["derived"][name], atol=1e-12)
    np.testing.assert_allclose(parts["log_likelihood"]["points"], whole["log_likelihood"]["points"], rtol=1e-10)


def test_a_component_on_equal_points_holds_one():
    points = np.concatenate([clusters(100), np.tile([[9.0, 9.0]], (5, 1))])
    model = mixture(points, n_components=4)
    values = draws_around(
        model,
        (1, 20),
        np.random.default_rng(10),
        weights=np.array([0.28, 0.38, 0.29, 0.05]),
        means=np.concatenate([MEANS, [[9.0, 9.0]]]),
        covariances=np.concatenate([np.stack([np.eye(2)] * 3), 1e-4 * np.eye(2)[None]]),
    )
    groups = mixture_groups(model, values)
    held = groups["derived"]["distinct_points"]
    assert held[3] == 1
    assert held[:3].min() > 15


@pytest.mark.parametrize("d", [1, 20])
def test_hard_shapes_give_no_nan(d):
    """A component without weight, one that is almost singular, and a far point."""
    rng = np.random.default_rng(11)
    points = rng.standard_normal((40, d))
    points[0] = 1e6
    model = mixture(points, n_components=5)
    k = np.arange(1, 6)[:, None]
    shape = (2, 5)
    values = draws_around(
        model,
        shape,
        rng,
        weights=np.array([1.0, 1e-12, 1e-300, 0.5, 0.1]),
        means=np.broadcast_to(k, (5, d)) * 1.0,
        covariances=np.stack([np.eye(d) * scale for scale in (1.0, 1e-8, 1e4, 1.0, 1e12)]),
    )
    groups = mixture_groups(model, values)
    for group, variables in groups.items():
        for name, value in variables.items():
            assert np.isfinite(value).all(), (group, name)


def test_pairs_are_the_same_for_the_same_points_only():
    points = clusters(100)
    first, second = mixture(points), replace(mixture(points), options={"n": 1})
    np.testing.assert_array_equal(pairs_of_points(first.y), pairs_of_points(second.y))
    pairs = pairs_of_points(first.y)
    assert pairs.shape == (12, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert pairs_of_points(first.y[:2]).shape == (1, 2)


def test_log_density_is_the_posterior_s_up_to_the_jacobian():
    rng = np.random.default_rng(12)
    model = mixture(clusters(50) * 7)
    values = draws_around(model, (1, 4), rng, means=MEANS * 7, covariances=49 * np.stack([np.eye(2)] * 3))
    found = mixture_groups(model, values)["posterior"]["log_density"]
    flat = {name: value[0] for name, value in values.items()}
    from bayeskit.models.mixtures.likelihood import log_likelihood

    direct = log_likelihood(model.y, components_of(model.spec, flat)).sum(axis=-1) + log_prior(model.spec, flat)
    np.testing.assert_allclose(found[0], direct - 50 * np.log(model.spread).sum(), rtol=1e-10)
