"""Labels come back from any permutation, and agree across draws and chains."""

from __future__ import annotations

from itertools import permutations as all_permutations

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from models.mixture_draws import clusters, draws_around, mixture, shuffled

from bayeskit.models.mixtures.parameters import components_of
from bayeskit.models.mixtures.relabelling import common_labels, in_line, permuted, relabel


def random_responsibilities(rng, n_draws, n_points, n_components, sharpness=2.0):
    """Return responsibilities around a common matrix, labels permuted at random, and the permutations."""
    common = sharpness * rng.standard_normal((n_points, n_components))
    logits = common + 0.3 * rng.standard_normal((n_draws, n_points, n_components))
    chances = np.exp(logits)
    chances /= chances.sum(axis=-1, keepdims=True)
    order = np.argsort(rng.random((n_draws, n_components)), axis=-1)
    return np.take_along_axis(chances, order[:, None, :], axis=-1), order


def labels_of(found, order):
    """Return which original label each component of each draw has after relabelling."""
    return np.take_along_axis(order, found, axis=-1)


@pytest.mark.parametrize("n_components", [2, 3, 5, 8])
def test_labels_permuted_at_random_come_back(n_components):
    rng = np.random.default_rng(n_components)
    chances, order = random_responsibilities(rng, 200, 80, n_components)
    back = labels_of(relabel(chances).permutations, order)
    assert (back == back[0]).all()
    assert not (order == order[0]).all()


@pytest.mark.parametrize("n_components", [3, 6])
def test_each_permutation_is_the_cheapest(n_components):
    """Against all of them, one by one: six components have an assignment problem, three have not."""
    rng = np.random.default_rng(7)
    chances, _ = random_responsibilities(rng, 25, 12, n_components, sharpness=0.3)
    reference = rng.dirichlet(np.ones(n_components), size=12)
    found = in_line(chances, reference)
    for draw, permutation in zip(chances, found, strict=True):
        losses = {
            candidate: float(-(draw[:, candidate] * np.log(reference)).sum())
            for candidate in all_permutations(range(n_components))
        }
        assert losses[tuple(permutation)] == pytest.approx(min(losses.values()), abs=1e-12)
    assert (np.sort(found, axis=-1) == np.arange(n_components)).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_components=st.integers(1, 7),
    sharpness=st.floats(0.01, 5.0),
)
def test_the_loss_never_rises_and_relabelling_again_changes_nothing(seed, n_components, sharpness):
    rng = np.random.default_rng(seed)
    chances, _ = random_responsibilities(rng, 30, 15, n_components, sharpness)
    found = relabel(chances)
    losses = np.array(found.losses)
    assert (np.diff(losses) <= 1e-9 * np.abs(losses[:-1]) + 1e-9).all()
    assert (losses >= -1e-9).all()
    again = relabel(np.take_along_axis(chances, found.permutations[:, None, :], axis=-1))
    assert again.losses[-1] <= losses[-1] + 1e-9 * (1 + abs(losses[-1]))


def test_a_reference_that_is_not_the_mean_raises_the_loss():
    """The control of the test above: the geometric mean of p in place of the mean is no minimiser."""
    rng = np.random.default_rng(3)
    chances, _ = random_responsibilities(rng, 30, 15, 3, 1.0)
    found = relabel(chances)
    ordered = np.take_along_axis(chances, found.permutations[:, None, :], axis=-1)
    wrong = np.exp(np.log(ordered).mean(axis=0))
    wrong /= wrong.sum(axis=-1, keepdims=True)

    def loss(reference):
        return float(np.sum(ordered * (np.log(ordered) - np.log(reference))))

    assert loss(found.reference) == pytest.approx(found.losses[-1], rel=1e-9)
    assert loss(wrong) > found.losses[-1] * (1 + 1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), covariance=st.sampled_from(["full", "tied", "diagonal", "spherical"]))
def test_however_the_labels_came_the_draws_are_the_same(seed, covariance):
    rng = np.random.default_rng(seed)
    model = mixture(clusters(50), covariance=covariance)
    values = draws_around(model, (2, 10), rng)
    found = []
    for given_values in (values, shuffled(model, values, rng)):
        flat = {name: value.reshape(20, *value.shape[2:]) for name, value in given_values.items()}
        components = components_of(model.spec, flat)
        labels = common_labels(model.y, components, np.zeros(20))
        found.append(permuted(components.means, labels))
    np.testing.assert_array_equal(found[0], found[1])


def r_hats(values):
    """Return R-hat of ``n_chains x n_draws x ...``."""
    flat = values.reshape(*values.shape[:2], -1)
    dataset = xr.Dataset({"x": (("chain", "draw", "cell"), flat)})
    return arviz_stats.rhat(dataset)["x"].to_numpy()


def test_chains_that_disagree_on_labels_agree_afterwards():
    """Each chain has labels of its own, as after different starts: without relabelling R-hat must tell so."""
    rng = np.random.default_rng(5)
    model = mixture(clusters(200))
    values = draws_around(model, (4, 250), rng)
    orders = np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]])
    values = {
        name: np.stack([chain[:, order] for chain, order in zip(value, orders, strict=True)])
        for name, value in values.items()
    }
    assert r_hats(values["means"]).min() > 1.5
    flat = {name: value.reshape(1000, *value.shape[2:]) for name, value in values.items()}
    components = components_of(model.spec, flat)
    labels = common_labels(model.y, components, np.zeros(1000))
    assert r_hats(permuted(components.means, labels).reshape(4, 250, 3, 2)).max() < 1.02


def test_components_stand_by_weight_the_largest_first():
    rng = np.random.default_rng(6)
    model = mixture(clusters(100))
    values = shuffled(model, draws_around(model, (1, 50), rng), rng)
    flat = {name: value[0] for name, value in values.items()}
    components = components_of(model.spec, flat)
    labels = common_labels(model.y, components, np.zeros(50))
    weights = permuted(components.weights, labels).mean(axis=0)
    assert (np.diff(weights) <= 0).all()


def test_one_draw_is_only_sorted():
    model = mixture(clusters(100))
    values = draws_around(model, (1, 1), np.random.default_rng(1))
    components = components_of(model.spec, {name: value[0] for name, value in values.items()})
    labels = common_labels(model.y, components, np.zeros(1))
    assert (labels == np.argsort(-components.weights, axis=-1)).all()


def test_a_component_of_few_among_many_points_is_told_apart():
    """Of 20,000 points 12 are in one component and 12 in another, so that 500 taken at random would see none."""
    rng = np.random.default_rng(8)
    means = np.array([[0.0, 0.0], [6.0, 30.0], [-6.0, 30.0]])
    sizes = (19976, 12, 12)
    points = np.concatenate([mean + rng.standard_normal((n, 2)) for mean, n in zip(means, sizes, strict=True)])
    model = mixture(points)
    values = draws_around(
        model, (1, 60), rng, weights=np.array(sizes) / 20000, means=means, covariances=np.stack([np.eye(2)] * 3)
    )
    values = shuffled(model, values, rng)
    components = components_of(model.spec, {name: value[0] for name, value in values.items()})
    labels = common_labels(model.y, components, np.zeros(60))
    found = permuted(components.means, labels) * model.spread + model.centre
    assert np.ptp(found[:, :, 0], axis=0).max() < 3


def test_empty_components_and_certain_points_give_no_nan():
    """Responsibilities of exactly 0 and 1, and a component without any point in half of the draws."""
    chances = np.zeros((40, 10, 5))
    rng = np.random.default_rng(9)
    order = np.argsort(rng.random((40, 5)), axis=-1)
    for draw in range(40):
        for point in range(10):
            component = 3 if draw >= 20 and point == 9 else point % 3
            chances[draw, point, order[draw, component]] = 1.0
    found = relabel(chances)
    assert np.isfinite(found.losses).all()
    assert (np.sort(found.permutations, axis=-1) == np.arange(5)).all()
    where = np.take_along_axis(np.argsort(order, axis=-1), found.permutations, axis=-1)  # the true component of each
    assert (np.sort(where[0])[:3] == np.arange(3)).all()
    for component in range(3):
        assert (np.flatnonzero(where[0] == component) == np.nonzero(where == component)[1]).all()
