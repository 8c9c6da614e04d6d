"""Gibbs sampling: the loop over a model's own sweeps, all chains in one set of arrays.

Geman and Geman (1984), doi:10.1109/TPAMI.1984.4767596; in blocks: Liu, Wong and Kong (1994),
doi:10.1093/biomet/81.1.27. The conditional distributions live beside their model, which knows on which device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.devices import Device
from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.core.types import Draws

Arrays = Mapping[str, NDArray[Any]]

_TOGETHER = 32  # chains in one set of arrays: more share no further cost, and take memory
_BETWEEN_REPORTS = 0.1  # seconds


class GibbsConfig(Config):
    """How a Gibbs sampler runs.

    Parameters
    ----------
    chains, warmup, draws
        Number of chains, of sweeps of each that are thrown away first, and of draws that each keeps after them.
        Nothing is adapted: warm-up only leads away from the starts.
    thin
        One sweep in so many is kept.
    device
        ``auto``: the GPU where there is one and the model's sweeps can use it.
    """

    method: ClassVar[str] = "gibbs"
    chains: int = Field(default=4, ge=1, le=1024)
    warmup: int = Field(default=500, ge=0)
    draws: int = Field(default=1000, ge=4)
    thin: int = Field(default=1, ge=1)
    device: Device = "auto"


class SweepingModel(Protocol):
    """What the engine asks of a model: sweeps over several chains at once, each with random numbers of its own."""

    @property
    def blocks(self) -> Sequence[str]:
        """What is drawn in turn, in the order of a sweep."""
        ...

    def start(self, seeds: Sequence[np.random.SeedSequence]) -> Any:
        """Return the state of as many chains as there are seeds; a chain depends on its own seed only."""
        ...

    def sweep(self, state: Any) -> Any:
        """Draw every block once, given the others."""
        ...

    def record(self, state: Any) -> Arrays:
        """Return what is to be kept of a state, ``n_chains x ...`` by name."""
        ...

    def finish(self, recorded: Arrays) -> tuple[Arrays, Arrays]:
        """Return values and sampler statistics, ``n_chains x n_draws x ...``, of what was kept of all states."""
        ...


@runtime_checkable
class StreamingModel(SweepingModel, Protocol):
    """A model that makes something of its states as they come, which is too large to be kept of each."""

    @property
    def device(self) -> str:
        """Where the sweeps are made."""
        ...

    def groups(self, states: Sequence[Any]) -> Mapping[str, Arrays]:
        """Return this, by the names of groups in the posterior's tree; states are the last ones, in order of chains."""
        ...


def fit_gibbs(
    model: SweepingModel,
    config: GibbsConfig | None = None,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Draws:
    """Draw from a posterior by Gibbs sampling.

    Parameters
    ----------
    model
        Starts and sweeps.
    config
        How long it runs.
    seed
        Of everything random; chain ``i`` does not depend on how many chains there are.
    progress
        Called with sweeps done and in all, over all chains, at most 10 times a second.

    Returns
    -------
    Draws
        Of kind ``mcmc``, with the model's values and statistics. The seconds of ``warmup`` have those of the starts in
        them.

    Raises
    ------
    ConfigError
        If the draws do not fit into memory.
    InferenceError
        If a value that is kept is not finite.
    """
    from threadpoolctl import threadpool_limits

    config = config or GibbsConfig()
    seeds = [np.random.SeedSequence(seed, spawn_key=(chain,)) for chain in range(config.chains)]
    ticks = _Ticks(progress, config.chains * (config.warmup + config.draws * config.thin))
    kept = _Kept(config)
    seconds = {"compile": 0.0, "warmup": 0.0, "sampling": 0.0}
    with threadpool_limits(1, user_api="blas"):  # matrices are small, and sums come out the same on any machine
        states = [
            _run(model, config, slice(first, first + _TOGETHER), seeds, kept, ticks, seconds)
            for first in range(0, config.chains, _TOGETHER)
        ]
        values, statistics = model.finish(kept.arrays)
        groups, device = (model.groups(states), model.device) if isinstance(model, StreamingModel) else ({}, "cpu")
    _check(values)
    return Draws(
        kind="mcmc",
        values=dict(values),
        sample_stats=dict(statistics),
        timings=seconds,
        engine={"method": config.method, "blocks": ", ".join(model.blocks), "thin": config.thin, "device": device},
        groups=groups,
    )


def _run(
    model: SweepingModel,
    config: GibbsConfig,
    chains: slice,
    seeds: Sequence[np.random.SeedSequence],
    kept: _Kept,
    ticks: _Ticks,
    seconds: dict[str, float],
) -> Any:
    """Run some of the chains from start to end, and return their last state."""
    here = seeds[chains]
    began = time.perf_counter()
    state = model.start(here)
    for _ in range(config.warmup):
        state = model.sweep(state)
        ticks(len(here))
    warm = time.perf_counter()
    for draw in range(config.draws):
        for _ in range(config.thin):
            state = model.sweep(state)
        ticks(len(here) * config.thin)
        kept.put(model.record(state), chains, draw)
    seconds["warmup"] += warm - began
    seconds["sampling"] += time.perf_counter() - warm
    return state


class _Kept:
    """Room for the draws, made when the first are there."""

    def __init__(self, config: GibbsConfig) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self._config = config

    def put(self, recorded: Arrays, chains: slice, draw: int) -> None:
        if not self.arrays:
            self._make_room(recorded)
        for name, array in recorded.items():
            self.arrays[name][chains, draw] = array

    def _make_room(self, recorded: Arrays) -> None:
        import psutil

        chains, draws = self._config.chains, self._config.draws
        numbers = sum(array[0].size for array in recorded.values())
        needed = 3 * chains * draws * sum(array[0].nbytes for array in recorded.values())
        free = psutil.virtual_memory().available
        if needed > free:  # as recorded, as values, and what finishing them takes
            raise ConfigError(
                f"{chains} chains of {draws} draws of {numbers} numbers take {needed / 1e9:,.1f} GB of memory, of "
                f"which {free / 1e9:,.1f} GB are free; take fewer draws or chains, or thin"
            )
        self.arrays = {
            name: np.empty((chains, draws, *array.shape[1:]), dtype=array.dtype) for name, array in recorded.items()
        }


class _Ticks:
    """Counts sweeps of all chains, and tells of them ten times a second at most."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done, self._next = progress, total, 0, 0.0

    def __call__(self, n_done: int) -> None:
        self._done += n_done
        if self._progress is None:
            return
        now = time.monotonic()
        if now >= self._next or self._done == self._total:
            self._next = now + _BETWEEN_REPORTS
            self._progress(self._done, self._total)


def _check(values: Arrays) -> None:
    for name, array in values.items():
        if not np.isfinite(array).all():
            chain, draw = np.argwhere(~np.isfinite(array))[0][:2] + 1
            raise InferenceError(
                f"Gibbs sampling: {name} is not finite in draw {draw} of chain {chain}; standardise the data, or take "
                f"priors that keep to their order of magnitude"
            )
