"""What calibration asks of a weather model: a future that follows from one draw, and the quantities that are ranked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bayeskit.models.weather import WeatherModel

Floats = NDArray[np.float64]

LOG_LIKELIHOOD = "log_lik"


def extend(
    model: WeatherModel, values: Mapping[str, NDArray[Any]], n_days: int, rng: np.random.Generator
) -> tuple[dict[str, Floats], WeatherModel]:
    """Simulate what comes after the last day, given one draw of scales and states, and observe every day of it.

    Whether a day to come is rainy is drawn from the days that were.
    """
    s_mu = float(values["s_mu"])
    steps = s_mu * rng.standard_normal(n_days)
    longer = {name: np.asarray(value, dtype=float) for name, value in values.items()}
    if model.structure == "trend":
        slope = np.concatenate([longer["slope"], longer["slope"][-1] + np.cumsum(steps)])
        # The level moves by the slope of the day before.
        steps = slope[longer["slope"].size - 1 : -1]
        longer["slope"] = slope
    longer["mu"] = np.concatenate([longer["mu"], longer["mu"][-1] + np.cumsum(steps)])
    noise = np.concatenate([model.noise, rng.choice(model.noise, n_days)])
    ahead = slice(model.temperature.size, None)
    temperature = longer["mu"][ahead] + _scale(model, longer["s_y"], noise[ahead]) * rng.standard_normal(n_days)
    dates = model.data.dates
    data = replace(
        model.data,
        dates=np.concatenate([dates, dates[-1] + np.arange(1, n_days + 1)]),
        temperature=np.concatenate([model.data.temperature, np.full(n_days, np.nan)]),
        precipitation=None
        if model.data.precipitation is None
        else np.concatenate([model.data.precipitation, np.full(n_days, np.nan)]),
    )
    return longer, replace(model, data=data, temperature=np.concatenate([model.temperature, temperature]), noise=noise)


def test_quantities(model: WeatherModel, values: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """Return the scales, the states of the first and of the last day, and the joint log likelihood.

    Parameters
    ----------
    model
        With the data that the likelihood is of.
    values
        Scales and states by the posterior's names, ``n_draws x ...``.

    Returns
    -------
    dict
        ``n_draws`` values by label. The log likelihood is that of the observed days given the states, in nats; it
        depends on the data, so that a posterior which ignores these is seen (Modrák et al. 2023,
        doi:10.1214/23-BA1404).
    """
    s_mu = np.asarray(values["s_mu"], dtype=float)
    s_y = np.asarray(values["s_y"], dtype=float)
    s_y = s_y if model.rain_noise else s_y.reshape(s_mu.size)  # Stan has one a kind, even of a single kind
    kinds = {f"s_y[{kind}]": s_y[:, i] for i, kind in enumerate(("dry", "rainy"))} if model.rain_noise else {"s_y": s_y}
    found = {"s_mu": s_mu, **kinds}
    dates = model.data.dates
    for state in ("mu", "slope") if model.structure == "trend" else ("mu",):
        path = np.asarray(values[state], dtype=float)
        found |= {f"{state}[{dates[0]}]": path[:, 0], f"{state}[{dates[-1]}]": path[:, -1]}
    scale = _scale(model, s_y, model.noise[model.observed])
    off = (model.temperature[model.observed] - np.asarray(values["mu"], dtype=float)[:, model.observed]) / scale
    found[LOG_LIKELIHOOD] = -np.sum(off**2 / 2 + np.log(scale * np.sqrt(2 * np.pi)), axis=1)
    return found


def _scale(model: WeatherModel, s_y: Floats, noise: NDArray[np.int64]) -> Floats:
    """Return each day's noise scale, ``... x n_days``: the only one, or that of the day's kind."""
    scale: Floats = s_y[..., noise] if model.rain_noise else np.broadcast_to(s_y[..., None], (*s_y.shape, noise.size))
    return scale
