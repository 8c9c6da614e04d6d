"""The options that commands share, each declared once, and the groups of them that a command takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

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
        help="What fits: stan (NUTS in Stan), nuts (NUTS on a Pyro program), svi (variational), vb (variational, by "
        "coordinate ascent), gibbs, em or spectral (a point), exact (all assignments enumerated), metropolis, "
        "rejection, importance or smc; unless given the first that can."
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
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda; the engine's own choice unless given.")]
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
Thin = Annotated[int | None, typer.Option(help="metropolis, gibbs: keep one iteration in so many.")]
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
Backend = Annotated[
    Literal["auto", "compiled", "pyro"] | None,
    typer.Option(help="nuts: the program compiled, or Pyro's own sampler; auto compiles where that works."),
]
StartsFrom = Annotated[
    Literal["auto", "model", "svi", "pathfinder", "prior", "uniform"] | None,
    typer.Option(help="nuts, svi: where to start: from the model's own (such as by EM), svi, … (auto)."),
]
Guide = Annotated[str | None, typer.Option(help="svi: form of the approximation (multivariate_normal).")]
Loss = Annotated[
    Literal["trace", "trace_mean_field", "trace_enum"] | None,
    typer.Option(help="svi: estimator of the ELBO; trace_enum sums discrete sites out."),
]
Steps = Annotated[int | None, typer.Option(help="svi: most steps.")]
LearningRate = Annotated[float | None, typer.Option(help="svi: of the first step.")]
Checkpoint = Annotated[
    str | None, typer.Option(help="svi: keep the state in this file now and then; a run that was killed goes on.")
]
Restarts = Annotated[int | None, typer.Option(help="em, vb, spectral: how many starts, of which the best is kept.")]
MaxIterations = Annotated[int | None, typer.Option(help="em, vb: most steps of a start.")]
Tolerance = Annotated[
    float | None,
    typer.Option(help="em, vb, svi: change of the log likelihood, or of the bound, at which it has settled."),
]
Schedule = Annotated[
    Literal["plateau", "constant", "cosine", "exponential"] | None,
    typer.Option(help="svi: what becomes of the learning rate (plateau)."),
]
BatchSize = Annotated[int | None, typer.Option(help="em, svi: points a step, where all are too many.")]
Annealing = Annotated[
    int | None, typer.Option(help="vb: iterations at the beginning during which evidence counts for less.")
]
Laplacian = Annotated[
    Literal["symmetric", "random-walk", "unnormalised"] | None,
    typer.Option(help="spectral: which Laplacian of the graph (symmetric)."),
]

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

# The Gaussian mixture's own.
PointsFile = Annotated[
    str, typer.Argument(metavar="POINTS", help="CSV or Parquet, a point a row; empty cells are missing.")
]
OptionalPointsFile = Annotated[
    str | None, typer.Argument(metavar="[POINTS]", help="As for fit: its size and its missing cells are simulated.")
]
Columns = Annotated[
    str | None, typer.Option(help="Names of the columns to take, with commas; all that hold numbers unless given.")
]
Components = Annotated[
    str | None,
    typer.Option(help="How many, or auto: chosen by --criterion. With --dp the most there may be (10)."),
]
Criterion = Annotated[
    Literal["loo", "bic", "aic", "icl"] | None,
    typer.Option(help="What auto chooses by (loo; bic with --engine em)."),
]
Covariance = Annotated[
    Literal["full", "tied", "diagonal", "spherical"],
    typer.Option(help="Of a component: its own, one for all, without correlations, or one scale for all columns."),
]
DirichletProcess = Annotated[
    bool, typer.Option("--dp", help="A Dirichlet process: how many components are occupied is part of the answer.")
]
Standardise = Annotated[bool, typer.Option(help="Bring columns to mean 0 and sd 1 first; results are in their units.")]

# The stochastic block model's own.
GraphFile = Annotated[
    str,
    typer.Argument(
        metavar="EDGES",
        help="Edges as CSV, TSV or Parquet (source, target and perhaps weight), a matrix with names, GraphML, GML or "
        "Matrix Market.",
    ),
]
OptionalGraphFile = Annotated[
    str | None, typer.Argument(metavar="[EDGES]", help="As for fit: its size and its unobserved pairs are simulated.")
]
EdgeColumns = Annotated[
    str | None,
    typer.Option("--columns", help="Names of the columns of source, target and perhaps weight, with commas."),
]
Directed = Annotated[
    bool | None,
    typer.Option(
        "--directed/--undirected",
        "--directed/--no-directed",
        help="Whether edges have a direction; as the file says unless given.",
    ),
]
SelfLoops = Annotated[
    Literal["drop", "keep", "error"],
    typer.Option(help="Edges from a node to itself: left out and not modelled, modelled, or refused."),
]
Repeated = Annotated[
    Literal["error", "sum", "once"],
    typer.Option(help="The same edge several times: refused, its weights added up, or taken once."),
]
MissingWeights = Annotated[
    Literal["unobserved", "zero", "error"],
    typer.Option("--missing", help="An empty weight: a pair that says nothing, one without an edge, or refused."),
]
Unobserved = Annotated[str | None, typer.Option(help="A file of pairs (source, target) that were not observed.")]
Nodes = Annotated[str | None, typer.Option(help="A file with a row for each node, also those without edges.")]
Labels = Annotated[
    str | None, typer.Option(help="A file with the known group of each node, which the blocks are held against.")
]
LabelColumn = Annotated[str | None, typer.Option(help="The column of --labels, or of the graph's nodes, with groups.")]
SourceBlocks = Annotated[str, typer.Option(help="How many blocks of sources, or auto: chosen by --criterion.")]
TargetBlocks = Annotated[
    str | None,
    typer.Option(help="How many blocks of targets, or auto (unless given); with --shared as many as of sources."),
]
Shared = Annotated[bool, typer.Option("--shared", help="One block a node, as a source and as a target.")]
BlockCriterion = Annotated[
    Literal["icl", "dl", "elbo"] | None,
    typer.Option(
        "--criterion",
        help="What auto chooses by: integrated complete likelihood (icl, unless given), description length, or the "
        "bound.",
    ),
]
BlockLikelihood = Annotated[
    Literal["bernoulli", "poisson"] | None,
    typer.Option("--likelihood", help="Of edges that are there or not, or of weights as counts (bernoulli)."),
]
DegreeCorrected = Annotated[
    bool, typer.Option("--degree-corrected", help="Nodes of a block may have different degrees (poisson).")
]
HoldOut = Annotated[float, typer.Option(help="Share of the pairs to hold out, to judge the prediction of links.")]

# The matrix factorisation's own.
RatingsFile = Annotated[
    str,
    typer.Argument(
        metavar="RATINGS",
        help="CSV, TSV or Parquet with user, item and rating; a file or folder of MovieLens; or a data set's name.",
    ),
]
RatingColumns = Annotated[
    str | None,
    typer.Option("--columns", help="Names of the columns of user, item, rating and perhaps time, with commas."),
]
UserTable = Annotated[str | None, typer.Option("--users", help="A file with a row for each user.")]
ItemTable = Annotated[str | None, typer.Option("--items", help="A file with a row for each item.")]
RepeatedRatings = Annotated[
    Literal["error", "mean", "last"],
    typer.Option("--repeated", help="The same item by the same user: refused, the mean taken, or the last."),
]
Scale = Annotated[str | None, typer.Option(help="least:greatest[:step]; as the ratings say unless given.")]
Split = Annotated[
    str,
    typer.Option(help="What is held out for testing: random, last (of each user), u1 to u5 (MovieLens 100K) or none."),
]
TestShare = Annotated[float, typer.Option("--hold-out", help="Share of the ratings that --split random holds out.")]
Rank = Annotated[int, typer.Option(help="Number of factors.")]
RatingLikelihood = Annotated[
    Literal["normal", "ordinal"],
    typer.Option("--likelihood", help="Ratings as numbers, or as levels in order with cutpoints between them."),
]
FeatureKinds = Annotated[
    str,
    typer.Option(
        "--features",
        help="What moves prior means: users, items (their tables), time, implicit (who rated what), with commas; all "
        "or none.",
    ),
]
PriorFamily = Annotated[
    Literal["wishart", "ard"] | None,
    typer.Option(help="Of factors: all variances and correlations unknown, or automatic relevance of each (wishart)."),
]
Nonnegative = Annotated[bool, typer.Option("--nonnegative", help="Factors that are not negative, without biases.")]
MissingRatings = Annotated[
    Literal["excluded", "zero", "mean"] | None,
    typer.Option("--missing", help="als, gd, nmf: what becomes of what was not rated (excluded)."),
]
Ridge = Annotated[float | None, typer.Option(help="als, gd, nmf: penalty on the squares of the factors.")]

# The autoencoders' own, and those of their training.
ExamplesFile = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Images: a data set's name (digits, mnist), a folder, .npz or IDX; or a table as CSV or Parquet.",
    ),
]
Condition = Annotated[
    str | None,
    typer.Option(
        "--condition",
        help="What rows are given (cvae): names of columns with commas, or label of images. Of a vae it only colours.",
    ),
]
Label = Annotated[str | None, typer.Option(help="Column of a table with known groups, which colour the codes.")]
Binarise = Annotated[
    Literal["none", "static", "dynamic"],
    typer.Option(help="Grey as it is; made black and white once, grey being the chance; or anew in each step."),
]
PictureSize = Annotated[
    str | None, typer.Option("--size", help="Height and width that all images are brought to, as 28x20.")
]
First = Annotated[int | None, typer.Option(help="Only so many of the first rows.")]
Latent = Annotated[int, typer.Option(help="Number of codes of a row.")]
Hidden = Annotated[
    str | None,
    typer.Option(
        help="Sizes of the encoder's hidden layers, or numbers of channels, with commas; the decoder has the same in "
        "reverse; none for a linear model."
    ),
]
Architecture = Annotated[Literal["mlp", "conv"], typer.Option(help="Of the networks: layers, or convolutions.")]
RowLikelihood = Annotated[
    Literal["bernoulli", "continuous-bernoulli", "gaussian", "categorical"] | None,
    typer.Option("--likelihood", help="Of pixels or columns (bernoulli of images, gaussian of tables)."),
]
LatentPrior = Annotated[
    Literal["normal", "laplace"], typer.Option(help="Of a code: standard normal, or Laplace, for sparse ones.")
]
SharedNoise = Annotated[
    bool | None, typer.Option(help="gaussian: one standard deviation for all columns, in units of their own.")
]
Denoise = Annotated[
    float, typer.Option(help="Sd of noise on the encoder's input, in grey from 0 to 1 or in a column's sds.")
]
HeldOutRows = Annotated[
    float, typer.Option("--hold-out", help="Share of the rows that judges the training; not where the data say it.")
]
Quadrants = Annotated[int, typer.Option(help="Quadrants of an image that are given, to complete the others: 1 to 3.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the data, at most (100).")]
RowsAStep = Annotated[int | None, typer.Option("--batch-size", help="Rows a step (128).")]
TrainingRate = Annotated[float | None, typer.Option("--learning-rate", help="Adam's (0.001).")]
TrainingSchedule = Annotated[
    Literal["constant", "cosine"] | None, typer.Option("--schedule", help="What becomes of the rate (cosine).")
]
Beta = Annotated[float | None, typer.Option(help="Weight of the divergence between codes and prior (1).")]
KLWarmup = Annotated[int | None, typer.Option(help="Epochs over which that weight rises from 0 (0).")]
FreeBits = Annotated[float | None, typer.Option(help="Nats of divergence that a code has for nothing (0).")]
Patience = Annotated[
    int | None,
    typer.Option(help="Epochs without a good bound of rows held out, after which training ends; 0: never (20)."),
]
Clip = Annotated[float | None, typer.Option(help="Largest gradient that counts, number by number (none).")]
CheckpointEvery = Annotated[
    float | None, typer.Option(help="Seconds between two states kept, from which bayeskit resume goes on (30).")
]
Compile = Annotated[
    Literal["auto", "always", "never"] | None,
    typer.Option(help="Whether to compile the training step; auto: where that takes less time than it saves."),
]

# A Pyro program's own.
PyroReference = Annotated[
    str, typer.Argument(metavar="FILE.py:PROGRAM", help="A function with pyro.sample statements in a Python file.")
]
ProgramTable = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATA]", help="CSV or Parquet; an argument of the program gets the column of its name, as a tensor."
    ),
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

Group = Mapping[str, tuple[Any, Any]]
"""Options by name: how each is declared, and its default."""

WEATHER: Group = {
    "model": (Structure, "level"),
    "form": (Form, "marginal"),
    "rain": (Rain, "ignore"),
    "rain_threshold": (RainThreshold, 0.0),
    "station": (Station, None),
    "days": (Days, None),
    "prior": (Priors, None),
}
MIXTURE: Group = {
    "columns": (Columns, None),
    "components": (Components, None),
    "criterion": (Criterion, None),
    "covariance": (Covariance, "full"),
    "dp": (DirichletProcess, False),
    "standardise": (Standardise, True),
    "prior": (Priors, None),
}
BLOCKS: Group = {
    "columns": (EdgeColumns, None),
    "directed": (Directed, None),
    "self_loops": (SelfLoops, "drop"),
    "repeated": (Repeated, "error"),
    "missing": (MissingWeights, "unobserved"),
    "unobserved": (Unobserved, None),
    "nodes": (Nodes, None),
    "labels": (Labels, None),
    "label_column": (LabelColumn, None),
    "source_blocks": (SourceBlocks, "auto"),
    "target_blocks": (TargetBlocks, None),
    "shared": (Shared, False),
    "criterion": (BlockCriterion, None),
    "likelihood": (BlockLikelihood, None),
    "degree_corrected": (DegreeCorrected, False),
    "hold_out": (HoldOut, 0.0),
    "prior": (Priors, None),
}
RATINGS: Group = {
    "columns": (RatingColumns, None),
    "users": (UserTable, None),
    "items": (ItemTable, None),
    "repeated": (RepeatedRatings, "error"),
    "scale": (Scale, None),
    "split": (Split, "random"),
    "hold_out": (TestShare, 0.1),
    "rank": (Rank, 10),
    "likelihood": (RatingLikelihood, "normal"),
    "features": (FeatureKinds, "none"),
    "prior_family": (PriorFamily, None),
    "nonnegative": (Nonnegative, False),
    "prior": (Priors, None),
}
IMPUTATION: Group = {"missing": (MissingRatings, None), "ridge": (Ridge, None)}
"""Options of the engines of point estimates of a factorisation alone."""
EXAMPLES: Group = {
    "columns": (Columns, None),
    "condition": (Condition, None),
    "label": (Label, None),
    "binarise": (Binarise, "none"),
    "size": (PictureSize, None),
    "first": (First, None),
    "latent": (Latent, 2),
    "hidden": (Hidden, None),
    "architecture": (Architecture, "mlp"),
    "likelihood": (RowLikelihood, None),
    "latent_prior": (LatentPrior, "normal"),
    "shared_noise": (SharedNoise, None),
    "denoise": (Denoise, 0.0),
    "hold_out": (HeldOutRows, 0.1),
}
COMPLETION: Group = {"quadrants": (Quadrants, 0)}
TRAINING: Group = {
    "epochs": (Epochs, None),
    "batch_size": (RowsAStep, None),
    "learning_rate": (TrainingRate, None),
    "schedule": (TrainingSchedule, None),
    "beta": (Beta, None),
    "kl_warmup": (KLWarmup, None),
    "free_bits": (FreeBits, None),
    "patience": (Patience, None),
    "clip": (Clip, None),
    "checkpoint_every": (CheckpointEvery, None),
    "compile": (Compile, None),
    "seed": (Seed, 1),
    "device": (Device, None),
}
"""Of autoencoders, which a single engine trains."""
SAMPLERS: Group = {
    "chains": (EngineChains, None),
    "warmup": (EngineWarmup, None),
    "draws": (EngineDraws, None),
    "adapt_delta": (AdaptDelta, None),
    "max_treedepth": (MaxTreedepth, None),
    "metric": (Metric, None),
    "backend": (Backend, None),
    "init": (StartsFrom, None),
    "guide": (Guide, None),
    "loss": (Loss, None),
    "steps": (Steps, None),
    "learning_rate": (LearningRate, None),
    "schedule": (Schedule, None),
    "checkpoint": (Checkpoint, None),
    "restarts": (Restarts, None),
    "max_iterations": (MaxIterations, None),
    "tolerance": (Tolerance, None),
    "batch_size": (BatchSize, None),
    "annealing": (Annealing, None),
    "laplacian": (Laplacian, None),
    "thin": (Thin, None),
    "kernel": (Kernel, None),
    "replicas": (Replicas, None),
    "bound": (Bound, None),
    "adaptive": (Adaptive, None),
    "defensive": (Defensive, None),
    "particles": (Particles, None),
    "runs": (Runs, None),
    "threads": (Threads, None),
}
ENGINE: Group = {"engine": (Engine, None), **SAMPLERS, "seed": (Seed, 1), "device": (Device, None)}
RUN: Group = {
    "strict": (Strict, False),
    "overwrite": (Overwrite, False),
    "out": (Out, None),
    "lang": (Lang, "en"),
    "figures": (Figures, None),
}
SCRIPT: Group = {
    "strict": (Strict, False),
    "overwrite": (
        Annotated[
            bool, typer.Option(help="Whether the script may replace an earlier run; it is there to be run again.")
        ],
        True,
    ),
    "out": (Out, None),
}


def takes(*groups: Group) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, which has ``**given``, the options of these groups as if they stood in its signature."""
    options = {name: option for group in groups for name, option in group.items()}

    def declared(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
        hints = get_type_hints(command, include_extras=True)
        parameters = [p.replace(annotation=hints[p.name]) for p in own]
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in options.items()
        ]

        @wraps(command)
        def told(**given: Any) -> None:
            command(**given)

        told.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        told.__annotations__ = {p.name: p.annotation for p in parameters}
        return told

    return declared
