"""The table of models: how each is read, built and fitted, and what it is shown with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bayeskit.datasets.examples import load_examples
from bayeskit.datasets.graphs import load_graph
from bayeskit.datasets.points import load_points
from bayeskit.datasets.ratings import load_ratings
from bayeskit.datasets.weather import load_weather
from bayeskit.inference.alternating import ALSConfig, GDConfig, NMFConfig
from bayeskit.inference.amortised import AmortisedConfig
from bayeskit.inference.em import EMConfig
from bayeskit.inference.exact import ExactConfig
from bayeskit.inference.gibbs import GibbsConfig
from bayeskit.inference.importance import ImportanceConfig
from bayeskit.inference.metropolis import MetropolisConfig
from bayeskit.inference.nuts import NUTSConfig
from bayeskit.inference.smc import SMCConfig
from bayeskit.inference.spectral import SpectralConfig
from bayeskit.inference.stan import StanConfig
from bayeskit.inference.svi import SVIConfig
from bayeskit.inference.vb import VBConfig
from bayeskit.models.bmf import bmf
from bayeskit.models.vae import cvae, vae
from bayeskit.models.weather import weather
from bayeskit.tasks.blocks import sbm
from bayeskit.tasks.engines import AnyConfig
from bayeskit.tasks.mixtures import gmm


@dataclass(frozen=True)
class ModelEntry:
    """One row of the table of models.

    Parameters
    ----------
    load, build
        Functions of the public API: one reads the file, the other makes a model of the data.
    configs
        What can fit it by name, the default first, with the configuration that it has unless told otherwise.
    demo
        Demonstrations by name: data file in ``data/``, the loader's options and the model's.
    """

    load: Callable[..., Any]
    build: Callable[..., Any]
    configs: Mapping[str, AnyConfig]
    demo: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]]


MODELS = {
    "weather": ModelEntry(
        load=load_weather,
        build=weather,
        # Every kept draw comes with all the states, so that many chains keep few draws each.
        configs={
            "stan": StanConfig(),
            "metropolis": MetropolisConfig(draws=60, thin=20),
            "importance": ImportanceConfig(draws=4000),
            "smc": SMCConfig(particles=1000),
        },
        demo={
            "weather-level": ("seattle-weather.csv", {}, {"model": "level"}),
            "weather-trend-noise": ("seattle-weather.csv", {}, {"model": "trend", "rain": "noise"}),
        },
    ),
    "gmm": ModelEntry(
        load=load_points,
        build=gmm,
        configs={
            # A sweep costs less than what is made of a draw.
            "gibbs": GibbsConfig(thin=5),
            "nuts": NUTSConfig(warmup=1000, draws=1000, metric="dense_e"),
            "stan": StanConfig(),
            "svi": SVIConfig(),
            "em": EMConfig(),
            "metropolis": MetropolisConfig(draws=200, thin=20),
        },
        demo={
            "gmm-penguins": (
                "penguins.csv",
                {"columns": "bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g"},
                {"components": "auto", "criterion": "loo"},
            ),
            "gmm-galaxies": ("galaxies.csv", {}, {"components": 10, "dp": True}),
        },
    ),
    "sbm": ModelEntry(
        load=load_graph,
        build=sbm,
        configs={
            "vb": VBConfig(),
            "gibbs": GibbsConfig(),
            # Divergences of shares and rates are known exactly, so that large steps do.
            "svi": SVIConfig(loss="trace_mean_field", learning_rate=0.1),
            "spectral": SpectralConfig(),
            "nuts": NUTSConfig(),
            "exact": ExactConfig(),
        },
        demo={
            "sbm-drosophila": ("drosophila-edges.csv", {"labels": "drosophila-nodes.csv"}, {"shared": True}),
        },
    ),
    "bmf": ModelEntry(
        load=load_ratings,
        build=bmf,
        configs={
            "gibbs": GibbsConfig(warmup=200, draws=1000),
            "svi": SVIConfig(learning_rate=0.05),
            "nuts": NUTSConfig(),
            "als": ALSConfig(),
            "gd": GDConfig(),
            "nmf": NMFConfig(),
        },
        demo={},
    ),
    "vae": ModelEntry(
        load=load_examples,
        build=vae,
        configs={"amortised": AmortisedConfig()},
        demo={"vae-digits": ("digits", {}, {"latent": 2})},
    ),
    "cvae": ModelEntry(load=load_examples, build=cvae, configs={"amortised": AmortisedConfig()}, demo={}),
}


def default_config_of(name: str, engine: str, options: Mapping[str, Any]) -> AnyConfig | None:
    """Return how an engine runs on a model with these options unless told otherwise; None if it cannot.

    The ordered sticks of a Dirichlet process mix slowly, and its sweeps are kept more rarely.
    """
    config = MODELS[name].configs.get(engine)
    return GibbsConfig(thin=20) if options.get("dp") and isinstance(config, GibbsConfig) else config
