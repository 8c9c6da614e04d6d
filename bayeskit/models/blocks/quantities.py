"""What calibration ranks and engines are compared by: quantities that stay the same when blocks change their labels.

A block's own share or rate says nothing by itself, since the posterior is the same in every order of the blocks, and
the truth's order is one of them by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from bayeskit.models.blocks.draws import (
    both,
    counts_of_draws,
    log_likelihoods,
    log_marginals,
    totals_of_draws,
)
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

LOG_LIKELIHOOD = "log_lik"
_MOST_PAIRS = 3  # of nodes


def label_free_quantities(spec: BlockSpec, pairs: Pairs, values: Arrays) -> dict[str, Floats]:
    """Return what does not depend on labels.

    Parameters
    ----------
    spec, pairs
        Model and graph: the one that the likelihood is of.
    values
        By site, ``n_draws x`` the site's shape; assignments from 0.

    Returns
    -------
    dict
        ``n_draws`` values by label: ``log_lik`` of the graph given assignments and rates (which depends on the data, so
        that a posterior that ignores these is seen: Modrák et al. 2023, doi:10.1214/23-BA1404); ``log_density`` of
        graph and assignments, shares and rates integrated out; mean and standard deviation of the rates, weighted by
        the blocks' shares; rates between a few pairs of nodes, by their numbers from 1; concentrations that are
        estimated. Of each partition with more than one block the largest share, the number of blocks that hold a node,
        the entropy of their sizes, and whether a few pairs of nodes share a block, ``_1`` of sources and ``_2`` of
        targets.
    """
    theta = np.asarray(values["theta"], dtype=float)
    weights, exposures = totals_of_draws(spec, pairs, values)
    found = {LOG_LIKELIHOOD: log_likelihoods(spec, pairs, theta, weights, exposures)}
    found["log_density"] = log_marginals(spec, pairs, values, weights, exposures)
    found |= _of_rates(spec, values, theta)
    first, second = (np.asarray(one, dtype=np.int64) for one in both(spec, values))
    draws = np.arange(len(theta))
    for one, other in _pairs_of_nodes(pairs.n_nodes):
        found[f"rate[{one + 1},{other + 1}]"] = theta[draws, first[:, one], second[:, other]]
    for site, size in spec.partitions.items():
        if size > 1:
            parts = _of_partition(values[site], values[f"pi{site[1:]}"], size)
            found |= {_named(label, site): part for label, part in parts.items()}
    return found | {name: np.asarray(values[name], dtype=float) for name in spec.hyperparameters}


def _of_rates(spec: BlockSpec, values: Arrays, theta: Floats) -> dict[str, Floats]:
    first, second = ("pi", "pi") if spec.shared else ("pi_1", "pi_2")
    shares = values[first][:, :, None] * values[second][:, None, :]
    mean = np.sum(shares * theta, axis=(1, 2))
    found = {"mean_rate": mean}
    if theta[0].size > 1:
        found["sd_rate"] = np.sqrt(np.sum(shares * (theta - mean[:, None, None]) ** 2, axis=(1, 2)))
    return found


def _of_partition(assignments: NDArray[Any], shares: Floats, n_blocks: int) -> dict[str, Floats]:
    counts = counts_of_draws(assignments, n_blocks)
    sizes = counts / counts.sum(axis=1, keepdims=True)
    found = {
        "largest_share": np.asarray(shares.max(axis=1), dtype=float),
        "n_occupied": np.sum(counts > 0, axis=1).astype(float),
        "entropy": -np.sum(xlogy(sizes, sizes), axis=1),
    }
    for one, other in _pairs_of_nodes(assignments.shape[1]):
        found[f"together[{one + 1},{other + 1}]"] = (assignments[:, one] == assignments[:, other]).astype(float)
    return found


def _named(label: str, site: str) -> str:
    name, bracket, rest = label.partition("[")
    return f"{name}{site[1:]}{bracket}{rest}"


def _pairs_of_nodes(n_nodes: int) -> list[tuple[int, int]]:
    """Return a few pairs that share no node, as far as there are nodes."""
    return [(one, n_nodes - 1 - one) for one in range(min(_MOST_PAIRS, n_nodes // 2))]
