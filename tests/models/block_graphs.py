"""Graphs to fit block models to: planted, tiny with all their assignments, and random; and the score of a partition."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import sparse
from scipy.special import gammaln, logsumexp

from bayeskit.models.blocks.likelihood import log_marginal
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec, priors_of


def pairs_of(
    matrix, *, directed=True, self_pairs=False, unobserved=None, degree_corrected=False, binary=False
) -> Pairs:
    """Take a dense or sparse matrix of weights; ``unobserved`` is a dense pattern."""
    weights = sparse.csr_array(matrix, dtype=float)
    n_nodes = weights.shape[0]
    missing = np.zeros((n_nodes, n_nodes), dtype=bool) if unobserved is None else np.array(unobserved, dtype=bool)
    if unobserved is not None:
        np.fill_diagonal(missing, False)
        weights = sparse.csr_array(np.where(missing, 0.0, weights.toarray()))
    if not self_pairs:
        weights.setdiag(0)
    if binary:
        weights.data[:] = weights.data > 0
    weights.eliminate_zeros()
    weights.sort_indices()
    out, into = np.ones(n_nodes), np.ones(n_nodes)
    if degree_corrected:
        out, into = np.asarray(weights.sum(axis=1)).ravel(), np.asarray(weights.sum(axis=0)).ravel()
        out, into = out / out.mean(), into / into.mean()
    pattern = sparse.csr_array(missing, dtype=float) if unobserved is not None else sparse.csr_array((n_nodes, n_nodes))
    return Pairs(weights, pattern, self_pairs, out, into, directed)


def spec_of(
    k=2,
    targets=None,
    *,
    shared=False,
    directed=True,
    likelihood="bernoulli",
    degree_corrected=False,
    mean_rate=1.0,
    prior=(),
) -> BlockSpec:
    """Build a spec in one line."""
    priors = priors_of(likelihood, mean_rate=mean_rate, overrides=tuple(prior))
    return BlockSpec(
        k, k if targets is None else targets, shared or not directed, directed, likelihood, degree_corrected, priors
    )


def planted(n_nodes, n_blocks, degree, ratio, seed, *, shared=True, directed=True):
    """Return pairs and both partitions of a sparse planted graph: mean out-degree, and p_in / p_out."""
    rng = np.random.default_rng(seed)
    z_1 = rng.permutation(np.arange(n_nodes) % n_blocks)
    z_2 = z_1 if shared else rng.permutation(np.arange(n_nodes) % n_blocks)
    p_out = degree / n_nodes * n_blocks / (ratio + n_blocks - 1)
    sizes_1, sizes_2 = np.bincount(z_1), np.bincount(z_2)
    members_1 = [np.flatnonzero(z_1 == k) for k in range(n_blocks)]
    members_2 = [np.flatnonzero(z_2 == k) for k in range(n_blocks)]
    rows, columns = [], []
    for k in range(n_blocks):
        for m in range(n_blocks):
            p = p_out * (ratio if k == m else 1.0)
            count = rng.binomial(sizes_1[k] * sizes_2[m], p)
            cells = rng.choice(sizes_1[k] * sizes_2[m], count, replace=False)
            rows.append(members_1[k][cells // sizes_2[m]])
            columns.append(members_2[m][cells % sizes_2[m]])
    row, column = np.concatenate(rows), np.concatenate(columns)
    kept = row != column if directed else row < column
    matrix = sparse.coo_array((np.ones(kept.sum()), (row[kept], column[kept])), shape=(n_nodes, n_nodes)).tocsr()
    if not directed:
        matrix = (matrix + matrix.T).tocsr()
    return pairs_of(matrix, directed=directed), z_1, z_2


def random_pairs(spec: BlockSpec, n_nodes: int, seed: int, *, density=0.4, self_pairs=False, missing=0.0) -> Pairs:
    """Return a small random graph of the form that a spec is for."""
    rng = np.random.default_rng(seed)
    matrix = (rng.random((n_nodes, n_nodes)) < density).astype(float)
    if spec.likelihood == "poisson":
        matrix *= rng.integers(1, 4, matrix.shape)
    hidden = rng.random(matrix.shape) < missing
    if not spec.directed:
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
        hidden = np.triu(hidden) | np.triu(hidden, 1).T
    return pairs_of(
        matrix,
        directed=spec.directed,
        self_pairs=self_pairs,
        unobserved=hidden if missing else None,
        degree_corrected=spec.degree_corrected,
    )


def all_assignments(spec: BlockSpec, n_nodes: int):
    """Give every assignment by site: few nodes only."""
    sites = spec.partitions
    for flat in product(*(range(size) for size in sites.values() for _ in range(n_nodes))):
        yield {site: np.array(flat[at * n_nodes : (at + 1) * n_nodes]) for at, site in enumerate(sites)}


def exact_posterior(spec: BlockSpec, pairs: Pairs):
    """Return all assignments, their posterior probabilities, and the log evidence; concentrations fixed."""
    found = list(all_assignments(spec, pairs.n_nodes))
    logs = np.array([log_marginal(spec, pairs, assignments) for assignments in found])
    evidence = logsumexp(logs)
    return found, np.exp(logs - evidence), float(evidence)


def adjusted_rand(first, second) -> float:
    """Hubert and Arabie (1985), doi:10.1007/BF01908075."""
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1)
    pairs = [float((x * (x - 1) / 2).sum()) for x in (table, table.sum(0), table.sum(1), np.array([len(first)]))]
    expected = pairs[1] * pairs[2] / pairs[3]
    return (pairs[0] - expected) / ((pairs[1] + pairs[2]) / 2 - expected)


def log_multinomial(counts) -> float:
    """Return the log of the number of ways to arrange these counts."""
    counts = np.asarray(counts, dtype=float)
    return float(gammaln(counts.sum() + 1) - gammaln(counts + 1).sum())
