"""Many draws at once: block totals, densities and what pairs of nodes are expected to have, draw by draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlog1py, xlogy

from bayeskit.models.blocks.likelihood import log_block, log_constant, once
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]


def totals_of_draws(spec: BlockSpec, pairs: Pairs, values: Arrays) -> tuple[Floats, Floats]:
    """Return ``block_totals`` of all draws, ``n_draws x K x L`` each.

    Parameters
    ----------
    spec, pairs
        Model and graph.
    values
        By site, the assignments ``n_draws x n`` from 0.
    """
    first, second = both(spec, values)
    k, l = spec.n_source_blocks, spec.n_target_blocks  # noqa: E741
    edges, lost = pairs.weights.tocoo(), pairs.unobserved.tocoo()
    rows, columns = edges.coords
    weight = edges.data
    lost_rows, lost_columns = lost.coords
    lost_exposure = pairs.out_exposure[lost_rows] * pairs.in_exposure[lost_columns]
    own = pairs.out_exposure * pairs.in_exposure
    if not pairs.directed:
        kept, lost_kept = rows <= columns, lost_rows < lost_columns
        rows, columns, weight = rows[kept], columns[kept], weight[kept]
        lost_rows, lost_columns = lost_rows[lost_kept], lost_columns[lost_kept]
        lost_exposure = lost_exposure[lost_kept]
    weights, exposures = np.empty((len(first), k, l)), np.empty((len(first), k, l))
    for draw, (z_1, z_2) in enumerate(zip(first.astype(np.int64), second.astype(np.int64), strict=True)):
        weights[draw] = np.bincount(z_1[rows] * l + z_2[columns], weight, k * l).reshape(k, l)
        missing = np.bincount(z_1[lost_rows] * l + z_2[lost_columns], lost_exposure, k * l).reshape(k, l)
        whole = np.outer(np.bincount(z_1, pairs.out_exposure, k), np.bincount(z_2, pairs.in_exposure, l))
        selves = np.bincount(z_1 * l + z_2, own, k * l).reshape(k, l)
        if pairs.directed:
            exposures[draw] = whole - missing - (0.0 if pairs.self_pairs else selves)
            continue
        weights[draw] += np.triu(weights[draw].T, 1) + np.tril(weights[draw].T, -1)
        missing += np.triu(missing.T, 1) + np.tril(missing.T, -1)
        within = (np.diag(whole) - np.diag(selves)) / 2 + (np.diag(selves) if pairs.self_pairs else 0.0)
        np.fill_diagonal(whole, within)
        exposures[draw] = whole - missing
    return weights, exposures


def log_likelihoods(spec: BlockSpec, pairs: Pairs, theta: Floats, weights: Floats, exposures: Floats) -> Floats:
    """Return the log density of the graph given assignments and rates, ``n_draws``, from their totals."""
    if spec.likelihood == "bernoulli":
        terms = xlogy(weights, theta) + xlog1py(exposures - weights, -theta)
    else:
        terms = xlogy(weights, theta) - exposures * theta
    return np.asarray(once(spec, terms).sum(axis=(-2, -1)) + log_constant(spec, pairs))


def log_marginals(spec: BlockSpec, pairs: Pairs, values: Arrays, weights: Floats, exposures: Floats) -> Floats:
    """Return ``log_marginal`` of all draws, ``n_draws``; with the log priors of what is estimated of it."""
    n_draws = len(weights)
    fixed = dict(zip(("alpha", "a", "b"), (spec.alpha, *spec.rate_arguments), strict=True))
    given = {name: np.asarray(values.get(name, np.full(n_draws, fixed[name])), dtype=float) for name in fixed}
    alpha, a, b = (given[name][:, None] for name in fixed)
    found = once(spec, log_block(spec, weights, exposures, a[..., None], b[..., None])).sum(axis=(-2, -1))
    for site, size in spec.partitions.items():
        counts = counts_of_draws(values[site], size)
        found += (gammaln(size * alpha) - gammaln(pairs.n_nodes + size * alpha))[:, 0]
        found += np.sum(gammaln(alpha + counts) - gammaln(alpha), axis=1)
    for name in spec.hyperparameters:
        found += spec.prior(name).log_density(given[name])
    return np.asarray(found + log_constant(spec, pairs))


def counts_of_draws(assignments: NDArray[Any], n_blocks: int) -> Floats:
    """Return how many nodes each block has, ``n_draws x n_blocks``."""
    return np.stack([np.bincount(draw, minlength=n_blocks) for draw in assignments]).astype(float)


def both(spec: BlockSpec, values: Arrays) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the assignments of sources and of targets, ``n_draws x n`` each; the same where one is shared."""
    return (values["z"], values["z"]) if spec.shared else (values["z_1"], values["z_2"])


def expected_weights(
    spec: BlockSpec, pairs: Pairs, values: Arrays, rows: NDArray[Any], columns: NDArray[Any]
) -> Floats:
    """Return what each draw expects of some pairs of nodes, ``n_draws x n_pairs``: a chance, or a mean count."""
    first, second = both(spec, values)
    theta = np.asarray(values["theta"], dtype=float)
    exposure = pairs.out_exposure[rows] * pairs.in_exposure[columns]
    draws = np.arange(len(theta))[:, None]
    found: Floats = theta[draws, first[:, rows].astype(np.int64), second[:, columns].astype(np.int64)] * exposure
    return found
