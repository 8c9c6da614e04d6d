"""Random walks with adapted proposals are as efficient on Gaussians as theory says the best ones are.

Gelman, Roberts and Gilks (1996), Efficient Metropolis jumping rules, Bayesian Statistics 5, 599-607: effective draws a
draw, times the number of dimensions. A random walk whose covariance is adapted moves alike in all directions of the
Gaussian, so that autocorrelations, with the known mean and variance, are pooled over directions and chains: their error
is far below the margin of 10 %, and is measured over blocks of chains, which adapt by themselves.
"""

import numpy as np
import pytest

from bayeskit.core.density import Density
from bayeskit.inference.metropolis import MetropolisConfig, fit_metropolis

BEST = {1: 0.228, 2: 0.27, 5: 0.31, 50: 0.32}
ENOUGH = 0.9
SETTINGS = {
    1: {"chains": 4096, "warmup": 500, "draws": 200},
    2: {"chains": 2048, "warmup": 500, "draws": 400},
    5: {"chains": 1024, "warmup": 1000, "draws": 600},
    50: {"chains": 192, "warmup": 5000, "draws": 3000},
}


def gaussian(n_dims):
    """Correlation 0.9 to the power of the distance, and standard deviations from 1 to 100."""
    places = np.arange(n_dims)
    factor = np.linalg.cholesky(0.9 ** abs(places[:, None] - places)) * np.geomspace(1, 100, n_dims)[:, None]
    whiten = np.linalg.inv(factor)
    return Density(lambda points: -0.5 * np.square(points @ whiten.T).sum(axis=1), {"x": (n_dims,)}), whiten


def efficiency(white):
    """Return effective draws a draw, of ``n_chains x n_draws x n_dims`` whose law has mean 0 and variance 1.

    Sums of two neighbouring autocorrelations are added for as long as they are positive, and so that they do not grow:
    Geyer (1992), doi:10.1214/ss/1177011137.
    """
    n_draws = white.shape[1]
    length = 1 << int(np.ceil(np.log2(2 * n_draws)))
    power = np.zeros(length // 2 + 1)
    for coordinate in np.moveaxis(white, -1, 0):
        spectrum = np.fft.rfft(coordinate, n=length, axis=1)
        power += (spectrum.real**2 + spectrum.imag**2).mean(axis=0)
    covariances = np.fft.irfft(power, n=length)[:n_draws] / white.shape[2] / np.arange(n_draws, 0, -1)
    pairs = covariances[: n_draws // 2 * 2].reshape(-1, 2).sum(axis=1)
    pairs = pairs[: np.flatnonzero(np.append(pairs, -1.0) <= 0)[0]]
    return 1 / (2 * np.minimum.accumulate(pairs).sum() - covariances[0])


def measured(n_dims, seed=1, **options):
    """Return efficiency times dimensions, and its standard error over blocks."""
    density, whiten = gaussian(n_dims)
    draws = fit_metropolis(density, MetropolisConfig(**{"thin": 1, **SETTINGS[n_dims], **options}), seed=seed)
    white = draws.values["x"] @ whiten.T
    blocks = [n_dims * efficiency(white[first : first + 64]) for first in range(0, len(white), 64)]
    return n_dims * efficiency(white), np.std(blocks, ddof=1) / np.sqrt(len(blocks))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
def test_estimate_is_right_where_the_answer_is_known(correlation):
    rng = np.random.default_rng(1)
    series = np.empty((256, 2000, 2))
    series[:, 0] = rng.standard_normal((256, 2))
    noise = np.sqrt(1 - correlation**2) * rng.standard_normal(series.shape)
    for place in range(1, series.shape[1]):
        series[:, place] = correlation * series[:, place - 1] + noise[:, place]
    assert efficiency(series) == pytest.approx((1 - correlation) / (1 + correlation), rel=0.03)


@pytest.mark.parametrize("n_dims", BEST)
def test_efficiency_of_the_adapted_random_walk(n_dims):
    found, error = measured(n_dims)
    assert error < 0.025 * BEST[n_dims]
    assert found >= ENOUGH * BEST[n_dims]


@pytest.mark.parametrize("target", [0.1, 0.75])
def test_steps_that_are_too_wide_or_too_narrow_are_found_out(target):
    found, error = measured(5, target_acceptance=target)
    assert found + 5 * error < ENOUGH * BEST[5]


def test_without_covariance_steps_are_found_out(monkeypatch):
    monkeypatch.setattr("bayeskit.inference._adaptation.Adaptation._close_window", lambda self: None)
    found, error = measured(5)
    assert found + 5 * error < ENOUGH * BEST[5]
