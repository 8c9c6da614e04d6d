"""What several commands do: sort their options into tasks, tell of progress, end with a path and a status."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bayeskit.cli.options import EXIT_VERDICT_FAILED

if TYPE_CHECKING:
    from bayeskit.core.types import Assessment
    from bayeskit.diagnostics.calibration import Calibration
    from bayeskit.inference.stan import AnyConfig
    from bayeskit.tasks import Task


def weather_task(given: Mapping[str, Any]) -> Task:
    """Sort the options of the weather commands."""
    from bayeskit.inference.stan import StanConfig
    from bayeskit.tasks import Task

    def take(*names: str) -> dict[str, Any]:
        return {name: given[name] for name in names}

    return Task(
        name="weather",
        load_options={"station": given["station"], "days": given.get("days")},
        options={**take("model", "form", "rain", "rain_threshold"), "prior": given["prior"] or []},
        config=StanConfig(**take("chains", "warmup", "draws", "adapt_delta", "max_treedepth")),
        **take("data", "engine", "seed", "device"),
    )


def method_config(method: str, given: Mapping[str, Any], base: AnyConfig | None = None) -> AnyConfig:
    """Return a method's configuration, ``base`` where nothing is given; another method's options are refused."""
    from bayeskit.core.errors import ConfigError
    from bayeskit.core.words import listing
    from bayeskit.inference.stan import CONFIGS

    def flag(name: str) -> str:
        return f"--{name.replace('_', '-')}"

    config = CONFIGS[method]
    asked = {name: value for name, value in given.items() if value is not None}
    for name in asked:
        if name not in config.model_fields:
            takes = listing([flag(known) for known in config.model_fields])
            raise ConfigError(f"{flag(name)} is no option of --method {method}, which takes {takes}; leave it out")
    return config(**{**(base.model_dump() if base else {}), **asked})


def finish(assessment: Assessment | Calibration, folder: Path, strict: bool) -> None:
    """Print the verdicts and where the report is; leave with a status of its own where one failed."""
    tell(repr(assessment))
    typer.echo(str(folder / "report.html"))
    if strict and not assessment.passed:
        raise typer.Exit(EXIT_VERDICT_FAILED)


def default_out(task: Task) -> Path:
    """Return the run folder where none is given."""
    return Path("reports") / f"{task.name}-{task.options['model']}-{Path(task.data).stem}"


def tell(message: str) -> None:
    """Print a line of progress to stderr, which leaves stdout to what the command is asked for."""
    typer.echo(message, err=True)


def table(rows: dict[str, str]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        typer.echo(f"{name:<{width}}  {value}")
