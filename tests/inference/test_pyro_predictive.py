"""What a user's own program says of its data, at draws of its latent sites."""

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from scipy import stats

from bayeskit.inference._pyro_predictive import predictive_groups

Y = torch.tensor([0.5, -1.0, 2.0, 7.0], dtype=torch.float64)
MEANS = np.array([[0.3, -0.7, 1.1], [0.0, 0.2, 5.0]])


def log_normal(mean, sd):
    return -0.5 * ((Y.numpy() - mean[..., None]) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


def by_index():
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    with pyro.plate("points", 4, subsample_size=2) as chosen:
        pyro.sample("y", dist.Normal(mean, 2.0), obs=Y[chosen])


def by_subsample():
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    with pyro.plate("points", 4, subsample_size=2):
        pyro.sample("y", dist.Normal(mean, 2.0), obs=pyro.subsample(Y, event_dim=0))


def with_more_than_data():
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    pyro.deterministic("twice", 2 * mean)
    pyro.factor("nothing", 0.0 * mean)
    with pyro.plate("points", 4):
        pyro.sample("y", dist.Normal(pyro.deterministic("fitted", mean + 0 * Y), 2.0), obs=Y)


@pytest.mark.parametrize("program", [by_index, by_subsample, with_more_than_data])
def test_data_are_whole_and_nothing_else(program):
    made = predictive_groups(program, (), {}, {"mean": MEANS, "twice": 2 * MEANS}, seed=1)
    assert {group: list(found) for group, found in made.items()} == {
        group: ["y"] for group in ("observed_data", "posterior_predictive", "log_likelihood")
    }
    np.testing.assert_array_equal(made["observed_data"]["y"], Y)
    np.testing.assert_allclose(made["log_likelihood"]["y"], log_normal(MEANS, 2.0), rtol=1e-12)
    assert made["posterior_predictive"]["y"].shape == (2, 3, 4)


@pytest.mark.parametrize("program", [by_index, with_more_than_data])
def test_replications_have_the_law_of_the_data(program):
    """At one value of the mean; were it drawn anew, as from the prior, the law would be another."""
    values = {"mean": np.full((4, 250), 3.0)}
    copies = predictive_groups(program, (), {}, values, seed=1)["posterior_predictive"]["y"]
    assert stats.kstest(copies.ravel(), "norm", (3.0, 2.0)).pvalue > 1e-7
    assert stats.kstest(copies.ravel(), "norm", (0.0, 5.0**0.5)).pvalue < 1e-7


SEEN = torch.tensor([True, False, True, True])


def masked_around():
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    with pyro.plate("points", 4), pyro.poutine.mask(mask=SEEN):
        pyro.sample("y", dist.Normal(mean, 2.0), obs=Y)


def masked_itself():
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    with pyro.plate("points", 4):
        pyro.sample("y", dist.Normal(mean, 2.0).mask(SEEN), obs=Y)


@pytest.mark.parametrize("program", [masked_around, masked_itself])
def test_what_is_masked_is_missing(program):
    for group in predictive_groups(program, (), {}, {"mean": MEANS}, seed=1).values():
        assert np.isnan(group["y"][..., 1]).all()
        assert np.isfinite(group["y"][..., SEEN.numpy()]).all()


def with_parameter():
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    sd = pyro.param("sd", torch.tensor(1.0), constraint=dist.constraints.positive)
    with pyro.plate("points", 4):
        pyro.sample("y", dist.Normal(mean, sd), obs=Y)


def test_parameters_are_those_that_were_learned():
    before = set(pyro.get_param_store())
    for learned, sd in (({"sd": np.array(3.0)}, 3.0), (None, 1.0)):
        made = predictive_groups(with_parameter, (), {}, {"mean": MEANS}, seed=1, learned=learned)
        np.testing.assert_allclose(made["log_likelihood"]["y"], log_normal(MEANS, sd), rtol=1e-12)
    assert set(pyro.get_param_store()) == before


def test_weights_of_a_module_are_given_back():
    net = torch.nn.Linear(1, 1)
    own = net.weight.detach().clone()

    def program():
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        pyro.module("net", net)
        with pyro.plate("points", 4):
            pyro.sample("y", dist.Normal(net(mean.reshape(1)), 2.0), obs=Y)

    learned = {"net.weight": np.array([[2.0]]), "net.bias": np.array([0.25])}
    made = predictive_groups(program, (), {}, {"mean": MEANS}, seed=1, learned=learned)
    np.testing.assert_allclose(made["log_likelihood"]["y"], log_normal(2 * MEANS + 0.25, 2.0), rtol=1e-12)
    assert torch.equal(net.weight, own)
