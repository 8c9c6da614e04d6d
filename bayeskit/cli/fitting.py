"""``bayeskit fit`` and ``bayeskit script``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from bayeskit.cli.common import SAMPLER_OPTIONS, default_out, finish, progress_bar, tell, weather_task
from bayeskit.cli.options import (
    AdaptDelta,
    Adaptive,
    Bound,
    Days,
    Defensive,
    Device,
    Engine,
    EngineChains,
    EngineDraws,
    EngineWarmup,
    Figures,
    Form,
    Kernel,
    Lang,
    MaxTreedepth,
    Metric,
    Out,
    Overwrite,
    Particles,
    Priors,
    Rain,
    RainThreshold,
    Replicas,
    Runs,
    Seed,
    Station,
    Strict,
    Structure,
    Thin,
    Threads,
    WeatherFile,
)

if TYPE_CHECKING:
    from bayeskit.tasks import DensityTask, Task

_DENSITY = "TARGET"


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

Target = Annotated[
    str,
    typer.Argument(
        metavar=_DENSITY, help="One of the shipped targets, or FILE.py:NAME of what bk.density or bk.pyro_program made."
    ),
]
Replaced = Annotated[
    bool, typer.Option(help="Whether the script may replace an earlier run; yes, as it is there to be run again.")
]


@fit_app.command("weather")
def fit_weather(
    data: WeatherFile,
    model: Structure = "level",
    form: Form = "marginal",
    rain: Rain = "ignore",
    rain_threshold: RainThreshold = 0.0,
    station: Station = None,
    days: Days = None,
    prior: Priors = None,
    engine: Engine = None,
    chains: EngineChains = None,
    warmup: EngineWarmup = None,
    draws: EngineDraws = None,
    adapt_delta: AdaptDelta = None,
    max_treedepth: MaxTreedepth = None,
    thin: Thin = None,
    kernel: Kernel = None,
    replicas: Replicas = None,
    defensive: Defensive = None,
    particles: Particles = None,
    runs: Runs = None,
    threads: Threads = None,
    seed: Seed = 1,
    device: Device = "auto",
    strict: Strict = False,
    overwrite: Overwrite = False,
    out: Out = None,
    lang: Lang = "en",
    figures: Figures = None,
) -> None:
    """Daily temperature: a hidden level (or trend) plus noise, by NUTS in Stan or another engine."""
    task = weather_task(locals())
    _fit(task, out or default_out(task), strict, overwrite=overwrite, language=lang, figures=figures)


@fit_app.command(_DENSITY)
def fit_target(
    target: Target,
    engine: Engine = None,
    chains: EngineChains = None,
    warmup: EngineWarmup = None,
    draws: EngineDraws = None,
    adapt_delta: AdaptDelta = None,
    max_treedepth: MaxTreedepth = None,
    metric: Metric = None,
    thin: Thin = None,
    kernel: Kernel = None,
    replicas: Replicas = None,
    bound: Bound = None,
    adaptive: Adaptive = None,
    defensive: Defensive = None,
    particles: Particles = None,
    runs: Runs = None,
    threads: Threads = None,
    seed: Seed = 1,
    strict: Strict = False,
    overwrite: Overwrite = False,
    out: Out = None,
    lang: Lang = "en",
    figures: Figures = None,
) -> None:
    """Any log density: a shipped target (bayeskit crosscheck --list), or a Python file's, by any of the engines."""
    task = _density_task(locals())
    _fit(task, out or Path("reports") / task.default_name, strict, overwrite=overwrite, language=lang, figures=figures)


@script_app.command("weather")
def script_weather(
    data: WeatherFile,
    model: Structure = "level",
    form: Form = "marginal",
    rain: Rain = "ignore",
    rain_threshold: RainThreshold = 0.0,
    station: Station = None,
    days: Days = None,
    prior: Priors = None,
    engine: Engine = None,
    chains: EngineChains = None,
    warmup: EngineWarmup = None,
    draws: EngineDraws = None,
    adapt_delta: AdaptDelta = None,
    max_treedepth: MaxTreedepth = None,
    thin: Thin = None,
    kernel: Kernel = None,
    replicas: Replicas = None,
    defensive: Defensive = None,
    particles: Particles = None,
    runs: Runs = None,
    threads: Threads = None,
    seed: Seed = 1,
    device: Device = "auto",
    strict: Strict = False,
    overwrite: Replaced = True,
    out: Out = None,
) -> None:
    """Print the script for the weather models; save it, edit it, run it."""
    task = weather_task(locals())
    typer.echo(task.script(out or default_out(task), overwrite=overwrite, strict=strict), nl=False)


@script_app.command(_DENSITY)
def script_target(
    target: Target,
    engine: Engine = None,
    chains: EngineChains = None,
    warmup: EngineWarmup = None,
    draws: EngineDraws = None,
    adapt_delta: AdaptDelta = None,
    max_treedepth: MaxTreedepth = None,
    metric: Metric = None,
    thin: Thin = None,
    kernel: Kernel = None,
    replicas: Replicas = None,
    bound: Bound = None,
    adaptive: Adaptive = None,
    defensive: Defensive = None,
    particles: Particles = None,
    runs: Runs = None,
    threads: Threads = None,
    seed: Seed = 1,
    strict: Strict = False,
    overwrite: Replaced = True,
    out: Out = None,
) -> None:
    """Print the script for any log density."""
    task = _density_task(locals())
    made = task.script(out or Path("reports") / task.default_name, overwrite=overwrite, strict=strict)
    typer.echo(made, nl=False)


def _density_task(given: dict[str, Any]) -> DensityTask:
    from bayeskit.tasks import DensityTask

    asked = {name: given[name] for name in SAMPLER_OPTIONS}
    return DensityTask.of(given["target"], given["engine"], asked, given["seed"])


def _fit(task: Task | DensityTask, target: Path, strict: bool, **options: Any) -> None:
    from bayeskit import workflows

    with progress_bar(task.engine) as progress:
        made = workflows.fit_to_folder(task, target, notify=tell, progress=progress, **options)
    finish(made, target, strict)
