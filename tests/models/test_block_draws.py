"""What is computed of many draws at once equals what is computed of each."""

import numpy as np
import pytest
from models.block_graphs import random_pairs, spec_of
from models.test_block_likelihood import FORMS

from bayeskit.models.blocks.draws import expected_weights, log_likelihoods, log_marginals, totals_of_draws
from bayeskit.models.blocks.likelihood import log_likelihood, log_marginal, totals


def draws_of(spec, n_nodes, n_draws, seed):
    rng = np.random.default_rng(seed)
    values = {site: rng.integers(size, size=(n_draws, n_nodes)) for site, size in spec.partitions.items()}
    theta = rng.uniform(0.1, 0.9, (n_draws, spec.n_source_blocks, spec.n_target_blocks))
    values["theta"] = theta if spec.directed else (theta + theta.swapaxes(1, 2)) / 2
    return values | {name: rng.uniform(0.5, 2, n_draws) for name in spec.hyperparameters}


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("self_pairs", [False, True])
@pytest.mark.parametrize("prior", [(), ("alpha=gamma(2, 1)", "b=exponential(1)")], ids=["fixed", "estimated"])
def test_all_draws_at_once(form, self_pairs, prior):
    spec = spec_of(3, **form, prior=prior)
    pairs = random_pairs(spec, 9, 1, self_pairs=self_pairs, missing=0.2)
    values = draws_of(spec, 9, 4, 2)
    weights, exposures = totals_of_draws(spec, pairs, values)
    likelihoods = log_likelihoods(spec, pairs, values["theta"], weights, exposures)
    marginals = log_marginals(spec, pairs, values, weights, exposures)
    rows, columns = np.array([0, 3, 8]), np.array([5, 4, 0])
    expected = expected_weights(spec, pairs, values, rows, columns)
    for draw in range(4):
        one = {site: values[site][draw] for site in spec.partitions}
        for found, known in zip((weights, exposures), totals(spec, pairs, one), strict=True):
            np.testing.assert_allclose(found[draw], known, rtol=1e-12, atol=1e-12)
        assert likelihoods[draw] == pytest.approx(log_likelihood(spec, pairs, one, values["theta"][draw]), rel=1e-12)
        hyper = {name: float(values[name][draw]) for name in spec.hyperparameters}
        prior_density = sum(float(spec.prior(name).log_density(np.array(value))) for name, value in hyper.items())
        assert marginals[draw] == pytest.approx(log_marginal(spec, pairs, one, **hyper) + prior_density, rel=1e-12)
        first, second = one["z" if spec.shared else "z_1"], one["z" if spec.shared else "z_2"]
        rates = values["theta"][draw][first[rows], second[columns]]
        np.testing.assert_allclose(expected[draw], rates * pairs.out_exposure[rows] * pairs.in_exposure[columns])
