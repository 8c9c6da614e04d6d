"""What several commands do: sort their options into tasks, tell of progress, end with a path and a status."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bayeskit.cli.options import EXIT_VERDICT_FAILED, IMPUTATION, SAMPLERS, TRAINING

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from bayeskit.core.types import Assessment
    from bayeskit.diagnostics.calibration import Calibration
    from bayeskit.tasks import AnyConfig, DensityTask, PyroTask, Task
    from bayeskit.workflows import Progress


def sampler_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said of the engine: its options, None where one was not given, and the device."""
    return {name: given[name] for name in (*SAMPLERS, "device")}


def weather_task(data: str, given: Mapping[str, Any], base: AnyConfig | None = None) -> Task:
    """Sort the options of the weather commands."""
    load = {"station": given["station"], "days": given.get("days")}
    options = {name: given[name] for name in ("model", "form", "rain", "rain_threshold")}
    return _task("weather", data, load, options, given, base)


def mixture_task(data: str, given: Mapping[str, Any], base: AnyConfig | None = None) -> Task:
    """Sort the options of the mixture's commands."""
    options = {name: given[name] for name in ("components", "covariance", "dp", "standardise")}
    components, criterion = options["components"], given["criterion"]
    if components is None:
        options["components"] = 10 if options["dp"] else "auto"
    elif components != "auto":
        options["components"] = _whole("--components", components)
    if options["components"] == "auto":
        options["criterion"] = criterion or ("bic" if given["engine"] == "em" else "loo")
    elif criterion is not None:
        raise typer.BadParameter("--criterion is what --components auto chooses by; leave one of them out")
    return _task("gmm", data, {"columns": given["columns"]}, options, given, base)


def block_task(data: str, given: Mapping[str, Any], base: AnyConfig | None = None) -> Task:
    """Sort the options of the stochastic block model's commands."""
    load = ("columns", "directed", "self_loops", "repeated", "missing", "unobserved", "nodes", "labels", "label_column")
    options = {name: given[name] for name in ("shared", "criterion", "likelihood", "degree_corrected", "hold_out")}
    blocks = {name: _blocks(f"--{name.replace('_', '-')}", given[name]) for name in ("source_blocks", "target_blocks")}
    return _task("sbm", data, {name: given[name] for name in load}, {**blocks, **options}, given, base)


def rating_task(data: str, given: Mapping[str, Any], base: AnyConfig | None = None) -> Task:
    """Sort the options of the matrix factorisation's commands."""
    load = ("columns", "users", "items", "repeated", "scale", "split", "hold_out")
    options = ("rank", "likelihood", "features", "prior_family", "nonnegative")
    own = {name: given[name] for name in IMPUTATION}
    return _task(
        "bmf", data, {name: given[name] for name in load}, {name: given[name] for name in options}, given, base, own
    )


def autoencoder_task(name: str, data: str, given: Mapping[str, Any]) -> Task:
    """Sort the options of the autoencoders' commands."""
    from bayeskit.tasks import MODELS, Task, configured

    load = ("columns", "condition", "label", "binarise", "size", "first")
    options = ("latent", "architecture", "likelihood", "latent_prior", "shared_noise", "denoise", "hold_out")
    own = {"hidden": _sizes(given["hidden"])} | ({"quadrants": given["quadrants"]} if name == "cvae" else {})
    training = {key: given[key] for key in TRAINING if key != "seed"}
    config = configured("amortised", training, MODELS[name].configs["amortised"])
    return Task(
        name=name,
        data=data,
        load_options={key: given[key] for key in load},
        options={**{key: given[key] for key in options}, **own},
        config=config,
        seed=given["seed"],
    )


def _task(
    name: str,
    data: str,
    load: dict[str, Any],
    options: dict[str, Any],
    given: Mapping[str, Any],
    base: AnyConfig | None,
    own: Mapping[str, Any] | None = None,
) -> Task:
    from bayeskit.core.errors import ConfigError
    from bayeskit.tasks import MODELS, Task, configured, default_config_of

    engine = given["engine"] or next(iter(MODELS[name].configs))
    asked = {**sampler_options(given), **(own or {})}
    if engine not in MODELS[name].configs:
        known = ", ".join(MODELS[name].configs)
        raise ConfigError(f"engine '{engine}' cannot fit {name}; choose from {known}")
    return Task(
        name=name,
        data=data,
        load_options=load,
        options={**options, "prior": given["prior"] or []},
        config=configured(engine, asked, base or default_config_of(name, engine, options)),
        seed=given["seed"],
    )


def _sizes(text: str | None) -> list[int] | None:
    if text is None or text == "none":
        return None if text is None else []
    return [_whole("--hidden", size, "none") for size in text.split(",")]


def _blocks(option: str, text: str | None) -> int | str | None:
    return text if text in (None, "auto") else _whole(option, str(text))


def _whole(option: str, text: str, other: str = "auto") -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{option} must be a whole number or {other}, got '{text}'") from None


def method_config(
    method: str | None, given: Mapping[str, Any], base: AnyConfig | None = None, engine: str | None = None
) -> AnyConfig:
    """Return the configuration of one of Stan's methods, or of another engine, ``base`` where nothing is given."""
    from bayeskit.core.errors import ConfigError
    from bayeskit.inference.stan import CONFIGS, StanConfig
    from bayeskit.tasks import configured, with_options

    if engine not in (None, "stan"):
        if method is not None:
            raise ConfigError(f"--method is Stan's, --engine {engine} has none; leave one of them out")
        return configured(str(engine), given, base)
    name = method or StanConfig.method
    return with_options(CONFIGS[name], f"--method {name}", given, base)


def finish(assessment: Assessment | Calibration, folder: Path, strict: bool) -> None:
    """Print the verdicts and where the report is; leave with a status of its own where one failed."""
    tell(repr(assessment))
    typer.echo(str(folder / "report.html"))
    if strict and not assessment.passed:
        raise typer.Exit(EXIT_VERDICT_FAILED)


@contextmanager
def progress_bar(what: str) -> Iterator[Progress | None]:
    """Give what the samplers tell of their progress to; it draws a bar where somebody sits at a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bar(bars, bars.add_task(what, total=None), what)


class _Bar:
    """What an engine tells of its progress: how much of how much, and perhaps a few words on where it stands."""

    def __init__(self, bars: Bars, bar: TaskID, what: str) -> None:
        self._bars, self._bar, self._what = bars, bar, what

    def __call__(self, done: int, total: int) -> None:
        self._bars.update(self._bar, completed=done, total=total)

    def tell(self, text: str) -> None:
        self._bars.update(self._bar, description=f"{self._what}: {text}")


def default_out(task: Task | DensityTask | PyroTask) -> Path:
    """Return the run folder where none is given."""
    return Path("reports") / task.default_name


def tell(message: str) -> None:
    """Print a line of progress to stderr, which leaves stdout to what the command is asked for."""
    typer.echo(message, err=True)


def table(rows: dict[str, str]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        typer.echo(f"{name:<{width}}  {value}")
