"""NUTS by Stan, through cmdstanpy, on whichever CmdStan the toolchain finds or builds.

No-U-turn sampler: Hoffman and Gelman (2014), https://jmlr.org/papers/v15/hoffman14a.html, with Stan's multinomial
sampling and windowed adaptation (Betancourt 2017, arXiv:1701.02434).
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from pydantic import Field, field_validator

from bayeskit.core.config import Config
from bayeskit.core.errors import InferenceError
from bayeskit.core.paths import resource
from bayeskit.core.types import Draws, StanModel
from bayeskit.toolchain import compile_program, ensure_home

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
_THREADS = "STAN_NUM_THREADS"
_SIGNIFICANT_DIGITS = 9  # a float32's worth: far below any Monte Carlo error, and half the file of 17
_SUPERCHAINS_ABOVE = 16
_CHAINS_A_POINT = 4
_LITTLE = 100_000  # bytes; a disk with less is full, whatever Stan could still say of it


class StanConfig(Config):
    """How NUTS runs.

    Parameters
    ----------
    chains, warmup, draws
        Number of chains (above 16 a multiple of 4), and of iterations per chain before and after adaptation ends.
    adapt_delta
        Target acceptance rate; nearer to 1 means smaller steps. Short series diverge now and then at Stan's 0.8.
    max_treedepth
        A trajectory has at most ``2**max_treedepth - 1`` steps.
    """

    chains: int = Field(default=4, ge=1, le=1024)
    warmup: int = Field(default=1000, ge=20)
    draws: int = Field(default=1000, ge=4)
    adapt_delta: float = Field(default=0.95, gt=0, lt=1)
    max_treedepth: int = Field(default=10, ge=1, le=20)

    @field_validator("chains")
    @classmethod
    def _in_groups(cls, chains: int) -> int:
        if chains > _SUPERCHAINS_ABOVE and chains % _CHAINS_A_POINT:
            raise ValueError(
                f"above {_SUPERCHAINS_ABOVE}, chains start in groups of {_CHAINS_A_POINT}; take a multiple"
            )
        return chains


def fit_stan(model: StanModel, config: StanConfig, *, seed: int, output_dir: Path | None = None) -> Draws:
    """Sample a Stan program's posterior with NUTS.

    Parameters
    ----------
    model
        Names its program in ``stan/``, gives its data and says which quantities to keep.
    config
        How NUTS runs.
    seed
        Stan's own seed, from 0 to 2**32 - 1; up to 16, chain ``i`` does not depend on how many chains there are.
    output_dir
        Where Stan writes its CSV files; a temporary folder unless given.

    Returns
    -------
    Draws
        Of kind ``mcmc``.

    Raises
    ------
    InferenceError
        If Stan stops without a result; the message has Stan's last words.
    OSError
        If the disk is full.
    ToolchainError
        If Stan cannot be built or the program does not compile.

    Notes
    -----
    Above 16 chains these start in groups of 4 from common points, as nested R-hat needs them (Margossian et al. 2024,
    doi:10.1214/24-BA1453).
    """
    starts, superchains = _starts(model, config.chains, seed)
    home = ensure_home()
    executable, compile_seconds = compile_program(resource("stan", model.program), home, (resource("stan"),))
    with tempfile.TemporaryDirectory(prefix="bayeskit-") as scratch:
        result = _sample(executable, model, starts, config, seed, output_dir or Path(scratch))
        values = {name: _by_chain(result.stan_variable(name), config) for name in model.outputs}
        statistics = {
            _STATISTICS[name]: np.ascontiguousarray(value.T)
            for name, value in result.method_variables().items()
            if name in _STATISTICS
        }
        times = result.time
    statistics["diverging"] = statistics["diverging"].astype(bool)
    for name in ("tree_depth", "n_steps"):
        statistics[name] = statistics[name].astype(np.int64)
    return Draws(
        kind="mcmc",
        values=values,
        sample_stats=statistics,
        timings={
            "compile": compile_seconds,
            "warmup": sum(chain["warmup"] for chain in times),
            "sampling": sum(chain["sampling"] for chain in times),
        },
        engine={
            "stan": home.version,
            "stan_origin": home.origin,
            "metric": model.metric,
            "max_treedepth": config.max_treedepth,
            "superchains": superchains,
        },
    )


def _starts(model: StanModel, chains: int, seed: int) -> tuple[list[Mapping[str, Any]], list[int] | None]:
    """Return initial values per chain, and above 16 chains the number of each chain's starting point."""
    shared = chains > _SUPERCHAINS_ABOVE
    points = [chain // _CHAINS_A_POINT if shared else chain for chain in range(chains)]
    rngs = np.random.SeedSequence(seed).spawn(chains)
    return [model.stan_inits(np.random.default_rng(rngs[point])) for point in points], points if shared else None


def _sample(
    executable: Path,
    model: StanModel,
    starts: list[Mapping[str, Any]],
    config: StanConfig,
    seed: int,
    output_dir: Path,
) -> CmdStanMCMC:
    import cmdstanpy

    with _quiet(cmdstanpy.utils.get_logger()), _environment_kept(), _children_end_with_us():
        try:
            return cmdstanpy.CmdStanModel(exe_file=str(executable)).sample(
                data=model.stan_data(),
                metric=model.metric,
                inits=starts,
                chains=config.chains,
                parallel_chains=min(config.chains, psutil.cpu_count() or 1),
                iter_warmup=config.warmup,
                iter_sampling=config.draws,
                adapt_delta=config.adapt_delta,
                max_treedepth=config.max_treedepth,
                seed=seed,
                output_dir=str(output_dir),
                sig_figs=_SIGNIFICANT_DIGITS,
                show_progress=bool(sys.stderr and sys.stderr.isatty()),
            )
        except (RuntimeError, ValueError) as error:
            if os.strerror(errno.ENOSPC) in str(error) or shutil.disk_usage(output_dir).free < _LITTLE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(output_dir)) from error
            raise InferenceError(_last_words(str(error))) from error


def _last_words(message: str) -> str:
    """Stan's own complaint out of cmdstanpy's long message, on one line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or "xception" in line or "rejected" in line]
    return f"Stan stopped without a result: {' '.join((telling or lines)[:3])}"


def _by_chain(draws: np.ndarray[Any, Any], config: StanConfig) -> np.ndarray[Any, Any]:
    """Cmdstanpy stacks the chains one after the other."""
    return draws.reshape(config.chains, config.draws, *draws.shape[1:])


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo what cmdstanpy does to the process: it sets STAN_NUM_THREADS, and writes its progress to standard output."""
    before = os.environ.get(_THREADS)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if before is None:
            os.environ.pop(_THREADS, None)
        else:
            os.environ[_THREADS] = before


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep cmdstanpy's notes off the screen; its errors come back as exceptions."""
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _children_end_with_us() -> Iterator[None]:
    """On Ctrl-C or SIGTERM end Stan's processes at once; cmdstanpy would wait for them and for those to come."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    ours = psutil.Process()
    others = set(ours.children(recursive=True))
    over = threading.Event()

    def reap() -> None:
        while not over.wait(0.02):
            for child in set(ours.children(recursive=True)) - others:
                with suppress(psutil.NoSuchProcess):
                    child.kill()

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=reap, daemon=True).start()
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)
