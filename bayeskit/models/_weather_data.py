"""What the weather models ask of their data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.datasets.weather import WeatherData

_ROUNDING = 1e-9


def refuse_a_line(data: WeatherData) -> None:
    """Refuse temperatures on a line: there a trend's likelihood grows without bound as both scales go to 0."""
    days = np.flatnonzero(data.observed)
    temperature = data.temperature[days]
    off = temperature - np.polynomial.Polynomial.fit(days, temperature, 1)(days)
    if np.abs(off).max() < _ROUNDING * np.abs(temperature).max():
        raise DataError(
            f"{data.source.path}: the temperature lies on a straight line, which a trend fits without any noise; "
            "take --model level, or check the column"
        )


def noise_kinds(data: WeatherData, rain: str, threshold: float) -> NDArray[np.int64]:
    """Return each day's kind of observation noise, 1 where it is rainy; all 0 where rain is ignored."""
    if not 0 <= threshold < np.inf:
        raise ConfigError(f"rain threshold must be a finite number of mm from 0 up, got {threshold:g}")
    kinds = np.zeros(data.temperature.size, dtype=np.int64)
    if rain == "ignore":
        return kinds
    if data.precipitation is None:
        raise ConfigError(f"{data.source.path}: --rain noise needs a column 'precipitation' in mm; there is none")
    kinds[data.precipitation > threshold] = 1
    rainy = int(kinds[~np.isnan(data.temperature)].sum())
    if not 0 < rainy < int((~np.isnan(data.temperature)).sum()):
        which = "rainy" if rainy == 0 else "dry"
        raise ConfigError(
            f"{data.source.path}: no observed day is {which} at a threshold of {threshold:g} mm; "
            "set --rain-threshold, or leave --rain noise out"
        )
    return kinds
