"""Distributions that the Pyro program of a matrix factorisation takes, and Pyro has not."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from bayeskit.models.factors._normal import ndtr

_FAR = 1e8  # where the lowest level begins and the highest ends: as good as infinity, with gradients
_TAIL = -20.0  # standard deviations, below which the distribution function is computed by its series
_ONCE = torch.Size()
_LOG_ROOT = 0.5 * math.log(2 * math.pi)


class NormalRows(TorchDistribution):
    """Normal vectors by the Cholesky factor L of their precision L L', which needs no system to be solved.

    Parameters
    ----------
    mean
        ``... x d``.
    factor
        ``d x d``, lower triangular.
    times
        ``...``, by how much the precision of each is larger; None for 1.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = dist.constraints.real_vector
    has_rsample = True

    def __init__(self, mean: Tensor, factor: Tensor, times: Tensor | None = None) -> None:
        self._mean, self._factor = mean, factor
        self._times = mean.new_ones(()) if times is None else times
        super().__init__(mean.shape[:-1], mean.shape[-1:], validate_args=False)

    def rsample(self, sample_shape: Any = _ONCE) -> Tensor:
        """Draw, differentiably."""
        shape = (*sample_shape, *self._mean.shape)
        noise = torch.randn(shape, dtype=self._mean.dtype, device=self._mean.device)
        noise = (noise / self._times.sqrt().unsqueeze(-1)).unsqueeze(-2)
        solved: Tensor = torch.linalg.solve_triangular(self._factor, noise, upper=False, left=False)
        return self._mean + solved.squeeze(-2)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density of each vector."""
        white = (value - self._mean) @ self._factor
        log_scale = self._factor.diagonal().log().sum() + self._mean.shape[-1] * (0.5 * self._times.log() - _LOG_ROOT)
        found: Tensor = log_scale - 0.5 * self._times * white.square().sum(-1)
        return found


class AscendingNormals(TorchDistribution):
    """Independent normal numbers of one mean and standard deviation, given that they ascend.

    Parameters
    ----------
    mean, sd
        Of all.
    size
        How many.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = dist.constraints.ordered_vector

    def __init__(self, mean: float, sd: float, size: int) -> None:
        self._each: Any = dist.Normal(torch.full((size,), mean), sd)
        super().__init__(event_shape=torch.Size([size]), validate_args=False)

    def sample(self, sample_shape: Any = _ONCE) -> Tensor:
        """Draw independent numbers, and put them in order."""
        found: Tensor = self._each.sample(sample_shape).sort().values
        return found

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density: each order of independent numbers is as likely as any other."""
        found: Tensor = self._each.log_prob(value).sum(-1) + math.lgamma(value.shape[-1] + 1)
        return found


class ProbitLevels(TorchDistribution):
    """Levels of hidden ratings, normal of variance 1, between cutpoints.

    Parameters
    ----------
    cutpoints
        L - 1, ascending.
    eta
        ``...``, means of the hidden ratings.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = dist.constraints.nonnegative_integer

    def __init__(self, cutpoints: Tensor, eta: Tensor) -> None:
        far = cutpoints.new_full((1,), _FAR)
        self._bounds, self._eta = torch.cat([-far, cutpoints, far]), eta
        super().__init__(eta.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log chance of levels, from 0."""
        low, high = (bounds[value] - self._eta for bounds in (self._bounds, self._bounds[1:]))
        return log_mass(low, high)


def log_mass(low: Tensor, high: Tensor) -> Tensor:
    """Return the log of the standard normal mass between two ends; below 0, where digits are, if need be mirrored."""
    above = low + high > 0
    near, far = torch.where(above, -high, low), torch.where(above, -low, high)
    log_far = log_ndtr(far)
    ratio = log_ndtr(near) - log_far
    close = ratio > -math.log(2)
    # Each branch is given what it can take, for the other's gradient not to be NaN.
    of_close = (-torch.expm1(torch.where(close, ratio, -1.0))).log()
    of_distant = torch.log1p(-torch.exp(torch.where(close, -1.0, ratio)))
    return log_far + torch.where(close, of_close, of_distant)


def log_ndtr(x: Tensor) -> Tensor:
    """Return the log of the standard normal mass below ``x``, in operations that compilers and gradients know."""
    below = x.clamp_max(_TAIL)
    inverse = below.reciprocal().square()
    # Abramowitz and Stegun (1964), 26.2.12
    series = 1 - inverse * (1 - 3 * inverse * (1 - 5 * inverse * (1 - 7 * inverse * (1 - 9 * inverse))))
    tail = -0.5 * below.square() - (-below).log() - _LOG_ROOT + series.log()
    return torch.where(x < _TAIL, tail, ndtr(x.clamp_min(_TAIL)).log())
