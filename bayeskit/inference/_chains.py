"""Runs a group of chains: starts, warm-up, and draws written where they stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Density
from bayeskit.core.errors import ProgramError
from bayeskit.inference._adaptation import Adaptation
from bayeskit.inference._plans import Part, Plan, Tree, leaves
from bayeskit.inference._starts import start_points
from bayeskit.inference._streams import BLOCK, BlockStreams
from bayeskit.inference._watched import Watched
from bayeskit.inference.kernels import Info, State, Tuning

Floats = NDArray[np.float64]
Tick = Callable[[int], bool]

CHUNK_BYTES = 1 << 20  # of draws gathered before they are written: a chain's lie next to each other


@dataclass(frozen=True)
class Group:
    """Blocks of one size that run together."""

    first_block: int
    n_blocks: int
    n_chains: int
    is_pilot: bool = False

    @property
    def rows(self) -> slice:
        """Which of the run's chains these are."""
        return slice(self.first_block * BLOCK, self.first_block * BLOCK + self.n_chains)


@dataclass(frozen=True)
class Outcome:
    """What a group has to tell beside its draws."""

    start_attempts: NDArray[np.int64]
    scales: dict[str, Floats]
    swaps: Floats | None
    warmup_seconds: float
    sampling_seconds: float


class Iterations(Protocol):
    """How long a run is."""

    @property
    def warmup(self) -> int: ...
    @property
    def draws(self) -> int: ...
    @property
    def thin(self) -> int: ...


class Stopped(Exception):  # noqa: N818
    """Another group failed; nobody sees this."""


def run_group(
    density: Density,
    plan: Plan,
    config: Iterations,
    group: Group,
    seed: int,
    kept: tuple[Floats, Floats, Floats],
    tick: Tick,
) -> Outcome:
    """Run a group of chains, and write positions, log densities and acceptance rates into ``kept``.

    Parameters
    ----------
    density, plan, config, group, seed
        What runs, how, and how long.
    kept
        ``n_chains x n_draws x n_dims``, and twice ``n_chains x n_draws``.
    tick
        Takes a number of iterations done, and returns whether to go on.
    """
    with _no_gradients(density):
        chains = _Chains(density, plan, config.warmup, group, seed)
        try:
            chains.start()
            began = time.perf_counter()
            chains.warm_up(config.warmup, tick)
            warm = time.perf_counter()
            chains.sample(config.draws, config.thin, kept, tick)
        except ProgramError as error:
            raise chains.placed(error) from error
    seconds = (warm - began, time.perf_counter() - warm)
    return Outcome(chains.attempts, chains.scales(), chains.swaps(), *seconds)


class _Chains:
    """The chains of a group, and where they stand."""

    def __init__(self, density: Density, plan: Plan, warmup: int, group: Group, seed: int) -> None:
        self._tree, self._group, self._seed = plan.tree, group, seed
        self._watched = Watched(density)
        self._density = self._watched.density
        self._taken = _to_torch(density.device) if density.arrays == "torch" else _itself
        self._kernel, self._warmup = plan.kernel(self._density), warmup
        self._streams = BlockStreams(seed, group.n_chains, group.first_block, self._taken)
        self._swaps = _Swaps()
        self._when, self._iteration = "at the start", 0

    def start(self) -> None:
        group, size = self._group, self._group.n_chains // self._group.n_blocks
        blocks = range(group.first_block, group.first_block + group.n_blocks)
        starts = [start_points(self._density, seed=self._seed, block=block, n_chains=size) for block in blocks]
        position = np.concatenate([points for points, _ in starts])
        self.attempts = np.concatenate([attempts for _, attempts in starts])
        self._state: State = self._kernel.init(self._taken(position))
        position = _host(self._state.position)  # with all replicas, where there are any
        self._learners = [
            _Learner(part, part.adaptation(position, group.n_blocks, self._warmup), self._taken)
            for part in leaves(self._tree)
        ]

    def warm_up(self, n_steps: int, tick: Tick) -> None:
        self._when, self._iteration = "warm-up", 0
        for _ in range(n_steps):
            info = self._step(self._tuning(), tick)
            position = _host(self._state.position)
            for learner, found in zip(self._learners, _leaf_infos(self._tree, info), strict=True):
                learner.adaptation.learn(_host(found.acceptance), learner.part.of(position))

    def sample(self, n_draws: int, thin: int, kept: tuple[Floats, ...], tick: Tick) -> None:
        self._when, self._iteration = "sampling", 0
        n_chains, n_dims = self._group.n_chains, self._density.n_dims
        length = max(1, min(n_draws, CHUNK_BYTES // (8 * n_chains * (n_dims + 2))))
        chunk = (np.empty((length, n_chains, n_dims)), np.empty((length, n_chains)), np.empty((length, n_chains)))
        tuning = self._tuning()
        for first in range(0, n_draws, length):
            here = min(length, n_draws - first)
            for place in range(here):
                acceptance = self._several(thin, tuning, tick)
                found = (self._state.position[:, :n_dims], self._state.log_density, acceptance)
                for rows, array in zip(chunk, found, strict=True):
                    rows[place] = _host(array)
            for array, rows in zip(kept, chunk, strict=True):
                array[:, first : first + here] = np.moveaxis(rows[:here], 0, 1)

    def _several(self, n_steps: int, tuning: Tuning, tick: Tick) -> Any:
        """Make some steps, and return each chain's mean acceptance in them."""
        infos = [self._step(tuning, tick) for _ in range(n_steps)]
        for info in infos:
            self._swaps.add(info.swaps)
        return sum(info.acceptance for info in infos[1:]) / n_steps + infos[0].acceptance / n_steps

    def _step(self, tuning: Tuning, tick: Tick) -> Info:
        self._iteration += 1
        self._state, info = self._kernel.step(self._streams, self._state, tuning)
        if not tick(1):
            raise Stopped
        return info

    def _tuning(self) -> Tuning:
        if not self._learners:
            return Tuning(self._taken(np.ones(self._group.n_chains)))
        return _tuning_tree(self._tree, iter([learner.tuning() for learner in self._learners]))

    def scales(self) -> dict[str, Floats]:
        """Return each block's scale, by part where the kernel has several."""
        several = len(self._learners) > 1
        return {
            f"scale_{learner.part.name}" if several else "scale": learner.adaptation.block_scales
            for learner in self._learners
        }

    def swaps(self) -> Floats | None:
        """Return how often neighbouring replicas swapped, ``n_replicas - 1``."""
        return self._swaps.mean()

    def placed(self, error: ProgramError) -> ProgramError:
        """Return the error with where in the run it came up."""
        if not self._iteration:
            return error
        when, row = f"iteration {self._iteration} of {self._when}", self._watched.first_wrong(self._group.n_chains)
        if self._group.is_pilot:
            return ProgramError(f"{error} ({when} of a pilot run)")
        return ProgramError(f"{error} ({when}{'' if row is None else f', chain {self._group.rows.start + row + 1}'})")


class _Swaps:
    """Mean acceptance of swaps, of those that were tried."""

    def __init__(self) -> None:
        self._sums: Any = 0.0
        self._counts: Any = 0

    def add(self, swaps: Any) -> None:
        if swaps is not None:
            found = _host(swaps)
            self._sums = self._sums + np.nansum(found, axis=0)
            self._counts = self._counts + (~np.isnan(found)).sum(axis=0)

    def mean(self) -> Floats | None:
        if np.ndim(self._counts) == 0:
            return None
        found: Floats = self._sums / np.maximum(self._counts, 1)
        return found


@dataclass(frozen=True)
class _Learner:
    """A part's adaptation, and its tuning as the kernel takes it."""

    part: Part
    adaptation: Adaptation
    taken: Callable[[NDArray[Any]], Any]
    _factor: dict[int, Any] = field(default_factory=dict)

    def tuning(self) -> Tuning:
        version = self.adaptation.version
        if version not in self._factor:
            self._factor.clear()
            self._factor[version] = self.taken(self.adaptation.factor)
        return Tuning(self.taken(self.adaptation.scale), self._factor[version])


def _tuning_tree(tree: Tree, tunings: Iterator[Tuning]) -> Tuning:
    if isinstance(tree, Part):
        return next(tunings)
    parts = tuple(_tuning_tree(branch, tunings) for branch in tree)
    return Tuning(parts[0].scale, None, parts)


def _leaf_infos(tree: Tree, info: Info) -> list[Info]:
    if isinstance(tree, Part):
        return [info]
    return [found for branch, part in zip(tree, info.parts, strict=False) for found in _leaf_infos(branch, part)]


def _no_gradients(density: Density) -> AbstractContextManager[Any]:
    """Keep torch from recording what samplers compute with a density's values; its own gradient is not affected."""
    if density.arrays == "numpy":
        return nullcontext()
    import torch

    return torch.no_grad()


def _itself(array: NDArray[Any]) -> Any:
    return array


def _to_torch(device: str) -> Callable[[NDArray[Any]], Any]:
    import torch

    return lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _host(array: Any) -> NDArray[Any]:
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()
