"""What is made of ratings that a file lists: their scale, repeated pairs, and what is held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from bayeskit.core.errors import ConfigError
from bayeskit.datasets._cells import parse_number
from bayeskit.datasets._problems import quote

Repeated = Literal["error", "mean", "last"]
Declared = tuple[float, float, float | None]
"""Least and greatest rating, and the step between two; None unless it is given."""

PLAIN = ("none", "random", "last")
"""Splits that need no files."""
TOLERANCE = 1e-6
"""Share of a step by which a rating may lie beside the scale's: by rounding."""

_MOST_STEPS = 1_000
_EXAMPLE = "write least:greatest or least:greatest:step, e.g. 1:5 or 0.5:5:0.5 (--scale)"


@dataclass(frozen=True)
class Rules:
    """The choices of ``load_ratings``, as described there.

    Parameters
    ----------
    repeated
        ``error``, ``mean`` or ``last``.
    scale
        ``least:greatest[:step]``.
    split
        One of ``PLAIN``, or a name of files.
    hold_out
        Share that is held out at random.
    first
        Number of rows taken.
    """

    repeated: Repeated = "error"
    scale: str | None = None
    split: str = "random"
    hold_out: float = 0.1
    first: int | None = None

    def __post_init__(self) -> None:
        if self.repeated not in get_args(Repeated):
            raise ConfigError(f"repeated '{self.repeated}' is unknown; choose from {', '.join(get_args(Repeated))}")
        if not 0 < self.hold_out < 1:
            raise ConfigError(f"hold_out {self.hold_out:g} is no share between 0 and 1; hold out, e.g., 0.1")
        if self.scale is not None:
            parse_scale(self.scale)


def parse_scale(text: str) -> Declared:
    """Return what a scale declares.

    Raises
    ------
    ConfigError
        If it is none.
    """
    numbers = [parse_number(part.strip()) for part in text.split(":")]
    if len(numbers) not in (2, 3) or any(number is None or not np.isfinite(number) for number in numbers):
        raise ConfigError(f"scale {quote(text)} is none; {_EXAMPLE}")
    low, high, *steps = (float(number) for number in numbers if number is not None)
    if low >= high:
        raise ConfigError(f"scale {quote(text)}: the least rating is not below the greatest; {_EXAMPLE}")
    if not steps:
        return low, high, None
    n_steps = (high - low) / steps[0] if steps[0] > 0 else 0.0
    if not 1 - TOLERANCE < n_steps < _MOST_STEPS or abs(n_steps - round(n_steps)) > TOLERANCE:
        problem = f"{steps[0]:g} does not divide {low:g} to {high:g} into whole steps, fewer than {_MOST_STEPS:,}"
        raise ConfigError(f"scale {quote(text)}: {problem}; {_EXAMPLE}")
    return low, high, steps[0]
