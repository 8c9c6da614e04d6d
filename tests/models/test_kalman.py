"""The filter in Python against the dense Gaussian, statsmodels, and Stan's own log density of the weather programs."""

from __future__ import annotations

import csv
import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from statistical.dense import Dense

import bayeskit as bk
from bayeskit.core.errors import ConfigError
from bayeskit.core.paths import resource
from bayeskit.core.priors import REAL, Prior
from bayeskit.core.types import Source
from bayeskit.datasets.weather import WeatherData
from bayeskit.inference._job import write_json
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.models._kalman import StateSpace
from bayeskit.models.weather_pyro import FoldedPriors, state_space_of, weather_program
from bayeskit.toolchain import compile_program, ensure_home

RTOL = 1e-10
STRUCTURES = ("level", "trend")
ARGUMENTS = {
    "normal": (0.4, 1.5),
    "student_t": (4, 0, 2),
    "cauchy": (-0.5, 2),
    "lognormal": (0, 0.8),
    "gamma": (2, 1.5),
    "inv_gamma": (3, 2),
    "exponential": (0.7,),
}


def made_up(n_days: int) -> WeatherData:
    rng = np.random.default_rng(20261120)
    temperature = 12 + np.cumsum(rng.normal(0, 1.0, n_days)) + rng.normal(0, 1.5, n_days)
    temperature[[0, 3, 17, 18, n_days - 1]] = np.nan
    return WeatherData(
        dates=np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + n_days),
        temperature=temperature,
        precipitation=np.where(rng.uniform(size=n_days) < 0.4, 3.0, 0.0),
        station=None,
        source=Source(path="made up", sha256="0" * 64, description="made up"),
    )


def series(structure: str, n_days: int = 365, rain: str = "noise") -> StateSpace:
    return state_space_of(bk.weather(made_up(n_days), model=structure, rain=rain))


def scales(n_points: int, n_scales: int) -> np.ndarray:
    return np.exp(np.random.default_rng(7).uniform(-3, 1.5, (n_points, n_scales)))


def shifted(model: StateSpace) -> StateSpace:
    """An off-by-one day: each observation has the noise of the day before it."""
    return replace(model, noise=np.roll(model.noise, 1))


def wider(model: StateSpace) -> StateSpace:
    """A wrong initial variance."""
    return replace(model, mu_1=(model.mu_1[0], 1.05 * model.mu_1[1]))


def differs(found: np.ndarray, expected: np.ndarray, rtol: float = RTOL) -> bool:
    return not np.allclose(found, expected, rtol=rtol, atol=0)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_log_likelihood_is_the_dense_gaussians(structure):
    model, points = series(structure, 40), scales(12, 3)
    found = model.log_likelihood(points**2)
    slope = {} if model.slope_1 is None else {"slope_1": model.slope_1}
    expected = [
        Dense(structure, model.y, model.noise, s_mu, np.array(s_y), model.mu_1, **slope).log_density()
        for s_mu, *s_y in points
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-8)  # plain linear algebra has fewer digits
    for wrong in (shifted(model), wider(model)):
        assert differs(wrong.log_likelihood(points**2), expected, rtol=1e-6)


def of_statsmodels(model: StateSpace, variances: np.ndarray) -> float:
    """The same from statsmodels' filter, with our initial state."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    kind, start = ("llevel", [model.mu_1]) if model.slope_1 is None else ("strend", [model.mu_1, model.slope_1])
    other = UnobservedComponents(model.y, kind)
    means, deviations = np.transpose(start)
    other.ssm.initialize_known(means, np.diag(deviations**2))
    other.ssm.loglikelihood_burn = 0
    other.update([variances[1], variances[0]])
    other.ssm["obs_cov"] = variances[1:][model.noise][None, None, :]
    return float(other.ssm.loglike())


@pytest.mark.parametrize("structure", STRUCTURES)
def test_log_likelihood_is_statsmodels(structure):
    model, points = series(structure), scales(20, 3)
    expected = np.array([of_statsmodels(model, row) for row in points**2])
    np.testing.assert_allclose(model.log_likelihood(points**2), expected, rtol=RTOL)
    for wrong in (shifted(model), wider(model)):
        assert differs(wrong.log_likelihood(points**2), expected)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_score_is_what_autograd_makes_of_the_filter(structure):
    model, points = series(structure, 60), torch.tensor(scales(11, 3) ** 2, requires_grad=True)
    value, _ = model._in_torch(points, with_score=False)
    (expected,) = torch.autograd.grad(value.sum(), points)
    found_value, score = model.with_score(points.detach())
    np.testing.assert_allclose(found_value, value.detach(), rtol=1e-12)
    np.testing.assert_allclose(score, expected, rtol=1e-7, atol=1e-9 * float(expected.abs().max()))
    wrong = shifted(model).with_score(points.detach())[1]
    assert not np.allclose(wrong, expected, rtol=1e-3)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_point_does_not_depend_on_the_others_to_the_bit(structure):
    model, variances = series(structure), scales(100, 3) ** 2
    together, scores = model.with_score(variances)
    np.testing.assert_array_equal(model.log_likelihood(variances), together)
    for n_points in (1, 3, 8, 9, 64):
        some, slopes = model.with_score(variances[:n_points])
        np.testing.assert_array_equal(some, together[:n_points])
        np.testing.assert_array_equal(slopes, scores[:n_points])
    many = np.tile(variances, (50, 1))  # several parts
    np.testing.assert_array_equal(model.log_likelihood(many), np.tile(together, 50))


@pytest.mark.parametrize("n_points", [1, 20])
def test_no_variance_is_no_density(n_points):
    model, variances = series("level", rain="ignore"), np.ones((n_points, 2))
    variances[0] = 0.0
    assert model.log_likelihood(variances)[0] == -np.inf
    assert np.isfinite(model.log_likelihood(variances)[1:]).all()
    variances[0] = np.nan
    assert np.isnan(model.log_likelihood(variances)[0])


def told(family: str) -> str:
    return f"{family}({', '.join(map(str, ARGUMENTS[family]))})"


def of_stan(model, points: np.ndarray, folder) -> tuple[np.ndarray, np.ndarray]:
    """Stan's log density and its gradient over the unconstrained parameters."""
    executable, _ = compile_program(resource("stan", model.program), ensure_home(), (resource("stan"),))
    write_json(folder / "data.json", model.stan_data())
    by_column = points.ravel().reshape(points.shape, order="F")  # as CmdStan reads them
    (folder / "points.json").write_text(json.dumps({"params_r": by_column.tolist()}))
    command = "log_prob unconstrained_params=points.json data file=data.json output file=out.csv sig_figs=18"
    subprocess.run([executable, *command.split()], cwd=folder, check=True, capture_output=True)
    lines = [line for line in (folder / "out.csv").read_text().splitlines() if not line.startswith("#")]
    table = np.array([[float(cell) for cell in row] for row in list(csv.reader(lines))[1:]])
    return table[:, 0], table[:, 1:]


@pytest.mark.parametrize("rain", ["ignore", "noise"])
@pytest.mark.parametrize("structure", STRUCTURES)
def test_density_is_stans_up_to_a_constant_whatever_the_priors(structure, rain, tmp_path):
    data = made_up(365)
    families = list(ARGUMENTS)
    for place, family in enumerate(families):
        other = families[place - 1]
        priors = [f"s_mu={told(family)}", f"s_y={told(other)}"]
        model = bk.weather(data, model=structure, rain=rain, prior=priors)
        points = np.random.default_rng(place).uniform(-3, 3, (30, 3 if rain == "noise" else 2))
        expected, slopes = of_stan(model, points, tmp_path)
        density = pyro_density(weather_program(model))
        found, gradient = (array.numpy() for array in density.with_gradient(torch.tensor(points)))
        size = np.abs(expected).max()
        assert np.ptp(found - expected) < RTOL * size
        np.testing.assert_array_equal(density(torch.tensor(points)), found)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-8)
        wrong = bk.weather(data, model=structure, rain=rain, prior=[f"s_mu={told(other)}", f"s_y={told(family)}"])
        assert np.ptp(pyro_density(weather_program(wrong))(torch.tensor(points)).numpy() - expected) > RTOL * size


def test_scales_come_by_the_posteriors_names():
    model = bk.weather(made_up(30), rain="noise")
    density = pyro_density(weather_program(model))
    z = np.random.default_rng(1).normal(size=(2, 5, 3))
    values = density.values(z, 0)
    np.testing.assert_array_equal(values["s_mu"], np.abs(z[..., 0]))
    np.testing.assert_array_equal(values["s_y"], np.abs(z[..., 1:]))
    np.testing.assert_allclose(values["signal_share"], z[..., :1] ** 2 / (z[..., :1] ** 2 + z[..., 1:] ** 2))


@pytest.mark.parametrize("family", REAL)
def test_folded_prior_is_drawn_from_as_its_density_says(family):
    prior = Prior("s", family, ARGUMENTS[family], lower=0.0)
    folded = FoldedPriors((prior, prior))
    grid = np.linspace(-30, 30, 200_001)
    density = np.exp(folded.log_prob(torch.tensor(np.column_stack([grid, np.ones(grid.size)]))).numpy())
    density /= float(prior.density(np.array(1.0))) / 2  # of the second number, which stands at 1
    mass = np.trapezoid(density, grid)
    assert 0.85 < mass < 1.0001  # heavy tails go further
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        draws = folded.sample((2000,)).numpy()
    assert stats.binomtest(int((draws[:, 0] > 0).sum()), 2000).pvalue > 1e-7
    inside = np.sort(draws[np.abs(draws[:, 0]) < 30, 0])
    cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2) * (grid[1] - grid[0])]) / mass
    assert stats.kstest(inside, lambda x: np.interp(x, grid, cumulative)).pvalue > 1e-7
    assert stats.kstest(inside**3, lambda x: np.interp(x, grid, cumulative)).pvalue < 1e-7  # negative control


def test_latent_form_has_no_program():
    with pytest.raises(ConfigError, match="take --form marginal"):
        weather_program(bk.weather(made_up(30), form="latent"))
