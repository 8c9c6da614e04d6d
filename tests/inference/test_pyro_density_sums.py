"""Discrete latent sites summed out of Pyro programs: against every assignment by itself, and what cannot be summed."""

from __future__ import annotations

import itertools

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.ops.indexing import Vindex

from bayeskit.core.errors import ProgramError
from bayeskit.inference._pyro_density import pyro_density

Y = torch.tensor([1.2, -0.4, 2.2, 0.3], dtype=torch.float64)


def mixture():
    weights = pyro.sample("weights", dist.Dirichlet(torch.tensor([1.0, 2.0, 3.0])))
    with pyro.plate("components", 3):
        means = pyro.sample("means", dist.Normal(0.0, 2.0))
    spread = pyro.sample("spread", dist.LogNormal(0.0, 1.0))
    pyro.deterministic("first", weights[..., 0] * spread)
    with pyro.plate("points", 3):
        z = pyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
        pyro.deterministic("centre", means[z])
        pyro.sample("y", dist.Normal(means[z], spread), obs=Y[:3])


def unmarked():
    odds = pyro.sample("odds", dist.Normal(0.0, 1.0))
    with pyro.plate("points", 4):
        kind = pyro.sample("kind", dist.Bernoulli(logits=odds))
        pyro.sample("y", dist.Normal(3 * kind, 1.0 + kind), obs=Y)


def dependent():
    """A discrete site for all, one for each that depends on it, and a second one below that."""
    share = pyro.sample("share", dist.Beta(2.0, 2.0))
    regime = pyro.sample("regime", dist.Categorical(torch.tensor([0.3, 0.7])))
    with pyro.plate("points", 2):
        kind = pyro.sample("kind", dist.Bernoulli(0.2 + 0.5 * share * regime))
        count = pyro.sample("count", dist.Binomial(2, 0.3 + 0.4 * kind))
        pyro.sample("y", dist.Normal(count + 0.5 * regime, 1.0), obs=Y[:2])


def nested():
    means = pyro.sample("means", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    with pyro.plate("groups", 2, dim=-1):
        outer = pyro.sample("outer", dist.Categorical(torch.tensor([0.4, 0.6])))
        with pyro.plate("members", 2, dim=-2):
            inner = pyro.sample("inner", dist.Bernoulli(0.3 + 0.4 * outer))
            pyro.sample("y", dist.Normal(means[outer] + inner, 1.0), obs=Y.reshape(2, 2))


def hidden_markov():
    rows = pyro.sample("rows", dist.Dirichlet(torch.ones(2, 2)).to_event(1))
    means = pyro.sample("means", dist.Normal(torch.tensor([-1.0, 1.0]), 1.0).to_event(1))
    state = 0
    for t in pyro.markov(range(4)):
        state = pyro.sample(f"state_{t}", dist.Categorical(Vindex(rows)[..., state, :]))
        pyro.sample(f"y_{t}", dist.Normal(Vindex(means)[..., state], 0.7), obs=Y[t])


WHOLE, REAL = torch.int64, torch.float64
# Every discrete site: its values, the shape that it has when it is drawn, and the type of number.
PROGRAMS = {
    mixture: {"z": (3, (3,), WHOLE)},
    unmarked: {"kind": (2, (4,), REAL)},
    dependent: {"regime": (2, (), WHOLE), "kind": (2, (2,), REAL), "count": (3, (2,), REAL)},
    nested: {"outer": (2, (2,), WHOLE), "inner": (2, (2, 2), REAL)},
    hidden_markov: {f"state_{t}": (2, (), WHOLE) for t in range(4)},
}
# Not a binomial, for Pyro looks at its number of trials; nor arithmetic of whole and Python's own numbers.
RECORDABLE = (mixture, unmarked, hidden_markov)


def points(density, n_points=3, seed=1):
    return torch.tensor(np.random.default_rng(seed).uniform(-1.5, 1.5, (n_points, density.n_dims)))


def assignments(sites):
    """Give every assignment of all discrete sites."""
    spaces = [itertools.product(range(size), repeat=int(np.prod(shape))) for size, shape, _ in sites.values()]
    for chosen in itertools.product(*map(list, spaces)):
        yield {
            name: torch.tensor(cells, dtype=number).reshape(shape)
            for (name, (_, shape, number)), cells in zip(sites.items(), chosen, strict=True)
        }


def by_brute_force(program, sites, u):
    """Sum over all assignments, each given to the program as if it were observed: log density and gradient."""
    given = [pyro_density(pyro.condition(program, data=chosen)) for chosen in assignments(sites)]
    with torch.enable_grad():
        leaf = u.detach().requires_grad_()
        terms = torch.stack([density.log_density.function(leaf) for density in given])
        total = torch.logsumexp(terms, 0)
        (gradient,) = torch.autograd.grad(total.sum(), leaf)
    return total.detach(), gradient, terms.detach()


@pytest.mark.parametrize("program", list(PROGRAMS))
def test_sums_are_those_over_every_assignment(program):
    density = pyro_density(program)
    assert density.summed_out == tuple(PROGRAMS[program])
    u = points(density)
    expected, slope, terms = by_brute_force(program, PROGRAMS[program], u)
    for given in (u, u[:1]):  # many points at once, and one by itself
        for _ in range(4):  # the last of which is the recorded graph
            log_density, gradient = density.with_gradient(given)
            np.testing.assert_allclose(log_density, expected[: len(given)], rtol=1e-12)
            np.testing.assert_allclose(gradient, slope[: len(given)], rtol=1e-9, atol=1e-11)
    assert density.log_density._in_blocks  # evaluated together, by vmap
    assert set(density.gradient._graphs) == ({1, 64} if program in RECORDABLE else set())
    incomplete = terms[:-1].logsumexp(0)  # negative control: one assignment left out
    assert not np.allclose(expected, incomplete, rtol=1e-12)


def test_values_leave_out_what_is_summed_out_and_what_depends_on_it():
    values = pyro_density(mixture).values(np.zeros((1, 5, 6)), 0)
    assert {name: value.shape[2:] for name, value in values.items()} == {
        "weights": (3,),
        "means": (3,),
        "spread": (),
        "first": (),
    }


def crossed():
    pyro.sample("x", dist.Normal(0.0, 1.0))
    rows, columns = pyro.plate("rows", 2, dim=-2), pyro.plate("columns", 2, dim=-1)
    with rows:
        a = pyro.sample("a", dist.Bernoulli(0.3))
    with columns:
        b = pyro.sample("b", dist.Bernoulli(0.4))
    with rows, columns:
        pyro.sample("y", dist.Normal(a + b, 1.0), obs=Y.reshape(2, 2))


def weighed():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("points", 4), poutine.scale(scale=0.5):
        z = pyro.sample("z", dist.Bernoulli(0.3))
        pyro.sample("y", dist.Normal(mu * z, 1.0), obs=Y)


def undeclared():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    z = pyro.sample("z", dist.Bernoulli(torch.full((4,), 0.3)))
    pyro.sample("y", dist.Normal(mu * z, 1.0), obs=Y)


def counted_by_hand():
    pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("points", 4):
        z = pyro.sample("z", dist.Bernoulli(0.3))
        pyro.factor("wrong", z.reshape(4))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (crossed, r"^crossed: discrete sites cannot be summed out across plates that cross"),
        (weighed, r"^weighed: site 'z' has a scale and depends on a discrete site"),
        (undeclared, r"^undeclared has discrete latent sites \('z'\) that cannot be summed out"),
        (counted_by_hand, r"^counted_by_hand has discrete latent sites \('z'\) that cannot be summed out"),
    ],
)
def test_what_cannot_be_summed_is_told_in_one_line(program, message):
    with pytest.raises(ProgramError, match=message) as caught:
        pyro_density(program)
    assert "\n" not in str(caught.value)


def test_a_scale_beside_the_sum_is_kept():
    def program():
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with poutine.scale(scale=0.5):
            pyro.sample("x", dist.Normal(mu, 1.0), obs=Y[0])
        z = pyro.sample("z", dist.Bernoulli(0.3))
        pyro.sample("y", dist.Normal(mu * z, 1.0), obs=Y[1])

    density = pyro_density(program)
    u = points(density)
    expected, _, _ = by_brute_force(program, {"z": (2, (), REAL)}, u)
    np.testing.assert_allclose(density(u), expected, rtol=1e-12)


def test_points_at_values_give_the_values_back():
    density = pyro_density(mixture)
    rng = np.random.default_rng(4)
    values = {
        "means": rng.normal(size=(5, 3)),
        "weights": rng.dirichlet(np.ones(3), 5),
        "spread": rng.gamma(2.0, size=5),
    }
    found = density.values(density.at_values(values)[None], 0)
    for name, value in values.items():
        np.testing.assert_allclose(found[name][0], value, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spread": None}, "the starts have no value for site 'spread'"),
        ({"means": np.zeros((2, 2))}, r"the start of site 'means' must have shape \(3,\), got \(2,\)"),
        ({"spread": np.array([-1.0, 1.0])}, "the start of site 'spread' lies outside of its support"),
        ({"spread": np.array([0.0, 1.0])}, "the start of site 'spread' lies outside of its support, or at its edge"),
        ({"spread": np.ones(3)}, "as many values of one site as of another"),
    ],
)
def test_starts_that_do_not_fit_are_told(change, message):
    values = {"means": np.zeros((2, 3)), "weights": np.full((2, 3), 1 / 3), "spread": np.ones(2), **change}
    given = {name: value for name, value in values.items() if value is not None}
    density = pyro_density(mixture, starts=lambda _rng, _n: given)
    with pytest.raises(ProgramError, match=message):
        density.start(np.random.default_rng(1), 2)
