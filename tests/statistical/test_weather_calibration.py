"""Simulation-based calibration of the weather models, small; and broken posteriors that it must find."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import replace

import numpy as np
import pytest
from statistical.test_weather_posterior import small_data

import bayeskit as bk
from bayeskit.core.types import Draws
from bayeskit.inference.stan import fit_stan
from bayeskit.models.weather import WeatherModel
from bayeskit.workflows import simulating

CONFIG = bk.StanConfig(chains=2, warmup=300, draws=200)
N_SIMULATIONS = 45


class Here(Executor):
    """Runs each task as it is submitted, so that tests can put something else in the engine's place."""

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        future.set_result(function(*args, **kwargs))
        return future


def calibrated(model, simulations=N_SIMULATIONS, **options):
    return bk.calibrate(model, simulations=simulations, config=CONFIG, seed=5, **options)


def verdicts(calibration):
    return {verdict.name: verdict.passed for verdict in calibration.verdicts}


@pytest.mark.parametrize("structure", ["level", "trend"])
def test_ranks_are_uniform(structure):
    found = calibrated(bk.weather(small_data(30), model=structure))
    assert verdicts(found)["ranks"]
    assert verdicts(found)["coverage"]


def test_ranks_are_uniform_given_the_data_at_hand():
    found = calibrated(bk.weather(small_data(30), model="level", rain="noise"), posterior=True)
    assert verdicts(found)["ranks"]
    # The truths come from the posterior, which lies closer together than the prior.
    spread = {q.label: q.truths.std() for q in found.quantities}
    prior, _ = bk.weather(small_data(30)).draw_prior(1000, np.random.default_rng(1))
    assert spread["s_mu"] < 0.7 * prior["s_mu"].std()


def test_days_that_do_not_follow_from_the_truth_are_found(monkeypatch):
    def with_more_noise(self, values, n_days, rng):
        truth, longer = continued(self, values, n_days, rng)
        temperature = longer.temperature.copy()
        temperature[-n_days:] += 2 * (temperature - truth["mu"])[-n_days:]
        return truth, replace(longer, temperature=temperature)

    continued = WeatherModel.continued
    monkeypatch.setattr(WeatherModel, "continued", with_more_noise)
    found = calibrated(bk.weather(small_data(30)), simulations=20, posterior=True, executor=Here())
    assert verdicts(found)["ranks"] is False
    assert next(q for q in found.quantities if q.label == "s_y").adjusted < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("posterior", [False, True])
@pytest.mark.parametrize("rain", ["ignore", "noise"])
@pytest.mark.parametrize("structure", ["level", "trend"])
def test_ranks_are_uniform_at_length(structure, rain, posterior):
    model = bk.weather(small_data(60), model=structure, rain=rain)
    found = bk.calibrate(model, simulations=500, seed=5, posterior=posterior)
    assert {name: passed for name, passed in verdicts(found).items() if name != "diverging_simulations"} == {
        name: True for name in verdicts(found) if name != "diverging_simulations"
    }


def test_wrong_scale_of_the_likelihood_is_found(monkeypatch):
    def with_half_the_noise(self, rng):
        truth, simulated = simulate(self, rng)
        noise = simulated.temperature - truth["mu"]
        return truth, replace(simulated, temperature=truth["mu"] + noise / 2)

    simulate = WeatherModel.simulate
    monkeypatch.setattr(WeatherModel, "simulate", with_half_the_noise)
    found = calibrated(bk.weather(small_data(30)), simulations=40, executor=Here())
    assert verdicts(found)["ranks"] is False
    assert next(q for q in found.quantities if q.label == "s_y").adjusted < 0.01


def test_posterior_that_is_the_prior_is_found_by_the_likelihood_alone(monkeypatch):
    def prior(model, config, *, seed):
        values, _ = model.draw_prior(400, np.random.default_rng(seed))
        return Draws("iid", {name: value.reshape(1, 400, *value.shape[1:]) for name, value in values.items()})

    monkeypatch.setattr(simulating, "draw", prior)
    found = calibrated(bk.weather(small_data(30)), executor=Here())
    adjusted = {q.label: q.adjusted for q in found.quantities}
    assert adjusted.pop("log_lik") < 0.01
    assert min(adjusted.values()) > 0.01


def test_chains_that_begin_far_off_with_their_warmup_left_in_are_found(monkeypatch):
    def with_warmup(model, config, *, seed):
        draws = fit_stan(model, config, seed=seed)
        steps = np.linspace(1, 0, 100)  # of 200 draws the first half approaches from far away
        far = {name: 5 * np.abs(value).max() + 1 for name, value in draws.values.items()}
        shape = {name: (1, 100) + (1,) * (value.ndim - 2) for name, value in draws.values.items()}
        values = {name: value.copy() for name, value in draws.values.items()}
        for name, value in values.items():
            value[:, :100] += far[name] * steps.reshape(shape[name])
        return replace(draws, values=values)

    monkeypatch.setattr(simulating, "draw", with_warmup)
    found = calibrated(bk.weather(small_data(30)), simulations=30, executor=Here())
    assert verdicts(found)["ranks"] is False
    assert verdicts(found)["unmixed_simulations"] is False


def test_wrong_prior_is_found():
    right = bk.weather(small_data(30), model="level")
    wrong = bk.weather(small_data(30), model="level", prior=["s_mu=normal(0, 0.3)", "s_y=normal(0, 0.3)"])

    class Simulated(WeatherModel):
        def simulate(self, rng):
            truth, simulated = right.simulate(rng)
            return truth, replace(simulated, priors=wrong.priors)

    fields = {name: getattr(right, name) for name in right.__dataclass_fields__}
    found = calibrated(Simulated(**fields), simulations=30, executor=Here())
    assert verdicts(found)["ranks"] is False
