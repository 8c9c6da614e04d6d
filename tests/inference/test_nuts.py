"""Pyro's NUTS as our engine runs it: against Pyro's own loop to the bit, and against known posteriors."""

from __future__ import annotations

import numpy as np
import pyro
import pytest
import torch
from arviz_stats.base import array_stats
from pyro import distributions as dist
from pyro.infer import MCMC, NUTS
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.inference._nuts_chain import run_chain
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.inference.nuts import NUTSConfig, fit_nuts

SHORT = NUTSConfig(backend="pyro", chains=2, warmup=60, draws=30)
Y = torch.tensor([1.2, 0.4, 2.2, 1.9, 0.7], dtype=torch.float64)
ALPHA = 1e-7  # two-sided, for each moment below


def conjugate():
    mu = pyro.sample("mu", dist.Normal(0.0, 2.0))
    with pyro.plate("days", 5):
        pyro.sample("y", dist.Normal(mu, 1.5), obs=Y)


def beta():
    pyro.sample("x", dist.Beta(2.0, 5.0))


def regression():
    slopes = pyro.sample("slopes", dist.Normal(torch.zeros(3), 2.0).to_event(1))
    spread = pyro.sample("spread", dist.HalfNormal(1.0))
    pyro.sample("y", dist.Normal(torch.linspace(-1, 2, 15).reshape(5, 3) @ slopes, spread).to_event(1), obs=Y)


@pytest.mark.parametrize("metric", ["diag_e", "dense_e"])
def test_draws_are_pyros_own_to_the_bit(metric):
    density, start = pyro_density(regression), np.array([0.3, -0.2, 0.5, 0.1])
    chain = run_chain(
        density,
        start,
        seed=5,
        warmup=30,
        draws=10,
        adapt_delta=0.8,
        max_treedepth=10,
        metric=metric,
        tick=lambda: None,
    )
    kernel = NUTS(
        potential_fn=lambda site: -density.log_density.function(site["point"][None])[0], full_mass=metric == "dense_e"
    )
    runner = MCMC(
        kernel,
        num_samples=10,
        warmup_steps=30,
        initial_params={"point": torch.tensor(start)},
        disable_progbar=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        runner.run()
    np.testing.assert_array_equal(chain.positions, runner.get_samples()["point"].numpy())
    diverged = np.flatnonzero(chain.statistics["diverging"])
    assert runner.diagnostics()["divergences"]["chain 0"] == diverged.tolist()


def test_statistics_are_those_of_the_draws():
    draws = fit_nuts(
        regression, config=NUTSConfig(backend="pyro", chains=2, warmup=60, draws=50, max_treedepth=4), seed=2
    )
    found = draws.sample_stats
    assert set(found) == {"lp", "acceptance_rate", "step_size", "tree_depth", "n_steps", "diverging", "energy"}
    assert all(values.shape == (2, 50) for values in found.values())
    density = pyro_density(regression)
    slopes, spread = draws.values["slopes"], draws.values["spread"]
    points = torch.tensor(np.concatenate([slopes, np.log(spread)[..., None]], axis=-1).reshape(-1, 4))
    np.testing.assert_allclose(found["lp"].ravel(), density(points), rtol=1e-9)
    steps, depth = found["n_steps"], found["tree_depth"]
    assert (steps >= 2.0**depth - 1).all()
    assert (steps <= 2.0 ** (depth + 1) - 1).all()
    assert depth.max() == 4  # where it ends, as options say
    assert (steps[depth == 4] == 15).all()
    assert ((found["acceptance_rate"] > 0) & (found["acceptance_rate"] <= 1)).all()
    assert (found["energy"] >= -found["lp"] - 40).all()
    assert np.ptp(found["step_size"], axis=1).max() == 0
    assert found["diverging"].dtype == bool
    assert draws.engine["pyro"] == pyro.__version__
    assert set(draws.timings) == {"compile", "warmup", "sampling"}


def test_same_seed_same_bits_however_many_chains():
    state = torch.random.get_rng_state()
    one, three = (fit_nuts(beta, config=SHORT.model_copy(update={"chains": n}), seed=4) for n in (1, 3))
    again, other = fit_nuts(beta, config=SHORT, seed=4), fit_nuts(beta, config=SHORT, seed=5)
    np.testing.assert_array_equal(one.values["x"], three.values["x"][:1])
    np.testing.assert_array_equal(again.values["x"], three.values["x"][:2])
    assert not np.isin(other.values["x"], three.values["x"]).any()
    assert len(np.unique(three.values["x"][:, 0])) == 3  # a chain is no copy of another
    assert torch.equal(state, torch.random.get_rng_state())


def p_value(draws: np.ndarray, expected: float) -> float:
    """Of a mean over chains that have converged, by its Monte Carlo standard error."""
    error = array_stats.mcse(draws, method="mean", chain_axis=0, draw_axis=1)
    return 2 * stats.norm.sf(abs(draws.mean() - expected) / error)


LONGER = NUTSConfig(backend="pyro", chains=4, warmup=150, draws=400)


def test_conjugate_posterior():
    x = fit_nuts(conjugate, config=LONGER, seed=1).values["mu"]
    variance = 1 / (1 / 4 + 5 / 2.25)
    mean = variance * float(Y.sum()) / 2.25
    assert p_value(x, mean) > ALPHA
    assert p_value((x - mean) ** 2, variance) > ALPHA
    assert p_value((x - mean) ** 2, 1.4 * variance) < ALPHA  # negative control


def test_constrained_site_and_its_forgotten_jacobian():
    x = fit_nuts(beta, config=LONGER, seed=1).values["x"]
    assert p_value(x, 2 / 7) > ALPHA
    assert p_value(x**2, 6 / 56) > ALPHA

    def gradient(points):
        share = 1 / (1 + np.exp(-points))
        log_density = np.log(share[:, 0]) + 4 * np.log1p(-share[:, 0])
        return log_density, (1 / share - 4 / (1 - share)) * share * (1 - share)

    wrong = Density(lambda points: gradient(points)[0], {"u": ()}, gradient=gradient)
    u = fit_nuts(wrong, config=LONGER, seed=1).values["u"]
    assert p_value(1 / (1 + np.exp(-u)), 2 / 7) < ALPHA  # negative control


def wide(points):
    return -0.5 * (points**2).sum(-1)


def test_density_in_numpy():
    density = Density(wide, {"x": (2,)}, gradient=lambda points: (wide(points), -points))
    x = fit_nuts(density, config=NUTSConfig(backend="pyro", chains=2, warmup=100, draws=200), seed=1).values["x"]
    assert x.shape == (2, 200, 2)
    assert p_value(x[..., 1], 0.0) > ALPHA
    assert p_value(x[..., 1] ** 2, 1.0) > ALPHA


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs the density's gradient"),
        ({"gradient": lambda points: (wide(points), -points), "lower": np.zeros(2)}, "needs a density without bounds"),
        ({"gradient": lambda points: (wide(points), -points), "integer": np.ones(2, dtype=bool)}, "whole ones"),
    ],
)
def test_densities_that_nuts_cannot_take(options, message):
    with pytest.raises(ConfigError, match=message):
        fit_nuts(Density(wide, {"x": (2,)}, **options), config=SHORT, seed=1)


def misbehaving(change):
    """A standard normal that misbehaves beyond 1.5 on the right, where a chain soon comes to be."""
    calls = [0]

    def gradient(points):
        calls[0] += 1
        if calls[0] > 100 and points[0, 0] > 1.5:
            return change(points)
        return wide(points), -points

    return Density(wide, {"x": (1,)}, gradient=gradient)


def raising(points):
    raise RuntimeError("the lookup table ends here")


def test_errors_in_the_middle_of_a_run_are_told_with_the_point():
    with pytest.raises(ProgramError, match=r"raised RuntimeError \(the lookup table ends here\) at x\[1\] = [1-9]"):
        fit_nuts(misbehaving(raising), config=SHORT, seed=1)
    with pytest.raises(ProgramError, match=r"is \+inf at x\[1\] = [1-9]"):
        fit_nuts(misbehaving(lambda points: (wide(points) + np.inf, -points)), config=SHORT, seed=1)


def test_nan_in_the_middle_of_a_run_is_a_divergence():
    density = misbehaving(lambda points: (wide(points) + np.nan, -points))
    draws = fit_nuts(density, config=NUTSConfig(backend="pyro", chains=1, warmup=100, draws=100), seed=1)
    assert draws.values["x"].max() <= 1.5
    assert draws.sample_stats["diverging"].any()


def test_no_gradient_at_the_start_is_told():
    density = Density(wide, {"x": (1,)}, gradient=lambda points: (wide(points), points * np.nan))
    with pytest.raises(ProgramError, match=r"no finite gradient at x\[1\] = "):
        fit_nuts(density, config=SHORT, seed=1)


def test_progress_counts_to_the_end():
    told = []
    fit_nuts(beta, config=SHORT, seed=1, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (180, 180)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) < 180


@pytest.mark.parametrize("option", [{"chains": 0}, {"draws": 0}, {"adapt_delta": 1.0}, {"metric": "unit"}])
def test_config_has_bounds(option):
    with pytest.raises(ConfigError, match=f"option '{next(iter(option))}'"):
        NUTSConfig(backend="pyro", **option)
