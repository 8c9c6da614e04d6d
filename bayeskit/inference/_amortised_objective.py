"""The bound of a batch, from the traces of a Pyro model and guide: its terms by row and by code, weighted or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from pyro import poutine
from pyro.distributions.util import scale_and_mask
from pyro.poutine.util import prune_subsample_sites
from torch.distributions import Independent, kl_divergence

from bayeskit.core.errors import ProgramError

if TYPE_CHECKING:
    from bayeskit.inference.amortised import AmortisedProgram

Tensors = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Terms:
    """The two terms of a bound, in nats, on average over the rows of a batch.

    Parameters
    ----------
    reconstruction
        Expected log density of what is observed given the codes, by one draw of these.
    divergence
        Of the approximate posterior from the prior, by code: exact where the two distributions have a known one, else
        by the draw.
    """

    reconstruction: torch.Tensor
    divergence: torch.Tensor

    def loss(self, weight: torch.Tensor | float, free_bits: float) -> torch.Tensor:
        """Return what is minimised: the negative bound where the weight is 1 and no bits are free."""
        divergence = self.divergence.clamp(min=free_bits) if free_bits else self.divergence
        return weight * divergence.sum() - self.reconstruction


class Bound(torch.nn.Module):
    """The terms of a program's bound, as a module, so that other tensors can stand in for its parameters.

    Parameters
    ----------
    program
        Model, guide and module.
    """

    def __init__(self, program: AmortisedProgram) -> None:
        super().__init__()
        self.module = program.module
        self._program = program

    def forward(self, batch: Tensors) -> Terms:
        """Return the terms for the rows of a batch, as it is taken from the data."""
        prepared = self._program.prepare(batch)
        guide_trace = poutine.trace(self._program.guide).get_trace(*prepared)
        model = poutine.replay(self._program.model, trace=guide_trace)
        model_trace = poutine.trace(model).get_trace(*prepared)
        return _terms(prune_subsample_sites(model_trace), prune_subsample_sites(guide_trace), len(batch[0]))


def _terms(model_trace: Any, guide_trace: Any, n_rows: int) -> Terms:
    model_trace.compute_log_prob(lambda name, site: site["is_observed"])
    sites = {name: site for name, site in model_trace.nodes.items() if site["type"] == "sample"}
    latent = {name for name, site in sites.items() if not site["is_observed"]}
    guided = {name: site for name, site in guide_trace.nodes.items() if site["type"] == "sample"}
    if latent != set(guided) or not latent:
        raise ProgramError(
            f"the model has the latent sites {_listed(latent)} and the guide {_listed(set(guided))}; give both the same"
        )
    observed = [site["log_prob_sum"] for site in sites.values() if site["is_observed"]]
    if not observed:
        raise ProgramError("the model has no observed site; give one of its pyro.sample statements obs=")
    divergences = [_divergence(guided[name], sites[name], n_rows) for name in sites if name in latent]
    return Terms(sum(observed[1:], observed[0]) / n_rows, torch.cat(divergences, 1).mean(0))


def _divergence(guided: Any, site: Any, n_rows: int) -> torch.Tensor:
    """Return the divergence at a site, ``n_rows x n_codes``."""
    name, approximate, prior = site["name"], guided["fn"], site["fn"]
    if not approximate.has_rsample:
        raise ProgramError(f"the guide's site '{name}' has no reparameterised draws; take a continuous distribution")
    if approximate.batch_shape[:1] != (n_rows,):
        raise ProgramError(f"the guide's site '{name}' is not in a plate over the rows; put it into one")
    while isinstance(approximate, Independent) and isinstance(prior, Independent):
        if approximate.reinterpreted_batch_ndims != prior.reinterpreted_batch_ndims:
            break
        approximate, prior = approximate.base_dist, prior.base_dist
    try:
        found = kl_divergence(approximate, prior)
    except NotImplementedError:
        found = approximate.log_prob(guided["value"]) - prior.log_prob(site["value"])
    codes_first = found.reshape(n_rows, -1).T
    scaled: Any = scale_and_mask(codes_first, scale=guided["scale"], mask=guided["mask"])  # type: ignore[no-untyped-call]
    by_row: torch.Tensor = scaled.T
    return by_row


def _listed(names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names)) or "none"
