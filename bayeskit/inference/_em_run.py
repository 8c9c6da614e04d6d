"""What a run of EM keeps of its steps, whose number nobody knows beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

State = TypeVar("State")

_ALL_OF_FIRST = 20  # frames
_FRAMES = 60


@dataclass
class Run(Generic[State]):
    """A run so far.

    Parameters
    ----------
    state
        The parameters that were judged last.
    log_likelihoods
        By step, from those of the start.
    frames
        Parameters by step: all of the first, then fewer and fewer.
    converged
        Whether the last step changed hardly anything.
    stride
        Steps from one of the later frames to the next.
    """

    state: State
    log_likelihoods: list[float] = field(default_factory=list)
    frames: dict[int, State] = field(default_factory=dict)
    converged: bool = False
    stride: int = 1

    def keep(self, state: State, log_likelihood: float) -> None:
        """Keep parameters and their log likelihood, and a frame of each of the first, then of fewer and fewer."""
        place = len(self.log_likelihoods)
        self.state = state
        self.log_likelihoods.append(log_likelihood)
        if place >= _ALL_OF_FIRST and place % self.stride:
            return
        self.frames[place] = state
        if len(self.frames) >= _FRAMES:
            self.stride *= 2
            self.frames = {
                at: frame for at, frame in self.frames.items() if at < _ALL_OF_FIRST or at % self.stride == 0
            }

    @property
    def change(self) -> float:
        """By how much the log likelihood changed in the last step."""
        return self.log_likelihoods[-1] - self.log_likelihoods[-2] if len(self.log_likelihoods) > 1 else np.inf

    @property
    def largest_decrease(self) -> float:
        """By how much the log likelihood fell in any step, at most; 0 where it never did."""
        return float(max(0.0, -np.diff(self.log_likelihoods).min(initial=0.0)))
