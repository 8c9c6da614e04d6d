"""Sensors that were never built: tables with a known way of coming about, to try models of rows on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeskit.core.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

N_FACTORS = 2
FACTOR_NOISE = 0.1
"""Standard deviation of what each sensor of factors adds."""
TEMPERATURES = (300.0, 500.0)
"""Kelvin, between which temperatures are drawn evenly."""
TEMPERATURE_NOISE = 2.0
"""Standard deviation of what each sensor of temperature adds."""


def factor_sensors(n: int = 1000, *, seed: int, n_sensors: int = 20) -> pd.DataFrame:
    """Draw sensors that all show the same two hidden factors.

    Each of two factors is standard normal, and each sensor is a linear combination of them, with standard normal
    weights that are drawn once, plus noise of N(0, 0.1²): data that a probabilistic principal component analysis with
    two components describes exactly.

    Parameters
    ----------
    n
        Number of rows.
    seed
        Makes the same weights whatever ``n`` is.
    n_sensors
        Number of columns, ``s1`` and so on.

    Raises
    ------
    ConfigError
        If there is less than one row, or no more sensors than factors.
    """
    import pandas as pd

    _check(n)
    if n_sensors <= N_FACTORS:
        raise ConfigError(f"{n_sensors} sensors tell nothing of {N_FACTORS} factors; take more (n_sensors)")
    for_weights, for_factors, for_noise = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)
    )
    weights = for_weights.standard_normal((N_FACTORS, n_sensors))
    factors = for_factors.standard_normal((n, N_FACTORS))
    noise = for_noise.normal(0.0, FACTOR_NOISE, (n, n_sensors))
    return pd.DataFrame(factors @ weights + noise, columns=[f"s{at + 1}" for at in range(n_sensors)])


def temperature_sensors(n: int = 1000, *, seed: int) -> pd.DataFrame:
    """Draw five sensors of a process whose temperature is known.

    The temperature, in column ``temperature``, is uniform between 300 and 500 K; sensors ``s1`` to ``s5`` show what
    ``sensor_means`` says, plus noise of N(0, 2²).

    Parameters
    ----------
    n
        Number of rows.
    seed
        For everything drawn.

    Raises
    ------
    ConfigError
        If there is less than one row.
    """
    import pandas as pd

    _check(n)
    for_temperature, for_noise = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    temperature = for_temperature.uniform(*TEMPERATURES, n)
    means = sensor_means(temperature)
    values = means + for_noise.normal(0.0, TEMPERATURE_NOISE, means.shape)
    return pd.DataFrame({"temperature": temperature, **{f"s{at + 1}": values[:, at] for at in range(values.shape[1])}})


def sensor_means(temperature: ArrayLike) -> NDArray[np.float64]:
    """Return what the five sensors show on average, ``n x 5``, at ``n`` temperatures in kelvin.

    With T for the temperature: 0.001 T² - 0.3 T + 50, 100 exp(-5000 / T), 0.5 T + 50, -0.002 T + 2, and 0.01 T.
    """
    kelvin = np.asarray(temperature, dtype=np.float64)
    return np.stack(
        [
            0.001 * kelvin**2 - 0.3 * kelvin + 50,
            100 * np.exp(-5000 / kelvin),
            0.5 * kelvin + 50,
            -0.002 * kelvin + 2,
            0.01 * kelvin,
        ],
        axis=-1,
    )


def _check(n: int) -> None:
    if n < 1:
        raise ConfigError(f"{n} rows were asked for; take at least 1 (n)")
