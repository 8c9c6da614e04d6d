"""Stan's methods other than sampling: each one process, whose draws and densities come back.

Laplace's approximation: Tierney and Kadane (1986), doi:10.1080/01621459.1986.10478240, here on the unconstrained
scale. Pathfinder: Zhang, Carpenter, Gelman and Vehtari (2022), https://jmlr.org/papers/v23/21-0889.html. ADVI:
Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), https://jmlr.org/papers/v18/16-107.html. L-BFGS: Nocedal (1980),
doi:10.1090/S0025-5718-1980-0572855-7.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bayeskit.core.errors import InferenceError
from bayeskit.core.types import StanModel
from bayeskit.inference._configs import AnyConfig, LaplaceConfig, OptimizeConfig, PathfinderConfig, VariationalConfig
from bayeskit.inference._job import Floats, Job, Outcome, write_json
from bayeskit.inference._process import refuse_full_disk, run
from bayeskit.inference._words import ascended, failure, optimised

_ALL_DIGITS = 18


def optimize(job: Job, config: OptimizeConfig, init: list[str]) -> Outcome:
    """Find a mode.

    A line search that fails ends L-BFGS with an error even where the optimum is reached to all digits; the point is
    kept and the verdict is the assessment's.
    """
    columns, rows, console, status = _run(job, "optimize", _optimum(config.iterations, config.jacobian), init)
    converged, message = optimised(console, status)
    _require(job, rows, 1, console, 0)
    point = rows[None, -1:]
    lp = {"lp": point[..., columns.index("lp__")]}
    return Outcome("point", columns, point, lp, engine={"converged": converged, "message": message})


def laplace(job: Job, config: LaplaceConfig, init: list[str]) -> Outcome:
    """Approximate by a normal around the mode of the posterior density on the unconstrained scale.

    ``log_p`` and ``log_q`` are CmdStan's columns ``log_p__`` and ``log_q__``: densities on that scale.
    """
    exact = replace(job, digits=_ALL_DIGITS)
    columns, rows, console, status = _run(exact, "optimize", _optimum(config.iterations, True), init)
    _require(job, rows, 1, console, 0)
    converged, message = optimised(console, status)
    arguments = [f"mode={job.folder / 'optimize.csv'}", "jacobian=1", f"draws={config.draws}"]
    columns, rows, console, status = _run(job, "laplace", arguments, [])
    if status != 0 and "negative definite" in console:
        raise _no_peak(message)
    _require(job, rows, config.draws, console, status)
    if not np.isfinite(rows[:, columns.index("log_q__")]).all():  # where our runner refuses, CmdStan goes on
        raise _no_peak(message)
    return _approximation(columns, rows, "log_p__", "log_q__", converged=converged, message=message)


def pathfinder(job: Job, config: PathfinderConfig, init: list[str]) -> Outcome:
    """Approximate along quasi-Newton paths and resample by importance.

    The draws are those that Stan resampled, as many as there were raw ones. ``log_p`` and ``log_q`` are the columns
    ``lp__`` and ``lp_approx__`` of the raw draws, path after path (a path that failed has none): from the resampled
    ones k-hat would look better than it is.
    """
    total = config.paths * config.draws
    arguments = [
        f"num_paths={config.paths}",
        f"num_draws={config.draws}",
        f"max_lbfgs_iters={config.iterations}",
        *([f"num_psis_draws={total}", "save_single_paths=1"] if config.paths > 1 else []),
    ]
    columns, rows, console, status = _run(job, "pathfinder", arguments, init)
    _require(job, rows, 1, console, status)
    if config.paths == 1:
        return _approximation(columns, rows, "lp__", "lp_approx__")
    files = sorted(job.folder.glob("pathfinder_path_*.csv"), key=lambda path: int(path.stem.rpartition("_")[2]))
    paths = [single for _, single in map(_read, files) if len(single)]
    if not paths:
        raise InferenceError("Stan wrote no draws of the single paths; give --paths 1")
    raw = _approximation(columns, np.concatenate(paths), "lp__", "lp_approx__")
    return replace(raw, draws=rows[None], engine={"failed_paths": config.paths - len(paths)})


def variational(job: Job, config: VariationalConfig, init: list[str]) -> Outcome:
    """Approximate by the normal that ADVI's stochastic gradient ascent finds.

    CmdStan's first row is the approximation's mean, which is no draw. ``log_p`` and ``log_q`` are its columns
    ``log_p__`` and ``log_g__``: densities on the unconstrained scale.
    """
    arguments = [f"algorithm={config.algorithm}", f"iter={config.iterations}", f"output_samples={config.draws}"]
    columns, rows, console, status = _run(job, "variational", arguments, init)
    _require(job, rows, config.draws + 1, console, status)
    converged, message = ascended(console)
    return _approximation(columns, rows[1:], "log_p__", "log_g__", converged=converged, message=message)


METHODS: Mapping[type[AnyConfig], Callable[[Job, Any, list[str]], Outcome]] = {
    OptimizeConfig: optimize,
    LaplaceConfig: laplace,
    PathfinderConfig: pathfinder,
    VariationalConfig: variational,
}


def approximate(job: Job, config: AnyConfig, model: StanModel) -> Outcome:
    """Run the method that the configuration is for, from the start that the model gives."""
    start = model.stan_inits(np.random.default_rng(np.random.SeedSequence(job.seed).spawn(1)[0]))
    where = write_json(job.folder / "init.json", start) if isinstance(start, Mapping) else start
    started = time.perf_counter()
    outcome = METHODS[type(config)](job, config, [] if where is None else [f"init={where}"])
    return replace(outcome, timings={config.method: time.perf_counter() - started})


def _no_peak(message: str) -> InferenceError:
    return InferenceError(
        f"the density has no peak that a normal fits at the point where the optimiser ended ({message}): its "
        "curvature there is not negative in every direction; take --method sample, "
        + (
            "or give the optimiser more steps (--iterations)"
            if "Maximum number" in message
            else "or start elsewhere (--seed)"
        )
    )


def _optimum(iterations: int, jacobian: bool) -> list[str]:
    return ["algorithm=lbfgs", f"iter={iterations}", f"jacobian={int(jacobian)}"]


def _run(job: Job, method: str, arguments: list[str], init: list[str]) -> tuple[list[str], Floats, str, int]:
    """Run one method; return its columns, its rows, all that it said and its exit status."""
    csv = job.folder / f"{method}.csv"
    command = [str(job.executable), f"method={method}", *arguments]
    command += ["data", f"file={job.data}"] if job.data else []
    command += [*init, "random", f"seed={job.seed}", "output", f"file={csv}", f"sig_figs={job.digits}"]
    command += [
        f"profile_file={csv.with_suffix('.profile')}"
    ]  # by itself it would go to the folder that the user is in
    status, console = run(command, csv.with_suffix(".txt"))
    columns, rows = _read(csv)
    return columns, rows, console, status


def _read(csv: Path) -> tuple[list[str], Floats]:
    from cmdstanpy.utils import stancsv

    if not csv.is_file():
        return [], np.empty((0, 0))
    _, header, lines = stancsv.parse_comments_header_and_draws(csv)
    columns = header.split(",") if header else []
    # A process that was stopped leaves half a line.
    whole = [line for line in lines if line.count(b",") + 1 == len(columns)]
    return columns, stancsv.csv_bytes_list_to_numpy(whole)


def _require(job: Job, rows: Floats, count: int, console: str, status: int) -> None:
    if status != 0 or len(rows) < count:
        refuse_full_disk(job.folder, console)
        raise failure(console, status, job.absent)


def _approximation(columns: list[str], rows: Floats, log_p: str, log_q: str, **engine: Any) -> Outcome:
    draws = rows[None]
    statistics = {"log_p": draws[..., columns.index(log_p)], "log_q": draws[..., columns.index(log_q)]}
    return Outcome("variational", columns, draws, statistics, engine=engine)
