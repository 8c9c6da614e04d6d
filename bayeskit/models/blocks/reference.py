"""The block model with two partitions as Pyro has it, every pair of nodes a site: slow, and plain to read.

The assignments are enumerated in the guide, where they are independent of each other, so that ``TraceEnum_ELBO`` sums
them out of the bound: the same number as ``sbm_program``'s with ``BlockGuide``, for the same shares and rates. (In the
program itself they cannot be: every source's block meets every target's in some pair, which is no tree.) Time and
memory are in proportion to N^2 K L.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from pyro import distributions as dist
from pyro import plate, sample
from torch import Tensor

from bayeskit.core.errors import ConfigError
from bayeskit.models.blocks.guide import BlockGuide
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.program import sample_parameters
from bayeskit.models.blocks.spec import BlockSpec

_MOST_TERMS = 100_000_000  # numbers, of which a step holds some ten times as many bytes each


class PairTensors(NamedTuple):
    """All pairs of nodes, ``n x n`` each: weights, exposures, and which are observed."""

    weights: Tensor
    exposures: Tensor
    observed: Tensor


def pair_tensors(spec: BlockSpec, pairs: Pairs) -> PairTensors:
    """Return a graph as ``reference_program`` takes it.

    Raises
    ------
    ConfigError
        If one partition is shared, or there are too many pairs.
    """
    if spec.shared:
        raise ConfigError(
            "loss trace_enum takes two partitions: with a shared one the assignments of both ends of a pair of a node "
            "with itself are the same; leave --loss out, whose bound sums them out, too"
        )
    n_terms = pairs.n_nodes**2 * spec.n_source_blocks * spec.n_target_blocks
    if n_terms > _MOST_TERMS:
        raise ConfigError(
            f"loss trace_enum takes {n_terms:,} numbers for all pairs of nodes and of blocks, of {_MOST_TERMS:,} at "
            "most; leave --loss out, whose bound is the same"
        )
    observed = torch.tensor(pairs.unobserved.toarray() == 0)
    if not pairs.self_pairs:
        observed.fill_diagonal_(fill_value=False)
    exposures = torch.outer(torch.tensor(pairs.out_exposure), torch.tensor(pairs.in_exposure))
    return PairTensors(torch.tensor(pairs.weights.toarray()), exposures, observed)


def reference_program(pairs: PairTensors, spec: BlockSpec) -> None:
    """Draw parameters and assignments, and each pair's weight given them.

    Parameters
    ----------
    pairs
        From ``pair_tensors``.
    spec
        The model, with two partitions.
    """
    log_shares, theta = sample_parameters(spec, pairs.exposures)
    sources, targets = _plates(len(pairs.weights))
    with sources:
        z_1 = sample("z_1", dist.Categorical(logits=log_shares["z_1"]))
    with targets:
        z_2 = sample("z_2", dist.Categorical(logits=log_shares["z_2"]))
    rates = theta[z_1, z_2]
    laws: Any = dist
    # At a mean of 0, of a node without edges corrected for its degree, the density has no gradient in numbers.
    means = (pairs.exposures * rates).clamp(min=torch.finfo(rates.dtype).tiny)
    law = laws.Bernoulli(rates) if spec.likelihood == "bernoulli" else laws.Poisson(means)
    with sources, targets:
        sample("x", law.mask(pairs.observed), obs=pairs.weights)


class EnumeratedGuide(BlockGuide):
    """``BlockGuide`` for ``reference_program``: assignments are draws, marked to be summed out."""

    __name__ = "enumerated"

    def __call__(self, pairs: PairTensors, spec: BlockSpec) -> None:  # type: ignore[override]
        """Draw everything, each independently."""
        self._sample_parameters()
        for site, nodes in zip(spec.partitions, _plates(len(pairs.weights)), strict=True):
            logits = self._logits(site)
            with nodes:
                each = logits.unsqueeze(1) if nodes.dim == -2 else logits
                sample(site, dist.Categorical(logits=each), infer={"enumerate": "parallel"})


def _plates(n_nodes: int) -> tuple[plate, plate]:
    return plate("sources", n_nodes, dim=-2), plate("targets", n_nodes, dim=-1)
