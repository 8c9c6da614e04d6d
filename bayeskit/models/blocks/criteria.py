"""How well a partition explains a graph, its number of blocks paid for: two criteria of the number of blocks.

The *integrated complete likelihood* log p(x, z) integrates shares and rates over their priors: ``log_marginal`` at z,
exact for conjugate priors: Biernacki, Celeux and Govaert (2000), doi:10.1109/34.865189, as of networks Côme and
Latouche (2015), doi:10.1177/1471082X15577017.

The *description length*, in nats, is minus the log of a microcanonical density in which everything is counted: Peixoto
(2017), doi:10.1103/PhysRevE.95.012317. With n_r nodes in block r of B, and e_rs edges from r to s, E in all,

    graph       sum_ij log x_ij! - sum_rs log e_rs! + sum_r (e_r+ + e_r-) log n_r           plain
                sum_ij log x_ij! - sum_rs log e_rs! + sum_r log e_r+! e_r-! - sum_i log k_i+! k_i-!   degree-corrected
    partition   log N + log C(N - 1, B - 1) + log N! - sum_r log n_r!
    edges       log C(B² + E - 1, E)
    degrees     sum_r log q(e_r+, n_r) + log n_r! - sum_k log m_rk+!, and the same of -     degree-corrected

where k+ and k- are a node's out- and in-degree, m_rk+ nodes of block r have out-degree k, and q(e, n) partitions of the
integer e have at most n parts. Undirected, the sums are over r <= s with e_rr! 2^e_rr within a block, B² is B (B + 1) /
2, and a node has one degree, to which a loop adds 2. This is what graph-tool's BlockState.entropy() is by default, but
for its version 2.45 counting too few partitions of integers up to 10,000: a block's ends cost 1.1 nats more here at
most, and 0.1 nats where there are a thousand.

With two partitions, as of the bipartite graph of the nodes as sources and the nodes as targets (Yen and Larremore,
2020, doi:10.1103/PhysRevE.102.032309), r is one of K blocks of sources and s one of L blocks of targets; e_r+ and the
out-degrees belong to the former, e_s- and the in-degrees to the latter, each with its own n, partition and degrees'
term; and B² is K L.

Counting knows no unobserved pairs: to the description length they have no edge. Where many are unobserved, the
integrated likelihood is the better guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, spence, xlogy

from bayeskit.core.errors import DataError
from bayeskit.models.blocks.likelihood import log_marginal
from bayeskit.models.blocks.pairs import Pairs, block_totals
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

Objective = Literal["dl", "icl"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

MOST_EXACT = 10_000  # an integer up to which its restricted partitions are counted, not approximated


def integrated_likelihood(spec: BlockSpec, pairs: Pairs, assignments: Mapping[str, Integers]) -> float:
    """Return log p(x, z) with only as many blocks as have nodes, where the spec may have more.

    Parameters
    ----------
    spec, pairs
        Model and graph; concentrations that are estimated are taken where they start.
    assignments
        By site, ``n`` blocks from 0 each.
    """
    named = {site: np.unique(z, return_inverse=True) for site, z in assignments.items()}
    sizes = [len(found) for found, _ in named.values()]
    fitted = spec.with_blocks(sizes[0], sizes[-1])
    return log_marginal(fitted, pairs, {site: z for site, (_, z) in named.items()})


def description_length(pairs: Pairs, assignments: Mapping[str, Integers], *, degree_corrected: bool) -> float:
    """Return the description length of a graph of counts by a partition, or two, in nats.

    Parameters
    ----------
    pairs
        The graph; each unit of weight is an edge. Exposures say nothing here.
    assignments
        By site, ``n`` blocks from 0 each; blocks without nodes do not count.
    degree_corrected
        Whether nodes of a block may have different degrees.

    Raises
    ------
    DataError
        If weights are not counts.
    """
    check_counts(pairs)
    sides = _sides(assignments)
    first, last = sides[0], sides[-1]
    edges, _ = block_totals(pairs, first.block, last.block, first.n_blocks, last.n_blocks)
    n_edges = (edges if pairs.directed else np.triu(edges)).sum()
    n_cells = first.n_blocks * last.n_blocks if pairs.directed else first.n_blocks * (first.n_blocks + 1) / 2
    total = float(_log_binomial(n_cells + n_edges - 1, n_edges)) - _log_arrangements(pairs, edges)
    for side in sides:
        total += _of_partition(side.sizes)
    out, into = (np.asarray(pairs.weights.sum(axis=axis), dtype=float) for axis in (1, 0))
    ends = [(first, out), (last, into)] if pairs.directed else [(first, out + pairs.weights.diagonal())]
    for side, degrees in ends:
        total += _of_ends(side, degrees, degree_corrected)
        if degree_corrected:
            total += _of_degrees(side, degrees)
    return total


def check_counts(pairs: Pairs) -> None:
    """Raise a DataError unless all weights are counts."""
    weights = pairs.weights.data
    if (weights < 0).any() or (weights != np.round(weights)).any():
        raise DataError("the description length counts edges, and some weights are no whole numbers; choose by icl")


def log_partitions(totals: Integers | Floats, most_parts: Integers | Floats) -> Floats:
    """Return the log of the number of partitions of integers into at most so many parts.

    Counted by ``q(e, n) = q(e, n - 1) + q(e - n, n)`` up to ``MOST_EXACT``. Beyond, for ``n`` below the fourth root of
    ``e``, ``C(e - 1, n - 1) / n!``, and else Szekeres' formula: Canfield (1997), doi:10.37236/1335.

    Parameters
    ----------
    totals
        ``e``, any shape, at least 0.
    most_parts
        ``n``, of the same shape, at least 1 where ``e`` is not 0.

    Returns
    -------
    array
        Of the same shape.
    """
    e = np.asarray(totals, dtype=np.int64)
    n = np.minimum(np.asarray(most_parts, dtype=np.int64), e)
    found, counted = np.zeros(e.shape), e <= MOST_EXACT
    found[counted] = _counted(e[counted], n[counted])
    few = ~counted & (n < e**0.25)
    found[few] = _log_binomial(e[few] - 1.0, n[few] - 1.0) - gammaln(n[few] + 1)
    many = ~counted & ~few
    found[many] = _szekeres(e[many].astype(float), n[many].astype(float))
    return found


def _counted(e: Integers, n: Integers) -> Floats:
    found = np.zeros(e.shape)
    largest = int(e.max(initial=0))
    counts = np.zeros(largest + 1)
    counts[0] = 1
    wanted = set(n.tolist())
    for part in range(1, int(n.max(initial=0)) + 1):
        padded = np.zeros(-(-len(counts) // part) * part)
        padded[: len(counts)] = counts
        counts = np.cumsum(padded.reshape(-1, part), axis=0).ravel()[: len(counts)]
        if part in wanted:
            found[n == part] = np.log(counts[e[n == part]])
    return found


def _szekeres(e: Floats, n: Floats) -> Floats:
    u = n / np.sqrt(e)
    v = _saddle_point(u)
    lost = np.exp(-v)
    log_rate = np.log(-np.expm1(-v))
    scale = np.sqrt(e) * (2 * v / u - u * log_rate)
    front = np.log(v / u) - 1.5 * np.log(2) - np.log(np.pi) - np.log1p(-lost * (1 + u**2 / 2)) / 2
    return np.asarray(front - np.log(e) + scale)


def _saddle_point(u: Floats) -> Floats:
    """Solve ``v² = u² D(v)`` for v, D the integral of x / (e^x - 1) up to v, by Newton's method."""
    v = np.where(u < 1, u**2, u * np.pi / np.sqrt(6))
    for _ in range(50):
        rate = -np.expm1(-v)
        debye = np.pi**2 / 6 + v * np.log(rate) - spence(rate)
        slope = 2 * v - u**2 * v * np.exp(-v) / rate
        v = np.maximum(v - (v**2 - u**2 * debye) / slope, v / 4)
    return v


@dataclass(frozen=True, eq=False)
class _Side:
    """A partition, its blocks numbered without gaps."""

    block: Integers
    sizes: Floats

    @property
    def n_blocks(self) -> int:
        return len(self.sizes)


def _sides(assignments: Mapping[str, Integers]) -> list[_Side]:
    sides = []
    for z in assignments.values():
        _, block, sizes = np.unique(z, return_inverse=True, return_counts=True)
        sides.append(_Side(block, sizes.astype(float)))
    return sides


def _log_arrangements(pairs: Pairs, edges: Floats) -> float:
    """Return ``sum_rs log e_rs! - sum_ij log x_ij!``; undirected, with the ways to turn an edge within a block."""
    own = pairs.weights.diagonal()
    if pairs.directed:
        return float(gammaln(edges + 1).sum() - gammaln(pairs.weights.data + 1).sum())
    between = (gammaln(edges + 1).sum() + gammaln(np.diag(edges) + 1).sum()) / 2
    repeats = (gammaln(pairs.weights.data + 1).sum() + gammaln(own + 1).sum()) / 2
    return float(between - repeats + np.log(2) * (np.trace(edges) - own.sum()))


def _of_ends(side: _Side, degrees: Floats, degree_corrected: bool) -> float:
    """Return what it takes to say at which nodes of its block each edge ends."""
    edges = np.bincount(side.block, degrees, side.n_blocks)
    if degree_corrected:
        return float(gammaln(edges + 1).sum() - gammaln(degrees + 1).sum())
    return float(xlogy(edges, side.sizes).sum())


def _of_partition(sizes: Floats) -> float:
    n_nodes = sizes.sum()
    ways = gammaln(n_nodes + 1) - gammaln(sizes + 1).sum()
    return float(np.log(n_nodes) + _log_binomial(n_nodes - 1, len(sizes) - 1.0) + ways)


def _of_degrees(side: _Side, degrees: Floats) -> float:
    """Return what it takes to say the degrees of every block's nodes."""
    edges = np.bincount(side.block, degrees, side.n_blocks)
    _, alike = np.unique(np.column_stack([side.block, degrees]), axis=0, return_counts=True)
    frequencies = log_partitions(edges, side.sizes)
    return float((frequencies + gammaln(side.sizes + 1)).sum() - gammaln(alike + 1).sum())


def _log_binomial(n: Any, k: Any) -> Any:
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
