"""The mean-field guide of the block model's Pyro program: all factors independent, those of assignments handed over."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyro import distributions as dist
from pyro import param, sample
from torch import Tensor

from bayeskit.core.errors import ConfigError
from bayeskit.models.blocks._memberships import SoftMemberships
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.program import GraphTensors, expected_totals, graph_tensors, sample_rates
from bayeskit.models.blocks.spec import BlockSpec
from bayeskit.models.blocks.variational_draws import Factors, draw_factors

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_POSITIVE = dist.constraints.positive
_MIXED_IN = 0.1  # share of the uniform distribution in probabilities that the guide begins at
_LOG_SD = 0.3  # of concentrations, in the beginning


class BlockGuide:
    """A guide for ``sbm_program``, which takes the same arguments.

    Dirichlet factors of the shares, Beta or Gamma factors of the rates, lognormal ones of concentrations, and one of
    each node's block. The first two begin as the best ones given the last.

    Parameters
    ----------
    spec, pairs
        Model and graph.
    starts
        By site of the assignments where to begin: blocks from 0, ``n``, or probabilities, ``n x K``. They are mixed
        with a little of the uniform distribution, to be free to move.

    Raises
    ------
    ConfigError
        If a start has another shape.
    """

    __name__ = "mean_field"

    def __init__(self, spec: BlockSpec, pairs: Pairs, starts: Arrays) -> None:
        self.spec, self.pairs = spec, pairs
        self._rows = {
            site: _probabilities(site, starts[site], pairs.n_nodes, size) for site, size in spec.partitions.items()
        }
        self._shares = {site: spec.alpha + rows.sum(axis=0) for site, rows in self._rows.items()}
        self._rates = self._best_rates()

    def __call__(self, graph: GraphTensors, spec: BlockSpec) -> None:
        """Draw concentrations, shares and rates; hand the assignments' probabilities over."""
        self._sample_parameters()
        for site in spec.partitions:
            sample(site, SoftMemberships(self._logits(site).log_softmax(-1)))

    def draws(
        self, learned: Mapping[str, NDArray[Any]], n: int, rng: np.random.Generator
    ) -> tuple[dict[str, NDArray[Any]], Floats, Floats]:
        """Draw from the guide, assignments as whole numbers.

        Parameters
        ----------
        learned
            Its parameters by name.
        n
            How many draws, of large graphs fewer.
        rng
            The stream.

        Returns
        -------
        dict, array, array
            ``n x ...`` by site, and ``n`` log densities each, of the model with its graph and of the guide.
        """
        rows = {site: _softmax(learned[f"{site}_logits"]) for site in self.spec.partitions}
        shares = {site: learned[f"pi{site[1:]}_concentration"] for site in rows}
        a, b = (self._as_matrix(learned[f"theta_{which}"]) for which in ("a", "b"))
        estimated = {
            name: (float(learned[f"{name}_mean"]), float(learned[f"{name}_sd"])) for name in self.spec.hyperparameters
        }
        return draw_factors(self.spec, self.pairs, Factors(rows, shares, (a, b), estimated), n, rng)

    def _sample_parameters(self) -> None:
        spec = self.spec
        fixed = dict(zip(("alpha", "a", "b"), (spec.alpha, *spec.rate_arguments), strict=True))
        for name in spec.hyperparameters:
            mean = param(f"{name}_mean", partial(_tensor, np.log(fixed[name])))
            sd = param(f"{name}_sd", partial(_tensor, _LOG_SD), constraint=_POSITIVE)
            sample(name, dist.LogNormal(mean, sd))  # type: ignore[no-untyped-call]
        for site, begun in self._shares.items():
            name = f"pi{site[1:]}"
            rate = param(f"{name}_concentration", partial(_tensor, begun), constraint=_POSITIVE)
            sample(name, dist.Dirichlet(rate))
        a, b = (
            param(f"theta_{which}", partial(_tensor, begun), constraint=_POSITIVE)
            for which, begun in zip("ab", self._rates, strict=True)
        )
        sample_rates(spec, dist.Beta(a, b) if spec.likelihood == "bernoulli" else dist.Gamma(a, b))

    def _logits(self, site: str) -> Tensor:
        logits: Tensor = param(f"{site}_logits", partial(_tensor, np.log(self._rows[site])))
        return logits

    def _best_rates(self) -> tuple[Floats, Floats]:
        """Return both arguments of the free rates' best factors, given the assignments' first ones."""
        rows = [torch.tensor(rows) for rows in self._rows.values()]
        with torch.no_grad():
            totals = expected_totals(graph_tensors(self.spec, self.pairs), self.spec, rows[0], rows[-1])
        weights, exposures = (part.numpy() for part in totals)
        if not self.spec.directed:
            first, second = np.triu_indices(self.spec.n_source_blocks)
            twice = np.where(first == second, 1.0, 2.0)
            weights, exposures = weights[first, second] * twice, exposures[first, second] * twice
        a, b = self.spec.rate_arguments
        rest = exposures - weights if self.spec.likelihood == "bernoulli" else exposures
        return a + weights, b + np.maximum(rest, 0.0)

    def _as_matrix(self, free: Floats) -> Floats:
        if self.spec.directed:
            return free
        found = np.ones(self.spec.shapes["theta"])
        found[np.triu_indices(self.spec.n_source_blocks)] = free
        return found


def _tensor(value: Any) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def _probabilities(site: str, given: NDArray[Any], n_nodes: int, n_blocks: int) -> Floats:
    rows = np.asarray(given)
    if rows.ndim == 1 and rows.shape == (n_nodes,) and not ((rows < 0) | (rows >= n_blocks)).any():
        rows = np.eye(n_blocks)[rows.astype(np.int64)]
    if rows.shape != (n_nodes, n_blocks):
        raise ConfigError(
            f"the start of '{site}' must be {n_nodes} blocks from 0 to {n_blocks - 1}, or probabilities of shape "
            f"{(n_nodes, n_blocks)}, got {np.shape(given)}"
        )
    return np.asarray((1 - _MIXED_IN) * rows / rows.sum(axis=1, keepdims=True) + _MIXED_IN / n_blocks)


def _softmax(logits: Floats) -> Floats:
    found = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True))
