"""Warm-up finds scale and covariance, block by block, and survives what has none."""

import numpy as np
import pytest

from bayeskit.core.density import Density
from bayeskit.core.errors import InferenceError
from bayeskit.inference import _adaptation
from bayeskit.inference._adaptation import (
    MANY_DIMS_ACCEPTANCE,
    Adaptation,
    best_acceptance,
    random_walk_scale,
    window_ends,
)
from bayeskit.inference._streams import BlockStreams
from bayeskit.inference.kernels import Tuning, metropolis_hastings, random_walk


def made(position, n_blocks=1, warmup=1000, target=0.234, **options):
    n_dims = position.shape[1]
    return Adaptation(
        position, n_blocks=n_blocks, warmup=warmup, target=target, reference=random_walk_scale(n_dims), **options
    )


def test_best_acceptance_falls_from_one_dimension_to_many():
    assert best_acceptance(1) == pytest.approx(0.44, abs=0.005)
    assert best_acceptance(2) == pytest.approx(0.35, abs=0.005)
    assert best_acceptance(11) == best_acceptance(1000) == MANY_DIMS_ACCEPTANCE == 0.234


@pytest.mark.parametrize("warmup", [20, 30, 100, 1000, 5000])
def test_windows_grow_and_leave_time_for_the_scale(warmup):
    ends = window_ends(warmup)
    lengths = np.diff([0, *ends])
    assert (lengths > 0).all()
    assert ends[-1] < warmup
    assert warmup - ends[-1] >= min(5, warmup // 10)
    if warmup >= 1000:
        assert (np.diff(lengths) > 0).all()
        assert lengths[-1] > warmup / 3


def test_the_scale_follows_the_acceptance_rate():
    """The acceptance rate of a scale s is taken to be exp(-s): the scale of 0.234 is then known."""
    position = np.random.default_rng(1).standard_normal((64, 1))
    adaptation = made(position, warmup=500)
    noise = np.random.default_rng(2)
    for _ in range(500):
        acceptance = np.exp(-adaptation.scale) * noise.uniform(0.5, 1.5, 64)
        adaptation.learn(np.minimum(acceptance, 1), position)
    assert adaptation.scale == pytest.approx(np.full(64, -np.log(0.234)), rel=0.02)


@pytest.mark.parametrize(("rate", "sign"), [(0.0, -1), (1.0, 1)])
def test_a_scale_that_is_far_off_is_reached_soon(rate, sign):
    position = np.random.default_rng(1).standard_normal((64, 1))
    adaptation = made(position, warmup=1000)
    start = np.log(adaptation.scale[0])
    for _ in range(40):
        adaptation.learn(np.full(64, rate), position)
    assert sign * (np.log(adaptation.scale[0]) - start) > 5


def test_the_factor_is_that_of_the_pooled_covariance_of_the_last_window():
    rng = np.random.default_rng(1)
    covariance = np.array([[4.0, -3.0], [-3.0, 9.0]])
    adaptation = made(rng.standard_normal((64, 2)), warmup=1000)
    for iteration in range(1000):
        spread = 1000.0 if iteration < 300 else 1.0  # a bad start is forgotten
        position = 1e6 + spread * rng.multivariate_normal([0, 0], covariance, 64)
        width = adaptation.scale * adaptation.factor[0, 0, 0] / (2 * spread * random_walk_scale(2))
        adaptation.learn(0.234**width, position)
    found = adaptation.factor[0] @ adaptation.factor[0].T
    n_draws = 64 * 400  # of the last window, at least; the error of a covariance is below sqrt(2 / n) of the variances
    assert abs(found - covariance).max() < 6 * np.sqrt(2 / n_draws) * 9
    assert adaptation.scale == pytest.approx(np.full(64, random_walk_scale(2)), rel=0.05)


def test_blocks_learn_by_themselves():
    rng = np.random.default_rng(1)
    position = rng.standard_normal((128, 3))
    both = made(position, n_blocks=2, warmup=100)
    alone = made(position[64:], warmup=100)
    for _ in range(100):
        position = rng.standard_normal((128, 3)) * np.repeat([1.0, 50.0], 64)[:, None]
        acceptance = rng.random(128)
        both.learn(acceptance, position)
        alone.learn(acceptance[64:], position[64:])
    np.testing.assert_array_equal(both.factor[1], alone.factor[0])
    np.testing.assert_array_equal(both.scale[64:], alone.scale)
    assert both.factor[1][0, 0] > 10 * both.factor[0][0, 0]


@pytest.mark.parametrize("shape", ["constant", "collinear", "stuck", "one chain"])
def test_a_singular_covariance_leaves_proposals_in_all_directions(shape):
    rng = np.random.default_rng(1)

    def positions():
        found = rng.standard_normal((64, 3))
        if shape == "constant":
            found[:, 1] = 7.0
        elif shape == "collinear":
            found[:, 1] = 1000 * found[:, 0] + found[:, 2]
        elif shape == "stuck":
            found[:] = 1.0
        return found[:1] if shape == "one chain" else found

    adaptation = made(positions(), warmup=200)
    rate = 0.0 if shape == "stuck" else 0.234
    for _ in range(200):
        position = positions()
        adaptation.learn(np.full(len(position), rate), position)
    assert np.isfinite(adaptation.factor).all()
    assert (np.diagonal(adaptation.factor[0]) > 0).all()
    assert np.isfinite(adaptation.scale).all()


def test_whole_coordinates_keep_a_least_variance():
    adaptation = made(np.zeros((64, 2)), warmup=200, least_variance=0.25)
    for _ in range(200):
        adaptation.learn(np.full(64, 0.9), np.zeros((64, 2)))
    assert (np.diagonal(adaptation.factor[0]) >= 0.5).all()


def test_chains_that_ran_off_are_an_error():
    adaptation = made(np.zeros((4, 1)), warmup=100)
    position = np.array([[1e200], [-1e200], [1e300], [0.0]])
    for _ in range(9):
        adaptation.learn(np.full(4, 1.0), position)
    with pytest.raises(InferenceError, match="ran off"):
        adaptation.learn(np.full(4, 1.0), position)


def test_nothing_is_learnt_after_warmup():
    adaptation = made(np.zeros((4, 1)), warmup=20)
    for _ in range(20):
        adaptation.learn(np.full(4, 0.5), np.zeros((4, 1)))
    with pytest.raises(InferenceError, match="frozen"):
        adaptation.learn(np.full(4, 0.5), np.zeros((4, 1)))


def mirrored(points):
    """Two modes that no chain crosses between, each narrow across and wide along."""
    x, y = points[:, 0], points[:, 1]
    return np.logaddexp(-0.5 * ((x - 20) / 0.1) ** 2, -0.5 * ((x + 20) / 0.1) ** 2) - 0.5 * (y / 3) ** 2


def mirrored_factor():
    def start(rng, n):
        return np.stack([20.0 * rng.choice([-1, 1], n), rng.normal(size=n)], axis=1)

    return np.diagonal(learnt(Density(mirrored, {"x": (), "y": ()}, start=start)).factor[0])


def learnt(density, warmup=2000, n_chains=64):
    """Run the engine's own loop."""
    kernel = metropolis_hastings(density, random_walk())
    streams = BlockStreams(5, n_chains)
    state = kernel.init(density.start(np.random.default_rng(3), n_chains))
    adaptation = Adaptation(state.position, n_blocks=1, warmup=warmup, target=0.352, reference=2.38 / np.sqrt(2))
    for _ in range(warmup):
        state, info = kernel.step(streams, state, Tuning(adaptation.scale, adaptation.factor))
        adaptation.learn(info.acceptance, state.position)
    return adaptation


def test_chains_in_modes_far_apart_learn_the_shape_of_a_mode(monkeypatch):
    across, along = mirrored_factor()
    assert across == pytest.approx(0.1, rel=0.5)
    assert along == pytest.approx(3.0, rel=0.5)
    monkeypatch.setattr(_adaptation, "_APART", np.inf)  # the covariance of all chains together fits neither mode
    across, _ = mirrored_factor()
    assert across > 10
