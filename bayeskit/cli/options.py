"""The options that commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bayeskit.core.language import known, languages

EXIT_VERDICT_FAILED = 3


def expanded(path: Path | None) -> Path | None:
    """``--out=~/x`` reaches us as it is."""
    return path.expanduser() if path else path


# Options that every model shares.
Engine = Annotated[
    str | None,
    typer.Option(
        help="What draws: stan (NUTS in Stan), nuts (NUTS in Pyro), metropolis, rejection, importance or smc; those "
        "that can, unless given the first of them."
    ),
]
Chains = Annotated[int, typer.Option(help="Number of chains.")]
Warmup = Annotated[int, typer.Option(help="Iterations of each chain for adaptation.")]
NDraws = Annotated[int, typer.Option("--draws", help="Draws of each chain after it.")]
AdaptDelta = Annotated[
    float | None, typer.Option(help="stan, nuts: target acceptance rate; nearer to 1 means smaller steps.")
]
MaxTreedepth = Annotated[int | None, typer.Option(help="stan, nuts: a trajectory has at most 2 to this power steps.")]
Seed = Annotated[int, typer.Option(help="The same seed, machine and versions give the same numbers.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Priors = Annotated[
    list[str] | None,
    typer.Option("--prior", help="Override one, as name=distribution(...), e.g. s_y=normal(0, 2); repeatable."),
]
Strict = Annotated[bool, typer.Option("--strict", help=f"Exit with {EXIT_VERDICT_FAILED} where a check fails.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output folder that exists.")]
Out = Annotated[Path | None, typer.Option(callback=expanded, help="Run folder; reports/MODEL-… unless given.")]
Lang = Annotated[str, typer.Option(callback=known, help=f"The report's language: {', '.join(languages())}.")]
Figures = Annotated[
    Literal["svg", "png"] | None, typer.Option(help="Also write the report's figures for print, to RUN/figures.")
]

ProgramFile = Annotated[
    str, typer.Argument(metavar="PROGRAM", help="A Stan file; what it includes is looked for beside it.")
]
ProgramData = Annotated[
    str | None, typer.Argument(metavar="DATA", help="Its data as JSON; left out where it takes none.")
]

# The samplers' own. None where an option was not given: each engine has defaults of its own.
EngineChains = Annotated[int | None, typer.Option("--chains", help="Number of chains.")]
EngineWarmup = Annotated[int | None, typer.Option("--warmup", help="Iterations of each chain for adaptation.")]
EngineDraws = Annotated[int | None, typer.Option("--draws", help="Draws of each chain after it, or in all.")]
Threads = Annotated[
    int | None, typer.Option(help="metropolis, rejection: how many threads; the density is called from each of them.")
]
Metric = Annotated[
    Literal["diag_e", "dense_e"] | None, typer.Option(help="nuts: inverse mass matrix, diagonal or dense (diag_e).")
]
Thin = Annotated[int | None, typer.Option(help="metropolis: keep one iteration in so many (10).")]
Kernel = Annotated[
    Literal["random-walk", "mala", "elliptical-slice", "tempering"] | None,
    typer.Option(help="metropolis: which transition; mala needs a gradient, tempering finds several modes."),
]
Replicas = Annotated[int | None, typer.Option(help="metropolis, kernel tempering: number of temperatures.")]
Bound = Annotated[
    float | None,
    typer.Option(help="rejection: M, at least the largest density over the proposal's; found if not given."),
]
Adaptive = Annotated[
    bool | None, typer.Option("--adaptive", help="rejection: an envelope that adapts, for a log-concave density.")
]
Defensive = Annotated[float | None, typer.Option(help="importance: share of the proposal that is a wide, safe one.")]
Particles = Annotated[int | None, typer.Option(help="smc: particles of each run.")]
Runs = Annotated[int | None, typer.Option(help="smc: independent runs.")]

# A Stan program's own. None where an option was not given: each method has defaults of its own.
Method = Annotated[
    Literal["sample", "pathfinder", "laplace", "variational", "optimize"] | None,
    typer.Option(
        help="Stan's: sample (NUTS, unless given); pathfinder, laplace, variational: fast approximations of the "
        "posterior; optimize: its mode."
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

# A calibration's own; it runs many small fits.
Simulations = Annotated[int, typer.Option(help="How many data sets are simulated and fitted.")]
Posterior = Annotated[
    bool,
    typer.Option(
        "--posterior",
        help="Draw the truths from the posterior given the data, and add as many simulated days to these.",
    ),
]
Anew = Annotated[bool, typer.Option("--overwrite", help="Start anew where a calibration was begun; else it goes on.")]

# The weather models' own.
WeatherFile = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV or Parquet with date, temperature (or temp_max and temp_min) and precipitation, or a CSV as "
        "downloaded from the Japan Meteorological Agency.",
    ),
]
OptionalWeatherFile = Annotated[
    str | None, typer.Argument(metavar="[DATA]", help="As for fit: its days and its scales are simulated.")
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
Days = Annotated[int | None, typer.Option(help="Only so many of the file's first days.")]
