"""The weather models' priors where none are given: their scales come from the data."""

from __future__ import annotations

import numpy as np

from bayeskit.core.language import mark, say
from bayeskit.core.priors import Prior
from bayeskit.datasets.weather import WeatherData

_UNIT = "°C"
_ON_S_MU = {"level": mark("scale of the level's daily steps"), "trend": mark("scale of the slope's daily steps")}


def default_priors(data: WeatherData, structure: str) -> tuple[Prior, ...]:
    """Return the priors, in the order of the report; ``weather`` says how their scales are chosen."""
    observed = data.temperature[~np.isnan(data.temperature)]
    steps = np.diff(data.temperature)
    steps = steps[~np.isnan(steps)]
    # The root mean square, not the standard deviation: a steady drift must count. Without neighbouring days that
    # differ, the whole spread still bounds the noise.
    root_mean_square = float(np.sqrt(np.mean(steps**2))) if steps.size else 0.0
    step = _three_digits(root_mean_square or float(np.std(observed)))
    spread = _three_digits(2 * float(np.std(observed)))
    centre = _three_digits(float(np.mean(observed)))
    first_day = say("level on the first day")
    scales = (
        Prior("s_mu", "normal", (0.0, step), lower=0.0, unit=_UNIT, meaning=say(_ON_S_MU[structure])),
        Prior("s_y", "normal", (0.0, step), lower=0.0, unit=_UNIT, meaning=say("scale of the observation noise")),
        Prior("mu_1", "normal", (centre, spread), unit=_UNIT, meaning=first_day, families=("normal",)),
    )
    if structure == "level":
        return scales
    unit, meaning = say("{unit} a day", unit=_UNIT), say("first slope")
    first = Prior("slope_1", "normal", (0.0, step), unit=unit, meaning=meaning, families=("normal",))
    return (*scales, first)


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")
