"""From files to a fit, its assessment and its report, and to a run folder that holds them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bayeskit import runs
from bayeskit.core.errors import ConfigError, ReportError
from bayeskit.core.paths import resource
from bayeskit.core.provenance import hardware, versions
from bayeskit.core.types import Assessment, Fit, Kind, Provenance, Source
from bayeskit.diagnostics.convergence import assess_convergence
from bayeskit.diagnostics.independent import assess_independent
from bayeskit.diagnostics.point import assess_point
from bayeskit.diagnostics.variational import assess_variational
from bayeskit.inference.stan import AnyConfig, StanConfig, fit_stan
from bayeskit.models.program import StanProgram
from bayeskit.models.weather import WeatherModel
from bayeskit.posterior import to_datatree
from bayeskit.tasks import MODELS, ProgramTask, Task
from bayeskit.toolchain import compile_program, describe, ensure_home

Notify = Callable[[str], None]
Model = WeatherModel | StanProgram

_ASSESSMENTS: dict[Kind, Callable[[Fit], Assessment]] = {
    "mcmc": assess_convergence,
    "iid": assess_independent,
    "variational": assess_variational,
    "point": assess_point,
}


def fit(
    model: Model,
    *,
    engine: str = "stan",
    config: AnyConfig | None = None,
    seed: int = 1,
    output_dir: Path | None = None,
) -> Fit:
    """Fit a model.

    Parameters
    ----------
    model
        From ``weather`` or ``stan_program``.
    engine
        One of those that can fit the model; today ``stan``.
    config
        How the engine runs: ``StanConfig`` for NUTS, with its defaults unless given. A Stan program also takes
        ``PathfinderConfig``, ``LaplaceConfig``, ``VariationalConfig`` and ``OptimizeConfig``.
    seed
        From 0 to 2**32 - 1. The same seed, machine and versions give the same bits.
    output_dir
        Where the engine keeps its own files while it runs; a temporary folder unless given.

    Returns
    -------
    Fit
        The posterior as a DataTree, and its provenance.

    Raises
    ------
    ConfigError
        For an unknown engine, a config that does not fit the model, or a seed out of range.
    DataError
        If the data do not fit the program's declarations.
    InferenceError
        If the engine stops without a result.
    ProgramError
        If the program has an error, fails while it runs, or has no finite density where it would start.
    """
    task = _task(model, engine, config or StanConfig(), seed)
    started, clock = datetime.now(UTC), time.perf_counter()
    draws = fit_stan(model, task.config, seed=seed, output_dir=output_dir)
    provenance = Provenance(
        model=model.name,
        engine=task.engine,
        kind=draws.kind,
        config=task.settings | ({"program_sha256": model.sha256} if isinstance(model, StanProgram) else {}),
        seed=task.seed,
        data=_source(model),
        card=model.card(draws) if isinstance(model, StanProgram) else model.card(),
        versions={**versions(), "stan": str(draws.engine["stan"])},
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
    return _ASSESSMENTS[fit.provenance.kind](fit)


def report(fit: Fit, assessment: Assessment, path: str | Path) -> Path:
    """Write the report, one self-contained HTML file, to ``path``."""
    from bayeskit.reporting import render

    path = Path(path).expanduser()
    runs.write_text(path, render(fit, assessment))
    return path


def save_run(fit: Fit, assessment: Assessment, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write the whole run folder: ``run.json``, ``posterior.nc``, ``summary.csv`` and ``report.html``.

    Raises
    ------
    ConfigError
        If the folder exists and ``overwrite`` is not given, or cannot be written.
    ReportError
        If the report cannot be made; the numbers are written all the same.
    """
    out = Path(out).expanduser()
    with runs.new_folder(out, overwrite=overwrite) as partial:
        problem = _write(fit, assessment, partial)
    _tell(problem, out)
    return out


def load_run(folder: str | Path) -> tuple[Fit, Assessment]:
    """Read a finished run folder back: its fit and its assessment."""
    return runs.load(Path(folder).expanduser())


def report_again(folder: Path) -> Path:
    """Make ``report.html`` of a finished run anew."""
    return report(*runs.load(folder), folder / "report.html")


def fit_to_folder(task: Task | ProgramTask, out: Path, *, overwrite: bool, notify: Notify) -> Assessment:
    """Do what ``bayeskit fit`` and ``stan run`` do: from files to a run folder. ``notify`` hears of each step."""
    model = task.build()
    if isinstance(model, WeatherModel):  # a program may still refuse its data, in one line
        notify(model.data.source.description)
    with runs.new_folder(out, overwrite=overwrite) as partial:
        with runs.scratch(partial) as chains:
            fitted = fit(model, engine=task.engine, config=task.config, seed=task.seed, output_dir=chains)
        notify("assessing the draws and writing the report")
        assessment = assess(fitted)
        problem = _write(fitted, assessment, partial)
    _tell(problem, out)
    return assessment


def demo(out: Path, notify: Notify) -> Path:
    """Run every demonstration in the table of models on shipped data; write an index over the reports."""
    from bayeskit.reporting import RunEntry, render_index

    tasks = [
        Task(name, _as_typed(resource("data", file)), options)
        for name, entry in MODELS.items()
        for file, options in entry.demo
    ]
    _compile_side_by_side(tasks, notify)
    entries = []
    for task in tasks:
        folder = out / "-".join([task.name, *task.options.values()])
        notify(f"fitting {folder.name}")
        fit_to_folder(task, folder, overwrite=True, notify=notify)
        entries.append(RunEntry.of(*runs.load(folder), href=f"{folder.name}/report.html"))
    index = out / "index.html"
    runs.write_text(index, render_index(entries))
    return index


def diagnosis() -> dict[str, str]:
    """Return what ``bayeskit doctor`` says, by topic: versions, machine, GPU, Stan."""
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none; Pyro runs on the CPU"
    return {**versions(), **hardware(), "gpu": gpu, **describe()}


def _task(model: Model, engine: str, config: AnyConfig, seed: int) -> Task | ProgramTask:
    """Return what repeats a fit of this model."""
    if isinstance(model, StanProgram):
        if engine != "stan":
            raise ConfigError(f"engine '{engine}' cannot run a Stan program; leave it out, or take stan")
        return ProgramTask(model.path, _path_of_data(model), model.options["init"], config, seed)
    return Task(
        name=model.name,
        data=model.data.source.path,
        options=model.options,
        load_options={"station": model.data.station},
        engine=engine,
        config=config,
        seed=seed,
    )


def _path_of_data(model: StanProgram) -> str | None:
    return model.source.path if model.source.sha256 else None


def _source(model: Model) -> Source:
    return model.source if isinstance(model, StanProgram) else model.data.source


def _write(fit: Fit, assessment: Assessment, folder: Path) -> Exception | None:
    """Write the numbers, then the report; what goes wrong with the latter must not lose the former."""
    runs.save(fit, assessment, folder)
    try:
        report(fit, assessment, folder / "report.html")
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as problem:
        return problem
    return None


def _tell(problem: Exception | None, out: Path) -> None:
    if problem is not None:
        raise ReportError(
            f"the numbers are in {out}, the report could not be made ({problem}); 'bayeskit report {out}' tries again"
        ) from problem


def _compile_side_by_side(tasks: Sequence[Task], notify: Notify) -> None:
    """Each compilation takes one core."""
    home = ensure_home()
    programs = {task.build().program for task in tasks}
    notify("compiling the Stan programs, unless this was done before")
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda program: compile_program(resource("stan", program), home, (resource("stan"),)), programs))


def _as_typed(path: Path) -> str:
    """Return a path as the user would type it, where it lies below the folder that they are in."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
