"""Likelihoods of rows: what the decoder's outputs are parameters of. All are of independent values given the codes."""

from __future__ import annotations

import math
from typing import Any

import torch
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Size, Tensor
from torch.distributions import constraints
from torch.nn import functional

_NEAR = 0.25  # a logit nearer to 0 than this goes by series
_ONE = Size()
_SMALLEST = 1e-6  # of a logit that is divided by


def row_law(likelihood: str, outputs: Tensor, noise_sd: Tensor | None) -> TorchDistribution:
    """Return the distribution of rows.

    Parameters
    ----------
    likelihood
        Which. A Bernoulli one takes grey for the chance of a 1: minus its log density is the cross entropy, which is at
        its least where the mean is the grey.
    outputs
        ``n x D x 1`` of the decoder: logits, or means; ``n x D x levels`` logits of a categorical one.
    noise_sd
        ``D`` or a scalar: standard deviations, of a gaussian one.
    """
    law: Any
    if likelihood == "categorical":
        law = GreyLevels(outputs)
    elif likelihood == "gaussian":
        assert noise_sd is not None
        means = outputs.squeeze(-1)
        law = dist.Normal(means, noise_sd.expand(means.shape), validate_args=False)
    elif likelihood == "continuous-bernoulli":
        law = ContinuousBernoulli(outputs.squeeze(-1))
    else:
        law = dist.Bernoulli(logits=outputs.squeeze(-1), validate_args=False)
    found: TorchDistribution = law.to_event(1)
    return found


class ContinuousBernoulli(TorchDistribution):
    """The continuous Bernoulli distribution on 0 to 1, by its logit.

    Loaiza-Ganem and Cunningham (2019), arXiv:1907.06845. With the logit l of their lambda, log p(x) = l x - softplus(l)
    + log(l / tanh(l / 2)), whose last term is even in l and goes by its series near 0, where torch's own distribution,
    which holds lambda itself, cuts a gap out. It is as exact where lambda is within rounding of 0 or 1.
    """

    arg_constraints = {"logits": constraints.real}  # noqa: RUF012
    support = constraints.unit_interval
    has_rsample = False

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> ContinuousBernoulli:
        """Return the distribution over more rows."""
        return ContinuousBernoulli(self.logits.expand(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log densities of values in 0 to 1."""
        return self.logits * value - functional.softplus(self.logits) + self._log_normaliser()

    @property
    def mean(self) -> Tensor:
        """1 / (1 - exp(-l)) - 1 / l."""
        small, logits = self._small()
        exact = -1 / torch.expm1(-logits) - 1 / logits
        return torch.where(small, 0.5 + self.logits / 12 - self.logits**3 / 720, exact)

    def sample(self, sample_shape: Any = _ONE) -> Tensor:
        """Draw by the inverse of the distribution function."""
        uniform = torch.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype, device=self.logits.device)
        size = self.logits.abs().clamp(min=_SMALLEST)
        # For l < 0 it is log(1 + u (e^l - 1)) / l, whose exponential does not overflow; for l > 0 that of 1 - x.
        drawn = (torch.log1p(uniform * torch.expm1(-size)) / -size).clamp(0, 1)
        return torch.where(self.logits > 0, 1 - drawn, drawn)

    def _small(self) -> tuple[Tensor, Tensor]:
        """Return where the logit is near 0, and logits that are not, so that no branch's gradient is infinite."""
        small = self.logits.abs() < _NEAR
        return small, torch.where(small, torch.full_like(self.logits, _NEAR), self.logits)

    def _log_normaliser(self) -> Tensor:
        small, logits = self._small()
        size = logits.abs()
        exact = size.log() - torch.log(torch.tanh(size / 2))
        square = (self.logits / 2) ** 2
        series = math.log(2) + torch.log1p(square * (1 / 3 - square * (1 / 45 - square * (2 / 945))))
        return torch.where(small, series, exact)


class GreyLevels(TorchDistribution):
    """A categorical distribution over grey levels from 0 to 1, equally far apart.

    Parameters
    ----------
    logits
        ``... x levels``, up to a constant each.
    """

    arg_constraints = {"logits": constraints.real_vector}  # noqa: RUF012
    support = constraints.unit_interval
    has_rsample = False

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self.levels = logits.shape[-1]
        super().__init__(logits.shape[:-1], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> GreyLevels:
        """Return the distribution over more rows."""
        return GreyLevels(self.logits.expand(*batch_shape, self.levels))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log probabilities of grey values: of the level that is nearest."""
        places = (value * (self.levels - 1)).round().long().unsqueeze(-1)
        chosen = self.logits.gather(-1, places).squeeze(-1)
        return chosen - self.logits.logsumexp(-1)

    @property
    def mean(self) -> Tensor:
        """Expected grey."""
        grey = torch.linspace(0, 1, self.levels, dtype=self.logits.dtype, device=self.logits.device)
        return self.logits.softmax(-1) @ grey

    def sample(self, sample_shape: Any = _ONE) -> Tensor:
        """Draw levels, as grey."""
        law: Any = torch.distributions.Categorical(logits=self.logits, validate_args=False)
        drawn: Tensor = law.sample(sample_shape)
        return drawn.to(self.logits.dtype) / (self.levels - 1)
