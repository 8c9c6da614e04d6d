"""Rejection sampling draws from the density that it was given: against exact distributions, with negative controls.

Each p-value is judged at ``ALPHA``, so that these together fail by chance once in a million runs; each count of 5
standard errors has 6e-7 of its own.
"""

import math

import numpy as np
import pytest
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.core.errors import InferenceError
from bayeskit.core.proposals import Mixture, Normal, ShiftedExponential, StudentT
from bayeskit.inference import _adaptive_rejection, rejection
from bayeskit.inference._adaptive_rejection import _Known
from bayeskit.inference._bounds import Bound
from bayeskit.inference._hulls import Hull
from bayeskit.inference.rejection import RejectionConfig, fit_rejection

ALPHA = 2e-8  # about 50 of them
SIGMAS = stats.norm.isf(ALPHA / 2)
DRAWS = 20_000


def line(function, low=-np.inf, high=np.inf, gradient=None):
    both = None if gradient is None else lambda x: (function(x), gradient(x))
    return Density(function, {"x": ()}, lower=np.array([low]), upper=np.array([high]), gradient=both)


def fit(density, seed=1, proposal=None, draws=DRAWS, **options):
    return fit_rejection(density, RejectionConfig(draws=draws, **options), seed=seed, proposal=proposal)


def normal(x):
    return -0.5 * x[..., 0] ** 2


def beta(x):
    return math.log(30) + np.log(x[..., 0]) + 4 * np.log1p(-x[..., 0])


def two_modes(x):
    left = math.log(0.3 / 0.5) - 0.5 * ((x[..., 0] + 2) / 0.5) ** 2
    return np.logaddexp(left, math.log(0.7) - 0.5 * (x[..., 0] - 3) ** 2) - 0.5 * math.log(2 * math.pi)


def two_modes_cdf(x):
    return 0.3 * stats.norm.cdf((x + 2) / 0.5) + 0.7 * stats.norm.cdf(x - 3)


BETA = line(beta, 0, 1)
PLAIN = {
    "beta": (BETA, None, stats.beta(2, 5).cdf),
    "normal by a wider one": (line(normal), Normal([0.3], [[4.0]]), stats.norm.cdf),
    "two modes by t": (line(two_modes), StudentT(5, [0.5], [[16.0]]), two_modes_cdf),
    "tail": (line(normal, 2), ShiftedExponential(2, (2 + math.sqrt(8)) / 2), stats.truncnorm(2, np.inf).cdf),
    "tail by a proposal that leaves it": (line(normal, 2), Normal([2.0], [[1.5]]), stats.truncnorm(2, np.inf).cdf),
    "between": (line(normal, -1, 0.5), None, stats.truncnorm(-1, 0.5).cdf),
}
ADAPTIVE = {
    "normal": (line(normal), stats.norm.cdf),
    "normal with gradient": (line(normal, gradient=lambda x: -x), stats.norm.cdf),
    "far away and narrow": (line(lambda x: -0.5 * ((x[..., 0] - 1e4) / 1e-3) ** 2), stats.norm(1e4, 1e-3).cdf),
    "gamma": (line(lambda x: 1.5 * np.log(x[..., 0]) - x[..., 0] / 3, 0), stats.gamma(2.5, scale=3).cdf),
    "gamma with gradient": (
        line(lambda x: 1.5 * np.log(x[..., 0]) - x[..., 0], 0, gradient=lambda x: 1.5 / x - 1),
        stats.gamma(2.5).cdf,
    ),
    "beta": (BETA, stats.beta(2, 5).cdf),
    "tail": (line(normal, 2), stats.truncnorm(2, np.inf).cdf),
    "left tail": (line(normal, high=-3.0, gradient=lambda x: -x), stats.truncnorm(-np.inf, -3).cdf),
    "between": (line(normal, -1, 0.5), stats.truncnorm(-1, 0.5).cdf),
    "exponential": (line(lambda x: -2 * x[..., 0], 0), stats.expon(scale=0.5).cdf),
    "even": (line(lambda x: 0 * x[..., 0], 1, 3), stats.uniform(1, 2).cdf),
    "laplace": (line(lambda x: -np.abs(x[..., 0])), stats.laplace.cdf),
    "logistic": (line(lambda x: -x[..., 0] - 2 * np.log1p(np.exp(-x[..., 0]))), stats.logistic.cdf),
}


def p_value(draws, cdf):
    return stats.kstest(draws.values["x"][0], cdf).pvalue


@pytest.mark.parametrize("name", PLAIN)
def test_draws_are_the_densitys(name):
    target, proposal, cdf = PLAIN[name]
    draws = fit(target, proposal=proposal)
    assert draws.engine["certified"] == 1
    assert p_value(draws, cdf) > ALPHA


@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize("seed", [1, 2])
def test_adaptive_draws_are_the_densitys(name, seed):
    target, cdf = ADAPTIVE[name]
    assert p_value(fit(target, seed=seed, adaptive=True), cdf) > ALPHA


def test_first_draws_of_many_adaptive_runs():
    """The hull is worst for these, and learns from what comes with them."""
    first = np.concatenate(
        [fit(line(normal), seed=seed, adaptive=True, draws=150).values["x"][0] for seed in range(200)]
    )
    assert stats.kstest(first, stats.norm.cdf).pvalue > ALPHA
    pairs = first.reshape(200, 150)
    together = np.corrcoef(pairs[:, :75].mean(axis=1), pairs[:, 75:].mean(axis=1))[0, 1]
    assert abs(math.atanh(together)) * math.sqrt(197) < SIGMAS


def test_a_hull_that_never_learns(monkeypatch):
    """So that many candidates are squeezed in, and many rejected."""
    monkeypatch.setattr(_adaptive_rejection, "ENOUGH", 0.0)
    draws = fit(line(normal), adaptive=True, draws=100_000)
    assert 0.5 < draws.engine["acceptance"] < 0.95
    assert draws.engine["evaluations"] < 0.7 * draws.engine["proposals"]
    assert p_value(draws, stats.norm.cdf) > ALPHA


@pytest.mark.parametrize("adaptive", [False, True])
def test_draws_do_not_depend_on_each_other(adaptive):
    x = fit(BETA, adaptive=adaptive).values["x"][0] - 2 / 7
    for lag in (1, 2, 7):
        assert abs((x[:-lag] * x[lag:]).mean() / x.var()) * math.sqrt(x.size) < SIGMAS


def test_acceptance_of_the_beta_distribution():
    told = fit(BETA, draws=200_000, normalised=True).engine
    assert abs(told["acceptance"] - 1 / 2.4576) < 5 * told["acceptance_error"]
    assert told["acceptance_error"] < 1e-3
    assert told["expected_acceptance"] == pytest.approx(0.4069, abs=1e-4)


@pytest.mark.parametrize("adaptive", [False, True])
def test_mean_square_beyond_2(adaptive):
    exact = 1 + 2 * stats.norm.pdf(2) / stats.norm.sf(2)
    proposal = None if adaptive else ShiftedExponential(2, (2 + math.sqrt(8)) / 2)
    squares = np.square(fit(line(normal, 2), proposal=proposal, adaptive=adaptive, draws=100_000).values["x"][0])
    assert exact == pytest.approx(5.746, abs=5e-4)
    assert abs(squares.mean() - exact) < 5 * squares.std() / math.sqrt(squares.size)


def test_weight_of_the_left_mode():
    wide = Mixture([0.3, 0.7], [Normal([-2.0], [[0.75**2]]), Normal([3.0], [[1.5**2]])])
    draws = fit(line(two_modes), proposal=wide, draws=100_000, normalised=True)
    share = float(two_modes_cdf(0.5))
    assert abs((draws.values["x"] < 0.5).mean() - share) < 5 * math.sqrt(share * (1 - share) / 100_000)
    assert draws.engine["acceptance"] == pytest.approx(1 / 1.5, abs=5 * draws.engine["acceptance_error"])


def test_the_error_of_the_integral_is_its_error(monkeypatch):
    """Z-scores of many small runs: their squares add up to a chi-square."""
    log_bound = math.log(2.4576) - 3
    monkeypatch.setattr(rejection, "find_bound", lambda *_: Bound(log_bound, log_bound, True, ""))
    target = line(lambda x: beta(x) - 3, 0, 1)
    told = [fit(target, seed=seed, draws=400).engine for seed in range(150)]
    z = np.array([(run["log_normalizer"] + 3) / run["log_normalizer_error"] for run in told])
    assert ALPHA < stats.chi2(z.size).cdf(np.sum(z**2)) < 1 - ALPHA
    assert abs(z.mean()) * math.sqrt(z.size) < SIGMAS


def test_two_dimensions():
    target = Density(lambda x: -0.5 * (x[..., 0] ** 2 + (x[..., 1] - 0.9 * x[..., 0]) ** 2 / 0.19), {"x": (2,)})
    x = fit(target, proposal=Normal([0.0, 0.0], 1.9 * np.eye(2))).values["x"][0]
    distance = x[:, 0] ** 2 + (x[:, 1] - 0.9 * x[:, 0]) ** 2 / 0.19
    assert stats.kstest(distance, stats.chi2(2).cdf).pvalue > ALPHA
    assert stats.kstest(x[:, 1], stats.norm.cdf).pvalue > ALPHA


def test_whole_numbers():
    weights = stats.binom.pmf(np.arange(9), 8, 0.3)
    target = Density(
        lambda x: np.log(weights[x[:, 0].astype(int)]),
        {"k": ()},
        lower=np.zeros(1),
        upper=np.full(1, 8.0),
        integer=np.array([True]),
    )
    seen = np.bincount(fit(target).values["k"][0], minlength=9)
    assert stats.chisquare(seen, DRAWS * weights).pvalue > ALPHA


class TestBroken:
    """Samplers with an error, each of which the tests above must catch."""

    def test_the_bound_of_a_neighbour(self, monkeypatch):
        """Off by one in M: of 0.0, 0.1, ... the one after the mode, with the check of the envelope off."""
        places = np.arange(1, 10)[:, None] / 10
        heights = np.exp(beta(places))
        neighbour = float(heights[heights.argmax() + 1])
        monkeypatch.setattr(rejection, "find_bound", lambda *_: Bound(math.log(neighbour), 0.0, False, ""))
        with pytest.raises(InferenceError, match=r"the envelope is below the density.*take bound >= 2\.4"):
            fit(BETA)
        monkeypatch.setattr(rejection, "TOLERANCE", np.inf)
        assert p_value(fit(BETA, draws=300_000), stats.beta(2, 5).cdf) < ALPHA

    def test_the_wrong_inequality(self, monkeypatch):
        def chunk(self, number):
            rng = rejection.block_generator(self.seed, number)
            points = self.proposal.sample(rng, self.size(number))
            places = np.flatnonzero(self.log_ratio(points) < -rng.standard_exponential(len(points)))
            return rejection._Chunk(points[places], places)

        monkeypatch.setattr(rejection._Rejection, "chunk", chunk)
        assert p_value(fit(BETA), stats.beta(2, 5).cdf) < ALPHA

    def test_every_chunk_from_the_same_stream(self, monkeypatch):
        real = rejection.block_generator
        monkeypatch.setattr(rejection, "block_generator", lambda seed, number, *more: real(seed, min(number, 3), *more))
        assert p_value(fit(BETA, draws=500_000), stats.beta(2, 5).cdf) < ALPHA

    def test_a_forgotten_proposal_density(self, monkeypatch):
        monkeypatch.setattr(
            rejection._Rejection, "log_ratio", lambda self, points: rejection.evaluated(self.density, points) - 0.0
        )
        target, proposal, cdf = PLAIN["normal by a wider one"]
        assert p_value(fit(target, proposal=proposal), cdf) < ALPHA

    def test_a_squeeze_that_lets_too_many_in(self, monkeypatch):
        monkeypatch.setattr(_adaptive_rejection, "ENOUGH", 0.0)
        lower = Hull.lower
        monkeypatch.setattr(Hull, "lower", lambda self, points: lower(self, points) + 0.3)
        monkeypatch.setattr(_Known, "_check_between", lambda *_: None)
        assert p_value(fit(line(normal), adaptive=True, draws=100_000), stats.norm.cdf) < ALPHA

    def test_a_hull_that_is_accepted_as_it_is(self, monkeypatch):
        monkeypatch.setattr(_Known, "judge", lambda self, hull, points, *_, **__: np.ones(points.size, dtype=bool))
        assert p_value(fit(line(normal), adaptive=True), stats.norm.cdf) < ALPHA
