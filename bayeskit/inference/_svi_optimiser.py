"""How a variational fit moves: Adam, the learning rate by step, and whether the bound has settled.

Adam: Kingma and Ba (2015), arXiv:1412.6980. The rate that falls each time the bound has settled is the idea of
Welandawe, Andersen, Vehtari and Huggins (2022), arXiv:2203.15945, with the simpler test of Kucukelbir et al. (2017),
https://jmlr.org/papers/v18/16-107.html, section 2.6: the relative change of the bound's running median.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bayeskit.inference.svi import SVIConfig

LEVELS = 3  # learning rates of a plateau schedule, each a tenth of the one before
DECAY = 0.1
FINAL = 0.01  # share of the learning rate that cosine and exponential schedules end at
COUNTS = 0.1  # while the rate is above this share, a bound that stands still has settled, rather than been stopped
BETAS = (0.9, 0.999)
EPSILON = 1e-8


@dataclass
class Adam:
    """Adam on one vector, as ``torch.optim.Adam``; gradients may be clipped, number by number, as by ``ClippedAdam``.

    Parameters
    ----------
    first, second
        Running means of gradients and of their squares.
    steps
        Made so far.
    """

    first: torch.Tensor
    second: torch.Tensor
    steps: int = 0

    @classmethod
    def at(cls, flat: torch.Tensor) -> Adam:
        """Return one that has not moved yet."""
        return cls(torch.zeros_like(flat), torch.zeros_like(flat))

    def move(self, flat: torch.Tensor, gradient: torch.Tensor, rate: float, clip: float | None) -> None:
        """Change a vector in place, against the gradient."""
        if clip is not None:
            gradient = gradient.clamp(-clip, clip)
        self.steps += 1
        with torch.no_grad():
            self.first.lerp_(gradient, 1 - BETAS[0])
            self.second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
            scale = math.sqrt(1 - BETAS[1] ** self.steps)
            root = self.second.sqrt().div_(scale).add_(EPSILON)
            flat.addcdiv_(self.first, root, value=-rate / (1 - BETAS[0] ** self.steps))


@dataclass
class Course:
    """Where a fit stands: the bound by step, and what follows from it.

    Parameters
    ----------
    losses, rates
        Negative bound and learning rate of each step.
    level
        How often a plateau schedule has lowered the rate.
    streak
        Windows in a row that did not change.
    since
        First step that the test looks at: the last change of the rate.
    settled
        Whether the bound has settled at a rate that counts.
    ended
        Whether there is nothing more to do.
    change
        Relative change at the last test.
    """

    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    level: int = 0
    streak: int = 0
    since: int = 0
    settled: bool = False
    ended: bool = False
    change: float = math.nan

    def rate(self, config: SVIConfig) -> float:
        """Return the next step's learning rate."""
        done = len(self.losses) / config.steps
        if config.schedule == "cosine":
            return config.learning_rate * (FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * done)))
        if config.schedule == "exponential":
            return float(config.learning_rate * FINAL**done)
        return float(config.learning_rate * DECAY**self.level)

    def add(self, loss: float, rate: float, config: SVIConfig) -> None:
        """Take note of a step, and judge at the end of a window."""
        self.losses.append(loss)
        self.rates.append(rate)
        steps = len(self.losses)
        if (steps - self.since) % config.window == 0 and steps - self.since >= 2 * config.window:
            self._judge(config)
        self.ended = self.ended or steps >= config.steps

    def _judge(self, config: SVIConfig) -> None:
        recent = np.array(self.losses[-2 * config.window :])
        before, now = recent[: config.window], recent[config.window :]
        difference, error = abs(float(np.median(now) - np.median(before))), math.hypot(_error(before), _error(now))
        self.change = difference / max(abs(float(np.median(now))), math.ulp(0))
        self.streak = self.streak + 1 if self.change <= config.tolerance or difference <= 2 * error else 0
        if self.streak < config.patience:
            return
        if config.schedule in ("cosine", "exponential"):
            self.settled = self.settled or self.rates[-1] > COUNTS * config.learning_rate
        elif config.schedule == "plateau" and self.level < LEVELS - 1:
            self.level, self.streak, self.since = self.level + 1, 0, len(self.losses)
        else:
            self.settled = self.ended = True

    def message(self, config: SVIConfig) -> str:
        """Say how it ended."""
        steps = len(self.losses)
        if self.settled:
            return f"the bound's running median settled; {steps:,} steps"
        if math.isnan(self.change):
            return f"{steps:,} steps are fewer than two windows of {config.window}; give more steps"
        return (
            f"the bound's running median still changed by a share of {self.change:.2g} after {steps:,} steps; give "
            "more steps, or another learning rate"
        )

    def history(self, window: int, most: int = 2000) -> dict[str, NDArray[Any]]:
        """Return the bound, its running median and the rate by step, thinned to at most so many steps."""
        steps = np.arange(1, len(self.losses) + 1)
        kept = steps[:: -(-len(steps) // most)]
        bound = -np.array(self.losses)
        return {
            "step": kept,
            "elbo": bound[kept - 1],
            "elbo_median": np.array([np.median(bound[max(0, step - window) : step]) for step in kept]),
            "learning_rate": np.array(self.rates)[kept - 1],
        }


def _error(losses: NDArray[np.float64]) -> float:
    """Return the standard error of a median, by the median absolute deviation of what are nearly normal numbers."""
    deviation = 1.4826 * float(np.median(np.abs(losses - np.median(losses))))
    return math.sqrt(math.pi / 2 / losses.size) * deviation
