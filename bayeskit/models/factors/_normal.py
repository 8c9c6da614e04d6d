"""The normal distribution function in double precision, exact far below 0, where torch's own is not."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST = 2.0**-53
"""Which random numbers between 0 and 1 are multiples of; as good as 0."""
_ROOT = -math.sqrt(0.5)
_TAIL = -30.0  # standard deviations, below which a normal beyond 0 is exponential to all digits of a float


def ndtr(x: Tensor) -> Tensor:
    """Return the mass of the standard normal below ``x``."""
    return torch.erfc(x * _ROOT) / 2


def draw_above_zero(mean: Tensor, sd: Tensor, stream: torch.Generator) -> Tensor:
    """Draw normal numbers that are not negative, by inversion; far below 0 the distribution is exponential."""
    at = (mean / sd).double()
    share = torch.rand(mean.shape, generator=stream, dtype=torch.float64, device=mean.device).clamp_min(LEAST)
    inside = at - torch.special.ndtri(share * ndtr(at.clamp_min(_TAIL)))
    beyond = share.log() / at.clamp_max(_TAIL)
    return torch.where(at < _TAIL, beyond, inside).clamp_min(0.0).to(mean.dtype) * sd
