"""Quantities of block models: the same in every order of the blocks, and what they say they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.block_graphs import random_pairs, spec_of
from models.test_block_likelihood import FORMS
from scipy import stats

from bayeskit.models.blocks.likelihood import log_likelihood, log_marginal
from bayeskit.models.blocks.quantities import label_free_quantities
from bayeskit.models.blocks.simulation import draw_assignments, draw_prior_values

HYPER = ("alpha=gamma(2, 2)", "a=gamma(2, 2)", "b=gamma(2, 2)")


def some_draws(spec, n_nodes, rng, n=4):
    values = draw_prior_values(spec, rng, n)
    return {**values, **draw_assignments(spec, values, n_nodes, rng)}


def relabelled(spec, values, rng):
    orders = {site: rng.permutation(size) for site, size in spec.partitions.items()}
    found = dict(values)
    for site, order in orders.items():
        found[site] = np.argsort(order)[values[site]].astype(values[site].dtype)
        found[f"pi{site[1:]}"] = values[f"pi{site[1:]}"][:, order]
    first, *_, last = [*orders.values()] * 2
    found["theta"] = values["theta"][:, first][:, :, last]
    return found


@pytest.mark.parametrize("form", FORMS, ids=str)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_labels_do_not_matter(form, seed):
    rng = np.random.default_rng(seed)
    spec = spec_of(3, **form, prior=HYPER)
    pairs = random_pairs(spec, 7, seed, missing=0.1)
    values = some_draws(spec, 7, rng)
    found, others = (label_free_quantities(spec, pairs, given) for given in (values, relabelled(spec, values, rng)))
    assert list(found) == list(others)
    for label, value in found.items():
        np.testing.assert_allclose(value, others[label], rtol=1e-10, err_msg=label)


def test_labels_that_move_alone_matter():
    spec = spec_of(3)
    pairs = random_pairs(spec, 7, 1)
    values = some_draws(spec, 7, np.random.default_rng(1))
    moved = values | {"z_1": (values["z_1"] + 1) % 3}
    found, others = (label_free_quantities(spec, pairs, given) for given in (values, moved))
    assert not np.allclose(found["log_lik"], others["log_lik"])


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_quantities_are_what_they_say(form):
    rng = np.random.default_rng(2)
    spec = spec_of(2, **form, prior=HYPER)
    pairs = random_pairs(spec, 6, 2, missing=0.1)
    values = some_draws(spec, 6, rng)
    found = label_free_quantities(spec, pairs, values)
    for draw in range(4):
        z = {site: values[site][draw].astype(int) for site in spec.partitions}
        theta = values["theta"][draw]
        assert found["log_lik"][draw] == pytest.approx(log_likelihood(spec, pairs, z, theta))
        concentrations = {name: float(values[name][draw]) for name in spec.hyperparameters}
        prior = sum(float(spec.prior(name).log_density(np.array(value))) for name, value in concentrations.items())
        assert found["log_density"][draw] == pytest.approx(prior + log_marginal(spec, pairs, z, **concentrations))
        first, second = z["z" if spec.shared else "z_1"], z["z" if spec.shared else "z_2"]
        assert found["rate[2,5]"][draw] == theta[first[1], second[4]]
        site = "" if spec.shared else "_1"
        sizes = np.bincount(first, minlength=2)
        assert found[f"n_occupied{site}"][draw] == (sizes > 0).sum()
        assert found[f"entropy{site}"][draw] == pytest.approx(stats.entropy(sizes))
        assert found[f"together{site}[1,6]"][draw] == (first[0] == first[5])
    assert (found["alpha"] == values["alpha"]).all()


def test_one_block_has_no_partition_to_tell_of():
    spec = spec_of(1)
    pairs = random_pairs(spec, 2, 2)
    found = label_free_quantities(spec, pairs, some_draws(spec, 2, np.random.default_rng(3)))
    assert set(found) == {"log_lik", "log_density", "mean_rate", "rate[1,2]"}
