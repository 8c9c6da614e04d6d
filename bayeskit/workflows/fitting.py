"""From a model to a fit, its provenance and its assessment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bayeskit.core.errors import ConfigError
from bayeskit.core.provenance import hardware, versions
from bayeskit.core.types import Assessment, Fit, Kind, Provenance, Source
from bayeskit.diagnostics.autoencoders import assess_autoencoder
from bayeskit.diagnostics.convergence import assess_convergence
from bayeskit.diagnostics.independent import assess_independent
from bayeskit.diagnostics.mixtures import assess_mixture
from bayeskit.diagnostics.partitions import assess_partition
from bayeskit.diagnostics.point import assess_point
from bayeskit.diagnostics.ratings import assess_ratings
from bayeskit.diagnostics.variational import assess_variational
from bayeskit.diagnostics.weighted import assess_weighted
from bayeskit.models.bmf import BMF
from bayeskit.models.gmm import GMM
from bayeskit.models.program import StanProgram
from bayeskit.models.pyro_program import PyroProgram
from bayeskit.models.sbm import SBM
from bayeskit.models.targets import Target
from bayeskit.models.vae import VAE
from bayeskit.models.weather import WeatherModel
from bayeskit.posterior import to_datatree
from bayeskit.tasks import (
    DEFAULT_ENGINES,
    AnyConfig,
    DensityTask,
    ProgramTask,
    PyroTask,
    Task,
    config_of,
    default_config,
    default_config_of,
)
from bayeskit.workflows.baselines import baselines
from bayeskit.workflows.drawing import Model, Progress, draw

Notify = Callable[[str], None]
AnyTask = Task | ProgramTask | DensityTask | PyroTask
_ASSESSMENTS: dict[Kind, Callable[[Fit], Assessment]] = {
    "mcmc": assess_convergence,
    "iid": assess_independent,
    "weighted": assess_weighted,
    "variational": assess_variational,
    "point": assess_point,
}


def fit(
    model: Model,
    *,
    engine: str | None = None,
    config: AnyConfig | None = None,
    seed: int = 1,
    output_dir: Path | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Fit a model.

    Parameters
    ----------
    model
        From ``weather``, ``gmm``, ``sbm``, ``bmf``, ``vae``, ``cvae``, ``stan_program``, ``density``, ``pyro_program``,
        ``load_program`` or ``target``.
    engine
        What fits: ``stan``, ``nuts`` or ``svi`` (Pyro programs), ``gibbs`` or ``em`` (mixtures), ``vb``, ``gibbs`` or
        ``spectral`` (block models), ``gibbs``, ``als``, ``gd`` or ``nmf`` (factorisations), ``amortised``
        (autoencoders), ``metropolis``, ``rejection``, ``importance``, ``smc`` or ``exact``. Unless it or a
        configuration is given, ``gibbs`` for mixtures and factorisations, ``vb`` for block models, ``amortised`` for
        autoencoders, Stan where there is a Stan program, ``nuts`` for Pyro's, ``metropolis`` otherwise.
    config
        How the engine runs, e.g. ``StanConfig`` or ``MetropolisConfig``, which also says which engine; the model's
        defaults unless given. A Stan program also takes ``PathfinderConfig``, ``LaplaceConfig``, ``VariationalConfig``
        and ``OptimizeConfig``.
    seed
        From 0 to 2**32 - 1. The same seed, machine and versions give the same bits.
    output_dir
        Where the engine keeps its own files while it runs; a temporary folder unless given.
    checkpoint
        File in which the training of an autoencoder keeps its state now and then; one that it finds there it goes on
        from, to the same bits.
    progress
        Hears how much is done, of how much, from the samplers.

    Returns
    -------
    Fit
        The posterior as a DataTree, and its provenance.

    Raises
    ------
    ConfigError
        For an engine that cannot draw from the model, a config that is not the engine's, or a seed out of range.
    DataError
        If the data do not fit the program's declarations.
    InferenceError
        If the engine stops without a result.
    ProgramError
        If the program has an error, fails while it runs, or has no finite density where it would start.
    """
    task = task_of(model, configuration(model, engine, config), seed)
    started, clock = datetime.now(UTC), time.perf_counter()
    draws = draw(model, task.config, seed=seed, output_dir=output_dir, checkpoint=checkpoint, progress=progress)
    if isinstance(model, BMF) and draws.kind != "point":
        draws = replace(draws, groups={**draws.groups, "baselines": baselines(model, seed)})
    stan = {"stan": str(draws.engine["stan"])} if "stan" in draws.engine else {}
    provenance = Provenance(
        model=model.name,
        engine=task.engine,
        kind=draws.kind,
        config=task.settings | _program_hash(model),
        seed=task.seed,
        data=source_of(model),
        card=model.card() if isinstance(model, WeatherModel) else model.card(draws),
        versions={**versions(), **stan},
        hardware=hardware(),
        timings={**draws.timings, "wall": time.perf_counter() - clock},
        command=task.command(),
        script=task.script(Path("reports/run")),
        started=started.isoformat(timespec="seconds"),
    )
    return Fit(to_datatree(draws, model, seed=seed), provenance)


def assess(fit: Fit) -> Assessment:
    """Assess a fit: a table of verdicts, each with its number, its threshold and a remedy.

    Raises
    ------
    ConfigError
        If no diagnostics are known for draws of its kind.
    """
    if fit.provenance.kind not in _ASSESSMENTS:
        raise ConfigError(f"there are no diagnostics for draws of kind '{fit.provenance.kind}' yet")
    assessment = _ASSESSMENTS[fit.provenance.kind](fit)
    if fit.provenance.card.blocks is not None:
        return assess_partition(fit, assessment)
    if fit.provenance.card.factors is not None:
        return assess_ratings(fit, assessment)
    if fit.provenance.card.autoencoder is not None:
        return assess_autoencoder(fit, assessment)
    return assessment if fit.provenance.card.mixture is None else assess_mixture(fit, assessment)


def configuration(model: Model, engine: str | None, config: AnyConfig | None) -> AnyConfig:
    """Return how an engine runs on a model: as was asked for, or the model's own way.

    Raises
    ------
    ConfigError
        For an unknown engine, or a configuration of another engine than the one named.
    """
    default = DEFAULT_ENGINES.get(type(model), "stan")
    found = config_of(engine, config, default)
    if config is not None:
        return found
    if isinstance(model, WeatherModel | GMM | SBM | BMF | VAE):
        return default_config_of(model.name, engine or default, model.options) or found
    if isinstance(model, StanProgram):
        return found
    return default_config(model, engine or default) or found


def task_of(model: Model, config: AnyConfig, seed: int) -> AnyTask:
    """Return what repeats a fit of this model."""
    if isinstance(model, StanProgram):
        return ProgramTask(model.path, _path_of_data(model), model.options["init"], config, seed)
    if isinstance(model, WeatherModel):
        return Task(
            name=model.name,
            data=model.data.source.path,
            options=model.options,
            load_options={"station": model.data.station, "days": model.data.days},
            config=config,
            seed=seed,
        )
    if isinstance(model, GMM) and model.data.source.sha256 and not model.reference:
        columns = {"columns": ",".join(model.data.columns)}
        return Task(model.name, model.data.source.path, model.options, columns, config, seed)
    if isinstance(model, SBM) and model.data.source.sha256 and not model.reference:
        return Task(model.name, model.data.source.path, model.options, model.data.options, config, seed)
    if isinstance(model, BMF) and model.data.source.sha256 and not model.reference:
        return Task(model.name, model.data.source.path, model.options, model.data.options, config, seed)
    if isinstance(model, VAE):
        if not model.data.source.sha256:
            return DensityTask("", config, seed)
        return Task(model.name, model.data.source.path, model.options, model.data.options, config, seed)
    if isinstance(model, PyroProgram) and model.reference and (model.source.sha256 or not (model.args or model.kwargs)):
        return PyroTask(model.reference, model.source.path or None, config, seed)
    if isinstance(model, GMM | SBM | BMF):
        return DensityTask(model.reference, config, seed)
    return DensityTask(model.name if isinstance(model, Target) else model.reference, config, seed)


def _program_hash(model: Model) -> dict[str, str]:
    """Return what tells whether a program is still the one that ran."""
    if isinstance(model, WeatherModel | Target | GMM | SBM | BMF | VAE) or not model.sha256:
        return {}
    return {"program_sha256": model.sha256}


def _path_of_data(model: StanProgram) -> str | None:
    return model.source.path if model.source.sha256 else None


def source_of(model: Model) -> Source:
    """Return the file that a model's data came from."""
    return model.data.source if isinstance(model, WeatherModel | GMM | SBM | BMF | VAE) else model.source
