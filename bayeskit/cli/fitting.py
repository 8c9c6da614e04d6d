"""``bayeskit fit``, ``bayeskit run`` and ``bayeskit script``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from bayeskit.cli.common import (
    autoencoder_task,
    block_task,
    default_out,
    finish,
    mixture_task,
    progress_bar,
    rating_task,
    sampler_options,
    tell,
    weather_task,
)
from bayeskit.cli.options import (
    BLOCKS,
    COMPLETION,
    ENGINE,
    EXAMPLES,
    IMPUTATION,
    MIXTURE,
    RATINGS,
    RUN,
    SCRIPT,
    TRAINING,
    WEATHER,
    ExamplesFile,
    GraphFile,
    PointsFile,
    ProgramTable,
    PyroReference,
    RatingsFile,
    WeatherFile,
    takes,
)

if TYPE_CHECKING:
    from bayeskit.tasks import DensityTask, PyroTask, Task

_DENSITY = "TARGET"
_TARGET = Annotated[
    str,
    typer.Argument(
        metavar=_DENSITY, help="One of the shipped targets, or FILE.py:NAME of what bk.density or bk.pyro_program made."
    ),
]


class _ModelOrTarget(TyperGroup):
    """A word that is no model's name is a target's, or FILE.py:NAME."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is not None or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        if ":" not in args[0]:
            from bayeskit.tasks import model_of

            model_of(args[0])  # refuses what is neither, by name
        return super().resolve_command(ctx, [_DENSITY, *args])


fit_app = typer.Typer(
    cls=_ModelOrTarget, help="Fit a model to a file: a run folder with a report.", no_args_is_help=True
)
script_app = typer.Typer(
    cls=_ModelOrTarget, help="Print the Python script that does what fit does.", no_args_is_help=True
)


@fit_app.command("weather")
@takes(WEATHER, ENGINE, RUN)
def fit_weather(data: WeatherFile, **given: Any) -> None:
    """Daily temperature: a hidden level (or trend) plus noise, by NUTS in Stan or another engine."""
    _fit(weather_task(data, given), given)


@fit_app.command("gmm")
@takes(MIXTURE, ENGINE, RUN)
def fit_gmm(data: PointsFile, **given: Any) -> None:
    """Points: a mixture of normal distributions, by blocked Gibbs sampling or another engine."""
    _fit(mixture_task(data, given), given)


@fit_app.command("sbm")
@takes(BLOCKS, ENGINE, RUN)
def fit_sbm(data: GraphFile, **given: Any) -> None:
    """Graphs: a stochastic block model, by variational Bayes, collapsed Gibbs sampling or another engine."""
    _fit(block_task(data, given), given)


@fit_app.command("bmf")
@takes(RATINGS, ENGINE, IMPUTATION, RUN)
def fit_bmf(data: RatingsFile, **given: Any) -> None:
    """Ratings: Bayesian matrix factorisation, by blocked Gibbs sampling or another engine."""
    _fit(rating_task(data, given), given)


@fit_app.command("vae")
@takes(EXAMPLES, TRAINING, RUN)
def fit_vae(data: ExamplesFile, **given: Any) -> None:
    """Images or a table: a variational autoencoder, which finds a few codes that tell what a row looks like."""
    _fit(autoencoder_task("vae", data, given), given)


@fit_app.command("cvae")
@takes(EXAMPLES, COMPLETION, TRAINING, RUN)
def fit_cvae(data: ExamplesFile, **given: Any) -> None:
    """Images or a table given conditions: a conditional variational autoencoder, to generate rows at will."""
    _fit(autoencoder_task("cvae", data, given), given)


@fit_app.command(_DENSITY)
@takes(ENGINE, RUN)
def fit_target(target: _TARGET, **given: Any) -> None:
    """Any log density: a shipped target (bayeskit crosscheck --list), or a Python file's, by any of the engines."""
    _fit(_density_task(target, given), given)


@takes(ENGINE, RUN)
def run(program: PyroReference, data: ProgramTable = None, **given: Any) -> None:
    """Run any Pyro program on the columns of a file: a run folder with a report, as of bayeskit's own models."""
    _fit(_pyro_task(program, data, given), given)


@script_app.command("weather")
@takes(WEATHER, ENGINE, SCRIPT)
def script_weather(data: WeatherFile, **given: Any) -> None:
    """Print the script for the weather models; save it, edit it, run it."""
    _script(weather_task(data, given), given)


@script_app.command("gmm")
@takes(MIXTURE, ENGINE, SCRIPT)
def script_gmm(data: PointsFile, **given: Any) -> None:
    """Print the script for a Gaussian mixture."""
    _script(mixture_task(data, given), given)


@script_app.command("sbm")
@takes(BLOCKS, ENGINE, SCRIPT)
def script_sbm(data: GraphFile, **given: Any) -> None:
    """Print the script for a stochastic block model."""
    _script(block_task(data, given), given)


@script_app.command("bmf")
@takes(RATINGS, ENGINE, IMPUTATION, SCRIPT)
def script_bmf(data: RatingsFile, **given: Any) -> None:
    """Print the script for a matrix factorisation."""
    _script(rating_task(data, given), given)


@script_app.command("vae")
@takes(EXAMPLES, TRAINING, SCRIPT)
def script_vae(data: ExamplesFile, **given: Any) -> None:
    """Print the script for a variational autoencoder."""
    _script(autoencoder_task("vae", data, given), given)


@script_app.command("cvae")
@takes(EXAMPLES, COMPLETION, TRAINING, SCRIPT)
def script_cvae(data: ExamplesFile, **given: Any) -> None:
    """Print the script for a conditional variational autoencoder."""
    _script(autoencoder_task("cvae", data, given), given)


@script_app.command(_DENSITY)
@takes(ENGINE, SCRIPT)
def script_target(target: _TARGET, **given: Any) -> None:
    """Print the script for any log density."""
    _script(_density_task(target, given), given)


def _density_task(target: str, given: dict[str, Any]) -> DensityTask:
    from bayeskit.tasks import DensityTask

    return DensityTask.of(target, given["engine"], sampler_options(given), given["seed"])


def _pyro_task(program: str, data: str | None, given: dict[str, Any]) -> PyroTask:
    from bayeskit.tasks import PyroTask, configured

    return PyroTask(program, data, configured(given["engine"] or "nuts", sampler_options(given)), given["seed"])


def _fit(task: Task | DensityTask | PyroTask, given: dict[str, Any]) -> None:
    from bayeskit import workflows

    out = given["out"] or default_out(task)
    options = {"overwrite": given["overwrite"], "language": given["lang"], "figures": given["figures"]}
    with progress_bar(task.engine) as progress:
        made = workflows.fit_to_folder(task, out, notify=tell, progress=progress, **options)
    finish(made, out, given["strict"])


def _script(task: Task | DensityTask, given: dict[str, Any]) -> None:
    out: Path = given["out"] or default_out(task)
    typer.echo(task.script(out, overwrite=given["overwrite"], strict=given["strict"]), nl=False)
