"""``bayeskit fit`` and ``bayeskit script``."""

from __future__ import annotations

from typing import Annotated

import typer

from bayeskit.cli.common import default_out, finish, tell, weather_task
from bayeskit.cli.options import (
    AdaptDelta,
    Chains,
    Days,
    Device,
    Engine,
    Figures,
    Form,
    Lang,
    MaxTreedepth,
    NDraws,
    Out,
    Overwrite,
    Priors,
    Rain,
    RainThreshold,
    Seed,
    Station,
    Strict,
    Structure,
    Warmup,
    WeatherFile,
)

fit_app = typer.Typer(help="Fit a model to a file: a run folder with a report.", no_args_is_help=True)
script_app = typer.Typer(help="Print the Python script that does what fit does.", no_args_is_help=True)


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
    engine: Engine = "stan",
    chains: Chains = 4,
    warmup: Warmup = 1000,
    draws: NDraws = 1000,
    adapt_delta: AdaptDelta = 0.95,
    max_treedepth: MaxTreedepth = 10,
    seed: Seed = 1,
    device: Device = "auto",
    strict: Strict = False,
    overwrite: Overwrite = False,
    out: Out = None,
    lang: Lang = "en",
    figures: Figures = None,
) -> None:
    """Daily temperature: a hidden level (or trend) plus noise, by NUTS in Stan."""
    from bayeskit import workflows

    task = weather_task(locals())
    target = out or default_out(task)
    made = workflows.fit_to_folder(task, target, overwrite=overwrite, notify=tell, language=lang, figures=figures)
    finish(made, target, strict)


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
    engine: Engine = "stan",
    chains: Chains = 4,
    warmup: Warmup = 1000,
    draws: NDraws = 1000,
    adapt_delta: AdaptDelta = 0.95,
    max_treedepth: MaxTreedepth = 10,
    seed: Seed = 1,
    device: Device = "auto",
    strict: Strict = False,
    overwrite: Annotated[
        bool, typer.Option(help="Whether the script may replace an earlier run; yes, as it is there to be run again.")
    ] = True,
    out: Out = None,
) -> None:
    """Print the script for the weather models; save it, edit it, run it."""
    task = weather_task(locals())
    typer.echo(task.script(out or default_out(task), overwrite=overwrite, strict=strict), nl=False)
