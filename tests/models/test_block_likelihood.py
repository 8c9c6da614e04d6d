"""Densities of block models against sums over all pairs, one by one."""

from itertools import product

import numpy as np
import pytest
from models.block_graphs import random_pairs, spec_of
from scipy import integrate, stats

from bayeskit.models.blocks.likelihood import log_likelihood, log_marginal
from bayeskit.models.blocks.pairs import block_totals

FORMS = [
    {"directed": directed, "shared": shared, "likelihood": likelihood, "degree_corrected": corrected}
    for directed, shared in ((True, False), (True, True), (False, True))
    for likelihood, corrected in (("bernoulli", False), ("poisson", False), ("poisson", True))
]


def pair_by_pair(spec, pairs, z_1, z_2, theta):
    weights, hidden = pairs.weights.toarray(), pairs.unobserved.toarray() > 0
    total = 0.0
    for i, j in product(range(pairs.n_nodes), repeat=2):
        if hidden[i, j] or (i == j and not pairs.self_pairs) or (not spec.directed and i > j):
            continue
        rate = theta[z_1[i], z_2[j]]
        if spec.likelihood == "bernoulli":
            total += stats.bernoulli.logpmf(weights[i, j], rate)
        else:
            total += stats.poisson.logpmf(weights[i, j], rate * pairs.out_exposure[i] * pairs.in_exposure[j])
    return total


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("self_pairs", [False, True])
def test_the_likelihood_is_a_product_over_observed_pairs(form, self_pairs):
    spec = spec_of(3, **form)
    pairs = random_pairs(spec, 9, 1, self_pairs=self_pairs, missing=0.2)
    rng = np.random.default_rng(2)
    z_1 = rng.integers(3, size=9)
    z_2 = z_1 if spec.shared else rng.integers(3, size=9)
    theta = rng.uniform(0.1, 0.9, (3, 3))
    theta = theta if spec.directed else (theta + theta.T) / 2
    assignments = {"z": z_1} if spec.shared else {"z_1": z_1, "z_2": z_2}
    expected = pair_by_pair(spec, pairs, z_1, z_2, theta)
    assert log_likelihood(spec, pairs, assignments, theta) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_marginal_integrates_rates_and_shares(form):
    spec = spec_of(2, **form, prior=("pi=dirichlet(1.5)",))
    pairs = random_pairs(spec, 5, 3, missing=0.2)
    rng = np.random.default_rng(4)
    assignments = {site: rng.integers(size, size=5) for site, size in spec.partitions.items()}
    a, b = spec.rate_arguments
    prior = stats.beta(a, b) if spec.likelihood == "bernoulli" else stats.gamma(a, scale=1 / b)
    first = assignments["z" if spec.shared else "z_1"]
    second = assignments["z" if spec.shared else "z_2"]
    weights, exposures = block_totals(pairs, first, second, 2, 2)
    # The likelihood factorises over blocks, up to what no rate enters.
    total = log_likelihood(spec, pairs, assignments, np.full((2, 2), 0.5))
    for k, m in product(range(2), repeat=2):
        if not spec.directed and k > m:
            continue

        def term(rate, e=weights[k, m], x=exposures[k, m]):
            rest = x - e if spec.likelihood == "bernoulli" else 0.0
            scale = (1 - rate) ** rest if spec.likelihood == "bernoulli" else np.exp(-x * rate)
            return rate**e * scale

        upper = 1.0 if spec.likelihood == "bernoulli" else np.inf
        total += np.log(integrate.quad(lambda t, f=term: f(t) * prior.pdf(t), 0, upper)[0]) - np.log(term(0.5))
    for site in spec.partitions:
        counts = np.bincount(assignments[site], minlength=2)
        total += np.log(
            integrate.quad(lambda p, c=counts: p ** c[0] * (1 - p) ** c[1] * stats.beta(1.5, 1.5).pdf(p), 0, 1)[0]
        )
    assert log_marginal(spec, pairs, assignments) == pytest.approx(total, rel=1e-7)
