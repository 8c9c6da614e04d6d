"""Which engine draws from which model, and through what: the model's own density, a Pyro program, or Stan."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bayeskit.core.density import Density
from bayeskit.core.devices import resolve_device
from bayeskit.core.errors import ConfigError
from bayeskit.core.proposals import Proposal
from bayeskit.core.types import Draws
from bayeskit.inference._stan_density import StanDensity, stan_density
from bayeskit.inference.alternating import ALSConfig, GDConfig, NMFConfig, fit_alternating
from bayeskit.inference.amortised import AmortisedConfig, fit_amortised
from bayeskit.inference.em import EMConfig, fit_em
from bayeskit.inference.exact import ExactConfig, draw_exact
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.inference.importance import ImportanceConfig, fit_importance
from bayeskit.inference.metropolis import MetropolisConfig, fit_metropolis
from bayeskit.inference.nuts import NUTSConfig, fit_nuts
from bayeskit.inference.rejection import RejectionConfig, fit_rejection
from bayeskit.inference.smc import SMCConfig, fit_smc
from bayeskit.inference.spectral import SpectralConfig, fit_spectral
from bayeskit.inference.stan import fit_stan
from bayeskit.inference.svi import SVIConfig, fit_svi
from bayeskit.inference.vb import VBConfig, fit_vb
from bayeskit.models.bmf import BMF
from bayeskit.models.density import DensityModel
from bayeskit.models.gmm import GMM
from bayeskit.models.program import StanProgram
from bayeskit.models.pyro_program import PyroProgram
from bayeskit.models.sbm import SBM
from bayeskit.models.targets import Target
from bayeskit.models.vae import VAE
from bayeskit.models.weather import WeatherModel
from bayeskit.tasks import MODELS, AnyConfig, AnyUpdatesConfig, engine_of

Model = WeatherModel | GMM | SBM | BMF | VAE | StanProgram | DensityModel | PyroProgram | Target
Progress = Callable[[int, int], None]


@runtime_checkable
class Telling(Protocol):
    """Progress that also takes a few words on where an engine stands."""

    def tell(self, text: str) -> None:
        """Show them."""
        ...


def draw(
    model: Model,
    config: AnyConfig,
    *,
    seed: int,
    output_dir: Path | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Draws:
    """Run the engine that the configuration is for on a model; a training goes on from what it finds in a checkpoint.

    Raises
    ------
    ConfigError
        If this engine cannot draw from the model.
    """
    if isinstance(model, GMM | SBM | BMF | VAE) and engine_of(config) not in MODELS[model.name].configs:
        known = ", ".join(MODELS[model.name].configs)
        raise ConfigError(f"engine {engine_of(config)} cannot fit {model.name}; choose from {known}")
    if isinstance(config, AnyUpdatesConfig):
        return _update(model, config, seed, progress)
    if isinstance(model, SBM):
        return _run_blocks(model, config, seed, progress)
    if isinstance(model, BMF):
        return _run_factors(model, config, seed, progress)
    if isinstance(model, VAE):
        return _train(model, config, seed, checkpoint, progress)
    if isinstance(config, AmortisedConfig):
        raise ConfigError(f"engine amortised trains autoencoders, which {model.name} is not; take another engine")
    if isinstance(config, NUTSConfig | SVIConfig):
        return _run_pyro(model, config, seed, progress)
    if isinstance(config, ExactConfig):
        if not isinstance(model, Target) or model.exact is None:
            raise ConfigError(f"nobody knows how to draw from {model.name} directly; take another engine than exact")
        return draw_exact(model.exact, config, seed=seed)
    if isinstance(config, MetropolisConfig | RejectionConfig | ImportanceConfig | SMCConfig):
        with density_of(model, seed=seed, output_dir=output_dir) as density:
            draws = _sample(model, density, config, seed, progress)
            return (
                _with_stan(draws, density)
                if isinstance(density, StanDensity)
                else _with_predictions(model, draws, seed)
            )
    if not isinstance(model, WeatherModel | GMM | StanProgram | Target):
        raise ConfigError(f"engine {engine_of(config)} runs Stan programs, which {model.name} is not; take another one")
    return fit_stan(model, config, seed=seed, output_dir=output_dir)


def _update(model: Model, config: AnyUpdatesConfig, seed: int, progress: Progress | None) -> Draws:
    """Run an engine that makes a model's own updates."""
    shared: dict[str, Any] = {"seed": seed, "progress": progress}
    if isinstance(config, GibbsConfig) and isinstance(model, BMF):
        n_draws = config.chains * config.draws
        return fit_gibbs(model.gibbs(resolve_device(config.device), n_draws=n_draws), config, **shared)
    if isinstance(config, GibbsConfig) and isinstance(model, GMM | SBM):
        if config.device == "cuda":
            raise ConfigError(f"engine gibbs of {model.name} runs on the CPU; leave --device out, or give --device cpu")
        return fit_gibbs(model.gibbs(), config, **shared)
    if isinstance(config, ALSConfig | GDConfig | NMFConfig) and isinstance(model, BMF):
        return fit_alternating(model.alternating(), config, **shared)
    if isinstance(config, EMConfig) and isinstance(model, GMM):
        if model.spec.dp:
            raise ConfigError("engine em has no prior, which a Dirichlet process is; take gibbs, or leave --dp out")
        return fit_em(model.em(resolve_device(config.device)), config, **shared)
    if isinstance(config, VBConfig) and isinstance(model, SBM):
        return fit_vb(model.vb(), config, **shared)
    if isinstance(config, SpectralConfig) and isinstance(model, SBM):
        return fit_spectral(model.spectral(), config, seed=seed)
    engine = engine_of(config)
    raise ConfigError(f"engine {engine} needs a model's own updates, which {model.name} has not; take another")


def _run_blocks(model: SBM, config: AnyConfig, seed: int, progress: Progress | None) -> Draws:
    """Run a Pyro program of a block model, or draw from the posterior of few nodes directly."""
    if isinstance(config, ExactConfig):
        return draw_exact(model.exact().sample, config, seed=seed)
    if isinstance(config, NUTSConfig):
        exact = model.exact()
        summed, args, kwargs = exact.pyro_program()
        draws = fit_nuts(summed, args, kwargs, config=config, seed=seed, progress=progress)
        return replace(draws, values=exact.with_assignments(draws.values, np.random.default_rng([seed, 3])))
    assert isinstance(config, SVIConfig)
    if (config.guide, config.init) != (SVIConfig().guide, "auto"):
        raise ConfigError(
            "a block model has a guide of its own, which begins at a partition; leave --guide and --init out"
        )
    program, args, guide = model.pyro_program(enumerated=config.loss == "trace_enum", seed=seed)
    return fit_svi(program, args, config=config, seed=seed, guide=guide, progress=progress)


def _run_factors(model: BMF, config: AnyConfig, seed: int, progress: Progress | None) -> Draws:
    """Run the Pyro program of a factorisation, and compute what no rotation of the factors changes."""
    from bayeskit.models.factors.sites import from_sites

    program, args, kwargs = model.pyro_program()
    if isinstance(config, NUTSConfig):
        draws = fit_nuts(program, args, kwargs, config=config, seed=seed, progress=progress)
    else:
        assert isinstance(config, SVIConfig)
        if (config.guide, config.init) != (SVIConfig().guide, "auto"):
            raise ConfigError("a factorisation has a guide of its own; leave --guide and --init out")
        draws = fit_svi(program, args, kwargs, config=config, seed=seed, guide=model.guide(), progress=progress)
    values, groups = from_sites(model.spec, model.observed, draws.values)
    return replace(draws, values=values, groups={**draws.groups, **groups})


def _train(model: VAE, config: AnyConfig, seed: int, checkpoint: Path | None, progress: Progress | None) -> Draws:
    """Train the networks of an autoencoder, and compute what they make of the data."""
    from bayeskit.models.autoencoders.summary import summarise

    assert isinstance(config, AmortisedConfig)
    draws = fit_amortised(
        model.training(seed),
        config,
        seed=seed,
        checkpoint=checkpoint,
        identity={"the file of the data": model.data.source.sha256, "the model": repr(model.spec)},
        progress=progress,
        report=progress.tell if isinstance(progress, Telling) else None,
    )
    began = time.perf_counter()
    found = summarise(model, draws.groups["weights"], seed=seed)
    timings = {**draws.timings, "summary": time.perf_counter() - began}
    return replace(draws, values=found.values, groups={**draws.groups, **found.groups}, timings=timings)


@contextmanager
def density_of(model: Model, *, seed: int, output_dir: Path | None = None) -> Iterator[Density]:
    """Give a model's log density: its own, its Pyro program's, or what Stan computes of its Stan program."""
    if isinstance(model, DensityModel | Target):
        yield model.density()
    elif isinstance(model, PyroProgram | GMM):
        from bayeskit.inference._pyro_density import pyro_density

        yield pyro_density(*model.pyro_program(), starts=model.starts if isinstance(model, GMM) else None)
    else:
        assert not isinstance(model, SBM | BMF | VAE)  # which no engine of densities fits
        with stan_density(model, seed=seed, output_dir=output_dir) as density:
            yield density


def _run_pyro(model: Model, config: NUTSConfig | SVIConfig, seed: int, progress: Progress | None) -> Draws:
    """Run a program by NUTS or variational inference, and what it says of its data beside it."""
    if not isinstance(model, PyroProgram | GMM | Target):
        raise ConfigError(
            f"engine {engine_of(config)} runs Pyro programs, which {model.name} is not; take another engine"
        )
    program, args, kwargs = model.pyro_program()
    starts = model.starts if isinstance(model, GMM) else None
    if isinstance(config, NUTSConfig):
        draws = fit_nuts(program, args, kwargs, config=config, seed=seed, starts=starts, progress=progress)
    else:
        draws = fit_svi(program, args, kwargs, config=config, seed=seed, starts=starts, progress=progress)
    return _with_predictions(model, draws, seed)


def _with_predictions(model: Model, draws: Draws, seed: int) -> Draws:
    """Add what a user's own program says of its data; the other models know that themselves."""
    if not isinstance(model, PyroProgram) or draws.kind == "point":
        return draws
    from bayeskit.inference._pyro_predictive import predictive_groups

    n_chains, n_draws = next(iter(draws.values.values())).shape[:2]
    weighted = draws.kind == "weighted"  # each draw has a weight of its own, and none may be left out
    most = {"most_runs": n_chains * n_draws} if weighted else {}
    learned = draws.groups.get("derived")
    made = predictive_groups(*model.pyro_program(), draws.values, seed=seed, learned=learned, **most)
    if weighted and any(len(array[0]) < n_draws for array in made.get("posterior_predictive", {}).values()):
        made = {"observed_data": made["observed_data"]}
    return replace(draws, groups={**made, **draws.groups})


def _with_stan(draws: Draws, density: StanDensity) -> Draws:
    """Add what Stan says of the program that the draws are of."""
    return replace(
        draws,
        engine={**density.engine, **draws.engine},
        timings={**draws.timings, **density.timings},
        declared=density.declared,
    )


def _sample(model: Model, density: Density, config: AnyConfig, seed: int, progress: Progress | None) -> Draws:
    shared: dict[str, Any] = {"seed": seed, "progress": progress}
    proposal = model.proposal() if isinstance(model, DensityModel | Target) else None
    if isinstance(config, MetropolisConfig):
        kernel = model.kernel if isinstance(model, DensityModel) else None
        return fit_metropolis(density, config, kernel=kernel, **shared)
    if isinstance(config, ImportanceConfig):
        return fit_importance(density, config, proposal=proposal, **shared)
    if isinstance(config, SMCConfig):
        return fit_smc(density, config, proposal=proposal, **shared)
    assert isinstance(config, RejectionConfig)
    if isinstance(model, Target):
        config, proposal = _below_envelope(model, config)
    return fit_rejection(density, config, proposal=proposal, **shared)


def _below_envelope(model: Target, config: RejectionConfig) -> tuple[RejectionConfig, Proposal | None]:
    """Return how rejection draws from a target: below the envelope that it knows, unless told otherwise."""
    envelope = model.envelope()
    if config.adaptive or envelope is None:
        return config, None
    bound = math.exp(envelope.log_bound) if config.bound is None else config.bound
    return config.model_copy(update={"bound": bound, "normalised": model.is_normalised}), envelope.proposal
