"""Tables of sensors that were never built, against the formulas that made them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeskit as bk
from bayeskit.core.errors import ConfigError
from bayeskit.datasets.generators import sensor_means

CHANCE = 1e-6
"""That one of these tests fails where nothing is wrong, per comparison."""


def covariance_fits(values, covariance):
    """Whether centred normal rows have a covariance, by the Wishart statistic of the whitened scatter."""
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), values.T)
    return CHANCE < stats.chi2.cdf((whitened**2).sum(), whitened.size) < 1 - CHANCE


def test_two_factors_stand_behind_all_sensors():
    found = bk.factor_sensors(20_000, seed=1, n_sensors=12).to_numpy()
    values, vectors = np.linalg.eigh(np.cov(found.T))
    rest = values[:-2]
    assert rest.mean() == pytest.approx(0.01, rel=5 * np.sqrt(2 / (10 * 20_000)))
    assert values[-2] > 100 * rest.max()
    weights = vectors[:, -2:] * np.sqrt(values[-2:] - 0.01)
    covariance = weights @ weights.T + 0.01 * np.eye(12)
    assert covariance_fits(found, covariance)
    assert not covariance_fits(found, covariance + 0.001 * np.eye(12))


def test_sensors_of_factors_are_repeatable_and_share_their_weights():
    few, many = (bk.factor_sensors(n, seed=3) for n in (200, 4000))
    assert list(few) == [f"s{at}" for at in range(1, 21)]
    pd.testing.assert_frame_equal(few, bk.factor_sensors(200, seed=3))
    assert not np.allclose(few, bk.factor_sensors(200, seed=4))
    np.testing.assert_allclose(np.cov(few.T), np.cov(many.T), atol=6 * many.to_numpy().var(axis=0).max() / np.sqrt(200))


def test_means_of_temperature_sensors_are_the_formulas():
    np.testing.assert_allclose(sensor_means(400.0), [90, 100 * np.exp(-12.5), 250, 1.2, 4])
    np.testing.assert_allclose(sensor_means([300, 500])[:, 0], [50, 150])


def test_temperature_sensors_scatter_about_their_means():
    found = bk.temperature_sensors(20_000, seed=5)
    assert list(found) == ["temperature", "s1", "s2", "s3", "s4", "s5"]
    kelvin = found["temperature"].to_numpy()
    assert stats.kstest(kelvin, stats.uniform(300, 200).cdf).pvalue > CHANCE
    rest = found.to_numpy()[:, 1:] - sensor_means(kelvin)
    assert covariance_fits(rest, 4 * np.eye(5))
    assert not covariance_fits(1.05 * rest, 4 * np.eye(5))
    assert stats.kstest(rest[:, 2] / 2, "norm").pvalue > CHANCE
    pd.testing.assert_frame_equal(found, bk.temperature_sensors(20_000, seed=5))


def test_sizes_that_make_no_sense():
    for call in (lambda: bk.factor_sensors(0, seed=1), lambda: bk.temperature_sensors(0, seed=1)):
        with pytest.raises(ConfigError, match="0 rows were asked for"):
            call()
    with pytest.raises(ConfigError, match="2 sensors tell nothing of 2 factors"):
        bk.factor_sensors(seed=1, n_sensors=2)
