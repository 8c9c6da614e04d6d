"""A conditional autoencoder makes sensors as a temperature asks for: with a regression's means, and their noise.

Given the temperature the five sensors are independent, so that codes have nothing to tell: what is learned is a
regression, with as many numbers as networks have. Means are held against least squares on the functions that sensors
are made of (1, T, T², exp(-5000 / T)) of the same rows, in standard errors of these.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from bayeskit.datasets.examples import examples
from bayeskit.datasets.generators import TEMPERATURE_NOISE, temperature_sensors
from bayeskit.inference.amortised import AmortisedConfig, fit_amortised
from bayeskit.models.autoencoders.using import generated
from bayeskit.models.vae import cvae

AT = np.array([320.0, 380.0, 440.0, 500.0])
N_ROWS, N_GENERATED = 5000, 20_000
EPOCHS, TOO_FEW = 60, 4
MOST_ERRORS, MOST_OFF = 3.0, 0.05


@cache
def table(seed=0):
    return temperature_sensors(N_ROWS, seed=seed)


def made(epochs, at=AT, seed=0):
    """Return means and standard deviations of rows that are generated at each temperature, ``4 x 5``."""
    model = cvae(examples(table(seed), conditions="temperature"), hold_out=0)
    config = AmortisedConfig(epochs=epochs, schedule="cosine", patience=0, compile="never", device="cpu")
    weights = fit_amortised(model.training(seed), config, seed=seed).groups["weights"]
    asked = {"temperature": np.repeat(at, N_GENERATED)}
    rows = generated(model.spec, weights, len(at) * N_GENERATED, asked, rng=np.random.default_rng(seed))
    by_temperature = rows.drawn.reshape(len(at), N_GENERATED, -1)
    # Means of draws from the likelihood are those of its means, with the noise of drawing added.
    return rows.mean.reshape(by_temperature.shape).mean(axis=1), by_temperature.std(axis=1)


def errors(means, seed=0):
    """Return by how many standard errors of a regression, at its own estimate, means are off, ``4 x 5``."""
    data = table(seed)
    design, at = (functions(kelvin) for kelvin in (data["temperature"].to_numpy(), AT))
    values = data.drop(columns="temperature").to_numpy()
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ values
    variance = ((values - design @ coefficients) ** 2).sum(axis=0) / (len(values) - design.shape[1])
    spread = np.einsum("ij,jk,ik->i", at, inverse, at)
    return (means - at @ coefficients) / np.sqrt(np.outer(spread, variance))


def functions(kelvin):
    scaled = (kelvin - 400) / 100
    return np.stack([np.ones_like(scaled), scaled, scaled**2, 1e4 * np.exp(-5000 / kelvin)], axis=1)


def test_generated_sensors_have_a_regressions_means_and_their_noise():
    means, sd = made(EPOCHS)
    assert np.abs(errors(means)).max() < MOST_ERRORS
    assert np.abs(sd / TEMPERATURE_NOISE - 1).max() < MOST_OFF


def test_training_that_ends_too_early_is_seen():
    means, sd = made(TOO_FEW)
    assert np.abs(errors(means)).max() > MOST_ERRORS
    assert np.abs(sd / TEMPERATURE_NOISE - 1).max() > MOST_OFF


def test_a_temperature_that_is_a_degree_off_is_seen():
    design, at = functions(table()["temperature"].to_numpy()), functions(AT + 1)
    values = table().drop(columns="temperature").to_numpy()
    means = at @ np.linalg.lstsq(design, values, rcond=None)[0]
    assert np.abs(errors(means)).max() > MOST_ERRORS
