"""What one chain of a no-U-turn sampler hands back, whichever sampler it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bayeskit.core.density import Floats


@dataclass(frozen=True)
class Chain:
    """Where one chain stood, ``n_draws x n_dims``, and its statistics by ArviZ's names, ``n_draws``."""

    positions: Floats
    statistics: dict[str, NDArray[Any]]
    seconds: dict[str, float]


class InfiniteError(Exception):
    """The log density is plus infinity at a point, which is the first argument."""
