"""Expectation-maximisation: restarts, stopping, and a watch on the log likelihood, for any model with such updates.

Each step gives parameters whose likelihood is at least that of those before (Dempster, Laird and Rubin 1977,
doi:10.1111/j.2517-6161.1977.tb01600.x); from there EM goes to the nearest maximum, so that several short runs look for
the best start (Biernacki, Celeux and Govaert 2003, doi:10.1016/S0167-9473(02)00163-9), which the last run goes on from.
With batches, a step takes some of the data and moves the expected moments by a share that falls to zero: Cappé and
Moulines (2009), doi:10.1111/j.1467-9868.2009.00698.x.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.devices import Device
from bayeskit.core.errors import InferenceError
from bayeskit.core.types import Draws
from bayeskit.inference._em_run import Run, State
from bayeskit.inference._told import Progress, Steps

Arrays = Mapping[str, NDArray[Any]]

_TOLERANCE = 1e-8
_SHORT = 1e-5  # tolerance of the runs that look for a start
_OF_BATCHES = 1e-5  # with batches, a run never stands still
_POWER, _DELAY = 0.7, 10  # a batch's share is (its number + the delay) to minus the power, between 1/2 and 1
_STARTS, _SUBSET, _PASSES = 1, 2, 3  # streams
_EMPTY = 1e-6  # points
_TRIES = 3  # starts that a run on many points goes on from, where components collapse


class EMConfig(Config):
    """How expectation-maximisation runs.

    Parameters
    ----------
    restarts
        Starts of which the best is taken: by the likelihood, those with collapsed components last.
    max_iterations
        A run has so many steps at most; with batches, so many passes over the data.
    tolerance
        A run ends when a step changes the mean log likelihood of a point by no more; unless given 1e-8, with batches
        1e-5.
    batch_size
        Points of a batch, for data larger than memory; None to take all in each step.
    device
        ``auto``: the GPU where there is one.
    """

    method: ClassVar[str] = "em"
    restarts: int = Field(default=20, ge=1, le=10_000)
    max_iterations: int = Field(default=5000, ge=1)
    tolerance: float | None = Field(default=None, gt=0, lt=1)
    batch_size: int | None = Field(default=None, ge=1)
    device: Device = "auto"


class EMModel(Protocol[State]):
    """What the engine asks of a model: updates of parameters of a type of its own."""

    @property
    def n_points(self) -> int:
        """Number of points that the log likelihood is a sum over."""
        ...

    def start(self, rng: np.random.Generator, number: int) -> State:
        """Return where a run starts; a model may look in other ways at odd numbers than at even ones."""
        ...

    def rehearsal(self, rng: np.random.Generator) -> Self:
        """Return a smaller model for the choice of a start, with the same parameters; or this one."""
        ...

    def step(self, state: State) -> tuple[State, float]:
        """Return the next parameters, and the log likelihood of those given."""
        ...

    def batches(self, size: int, rng: np.random.Generator) -> Iterable[Any]:
        """Return all data once, in random batches."""
        ...

    def batch_step(self, state: State, batch: Any, rate: float) -> tuple[State, float]:
        """Return the next parameters, the batch having that share, and its mean log likelihood under those given."""
        ...

    def collapsed(self, state: State) -> NDArray[np.bool_]:
        """Return which components' likelihood has no bound but one that was set to keep them finite."""
        ...

    def values(self, state: State) -> Arrays:
        """Return the values by site."""
        ...

    def frame(self, state: State) -> Arrays:
        """Return what an animation shows of the parameters; with ``weights``, the components' shares."""
        ...


def fit_em(
    model: EMModel[Any],
    config: EMConfig | None = None,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Draws:
    """Find the parameters of greatest likelihood.

    Parameters
    ----------
    model
        Has the updates; on which device it makes them is its own business.
    config
        How it runs.
    seed
        Start ``i`` does not depend on how many starts there are.
    progress
        Called with the numbers of steps done and in all, at most 10 times a second.

    Returns
    -------
    Draws
        Of kind ``point``: one draw of one chain. Its ``engine`` has ``converged``, ``message``, ``n_iterations``,
        ``log_likelihood``; ``largest_decrease`` of a point's mean log likelihood in any step (without batches);
        ``restarts``, ``restarts_collapsed``; ``collapsed``, the number of collapsed components, with the number of
        points that each has in ``collapsed_points``; and ``empty``, components that have less than a millionth of a
        point. ``groups`` has the ``history``: ``log_likelihood`` by iteration, with batches an estimate by pass, and
        ``frame_*``, what the model shows of the parameters at ``frame_iteration``, counted from 0.

    Raises
    ------
    InferenceError
        If the log likelihood is not a number.
    """
    config = config or EMConfig()
    began = time.perf_counter()
    told = Steps(progress, (config.restarts + 1) * config.max_iterations)
    with _libraries().limit(limits=1, user_api="blas"):  # matrices are small, and sums come out the same on any machine
        run, n_collapsed = _best(model, config, seed, told)
        log_likelihood = run.log_likelihoods[-1]
        if config.batch_size is not None:
            log_likelihood = model.step(run.state)[1]
    told.finish()
    return Draws(
        kind="point",
        values={name: np.asarray(value)[np.newaxis, np.newaxis] for name, value in model.values(run.state).items()},
        timings={"compile": 0.0, "optimising": time.perf_counter() - began},
        engine={
            "method": config.method,
            "log_likelihood": log_likelihood,
            "restarts": config.restarts,
            "restarts_collapsed": n_collapsed,
            **_said(model, config, run),
        },
        groups={"history": _history(model, run)},
    )


def _best(model: EMModel[Any], config: EMConfig, seed: int, told: Steps) -> tuple[Run[Any], int]:
    """Return the best run that came to its end, and how many of the starts collapsed.

    Of collapsed components the likelihood is as large as one lets it be, so that it does not tell which run is best.
    """
    small = model.rehearsal(_generator(seed, _SUBSET))
    runs = [Run(small.start(_generator(seed, _STARTS, start), start)) for start in range(config.restarts)]
    if small is not model or config.restarts > 1:
        for run in runs:
            _go_on(small, run, max(_SHORT, _tolerance(config)), config.max_iterations, told)
        runs.sort(key=lambda run: (_n_collapsed(small, run), -run.log_likelihoods[-1]))
    n_collapsed, finished = sum(_n_collapsed(small, run) > 0 for run in runs), []
    for run in runs if small is model else runs[:_TRIES]:
        here = run if small is model and config.batch_size is None else Run(run.state)
        if config.batch_size is None:
            _go_on(model, here, _tolerance(config), config.max_iterations, told)
        else:
            _in_batches(model, here, config, seed, told)
        finished.append(here)
        if not _n_collapsed(model, here):
            return here, max(n_collapsed, len(finished) - 1)
    return min(finished, key=lambda run: (_n_collapsed(model, run), -run.log_likelihoods[-1])), max(
        n_collapsed, len(finished)
    )


def _go_on(model: EMModel[Any], run: Run[Any], tolerance: float, most: int, told: Steps) -> None:
    """Let a run go on until a step changes hardly anything."""
    run.converged = False
    if run.log_likelihoods:  # the parameters that were judged last are judged already: take the step from them
        after, _ = model.step(run.state)
    else:
        after = run.state
    while len(run.log_likelihoods) < most and not run.converged:
        state = after
        after, log_likelihood = model.step(state)
        run.keep(state, _checked(log_likelihood, run))
        run.converged = abs(run.change) <= tolerance * model.n_points
        told()


def _in_batches(model: EMModel[Any], run: Run[Any], config: EMConfig, seed: int, told: Steps) -> None:
    """Let a run pass over the data, batch by batch, until a pass changes hardly anything."""
    assert config.batch_size is not None
    state, number = run.state, 0
    while len(run.log_likelihoods) < config.max_iterations and not run.converged:
        rng, means = _generator(seed, _PASSES, len(run.log_likelihoods)), []
        for batch in model.batches(config.batch_size, rng):
            number += 1
            state, mean = model.batch_step(state, batch, (number + _DELAY) ** -_POWER)
            means.append(mean * len(batch))
        run.keep(state, _checked(sum(means), run))
        run.converged = abs(run.change) <= _tolerance(config) * model.n_points
        told()


def _checked(log_likelihood: float, run: Run[Any]) -> float:
    if not np.isfinite(log_likelihood):
        steps = len(run.log_likelihoods)
        raise InferenceError(
            f"the log likelihood is {log_likelihood} after {steps} steps of EM; standardise the columns"
        )
    return log_likelihood


def _said(model: EMModel[Any], config: EMConfig, run: Run[Any]) -> dict[str, Any]:
    """Return what the engine says of the run that it took."""
    n_steps, change = len(run.log_likelihoods), run.change / model.n_points
    what = "pass" if config.batch_size is not None else "step"
    kept = f"{what} {n_steps} changed the mean log likelihood by {change:.2g}"
    collapsed = model.collapsed(run.state)
    counts = model.frame(run.state)["weights"] * model.n_points
    said = {
        "converged": run.converged,
        "message": kept if run.converged else f"{kept}, more than the tolerance {_tolerance(config):g}",
        "n_iterations": n_steps,
        "collapsed": int(collapsed.sum()),
        "empty": int((counts < _EMPTY).sum()),
    }
    if collapsed.any():
        said["collapsed_points"] = np.sort(counts[collapsed])[::-1]
    if config.batch_size is None:
        said["largest_decrease"] = run.largest_decrease / model.n_points
    return said


def _history(model: EMModel[Any], run: Run[Any]) -> dict[str, NDArray[Any]]:
    frames = run.frames | {len(run.log_likelihoods) - 1: run.state}
    shown = [model.frame(frame) for frame in frames.values()]
    return {
        "log_likelihood": np.array(run.log_likelihoods),
        "frame_iteration": np.array(list(frames)),
        **{f"frame_{name}": np.stack([frame[name] for frame in shown]) for name in shown[0]},
    }


def _n_collapsed(model: EMModel[Any], run: Run[Any]) -> int:
    return int(model.collapsed(run.state).sum())


def _tolerance(config: EMConfig) -> float:
    return config.tolerance or (_TOLERANCE if config.batch_size is None else _OF_BATCHES)


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@cache
def _libraries() -> Any:
    """Return the libraries that do linear algebra; to look for them takes as long as a fit of few points."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
