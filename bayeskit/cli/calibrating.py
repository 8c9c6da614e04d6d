"""``bayeskit calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayeskit.cli.common import default_out, finish, method_config, tell, weather_task
from bayeskit.cli.options import (
    AdaptDelta,
    Algorithm,
    Anew,
    Chains,
    Device,
    Form,
    Init,
    Iterations,
    Lang,
    MaxTreedepth,
    Method,
    NDraws,
    OptionalWeatherFile,
    OwnAdaptDelta,
    OwnChains,
    OwnDraws,
    OwnMaxTreedepth,
    OwnWarmup,
    Paths,
    Posterior,
    Priors,
    ProgramData,
    ProgramFile,
    Rain,
    RainThreshold,
    Seed,
    Simulations,
    Station,
    Strict,
    Structure,
    Warmup,
    expanded,
)

calibrate_app = typer.Typer(help="Simulate, fit, and see whether known parameters come back.", no_args_is_help=True)


@calibrate_app.command("weather")
def calibrate_weather(
    data: OptionalWeatherFile = None,
    model: Structure = "level",
    form: Form = "marginal",
    rain: Rain = "ignore",
    rain_threshold: RainThreshold = 0.0,
    station: Station = None,
    prior: Priors = None,
    simulations: Simulations = 200,
    data_size: Annotated[
        int | None, typer.Option(help="Take only so many of the file's first days: 60, or all, unless given.")
    ] = None,
    posterior: Posterior = False,
    chains: Chains = 2,
    warmup: Warmup = 500,
    draws: NDraws = 500,
    adapt_delta: AdaptDelta = 0.95,
    max_treedepth: MaxTreedepth = 10,
    seed: Seed = 1,
    device: Device = "auto",
    strict: Strict = False,
    overwrite: Anew = False,
    lang: Lang = "en",
    out: Annotated[
        Path | None, typer.Option(callback=expanded, help="Its folder; reports/calibration-MODEL-… unless given.")
    ] = None,
) -> None:
    """Calibrate the weather models on days like those of DATA, or of Seattle."""
    from bayeskit import workflows
    from bayeskit.tasks import CalibrationTask

    fit = weather_task(locals() | {"engine": "stan", "data": data or workflows.shipped("seattle-weather.csv")})
    target = out or default_out(fit).with_name(f"calibration-{default_out(fit).name}")
    task = CalibrationTask(fit, simulations, posterior)
    calibration = workflows.calibrate_to_folder(
        task, target, data_size=data_size, overwrite=overwrite, notify=tell, language=lang
    )
    finish(calibration, target, strict)


@calibrate_app.command("stan")
def calibrate_stan(
    program: ProgramFile,
    data: ProgramData = None,
    simulator: Annotated[
        str | None,
        typer.Option(
            metavar="PROGRAM",
            help="A Stan program without parameters that draws parameters and data, by their names.",
        ),
    ] = None,
    simulations: Simulations = 200,
    method: Method = None,
    chains: OwnChains = None,
    warmup: OwnWarmup = None,
    draws: OwnDraws = None,
    adapt_delta: OwnAdaptDelta = None,
    max_treedepth: OwnMaxTreedepth = None,
    paths: Paths = None,
    iterations: Iterations = None,
    algorithm: Algorithm = None,
    init: Init = None,
    seed: Seed = 1,
    strict: Strict = False,
    overwrite: Anew = False,
    lang: Lang = "en",
    out: Annotated[
        Path | None, typer.Option(callback=expanded, help="Its folder; reports/calibration-PROGRAM… unless given.")
    ] = None,
) -> None:
    """Calibrate any Stan program, with another one that draws truths and data; sample: 2 chains, 500 draws each."""
    from bayeskit import workflows
    from bayeskit.inference.stan import StanConfig
    from bayeskit.tasks import CalibrationTask, ProgramTask, calibration_config

    given = {
        "chains": chains,
        "warmup": warmup,
        "draws": draws,
        "adapt_delta": adapt_delta,
        "max_treedepth": max_treedepth,
        "paths": paths,
        "iterations": iterations,
        "algorithm": algorithm,
    }
    config = method_config(method, given, calibration_config(method or StanConfig.method))
    fit = ProgramTask(program, data, init, config, seed)
    target = out or Path("reports") / f"calibration-{fit.default_name}"
    task = CalibrationTask(fit, simulations, simulator=simulator)
    calibration = workflows.calibrate_to_folder(
        task, target, data_size=None, overwrite=overwrite, notify=tell, language=lang
    )
    finish(calibration, target, strict)
