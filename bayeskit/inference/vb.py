"""Coordinate-ascent variational Bayes: restarts, annealing, stopping, and a watch on the bound, for any such model.

A model has factors of its posterior and updates that give some of them their best form, the others given: no update
lowers the evidence lower bound (Blei, Kucukelbir and McAuliffe 2017, doi:10.1080/01621459.2017.1285773), and a run ends
at the nearest maximum. So there are several starts, of which half go on after some steps and half of these after twice
as many, by their bounds: successive halving, Jamieson and Talwalkar (2016),
https://proceedings.mlr.press/v51/jamieson16.html. A run's first steps may be annealed, with updates that are less sure
than they should be: Ueda and Nakano (1998), doi:10.1016/S0893-6080(97)00133-0; Katahira, Watanabe and Okada (2008),
doi:10.1088/1742-6596/95/1/012015. From where the best run ends, moves of the model's own lead away, to be kept where
they end higher: for mixtures' splits and merges, Ueda, Nakano, Ghahramani and Hinton (2000),
doi:10.1162/089976600300015088.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.errors import InferenceError
from bayeskit.core.types import Draws
from bayeskit.inference._executors import side_by_side, threads
from bayeskit.inference._told import Progress, Steps

Arrays = Mapping[str, NDArray[Any]]
State = TypeVar("State")

_STARTS, _DRAWS, _MOVES = 1, 2, 3  # streams
_HEAT = 10  # steps before the first of the starts are given up
_HOTTEST = 0.8  # inverse temperature
_TRIED, _LEAST = 30, 5  # steps after a move, at most, and before it is given up
_ROUGHLY = 100  # times the tolerance: a move's steps end at it
_MOST_TAKEN = 100  # moves


class VBConfig(Config):
    """How coordinate-ascent variational Bayes runs.

    Parameters
    ----------
    restarts
        Starts, of which the one with the greatest bound is taken.
    max_iterations
        A run has so many steps at most, those of annealing not counted.
    tolerance
        A run ends when a step changes the bound by no more than this times the number of factors.
    annealing
        First steps of each run, with inverse temperatures from 0.8 towards 1.
    moves
        The best run ends when so many moves in a row, such as to merge two blocks and split a third, have not raised
        the bound; None for as many as the model finds worth their time, 0 for none.
    draws
        From the approximation in the end, at most: of large models the engine takes fewer, and says so.
    """

    method: ClassVar[str] = "vb"
    restarts: int = Field(default=5, ge=1, le=10_000)
    max_iterations: int = Field(default=1000, ge=1)
    tolerance: float = Field(default=1e-7, gt=0, lt=1)
    annealing: int = Field(default=5, ge=0)
    moves: int | None = Field(default=None, ge=0)
    draws: int = Field(default=1000, ge=1)


class CoordinateAscentModel(Protocol[State]):
    """What the engine asks of a model: updates of factors, of a type of its own. Threads share the model."""

    @property
    def n_factors(self) -> int:
        """Number of the factors that the bound grows with."""
        ...

    def start(self, number: int, rng: np.random.Generator) -> State:
        """Return where a run starts; a model may look in other ways at other numbers."""
        ...

    def step(self, state: State, inverse_temperature: float = 1.0) -> tuple[State, float]:
        """Return the next factors, and their bound."""
        ...

    @property
    def moves(self) -> int:
        """How many moves in a row are worth their time."""
        ...

    def propose(self, state: State, rng: np.random.Generator) -> State:
        """Return a state some way off, from which other maxima may be reached."""
        ...

    def draw(self, state: State, n: int, rng: np.random.Generator) -> tuple[Arrays, NDArray[Any], NDArray[Any]]:
        """Return draws by site, ``n x ...`` or fewer, and the log densities of posterior and factors at each.

        Each density is up to a constant, and of the same quantities.
        """
        ...


@dataclass
class _Run(Generic[State]):
    """A run so far: where it is, and its bounds by step, from the first that is not annealed.

    A move that was taken is one step, with all those after it that it was judged by.
    """

    state: State
    number: int
    annealed: int = 0
    bounds: list[float] = field(default_factory=list)
    converged: bool = False
    decrease: float = 0.0  # in steps of moves
    moves: int = 0

    @property
    def change(self) -> float:
        """By how much the bound changed in the last step."""
        return self.bounds[-1] - self.bounds[-2] if len(self.bounds) > 1 else np.inf

    @property
    def largest_decrease(self) -> float:
        """By how much the bound fell in any step, at most; 0 where it never did."""
        return float(max(self.decrease, -np.diff(self.bounds).min(initial=0.0)))


def fit_vb(
    model: CoordinateAscentModel[Any],
    config: VBConfig | None = None,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Draws:
    """Approximate a posterior by independent factors.

    Parameters
    ----------
    model
        Has the updates.
    config
        How it runs.
    seed
        Of everything random; start ``i`` does not depend on how many starts there are.
    progress
        Called with the numbers of steps done and of the most there may be, at most 10 times a second.

    Returns
    -------
    Draws
        Of kind ``variational``: independent draws of one chain, with ``log_p`` and ``log_q``. Its ``engine`` has
        ``converged``, ``message``, ``n_iterations``, ``elbo``, ``restarts``, the number ``start`` of the one that was
        taken, the number of ``moves`` taken, ``largest_decrease`` of the bound in any of its steps, divided by the
        number of factors; and a ``note`` where there are fewer draws than asked for. ``groups`` has the ``history``:
        ``elbo`` by iteration, a move that was taken being one.

    Raises
    ------
    InferenceError
        If the bound is not a number.

    Notes
    -----
    Runs of several starts share the cores; how many there are does not change a digit.
    """
    from threadpoolctl import threadpool_limits

    config = config or VBConfig()
    began = time.perf_counter()
    told = Steps(progress, config.restarts * (config.annealing + _HEAT) + config.max_iterations)
    with threadpool_limits(1, user_api="blas"):  # sums come out the same on any number of cores
        run = _best(model, config, seed, told)
        _go_on(model, config, run, config.max_iterations, told)
        _moved(model, config, run, _generator(seed, _MOVES), told)
        optimised = time.perf_counter()
        values, log_p, log_q = model.draw(run.state, config.draws, _generator(seed, _DRAWS))
    told.finish()
    few = f"{len(log_p)} draws instead of {config.draws}, for the size of the data"
    return Draws(
        kind="variational",
        values={name: np.asarray(value)[np.newaxis] for name, value in values.items()},
        sample_stats={"log_p": log_p[np.newaxis], "log_q": log_q[np.newaxis]},
        timings={"compile": 0.0, "optimize": optimised - began, "sampling": time.perf_counter() - optimised},
        engine={**_said(model, config, run), **({"note": few} if len(log_p) < config.draws else {})},
        groups={"history": {"elbo": np.array(run.bounds)}},
    )


def _best(model: CoordinateAscentModel[State], config: VBConfig, seed: int, told: Steps) -> _Run[State]:
    """Return the start that is ahead when all others have been given up, as far as it went."""
    runs = [_Run(model.start(i, _generator(seed, _STARTS, i)), i) for i in range(config.restarts)]
    most = _HEAT
    while len(runs) > 1:
        limit = min(most, config.max_iterations)
        with threads(len(runs)) as executor:
            side_by_side(executor, [partial(_go_on, model, config, run, limit, told) for run in runs])
        runs = sorted(runs, key=lambda run: -run.bounds[-1])[: -(-len(runs) // 2)]
        most *= 2
    return runs[0]


def _go_on(
    model: CoordinateAscentModel[State],
    config: VBConfig,
    run: _Run[State],
    most: int,
    told: Steps,
    aim: float = -np.inf,
) -> None:
    """Let a run go on, until it has so many steps, a step changes hardly anything, or it will hardly reach its aim."""
    while run.annealed < config.annealing:
        inverse_temperature = _HOTTEST + (1 - _HOTTEST) * run.annealed / config.annealing
        run.state, _ = model.step(run.state, inverse_temperature)
        run.annealed += 1
        told()
    while len(run.bounds) < most and not run.converged:
        run.state, bound = model.step(run.state)
        if not np.isfinite(bound):
            raise InferenceError(f"the evidence lower bound is {bound} after {len(run.bounds) + 1} steps of VB")
        run.bounds.append(bound)
        run.converged = bool(abs(run.change) <= config.tolerance * model.n_factors)
        told()
        if len(run.bounds) >= _LEAST and bound + run.change * (most - len(run.bounds)) < aim:
            return


def _moved(
    model: CoordinateAscentModel[State], config: VBConfig, run: _Run[State], rng: np.random.Generator, told: Steps
) -> None:
    """Try moves from where a run ended, until so many in a row have not helped."""
    patience = model.moves if config.moves is None else config.moves
    rough = config.model_copy(update={"tolerance": _ROUGHLY * config.tolerance, "annealing": 0})
    failed = 0
    while failed < patience and run.moves < _MOST_TAKEN and run.converged:
        tried = _Run(model.propose(run.state, rng), run.number)
        _go_on(model, rough, tried, _TRIED, told, run.bounds[-1])
        run.decrease = max(run.decrease, tried.largest_decrease)
        failed += 1
        if tried.bounds[-1] > run.bounds[-1] + rough.tolerance * model.n_factors:
            failed, run.moves = 0, run.moves + 1
            run.state, run.converged = tried.state, False
            run.bounds.append(tried.bounds[-1])
            _go_on(model, config, run, config.max_iterations, told)


def _said(model: CoordinateAscentModel[Any], config: VBConfig, run: _Run[Any]) -> dict[str, Any]:
    """Return what the engine says of the run that it took."""
    kept = f"step {len(run.bounds)} changed the bound by {run.change / model.n_factors:.2g} a factor"
    return {
        "method": config.method,
        "converged": run.converged,
        "message": kept if run.converged else f"{kept}, more than the tolerance {config.tolerance:g}",
        "n_iterations": len(run.bounds),
        "elbo": run.bounds[-1],
        "restarts": config.restarts,
        "start": run.number,
        "moves": run.moves,
        "largest_decrease": run.largest_decrease / model.n_factors,
        "device": "cpu",
    }


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
