"""Sequential Monte Carlo: its steps, its streams, its bookkeeping, and one line where it cannot work."""

import numpy as np
import pytest
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.core.proposals import Normal, Uniform
from bayeskit.inference._particles import next_step
from bayeskit.inference.smc import SMCConfig, fit_smc, pooled_evidence

NORMAL = Density(lambda x: -0.5 * np.square((x - 3) / 0.5).sum(axis=1), {"x": (2,)})
WIDE = Normal(np.zeros(2), 25 * np.eye(2))
SMALL = SMCConfig(particles=128, runs=2)


def test_a_step_leaves_the_share_that_was_asked_for():
    log_ratio = np.random.default_rng(1).normal(size=500) * 40
    step = next_step(log_ratio, 1.0, 0.5)
    weights = np.exp(step * (log_ratio - log_ratio.max()))
    assert weights.sum() ** 2 / np.square(weights).sum() == pytest.approx(250, rel=1e-6)
    assert next_step(log_ratio / 1e4, 0.7, 0.5) == 0.7
    # Particles where the density is 0 are lost at once; the share is of the others.
    assert next_step(np.append(log_ratio, np.full(2000, -np.inf)), 1.0, 0.5) == step


def test_same_seed_same_bits_however_many_threads_and_runs():
    first = fit_smc(NORMAL, SMCConfig(particles=128, runs=3, threads=1), seed=4)
    again = fit_smc(NORMAL, SMCConfig(particles=128, runs=3, threads=3), seed=4)
    fewer = fit_smc(NORMAL, SMCConfig(particles=128, runs=2), seed=4)
    for name in ("log_weight", "ancestor"):
        np.testing.assert_array_equal(first.sample_stats[name], again.sample_stats[name])
        np.testing.assert_array_equal(first.sample_stats[name][:2], fewer.sample_stats[name])
    np.testing.assert_array_equal(first.values["x"], again.values["x"])
    np.testing.assert_array_equal(first.values["x"][:2], fewer.values["x"])
    assert not np.isin(first.values["x"][0], first.values["x"][1]).any()


def test_the_books_are_kept():
    told = []
    drawn = fit_smc(NORMAL, SMALL, seed=1, proposal=WIDE, progress=lambda done, total: told.append((done, total)))
    engine, ancestor = drawn.engine, drawn.sample_stats["ancestor"]
    assert drawn.kind == "weighted"
    assert drawn.values["x"].shape == (2, 128, 2)
    assert ancestor.shape == (2, 128)
    assert ancestor[0].max() < 128 <= ancestor[1].min()
    temperatures = engine["temperatures"]
    assert temperatures[0] == 0
    assert temperatures[-1] == 1
    assert np.all(np.diff(temperatures) > 0)
    np.testing.assert_allclose(engine["ess_by_temperature"][:-1], 0.5, rtol=1e-6)
    for name in ("ess_by_temperature", "acceptance_by_temperature", "moves_by_temperature"):
        assert engine[name].shape == (temperatures.size - 1,)
    np.testing.assert_array_equal(drawn.sample_stats["log_weight"][:, 5], engine["log_evidence_by_run"])
    weights = np.exp(drawn.sample_stats["log_weight"])
    assert engine["log_evidence"] == pytest.approx(np.log(weights.mean()))
    assert told[-1] == (2000, 2000)


def test_runs_are_pooled_by_their_evidence():
    found = pooled_evidence(np.log([1.0, 3.0]) - 800, np.array([0.04, 0.01]))
    assert found["log_evidence"] == pytest.approx(np.log(2) - 800)
    assert found["log_evidence_error"] == pytest.approx(np.sqrt(1 * 0.04 + 9 * 0.01) / 4)
    assert found["log_evidence_error_between_runs"] == pytest.approx(np.sqrt(2) / 2 / np.sqrt(2))


def test_a_density_that_one_temperature_reaches_is_importance_sampling():
    """Then the genealogy's error is the delta method's, but for what n / (n - 1) makes of it."""
    start = Normal(np.zeros(1), np.array([[1.5]]))
    density = Density(lambda x: stats.norm.logpdf(x[:, 0]), {"x": ()})
    drawn = fit_smc(density, SMCConfig(particles=500, runs=1), seed=3, proposal=start)
    assert drawn.engine["temperatures"].size == 2
    run = drawn.engine
    own = 1 / run["ess_by_temperature"][0] / 500
    assert run["log_evidence_error"] == pytest.approx(np.sqrt(1 - (1 - own) / (1 - 1 / 500)))


def test_whole_numbers_are_walked_as_such():
    density = Density(
        lambda x: stats.binom(200, 0.3).logpmf(x[:, 0]),
        {"n": ()},
        lower=np.array([0.0]),
        upper=np.array([200.0]),
        integer=np.array([True]),
    )
    drawn = fit_smc(density, SMCConfig(particles=1000, runs=2), seed=1)
    assert drawn.values["n"].dtype == np.int64
    assert abs(drawn.engine["log_evidence"]) < 5 * drawn.engine["log_evidence_error"]
    found = drawn.values["n"].ravel()
    error = np.sqrt(42 / 1000)  # as if only half of the particles were independent
    assert abs(found.mean() - 60) < 5 * error
    assert abs(found.std() - np.sqrt(42)) < 5 * error


@pytest.mark.parametrize(
    ("density", "options", "proposal", "kind", "words"),
    [
        (NORMAL, {}, Normal([0.0], [[1.0]]), ConfigError, "the proposal has 1 coordinates and the density 2"),
        (Density(lambda x: x[:, 0], {"x": (40,)}), {}, None, ConfigError, "128 particles are too few for 40"),
        (
            Density(lambda x: np.where(x[:, 0] > 900, 0.0, -np.inf), {"x": (2,)}),
            {},
            WIDE,
            InferenceError,
            "the density is 0 at 128 of 128 points of the start distribution",
        ),
        (
            Density(lambda x: -0.5 * np.square(x).sum(axis=1), {"x": (2,)}),
            {},
            Uniform(np.zeros(2), np.ones(2)),
            InferenceError,
            "the start distribution is 0 at x",
        ),
        (
            Density(lambda x: -1e18 * np.square(x).sum(axis=1), {"x": (2,)}),
            {},
            WIDE,
            InferenceError,
            "the steps of temperature vanish at",
        ),
        (NORMAL, {"max_temperatures": 2, "ess": 0.9}, WIDE, InferenceError, "after 2 temperatures the particles are"),
        (
            Density(lambda x: np.where(x[:, 0] > 2.9, np.nan, -np.square(x - 3).sum(axis=1)), {"x": (2,)}),
            {},
            Uniform(np.zeros(2), np.full(2, 2.8)),
            ProgramError,
            r"the log density is NaN at x\[1\] = ",
        ),
    ],
)
def test_what_cannot_work_says_so_in_one_line(density, options, proposal, kind, words):
    with pytest.raises(kind, match=words) as error:
        fit_smc(density, SMCConfig(particles=128, runs=2, **options), seed=1, proposal=proposal)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [{"particles": 8}, {"runs": 0}, {"ess": 1.0}, {"resampling": "none"}])
def test_options_have_bounds(wrong):
    with pytest.raises(ConfigError, match=f"option '{next(iter(wrong))}'"):
        SMCConfig(**wrong)
