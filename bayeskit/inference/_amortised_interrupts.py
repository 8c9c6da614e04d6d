"""Ctrl-C waits for the end of a step, so that there is a whole state to keep."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType


class Postponed:
    """A block in which Ctrl-C only leaves a mark, which the block asks for; a second one comes through at once.

    Outside the main thread, which no Ctrl-C reaches, and where somebody else handles it, nothing is changed.
    """

    def __init__(self) -> None:
        self._came = False
        self._ours = False

    def __enter__(self) -> Callable[[], bool]:
        here = threading.current_thread() is threading.main_thread()
        if here and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._ours = True
        return lambda: self._came

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        self._give_back()

    def _give_back(self) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._ours = False
