"""The stochastic block model as a Pyro program whose assignments are matrices of probabilities.

A row of an assignment's value is a distribution over blocks: where it has a one and else zeros, the program's density
is that of the model. Where the rows are those of independent factors q(z[i]), the log densities of assignments and
graph are their expectations under these factors, for the same shares and rates: sums over pairs of blocks of expected
totals, which a product of the sparse weights with the rows gives, in O(E K + N K^2). So what Pyro's ``Trace_ELBO``
makes of this program and a guide that hands its own probabilities over is the mean-field bound of Daudin, Picard and
Robin (2008), doi:10.1007/s11222-007-9046-7, nothing drawn but shares and rates. Where one partition is shared, the two
ends of a pair (i, i) are the same, not independent, and have terms of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from pyro import deterministic, sample
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from bayeskit.models.blocks._memberships import Memberships
from bayeskit.models.blocks._products import Sparse, product, sparse_tensors
from bayeskit.models.blocks.likelihood import log_constant
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec

_FAMILIES: dict[str, Callable[..., TorchDistribution]] = {
    "gamma": dist.Gamma,
    "lognormal": dist.LogNormal,
    "exponential": dist.Exponential,
    "inv_gamma": dist.InverseGamma,
}


class GraphTensors(NamedTuple):
    """A graph as the program takes it.

    Parameters
    ----------
    weights
        Of all pairs; where one partition is shared, but for those of a node with itself.
    lost
        The exposures of the pairs that are not observed.
    out, into
        ``n`` each, the exposures of sources and of targets.
    loops
        ``n``, the weights of the pairs of a node with itself.
    constant
        What no parameter enters of the log density.
    self_pairs
        Whether the pairs of a node with itself are observed.
    """

    weights: Sparse
    lost: Sparse
    out: Tensor
    into: Tensor
    loops: Tensor
    constant: Tensor
    self_pairs: bool


def graph_tensors(spec: BlockSpec, pairs: Pairs) -> GraphTensors:
    """Return a graph's tensors, of double precision."""
    loops = pairs.weights.diagonal()
    rows, columns = pairs.weights.tocoo().coords
    kept = (rows != columns) | (not spec.shared)
    lost_rows, lost_columns = pairs.unobserved.tocoo().coords
    lost = pairs.out_exposure[lost_rows] * pairs.in_exposure[lost_columns]
    return GraphTensors(
        weights=sparse_tensors(rows[kept], columns[kept], pairs.weights.tocoo().data[kept], pairs.n_nodes),
        lost=sparse_tensors(lost_rows, lost_columns, lost, pairs.n_nodes),
        out=torch.tensor(pairs.out_exposure, dtype=torch.float64),
        into=torch.tensor(pairs.in_exposure, dtype=torch.float64),
        loops=torch.tensor(loops, dtype=torch.float64),
        constant=torch.tensor(log_constant(spec, pairs), dtype=torch.float64),
        self_pairs=pairs.self_pairs,
    )


def sbm_program(graph: GraphTensors, spec: BlockSpec) -> None:
    """Draw parameters and assignments, and the graph given them.

    Parameters
    ----------
    graph
        From ``graph_tensors``.
    spec
        Sizes, form and priors; it names the sites. Undirected, the free rates are a site ``rates``, of which ``theta``
        is made.
    """
    shares, theta = sample_parameters(spec, graph.out)
    n_nodes = graph.out.shape[0]
    memberships = {
        site: sample(site, Memberships(log_shares.expand(n_nodes, -1))) for site, log_shares in shares.items()
    }
    sample("x", BlockGraph(graph, spec, memberships, theta), obs=graph.weights.values)


def sample_parameters(spec: BlockSpec, like: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Draw concentrations where they are estimated, shares and rates; return log shares by assignment, and rates."""
    fixed = dict(zip(("alpha", "a", "b"), (spec.alpha, *spec.rate_arguments), strict=True))
    given = {
        name: sample(name, _prior(spec, name, like)) if name in spec.hyperparameters else like.new_tensor(value)
        for name, value in fixed.items()
    }
    shares = {
        site: sample(f"pi{site[1:]}", dist.Dirichlet(given["alpha"].expand(size))).log()
        for site, size in spec.partitions.items()
    }
    law = dist.Beta if spec.likelihood == "bernoulli" else dist.Gamma
    rates = sample_rates(spec, law(given["a"], given["b"]))
    if spec.directed:
        return shares, rates
    theta: Tensor = deterministic("theta", symmetrised(rates, spec.n_source_blocks), event_dim=2)
    return shares, theta


def sample_rates(spec: BlockSpec, law: Any) -> Tensor:
    """Draw the free rates, all of one law or each of its own: ``theta`` itself, or ``rates`` of its upper triangle."""
    name, shape = ("theta", spec.shapes["theta"]) if spec.directed else ("rates", (spec.n_rates,))
    rates: Tensor = sample(name, law.expand(shape).to_event(len(shape)))
    return rates


def symmetrised(rates: Tensor, n_blocks: int) -> Tensor:
    """Return a symmetric matrix of its upper triangle, row by row."""
    first, second = np.triu_indices(n_blocks)
    places = np.zeros((n_blocks, n_blocks), dtype=np.int64)
    places[first, second] = places[second, first] = np.arange(first.size)
    return rates[..., torch.as_tensor(places, device=rates.device)]


class BlockGraph(TorchDistribution):
    """A graph given its nodes' blocks, or the expectation of its log density where these are probabilities.

    Parameters
    ----------
    graph, spec
        The graph that it is the law of, and the model.
    memberships
        By site, ``n x K``.
    theta
        ``K x L``.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = dist.constraints.real_vector

    def __init__(self, graph: GraphTensors, spec: BlockSpec, memberships: dict[str, Tensor], theta: Tensor) -> None:
        self._graph, self._spec, self._theta = graph, spec, theta
        self._first, self._second = (
            memberships["z" if spec.shared else "z_1"],
            memberships["z" if spec.shared else "z_2"],
        )
        super().__init__(event_shape=graph.weights.values.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density of the weights, row by row as in the graph."""
        graph = self._graph._replace(weights=self._graph.weights._replace(values=value))
        weights, exposures = expected_totals(graph, self._spec, self._first, self._second)
        if self._spec.likelihood == "bernoulli":
            terms = weights * self._theta.log() + (exposures - weights) * (-self._theta).log1p()
        else:
            terms = weights * self._theta.log() - exposures * self._theta
        return terms.sum() + graph.constant


def expected_totals(graph: GraphTensors, spec: BlockSpec, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return expected sums of weights and of exposures, ``K x L`` each.

    Undirected, what two blocks have between them is shared out between ``[k, l]`` and ``[l, k]``: sums over the whole
    matrix count each pair once.
    """
    weights = first.T @ product(graph.weights, second)
    exposures = torch.outer(first.T @ graph.out, second.T @ graph.into)
    if graph.lost.values.numel():
        exposures = exposures - first.T @ product(graph.lost, second)
    own = graph.out * graph.into
    if not spec.shared:
        return weights, exposures if graph.self_pairs else exposures - first.T @ (own[:, None] * second)
    # The product took the two ends of a pair of a node with itself for independent.
    exposures = exposures - first.T @ (own[:, None] * first)
    if not spec.directed:
        weights, exposures = weights / 2, exposures / 2
    if graph.self_pairs:
        weights = weights + torch.diag(first.T @ graph.loops)
        exposures = exposures + torch.diag(first.T @ own)
    return weights, exposures


def _prior(spec: BlockSpec, name: str, like: Tensor) -> TorchDistribution:
    prior = spec.prior(name)
    return _FAMILIES[prior.family](*(like.new_tensor(argument) for argument in prior.arguments))
