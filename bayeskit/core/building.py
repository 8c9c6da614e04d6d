"""How anything gets into the cache: once, by one process, aside, and by a rename; and with no child left behind."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from bayeskit.core.errors import ToolchainError
from bayeskit.core.paths import cache_folder


def build_once(
    final: Path, build: Callable[[Path], Path], *, ready: Callable[[], bool], waiting: Callable[[], None]
) -> bool:
    """Make ``final`` unless it is there already, however many processes try at once.

    Parameters
    ----------
    final
        The file or folder to make; a lock file and a log lie beside it.
    build
        Gets a fresh empty folder on the same file system and returns the path in it that becomes ``final``.
    ready
        Whether ``final`` is there and whole.
    waiting
        Called once if another process holds the lock.

    Returns
    -------
    bool
        True if this call made it.
    """
    with cache_faults(), signals_raise(), locked(final, waiting):
        if ready():
            return False
        for stale in final.parent.glob(f"{final.name}.partial-*"):
            shutil.rmtree(stale, ignore_errors=True)
        # The name is new each time: compilers that outlive a parent killed with SIGKILL go on writing into the old
        # folder, and must not meet ours.
        partial = final.with_name(f"{final.name}.partial-{os.getpid()}-{secrets.token_hex(4)}")
        partial.mkdir()
        try:
            made = build(partial)
            if final.is_dir():
                shutil.rmtree(final)
            made.rename(final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return True


@contextmanager
def locked(target: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a path in the cache."""
    from filelock import FileLock, Timeout

    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target.with_name(f"{target.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()


def run_logged(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, tick: Callable[[], None]
) -> int:
    """Run a command with its output in a log file and return its exit status.

    The command leads a session of its own, so that whatever ends this function early (Ctrl-C, SIGTERM, an error)
    ends all its descendants too.
    """
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while True:
                try:
                    return process.wait(timeout=0.25)
                except subprocess.TimeoutExpired:
                    tick()
        except BaseException:
            _end_session(process)
            raise


def first_error(log: Path) -> str:
    """Return the line of a build log that says what went wrong."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if any("Killed signal terminated program" in line for line in lines):
        return "the compiler was killed, most likely for lack of memory"
    reasons = [line for line in lines if re.search(r"\berror:", line, flags=re.IGNORECASE)]
    line = (reasons or lines[-1:] or ["no output"])[0]
    return line if len(line) <= 300 else f"{line[:299]}…"


def keep_log(log: Path, final: Path) -> Path:
    """Move the log of a failed build out of the folder that is about to go, and return where it is."""
    return log.replace(final.with_name(f"{final.name}.log"))


def require_make_can_read(folder: Path) -> None:
    """Refuse a folder whose name GNU make, or stanc's comma-separated lists, would take apart.

    Raises
    ------
    ToolchainError
        Naming ``BAYESKIT_CACHE``, the way out.
    """
    bad = sorted(set(re.findall(r"[^\w./+@-]", str(folder))))
    if bad:
        raise ToolchainError(
            f"make cannot work in the cache folder {str(folder)!r}: its name contains {' '.join(map(repr, bad))}; "
            "set the environment variable BAYESKIT_CACHE to a folder without spaces and special characters"
        )


@contextmanager
def cache_faults() -> Iterator[None]:
    """Turn a full or read-only disk into one line.

    Raises
    ------
    ToolchainError
        Instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        # Where two files are named, the second was to be written.
        place = error.filename2 or error.filename or cache_folder()
        raise ToolchainError(
            f"cannot write to the cache folder: {error.strerror or error} ({place}); "
            "make room or set the environment variable BAYESKIT_CACHE to another folder"
        ) from error


@contextmanager
def signals_raise() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack as Ctrl-C does; by default they would skip every ``finally``."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _end_session(process: subprocess.Popen[bytes]) -> None:
    try:
        # make removes half-written targets on SIGTERM.
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    finally:
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()


def _signal_group(leader: int, number: signal.Signals) -> None:
    # PermissionError is what macOS answers for a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
