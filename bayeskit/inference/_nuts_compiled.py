"""One chain of nutpie's no-U-turn sampler on a compiled density: neither step nor density needs Python.

nutpie (https://pymc-devs.github.io/nutpie, the Rust library nuts-rs) adapts the mass matrix to draws and gradients,
Seyboldt, Carlson and Carpenter (2026), Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence,
arXiv:2603.18845: its diagonal, or with a few directions besides (low rank), over the whole of the warm-up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from bayeskit.core.density import Floats
from bayeskit.core.errors import InferenceError
from bayeskit.inference._compiled_evaluator import Evaluator
from bayeskit.inference._compiled_library import Compiled
from bayeskit.inference._nuts_result import Chain, InfiniteError

_BETWEEN_LOOKS = 0.05  # seconds
_NUDGE = 1e-3
_INFINITE = 5  # of the C file's statuses
_STATISTICS = {
    "lp": "logp",
    "acceptance_rate": "mean_tree_accept",
    "step_size": "step_size",
    "tree_depth": "depth",
    "n_steps": "n_steps",
    "diverging": "diverging",
    "energy": "energy",
}


def run_compiled_chain(
    compiled: Compiled,
    start: Floats,
    *,
    seed: int,
    warmup: int,
    draws: int,
    adapt_delta: float,
    max_treedepth: int,
    metric: str,
    tick: Callable[[int], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Chain:
    """Run one chain.

    Parameters
    ----------
    compiled
        The density.
    start
        ``n_dims``; of a finite log density and gradient.
    seed
        Of nutpie's generator.
    warmup, draws, adapt_delta, max_treedepth, metric
        As ``NUTSConfig``.
    tick
        Called with how many iterations more are done, now and then.
    stopped
        Asked now and then whether to end before it is done.

    Raises
    ------
    InferenceError
        If the sampler ends without draws.
    """
    import nutpie  # noqa: F401  # takes seconds, which are not the sampler's

    evaluator = Evaluator(compiled, warmup)
    began = time.monotonic()
    try:
        sampler = _sampler(evaluator, start, seed, warmup, draws, adapt_delta, max_treedepth, metric)
        _watch(sampler, evaluator, tick or (lambda _more: None), stopped or (lambda: False))
        positions, statistics = _read(sampler, warmup, draws, evaluator.n_dims)
        warmed_up, ended = evaluator.chain.warmed_up, time.monotonic()
    finally:
        evaluator.close()
    return Chain(positions, statistics, {"warmup": warmed_up - began, "sampling": ended - warmed_up})


def _sampler(
    evaluator: Evaluator,
    start: Floats,
    seed: int,
    warmup: int,
    draws: int,
    adapt_delta: float,
    max_treedepth: int,
    metric: str,
) -> Any:
    from nutpie import _lib

    settings = (_lib.PyNutsSettings.LowRank if metric == "dense_e" else _lib.PyNutsSettings.Diag)(seed)
    settings.num_chains, settings.num_tune, settings.num_draws = 1, warmup, draws
    settings.target_accept, settings.maxdepth = adapt_delta, max_treedepth
    n_dims, sizes = evaluator.n_dims, {"coordinate": evaluator.n_dims}
    model = _lib.PyMcModel(
        _lib.LogpFunc(evaluator.log_density, evaluator.address, evaluator),
        _lib.ExpandFunc(n_dims, n_dims, evaluator.keep, evaluator.address, evaluator),
        _lib.PyVariable.new_variables(["point"], ["float64"], [(n_dims,)], sizes, {"point": ["coordinate"]}),
        n_dims,
        sizes,
        {},
        _Starting(start, seed),
        None,
    )
    return _lib.PySampler.from_pymc(settings, 1, model, _lib.ProgressType.none(), _lib.PyStorage.arrow())


class _Starting:
    """Gives nutpie the start; and points a thousandth away should it refuse that.

    It takes no start where some slope is exactly 0, as at a mode, for it would have no scale for this direction.
    """

    def __init__(self, start: Floats, seed: int) -> None:
        self._start, self._rng, self._width = np.array(start), np.random.default_rng(seed), 0.0

    def __call__(self, _seed: int) -> Floats:
        moved: Floats = self._start + self._width * self._rng.standard_normal(len(self._start))
        self._width = _NUDGE
        return moved


def _watch(sampler: Any, evaluator: Evaluator, tick: Callable[[int], None], stopped: Callable[[], bool]) -> None:
    """Wait for a sampler to end; end it when it is told to, or Ctrl-C comes."""
    told, finished = 0, False
    try:
        while not finished:
            try:
                sampler.wait(_BETWEEN_LOOKS)
                finished = True
            except TimeoutError:
                if stopped():
                    raise KeyboardInterrupt from None
            done = int(evaluator.chain.draws)
            if evaluator.chain.wrong:
                raise InfiniteError(evaluator.where) if evaluator.chain.wrong == _INFINITE else _broken()
            tick(done - told)
            told = done
    except RuntimeError as error:
        raise _ended(error) from error
    except BaseException:
        evaluator.chain.stop = 1
        with suppress(RuntimeError):
            sampler.abort()
        raise


def _ended(error: RuntimeError) -> InferenceError:
    text = " ".join(str(error).split("Stack backtrace")[0].split())
    return InferenceError(f"nutpie ended without draws ({text[:300]}); give backend pyro")


def _broken() -> InferenceError:
    return InferenceError("the compiled density cannot be called; give backend pyro")


def _read(sampler: Any, warmup: int, draws: int, n_dims: int) -> tuple[Floats, dict[str, Any]]:
    import pyarrow  # type: ignore[import-untyped]

    (points,), (rows,) = sampler.take_results().get_arrow_trace()
    positions = pyarrow.array(points.column("point")).flatten().to_numpy().reshape(-1, n_dims)[warmup:]
    statistics = {name: np.array(rows.column(theirs).to_numpy()[warmup:]) for name, theirs in _STATISTICS.items()}
    if len(positions) != draws:
        raise InferenceError(f"nutpie ended after {len(positions)} of {draws} draws; give backend pyro")
    for name in ("tree_depth", "n_steps"):
        statistics[name] = statistics[name].astype(np.int64)
    return np.array(positions), statistics
