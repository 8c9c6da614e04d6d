"""The weather programs' posteriors against exact ones: log densities draw by draw, and moments by quadrature."""

from __future__ import annotations

import cmdstanpy
import numpy as np
import pytest
from scipy import stats
from statistical.dense import Dense

import bayeskit as bk
from bayeskit.core.paths import resource
from bayeskit.core.types import Source
from bayeskit.datasets.weather import WeatherData
from bayeskit.toolchain import compile_program, ensure_home

SEED = 20261120
Z_LIMIT = 4.5  # two-sided p of 7e-6 for each comparison below


def small_data(n_days=40):
    rng = np.random.default_rng(SEED)
    temperature = 12 + np.cumsum(rng.normal(0, 1.0, n_days)) + rng.normal(0, 1.5, n_days)
    temperature[[3, 17, 18]] = np.nan
    return WeatherData(
        dates=np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + n_days),
        temperature=temperature,
        precipitation=np.where(rng.uniform(size=n_days) < 0.4, 3.0, 0.0),
        station=None,
        source=Source(path="simulated", sha256="0" * 64, description="simulated"),
    )


def dense(model, s_mu, s_y):
    slope = {"slope_1": model.prior("slope_1").arguments} if model.structure == "trend" else {}
    return Dense(
        model.structure,
        model.temperature,
        model.noise,
        s_mu,
        np.atleast_1d(s_y),
        model.prior("mu_1").arguments,
        **slope,
    )


def log_prior(model, s_mu, s_y):
    density = np.log(model.prior("s_mu").density(np.array([s_mu]))).sum()
    return density + np.log(model.prior("s_y").density(np.atleast_1d(s_y))).sum()


@pytest.mark.parametrize("rain", ["ignore", "noise"])
@pytest.mark.parametrize("structure", ["level", "trend"])
def test_log_density_is_that_of_the_stated_priors_and_model(structure, rain):
    model = bk.weather(small_data(), model=structure, rain=rain, prior=["s_y=gamma(2, 1.5)", "s_mu=student_t(4, 0, 2)"])
    executable, _ = compile_program(resource("stan", model.program), ensure_home(), (resource("stan"),))
    fit = cmdstanpy.CmdStanModel(exe_file=str(executable)).sample(
        data=model.stan_data(), chains=1, iter_warmup=100, iter_sampling=30, seed=SEED, sig_figs=17, show_progress=False
    )
    s_mu, s_y, lp = fit.stan_variable("s_mu"), fit.stan_variable("s_y"), fit.method_variables()["lp__"][:, 0]
    likelihood = np.array([dense(model, a, b).log_density() for a, b in zip(s_mu, s_y, strict=True)])
    prior = np.array([log_prior(model, a, b) for a, b in zip(s_mu, s_y, strict=True)])
    assert np.ptp(lp - likelihood - prior) < 1e-8  # equal but for a constant: the folded scales need no Jacobian
    assert np.ptp(lp - likelihood) > 0.1  # negative control: without the priors they are not


def exact_moments(model, n_grid=50):
    """Posterior mean and sd of s_mu and s_y by quadrature over the two scales, which the posterior's edges bound."""
    grid = np.linspace(0.0, 5.0, n_grid + 1)[1:] - 2.5 / n_grid  # midpoints
    log_density = np.array([[dense(model, a, b).log_density() + log_prior(model, a, b) for b in grid] for a in grid])
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    assert weights[-1].sum() + weights[:, -1].sum() < 1e-6  # the grid reaches far enough
    moments = {}
    for name, marginal in (("s_mu", weights.sum(axis=1)), ("s_y", weights.sum(axis=0))):
        mean = (grid * marginal).sum()
        moments[name] = mean, np.sqrt(((grid - mean) ** 2 * marginal).sum())
    return moments


@pytest.mark.parametrize("structure", ["level", "trend"])
def test_moments_match_quadrature(structure):
    model = bk.weather(small_data(), model=structure)
    fit = bk.fit(model, seed=SEED, config=bk.StanConfig(draws=2000))
    assessment = bk.assess(fit)
    assert assessment.passed, assessment
    exact = exact_moments(model)
    rows = assessment.summary
    for name, (mean, sd) in exact.items():
        row = rows.loc[name]
        assert abs(row["mean"] - mean) < Z_LIMIT * row["mcse_mean"]
        # The sd's own Monte Carlo error, for a roughly normal posterior: sd / sqrt(2 ESS), doubled for its tails.
        assert abs(row["sd"] - sd) < Z_LIMIT * 2 * sd / np.sqrt(2 * row["ess_bulk"])
    # Negative control: the other model's posterior must not pass for this one.
    other = exact_moments(bk.weather(small_data(), model="trend" if structure == "level" else "level"))
    assert abs(rows.loc["s_mu", "mean"] - other["s_mu"][0]) > Z_LIMIT * rows.loc["s_mu", "mcse_mean"]


def largest_z(first, second):
    """Largest difference of means over the quantities that both have, in units of the combined MCSE."""
    shared = first.index.intersection(second.index)
    assert {"s_mu", "s_y", "mu[2020-01-01]", "mu[2020-01-20]"} <= set(shared)
    assert stats.norm.sf(Z_LIMIT) * 2 * len(shared) < 1e-3  # what the limit means over all of them
    error = np.hypot(first.loc[shared, "mcse_mean"], second.loc[shared, "mcse_mean"])
    return ((first.loc[shared, "mean"] - second.loc[shared, "mean"]) / error).abs().max()


def test_latent_form_has_the_same_posterior_where_it_converges():
    config = bk.StanConfig(warmup=1000, draws=2000, adapt_delta=0.95)

    def summary(form, centre):
        prior = [f"s_y=lognormal({centre}, 0.2)", "s_mu=lognormal(0, 0.2)"]
        return bk.assess(bk.fit(bk.weather(small_data(20), form=form, prior=prior), seed=1, config=config)).summary

    marginal = summary("marginal", 0.4)
    assert largest_z(marginal, summary("latent", 0.4)) < Z_LIMIT
    assert largest_z(marginal, summary("latent", 0.6)) > Z_LIMIT  # negative control: another prior
