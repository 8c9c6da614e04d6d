"""Assignments to blocks as matrices whose rows are distributions over the blocks."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor


class Memberships(TorchDistribution):
    """One block for each node: draws have a one in each row.

    The log density of a matrix of probabilities is what they expect of the log density of a draw of theirs.

    Parameters
    ----------
    log_shares
        ``n x K``, the logs of each node's probabilities.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = dist.constraints.independent(dist.constraints.simplex, 1)  # type: ignore[no-untyped-call]

    def __init__(self, log_shares: Tensor) -> None:
        self.log_shares = log_shares
        super().__init__(event_shape=log_shares.shape, validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw matrices of zeros and ones."""
        places = torch.distributions.Categorical(logits=self.log_shares, validate_args=False).sample(sample_shape)  # type: ignore[no-untyped-call]
        return torch.nn.functional.one_hot(places, self.log_shares.shape[-1]).to(self.log_shares)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log densities, or their expectations."""
        return (value * self.log_shares).sum((-2, -1))


class SoftMemberships(Memberships):
    """The same with its probabilities handed over in a draw's place: its log density there is the negative entropy."""

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return the probabilities."""
        return self.log_shares.exp().expand(torch.Size(sample_shape) + self.log_shares.shape)
