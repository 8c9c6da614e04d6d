"""Load, fit, assess, report: the steps put together, and the tables of models and engines."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bayeskit import runs
from bayeskit.core.errors import ConfigError
from bayeskit.core.paths import resource
from bayeskit.core.provenance import hardware, versions
from bayeskit.core.types import Assessment, Fit, Provenance
from bayeskit.datasets.weather import load_weather
from bayeskit.diagnostics.convergence import assess_convergence
from bayeskit.inference.stan import StanConfig, fit_stan
from bayeskit.models.weather import WeatherModel, weather
from bayeskit.posterior import to_datatree
from bayeskit.toolchain import compile_program, describe, ensure_home

Notify = Callable[[str], None]


@dataclass(frozen=True)
class ModelEntry:
    """One row of the table of models.

    Parameters
    ----------
    loader, builder
        Names in the public API: what reads the file, and what makes a model of the data.
    engines
        What can fit it, the default first.
    demo
        Data file in ``data/`` and options, one row a demonstration.
    """

    loader: str
    builder: str
    engines: tuple[str, ...]
    demo: tuple[tuple[str, Mapping[str, Any]], ...]


MODELS = {
    "weather": ModelEntry(
        loader="load_weather",
        builder="weather",
        engines=("stan",),
        demo=(
            ("seattle-weather.csv", {"model": "level"}),
            ("seattle-weather.csv", {"model": "trend", "rain": "noise"}),
        ),
    )
}


@dataclass(frozen=True)
class Task:
    """What a run was asked for; the command, the script and ``run.json`` all follow from it.

    Parameters
    ----------
    name
        A key of ``MODELS``.
    data
        Path of the file.
    options
        The model's own options.
    load_options
        The loader's own options.
    engine, config, seed, device
        What draws, and how.
    """

    name: str
    data: str
    options: Mapping[str, Any]
    load_options: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "stan"
    config: StanConfig = field(default_factory=StanConfig)
    seed: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        engines = MODELS[self.name].engines
        if self.engine not in engines:
            raise ConfigError(f"engine '{self.engine}' cannot fit {self.name}; choose from {', '.join(engines)}")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must lie between 0 and {2**32 - 1}, got {self.seed}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"device '{self.device}' is unknown; choose from auto, cpu, cuda")
        if self.device == "cuda" and self.engine == "stan":
            raise ConfigError("engine stan runs on the CPU; leave --device out, or give --device cpu")


def fit(
    model: WeatherModel,
    *,
    engine: str = "stan",
    config: StanConfig | None = None,
    seed: int = 1,
    output_dir: Path | None = None,
) -> Fit:
    """Fit a model.

    Parameters
    ----------
    model
        From ``weather``.
    engine
        One of those that can fit the model; today ``stan``.
    config
        How the engine runs; its defaults unless given.
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
        For an unknown engine or a seed out of range.
    InferenceError
        If the engine stops without a result.
    """
    task = Task(
        name=model.name,
        data=model.data.source.path,
        options=model.options,
        load_options={"station": model.data.station},
        engine=engine,
        config=config or StanConfig(),
        seed=seed,
    )
    started = datetime.now(UTC).isoformat(timespec="seconds")
    clock = time.perf_counter()
    draws = fit_stan(model, task.config, seed=seed, output_dir=output_dir)
    provenance = Provenance(
        model=task.name,
        engine=task.engine,
        kind=draws.kind,
        config={**task.options, **task.config.model_dump()},
        seed=task.seed,
        data=model.data.source,
        card=model.card(),
        versions={**versions(), "stan": str(draws.engine["stan"])},
        hardware=hardware(),
        timings={**draws.timings, "wall": time.perf_counter() - clock},
        command=command_line(task),
        script=script(task, Path("reports/run")),
        started=started,
    )
    return Fit(to_datatree(draws, model, seed=seed), provenance)


def assess(fit: Fit) -> Assessment:
    """Assess a fit: a table of verdicts, each with its number, its threshold and a remedy."""
    return assess_convergence(fit)


def report(fit: Fit, assessment: Assessment, path: str | Path) -> Path:
    """Write the report, one self-contained HTML file, to ``path``."""
    from bayeskit.reporting import render

    runs.write_text(Path(path), render(fit, assessment))
    return Path(path)


def save_run(fit: Fit, assessment: Assessment, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write the whole run folder: ``run.json``, ``posterior.nc``, ``summary.csv`` and ``report.html``.

    Raises
    ------
    ConfigError
        If the folder exists and ``overwrite`` is not given, or cannot be written.
    """
    from bayeskit.reporting import render

    with runs.new_folder(Path(out), overwrite=overwrite) as partial:
        runs.save(fit, assessment, render(fit, assessment), partial)
    return Path(out)


def load_run(folder: str | Path) -> tuple[Fit, Assessment]:
    """Read a finished run folder back: its fit and its assessment."""
    return runs.load(Path(folder))


def report_again(folder: Path) -> Path:
    """Make ``report.html`` of a finished run anew."""
    return report(*runs.load(folder), folder / "report.html")


def fit_to_folder(task: Task, out: Path, *, overwrite: bool, notify: Notify) -> Assessment:
    """Do what ``bayeskit fit`` does: from a file to a run folder. ``notify`` hears of each step."""
    from bayeskit.reporting import render

    model = weather(load_weather(task.data, **task.load_options), **task.options)
    notify(model.data.source.description)
    with runs.new_folder(out, overwrite=overwrite) as partial:
        with runs.scratch(partial) as chains:
            fitted = fit(model, engine=task.engine, config=task.config, seed=task.seed, output_dir=chains)
        notify("assessing the draws and writing the report")
        assessment = assess(fitted)
        runs.save(fitted, assessment, render(fitted, assessment), partial)
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


def command_line(task: Task) -> str:
    """Return the command that does the same; options at their defaults are left out, but for the seed."""
    defaults = {"model": "level", "form": "marginal", "rain": "ignore", "rain_threshold": 0.0, "engine": "stan"}
    defaults |= {"station": None, **StanConfig().model_dump()}
    given = {**task.options, **task.load_options, "engine": task.engine, **task.config.model_dump(), "seed": task.seed}
    words = ["bayeskit", "fit", task.name, task.data]
    for option, value in given.items():
        if option in defaults and defaults[option] == value:
            continue
        for single in value if isinstance(value, list | tuple) else [value]:
            words += [f"--{option.replace('_', '-')}", str(single)]
    return shlex.join(words)


def script(task: Task, out: Path) -> str:
    """Return the Python script that does exactly what the command does, commented, to start from."""
    entry = MODELS[task.name]
    load = "".join(f", {option}={value!r}" for option, value in task.load_options.items() if value is not None)
    options = "".join(f"    {option}={value!r},\n" for option, value in task.options.items())
    config = ", ".join(f"{option}={value!r}" for option, value in task.config.model_dump().items())
    return f"""# The same as: {command_line(task)} --out {shlex.quote(str(out))}

import bayeskit as bk

# Read and check the file; print(data) shows what was found.
data = bk.{entry.loader}({task.data!r}{load})

# The model: its structure and its priors; print(model.priors) shows the scales that were computed from the data.
model = bk.{entry.builder}(
    data,
{options})

# Draw from the posterior; fit.posterior is an xarray DataTree, ready for ArviZ.
fit = bk.fit(
    model,
    engine={task.engine!r},
    config=bk.{type(task.config).__name__}({config}),
    seed={task.seed},
)

# Is it to be believed? Each check has a number, a limit and a remedy.
assessment = bk.assess(fit)
print(assessment)

# Keep everything: run.json, posterior.nc, summary.csv and report.html.
bk.save_run(fit, assessment, {str(out)!r})
"""


def diagnosis() -> dict[str, str]:
    """Return what ``bayeskit doctor`` says, by topic: versions, machine, GPU, Stan."""
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none; Pyro runs on the CPU"
    return {**versions(), **hardware(), "gpu": gpu, **describe()}


def _compile_side_by_side(tasks: Sequence[Task], notify: Notify) -> None:
    """Each compilation takes one core."""
    home = ensure_home()
    programs = {weather(load_weather(task.data), **task.options).program for task in tasks}
    notify("compiling the Stan programs, unless this was done before")
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda program: compile_program(resource("stan", program), home, (resource("stan"),)), programs))


def _as_typed(path: Path) -> str:
    """Return a path as the user would type it, where it lies below the folder that they are in."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
