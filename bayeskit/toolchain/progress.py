"""What the user sees while something long is being made: a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Reporter(Protocol):
    """Takes the stages of a long job."""

    def stage(self, text: str) -> None:
        """Show what is being done now; the same text again costs nothing."""
        ...

    def say(self, text: str) -> None:
        """Leave a line that stays."""
        ...


@contextmanager
def reporting() -> Iterator[Reporter]:
    """Show progress on stderr, which leaves stdout to ``$(bayeskit stan path)``."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Spinner(progress)


class _Lines:
    def __init__(self) -> None:
        self._last = ""

    def stage(self, text: str) -> None:
        if text != self._last:
            self._last = text
            self.say(f"{text} ...")

    def say(self, text: str) -> None:
        print(f"bayeskit: {text}", file=sys.stderr, flush=True)


class _Spinner:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._last = ""

    def stage(self, text: str) -> None:
        if self._task is None:
            self._task = self._progress.add_task(text, total=None)
        elif text != self._last:
            self._progress.update(self._task, description=text)
        self._last = text

    def say(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
