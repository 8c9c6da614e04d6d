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

_PATIENCE = 20  # epochs without a better bound that count as settled, where no patience is to end the training


@dataclass(frozen=True)
class Judgement:
    """What is known of the bound after an epoch, in nats a row: what is minimised, and the terms of the bound."""

    loss: float
    reconstruction: float
    kl: float

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
    best_loss
        Of the held-out rows after it, or of the training rows where none are held out, at the divergence's last weight.
    """

    config: AmortisedConfig
    n_batches: int
    columns: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = math.inf

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
        """Take note of an epoch; return whether its bound is the best so far."""
        pace = self.pace((self.epochs + 1) * self.n_batches - 1)
        row = {"elbo": trained.elbo, "reconstruction": trained.reconstruction, "kl": trained.kl}
        if held_out is not None:
            row |= {f"held_out_{name}": getattr(held_out, name) for name in ("elbo", "reconstruction", "kl")}
        for name, value in {**row, "weight": pace.weight, "learning_rate": pace.rate}.items():
            self.columns.setdefault(name, []).append(value)
        loss = (held_out or trained).loss
        if better := loss < self.best_loss:
            self.best_epoch, self.best_loss = self.epochs, loss
        return better

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
        if self._waited >= (self.config.patience or _PATIENCE):
            return True, at
        if self.config.schedule == "cosine":
            return True, f"{at}; the learning rate went down to a hundredth"
        return False, f"the {what} was still improving after {self.epochs:,} epochs; give more epochs"

    @property
    def _out_of_patience(self) -> bool:
        return 0 < self.config.patience <= self._waited

    @property
    def _waited(self) -> int:
        return self.epochs - max(self.best_epoch, self.config.kl_warmup)
