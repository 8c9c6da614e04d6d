"""Which chain it was, when a density misbehaves in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bayeskit.core.density import Density
from bayeskit.core.errors import ProgramError


class Watched:
    """A density that remembers where it was last asked, so that an error can name the chain."""

    def __init__(self, density: Density) -> None:
        self._original, self._last, self._failed = density, None, False
        self.density = replace(
            density,
            log_density=self._watch(density.log_density),
            gradient=None if density.gradient is None else self._watch(density.gradient),
        )

    def _watch(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def watched(points: Any) -> Any:
            # After a failure the density asks again point by point, which must not be taken for the chains.
            if not self._failed:
                self._last = points
            try:
                return function(points)
            except Exception:
                self._failed = True
                raise

        return watched

    def first_wrong(self, n_chains: int) -> int | None:
        """Return the first row at which the density misbehaves by itself, if rows are chains."""
        if self._last is None or len(self._last) != n_chains:
            return None
        for row in range(n_chains):
            point = self._last[row : row + 1]
            try:
                self._original(point)
                if self._original.gradient is not None:
                    self._original.with_gradient(point)
            except ProgramError:
                return row
        return None
