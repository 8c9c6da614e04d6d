"""The block model of few nodes as a Pyro program of shares and rates only, every assignment summed out exactly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from pyro import factor
from torch import Tensor

from bayeskit.models.blocks.program import sample_parameters
from bayeskit.models.blocks.spec import BlockSpec


class SummedTensors(NamedTuple):
    """All assignments, by their totals.

    Parameters
    ----------
    totals
        ``n_rows x n_totals``: what log shares, log rates and the rest of the rates' terms are multiplied by.
    log_numbers
        ``n_rows``, logs of how many assignments have these totals, with what no parameter enters.
    """

    totals: Tensor
    log_numbers: Tensor


def summed_program(states: SummedTensors, spec: BlockSpec) -> None:
    """Draw shares, rates and concentrations, and weigh them by the density of the graph.

    Parameters
    ----------
    states
        All assignments.
    spec
        Sizes, form and priors; it names the sites.
    """
    shares, theta = sample_parameters(spec, states.totals)
    rest = (-theta).log1p() if spec.likelihood == "bernoulli" else -theta
    factors = torch.cat([*shares.values(), theta.log().flatten(), rest.flatten()])
    factor("graph", torch.logsumexp(states.totals @ factors + states.log_numbers, -1))
