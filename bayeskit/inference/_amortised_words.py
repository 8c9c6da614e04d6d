"""How far a training is, in a few words."""

from __future__ import annotations

import time
from collections.abc import Callable

from bayeskit.inference._amortised_course import Course, Judgement

_BETWEEN = 0.2  # seconds


class Words:
    """Tells bound and rate, at most five times a second.

    Parameters
    ----------
    report
        Called with the words; None for nobody.
    """

    def __init__(self, report: Callable[[str], None] | None) -> None:
        self._report, self._rows = report, 0
        self._began = self._last = time.monotonic()

    def now(self, words: str) -> None:
        """Tell some words at once."""
        if self._report is not None:
            self._report(words)

    def begin(self) -> None:
        """Count time from here on."""
        self._began = self._last = time.monotonic()

    def __call__(self, rows: int, recent: Callable[[], Judgement | None], course: Course) -> None:
        """Count more rows, and tell of the mean of this epoch's steps, or else of the last epoch."""
        self._rows += rows
        now = time.monotonic()
        if self._report is None or now - self._last < _BETWEEN:
            return
        self._last = now
        self._report(", ".join([*_bounds(recent(), course), f"{self._rows / (now - self._began):,.0f} rows/s"]))


def _bounds(recent: Judgement | None, course: Course) -> list[str]:
    last = {name: column[-1] for name, column in course.columns.items()}
    elbo = last.get("elbo") if recent is None else recent.elbo
    if elbo is None:
        return []
    held_out = f" (held out {last['held_out_elbo']:.1f})" if "held_out_elbo" in last else ""
    return [f"ELBO {elbo:.1f}{held_out}"]
