"""Draws from a block model's prior, graphs from its parameters, and shares and rates given graph and assignments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayeskit.models.blocks.draws import counts_of_draws, totals_of_draws
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_SMALLEST = np.finfo(float).tiny
_LARGEST_CHANCE = 1 - np.finfo(float).epsneg


def draw_prior_values(spec: BlockSpec, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    """Draw the parameters, assignments left out, from their prior.

    Parameters
    ----------
    spec
        The model.
    rng
        The stream.
    n
        How many draws.

    Returns
    -------
    dict
        By site, in the order of ``spec.shapes``, ``n x`` the site's shape.
    """
    found: dict[str, Floats] = {name: spec.prior(name).draw((n,), rng) for name in spec.hyperparameters}
    alpha, a, b = concentrations(spec, found, n)
    for site, size in spec.partitions.items():
        found[_shares(site)] = draw_dirichlet(np.broadcast_to(alpha[:, None], (n, size)), rng)
    shape = (n, spec.n_source_blocks, spec.n_target_blocks)
    first, second = (np.broadcast_to(argument[:, None, None], shape) for argument in (a, b))
    found["theta"] = draw_theta(spec, first, second, rng)
    return found


def draw_assignments(
    spec: BlockSpec, values: Arrays, n_nodes: int, rng: np.random.Generator
) -> dict[str, NDArray[np.int16]]:
    """Draw the nodes' blocks given their shares.

    Parameters
    ----------
    spec
        The model.
    values
        By site, the shares of each partition, ``n_draws x K``.
    n_nodes
        Number of nodes.
    rng
        The stream.

    Returns
    -------
    dict
        By site, ``n_draws x n_nodes``, from 0.
    """
    found = {}
    for site in spec.partitions:
        below = np.cumsum(values[_shares(site)], axis=-1)[:, :-1]
        chance = rng.random((len(below), n_nodes))
        found[site] = np.zeros(chance.shape, dtype=np.int16)
        for k in range(below.shape[1]):
            found[site] += chance >= below[:, k, None]
    return found


def draw_rates(spec: BlockSpec, pairs: Pairs, values: Arrays, rng: np.random.Generator) -> dict[str, Floats]:
    """Draw shares and rates given graph and assignments: conjugate, so independently of all other draws.

    Parameters
    ----------
    spec, pairs
        Model and graph.
    values
        By site, the assignments, ``n_draws x n`` from 0, and such of ``alpha``, ``a`` and ``b``, ``n_draws`` each, as
        are estimated.
    rng
        The stream.

    Returns
    -------
    dict
        By site, shares ``n_draws x K`` and ``theta``, ``n_draws x K x L``.
    """
    weights, exposures = totals_of_draws(spec, pairs, values)
    alpha, a, b = concentrations(spec, values, len(weights))
    found = {
        _shares(site): draw_dirichlet(alpha[:, None] + counts_of_draws(values[site], size), rng)
        for site, size in spec.partitions.items()
    }
    rest = exposures - weights if spec.likelihood == "bernoulli" else exposures
    found["theta"] = draw_theta(spec, a[:, None, None] + weights, b[:, None, None] + np.maximum(rest, 0.0), rng)
    return found


def concentrations(spec: BlockSpec, values: Arrays, n: int) -> tuple[Floats, Floats, Floats]:
    """Return ``alpha``, ``a`` and ``b`` of ``n`` draws, from values by site where they are estimated."""
    fixed = dict(zip(("alpha", "a", "b"), (spec.alpha, *spec.rate_arguments), strict=True))
    alpha, a, b = (
        np.asarray(values[name], dtype=float) if name in spec.hyperparameters else np.full(n, fixed[name])
        for name in fixed
    )
    return alpha, a, b


def simulate_pairs(spec: BlockSpec, pairs: Pairs, truth: Arrays, rng: np.random.Generator) -> Pairs:
    """Draw a graph.

    Parameters
    ----------
    spec
        The model.
    pairs
        Gives the exposures, which pairs are observed, and whether those of a node with itself are.
    truth
        By site, the assignments, ``n`` from 0, and ``theta``.
    rng
        The stream.

    Returns
    -------
    Pairs
        The same with other weights.

    Notes
    -----
    Exact, in time and memory linear in edges: of the pairs of two blocks a binomial number have an edge, any as likely
    as any other; a Poisson number of events falls on these pairs in proportion to their exposures. Pairs that are not
    observed are drawn with the others and left out.
    """
    first = np.asarray(truth["z" if spec.shared else "z_1"])
    second = np.asarray(truth["z" if spec.shared else "z_2"])
    theta = np.asarray(truth["theta"], dtype=float)
    sources = [np.flatnonzero(first == k) for k in range(spec.n_source_blocks)]
    targets = [np.flatnonzero(second == k) for k in range(spec.n_target_blocks)]
    events = _edges if spec.likelihood == "bernoulli" else _counts
    found = []
    for k, m in np.ndindex(theta.shape):
        if not spec.directed and k > m:
            continue
        rows, columns = events(pairs, sources[k], targets[m], float(theta[k, m]), rng)
        if not spec.directed:
            once = (rows <= columns) | (k != m)  # within a block both orders of a pair were drawn: one counts
            rows, columns = np.minimum(rows, columns)[once], np.maximum(rows, columns)[once]
        found.append((rows, columns))
    rows, columns = (np.concatenate(part) for part in zip(*found, strict=True))
    return replace(pairs, weights=_observed(pairs, rows, columns))


def _edges(
    pairs: Pairs, sources: NDArray[Any], targets: NDArray[Any], chance: float, rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    n_pairs = sources.size * targets.size
    n_edges = int(rng.binomial(n_pairs, chance))
    # Few of many, or those to leave out: choosing takes memory for what is chosen only.
    chosen = rng.choice(n_pairs, n_edges, replace=False, shuffle=False) if n_edges else np.empty(0, dtype=np.int64)
    rows, columns = np.divmod(chosen, max(targets.size, 1))
    return sources[rows], targets[columns]


def _counts(
    pairs: Pairs, sources: NDArray[Any], targets: NDArray[Any], rate: float, rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    out, into = np.cumsum(pairs.out_exposure[sources]), np.cumsum(pairs.in_exposure[targets])
    total = float(out[-1] * into[-1]) if out.size and into.size else 0.0
    n_events = int(rng.poisson(rate * total))
    return sources[_in_proportion(out, n_events, rng)], targets[_in_proportion(into, n_events, rng)]


def _in_proportion(cumulative: Floats, n: int, rng: np.random.Generator) -> NDArray[Any]:
    """Draw places, each as likely as the sums rise there."""
    if not n:
        return np.empty(0, dtype=np.int64)
    found = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    return np.asarray(np.minimum(found, cumulative.size - 1))  # rounding may reach the end


def _observed(pairs: Pairs, rows: NDArray[Any], columns: NDArray[Any]) -> sparse.csr_array:
    """Return the weights: events counted, symmetric where pairs have no order, what is not observed left out."""
    shape = (pairs.n_nodes, pairs.n_nodes)
    if not pairs.self_pairs:
        rows, columns = rows[rows != columns], columns[rows != columns]
    weights = sparse.csr_array((np.ones(rows.size), (rows, columns)), shape=shape)
    if not pairs.directed:
        weights = weights + weights.T - sparse.diags_array(weights.diagonal())
    if pairs.unobserved.nnz:
        weights = weights - weights.multiply(pairs.unobserved)
    weights = sparse.csr_array(weights)
    weights.sum_duplicates()
    weights.eliminate_zeros()
    weights.sort_indices()
    return weights


def draw_theta(spec: BlockSpec, a: Floats, b: Floats, rng: np.random.Generator) -> Floats:
    """Draw rates, ``n x K x L``, of Beta(a, b) or Gamma(a, b); of the upper triangle where theta is symmetric."""
    drawn: Floats
    if spec.likelihood == "bernoulli":
        drawn = np.clip(rng.beta(a, b), _SMALLEST, _LARGEST_CHANCE)
    else:
        drawn = np.maximum(rng.standard_gamma(a) / b, _SMALLEST)
    return drawn if spec.directed else np.triu(drawn) + np.swapaxes(np.triu(drawn, 1), -1, -2)


def draw_dirichlet(concentration: Floats, rng: np.random.Generator) -> Floats:
    """Draw from Dirichlet distributions over the last axis of their concentrations.

    In the log domain: where the concentration is small, gamma variables vanish, G(a) = G(a + 1) U^(1/a) does not.
    """
    log_gamma = np.log(rng.standard_gamma(concentration + 1))
    log_gamma -= rng.standard_exponential(concentration.shape) / concentration
    shares = np.maximum(np.exp(log_gamma - log_gamma.max(axis=-1, keepdims=True)), _SMALLEST)
    drawn: Floats = shares / shares.sum(axis=-1, keepdims=True)
    return drawn


def _shares(site: str) -> str:
    return f"pi{site[1:]}"
