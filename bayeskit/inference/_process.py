"""Stan's processes: they are ended with ours, keep off the screen, and leave the caller's environment as it was."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import FrameType

import psutil

_THREADS = "STAN_NUM_THREADS"
_BETWEEN, _PATIENCE = 0.02, 20.0  # seconds
_LITTLE = 100_000  # bytes; a disk with less is full, whatever Stan could still say of it


def run(command: Sequence[str], console: Path) -> tuple[int, str]:
    """Run one of Stan's processes; return its exit status and all that it said.

    Parameters
    ----------
    command
        The executable and its arguments.
    console
        The file to which standard output and error go.
    """
    with console.open("wb") as sink, children_end_with_us():
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, check=False)
    return done.returncode, read_console(console)


def read_console(path: Path) -> str:
    """Return what a process said, whatever bytes it wrote."""
    return path.read_text(encoding="utf-8", errors="replace")


def refuse_full_disk(folder: Path, said: str) -> None:
    """Raise where a process failed for lack of space.

    Raises
    ------
    OSError
        If the disk is full.
    """
    if os.strerror(errno.ENOSPC) in said or shutil.disk_usage(folder).free < _LITTLE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


@contextmanager
def cmdstanpy_tamed(logger: logging.Logger) -> Iterator[None]:
    """Keep cmdstanpy's notes off the screen, and undo what it does to the process.

    Its errors come back as exceptions. It sets STAN_NUM_THREADS, and writes its progress to standard output.
    """
    level, threads = logger.level, os.environ.get(_THREADS)
    logger.setLevel(logging.CRITICAL)
    try:
        with redirect_stdout(sys.stderr), children_end_with_us():
            yield
    finally:
        logger.setLevel(level)
        if threads is None:
            os.environ.pop(_THREADS, None)
        else:
            os.environ[_THREADS] = threads


@contextmanager
def children_end_with_us() -> Iterator[None]:
    """On Ctrl-C or SIGTERM end Stan's processes at once; cmdstanpy would wait for them and for those to come."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    ours = psutil.Process()
    others, threads = set(ours.children(recursive=True)), set(threading.enumerate())
    stopping, over = threading.Event(), threading.Event()

    def reap() -> None:
        while not over.wait(_BETWEEN):
            for child in set(ours.children(recursive=True)) - others:
                with suppress(psutil.NoSuchProcess):
                    child.kill()

    def stop(number: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            threading.Thread(target=reap, daemon=True).start()
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    def workers() -> set[threading.Thread]:
        return {thread for thread in set(threading.enumerate()) - threads if not thread.daemon}

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        try:
            # cmdstanpy's threads go on to the chains that wait, and Python waits for the threads.
            until = time.monotonic() + _PATIENCE
            while stopping.is_set() and workers() and time.monotonic() < until:
                time.sleep(_BETWEEN)
        finally:
            over.set()
            for number, handler in before.items():
                signal.signal(number, handler)
