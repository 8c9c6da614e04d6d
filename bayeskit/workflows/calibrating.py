"""Simulation-based calibration: simulate a truth and data, fit, and see where the truth lies among the draws.

Talts, Betancourt, Simpson, Vehtari and Gelman (2018), arXiv:1804.06788; given the data at hand: Säilynoja, Schmitt,
Bürkner and Vehtari (2025), arXiv:2502.03279.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from bayeskit import calibrations
from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.core.files import write_text
from bayeskit.core.provenance import hardware, versions
from bayeskit.core.types import Provenance
from bayeskit.core.words import listing
from bayeskit.diagnostics.calibration import Calibration, assess_calibration
from bayeskit.inference.gibbs import GibbsConfig
from bayeskit.inference.nuts import NUTSConfig
from bayeskit.inference.stan import StanConfig, fit_stan
from bayeskit.models.bmf import BMF
from bayeskit.models.gmm import GMM
from bayeskit.models.program import StanProgram, stan_program
from bayeskit.models.sbm import SBM
from bayeskit.models.weather import WeatherModel
from bayeskit.tasks import AnyConfig, CalibrationTask, DensityTask, PyroTask, Task, calibration_config
from bayeskit.toolchain import ensure_home, read_variables
from bayeskit.workflows.fitting import Notify, assess, fit, source_of, task_of
from bayeskit.workflows.simulating import Arrays, Job, Model, run_all

_BITS = 11
AT_HAND = StanConfig(chains=4, warmup=1000, draws=2**_BITS)
"""How the engine runs on the data at hand, for the truths of a posterior calibration."""

DATA_SIZE = 60  # days, points, or nodes
RATINGS_SIZE = 500
_NEEDED = ("r_hat", "ess_bulk", "ess_tail")  # a divergence here and there is what the calibration itself is to judge


def calibrate(
    model: Model,
    *,
    simulator: StanProgram | None = None,
    simulations: int = 200,
    config: AnyConfig | None = None,
    seed: int = 1,
    posterior: bool = False,
    out: str | Path | None = None,
    overwrite: bool = False,
    executor: Executor | None = None,
    notify: Notify | None = None,
    language: str = "en",
) -> Calibration:
    """Calibrate a model together with an engine: whether known parameters come back from simulated data.

    Parameters
    ----------
    model
        From ``weather``, ``gmm`` or ``sbm``, whose size and priors are those of each simulation; or from
        ``stan_program``.
    simulator
        For a Stan program: another one, without parameters, whose generated quantities are a draw from the prior and
        data that follow from it, under the names that the program has for them. It takes the program's own data.
    simulations
        How many data sets are simulated and fitted.
    config
        How they are fitted: ``StanConfig(chains=2, warmup=500, draws=500)`` unless given, or, of mixtures,
        ``GibbsConfig(chains=2, warmup=500, draws=1000, thin=5)``.
    seed
        Simulation ``i`` follows from it and ``i`` alone, so that more simulations can be added later.
    posterior
        False: the truths are drawn from the prior. True: from the posterior given the model's own data, to which as
        many simulated days are added before each fit. Weather models only, and at most 1000 simulations.
    out
        A folder for the calibration; one that was stopped there goes on. Nothing is kept unless given.
    overwrite
        Start anew where the folder holds a calibration.
    executor
        Where the simulations run: processes on this machine unless given. A script that relies on these has to do
        its work below ``if __name__ == "__main__":``.
    notify
        Hears of the progress.
    language
        Of the page.

    Returns
    -------
    Calibration

    Raises
    ------
    ConfigError
        For options that make no sense, data that are in no file, or a folder that holds something else.
    InferenceError
        If the posterior given the data at hand, from which truths are drawn, did not converge.
    ProgramError
        If the simulator has parameters, or gives none of the program's data, or other ones than the program takes.

    Notes
    -----
    What is ranked: of a weather model the scales, the first and last states and the joint log likelihood; of a mixture
    or a block model what does not depend on labels; of a factorisation what no rotation of the factors changes; of a
    program each real quantity that the simulator has, too, and the sum of ``log_lik`` where both have that.
    """
    how = config or calibration_config("gibbs" if isinstance(model, GMM | SBM | BMF) else "stan")
    fitted = task_of(model, how, seed)
    if isinstance(fitted, DensityTask | PyroTask):
        raise ConfigError(
            "a calibration keeps what it can be repeated by, and these data are in no file; save them, and load them "
            "(load_points, load_graph, load_ratings)"
        )
    task = CalibrationTask(
        fitted,
        simulations=simulations,
        posterior=posterior,
        simulator=simulator.path if simulator else None,
    )
    started, clock = datetime.now(UTC), time.perf_counter()
    folder = Path(out).expanduser() if out is not None else None
    with calibrations.journal(folder, _settings(task, model, simulator), overwrite=overwrite) as journal:
        # Those that gave nothing are tried again: perhaps the disk was full.
        missing = [i for i in range(simulations) if i not in journal.done or not journal.done[i].quantities]
        if len(missing) < simulations and notify:
            notify(f"{simulations - len(missing)} of {simulations} simulations are there already")
        if missing:
            truths = _truths(task, model, simulator, notify)
            jobs = [Job(model, how, seed, index, truths(index)) for index in missing]
            for simulation in run_all(jobs, simulations, executor, notify):
                journal.add(simulation)
        found = assess_calibration([journal.done[index] for index in range(simulations)])
        if folder is not None:
            seconds = {"simulations": sum(s.seconds for s in found.simulations), "wall": time.perf_counter() - clock}
            _write(folder, _provenance(task, model, simulator, started, seconds), found, language)
    return found


def calibrate_to_folder(
    task: CalibrationTask, out: Path, *, data_size: int | None, overwrite: bool, notify: Notify, language: str = "en"
) -> Calibration:
    """Do what ``bayeskit calibrate`` does: from files to a folder with a report.

    ``data_size`` is how many of the file's first rows each simulation has: 60, of ratings 500, or all of a shorter
    file, unless given.
    """
    fit_task = task.fit
    model = fit_task.build()
    if isinstance(fit_task, Task):
        assert isinstance(model, WeatherModel | GMM | SBM | BMF)
        whole, option = _size(model)
        usual = RATINGS_SIZE if isinstance(model, BMF) else DATA_SIZE
        size = min(usual, whole) if data_size is None else data_size
        model = replace(fit_task, load_options={**fit_task.load_options, option: size}).build()
        notify(model.data.source.description)
    return calibrate(
        model,
        simulator=stan_program(task.simulator, fit_task.data) if task.simulator is not None else None,
        simulations=task.simulations,
        config=fit_task.config,
        seed=fit_task.seed,
        posterior=task.posterior,
        out=out,
        overwrite=overwrite,
        notify=notify,
        language=language,
    )


def _size(model: WeatherModel | GMM | SBM | BMF) -> tuple[int, str]:
    """Return how large the data are, and the loader's option that takes fewer of them."""
    if isinstance(model, WeatherModel):
        return model.data.n_days, "days"
    if isinstance(model, BMF):
        return model.data.n_ratings, "first"
    return model.data.n_points if isinstance(model, GMM) else model.data.n_nodes, "first"


def calibration_again(folder: Path, *, language: str = "en") -> Path:
    """Make the page of a finished calibration anew."""
    provenance, calibration = calibrations.load(folder)
    return _write_page(folder, provenance, calibration, language)


def _truths(
    task: CalibrationTask, model: Model, simulator: StanProgram | None, notify: Notify | None
) -> Callable[[int], Arrays | None]:
    """Return what gives the truth of each simulation; None where the model draws it from its own prior."""
    if simulator is not None:
        assert isinstance(model, StanProgram)
        return _simulator_draws(task, model, simulator, notify)
    if task.posterior:
        return _posterior_draws(task, model, notify)
    return lambda index: None


def _simulator_draws(
    task: CalibrationTask, model: StanProgram, simulator: StanProgram, notify: Notify | None
) -> Callable[[int], Arrays]:
    """Run the simulator once: its draws are independent, and the first ones do not depend on how many there are."""
    _check_data(model, simulator, notify)
    config = StanConfig(chains=1, warmup=20, draws=max(4, task.simulations))
    draws = fit_stan(simulator, config, seed=task.fit.seed)
    return lambda index: {name: value[0, index] for name, value in draws.values.items()}


def _check_data(model: StanProgram, simulator: StanProgram, notify: Notify | None) -> None:
    """Refuse a simulator that gives no data, or such as the program cannot take; tell what it leaves as it is."""
    home = ensure_home()
    found = read_variables(Path(simulator.program), home)
    if found.parameters:
        raise ProgramError(f"{simulator.path} has parameters; a simulator draws all in generated quantities")
    declared = read_variables(Path(model.program), home).data
    given = {name: kind for block in found.blocks.values() for name, kind in block.items() if name in declared}
    if not given:
        takes = listing(sorted(declared))
        raise ProgramError(f"{simulator.path} gives none of the data of {model.path}, which takes {takes}")
    for name, kind in given.items():
        wanted = declared[name]
        if kind.type in ("tuple", "complex"):
            why = "such a variable cannot be handed on as data, take arrays of numbers in both programs"
        elif kind.dimensions != wanted.dimensions or (wanted.type == "int" and kind.type != "int"):
            why = f"{model.path} takes {wanted}, declare it so"
        else:
            continue
        raise ProgramError(f"{simulator.path} gives {name} as {kind}; {why}")
    if notify:
        kept = [name for name in declared if name not in given]
        notify(f"the simulator draws {listing(list(given))}{f'; as given: {listing(kept)}' if kept else ''}")


def _posterior_draws(task: CalibrationTask, model: Model, notify: Notify | None) -> Callable[[int], Arrays]:
    """Fit the data at hand, and return what gives the truth of each simulation."""
    if notify:
        notify("fitting the data at hand, from whose posterior the truths are drawn")
    fitted = fit(model, config=AT_HAND, seed=task.fit.seed)
    failed = [v.name for v in assess(fitted).verdicts if v.passed is False and v.name in _NEEDED]
    if failed:
        raise InferenceError(
            f"the posterior given the data at hand did not converge ({', '.join(failed)}), so that no truths can be "
            "drawn from it; mend that first (bayeskit fit), or calibrate from the prior"
        )
    pooled = {str(name): array.to_numpy() for name, array in fitted.posterior["posterior"].data_vars.items()}
    return lambda index: {name: value[place_of_truth(index)] for name, value in pooled.items()}


def place_of_truth(index: int) -> tuple[int, int]:
    """Return the chain and the draw that a simulation's truth is.

    However many there are, they lie far apart in each chain, so that they are as good as independent: the draws are
    halved, and the halves again (van der Corput's sequence). Neighbours in a chain would make the ranks of different
    simulations depend on each other, which the tests take for independent.
    """
    draw, chain = divmod(index, AT_HAND.chains)
    return chain, int(f"{draw:0{_BITS}b}"[::-1], 2)


def _settings(task: CalibrationTask, model: Model, simulator: StanProgram | None) -> dict[str, Any]:
    """Return what each simulation follows from, besides its index."""
    card = model.card()
    settings = {name: value for name, value in task.settings.items() if name != "simulations"}
    settings |= {
        "engine": task.fit.engine,
        "seed": task.fit.seed,
        "priors": {prior.name: str(prior) for prior in card.priors},
        "data_sha256": source_of(model).sha256,
        "program_sha256": sha256(card.program.encode()).hexdigest(),
        "bayeskit": versions()["bayeskit"],
    }
    return settings | ({"simulator_sha256": simulator.sha256} if simulator else {})


def _provenance(
    task: CalibrationTask,
    model: Model,
    simulator: StanProgram | None,
    started: datetime,
    timings: Mapping[str, float],
) -> Provenance:
    card = model.card()
    if simulator is not None:  # what it draws from are the priors of this calibration
        programs = {"program": card.program, f"simulator, {simulator.path}": simulator.text}
        card = replace(card, program="\n".join(f"// The {name}\n{text}" for name, text in programs.items()))
    return Provenance(
        model=model.name,
        engine=task.fit.engine,
        kind="mcmc" if isinstance(task.fit.config, StanConfig | GibbsConfig | NUTSConfig) else "variational",
        config=task.settings,
        seed=task.fit.seed,
        data=source_of(model),
        card=card,
        versions=versions(),
        hardware=hardware(),
        timings=timings,
        command=task.command(),
        script=task.script(Path("reports/calibration")),
        started=started.isoformat(timespec="seconds"),
    )


def _write(folder: Path, provenance: Provenance, calibration: Calibration, language: str) -> None:
    """Write the verdicts, then the page."""
    calibrations.finish(folder, provenance, calibration)
    _write_page(folder, provenance, calibration, language)


def _write_page(folder: Path, provenance: Provenance, calibration: Calibration, language: str) -> Path:
    from bayeskit.reporting import render_calibration

    path = folder / "report.html"
    write_text(path, render_calibration(provenance, calibration, language=language))
    return path
