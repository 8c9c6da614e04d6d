"""NUTS, and the independent draws of programs without parameters, through cmdstanpy."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from bayeskit.core.errors import DataError, InferenceError, ProgramError
from bayeskit.core.types import StanModel
from bayeskit.inference._columns import sampler_statistics
from bayeskit.inference._configs import CHAINS_A_POINT, SUPERCHAINS_ABOVE, StanConfig
from bayeskit.inference._job import Job, Outcome
from bayeskit.inference._process import cmdstanpy_tamed, read_console, refuse_full_disk
from bayeskit.inference._words import failure

if TYPE_CHECKING:
    from cmdstanpy import CmdStanMCMC

# ArviZ's names for Stan's statistics.
_STATISTICS = {
    "lp__": "lp",
    "accept_stat__": "acceptance_rate",
    "stepsize__": "step_size",
    "treedepth__": "tree_depth",
    "n_leapfrog__": "n_steps",
    "divergent__": "diverging",
    "energy__": "energy",
}

Starts = list[Mapping[str, Any]] | float | None


def sample(job: Job, config: StanConfig, model: StanModel) -> Outcome:
    """Run all chains; of kind ``iid`` where the program has nothing to sample."""
    starts, superchains = _starts(model, config.chains, job.seed)
    result = _run_nuts(job, config, model.metric, starts)
    columns = str(result.metadata.cmdstan_config["raw_header"]).split(",")
    draws = np.moveaxis(result.draws(), 1, 0)
    times = result.time
    if "divergent__" not in columns:  # no parameters, or none with any elements
        return Outcome("iid", columns, draws, timings={"sampling": sum(chain["sampling"] for chain in times)})
    statistics: dict[str, NDArray[Any]] = dict(sampler_statistics(columns, draws, _STATISTICS))
    statistics["diverging"] = statistics["diverging"].astype(bool)
    for name in ("tree_depth", "n_steps"):
        statistics[name] = statistics[name].astype(np.int64)
    return Outcome(
        "mcmc",
        columns,
        draws,
        statistics,
        {phase: sum(chain[phase] for chain in times) for phase in ("warmup", "sampling")},
        {"metric": model.metric, "max_treedepth": config.max_treedepth, "superchains": superchains},
    )


def _starts(model: StanModel, chains: int, seed: int) -> tuple[Starts, list[int] | None]:
    """Return initial values per chain, and above 16 chains the number of each chain's starting point."""
    shared = chains > SUPERCHAINS_ABOVE
    points = [chain // CHAINS_A_POINT if shared else chain for chain in range(chains)]
    rngs = np.random.SeedSequence(seed).spawn(chains)
    starts = [model.stan_inits(np.random.default_rng(rngs[point])) for point in points]
    values = [start for start in starts if isinstance(start, Mapping)]
    if len(values) == chains:
        return values, points if shared else None
    # Stan draws them itself, each chain apart from the others.
    return next(start for start in starts if not isinstance(start, Mapping)), None


def _run_nuts(job: Job, config: StanConfig, metric: str, starts: Starts) -> CmdStanMCMC:
    import cmdstanpy

    with cmdstanpy_tamed(cmdstanpy.utils.get_logger()):
        try:
            return cmdstanpy.CmdStanModel(exe_file=str(job.executable)).sample(
                data=str(job.data) if job.data else None,
                metric=metric,
                inits=starts,
                chains=config.chains,
                parallel_chains=min(config.chains, psutil.cpu_count() or 1),
                iter_warmup=config.warmup,
                iter_sampling=config.draws,
                adapt_delta=config.adapt_delta,
                max_treedepth=config.max_treedepth,
                seed=job.seed,
                output_dir=str(job.folder),
                sig_figs=job.digits,
                save_profile=True,  # or it would go to the folder that the user is in
                show_progress=bool(sys.stderr and sys.stderr.isatty()),
            )
        except (RuntimeError, ValueError) as error:
            refuse_full_disk(job.folder, str(error))
            raise _explained(job, error) from error


def _explained(job: Job, error: Exception) -> DataError | ProgramError | InferenceError:
    """Return what the first chain that broke off said, rather than cmdstanpy's long message."""
    consoles = [read_console(path) for path in sorted(job.folder.glob("*-stdout.txt"))]
    broken = [console for console in consoles if "Elapsed Time" not in console]
    ended = re.search(r"retcodes=\[([-\d, ]*)\]", str(error))
    statuses = [int(status) for status in ended[1].split(",")] if ended else []
    signalled = next((status for status in statuses if status < 0), None)
    return failure(broken[0] if broken else str(error), signalled, job.absent)
