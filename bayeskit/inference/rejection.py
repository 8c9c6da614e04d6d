"""Rejection sampling: proposals kept with probability ``f(x) / (M q(x))`` are independent draws from ``f``.

Von Neumann (1951), Various techniques used in connection with random digits, NBS Applied Mathematics Series 12, 36-38;
Devroye (1986), chapter II.3, https://luc.devroye.org/rnbookindex.html. With ``adaptive`` the envelope is the hull of a
log-concave density, Gilks and Wild (1992), doi:10.2307/2347565.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError
from bayeskit.core.proposals import Proposal, Uniform
from bayeskit.core.types import Draws
from bayeskit.inference._adaptive_rejection import adaptive_rejection
from bayeskit.inference._bounds import Bound, evaluated, find_bound, log_ratio_at, violation
from bayeskit.inference._branches import TOLERANCE
from bayeskit.inference._envelope import pictured
from bayeskit.inference._lattice import Lattice
from bayeskit.inference._pace import Pace, told
from bayeskit.inference._streams import block_generator

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None] | None

CHUNK = 16_384  # numbers, so that a chunk's arrays stay in a core's cache
FEWEST = 256  # proposals in a chunk of many dimensions
_PURPOSE = 2  # of its streams, which no other engine has
SEARCH = 2**31  # the stream that looks for the bound; chunks count from 0
FIRST = 3  # chunks that are smaller
LOOKED_AT = 100_000  # draws, to know where a picture belongs
SPARE = 2**21  # numbers
AT_ONCE = 8  # chunks that a thread takes at a time


class RejectionConfig(Config):
    """How rejection sampling runs.

    Parameters
    ----------
    draws
        Number of independent draws.
    bound
        ``M`` itself, with ``f(x) <= M q(x)`` everywhere for the density ``f`` as it stands, its constant included.
        Found by optimisation unless given, and proven by interval arithmetic where that can be done. One that is below
        the density by more than 1e-7 of it is refused.
    adaptive
        Adaptive rejection, for a log-concave density of one number: no proposal and no bound are needed.
    normalised
        Whether the density integrates to 1, so that no bound below 1 can hold and ``1 / M`` of the proposals are
        accepted; otherwise its integral is estimated.
    max_proposals, max_seconds
        Refuse what will take more proposals or more time than that, once the acceptance is known.
    threads
        Chunks of proposals that are made at a time; as many as there are cores unless given. Draws do not depend on it.
    """

    method: ClassVar[str] = "rejection"
    draws: int = Field(default=4000, ge=4)
    bound: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    adaptive: bool = False
    normalised: bool = False
    max_proposals: int = Field(default=10**9, ge=1)
    max_seconds: float = Field(default=3600.0, gt=0)
    threads: int | None = Field(default=None, ge=1, le=1024)


def fit_rejection(
    density: Density, config: RejectionConfig, *, seed: int, proposal: Proposal | None = None, progress: Progress = None
) -> Draws:
    """Draw independently from a density.

    Parameters
    ----------
    density
        To draw from.
    config
        How.
    seed
        Of the whole run. Chunks of proposals have a stream each, so that draws do not depend on the threads, nor do the
        first ones on how many there are.
    proposal
        Whose density times ``M`` lies above; even over the support's box unless given.
    progress
        Called with the number of draws so far, and of all, now and then.

    Returns
    -------
    Draws
        Of kind ``iid``, one chain. ``engine`` has ``acceptance``, the number of ``proposals`` up to the last draw,
        ``log_bound``, ``bound`` and ``bound_given``; ``certified`` 0 or 1, and ``certificate`` with how in words;
        ``log_normalizer`` of the density and its standard error ``log_normalizer_error``, from the acceptance, or the
        ``expected_acceptance`` where it is normalised; and the picture of the envelope.

    Raises
    ------
    ConfigError
        If there is no proposal where one is needed, or one that does not fit, or the bound makes no sense.
    InferenceError
        If the envelope is below the density somewhere, or so few proposals are accepted that the draws would take too
        long, or an adaptive run meets a density that is not log-concave.
    ProgramError
        If the density raises, or returns NaN or +inf.
    """
    started = time.perf_counter()
    if config.adaptive:
        _check_adaptive(config, proposal)
        pace = Pace(config.draws, config.max_proposals, config.max_seconds, progress)
        positions, engine = adaptive_rejection(density, config.draws, seed=seed, pace=pace)
        searched = started
    else:
        source = _proposal(density, proposal)
        bound = _bound(density, source, config, seed)
        searched = time.perf_counter()
        pace = Pace(config.draws, config.max_proposals, config.max_seconds, progress)
        positions, n_proposals = _drawn(_Rejection(density, source, bound.log_bound, seed), config, pace)
        engine = told(bound, config.draws, n_proposals, config.normalised)
        engine["bound_given"] = int(config.bound is not None)
        engine |= pictured(
            density, source, bound.log_bound, positions[:LOOKED_AT], block_generator(seed, SEARCH + 1, _PURPOSE)
        )
    drawn = time.perf_counter()
    return Draws(
        kind="iid",
        values=density.values(positions[None], seed),
        timings={"compile": 0.0, "bound": searched - started, "sampling": drawn - searched},
        engine={"method": config.method, **engine},
    )


class _Chunk(NamedTuple):
    """What came of one chunk: the accepted points, ``n_accepted x n_dims``, and their places among its proposals."""

    points: Floats
    places: NDArray[np.int64]


@dataclass(frozen=True)
class _Rejection:
    """A density, and the envelope that it is drawn below."""

    density: Density
    proposal: Proposal
    log_bound: float
    seed: int

    def size(self, number: int) -> int:
        """Proposals in a chunk: few in the first ones, for a density that takes its time."""
        return min(max(FEWEST, CHUNK // self.density.n_dims), FEWEST << 2 * min(number, FIRST))

    def chunk(self, number: int) -> _Chunk:
        """Propose, and keep what is accepted.

        With ``e`` standard exponential, ``log f - log(M q) > -e`` has probability ``f / (M q)``.
        """
        rng = block_generator(self.seed, number, _PURPOSE)
        points = self.proposal.sample(rng, self.size(number))
        chance = rng.standard_exponential(len(points))
        log_ratio = self.log_ratio(points)
        highest = int(log_ratio.argmax())
        if log_ratio[highest] > TOLERANCE:
            raise violation(self.density, points[highest], float(log_ratio[highest]) + self.log_bound, self.log_bound)
        chance += log_ratio
        places = np.flatnonzero(chance > 0)
        return _Chunk(points.take(places, axis=0), places)

    def log_ratio(self, points: Floats) -> Floats:
        """Return ``log f - log(M q)`` at proposals."""
        if isinstance(self.proposal, Lattice):
            return evaluated(self.density, points) - self._level(self.proposal.upper - self.proposal.lower + 1.0)
        if self.density.is_discrete and np.any(points[:, self.density.integer] % 1):
            raise ConfigError("the proposal draws fractions where the density takes whole numbers; give one that fits")
        if isinstance(self.proposal, Uniform) and self.proposal.whole is None:
            return evaluated(self.density, points) - self._level(self.proposal.upper - self.proposal.lower)
        return log_ratio_at(self.density, self.proposal, points) - self.log_bound

    def _level(self, sizes: Floats) -> float:
        """Return ``log(M q)`` of an even proposal, which is the same everywhere."""
        return self.log_bound - float(np.log(sizes).sum())


def _drawn(rejection: _Rejection, config: RejectionConfig, pace: Pace) -> tuple[Floats, int]:
    """Return the draws, ``n_draws x n_dims``, and how many proposals it took up to the last of them."""
    draws, n_kept, proposed = np.empty((config.draws, rejection.density.n_dims)), 0, 0
    with closing(_chunks(rejection, config)) as chunks:
        for number, chunk in enumerate(chunks):
            more = chunk.points[: config.draws - n_kept]
            draws[n_kept : n_kept + len(more)] = more
            n_kept += len(more)
            if n_kept == config.draws:
                pace.told(n_kept)
                return draws, proposed + int(chunk.places[len(more) - 1]) + 1
            proposed += rejection.size(number)
            pace.check(n_kept, proposed)
    raise AssertionError("chunks never end")


def _chunks(rejection: _Rejection, config: RejectionConfig) -> Generator[_Chunk]:
    """Make chunk after chunk, in order, on as many threads as wanted; tensors have threads of their own."""
    accepted, proposed = 1, 0
    for number in range(FIRST):
        chunk = rejection.chunk(number)
        accepted, proposed = accepted + len(chunk.places), proposed + rejection.size(number)
        yield chunk
    # Once so large an array is given back, glibc keeps memory for the next arrays instead of returning it to the system
    # after each operation on a chunk, which would take most of the time.
    np.empty(SPARE)
    threads = 1 if rejection.density.arrays == "torch" else config.threads or _cores()
    if threads == 1:
        yield from map(rejection.chunk, count(FIRST))
    needed = config.draws * proposed / accepted / rejection.size(FIRST)
    span = max(1, min(AT_ONCE, math.ceil(needed / (2 * threads))))
    starts = count(FIRST, span)

    def made(start: int) -> list[_Chunk]:
        return [rejection.chunk(number) for number in range(start, start + span)]

    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(made, next(starts)) for _ in range(2 * threads))
        try:
            while True:
                waiting.append(pool.submit(made, next(starts)))
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _proposal(density: Density, proposal: Proposal | None) -> Proposal:
    if proposal is not None:
        if proposal.n_dims != density.n_dims:
            raise ConfigError(f"the proposal has {proposal.n_dims} dimensions, the density {density.n_dims}")
        return proposal
    endless = np.flatnonzero(~np.isfinite(density.box).all(axis=0))
    if endless.size:
        raise ConfigError(
            f"{density.labels[endless[0]]} has no finite bounds, so that there is nothing to draw evenly from; give "
            "lower= and upper=, or a proposal=, or for a log-concave density of one number adaptive=True"
        )
    if density.is_discrete and not np.all(density.integer):
        raise ConfigError("some coordinates take whole numbers only, others do not; give a proposal= that does so, too")
    return Lattice(*density.box) if density.is_discrete else Uniform(*density.box)


def _bound(density: Density, proposal: Proposal, config: RejectionConfig, seed: int) -> Bound:
    if config.normalised and config.bound is not None and config.bound < 1:
        raise ConfigError(
            f"bound {config.bound:g} is below 1, but no density that integrates to 1 lies below M q for such an M; "
            "take bound >= 1, or leave it out"
        )
    given = None if config.bound is None else math.log(config.bound)
    return find_bound(density, proposal, block_generator(seed, SEARCH, _PURPOSE), given)


def _check_adaptive(config: RejectionConfig, proposal: Proposal | None) -> None:
    if config.bound is not None or proposal is not None:
        raise ConfigError("adaptive rejection makes its own envelope; leave bound and proposal out, or adaptive")
