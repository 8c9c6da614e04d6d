"""Pyro programs as densities: against integrals, Pyro's own potential, and what programs do wrong."""

from __future__ import annotations

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro.infer.mcmc.util import initialize_model
from scipy import integrate, stats

from bayeskit.core.errors import ProgramError
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.models.targets import TARGETS


def points(density, n_points=6, seed=1):
    return torch.tensor(np.random.default_rng(seed).uniform(-1.5, 1.5, (n_points, density.n_dims)))


def beta():
    pyro.sample("x", dist.Beta(2.0, 5.0))


def gamma():
    pyro.sample("x", dist.Gamma(2.0, 0.7))


def uniform():
    pyro.sample("x", dist.Uniform(-1.0, 4.0))


def truncated_above():
    pyro.sample("x", dist.TransformedDistribution(dist.HalfNormal(1.0), [dist.transforms.AffineTransform(2.0, -1.0)]))


def free():
    pyro.sample("x", dist.StudentT(8.0, 1.0, 2.0))


@pytest.mark.parametrize("program", [beta, gamma, uniform, truncated_above, free])
def test_density_of_a_normalised_program_integrates_to_one(program):
    density = pyro_density(program)

    def at(u: float) -> float:
        return float(density(torch.tensor([[u]], dtype=torch.float64))[0].exp())

    assert integrate.quad(at, -60, 60, points=[-5, 0, 5], limit=200)[0] == pytest.approx(1, abs=2e-6)


def test_forgotten_jacobian_does_not_integrate_to_one():
    def at(u: float) -> float:
        return float(stats.beta(2, 5).pdf(1 / (1 + np.exp(-u))))

    assert integrate.quad(at, -60, 60, points=[-5, 0, 5], limit=200)[0] > 1.1


def everything(x, y=None, *, scale=1.0):
    shares = pyro.sample("shares", dist.Dirichlet(torch.tensor([1.0, 2.0, 3.0])))
    spread = pyro.sample("spread", dist.LogNormal(0.0, scale))
    factor = pyro.sample("factor", dist.LKJCholesky(3, 2.0))
    with pyro.plate("groups", 2):
        means = pyro.sample("means", dist.Normal(0.0, 3.0))
    slopes = pyro.sample("slopes", dist.MultivariateNormal(torch.zeros(3), scale_tril=factor))
    pyro.deterministic("first", shares[..., 0] + means[..., 0])
    with pyro.plate("data", len(x)), pyro.poutine.scale(scale=0.5):
        pyro.sample("y", dist.Normal(x @ slopes + means[0] * shares[1], spread), obs=y)


DATA = (torch.linspace(-1, 2, 12).reshape(4, 3), torch.tensor([0.3, 1.0, -0.5, 2.0]))


def test_density_is_pyros_own_potential():
    density = pyro_density(everything, DATA, {"scale": 0.8})
    assert density.shapes == {"shares": (2,), "spread": (), "factor": (3,), "means": (2,), "slopes": (3,)}
    u = points(density)
    found = density(u).numpy()
    doubled = tuple(part.double() for part in DATA)
    torch.set_default_dtype(torch.float64)
    try:
        _, potential, transforms, _ = initialize_model(everything, doubled, {"scale": 0.8})
        sites = [dict(zip(density.shapes, row.split([2, 1, 3, 2, 3]), strict=True)) for row in u]
        for site in sites:
            site["spread"] = site["spread"].reshape(())
        expected = np.array([-float(potential(site)) for site in sites])
        jacobians = [
            sum(
                -float(transforms[name].log_abs_det_jacobian(transforms[name].inv(v), v).sum()) for name, v in s.items()
            )
            for s in sites
        ]
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not np.allclose(found - np.array(jacobians), expected, rtol=1e-3)  # negative control: no Jacobian


def test_gradient_is_that_of_the_density():
    density = pyro_density(everything, DATA)
    u, step = points(density), 1e-6
    log_density, gradient = density.with_gradient(u)
    np.testing.assert_array_equal(log_density, density(u))
    for place in range(density.n_dims):
        along = torch.zeros(density.n_dims, dtype=torch.float64)
        along[place] = step
        slope = (density(u + along) - density(u - along)) / (2 * step)
        np.testing.assert_allclose(gradient[:, place], slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["beta", "mixture", "gaussian-2", "funnel", "linear-regression"])
def test_graphs_give_what_the_program_gives(name):
    density = pyro_density(*TARGETS[name].pyro_program())
    for n_points in (1, 5):
        u = points(density, n_points)
        results = [density.with_gradient(u) for _ in range(5)]
        for log_density, gradient in results[1:]:
            np.testing.assert_array_equal(log_density, results[0][0])
            np.testing.assert_array_equal(gradient, results[0][1])
        values = [density(u) for _ in range(5)]
        np.testing.assert_array_equal(values[0], values[-1])
        moved = u + 0.25  # the graph follows the points, and not those it was recorded at
        fresh = pyro_density(*TARGETS[name].pyro_program())
        np.testing.assert_array_equal(density(moved), fresh(moved))
        np.testing.assert_array_equal(density.with_gradient(moved)[1], fresh.with_gradient(moved)[1])
    assert set(density.log_density._graphs) == set(density.gradient._graphs) == {1, 64}


def test_support_may_depend_on_another_site():
    def program():
        top = pyro.sample("top", dist.Gamma(2.0, 1.0))
        pyro.sample("x", dist.Uniform(0.0, top))

    density = pyro_density(program)
    u = points(density)
    top = u[:, 0].exp().numpy()
    share = 1 / (1 + np.exp(-u[:, 1].numpy()))
    expected = stats.gamma(2).logpdf(top) + u[:, 0].numpy() + np.log(share) + np.log1p(-share)
    np.testing.assert_allclose(density(u), expected, rtol=1e-12)
    np.testing.assert_allclose(density.values(u.numpy()[None], 0)["x"][0], top * share, rtol=1e-12)


def test_values_are_sites_and_deterministic_sites_by_name():
    density = pyro_density(everything, DATA)
    values = density.values(points(density, 10).numpy().reshape(2, 5, -1), 0)
    shapes = {"shares": (3,), "spread": (), "factor": (3, 3), "means": (2,), "slopes": (3,), "first": ()}
    assert {name: value.shape[2:] for name, value in values.items()} == shapes
    np.testing.assert_allclose(values["shares"].sum(-1), 1)
    np.testing.assert_array_equal(values["first"], values["shares"][..., 0] + values["means"][..., 0])


def test_program_that_looks_at_values_runs_point_by_point():
    def program():
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Normal(x if x > 0 else 3 * x, 1.0), obs=torch.tensor(0.5))

    density = pyro_density(program)
    x = np.array([-1.0, 2.0, -0.3])
    expected = stats.norm.logpdf(x) + stats.norm.logpdf(0.5, np.where(x > 0, x, 3 * x))
    for _ in range(5):
        np.testing.assert_allclose(density(torch.tensor(x[:, None])), expected, rtol=1e-12)
    slope = density.with_gradient(torch.tensor(x[:, None]))[1][:, 0]
    inner = np.where(x > 0, 1, 3)
    np.testing.assert_allclose(slope, -x + inner * (0.5 - inner * x), rtol=1e-12)


def test_nothing_of_pyro_or_torch_is_changed():
    pyro.clear_param_store()
    trained = pyro.param("width", torch.tensor(2.0, dtype=torch.float64), constraint=dist.constraints.positive)

    def program():
        width = pyro.param("width", torch.tensor(1.0), constraint=dist.constraints.positive)
        offset = pyro.param("offset", torch.tensor(3.0, dtype=torch.float64))
        pyro.sample("x", dist.Normal(offset, width))

    state, dtype = torch.random.get_rng_state(), torch.get_default_dtype()
    try:
        density = pyro_density(program)
        found = density(torch.zeros(2, 1, dtype=torch.float64))
        np.testing.assert_allclose(found, stats.norm(3, 2).logpdf(0))  # as trained, or as first given
        assert list(pyro.get_param_store().keys()) == ["width"]
        assert float(pyro.param("width").detach()) == float(trained.detach()) == pytest.approx(2)
    finally:
        pyro.clear_param_store()
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.get_default_dtype() == dtype


def test_far_out_the_density_is_zero_rather_than_nan():
    def program():
        pyro.sample("y", dist.Normal(0.0, pyro.sample("s", dist.HalfCauchy(1.0))), obs=torch.tensor(0.0))

    density = pyro_density(program)
    assert density(torch.tensor([[-800.0], [800.0], [0.0]], dtype=torch.float64))[:2].tolist() == [-np.inf, -np.inf]


def nothing():
    pyro.sample("y", dist.Normal(0.0, 1.0), obs=torch.tensor(0.0))


def discrete():
    pyro.sample("kind", dist.Categorical(torch.ones(3)))


def endless():
    pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.sample("count", dist.Poisson(3.0))


def raises():
    pyro.sample("x", dist.Normal(0.0, 1.0))
    raise KeyError("temperature")


def outside():
    pyro.sample("p", dist.Beta(1.0, 1.0))
    pyro.sample("y", dist.Bernoulli(0.5), obs=torch.tensor(3.0))


def twice():
    pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.sample("x", dist.Normal(0.0, 1.0))


def part_of_the_data():
    pyro.sample("x", dist.Normal(0.0, 1.0))
    with pyro.plate("data", 10, subsample_size=3) as chosen:
        pyro.sample("y", dist.Normal(0.0, 1.0), obs=torch.zeros(10)[chosen])


def changing():
    pyro.sample("x" if torch.rand(()) < 0.7 else "z", dist.Normal(0.0, 1.0))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (nothing, "nothing has no latent pyro.sample site"),
        (discrete, "discrete has no continuous latent pyro.sample site"),
        (endless, "site 'count' is latent and discrete, with values that nobody can count up; observe it"),
        (raises, r"raises raised KeyError \('temperature'\)"),
        (outside, r"outside raised ValueError \(Error while computing log_prob|outside raised ValueError"),
        (twice, "two sites are named 'x'"),
        (part_of_the_data, "plate 'data' draws a part of the data at random"),
        (changing, "changing has other sites in its second run"),
        (everything, r"everything\(x, y=None, \*, scale=1.0\) cannot be called as it was: missing"),
        (3, "3 is not a function"),
    ],
)
def test_what_a_program_does_wrong_is_told_in_one_line(program, message):
    with pytest.raises(ProgramError, match=message) as caught:
        pyro_density(program)
    assert "\n" not in str(caught.value)


def test_nan_is_told_with_the_point():
    def program():
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.factor("wrong", torch.log(1.2 - x) * 0.1)

    density = pyro_density(program)
    with pytest.raises(ProgramError, match="is NaN at x = 2"):
        density(torch.tensor([[0.5], [2.0]], dtype=torch.float64))
