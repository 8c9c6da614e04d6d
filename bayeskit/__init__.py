"""Probabilistic models from a data file to a report that says whether to believe the numbers.

>>> import bayeskit as bk  # doctest: +SKIP
>>> model = bk.weather(bk.load_weather("data/seattle-weather.csv"), model="trend")  # doctest: +SKIP
>>> fit = bk.fit(model, seed=1)  # doctest: +SKIP
>>> assessment = bk.assess(fit)  # doctest: +SKIP
>>> bk.report(fit, assessment, "report.html")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayeskit.core.errors import ConfigError, DataError, InferenceError, ProgramError, ToolchainError
    from bayeskit.core.types import Assessment, Draws, Fit, Verdict
    from bayeskit.datasets.weather import WeatherData, load_weather
    from bayeskit.diagnostics.calibration import Calibration
    from bayeskit.inference.stan import (
        LaplaceConfig,
        OptimizeConfig,
        PathfinderConfig,
        StanConfig,
        VariationalConfig,
    )
    from bayeskit.models.program import StanProgram, stan_program
    from bayeskit.models.weather import WeatherModel, weather
    from bayeskit.workflows import assess, calibrate, compare, fit, load_run, report, save_run

__version__ = "0.1.0"
__all__ = [
    "Assessment",
    "Calibration",
    "ConfigError",
    "DataError",
    "Draws",
    "Fit",
    "InferenceError",
    "LaplaceConfig",
    "OptimizeConfig",
    "PathfinderConfig",
    "ProgramError",
    "StanConfig",
    "StanProgram",
    "ToolchainError",
    "VariationalConfig",
    "Verdict",
    "WeatherData",
    "WeatherModel",
    "assess",
    "calibrate",
    "compare",
    "fit",
    "load_run",
    "load_weather",
    "report",
    "save_run",
    "stan_program",
    "weather",
]

# Where each name lives; loaded at first use, so that `bayeskit --help` does not wait for NumPy and friends.
_HOMES = {
    "bayeskit.core.errors": ("ConfigError", "DataError", "InferenceError", "ProgramError", "ToolchainError"),
    "bayeskit.core.types": ("Assessment", "Draws", "Fit", "Verdict"),
    "bayeskit.datasets.weather": ("WeatherData", "load_weather"),
    "bayeskit.inference.stan": (
        "LaplaceConfig",
        "OptimizeConfig",
        "PathfinderConfig",
        "StanConfig",
        "VariationalConfig",
    ),
    "bayeskit.models.program": ("StanProgram", "stan_program"),
    "bayeskit.models.weather": ("WeatherModel", "weather"),
    "bayeskit.diagnostics.calibration": ("Calibration",),
    "bayeskit.workflows": ("assess", "calibrate", "compare", "fit", "load_run", "report", "save_run"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'bayeskit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
