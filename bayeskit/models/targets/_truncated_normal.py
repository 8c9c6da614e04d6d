"""The standard normal distribution beyond a cutoff, for Pyro; imported only where a program needs it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pyro.distributions import TorchDistribution
from torch.distributions import constraints


class NormalBeyond(TorchDistribution):
    """Standard normal distribution given that it lies beyond a cutoff.

    Parameters
    ----------
    cutoff
        Where it begins.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, cutoff: float) -> None:
        self.cutoff = cutoff
        self.beyond = 0.5 * math.erfc(cutoff / math.sqrt(2))
        super().__init__(validate_args=False)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        """Everything beyond the cutoff."""
        beyond: Any = constraints.greater_than
        return beyond(self.cutoff)

    def sample(self, sample_shape: Any = ()) -> torch.Tensor:
        """Draw by inversion."""
        share = 1 - torch.rand(sample_shape, dtype=torch.float64)
        drawn: torch.Tensor = -torch.special.ndtri(self.beyond * share)
        return drawn

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        """Return the normalised log density."""
        constant = 0.5 * math.log(2 * math.pi) + math.log(self.beyond)
        log_density: torch.Tensor = -0.5 * torch.square(value) - constant
        return log_density
