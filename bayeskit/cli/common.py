"""What several commands do: sort their options into tasks, tell of progress, end with a path and a status."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bayeskit.cli.options import EXIT_VERDICT_FAILED

if TYPE_CHECKING:
    from bayeskit.core.types import Assessment
    from bayeskit.diagnostics.calibration import Calibration
    from bayeskit.tasks import AnyConfig, Task
    from bayeskit.workflows import Progress


SAMPLER_OPTIONS = (
    *("chains", "warmup", "draws", "thin", "adapt_delta", "max_treedepth", "metric", "kernel", "replicas"),
    *("bound", "adaptive", "defensive", "particles", "runs", "threads"),
)


def weather_task(given: Mapping[str, Any]) -> Task:
    """Sort the options of the weather commands."""
    from bayeskit.tasks import MODELS, Task, configured

    def take(*names: str) -> dict[str, Any]:
        return {name: given[name] for name in names}

    engine = given["engine"] or next(iter(MODELS["weather"].configs))
    asked = {name: given[name] for name in SAMPLER_OPTIONS if name in given}
    return Task(
        name="weather",
        load_options={"station": given["station"], "days": given.get("days")},
        options={**take("model", "form", "rain", "rain_threshold"), "prior": given["prior"] or []},
        config=configured(engine, asked, MODELS["weather"].configs.get(engine)),
        **take("data", "seed", "device"),
    )


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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def default_out(task: Task) -> Path:
    """Return the run folder where none is given."""
    engine = "" if task.engine == "stan" else f"-{task.engine}"
    return Path("reports") / f"{task.name}-{task.options['model']}-{Path(task.data).stem}{engine}"


def tell(message: str) -> None:
    """Print a line of progress to stderr, which leaves stdout to what the command is asked for."""
    typer.echo(message, err=True)


def table(rows: dict[str, str]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        typer.echo(f"{name:<{width}}  {value}")
