"""``bayeskit calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayeskit.cli.common import (
    block_task,
    default_out,
    finish,
    method_config,
    mixture_task,
    rating_task,
    tell,
    weather_task,
)
from bayeskit.cli.options import (
    BLOCKS,
    ENGINE,
    IMPUTATION,
    MIXTURE,
    RATINGS,
    WEATHER,
    Algorithm,
    Anew,
    Group,
    Init,
    Iterations,
    Lang,
    Method,
    OptionalGraphFile,
    OptionalPointsFile,
    OptionalWeatherFile,
    OwnAdaptDelta,
    OwnChains,
    OwnDraws,
    OwnMaxTreedepth,
    OwnWarmup,
    Paths,
    Posterior,
    ProgramData,
    ProgramFile,
    Rank,
    RatingsFile,
    Seed,
    Simulations,
    Strict,
    expanded,
    takes,
)

if TYPE_CHECKING:
    from bayeskit.tasks import Task

calibrate_app = typer.Typer(help="Simulate, fit, and see whether known parameters come back.", no_args_is_help=True)


_DATA_SIZE = Annotated[int | None, typer.Option(help="Take only so many of the file's first rows: 60 unless given.")]
_OUT = Annotated[
    Path | None, typer.Option(callback=expanded, help="Its folder; reports/calibration-MODEL-… unless given.")
]
_SIMULATED: Group = {
    "simulations": (Simulations, 200),
    "data_size": (_DATA_SIZE, None),
    "posterior": (Posterior, False),
}
_KEPT: Group = {"strict": (Strict, False), "overwrite": (Anew, False), "lang": (Lang, "en"), "out": (_OUT, None)}
_WEATHER: Group = {name: option for name, option in WEATHER.items() if name != "days"}  # it is data_size
_RATINGS: Group = {**{name: option for name, option in RATINGS.items() if name != "split"}, "rank": (Rank, 2)}


@calibrate_app.command("weather")
@takes(_WEATHER, _SIMULATED, ENGINE, _KEPT)
def calibrate_weather(data: OptionalWeatherFile = None, **given: Any) -> None:
    """Calibrate the weather models on days like those of DATA, or of Seattle."""
    from bayeskit import workflows
    from bayeskit.tasks import calibration_config

    file = data or workflows.shipped("seattle-weather.csv")
    _calibrate(weather_task(file, given, calibration_config(given["engine"] or "stan")), given)


@calibrate_app.command("gmm")
@takes(MIXTURE, _SIMULATED, ENGINE, _KEPT)
def calibrate_gmm(data: OptionalPointsFile = None, **given: Any) -> None:
    """Calibrate a Gaussian mixture on points like those of POINTS, or of the penguins; 2 components unless given."""
    from bayeskit import workflows
    from bayeskit.tasks import calibration_config

    file = data or workflows.shipped("penguins.csv")
    asked = given if given["components"] else {**given, "components": "5" if given["dp"] else "2"}
    _calibrate(mixture_task(file, asked, calibration_config(given["engine"] or "gibbs")), given)


@calibrate_app.command("sbm")
@takes(BLOCKS, _SIMULATED, ENGINE, _KEPT)
def calibrate_sbm(data: OptionalGraphFile = None, **given: Any) -> None:
    """Calibrate a block model on graphs like that of EDGES, or of the fly's; 2 blocks each unless given."""
    from bayeskit import workflows
    from bayeskit.tasks import calibration_config

    file = data or workflows.shipped("drosophila-edges.csv")
    shared = given["shared"] or given["directed"] is False
    sources = "2" if given["source_blocks"] == "auto" else given["source_blocks"]
    targets = given["target_blocks"] or (None if shared else sources)
    asked = {**given, "engine": given["engine"] or "gibbs", "source_blocks": sources, "target_blocks": targets}
    _calibrate(block_task(file, asked, calibration_config(asked["engine"])), given)


@calibrate_app.command("bmf")
@takes(_RATINGS, _SIMULATED, ENGINE, IMPUTATION, _KEPT)
def calibrate_bmf(data: RatingsFile, **given: Any) -> None:
    """Calibrate a matrix factorisation on ratings of the pairs that RATINGS has, first 500; rank 2 unless given."""
    from bayeskit.tasks import RATINGS_CALIBRATION, calibration_config

    asked, engine = {**given, "split": "none"}, given["engine"] or "gibbs"
    base = RATINGS_CALIBRATION if engine == "gibbs" else calibration_config(engine)
    _calibrate(rating_task(data, asked, base), given)


def _calibrate(fit: Task, given: dict[str, Any]) -> None:
    from bayeskit import workflows
    from bayeskit.tasks import CalibrationTask

    target = given["out"] or default_out(fit).with_name(f"calibration-{default_out(fit).name}")
    calibration = workflows.calibrate_to_folder(
        CalibrationTask(fit, given["simulations"], given["posterior"]),
        target,
        data_size=given["data_size"],
        overwrite=given["overwrite"],
        notify=tell,
        language=given["lang"],
    )
    finish(calibration, target, given["strict"])


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
