"""Estimates of the evidence lower bound, to be differentiated: Pyro's traces, summed without looking at a value.

Pyro's own estimators turn tensors into Python numbers on the way, which cannot be recorded. Where the guide draws by
reparameterisation, the estimate is differentiated as it stands; else by the score function with what Pyro's plates tell
of independence (Ranganath, Gerrish and Blei 2014, https://proceedings.mlr.press/v33/ranganath14.html), and under
enumeration by DiCE (Foerster et al. 2018, arXiv:1802.05098).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from pyro import poutine
from pyro.distributions import Delta
from pyro.distributions.util import is_identically_zero, scale_and_mask
from pyro.infer import ELBO, Trace_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO
from pyro.infer.trace_elbo import _compute_log_r
from pyro.infer.traceenum_elbo import _compute_dice_elbo, _compute_model_factors
from pyro.ops import packed
from pyro.ops.contract import contract_tensor_tree
from pyro.poutine.util import prune_subsample_sites
from pyro.util import check_site_shape
from torch.distributions import kl_divergence

from bayeskit.inference._svi_sites import Arguments, Program

Trace = Any
Estimate = tuple[torch.Tensor, torch.Tensor]
"""The bound, and what has its gradient."""


@dataclass(frozen=True)
class Pair:
    """A program and a guide that fit each other.

    Parameters
    ----------
    program
        Its discrete sites marked to be summed out, where the guide leaves them out.
    guide
        Takes the same arguments.
    arguments
        Of both.
    name
        The program's.
    latent
        Names of the sites that the guide draws.
    summed_out
        Names of those that are summed out.
    """

    program: Program
    guide: Program
    arguments: Arguments
    name: str
    latent: tuple[str, ...]
    summed_out: tuple[str, ...]


class Objective:
    """The negative bound, estimated anew at each call.

    Parameters
    ----------
    pair
        Program and guide.
    loss
        ``trace``, ``trace_mean_field`` or ``trace_enum``.
    particles
        How many draws the estimate is the mean of.
    """

    def __init__(self, pair: Pair, loss: str, particles: int) -> None:
        kind, self._estimate = _ESTIMATORS[loss]
        self._elbo = kind(
            num_particles=particles, max_plate_nesting=_plate_nesting(pair), strict_enumeration_warning=False
        )
        self._pair, self._particles = pair, particles

    def __call__(self) -> Estimate:
        """Return the estimate, and a number with the same gradient in expectation; that of all particles."""
        value, surrogate = torch.zeros(()), torch.zeros(())
        weights = 1 / self._particles
        for model_trace, guide_trace in self.traces():
            bound, differentiable = self._estimate(model_trace, guide_trace)
            value, surrogate = value - weights * bound, surrogate - weights * differentiable
        return value, surrogate

    def traces(self) -> Any:
        """Return pairs of traces with their log densities, of program and guide."""
        return self._elbo._get_traces(self._pair.program, self._pair.guide, *self._pair.arguments)  # type: ignore[no-untyped-call]


def log_densities(model_trace: Trace, guide_trace: Trace) -> Estimate:
    """Return the log densities of program and guide at one draw, what was enumerated summed out of the first.

    Of traces by ``trace_enum``, where nothing in the guide was enumerated.
    """
    costs, factors, _, dims, scale = _compute_model_factors(model_trace, guide_trace)  # type: ignore[no-untyped-call]
    log_p = sum((cost.sum() for terms in costs.values() for cost in terms), torch.zeros(()))
    if factors:
        for terms in contract_tensor_tree(factors, dims).values():  # type: ignore[no-untyped-call]
            for term in terms:
                log_p = log_p + packed.scale_and_mask(term, scale=scale).sum()  # type: ignore[no-untyped-call]
    return log_p, torch.zeros(()) + guide_trace.log_prob_sum()


def _sampled(model_trace: Trace, guide_trace: Trace) -> Estimate:
    log_p = torch.zeros(()) + model_trace.log_prob_sum()
    surrogate, score = _entropy(model_trace, guide_trace)
    return log_p - guide_trace.log_prob_sum(), log_p + surrogate + score


def _mean_field(model_trace: Trace, guide_trace: Trace) -> Estimate:
    total = torch.zeros(())
    for name, site in model_trace.nodes.items():
        if site["type"] != "sample":
            continue
        if site["is_observed"]:
            total = total + site["log_prob_sum"]
            continue
        guided = guide_trace.nodes[name]
        divergence = _divergence(guided, site)
        if divergence is None:
            total = total + site["log_prob_sum"] - guided["score_parts"].entropy_term.sum()
        else:
            total = total - divergence
    for name, guided in guide_trace.nodes.items():
        if guided["type"] == "sample" and name not in model_trace.nodes:
            total = total - guided["score_parts"].entropy_term.sum()
    return total, total


def _divergence(guided: Any, site: Any) -> torch.Tensor | None:
    """Return the divergence at a site, or None where it has to be sampled."""
    # Pyro's divergence of a point leaves out the Jacobian that its own guides put there.
    if isinstance(guided["fn"], Delta):
        return None
    try:
        divergence = kl_divergence(guided["fn"], site["fn"])
    except NotImplementedError:
        return None
    scaled: Any = scale_and_mask(divergence, scale=guided["scale"], mask=guided["mask"])  # type: ignore[no-untyped-call]
    total: torch.Tensor = scaled.sum()
    return total


def _summed_out(model_trace: Trace, guide_trace: Trace) -> Estimate:
    if is_enumerated(guide_trace) or not _is_reparameterised(guide_trace):
        bound = torch.zeros(()) + _compute_dice_elbo(model_trace, guide_trace)  # type: ignore[no-untyped-call]
    else:
        log_p, log_q = log_densities(model_trace, guide_trace)
        bound = log_p - log_q
    return bound, bound


def _plate_nesting(pair: Pair) -> int:
    """Return how many dimensions plates take: enumerated sites get those to the left. Wrong shapes raise."""
    args, kwargs = pair.arguments
    guide_trace = poutine.trace(pair.guide).get_trace(*args, **kwargs)
    model_trace = poutine.trace(poutine.replay(pair.program, trace=guide_trace)).get_trace(*args, **kwargs)
    depth = 0
    unlimited: Any = math.inf
    for trace in map(prune_subsample_sites, (guide_trace, model_trace)):
        trace.compute_log_prob()
        sites: list[Any] = [site for site in trace.nodes.values() if site["type"] == "sample"]
        for site in sites:
            check_site_shape(site, max_plate_nesting=unlimited)
            depth = max([depth, *(-frame.dim for frame in site["cond_indep_stack"] if frame.vectorized)])
    return depth


_ESTIMATORS: dict[str, tuple[type[ELBO], Callable[[Trace, Trace], Estimate]]] = {
    "trace": (Trace_ELBO, _sampled),
    "trace_mean_field": (TraceMeanField_ELBO, _mean_field),
    "trace_enum": (TraceEnum_ELBO, _summed_out),
}


def is_enumerated(trace: Trace) -> bool:
    """Whether any site of a trace stands for all its values."""
    return any(
        "_enumerate_dim" in site["infer"] or "_enum_total" in site["infer"]
        for site in trace.nodes.values()
        if site["type"] == "sample"
    )


def _is_reparameterised(guide_trace: Trace) -> bool:
    return all(
        is_identically_zero(site["score_parts"].score_function)  # type: ignore[no-untyped-call]
        for site in guide_trace.nodes.values()
        if site["type"] == "sample"
    )


def _entropy(model_trace: Trace, guide_trace: Trace) -> tuple[torch.Tensor, torch.Tensor]:
    entropy, score = torch.zeros(()), torch.zeros(())
    log_r = None
    for site in guide_trace.nodes.values():
        if site["type"] != "sample":
            continue
        _, score_function, entropy_term = site["score_parts"]
        if not is_identically_zero(entropy_term):  # type: ignore[no-untyped-call]
            entropy = entropy - entropy_term.sum()
        if not is_identically_zero(score_function):  # type: ignore[no-untyped-call]
            if log_r is None:
                log_r = _compute_log_r(model_trace, guide_trace)  # type: ignore[no-untyped-call]
            score = score + (log_r.sum_to(site["cond_indep_stack"]) * score_function).sum()
    return entropy, score
