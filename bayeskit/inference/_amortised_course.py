"""Where a training stands: the bound by epoch, the pace of the next steps, and whether it has ended."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.inference._amortised_steps import Pace
from bayeskit.inference._svi_optimiser import FINAL

if TYPE_CHECKING:
    from bayeskit.inference.amortised import AmortisedConfig

_CHANCE = 2.0  # standard errors of a difference
_PLAIN = 0.05  # of the spread from row to row: what is worse by more is plainly so
_STILL = 0.02  # of all that the epochs made of the bound
_PATIENCE = 20  # epochs without a better bound that count as settled, where no patience is to end the training


@dataclass(frozen=True)
class Judgement:
    """What is known of the bound after an epoch, in nats a row: what is minimised, and the terms of the bound.

    ``parts`` are what is minimised of parts of the rows, of about the same size each and the same ones in each epoch:
    they tell a difference between epochs from chance. ``n_rows`` is how many rows there are in all.
    """

    loss: float
    reconstruction: float
    kl: float
    parts: tuple[float, ...] = ()
    n_rows: int = 0

    @property
    def elbo(self) -> float:
        """The evidence lower bound, in which the divergence has weight 1."""
        return self.reconstruction - self.kl


@dataclass
class Course:
    """The history of a training.

    Parameters
    ----------
    config
        How it goes.
    n_batches
        Steps of an epoch.
    columns
        By name the history's values by epoch.
    best_epoch
        The one with the best bound, from 1; 0 before any.
    best_loss, best_parts
        Of the held-out rows after it, or of the training rows where none are held out, at the divergence's last weight.
    behind
        Epochs in a row whose bound was plainly worse than the best.
    """

    config: AmortisedConfig
    n_batches: int
    columns: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = math.inf
    best_parts: tuple[float, ...] = ()
    behind: int = 0

    @property
    def epochs(self) -> int:
        """How many are done."""
        return len(self.columns.get("elbo", ()))

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to do."""
        return self.epochs >= self.config.epochs or self._out_of_patience

    @property
    def steps(self) -> int:
        """How many there may be in all."""
        return self.config.epochs * self.n_batches

    def pace(self, done: int) -> Pace:
        """Return the pace of the step after so many."""
        config, rate, weight = self.config, self.config.learning_rate, self.config.beta
        if config.schedule == "cosine":
            rate *= FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * done / self.steps))
        if config.kl_warmup:
            weight *= min(1.0, (done + 1) / (config.kl_warmup * self.n_batches))
        return Pace(rate, weight, done + 1)

    def add(self, trained: Judgement, held_out: Judgement | None) -> bool:
        """Take note of an epoch; return whether its weights are to be kept.

        They are where the bound is the best so far. Where the learning rate went down by a cosine, the last ones are
        too, unless they are worse than those of another epoch by more than chance: the best of many noisy epochs is
        mostly luck.
        """
        pace = self.pace((self.epochs + 1) * self.n_batches - 1)
        row = {"elbo": trained.elbo, "reconstruction": trained.reconstruction, "kl": trained.kl}
        if held_out is not None:
            row |= {f"held_out_{name}": getattr(held_out, name) for name in ("elbo", "reconstruction", "kl")}
        for name, value in {**row, "weight": pace.weight, "learning_rate": pace.rate}.items():
            self.columns.setdefault(name, []).append(value)
        judged = held_out or trained
        difference, error, spread = self._compared(judged)
        self.behind = self.behind + 1 if difference > max(_CHANCE * error, _PLAIN * spread) else 0
        kept = difference < 0 or (self.config.schedule == "cosine" and self.ended and difference <= _CHANCE * error)
        if kept:
            self.best_epoch, self.best_loss, self.best_parts = self.epochs, judged.loss, judged.parts
        return kept

    def _compared(self, judged: Judgement) -> tuple[float, float, float]:
        """Return by how much the bound is worse than the best, that difference's standard error, and rows' spread."""
        difference = judged.loss - self.best_loss
        if not self.best_epoch:
            return -math.inf, 0.0, 0.0
        if len(judged.parts) < 2:  # of training rows all that is known is a mean while weights moved
            return difference, math.inf if self.config.schedule == "cosine" else 0.0, 0.0
        now, best = np.array(judged.parts), np.array(self.best_parts)
        spread = float(now.std(ddof=1)) * math.sqrt(judged.n_rows / now.size)
        return difference, float((now - best).std(ddof=1)) / math.sqrt(now.size), spread

    def history(self) -> dict[str, NDArray[Any]]:
        """Return the values by epoch."""
        return {"epoch": np.arange(1, self.epochs + 1)} | {name: np.array(row) for name, row in self.columns.items()}

    def said(self) -> dict[str, Any]:
        """Return what there is to say of the result."""
        name = "held_out_elbo" if "held_out_elbo" in self.columns else "elbo"
        converged, message = self._outcome("held-out bound" if name == "held_out_elbo" else "bound")
        return {
            "epochs": self.epochs,
            "steps": self.epochs * self.n_batches,
            "best_epoch": self.best_epoch,
            "elbo": self.columns[name][self.best_epoch - 1],
            "converged": converged,
            "message": message,
        }

    def _outcome(self, what: str) -> tuple[bool, str]:
        at = f"the {what} was best in epoch {self.best_epoch:,} of {self.epochs:,}"
        if self.config.schedule == "cosine":
            if self._out_of_patience:
                return True, f"{at}, and plainly worse afterwards"
            if self._rising:
                return False, f"the {what} was still improving in the last of {self.epochs:,} epochs; give more epochs"
            return True, f"the learning rate went down to a hundredth; weights are those of epoch {self.best_epoch:,}"
        if self._waited >= (self.config.patience or _PATIENCE):
            return True, at
        return False, f"the {what} was still improving after {self.epochs:,} epochs; give more epochs"

    @property
    def _rising(self) -> bool:
        """Whether the last tenth of the epochs still made much of what all of them made, or the weight still rose."""
        if self.config.kl_warmup >= self.epochs or self.epochs < 2:
            return True
        bound = self.columns.get("held_out_elbo", self.columns["elbo"])
        before = bound[-1 - max(1, self.epochs // 10)]
        return bound[-1] - before > _STILL * (max(bound) - bound[0])

    @property
    def _out_of_patience(self) -> bool:
        waited = self.behind if self.config.schedule == "cosine" else self._waited
        return 0 < self.config.patience <= waited

    @property
    def _waited(self) -> int:
        return self.epochs - max(self.best_epoch, self.config.kl_warmup)
