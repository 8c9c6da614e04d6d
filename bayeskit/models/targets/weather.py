"""The weather models on a year of days, their states integrated out by a Kalman filter.

Durbin and Koopman (2012), Time Series Analysis by State Space Methods, chapter 4,
doi:10.1093/acprof:oso/9780199641178.001.0001. Nobody draws from these posteriors exactly: engines are compared with
each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from bayeskit.core.density import Density, Floats
from bayeskit.core.language import mark, say
from bayeskit.core.paths import resource
from bayeskit.core.proposals import StudentT
from bayeskit.datasets.weather import load_weather
from bayeskit.models.targets._target import Expected, Target, configurations, expectations
from bayeskit.models.weather import Structure, WeatherModel, weather

FILE = "seattle-weather.csv"
DAYS = 365


@cache
def model(structure: Structure) -> WeatherModel:
    """Return the model of the shipped file's first year."""
    return weather(load_weather(resource("data", FILE), days=DAYS), model=structure)


def level_log_likelihood(built: WeatherModel, s_mu: Floats, s_y: Floats) -> Floats:
    """Return log likelihoods, ``n_points``, under local levels of scales ``s_mu`` and ``s_y``, ``n_points`` each."""
    q, h = s_mu**2, s_y**2
    a, p = _known("mu_1", built, s_mu)
    found = _Predictions(built, s_mu.size)
    for day, y in enumerate(built.temperature):
        if built.observed[day]:
            f, surprise = found.keep(p + h, y - a)
            gain = p / f
            a = a + gain * surprise
            p = gain * h
        p = p + q
    return found.log_density()


def trend_log_likelihood(built: WeatherModel, s_mu: Floats, s_y: Floats) -> Floats:
    """Return log likelihoods, ``n_points``, under local linear trends of scales ``s_mu`` and ``s_y``."""
    q, h = s_mu**2, s_y**2
    (a, p11), (b, p22) = _known("mu_1", built, s_mu), _known("slope_1", built, s_mu)
    p12 = np.zeros_like(s_mu)
    found = _Predictions(built, s_mu.size)
    for day, y in enumerate(built.temperature):
        if built.observed[day]:
            f, surprise = found.keep(p11 + h, y - a)
            first, second = p11 / f, p12 / f
            a, b = a + first * surprise, b + second * surprise
            p11, p12, p22 = first * h, second * h, p22 - second * p12
        a = a + b
        p11, p12, p22 = p11 + 2 * p12 + p22, p12 + p22, p22 + q
    return found.log_density()


class _Predictions:
    """Collects each observation's variance and surprise given those before it: logarithms are cheap taken together."""

    def __init__(self, built: WeatherModel, n_points: int) -> None:
        size = (int(built.observed.sum()), n_points)
        self._variance, self._surprise, self._count = np.empty(size), np.empty(size), 0

    def keep(self, variance: Floats, surprise: Floats) -> tuple[Floats, Floats]:
        self._variance[self._count], self._surprise[self._count] = variance, surprise
        self._count += 1
        return variance, surprise

    def log_density(self) -> Floats:
        terms = np.log(2 * math.pi * self._variance) + self._surprise**2 / self._variance
        total: Floats = -0.5 * terms.sum(axis=0)
        return total


LIKELIHOODS: dict[Structure, Callable[[WeatherModel, Floats, Floats], Floats]] = {
    "level": level_log_likelihood,
    "trend": trend_log_likelihood,
}


def density(structure: Structure) -> Density:
    """Return the log density of the scales: their priors, and the likelihood with all states integrated out."""
    built = model(structure)
    priors = [built.prior("s_mu"), built.prior("s_y")]

    def log_density(points: Any) -> Any:
        log_prior = sum(prior.log_density(points[..., place]) for place, prior in enumerate(priors))
        return log_prior + LIKELIHOODS[structure](built, points[..., 0], points[..., 1])

    def start(rng: np.random.Generator, n: int) -> Floats:
        return np.stack([prior.draw(n, rng) for prior in priors], axis=1)

    return Density(log_density, {"s_mu": (), "s_y": ()}, lower=np.zeros(2), start=start)


def proposal(structure: Structure) -> StudentT:
    """Return a wide distribution about scales half as large as a day's change of temperature, which bounds both."""
    half = model(structure).prior("s_y").arguments[1] / 2
    return StudentT(4.0, np.full(2, half), half**2 * np.eye(2))


def make_weather_level() -> Target:
    """Return the local level model."""
    return _target("level", mark("Local level of a year's temperature"), "mu[t] ~ normal(mu[t-1], s_mu)")


def make_weather_trend() -> Target:
    """Return the local linear trend model."""
    law = "mu[t] ~ normal(2 mu[t-1] - mu[t-2], s_mu)"
    return _target("trend", mark("Local linear trend of a year's temperature"), law)


def _target(structure: Structure, title: str, law: str) -> Target:
    return Target(
        name=f"weather-{structure}",
        title=title,
        summary=mark("The two noise scales of a state-space model of 365 days, the days' states integrated out."),
        formulas=(law, "y[t] ~ normal(mu[t], s_y)"),
        meanings={
            "s_mu": mark("how far the state moves from one day to the next (standard deviation)"),
            "s_y": mark("how far a day's temperature scatters around its level (standard deviation)"),
        },
        make_density=partial(density, structure),
        program=f"weather_{structure}.stan",
        make_stan_data=lambda: model(structure).stan_data(),
        make_pyro_program=partial(_pyro_program, structure),
        make_proposal=partial(proposal, structure),
        expected=expectations(
            exact=Expected("none", say("nobody can draw from this posterior directly")),
            rejection=Expected("none", say("no bound of the likelihood is known")),
        ),
        settings=configurations(
            stan={"draws": 1000, "adapt_delta": 0.99},
            nuts={"draws": 700, "adapt_delta": 0.95, "metric": "dense_e"},
            metropolis={"warmup": 500, "draws": 1500, "thin": 1},
            importance={"draws": 100_000},
        ),
        starts=lambda rng: model(structure).stan_inits(rng),
        metric="dense_e",
        make_source=lambda: model(structure).data.source,
        make_priors=lambda: model(structure).priors,
    )


def _known(name: str, built: WeatherModel, like: Floats) -> tuple[Floats, Floats]:
    """Return mean and variance of a state on the first day, the same for every point."""
    mean, sd = built.prior(name).arguments
    return np.full_like(like, mean), np.full_like(like, sd**2)


def _pyro_program(structure: Structure) -> Callable[[], object]:
    """Return the Pyro program, whose free coordinates are Stan's: the scales are their absolute values."""
    from bayeskit.models.weather_pyro import weather_program

    return weather_program(model(structure))
