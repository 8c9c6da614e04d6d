"""Metropolis sampling of any density: many chains at once, adapted during warm-up, then left alone.

Metropolis, Rosenbluth, Rosenbluth, Teller and Teller (1953), doi:10.1063/1.1699114; Hastings (1970),
doi:10.1093/biomet/57.1.97. Blocks of 64 chains adapt by themselves and have random streams of their own: their draws do
not depend on how many blocks there are, nor on how many threads run them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError
from bayeskit.core.types import Draws
from bayeskit.inference._blas import single_threaded
from bayeskit.inference._chains import Group, Outcome, Stopped, run_group
from bayeskit.inference._pilots import plan_kernel
from bayeskit.inference._plans import own_plan
from bayeskit.inference._streams import BLOCK
from bayeskit.inference.kernels import Kernel

Progress = Callable[[int, int], None]

GROUP_CHAINS = 2048  # enough that a step's arithmetic outweighs its some 50 calls of NumPy
GROUP_NUMBERS = 16_384  # coordinates of a group, so that its arrays stay in the cache
_BETWEEN_REPORTS = 0.1  # seconds


class MetropolisConfig(Config):
    """How Metropolis runs.

    Parameters
    ----------
    chains, warmup, draws
        Number of chains, of iterations of each before adaptation ends, and of draws that each keeps after it.
    thin
        One iteration in so many is kept: draws of a random walk resemble each other.
    kernel
        ``random-walk``: Gaussian steps, rounded on whole numbers; ``mala``: Langevin steps, which need the gradient;
        ``elliptical-slice``: along ellipses of a Gaussian that a pilot run fits; ``tempering``: random walks on
        flattened densities that exchange their places, for several modes.
    target_acceptance
        Acceptance rate that warm-up adapts the step size to; None for the kernel's best.
    replicas
        ``tempering``: number of densities, the density itself included.
    hottest
        ``tempering``: inverse temperature of the flattest.
    threads
        How many groups of chains run at once, where there are several: above 2048 chains, or fewer of many coordinates.
        The density is then called from several threads at a time, and must bear that. The draws are the same. Tensors
        take one group and torch's own threads.
    """

    method: ClassVar[str] = "metropolis"
    chains: int = Field(default=64, ge=1, le=65_536)
    warmup: int = Field(default=1000, ge=20)
    draws: int = Field(default=1000, ge=4)
    thin: int = Field(default=10, ge=1)
    kernel: Literal["random-walk", "mala", "elliptical-slice", "tempering"] = "random-walk"
    target_acceptance: float | None = Field(default=None, gt=0, lt=1)
    replicas: int = Field(default=8, ge=2, le=64)
    hottest: float = Field(default=0.01, gt=0, lt=1)
    threads: int = Field(default=1, ge=1, le=1024)


def fit_metropolis(
    density: Density,
    config: MetropolisConfig,
    *,
    seed: int,
    kernel: Callable[[Density], Kernel] | None = None,
    progress: Progress | None = None,
) -> Draws:
    """Draw from a density by Markov chains.

    Parameters
    ----------
    density
        To draw from, up to a constant.
    config
        Which kernel runs, and how long.
    seed
        Of everything random; chains 64 b + 1 to 64 (b + 1) do not depend on how many chains there are, as far as the
        density's rows do not depend on each other's number to the last digit.
    kernel
        Makes the kernel of the density, of those in ``inference.kernels`` or one's own, in place of the configured
        one. Warm-up adapts the scale and covariance of its tuning to ``target_acceptance``; a kernel need not use them.
    progress
        Called with iterations done and in all, at most 10 times a second.

    Returns
    -------
    Draws
        Of kind ``mcmc``; ``sample_stats`` has ``lp``, the log density, and, but for the elliptical slice sampler, which
        never rejects, ``acceptance_rate``: each iteration's probability of acceptance, its mean where thinned.

    Raises
    ------
    ConfigError
        If the kernel does not suit the density, or the draws do not fit into memory.
    InferenceError
        If the chains run off to where nothing can be computed.
    ProgramError
        If the density misbehaves, or no start of positive density is found.
    """
    positions, log_density, acceptance = _room(config, density.n_dims)
    began = time.perf_counter()
    with single_threaded(density):
        own = None if kernel is None else own_plan(density, kernel, config.target_acceptance)
        plan = own or plan_kernel(density, config, seed)
    piloted = time.perf_counter() - began
    groups = list(_groups(config.chains, density))
    told = _Counter(progress, len(groups) * (config.warmup + config.draws * config.thin))

    def run(group: Group) -> Outcome:
        kept = (positions[group.rows], log_density[group.rows], acceptance[group.rows])
        return run_group(density, plan, config, group, seed, kept, told)

    with single_threaded(density):
        outcomes = _in_threads(run, groups, config.threads, told)
    statistics, engine = {"lp": log_density}, _told(outcomes)
    if not plan.never_rejects:
        statistics["acceptance_rate"] = acceptance
        engine |= {"mean_acceptance": float(acceptance.mean()), "acceptance_target": plan.target}
    return Draws(
        kind="mcmc",
        values=density.values(positions, seed),
        sample_stats=statistics,
        timings={
            "compile": 0.0,
            "warmup": piloted + sum(outcome.warmup_seconds for outcome in outcomes),
            "sampling": sum(outcome.sampling_seconds for outcome in outcomes),
        },
        engine={"method": config.method, "kernel": config.kernel if kernel is None else "own", **engine, **plan.engine},
    )


def _room(config: MetropolisConfig, n_dims: int) -> tuple[NDArray[np.float64], ...]:
    """Return what the draws are written into, once; refuse before anything runs what memory cannot hold."""
    import psutil

    shape = (config.chains, config.draws)
    size, free = 8 * config.chains * config.draws * (n_dims + 2), psutil.virtual_memory().available
    if size > free:
        raise ConfigError(
            f"{config.chains} chains of {config.draws} draws of {n_dims} coordinates take {size / 1e9:,.1f} GB of "
            f"memory, of which {free / 1e9:,.1f} GB are free; take fewer draws or chains, or thin"
        )
    return np.empty((*shape, n_dims)), np.empty(shape), np.empty(shape)


def _groups(n_chains: int, density: Density) -> Iterator[Group]:
    """Cut the chains into groups that run together: whole blocks, and what is left over by itself."""
    n_blocks, rest = divmod(n_chains, BLOCK)
    most = max(1, min(GROUP_CHAINS, GROUP_NUMBERS // density.n_dims) // BLOCK)
    if density.arrays == "torch":
        most = max(1, n_blocks)
    for first in range(0, n_blocks, most):
        here = min(most, n_blocks - first)
        yield Group(first, here, here * BLOCK)
    if rest:
        yield Group(n_blocks, 1, rest)


def _in_threads(run: Callable[[Group], Outcome], groups: list[Group], n_threads: int, told: _Counter) -> list[Outcome]:
    if n_threads == 1 or len(groups) == 1:
        return [run(group) for group in groups]
    with ThreadPoolExecutor(min(n_threads, len(groups))) as pool:
        futures = [pool.submit(run, group) for group in groups]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            told.stopped = True  # after an error or an interrupt; where all are done, nobody asks any more
    errors = [error for error in (future.exception() for future in futures) if error is not None]
    for error in errors:
        if not isinstance(error, Stopped):
            raise error
    return [future.result() for future in futures]


class _Counter:
    """Counts all groups' iterations, tells the caller now and then, and tells the groups when to stop."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.stopped = False
        self._progress, self._total, self._done, self._next = progress, total, 0, 0.0
        self._lock = threading.Lock()

    def __call__(self, n_done: int) -> bool:
        """Count, and return whether to go on."""
        with self._lock:
            self._done += n_done
            now = time.monotonic()
            if self._progress is not None and (now >= self._next or self._done == self._total):
                self._next = now + _BETWEEN_REPORTS
                self._progress(self._done, self._total)
        return not self.stopped


def _told(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return what the groups say of themselves."""
    found: dict[str, Any] = {"start_attempts": np.concatenate([outcome.start_attempts for outcome in outcomes])}
    found |= {name: np.concatenate([outcome.scales[name] for outcome in outcomes]) for name in outcomes[0].scales}
    swaps = [outcome.swaps for outcome in outcomes if outcome.swaps is not None]
    if swaps:
        sizes = [len(outcome.start_attempts) for outcome in outcomes]
        found["swap_acceptance"] = np.average(swaps, axis=0, weights=sizes)
    return found
