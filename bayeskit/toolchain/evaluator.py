"""A compiled Stan program in a process of its own that evaluates its density wherever it is asked to.

The process is the program with our runner's method ``evaluate``; ``stan/runner/method_evaluate.hpp`` has the protocol.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_REQUEST, _ANSWER = struct.Struct("=4Q"), struct.Struct("=3Q")
_ROOM = _ANSWER.size // 8  # numbers that an answer's header takes the place of
_ONE_WRITE = 1 << 16  # bytes; beyond, a copy costs more than a second call
_PIPE = 1 << 20  # bytes
_PATIENCE = 1.0  # seconds for a process to end that has nothing to do


class EvaluationError(RuntimeError):
    """The program fails at a point, other than by rejecting it: in its own words."""


class EvaluatorEndedError(RuntimeError):
    """The process ended: ``console`` is all that it said, ``status`` negative for a signal."""

    def __init__(self, console: str, status: int) -> None:
        super().__init__(f"the program's process ended with status {status}")
        self.console, self.status = console, status


class _Kind(IntEnum):
    DESCRIBE = 1
    LOG_DENSITY = 2
    GRADIENT = 3
    TRANSFORM = 4
    START = 5


@dataclass(frozen=True)
class Description:
    """What a program's points and quantities are called, as in CmdStan's files: ``beta.1``.

    Parameters
    ----------
    coordinates
        Of a point, on the unconstrained scale.
    parameters
        The columns of the parameters, which come first.
    columns
        Of parameters, transformed parameters and generated quantities.
    """

    coordinates: list[str]
    parameters: list[str]
    columns: list[str]


@dataclass(frozen=True)
class Setup:
    """What the process is started with.

    Parameters
    ----------
    executable
        Compiled with a home that has the method; see ``can_evaluate``.
    folder
        Takes what the process says.
    data
        A JSON file; None for a program without data.
    seed
        Stan's own, for what the program draws in its block ``transformed data``.
    threads
        How many evaluate the points of one request.
    propto, jacobian
        Whether constant terms are left out, and whether the density is that of the unconstrained parameters.
    """

    executable: Path
    folder: Path
    data: Path | None
    seed: int
    threads: int = 1
    propto: bool = False
    jacobian: bool = True

    @property
    def console(self) -> Path:
        """The file with what the process said."""
        return self.folder / "evaluate.txt"

    def command(self, answers: int) -> list[str]:
        """Return the command whose answers go to a descriptor."""
        options = f"answers=/dev/fd/{answers} propto={int(self.propto)} jacobian={int(self.jacobian)}"
        data = ["data", f"file={self.data}"] if self.data else []
        rest = f"random seed={self.seed} output profile_file= num_threads={self.threads}"
        return [str(self.executable), "evaluate", *options.split(), *data, *rest.split()]


def can_evaluate(home: Path) -> bool:
    """Return whether programs compiled with this home have the method, which is none of CmdStan's."""
    return (home / "runner" / "method_evaluate.cpp").is_file()


class _Process:
    """The process and the pipes to it; of this process only, not of its forks."""

    def __init__(self, setup: Setup) -> None:
        self._owner = os.getpid()
        self._answers, theirs = os.pipe()
        try:
            with setup.console.open("wb") as sink:
                self._process = subprocess.Popen(
                    setup.command(theirs),
                    stdin=subprocess.PIPE,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    bufsize=0,
                    pass_fds=[theirs],
                    # Ctrl-C is for us to hear, who then end the process.
                    start_new_session=True,
                    # The runner refuses a number of threads that contradicts the environment's.
                    env={name: value for name, value in os.environ.items() if name != "STAN_NUM_THREADS"},
                )
        except BaseException:
            os.close(self._answers)
            raise
        finally:
            os.close(theirs)
        assert self._process.stdin is not None
        self._requests = self._process.stdin
        for pipe in (self._requests.fileno(), self._answers):
            with suppress(AttributeError, OSError):  # a larger pipe is quicker, and not to be had everywhere
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)

    @property
    def is_usable(self) -> bool:
        return self._owner == os.getpid()

    def write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._requests.fileno(), view) :]

    def read(self, view: memoryview, at_least: int) -> int:
        """Fill a view as far as an answer goes; return how far."""
        done = 0
        while done < at_least:
            got = os.readv(self._answers, [view[done:]])
            if not got:
                raise EOFError
            done += got
        return done

    def end(self, *, gently: bool) -> int:
        """End the process and return its exit status."""
        if not self.is_usable:
            return 0
        with suppress(OSError):
            self._requests.close()
        try:
            if gently:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=_PATIENCE)
        finally:
            if self._process.poll() is None:
                self._process.kill()
            status = self._process.wait()
            with suppress(OSError):
                os.close(self._answers)
        return status


class Evaluator:
    """Evaluates points, ``n_points x n_dims``; one request at a time, whichever thread makes it.

    The process starts with the first request, and anew with the next one where it was ended in the middle of one, by
    Ctrl-C say. It ends with ``close``, with this object, and with Python.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._lock = threading.Lock()
        self._running: list[_Process] = []  # one at most
        self._is_closed = False
        self._end = weakref.finalize(self, _end_all, self._running)

    def describe(self) -> Description:
        """Return the names of coordinates and columns."""
        _, answer = self._ask(_Kind.DESCRIBE, 0)
        lists = answer.tobytes().decode().split("\n")
        coordinates, parameters, columns = (list(takewhile(bool, names)) for names in [iter(lists)] * 3)
        return Description(coordinates, parameters, columns)

    def log_density(self, points: Floats) -> tuple[Floats, int]:
        """Return log densities, ``n_points``, -inf at points that the program rejects, and how many these are."""
        rejected, answer = self._ask(_Kind.LOG_DENSITY, len(points), points, expected=len(points))
        return answer.view(np.float64), rejected

    def gradient(self, points: Floats) -> tuple[Floats, Floats, int]:
        """Return also the gradients, ``n_points x n_dims``, 0 where the log density is not finite."""
        n, n_dims = points.shape
        rejected, answer = self._ask(_Kind.GRADIENT, n, points, expected=n * (1 + n_dims))
        numbers = answer.view(np.float64)
        return numbers[:n], numbers[n:].reshape(n, n_dims), rejected

    def transform(self, points: Floats, n_columns: int, seed: int, first: int = 0) -> Floats:
        """Return every column of the program, ``n_points x n_columns``; row ``i`` is the run's row ``first + i``."""
        n = len(points)
        _, answer = self._ask(_Kind.TRANSFORM, n, points, seed, first, expected=n * n_columns)
        return answer.view(np.float64).reshape(n, n_columns)

    def start(self, path: Path, seed: int) -> Floats:
        """Return the point, ``n_dims``, of the start values in a JSON file; Stan draws what they leave open."""
        name = os.fsencode(path)
        _, answer = self._ask(_Kind.START, len(name), name, seed)
        return answer.view(np.float64)

    def close(self) -> None:
        """End the process; nothing can be evaluated afterwards."""
        with self._lock:
            self._is_closed = True
            self._end()

    def _ask(
        self, kind: _Kind, count: int, payload: Floats | bytes = b"", seed: int = 0, first: int = 0, expected: int = 0
    ) -> tuple[int, NDArray[np.uint8]]:
        header = _REQUEST.pack(kind, count, seed, first)
        body = payload if isinstance(payload, bytes) else _bytes_of(np.ascontiguousarray(payload))
        with self._lock:
            process = self._process()
            try:
                if len(body) <= _ONE_WRITE:
                    process.write(header + body)
                else:
                    process.write(header)
                    process.write(body)
                status, rejected, answer = _read_answer(process, expected)
            except (BrokenPipeError, EOFError):
                self._running.clear()
                ended = process.end(gently=True)
                console = self._setup.console.read_text(encoding="utf-8", errors="replace")
                raise EvaluatorEndedError(console, ended) from None
            except BaseException:  # somewhere in the middle, where no other request could begin
                self._running.clear()
                process.end(gently=False)
                raise
        if status:
            raise EvaluationError(answer.tobytes().decode(errors="replace"))
        return rejected, answer

    def _process(self) -> _Process:
        if self._is_closed:
            raise ValueError("this density is closed: its program's process has ended")
        if not self._running or not self._running[0].is_usable:
            self._running[:] = [_Process(self._setup)]
        return self._running[0]


def _read_answer(process: _Process, expected: int) -> tuple[int, int, NDArray[np.uint8]]:
    numbers = np.empty(_ROOM + expected)  # doubles, so that they are aligned
    view = _bytes_of(numbers)
    done = process.read(view, _ANSWER.size)
    status, rejected, size = _ANSWER.unpack_from(view)
    if _ANSWER.size + size > len(view):
        numbers = np.empty(_ROOM + -(-size // 8))
        whole = _bytes_of(numbers)
        whole[:done] = view[:done]
        view = whole
    view = view[: _ANSWER.size + size]
    if done < len(view):
        process.read(view[done:], len(view) - done)
    return status, rejected, np.frombuffer(view[_ANSWER.size :], dtype=np.uint8)


def _bytes_of(numbers: Floats) -> memoryview:
    return numbers.reshape(-1).view(np.uint8).data


def _end_all(running: list[_Process]) -> None:
    while running:
        running.pop().end(gently=True)
