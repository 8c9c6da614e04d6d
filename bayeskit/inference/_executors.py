"""Chains side by side, behind the interface of ``concurrent.futures``: threads or processes here, or any executor.

Who runs a chain, and where, does not change its draws.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from unittest import mock

from bayeskit.core.errors import ConfigError, DataError, InferenceError, ProgramError

Result = TypeVar("Result")

_OURS = (ConfigError, DataError, InferenceError, ProgramError)
_BETWEEN_LOOKS = 0.1  # seconds
_PAYS = 2_000_000  # numbers, see ``processes_pay``


def side_by_side(
    executor: Executor, calls: Sequence[Callable[[], Result]], *, finished: Callable[[], None] = lambda: None
) -> list[Result]:
    """Run each chain's call in an executor, and return what they return, in order.

    Parameters
    ----------
    executor
        Where they run.
    calls
        One a chain; for another process they must pickle.
    finished
        Called here as each ends.

    Raises
    ------
    ConfigError
        If a call cannot be sent to where it is to run.
    InferenceError
        If whoever ran a chain ended before it.
    """
    futures: list[Future[Result]] = []
    try:
        futures += [executor.submit(call) for call in calls]
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
            for future in (future for future in futures if future in done):
                future.result()
                finished()
        return [future.result() for future in futures]
    except BrokenExecutor as error:
        raise InferenceError(
            "a process that ran a chain has ended all at once, most likely for lack of memory; give fewer chains at "
            "once by executor=, or run them here by executor=ThreadPoolExecutor(1)"
        ) from error
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        if "pickle" not in str(error).lower():
            raise
        raise ConfigError(
            f"chains cannot be sent to the executor's processes ({' '.join(str(error).split())[:200]}); let the "
            "program be a function of a module that can be imported, or give threads"
        ) from error
    finally:  # nobody waits for them any more, were it the caller's own executor
        for future in futures:
            future.cancel()


def named(chain: int, call: Callable[[], Result]) -> Result:
    """Run a chain, and say in its errors which one it was.

    Parameters
    ----------
    chain
        Its number, from 0.
    call
        What to run.
    """
    try:
        return call()
    except _OURS as error:
        raise type(error)(f"chain {chain + 1}: {error}") from error


def n_cores() -> int:
    """Return on how many cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads(n_chains: int) -> ThreadPoolExecutor:
    """Return threads, for chains that leave Python alone: one a chain, but not more than there are cores."""
    return ThreadPoolExecutor(max(1, min(n_chains, n_cores())), thread_name_prefix="chain")


def processes_pay(program: Any, *, n_chains: int, iterations: int, numbers: int) -> bool:
    """Say whether chains of a program in Python are worth processes of their own, each of which starts in seconds.

    So it is for several chains on several cores, of a program that a process can import, where the iterations of all
    chains times the numbers that the program sees, its arguments and a point, are more than two millions: nothing is
    timed, so that the answer is the same each time. Never in a process that others started for such work.

    Parameters
    ----------
    program
        The program.
    n_chains, iterations
        Of chains, and of iterations of each.
    numbers
        Of the arguments' tensors and of a point.
    """
    if n_chains < 2 or n_cores() < 2 or multiprocessing.parent_process() is not None:
        return False
    if n_chains * iterations * numbers <= _PAYS:
        return False
    return importable(program)


def importable(program: Any) -> bool:
    """Say whether another process finds a function by its module and name, without running this one's script."""
    module, name = getattr(program, "__module__", None), getattr(program, "__qualname__", "")
    if module in (None, "__main__") or not _can_be_found(str(module).partition(".")[0]):
        return False
    found: Any = sys.modules.get(str(module))
    for part in str(name).split("."):
        found = getattr(found, part, None)
    return found is program and getattr(found, "__wrapped__", None) is None


def _can_be_found(module: str) -> bool:
    """Say whether a module could be imported anew: one that was run from a file is loaded here and nowhere else."""
    return any(finder.find_spec(module, None) is not None for finder in sys.meta_path)


@contextmanager
def processes(n_chains: int) -> Iterator[ProcessPoolExecutor]:
    """Give processes of this machine, one a chain, but not more than there are cores; on Ctrl-C they end at once."""
    # Not forked: threads of libraries that are loaded here would not live on in the copy.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(n_chains, n_cores()), mp_context=context, initializer=_begin)
    main = sys.modules["__main__"]
    try:
        # A process that is spawned runs the main script anew, for functions in it; ours are in modules, and a script
        # that fits at its top level would do so again in each.
        with mock.patch.object(main, "__spec__", None), mock.patch.object(main, "__file__", None, create=True):
            yield pool
    except BaseException:
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            with suppress(OSError):
                process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the process that started this one, and the other cores to the other chains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    torch.set_num_threads(1)
