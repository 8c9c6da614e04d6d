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
    from bayeskit.datasets.examples import Examples, examples, load_examples
    from bayeskit.datasets.generators import factor_sensors, temperature_sensors
    from bayeskit.datasets.graphs import Graph, graph, load_graph
    from bayeskit.datasets.points import Points, load_points, points
    from bayeskit.datasets.ratings import Ratings, load_ratings, ratings
    from bayeskit.datasets.weather import WeatherData, load_weather
    from bayeskit.diagnostics.calibration import Calibration
    from bayeskit.inference.alternating import ALSConfig, GDConfig, NMFConfig
    from bayeskit.inference.amortised import AmortisedConfig
    from bayeskit.inference.em import EMConfig
    from bayeskit.inference.gibbs import GibbsConfig
    from bayeskit.inference.importance import ImportanceConfig
    from bayeskit.inference.metropolis import MetropolisConfig
    from bayeskit.inference.nuts import NUTSConfig
    from bayeskit.inference.rejection import RejectionConfig
    from bayeskit.inference.smc import SMCConfig
    from bayeskit.inference.spectral import SpectralConfig
    from bayeskit.inference.stan import (
        LaplaceConfig,
        OptimizeConfig,
        PathfinderConfig,
        StanConfig,
        VariationalConfig,
    )
    from bayeskit.inference.svi import SVIConfig
    from bayeskit.inference.vb import VBConfig
    from bayeskit.models.bmf import BMF, bmf
    from bayeskit.models.density import DensityModel, density
    from bayeskit.models.gmm import GMM
    from bayeskit.models.program import StanProgram, stan_program
    from bayeskit.models.pyro_program import PyroProgram, pyro_program
    from bayeskit.models.references import load_model, load_program, target
    from bayeskit.models.sbm import SBM
    from bayeskit.models.targets import Target
    from bayeskit.models.vae import VAE, cvae, vae
    from bayeskit.models.weather import WeatherModel, weather
    from bayeskit.tasks.blocks import sbm
    from bayeskit.tasks.mixtures import gmm
    from bayeskit.workflows import (
        assess,
        calibrate,
        compare,
        fit,
        generate,
        load_run,
        predict,
        recommend,
        reconstruct,
        report,
        save_run,
        similar_items,
    )

__version__ = "0.1.0"
__all__ = [
    "BMF",
    "GMM",
    "SBM",
    "VAE",
    "ALSConfig",
    "AmortisedConfig",
    "Assessment",
    "Calibration",
    "ConfigError",
    "DataError",
    "DensityModel",
    "Draws",
    "EMConfig",
    "Examples",
    "Fit",
    "GDConfig",
    "GibbsConfig",
    "Graph",
    "ImportanceConfig",
    "InferenceError",
    "LaplaceConfig",
    "MetropolisConfig",
    "NMFConfig",
    "NUTSConfig",
    "OptimizeConfig",
    "PathfinderConfig",
    "Points",
    "ProgramError",
    "PyroProgram",
    "Ratings",
    "RejectionConfig",
    "SMCConfig",
    "SVIConfig",
    "SpectralConfig",
    "StanConfig",
    "StanProgram",
    "Target",
    "ToolchainError",
    "VBConfig",
    "VariationalConfig",
    "Verdict",
    "WeatherData",
    "WeatherModel",
    "assess",
    "bmf",
    "calibrate",
    "compare",
    "cvae",
    "density",
    "examples",
    "factor_sensors",
    "fit",
    "generate",
    "gmm",
    "graph",
    "load_examples",
    "load_graph",
    "load_model",
    "load_points",
    "load_program",
    "load_ratings",
    "load_run",
    "load_weather",
    "points",
    "predict",
    "pyro_program",
    "ratings",
    "recommend",
    "reconstruct",
    "report",
    "save_run",
    "sbm",
    "similar_items",
    "stan_program",
    "target",
    "temperature_sensors",
    "vae",
    "weather",
]

# Where each name lives; loaded at first use, so that `bayeskit --help` does not wait for NumPy and friends.
_HOMES = {
    "bayeskit.core.errors": ("ConfigError", "DataError", "InferenceError", "ProgramError", "ToolchainError"),
    "bayeskit.core.types": ("Assessment", "Draws", "Fit", "Verdict"),
    "bayeskit.datasets.examples": ("Examples", "examples", "load_examples"),
    "bayeskit.datasets.generators": ("factor_sensors", "temperature_sensors"),
    "bayeskit.datasets.graphs": ("Graph", "graph", "load_graph"),
    "bayeskit.datasets.points": ("Points", "load_points", "points"),
    "bayeskit.datasets.ratings": ("Ratings", "load_ratings", "ratings"),
    "bayeskit.datasets.weather": ("WeatherData", "load_weather"),
    "bayeskit.inference.alternating": ("ALSConfig", "GDConfig", "NMFConfig"),
    "bayeskit.inference.amortised": ("AmortisedConfig",),
    "bayeskit.inference.em": ("EMConfig",),
    "bayeskit.inference.gibbs": ("GibbsConfig",),
    "bayeskit.inference.stan": (
        "LaplaceConfig",
        "OptimizeConfig",
        "PathfinderConfig",
        "StanConfig",
        "VariationalConfig",
    ),
    "bayeskit.inference.importance": ("ImportanceConfig",),
    "bayeskit.inference.metropolis": ("MetropolisConfig",),
    "bayeskit.inference.nuts": ("NUTSConfig",),
    "bayeskit.inference.rejection": ("RejectionConfig",),
    "bayeskit.inference.smc": ("SMCConfig",),
    "bayeskit.inference.spectral": ("SpectralConfig",),
    "bayeskit.inference.svi": ("SVIConfig",),
    "bayeskit.inference.vb": ("VBConfig",),
    "bayeskit.models.bmf": ("BMF", "bmf"),
    "bayeskit.models.density": ("DensityModel", "density"),
    "bayeskit.models.gmm": ("GMM",),
    "bayeskit.models.program": ("StanProgram", "stan_program"),
    "bayeskit.models.pyro_program": ("PyroProgram", "pyro_program"),
    "bayeskit.models.references": ("load_model", "load_program", "target"),
    "bayeskit.models.sbm": ("SBM",),
    "bayeskit.models.targets": ("Target",),
    "bayeskit.models.vae": ("VAE", "cvae", "vae"),
    "bayeskit.models.weather": ("WeatherModel", "weather"),
    "bayeskit.diagnostics.calibration": ("Calibration",),
    "bayeskit.tasks.blocks": ("sbm",),
    "bayeskit.tasks.mixtures": ("gmm",),
    "bayeskit.workflows": (
        "assess",
        "calibrate",
        "compare",
        "fit",
        "generate",
        "load_run",
        "predict",
        "recommend",
        "reconstruct",
        "report",
        "save_run",
        "similar_items",
    ),
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
