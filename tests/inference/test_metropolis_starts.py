"""Chains start where the density is positive, or say why they cannot."""

import numpy as np
import pytest

from bayeskit.core.density import Density
from bayeskit.core.errors import ProgramError
from bayeskit.inference._starts import ATTEMPTS, start_points
from bayeskit.inference.metropolis import MetropolisConfig, fit_metropolis


def flat(**options):
    return Density(lambda points: points[:, 0] * 0.0, {"x": (4,)}, **options)


def test_default_starts_lie_in_the_box():
    box = {"lower": [-np.inf, 10.0, -np.inf, 5.0], "upper": [np.inf, np.inf, -10.0, 6.0]}
    points, attempts = start_points(flat(**box), seed=1, block=0, n_chains=64)
    assert points.shape == (64, 4)
    assert (attempts == 1).all()
    assert (abs(points[:, 0]) < 2).all()
    assert ((points[:, 1] > 10 + np.exp(-2)) & (points[:, 1] < 10 + np.exp(2))).all()
    assert ((points[:, 2] < -10 - np.exp(-2)) & (points[:, 2] > -10 - np.exp(2))).all()
    assert ((points[:, 3] > 5) & (points[:, 3] < 6)).all()
    assert (points.std(axis=0) > 0.2).all()


def test_whole_coordinates_start_on_every_whole_number_in_the_box():
    density = flat(lower=[0.0, 0.5, -np.inf, -np.inf], upper=[1.0, 3.5, np.inf, 0.0], integer=[True] * 4)
    points, _ = start_points(density, seed=1, block=0, n_chains=64)
    np.testing.assert_array_equal(points, np.round(points))
    assert set(points[:, 0]) == {0, 1}
    assert set(points[:, 1]) == {1, 2, 3}
    assert (points[:, 3] <= 0).all()


def test_a_blocks_starts_are_its_own():
    density = flat()
    first, _ = start_points(density, seed=1, block=0, n_chains=64)
    again, _ = start_points(density, seed=1, block=0, n_chains=10)
    np.testing.assert_array_equal(first[:10], again)
    for seed, block in ((1, 1), (2, 0)):
        other, _ = start_points(density, seed=seed, block=block, n_chains=64)
        assert not np.intersect1d(first, other).size


@pytest.mark.parametrize(("low", "high"), [(100.0, 300.0), (0.001, 0.005), (-1.9, -1.7)])
def test_starts_of_zero_density_are_tried_elsewhere(low, high):
    density = Density(lambda points: np.where((points[:, 0] > low) & (points[:, 0] < high), 0.0, -np.inf), {"x": ()})
    points, attempts = start_points(density, seed=1, block=0, n_chains=64)
    assert ((points > low) & (points < high)).all()
    assert attempts.max() > 1


def test_attempts_are_told():
    density = Density(lambda points: np.where(points[:, 0] > 1, -points[:, 0], -np.inf), {"x": ()})
    attempts = fit_metropolis(density, MetropolisConfig(warmup=20, draws=4), seed=1).engine["start_attempts"]
    assert attempts.shape == (64,)
    assert attempts.max() > 1


def test_no_start_at_all_is_one_clear_error():
    nowhere = Density(lambda points: np.full(len(points), -np.inf), {"x": (2,)})
    message = rf"the density is 0 at all {ATTEMPTS} points .* the last of them x\[1\] = .*; give start="
    with pytest.raises(ProgramError, match=message):
        fit_metropolis(nowhere, MetropolisConfig(), seed=1)


def test_a_start_of_ones_own_is_asked_again():
    calls = []

    def start(rng, n):
        calls.append(n)
        return rng.normal(0, 1, (n, 1))

    density = Density(lambda points: np.where(points[:, 0] > 2, 0.0, -np.inf), {"x": ()}, start=start)
    points, _ = start_points(density, seed=1, block=0, n_chains=3)
    assert (points > 2).all()
    assert 1 < len(calls) <= ATTEMPTS
    assert set(calls) == {64}


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (lambda rng, n: np.zeros((n, 2)), r"start must return 64 x 1 points for n=64, got \(64, 2\)"),
        (lambda rng, n: np.full((n, 1), np.nan), "start must return finite points, got x = nan"),
        (lambda rng, n: np.full((n, 1), -1.0), "from the density's own start.* x = -1; correct start so that"),
    ],
)
def test_a_start_that_is_no_use(start, message):
    density = Density(lambda points: np.where(points[:, 0] > 0, 0.0, -np.inf), {"x": ()}, start=start)
    with pytest.raises(ProgramError, match=message):
        fit_metropolis(density, MetropolisConfig(), seed=1)


def test_a_density_that_is_no_number_at_the_start():
    density = Density(lambda points: points[:, 0] * np.nan, {"x": ()})
    with pytest.raises(ProgramError, match="the log density is NaN at x = "):
        fit_metropolis(density, MetropolisConfig(), seed=1)
