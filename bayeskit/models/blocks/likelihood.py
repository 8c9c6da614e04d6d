"""Log densities of block models: of a graph given everything, and with shares and rates integrated out.

With E[k, l] and M[k, l] the sums of weights and exposures over the pairs of blocks k and l,

    log p(x | z, theta) = sum_kl E log theta + (M - E) log(1 - theta)                              Bernoulli
                        = sum_kl E log theta - M theta + sum_ij x log m - log x!                   Poisson

and, integrated over conjugate priors, the block's marginal is ``B(a + E, b + M - E) / B(a, b)`` or
``b^a Gamma(a + E) / (Gamma(a) (b + M)^(a + E))``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, xlog1py, xlogy

from bayeskit.models.blocks.pairs import Pairs, block_totals
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]


def log_constant(spec: BlockSpec, pairs: Pairs) -> float:
    """Return the part of a Poisson log likelihood that no parameter enters: ``sum x log m - log x!``."""
    if spec.likelihood == "bernoulli":
        return 0.0
    found = pairs.weights.tocoo()
    rows, columns, weights = found.coords[0], found.coords[1], found.data
    if not pairs.directed:
        kept = rows <= columns
        rows, columns, weights = rows[kept], columns[kept], weights[kept]
    exposures = pairs.out_exposure[rows] * pairs.in_exposure[columns]
    return float(np.sum(xlogy(weights, exposures) - gammaln(weights + 1)))


def log_likelihood(spec: BlockSpec, pairs: Pairs, assignments: Mapping[str, Integers], theta: Floats) -> float:
    """Return the log density of the graph given assignments (by site, ``n`` each) and rates, ``K x L``."""
    weights, exposures = totals(spec, pairs, assignments)
    if spec.likelihood == "bernoulli":
        terms = xlogy(weights, theta) + xlog1py(exposures - weights, -theta)
    else:
        terms = xlogy(weights, theta) - exposures * theta
    return float(np.sum(once(spec, terms))) + log_constant(spec, pairs)


def log_marginal(
    spec: BlockSpec,
    pairs: Pairs,
    assignments: Mapping[str, Integers],
    *,
    alpha: float | None = None,
    a: float | None = None,
    b: float | None = None,
) -> float:
    """Return the log density of graph and assignments together, with shares and rates integrated out.

    Parameters
    ----------
    spec, pairs
        Model and graph.
    assignments
        By site, ``n`` blocks from 0 each.
    alpha, a, b
        Arguments of the priors, unless they are the fixed ones.
    """
    alpha = spec.alpha if alpha is None else alpha
    a = spec.rate_arguments[0] if a is None else a
    b = spec.rate_arguments[1] if b is None else b
    weights, exposures = totals(spec, pairs, assignments)
    total = float(np.sum(once(spec, log_block(spec, weights, exposures, a, b)))) + log_constant(spec, pairs)
    for site, size in spec.partitions.items():
        counts = np.bincount(assignments[site], minlength=size)
        total += float(gammaln(size * alpha) - gammaln(pairs.n_nodes + size * alpha))
        total += float(np.sum(gammaln(alpha + counts) - gammaln(alpha)))
    return total


def log_block(spec: BlockSpec, weights: Floats, exposures: Floats, a: float | Floats, b: float | Floats) -> Floats:
    """Return the log marginals of pairs of blocks with these totals, of the totals' shape."""
    if spec.likelihood == "bernoulli":
        return np.asarray(betaln(a + weights, b + exposures - weights) - betaln(a, b))
    return np.asarray(a * np.log(b) - gammaln(a) + gammaln(a + weights) - (a + weights) * np.log(b + exposures))


def totals(spec: BlockSpec, pairs: Pairs, assignments: Mapping[str, Integers]) -> tuple[Floats, Floats]:
    """Return ``block_totals`` at assignments by site."""
    first, second = assignments["z" if spec.shared else "z_1"], assignments["z" if spec.shared else "z_2"]
    return block_totals(pairs, first, second, spec.n_source_blocks, spec.n_target_blocks)


def once(spec: BlockSpec, terms: Any) -> Floats:
    """Return the terms of all free rates, each once; undirected those of ``k <= l``, with zeros elsewhere."""
    return np.asarray(terms if spec.directed else np.triu(terms), dtype=float)
