"""The simulations of a calibration: each by itself, and many of them side by side."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.errors import DataError, InferenceError, ProgramError
from bayeskit.core.types import Draws
from bayeskit.diagnostics.calibration import Simulation, rank_quantities
from bayeskit.diagnostics.convergence import summarise
from bayeskit.models.bmf import BMF
from bayeskit.models.gmm import GMM
from bayeskit.models.program import StanProgram
from bayeskit.models.sbm import SBM
from bayeskit.models.weather import WeatherModel
from bayeskit.tasks import AnyConfig
from bayeskit.workflows.drawing import draw
from bayeskit.workflows.fitting import Notify

Arrays = Mapping[str, NDArray[Any]]
Model = WeatherModel | GMM | SBM | BMF | StanProgram  # what can simulate

_TELL_EVERY = 10.0  # seconds


@dataclass(frozen=True)
class Job:
    """One simulation, all that it follows from: the truth too, where it does not come from the model's own prior."""

    model: Model
    config: AnyConfig
    seed: int
    index: int
    truth: Arrays | None

    def simulate(self, rng: np.random.Generator) -> tuple[Arrays, Model]:
        """Return a truth, and the model with data that follow from it."""
        if self.truth is None:
            assert isinstance(self.model, WeatherModel | GMM | SBM | BMF)
            return self.model.simulate(rng)
        assert not isinstance(self.model, GMM | SBM | BMF)
        if isinstance(self.model, WeatherModel):
            return self.model.continued(self.truth, self.model.data.n_days, rng)
        return self.model.simulated(self.truth)


def run_all(jobs: Sequence[Job], total: int, executor: Executor | None, notify: Notify | None) -> Iterator[Simulation]:
    """Run simulations side by side, and yield each as it ends.

    Parameters
    ----------
    jobs
        What is missing of the ``total`` simulations.
    executor
        Where they run; processes on this machine unless given.
    notify
        Hears of the progress.

    Raises
    ------
    InferenceError
        If a process ends before its simulation does.
    """
    told = time.monotonic()
    with _pool(executor) as pool:
        waiting = [pool.submit(simulate_one, job) for job in jobs]
        try:
            for done, future in enumerate(as_completed(waiting), total - len(jobs) + 1):
                yield future.result()
                if notify and (done == total or time.monotonic() - told > _TELL_EVERY):
                    told = time.monotonic()
                    notify(f"{done} of {total} simulations")
        except BrokenExecutor as error:
            raise InferenceError(
                "a process that simulates has ended all at once: for lack of memory, or because a script does its work "
                'outside of if __name__ == "__main__"; what was simulated before is kept where there is a folder'
            ) from error
        finally:  # nobody waits for them any more, were it the caller's own executor
            for future in waiting:
                future.cancel()


def simulate_one(job: Job) -> Simulation:
    """Simulate a truth and data, fit, and rank the truth among the draws."""
    rng = np.random.default_rng([job.seed, job.index])
    clock = time.perf_counter()
    truth, simulated = job.simulate(rng)
    try:
        draws = draw(simulated, job.config, seed=int(rng.integers(2**31)))
        found, known = _test_quantities(simulated, truth, draws)
        quantities = rank_quantities(known, found, rng, kind=draws.kind)
    except (DataError, InferenceError, ProgramError) as error:
        return Simulation(job.index, time.perf_counter() - clock, {}, problem=str(error))
    return Simulation(
        index=job.index,
        seconds=time.perf_counter() - clock,
        quantities=quantities,
        divergences=int(np.sum(draws.sample_stats.get("diverging", 0))),
        max_r_hat=_max_r_hat(found),
    )


def _test_quantities(model: Model, truth: Arrays, draws: Draws) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
    """Return the draws of what is ranked, ``n_chains x n_draws``, and the truth of the same, by label."""
    n_chains, n_draws = next(iter(draws.values.values())).shape[:2]
    pooled = {name: value.reshape(n_chains * n_draws, *value.shape[2:]) for name, value in draws.values.items()}
    found = model.test_quantities(pooled)
    known = model.test_quantities({name: np.asarray(value)[None] for name, value in truth.items()})
    shared = [label for label in known if label in found]
    if not shared:
        raise InferenceError("the simulator and the program have no quantity in common")
    ranked = {label: found[label].reshape(n_chains, n_draws) for label in shared}
    return ranked, {label: float(known[label][0]) for label in shared}


def _max_r_hat(ranked: Arrays) -> float | None:
    if next(iter(ranked.values())).shape[0] < 2:
        return None
    quantities = {f"q{i}": (("chain", "draw"), value) for i, value in enumerate(ranked.values())}
    return float(summarise(xr.Dataset(quantities))["r_hat"].max())


@contextmanager
def _pool(executor: Executor | None) -> Iterator[Executor]:
    if executor is not None:
        yield executor
        return
    # Not forked: threads of libraries that are loaded here would not live on in the copy.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(psutil.cpu_count() or 1, mp_context=context, initializer=_ignore_interrupts)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
