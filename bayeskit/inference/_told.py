"""Tells the caller how far a run is, not more than ten times a second, from whichever thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

Progress = Callable[[int, int], None]

_BETWEEN = 0.1  # seconds


class Told:
    """Counts what is done.

    Parameters
    ----------
    progress
        Called with what is done and with the total; None for nobody.
    total
        When it is done.
    """

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done, self._next = progress, total, 0, 0.0
        self._lock = threading.Lock()

    def __call__(self, more: int) -> None:
        """Count more of it, and tell the caller."""
        with self._lock:
            self._done += more
            now = time.monotonic()
            if self._progress is not None and (now >= self._next or self._done >= self._total):
                self._next = now + _BETWEEN
                self._progress(self._done, self._total)


class Steps:
    """Counts steps of runs whose number nobody knows: those that end early leave some of the total until the end.

    Parameters
    ----------
    progress
        As of ``Told``.
    total
        Steps at most.
    """

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._told, self._left = Told(progress, total), total
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Count one more."""
        with self._lock:
            if self._left <= 1:
                return
            self._left -= 1
        self._told(1)

    def finish(self) -> None:
        """All is done."""
        self._told(self._left)
