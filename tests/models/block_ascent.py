"""Coordinate ascent of block models as one would write it down: pair by pair, and its bound over all assignments."""

import numpy as np
import torch
from models.block_graphs import all_assignments
from scipy.special import digamma, softmax, xlogy
from torch.distributions import Beta, Dirichlet, Gamma, kl_divergence

from bayeskit.models.blocks.likelihood import log_constant, once


class DenseAscent:
    """Sums over pairs, with loops."""

    def __init__(self, spec, pairs):
        self.spec, self.given, self.n = spec, pairs, pairs.n_nodes
        self.weights, self.exposures = pairs.weights.toarray(), np.outer(pairs.out_exposure, pairs.in_exposure)
        self.observed = pairs.unobserved.toarray() == 0
        np.fill_diagonal(self.observed, pairs.self_pairs)
        if not spec.directed:
            self.observed = np.triu(self.observed)

    def pairs(self):
        return zip(*np.nonzero(self.observed), strict=True)

    def both(self, i, j, q):
        """Chances of the blocks of a source and of a target."""
        if self.spec.shared:
            return np.diag(q["z"][i]) if i == j else np.outer(q["z"][i], q["z"][j])
        return np.outer(q["z_1"][i], q["z_2"][j])

    def rate_factors(self, q):
        a, b = self.spec.rate_arguments
        first, second = np.full(self.spec.shapes["theta"], a), np.full(self.spec.shapes["theta"], b)
        for i, j in self.pairs():
            chances, x = self.both(i, j, q), self.weights[i, j]
            if not self.spec.directed:
                chances = np.triu(chances) + np.tril(chances, -1).T
                chances = np.triu(chances) + np.triu(chances, 1).T
            first += chances * x
            second += chances * (1 - x if self.spec.likelihood == "bernoulli" else self.exposures[i, j])
        return first, second

    def log_weight(self, i, j, factors):
        """The expected log density of a pair, by the blocks of its ends."""
        a, b = factors
        x = self.weights[i, j]
        if self.spec.likelihood == "bernoulli":
            return x * (digamma(a) - digamma(a + b)) + (1 - x) * (digamma(b) - digamma(a + b))
        return x * (digamma(a) - np.log(b)) - self.exposures[i, j] * a / b

    def log_shares(self, rows):
        concentration = self.spec.alpha + rows.sum(axis=0)
        return digamma(concentration) - digamma(concentration.sum())

    def step(self, q, inverse_temperature=1.0, *, at_once=False):
        q = {site: rows.copy() for site, rows in q.items()}
        factors = self.rate_factors(q)
        for site in q:
            shares, before = self.log_shares(q[site]), {name: rows.copy() for name, rows in q.items()}
            for i in range(self.n):
                scores = self.scores(site, i, before if at_once else q, factors)
                q[site][i] = softmax(inverse_temperature * (shares + scores))
            factors = self.rate_factors(q)
        return q

    def scores(self, site, node, q, factors):
        found = np.zeros(q[site].shape[1])
        for i, j in self.pairs():
            table = self.log_weight(i, j, factors)
            if self.spec.shared and i == j == node:
                found += table.diagonal()
            elif i == node and site != "z_2":
                found += table @ q["z" if self.spec.shared else "z_2"][j]
            elif j == node and site != "z_1":
                found += q["z" if self.spec.shared else "z_1"][i] @ table
        return found

    def bound(self, q):
        """The evidence lower bound by its definition, summed over all assignments."""
        spec, (a, b) = self.spec, self.rate_factors(q)
        total = log_constant(spec, self.given)
        for assignments in all_assignments(spec, self.n):
            chance = np.prod([q[site][np.arange(self.n), z].prod() for site, z in assignments.items()])
            log_p = sum(
                np.sum(self.log_weight(i, j, (a, b))[self.ends(assignments, i, j)]) for i, j in self.pairs()
            ) + sum(self.log_shares(q[site])[z].sum() for site, z in assignments.items())
            total += chance * log_p
        total -= sum(xlogy(rows, rows).sum() for rows in q.values())
        prior = [torch.tensor(argument, dtype=torch.float64) for argument in spec.rate_arguments]
        family = Beta if spec.likelihood == "bernoulli" else Gamma
        divergences = kl_divergence(family(torch.tensor(a), torch.tensor(b)), family(*prior)).numpy()
        total -= once(spec, divergences).sum()
        for rows in q.values():
            concentration = torch.tensor(spec.alpha + rows.sum(axis=0))
            even = torch.full_like(concentration, spec.alpha)
            total -= float(kl_divergence(Dirichlet(concentration), Dirichlet(even)))
        return total

    def ends(self, assignments, i, j):
        first, second = (assignments[site] for site in (("z", "z") if self.spec.shared else ("z_1", "z_2")))
        return first[i], second[j]
