"""All assignments of few nodes to blocks: their numbers, their totals, and which of them have the same."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bayeskit.models.blocks.likelihood import log_block, log_constant, once
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.spec import BlockSpec

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

_AT_ONCE = 1 << 15  # assignments
_DIGITS = 9  # of exposures, beyond which totals are the same


@dataclass(frozen=True, eq=False)
class Table:
    """What assignments have in common: rows of totals that a log density is linear in.

    Parameters
    ----------
    rows
        ``n_rows x n_totals``, each one once.
    numbers
        ``n_rows``, of the assignments that have it.
    order, first
        ``n_states`` and ``n_rows``: row ``r`` is that of the states ``order[first[r]:]``, ``numbers[r]`` of them.
    """

    rows: Floats
    numbers: NDArray[np.int64]
    order: NDArray[np.int64]
    first: NDArray[np.int64]


class States:
    """The assignments of a graph's nodes, in the order of their numbers.

    Parameters
    ----------
    spec, pairs
        Model and graph of few nodes.
    """

    def __init__(self, spec: BlockSpec, pairs: Pairs) -> None:
        self._spec, self._pairs = spec, pairs
        self._sizes = [size for size in spec.partitions.values() for _ in range(pairs.n_nodes)]
        self.number = math.prod(self._sizes)

    def assignments(self, states: Integers) -> dict[str, NDArray[np.int16]]:
        """Return assignments by their numbers, by site, ``n_states x n``: digits, the last node's the lowest."""
        digits = np.empty((len(states), len(self._sizes)), dtype=np.int16)
        left = np.asarray(states, dtype=np.int64)
        for place in reversed(range(len(self._sizes))):
            left, digits[:, place] = np.divmod(left, self._sizes[place])
        parts = np.split(digits, len(self._spec.partitions), axis=1)
        return dict(zip(self._spec.partitions, parts, strict=True))

    def log_marginals(self) -> Floats:
        """Return ``log_marginal`` of all assignments, concentrations fixed."""
        spec, (a, b) = self._spec, self._spec.rate_arguments
        found = np.empty(self.number)
        first = 0
        for counts, weights, exposures in self._totals():
            terms = once(spec, log_block(spec, weights, exposures, a, b)).sum(axis=(1, 2))
            for sizes in counts:
                terms += np.sum(gammaln(spec.alpha + sizes) - gammaln(spec.alpha), axis=1)
            found[first : first + len(terms)] = terms
            first += len(terms)
        for size in spec.partitions.values():
            found += gammaln(size * spec.alpha) - gammaln(self._pairs.n_nodes + size * spec.alpha)
        return found + log_constant(spec, self._pairs)

    def table(self) -> Table:
        """Return the assignments' totals: sizes of blocks, then of each pair of blocks what multiplies log rates.

        That are sums of weights, and then the pairs without an edge, ``log1p(-theta)``, or the exposures, ``-theta``.
        """
        parts = []
        for counts, weights, exposures in self._totals():
            rest = exposures - weights if self._spec.likelihood == "bernoulli" else exposures
            flat = [once(self._spec, part).reshape(len(part), -1) for part in (weights, rest)]
            parts.append(np.concatenate([*counts, *flat], axis=1))
        found = np.concatenate(parts)
        _, inverse, numbers = np.unique(np.round(found, _DIGITS), axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(inverse.ravel(), kind="stable")
        first = np.cumsum(numbers) - numbers
        return Table(found[order[first]], numbers, order, first)

    def _totals(self) -> Iterator[tuple[list[Floats], Floats, Floats]]:
        """Give sizes of blocks, and sums of weights and exposures, symmetric where undirected."""
        matrices = self._observed()
        for first in range(0, self.number, _AT_ONCE):
            found = self.assignments(np.arange(first, min(first + _AT_ONCE, self.number)))
            rows = [
                [(found[site] == k).astype(float) for k in range(size)] for site, size in self._spec.partitions.items()
            ]
            totals = []
            for matrix in matrices:
                sums = [
                    [np.einsum("si,si->s", of, other) for other in rows[-1]] for of in (one @ matrix for one in rows[0])
                ]
                part = np.moveaxis(np.array(sums), -1, 0)
                totals.append(part if self._spec.directed else _mirrored(part))
            yield [np.stack([one.sum(axis=1) for one in part], axis=1) for part in rows], totals[0], totals[1]

    def _observed(self) -> tuple[Floats, Floats]:
        """Return weights and exposures of all pairs, 0 where one does not count; undirected the upper triangle."""
        pairs = self._pairs
        counts = pairs.unobserved.toarray() == 0
        if not pairs.self_pairs:
            np.fill_diagonal(counts, val=False)
        if not pairs.directed:
            counts = np.triu(counts)
        return pairs.weights.toarray() * counts, np.outer(pairs.out_exposure, pairs.in_exposure) * counts


def _mirrored(totals: Floats) -> Floats:
    """Return for each pair of blocks what is there in either order."""
    other = np.swapaxes(totals, 1, 2)
    return np.asarray(totals + np.triu(other, 1) + np.tril(other, -1))
