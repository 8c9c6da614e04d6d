"""Sequential Monte Carlo: particles go from a start distribution to the density, tempered, resampled and moved.

With q the normalised start distribution and f the density, they pass through q^(1-t) f^t while t grows from 0 to 1: Del
Moral, Doucet and Jasra (2006), doi:10.1111/j.1467-9868.2006.00553.x. Each t is found by bisection, so that a given
share of the particles is left, in effect (Jasra, Stephens, Doucet and Tsagaris 2011,
doi:10.1111/j.1467-9469.2010.00723.x; Zhou, Johansen and Aston 2016, doi:10.1080/10618600.2015.1060885); the particles
are then resampled, and moved by random walks, each half with the covariance of the other half. The mean weights'
product is an estimate of the normalising constant; that temperatures, covariances and numbers of moves follow from the
particles themselves biases it by as little as one over their number (Beskos, Jasra, Kantas and Thiery 2016,
doi:10.1214/15-AAP1113).

Its error comes from one run's genealogy: Chan and Lai (2013), doi:10.1214/13-AOS1145; Lee and Whiteley (2018),
doi:10.1093/biomet/asy028. Theirs is for multinomial resampling, of which it takes away what resampling makes families
differ in size on average; here this is taken away as it was in the run, which is the same on average, and also holds
where resampling leaves less to chance.
"""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError
from bayeskit.core.proposals import Proposal
from bayeskit.core.types import Draws
from bayeskit.inference._blas import single_threaded
from bayeskit.inference._particles import Particles, Run
from bayeskit.inference._pilot import start_distribution
from bayeskit.inference._resampling import Scheme
from bayeskit.inference._told import Progress, Told
from bayeskit.inference.importance import check_fits, in_threads

Floats = NDArray[np.float64]

_A_RUN = 1000  # parts of a run that progress counts
_PARTICLES_A_DIM = 10  # of fewer, the covariance says too little
_KEY = 1  # tells the runs' seeds from all others


class SMCConfig(Config):
    """How sequential Monte Carlo runs.

    Parameters
    ----------
    particles, runs
        Particles of a run, and runs that know nothing of each other.
    ess
        Share of the particles that a step of temperature leaves, in effect; nearer to 1 means more temperatures.
    resampling
        Which particles go on: ``systematic``, ``stratified``, ``residual`` or ``multinomial``.
    correlation
        Particles are moved until no coordinate's correlation with what it was at that temperature is larger, or until
        it no longer falls.
    max_moves
        They are moved so often at most.
    max_temperatures
        A run that needs more is given up.
    threads
        How many runs go on at once, if the density takes NumPy arrays; None for one a core. The density is called by
        all of them: 1 where it cannot bear that. The draws are the same.
    """

    method: ClassVar[str] = "smc"
    particles: int = Field(default=2000, ge=64)
    runs: int = Field(default=4, ge=1, le=1024)
    ess: float = Field(default=0.5, gt=0, lt=1)
    resampling: Scheme = "systematic"
    correlation: float = Field(default=0.2, gt=0, lt=1)
    max_moves: int = Field(default=200, ge=1)
    max_temperatures: int = Field(default=1000, ge=1)
    threads: int | None = Field(default=None, ge=1)


def fit_smc(
    density: Density,
    config: SMCConfig,
    *,
    seed: int,
    proposal: Proposal | None = None,
    progress: Progress | None = None,
) -> Draws:
    """Take particles from a start distribution to a density.

    Parameters
    ----------
    density
        To draw from, up to a constant.
    config
        How many particles and runs, and how they go.
    seed
        Of everything random; run ``i`` does not depend on how many runs there are.
    proposal
        The start distribution; where none is given, each run finds one by a pilot run of random walks. It must be
        positive wherever the density is. Of coordinates that take whole numbers it must draw these.
    progress
        Called with what is done and in all, in thousandths of a run, at most 10 times a second.

    Returns
    -------
    Draws
        Of kind ``weighted``, one chain a run; ``sample_stats`` has ``log_weight``, each run's log evidence, so that
        runs count by their evidence, and ``ancestor``: a number for the particle at the start that this one descends
        from, no two runs' the same. ``engine`` has ``log_evidence`` of all runs and ``log_evidence_error``, its
        standard error from the genealogies; each run's own, ``log_evidence_by_run`` and ``log_evidence_error_by_run``;
        ``log_evidence_error_between_runs``, from how the runs differ, where there are several; and, of the first run,
        ``temperatures`` from 0 to 1, and of each step between them ``ess_by_temperature``, the share of the particles
        that was left, in effect, ``acceptance_by_temperature`` and ``moves_by_temperature``.

    Raises
    ------
    ConfigError
        If the particles are too few, or the start distribution does not suit the density.
    InferenceError
        If the start distribution does not cover the density, or is too far from it, or a pilot run finds none.
    ProgramError
        If the density or the start distribution misbehaves.
    """
    if config.particles < _PARTICLES_A_DIM * density.n_dims:
        raise ConfigError(
            f"{config.particles} particles are too few for {density.n_dims} coordinates; take "
            f"{_PARTICLES_A_DIM * density.n_dims} or more (--particles)"
        )
    if proposal is not None:
        check_fits(density, proposal)
    began = time.perf_counter()
    with single_threaded(density):
        runs = _runs(density, config, seed, proposal, progress)
    sampled = time.perf_counter() - began
    positions = np.stack([run.points for run in runs])
    by_run = np.array([run.log_evidence for run in runs])
    n = config.particles
    return Draws(
        kind="weighted",
        values=density.values(positions, seed),
        sample_stats={
            "log_weight": np.repeat(by_run[:, None], n, axis=1),
            "ancestor": np.stack([place * n + run.ancestor for place, run in enumerate(runs)]),
        },
        timings={"compile": 0.0, "sampling": sampled},
        engine={
            "method": config.method,
            "proposal": "pilot" if proposal is None else type(proposal).__name__,
            "resampling": config.resampling,
            **pooled_evidence(by_run, np.array([run.variance for run in runs])),
            **runs[0].steps,
        },
    )


def pooled_evidence(log_evidence: Floats, variance: Floats) -> dict[str, float | Floats]:
    """Return the evidence of all runs together, which is the mean of theirs, and its standard error.

    Parameters
    ----------
    log_evidence, variance
        Of each run the logarithm of its estimate Z, and the estimated variance of Z over Z squared.

    Notes
    -----
    By the delta method the error is the square root of the sum of ``Z² variance``, over the sum of ``Z``; between runs,
    the standard deviation of Z over its mean and the square root of the number of runs.
    """
    top = float(log_evidence.max())
    estimates = np.exp(log_evidence - top)
    mean, size = float(estimates.mean()), estimates.size
    found: dict[str, float | Floats] = {
        "log_evidence": top + float(np.log(mean)),
        "log_evidence_error": float(np.sqrt(np.square(estimates) @ variance) / estimates.sum()),
        "log_evidence_by_run": log_evidence,
        "log_evidence_error_by_run": np.sqrt(variance),
    }
    if size > 1:
        found["log_evidence_error_between_runs"] = float(estimates.std(ddof=1) / mean / size**0.5)
    return found


def _runs(
    density: Density, config: SMCConfig, seed: int, start: Proposal | None, progress: Progress | None
) -> list[Run]:
    told = Told(progress, _A_RUN * config.runs)
    found: dict[int, Run] = {}
    failed: list[BaseException] = []

    def run(place: int) -> None:
        reached = 0

        def tick(temperature: float) -> None:
            nonlocal reached
            if failed:  # another run: this one's result is of no use
                raise _Stopped
            told(int(_A_RUN * temperature) - reached)
            reached = int(_A_RUN * temperature)

        first, second = np.random.SeedSequence(seed, spawn_key=(place, _KEY, _KEY)).generate_state(2, np.uint64)
        try:
            # Each run finds a start of its own: what comes of it must not depend on it, and that they agree shows.
            own = start_distribution(density, int(second)) if start is None else start
            found[place] = Particles(density, own, config, int(first)).run(tick)
        except BaseException as error:
            failed.append(error)
            raise

    try:
        in_threads(run, range(config.runs), 1 if density.arrays == "torch" else config.threads)
    except _Stopped:
        raise failed[0] from None
    return [found[place] for place in range(config.runs)]


class _Stopped(Exception):  # noqa: N818
    """Another run failed; nobody sees this."""
