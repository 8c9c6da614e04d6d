"""The table of engines: what draws, and with which configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayeskit.core.devices import resolve_device
from bayeskit.core.errors import ConfigError
from bayeskit.core.words import listing
from bayeskit.inference.alternating import ALSConfig, GDConfig, NMFConfig
from bayeskit.inference.amortised import AmortisedConfig
from bayeskit.inference.em import EMConfig
from bayeskit.inference.exact import ExactConfig
from bayeskit.inference.gibbs import GibbsConfig
from bayeskit.inference.importance import ImportanceConfig
from bayeskit.inference.metropolis import MetropolisConfig
from bayeskit.inference.nuts import NUTSConfig
from bayeskit.inference.rejection import RejectionConfig
from bayeskit.inference.smc import SMCConfig
from bayeskit.inference.spectral import SpectralConfig
from bayeskit.inference.stan import CONFIGS, StanConfig
from bayeskit.inference.stan import AnyConfig as AnyStanConfig
from bayeskit.inference.svi import SVIConfig
from bayeskit.inference.vb import VBConfig

AnySamplerConfig = MetropolisConfig | RejectionConfig | ImportanceConfig | SMCConfig
AnyUpdatesConfig = GibbsConfig | EMConfig | VBConfig | SpectralConfig | ALSConfig | GDConfig | NMFConfig
"""Of engines that need a model's own updates."""
AnyConfig = AnyStanConfig | NUTSConfig | SVIConfig | AmortisedConfig | AnyUpdatesConfig | AnySamplerConfig | ExactConfig

ENGINES: dict[str, type[AnyConfig]] = {
    "stan": StanConfig,
    "nuts": NUTSConfig,
    "svi": SVIConfig,
    "gibbs": GibbsConfig,
    "em": EMConfig,
    "vb": VBConfig,
    "spectral": SpectralConfig,
    "als": ALSConfig,
    "gd": GDConfig,
    "nmf": NMFConfig,
    "amortised": AmortisedConfig,
    "metropolis": MetropolisConfig,
    "rejection": RejectionConfig,
    "importance": ImportanceConfig,
    "smc": SMCConfig,
    "exact": ExactConfig,
}
"""By the word that ``--engine`` takes; ``stan`` has other methods besides, each with a configuration of its own."""


def engine_of(config: AnyConfig) -> str:
    """Return which engine a configuration is for."""
    return "stan" if isinstance(config, tuple(CONFIGS.values())) else str(config.method)


def config_of(engine: str | None, config: AnyConfig | None, default: str) -> AnyConfig:
    """Return the configuration that was asked for, by itself or by the engine's name.

    Raises
    ------
    ConfigError
        For an unknown engine, or a configuration of another engine than the one named.
    """
    if engine is not None and engine not in ENGINES:
        raise ConfigError(f"engine '{engine}' is unknown; choose from {', '.join(ENGINES)}")
    if config is None:
        return ENGINES[engine or default]()
    if engine is not None and engine_of(config) != engine:
        raise ConfigError(f"{type(config).__name__} is for engine '{engine_of(config)}', not for '{engine}'; drop one")
    return config


def configured(engine: str, given: Mapping[str, Any], base: AnyConfig | None = None) -> AnyConfig:
    """Return an engine's configuration from a command's options, of which None was not given.

    Parameters
    ----------
    engine
        A key of ``ENGINES``.
    given
        Options by name. ``device`` is one of all engines; those that know only the CPU take no other.
    base
        What stands where an option was not given.

    Raises
    ------
    ConfigError
        For an unknown engine, an option that it does not take, or a device that it does not run on.
    """
    if engine not in ENGINES:
        raise ConfigError(f"engine '{engine}' is unknown; choose from {', '.join(ENGINES)}")
    config, asked = ENGINES[engine], dict(given)
    device = asked.get("device") or "auto"
    if "device" not in config.model_fields:
        if device == "cuda":
            raise ConfigError(f"engine {engine} runs on the CPU; leave --device out, or give --device cpu")
        asked.pop("device", None)
    resolve_device(device)
    return with_options(config, f"--engine {engine}", asked, base)


def with_options(
    config: type[AnyConfig], asked_for: str, given: Mapping[str, Any], base: AnyConfig | None = None
) -> AnyConfig:
    """Return a configuration of this type from options; one that it does not take is refused."""
    asked = {name: value for name, value in given.items() if value is not None}
    for name in asked:
        if name not in config.model_fields:
            takes = listing([_flag(known) for known in config.model_fields if known in given])
            raise ConfigError(f"{_flag(name)} is no option of {asked_for}, which takes {takes}; leave it out")
    return config(**{**(base.model_dump() if base else {}), **asked})


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
