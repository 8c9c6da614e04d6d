"""Importance sampling and sequential Monte Carlo come out right, within errors that are themselves right.

Each probability of a false alarm is below 1e-7; of those that count standard errors, z-scores beyond 5.5 have 4e-8.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from diagnostics.factories import fit_of, outcome
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.core.proposals import Mixture, Normal, ShiftedExponential, StudentT, Uniform
from bayeskit.diagnostics.weighted import assess_weighted
from bayeskit.inference import _particles, smc
from bayeskit.inference.importance import ImportanceConfig, fit_importance, normalised_mean, self_normalised_mean
from bayeskit.inference.smc import SMCConfig, fit_smc

ALPHA = 1e-7
Z = 5.5
MODES = (0.3, stats.norm(-2, 0.5)), (0.7, stats.norm(3, 1))
SPREAD = np.array([[1.0, 19.0], [19.0, 400.0]])
ACROSS = Normal([1.0], [[9.0]])


def bimodal(x):
    return np.logaddexp(*(math.log(weight) + mode.logpdf(x[:, 0]) for weight, mode in MODES))


def beta(x):
    with np.errstate(divide="ignore"):
        return np.log(30 * x[:, 0] * (1 - x[:, 0]) ** 4)


def successes(x):
    with np.errstate(divide="ignore"):
        return math.log(12 * math.comb(20, 7)) + 8 * np.log(x[:, 0]) + 15 * np.log1p(-x[:, 0])


BETA = Density(beta, {"x": ()}, lower=np.zeros(1), upper=np.ones(1))
TWO_MODES = Density(bimodal, {"x": ()})
BEYOND = Density(lambda x: stats.norm.logpdf(x[:, 0]), {"x": ()}, lower=np.array([2.0]))
CORRELATED = Density(stats.multivariate_normal([3, 300], SPREAD).logpdf, {"x": (2,)})
SUCCESSES = Density(successes, {"p": ()}, lower=np.zeros(1), upper=np.ones(1))
BANANA = Density(lambda x: stats.norm.logpdf(x[:, 0]) + stats.norm.logpdf(x[:, 1], 2 * x[:, 0] ** 2, 0.3), {"x": (2,)})
# Each with its evidence, and the means of functions of the first coordinate.
TARGETS = {
    "beta": (BETA, 0.0, {"mean": (lambda x: x, 2 / 7)}),
    "two modes": (
        TWO_MODES,
        0.0,
        {"left": (lambda x: x < 0.4, stats.norm(-2, 0.5).cdf(0.4) * 0.3 + 0.7 * stats.norm(3, 1).cdf(0.4))},
    ),
    "beyond 2": (
        BEYOND,
        stats.norm.logsf(2),
        {"square": (np.square, 1 + 2 * stats.norm.pdf(2) / stats.norm.sf(2))},
    ),
    "correlated": (CORRELATED, 0.0, {"mean": (lambda x: x, 3.0), "square": (lambda x: (x - 3) ** 2, 1.0)}),
    "beta-binomial": (SUCCESSES, stats.betabinom(20, 2, 3).logpmf(7), {"mean": (lambda x: x, 9 / 25)}),
    "banana": (BANANA, 0.0, {"square": (np.square, 1.0)}),
}
ENGINES = {
    "importance": (fit_importance, ImportanceConfig(draws=10_000)),
    "smc": (fit_smc, SMCConfig(particles=1000, runs=4)),
}


def fit_of_draws(drawn):
    return fit_of("weighted", dict(drawn.values), dict(drawn.sample_stats), dict(drawn.engine))


def with_function(drawn, function):
    """The same draws, told in a function of the first coordinate."""
    values = next(iter(drawn.values.values()))
    first = values if values.ndim == 2 else values[..., 0]
    return replace(drawn, values={"h": np.asarray(function(first), dtype=float)})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("target", TARGETS)
def test_evidence_and_means_are_exact_within_their_own_errors(target, engine):
    density, log_evidence, functions = TARGETS[target]
    fit, config = ENGINES[engine]
    drawn = fit(density, config, seed=2024)
    assert abs(drawn.engine["log_evidence"] - log_evidence) < 5 * drawn.engine["log_evidence_error"]
    for function, exact in functions.values():
        assessment = assess_weighted(fit_of_draws(with_function(drawn, function)))
        row = assessment.summary.loc["h"]
        assert abs(row["mean"] - exact) < 5 * row["mcse_mean"]
        assert row["mcse_mean"] < 0.1 * row["sd"]
    whole = assess_weighted(fit_of_draws(drawn))
    # The pilot's proposal for the banana has a k-hat about the limit: 0.47 to 0.92 from seed to seed.
    failed = {verdict.name for verdict in whole.verdicts if not verdict.passed}
    assert failed <= ({"weights_k"} if (target, engine) == ("banana", "importance") else set()), whole
    assert whole.metrics["log_evidence"] == drawn.engine["log_evidence"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gaussian_in_many_dimensions(engine):
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(20, 20))
    covariance = mixing @ mixing.T / 20 + 0.3 * np.eye(20)
    precision, centre = np.linalg.inv(covariance), rng.normal(size=20)

    def log_density(x):
        return -0.5 * (((x - centre) @ precision) * (x - centre)).sum(axis=1)

    density = Density(log_density, {"x": (20,)})
    log_evidence = 10 * math.log(2 * math.pi) + np.linalg.slogdet(covariance)[1] / 2
    fit, config = ENGINES[engine]
    drawn = fit(density, config, seed=5)
    assert abs(drawn.engine["log_evidence"] - log_evidence) < 5 * drawn.engine["log_evidence_error"]
    assessment = assess_weighted(fit_of_draws(drawn))
    assert assessment.passed, assessment
    z = (assessment.summary["mean"] - centre) / assessment.summary["mcse_mean"]
    assert np.abs(z).max() < Z
    assert np.abs(assessment.summary["sd"] / np.sqrt(np.diag(covariance)) - 1).max() < Z / np.sqrt(2 * 800)


def spread_of(z):
    """Return the p-value of z-scores being standard normal, by their sum of squares."""
    z = np.asarray(z)
    return 2 * min(stats.chi2(z.size).cdf(z @ z), stats.chi2(z.size).sf(z @ z))


def importance_scores(repeats, fit=fit_importance, proposal=ACROSS):
    """Return z-scores of log evidence and mean over many small runs on the two modes."""
    found = []
    for seed in range(repeats):
        drawn = fit(TWO_MODES, ImportanceConfig(draws=1500, threads=1), seed=seed, proposal=proposal)
        mean, error = self_normalised_mean(drawn.values["x"][0], drawn.sample_stats["log_weight"][0])
        normalised, its_error = normalised_mean(drawn.values["x"][0], drawn.sample_stats["log_weight"][0])
        evidence = drawn.engine["log_evidence"] / drawn.engine["log_evidence_error"]
        found.append((evidence, (mean - 1.5) / error, (normalised - 1.5) / its_error))
    return np.array(found).T


def test_errors_of_importance_sampling_are_right():
    for z in importance_scores(200):
        assert spread_of(z) > ALPHA
        assert abs(z.mean()) * math.sqrt(z.size) < Z
    # Negative control: errors a third too small.
    assert spread_of(importance_scores(200)[0] / 0.65) < ALPHA


def forgotten_proposal(density, config, *, seed, proposal):
    """The weight is f, not f / q."""
    drawn = fit_importance(density, config, seed=seed, proposal=proposal)
    weight = drawn.sample_stats["log_weight"] + proposal.log_density(drawn.values["x"].T).T
    return replace(drawn, sample_stats={"log_weight": weight})


def forgotten_mixture(density, config, *, seed, proposal):
    """The weight has the density of the part that a point came from, which is guessed here by its place."""
    drawn = fit_importance(density, config, seed=seed, proposal=proposal)
    points = drawn.values["x"].T
    parts = np.array([part.log_density(points) for part in proposal.parts])
    return replace(drawn, sample_stats={"log_weight": (bimodal(points) - parts.max(axis=0))[None]})


@pytest.mark.parametrize("broken", [forgotten_proposal, forgotten_mixture])
def test_weights_that_are_wrong_are_found(broken):
    """Negative controls of the z-scores above, for the self-normalised mean."""
    proposal = Mixture([0.5, 0.5], [Normal([1.0], [[9.0]]), StudentT(4.0, [-2.0], [[2.0]])])
    assert spread_of(importance_scores(40, proposal=proposal)[1]) > ALPHA
    assert spread_of(importance_scores(40, broken, proposal)[1]) < ALPHA


def test_weights_that_are_not_normalised_are_found():
    """Negative control: a mean of w h that is not divided by the sum of w, of a density without its constant."""
    unnormalised = Density(lambda x: bimodal(x) + 0.7, {"x": ()})
    z = []
    for seed in range(20):
        drawn = fit_importance(unnormalised, ImportanceConfig(draws=1500), seed=seed, proposal=ACROSS)
        values, log_weight = drawn.values["x"][0], drawn.sample_stats["log_weight"][0]
        z.append(
            [
                (mean - 1.5) / error
                for mean, error in (f(values, log_weight) for f in (normalised_mean, self_normalised_mean))
            ]
        )
    forgotten, divided = np.array(z).T
    assert spread_of(forgotten) < ALPHA
    assert spread_of(divided) > ALPHA


def smc_scores(repeats, config, density=TWO_MODES):
    """Return z-scores of each run's evidence, and of the pooled mean, over many small fits."""
    evidence, means = [], []
    for seed in range(repeats):
        drawn = fit_smc(density, config, seed=seed, proposal=Normal([0.0], [[100.0]]))
        evidence.append(np.expm1(drawn.engine["log_evidence_by_run"]) / drawn.engine["log_evidence_error_by_run"])
        row = assess_weighted(fit_of_draws(drawn)).summary.loc["x"]
        means.append((row["mean"] - 1.5) / row["mcse_mean"])
    return np.concatenate(evidence), np.array(means)


@pytest.mark.parametrize(
    "resampling",
    ["systematic", "multinomial", *(pytest.param(s, marks=pytest.mark.slow) for s in ("stratified", "residual"))],
)
def test_errors_of_particles_are_right(resampling):
    """The genealogy's error of each run's evidence, and the families' error of the mean."""
    config = SMCConfig(particles=400, runs=4, ess=0.7, resampling=resampling, max_moves=5, threads=1)
    evidence, means = smc_scores(25, config)
    assert spread_of(evidence) > ALPHA
    assert spread_of(means) > ALPHA
    assert abs(evidence.mean()) * math.sqrt(evidence.size) < Z
    assert abs(means.mean()) * math.sqrt(means.size) < Z
    # Negative control: errors of independent particles would be this much smaller.
    assert spread_of(evidence / 0.6) < ALPHA


def test_resampling_that_ignores_weights_is_found(monkeypatch):
    config = SMCConfig(particles=400, runs=4, ess=0.7, max_moves=3, threads=1)
    monkeypatch.setattr(
        _particles, "resample", lambda scheme, weights, n, rng: np.sort(rng.integers(0, n, n)), raising=True
    )
    evidence, _ = smc_scores(10, config)  # the means are mended by the moves
    assert spread_of(evidence) < ALPHA


def own_covariance(self, coordinates):
    factor = np.linalg.cholesky(np.cov(coordinates.T))
    self._factors[:] = factor


def test_particles_do_not_move_by_their_own_covariance(monkeypatch):
    """They would fit it too well, and overestimate the evidence."""
    density = Density(lambda x: stats.norm.logpdf(x).sum(axis=1), {"x": (20,)})
    start = StudentT(5.0, np.zeros(20), 4 * np.eye(20))

    def evidence():
        config = SMCConfig(particles=256, runs=64, max_moves=30)
        return np.expm1(fit_smc(density, config, seed=7, proposal=start).engine["log_evidence_by_run"])

    def z(found):
        return found.mean() / found.std(ddof=1) * math.sqrt(found.size)

    honest = z(evidence())
    monkeypatch.setattr(_particles.Particles, "_learn", own_covariance)
    assert abs(honest) < Z < z(evidence())


def test_runs_that_share_their_random_numbers_are_found(monkeypatch):
    """Negative control: a seed that does not know the run; the runs are then the same, and differ by far too little."""

    def log_evidence(seed):
        return fit_smc(BETA, SMCConfig(particles=64, runs=4), seed=seed, proposal=Uniform([0.0], [1.0])).engine

    def agreement(engine):
        z = (engine["log_evidence_by_run"] - engine["log_evidence_by_run"].mean()) / engine["log_evidence_error_by_run"]
        return z @ z

    honest = [agreement(log_evidence(seed)) for seed in range(10)]
    assert stats.chi2(30).cdf(sum(honest)) > ALPHA
    sequence = np.random.SeedSequence
    monkeypatch.setattr(smc.np.random, "SeedSequence", lambda seed, spawn_key=(): sequence(seed))
    shared = [agreement(log_evidence(seed)) for seed in range(10)]
    assert stats.chi2(30).cdf(sum(shared)) < ALPHA


def test_a_proposal_that_does_not_cover_the_density_is_told():
    density = Density(lambda x: stats.norm.logpdf(x).sum(axis=1), {"x": (2,)})
    drawn = fit_importance(density, ImportanceConfig(), seed=1, proposal=Normal(np.zeros(2), np.eye(2) / 4))
    verdict = outcome(assess_weighted(fit_of_draws(drawn)))["weights_k"]
    assert verdict.passed is False
    assert verdict.value > 0.7
    # Its half above 2, with an exponential that starts there, is covered.
    covered = fit_importance(BEYOND, ImportanceConfig(), seed=1, proposal=ShiftedExponential(2.0, 2.0))
    assert outcome(assess_weighted(fit_of_draws(covered)))["weights_k"].passed


def test_a_funnel_is_right_or_flagged():
    def log_density(x):
        return stats.norm.logpdf(x[:, 0], 0, 3) + stats.norm.logpdf(x[:, 1:], 0, np.exp(x[:, :1] / 2)).sum(axis=1)

    funnel = Density(log_density, {"v": (), "x": (9,)})
    for fit, config in ENGINES.values():
        drawn = fit(funnel, config, seed=1)
        assessment = assess_weighted(fit_of_draws(drawn))
        row = assessment.summary.loc["v"]
        assert not assessment.passed or abs(row["mean"]) < 5 * row["mcse_mean"]
