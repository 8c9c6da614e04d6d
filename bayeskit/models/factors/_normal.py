"""The normal distribution function in double precision, exact far below 0, where torch's own is not."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST = 2.0**-53
"""Which random numbers between 0 and 1 are multiples of; as good as 0."""
_ROOT = -math.sqrt(0.5)
_TAIL = -30.0  # standard deviations, below which a normal beyond 0 falls nearly as its density does


def ndtr(x: Tensor) -> Tensor:
    """Return the mass of the standard normal below ``x``."""
    return torch.erfc(x * _ROOT) / 2


def draw_above_zero(mean: Tensor, sd: Tensor, stream: torch.Generator) -> Tensor:
    """Draw normal numbers that are not negative, by inversion; far below 0 by how the density falls."""
    at = (mean / sd).double()
    share = torch.rand(mean.shape, generator=stream, dtype=torch.float64, device=mean.device).clamp_min(LEAST)
    inside = at - torch.special.ndtri(share * ndtr(at.clamp_min(_TAIL)))
    far, log_share = at.clamp_max(_TAIL), share.log()
    nearly = _beyond(far, log_share)
    beyond = _beyond(far, log_share + torch.log1p(-nearly / far))
    return torch.where(at < _TAIL, beyond, inside).clamp_min(0.0).to(mean.dtype) * sd


def _beyond(far: Tensor, log_share: Tensor) -> Tensor:
    """Return where the normal density around ``far``, which is negative, has fallen to a share of what it is at 0."""
    return 2 * log_share / (far - (far.square() - 2 * log_share).sqrt())
