"""Which sampler draws, and who runs its chains."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from bayeskit.core.density import Density, Floats
from bayeskit.core.errors import ConfigError, ProgramError, ToolchainError
from bayeskit.core.language import say
from bayeskit.inference import _executors
from bayeskit.inference._compiled_library import Compiled
from bayeskit.inference._nuts_result import Chain, InfiniteError
from bayeskit.inference._told import Progress, Told

Job = tuple[Floats, dict[str, Any]]  # where a chain starts, and the options of its sampler


def try_to_compile(backend: str, density: Density, points: Floats) -> tuple[Compiled | None, str]:
    """Compile a density, unless Pyro's back end is asked for.

    Parameters
    ----------
    backend
        As ``NUTSConfig.backend``.
    density
        The posterior.
    points
        Where chains start.

    Returns
    -------
    tuple
        The compiled density, or None and a note that says why.

    Raises
    ------
    ConfigError
        If the compiled back end is asked for and cannot be had.
    """
    if backend == "pyro":
        return None, ""
    from bayeskit.inference._compiled_trace import UntraceableError

    try:
        from bayeskit.inference._compiled_density import compile_density

        return compile_density(density, points), ""
    except (UntraceableError, ToolchainError) as error:
        if backend == "compiled":
            raise ConfigError(f"the density cannot be compiled: {error}; give backend auto or pyro") from error
        return None, say("Pyro's own sampler drew, for the density cannot be compiled: {why}", why=str(error))


def run_compiled(
    compiled: Compiled, density: Density, jobs: Sequence[Job], *, executor: Executor | None, progress: Progress | None
) -> list[Chain]:
    """Run chains of a compiled density: in threads, which leave Python alone, unless there is an executor.

    Raises
    ------
    ProgramError
        If the log density is plus infinity somewhere.
    """
    from bayeskit.inference._nuts_compiled import run_compiled_chain

    told, stop = Told(progress, _iterations(jobs)), threading.Event()
    try:
        if executor is not None:
            calls = [partial(run_compiled_chain, compiled, start, **options) for start, options in jobs]
            return _elsewhere(executor, calls, told, jobs)
        watched: dict[str, Any] = {"tick": told, "stopped": stop.is_set}
        calls = [partial(run_compiled_chain, compiled, start, **options, **watched) for start, options in jobs]
        with _executors.threads(len(jobs)) as pool:
            try:
                return _executors.side_by_side(pool, _named(calls))
            except BaseException:
                stop.set()
                raise
    except InfiniteError as error:
        where = density.told(error.args[0])
        raise ProgramError(f"the log density is +inf at {where}; it must be a number, or -inf") from error


def run_pyro(
    density: Density,
    program: Callable[..., Any] | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    jobs: Sequence[Job],
    *,
    executor: Executor | None,
    progress: Progress | None,
) -> list[Chain]:
    """Run chains of Pyro's kernel: here one after the other, in processes where they pay, or in an executor."""
    from bayeskit.inference._nuts_chain import run_chain, run_program_chain

    told = Told(progress, _iterations(jobs))
    given = (density,) if program is None else (program, args, kwargs, density.device)
    function: Callable[..., Chain] = run_chain if program is None else run_program_chain
    elsewhere = [partial(function, *given, start, **options) for start, options in jobs]
    if executor is not None and not isinstance(executor, ThreadPoolExecutor):
        return _elsewhere(executor, elsewhere, told, jobs)
    warmup, draws = jobs[0][1]["warmup"], jobs[0][1]["draws"]
    numbers = density.n_dims + _numbers((args, kwargs))
    if executor is None and _executors.processes_pay(
        program, n_chains=len(jobs), iterations=warmup + draws, numbers=numbers
    ):
        with _executors.processes(len(jobs)) as pool:
            return _elsewhere(pool, elsewhere, told, jobs)
    # Threads would take turns: Pyro and torch have one state for all of them.
    tick = partial(told, 1)
    calls = [partial(run_chain, density, start, **options, tick=tick) for start, options in jobs]
    return [call() for call in _named(calls)]


def _elsewhere(
    executor: Executor, calls: Sequence[Callable[[], Chain]], told: Told, jobs: Sequence[Job]
) -> list[Chain]:
    of_each = _iterations(jobs[:1])
    return _executors.side_by_side(executor, _named(calls), finished=partial(told, of_each))


def _named(calls: Sequence[Callable[[], Chain]]) -> list[Callable[[], Chain]]:
    return [partial(_executors.named, chain, call) for chain, call in enumerate(calls)]


def _iterations(jobs: Sequence[Job]) -> int:
    return sum(options["warmup"] + options["draws"] for _, options in jobs)


def _numbers(given: Any) -> int:
    """Return how many numbers there are in the tensors and arrays of a program's arguments."""
    from torch.utils._pytree import tree_leaves

    return sum(int(np.prod(leaf.shape)) for leaf in tree_leaves(given) if hasattr(leaf, "shape"))
