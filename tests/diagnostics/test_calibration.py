"""Calibration of a conjugate normal model: right samplers pass, and each of the known errors is seen.

mu ~ normal(0, 1), y_i ~ normal(mu, 1): the posterior is normal, so that exact draws are at hand.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.diagnostics.calibration import (
    LOG_LIKELIHOOD,
    Ranked,
    Simulation,
    assess_calibration,
    holm,
    rank_quantities,
)

RATE = 1e-4  # at which a right test fails by chance
N_OBSERVED = 10


def log_likelihood(mu, y):
    return -0.5 * np.sum((y - np.asarray(mu)[..., None]) ** 2, axis=-1)


def exact(rng, y, *, scale=1.0, n_draws=100):
    """Draws from the posterior of a model whose noise has that scale; 1 is right."""
    variance = 1 / (1 + y.size / scale**2)
    return "iid", rng.normal(variance * y.sum() / scale**2, math.sqrt(variance), (2, n_draws // 2))


def prior(rng, y):
    return "iid", rng.standard_normal((2, 50))


def metropolis(rng, y, *, start, n_warmup=0, n_draws=200):
    """A random walk that begins so many posterior standard deviations away."""
    sd = 1 / math.sqrt(1 + y.size)
    mean = sd**2 * y.sum()
    place, draws = start, []
    for step, uniform in zip(
        2.4 * rng.standard_normal(n_warmup + n_draws), rng.random(n_warmup + n_draws), strict=True
    ):
        if math.log(uniform) < (place**2 - (place + step) ** 2) / 2:
            place += step
        draws.append(place)
    return "mcmc", mean + sd * np.array(draws[n_warmup:])[None]


def calibrated(sampler, n_simulations=200, quantities=None, **changes):
    """Simulate, sample and rank, as the loop over simulations does."""
    simulations = []
    for index in range(n_simulations):
        rng = np.random.default_rng([8, index])
        mu = rng.standard_normal()
        y = rng.normal(mu, 1, N_OBSERVED)
        kind, draws = sampler(rng, y)
        truth = {"mu": mu, LOG_LIKELIHOOD: float(log_likelihood(mu, y))}
        found = {"mu": draws, LOG_LIKELIHOOD: log_likelihood(draws, y)}
        simulations.append(Simulation(index, 0.1, rank_quantities(truth, found, rng, kind=kind), **changes))
    return assess_calibration(simulations)


def verdict(calibration, name):
    return next(one for one in calibration.verdicts if one.name == name)


def quantity(calibration, label):
    return next(one for one in calibration.quantities if one.label == label)


@pytest.mark.parametrize(
    "sampler",
    [
        exact,
        lambda rng, y: metropolis(rng, y, start=0.0, n_warmup=50),
        lambda rng, y: metropolis(rng, y, start=8.0, n_warmup=50),
    ],
    ids=["exact", "markov chain", "markov chain from far away, its warm-up left out"],
)
def test_right_samplers_pass(sampler):
    calibration = calibrated(sampler)
    assert calibration.passed, calibration
    assert verdict(calibration, "resolution").value < 1.5


def test_a_posterior_equal_to_the_prior_shows_in_the_joint_log_likelihood_alone():
    calibration = calibrated(prior)
    ranks = verdict(calibration, "ranks")
    assert quantity(calibration, "mu").adjusted > 0.01  # the prior is calibrated: parameters cannot tell
    assert ranks.passed is False
    assert quantity(calibration, LOG_LIKELIHOOD).shape == "low"
    assert "fit the data worse than the true values" in ranks.detail
    assert "uses all of the data" in ranks.remedy


@pytest.mark.parametrize(("scale", "shape", "word"), [(0.5, "narrow", "too narrow"), (2.0, "wide", "too wide")])
def test_a_likelihood_with_a_wrong_scale_is_seen(scale, shape, word):
    calibration = calibrated(lambda rng, y: exact(rng, y, scale=scale))
    assert verdict(calibration, "ranks").passed is verdict(calibration, "coverage").passed is False
    assert quantity(calibration, "mu").shape == shape
    assert "of mu held the true value" in verdict(calibration, "coverage").detail
    alone = assess_calibration([replace(s, quantities={"mu": s.quantities["mu"]}) for s in calibration.simulations])
    assert verdict(alone, "ranks").detail == f"the posterior of mu is {word}"


@pytest.mark.parametrize(("off", "shape"), [(0.5, "high"), (-0.5, "low")])
def test_a_biased_posterior_is_named(off, shape):
    def sampler(rng, y):
        kind, draws = exact(rng, y)
        return kind, draws + off / math.sqrt(1 + y.size)

    calibration = calibrated(sampler)
    assert verdict(calibration, "ranks").passed is False
    assert quantity(calibration, "mu").shape == shape
    assert (
        f"too {shape}"
        in assess_calibration([replace(s, quantities={"mu": s.quantities["mu"]}) for s in calibration.simulations])
        .verdicts[0]
        .detail
    )


def test_a_warm_up_that_was_left_in_is_seen():
    calibration = calibrated(lambda rng, y: metropolis(rng, y, start=8.0, n_draws=100))
    assert verdict(calibration, "ranks").passed is False


class OneWay:
    """Breaks all ties in favour of one side."""

    def integers(self, high):
        return 0


@pytest.mark.parametrize(("broken", "passed"), [(False, True), (True, False)])
def test_ties_are_broken_at_random(broken, passed):
    simulations = []
    for index in range(300):
        rng = np.random.default_rng([9, index])
        truth, draws = rng.poisson(2.0), rng.poisson(2.0, (1, 50))
        ranked = rank_quantities({"k": truth}, {"k": draws}, OneWay() if broken else rng, kind="iid")
        simulations.append(Simulation(index, 0.1, ranked))
    assert verdict(assess_calibration(simulations), "ranks").passed is passed


@pytest.mark.parametrize(("kind", "passed"), [("mcmc", True), ("iid", False)])
def test_chains_are_thinned_until_their_draws_hardly_correlate(kind, passed):
    """An autoregressive chain around the right place; not thinned, its few clusters of draws look too narrow."""
    simulations = []
    for index in range(1000):
        rng = np.random.default_rng([10, index])
        steps = rng.standard_normal((1, 200))
        steps[:, 1:] *= math.sqrt(1 - 0.95**2)
        draws = lfilter([1], [1, -0.95], steps)
        ranked = rank_quantities({"x": rng.standard_normal()}, {"x": draws}, rng, kind=kind)
        simulations.append(Simulation(index, 0.1, ranked))
    calibration = assess_calibration(simulations)
    assert calibration.passed is passed
    if not passed:
        assert quantity(calibration, "x").shape == "narrow"


def uniform_simulations(rng, n_simulations, n_quantities, n_draws=30):
    ranks = rng.integers(n_draws + 1, size=(n_simulations, n_quantities))
    return [
        Simulation(
            index,
            0.1,
            {f"q{i}": Ranked(0.0, int(rank), n_draws, 0.0, 1.0, (0.0,) * 5, 30.0) for i, rank in enumerate(row)},
        )
        for index, row in enumerate(ranks)
    ]


def test_the_family_wise_error_is_at_most_alpha():
    rng, alpha, repeats = np.random.default_rng(11), 0.2, 120
    found = [assess_calibration(uniform_simulations(rng, 60, 3), alpha=alpha) for _ in range(repeats)]
    failed = sum(any(one.passed is False for one in calibration.verdicts) for calibration in found)
    assert stats.binomtest(failed, repeats, alpha, "greater").pvalue > RATE
    single = [
        min(p for one in calibration.quantities for p in (one.p_value, *(part.p_value for part in one.coverage)))
        for calibration in found
    ]
    # Without a correction far more would fail.
    assert stats.binomtest(sum(p < alpha for p in single), repeats, alpha, "greater").pvalue < RATE


def test_holm_rejects_step_by_step():
    p_values = np.array([0.001, 0.012, 0.02, 0.5])
    for alpha in (0.003, 0.004001, 0.01, 0.037, 0.05, 0.9):
        rejected = np.zeros(4, dtype=bool)
        for place, p in enumerate(p_values):  # from the smallest on, until one is not rejected
            if p >= alpha / (4 - place):
                break
            rejected[place] = True
        assert ((holm(p_values) < alpha) == rejected).all()


def test_all_quantities_keep_the_same_draws_and_tell_of_all():
    rng = np.random.default_rng(12)
    slow = lfilter([1], [1, -0.9], rng.standard_normal((2, 300)))
    fast = rng.standard_normal((2, 300))
    ranked = rank_quantities({"fast": 0.3, "slow": 5.0}, {"slow": slow, "fast": fast}, rng)
    assert list(ranked) == ["fast", "slow"]
    assert ranked["fast"].n_draws == ranked["slow"].n_draws < 0.6 * ranked["slow"].ess < ranked["fast"].ess
    assert ranked["fast"].mean == pytest.approx(fast.mean())
    assert ranked["fast"].sd == pytest.approx(fast.std(ddof=1))
    assert ranked["fast"].quantiles == pytest.approx(np.quantile(fast, [0.025, 0.16, 0.5, 0.84, 0.975]))
    whole = rank_quantities({"fast": 0.3}, {"fast": fast}, rng, kind="variational")["fast"]
    assert (whole.rank, whole.n_draws) == (int((fast < 0.3).sum()), 600)


def test_what_cannot_be_ranked_is_refused():
    rng = np.random.default_rng(13)
    for kind, reason in (("point", "point estimate"), ("weighted", "resample them")):
        with pytest.raises(ConfigError, match=reason):
            rank_quantities({"x": 0.0}, {"x": np.zeros((1, 1))}, rng, kind=kind)
    for draws in (np.array([[0.0, np.nan]]), np.array([[0.0, np.inf]]), np.zeros((1, 0))):
        with pytest.raises(InferenceError, match="x holds no finite number in"):
            rank_quantities({"x": 0.0}, {"x": draws}, rng)
    with pytest.raises(InferenceError, match="the simulated truth"):
        rank_quantities({"x": math.nan}, {"x": np.zeros((1, 9))}, rng)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 50)])
def test_draws_that_never_move_or_are_few_keep_one_a_chain(shape):
    ranked = rank_quantities({"x": 1.0}, {"x": np.ones(shape)}, np.random.default_rng(14))["x"]
    assert ranked.n_draws == shape[0]
    assert math.isnan(ranked.ess)
    assert ranked.sd == 0


def test_the_same_simulations_have_the_same_places_in_any_order():
    simulations = uniform_simulations(np.random.default_rng(15), 40, 2)
    one, other = assess_calibration(simulations), assess_calibration(simulations[::-1])
    assert [s.index for s in other.simulations] == list(range(40))
    for a, b in zip(one.quantities, other.quantities, strict=True):
        assert np.array_equal(a.places, b.places)
    some = assess_calibration(simulations[:20])
    assert np.array_equal(some.quantities[0].places, one.quantities[0].places[:20])


def test_z_scores_contraction_and_coverage_are_those_of_the_model():
    calibration = calibrated(exact, 400)
    mu = quantity(calibration, "mu")
    assert stats.kstest(mu.z_scores, "norm").pvalue > RATE
    assert np.median(mu.contractions) == pytest.approx(1 - 1 / (1 + N_OBSERVED), abs=0.03)
    for part in mu.coverage:
        assert part.inside == np.sum(np.abs(mu.places - 0.5) <= part.probability / 2)
        assert part.low < part.share < part.high
        assert stats.binomtest(part.inside, part.n, part.probability).pvalue > RATE


def test_too_few_simulations_are_no_reason_to_trust():
    calibration = assess_calibration(uniform_simulations(np.random.default_rng(16), 12, 2))
    assert not calibration.passed
    assert [one.passed for one in calibration.verdicts[:3]] == [None, None, False]
    assert "--simulations" in verdict(calibration, "resolution").remedy
    enough = int(verdict(calibration, "resolution").remedy.rpartition(" ")[2].rstrip(")"))
    assert assess_calibration(uniform_simulations(np.random.default_rng(17), enough, 2)).passed


def test_few_simulations_suffice_against_a_gross_error():
    calibration = calibrated(lambda rng, y: exact(rng, y, scale=0.2), 12)
    assert verdict(calibration, "ranks").passed is False


@pytest.mark.parametrize("n", [0, 1])
def test_none_or_one_says_nothing(n):
    calibration = assess_calibration(uniform_simulations(np.random.default_rng(18), n, 1))
    assert not calibration.passed
    assert verdict(calibration, "ranks").passed is None
    assert "ranks" in repr(calibration)
    assert "<table>" in calibration._repr_html_()


@pytest.mark.parametrize(("n_lost", "passed"), [(5, True), (6, False), (100, False)])
@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("failed_simulations", {"quantities": {}, "problem": "the engine stopped"}),
        ("diverging_simulations", {"divergences": 3}),
        ("unmixed_simulations", {"max_r_hat": 1.2}),
        ("unmixed_simulations", {"max_r_hat": math.nan}),
    ],
)
def test_lost_simulations_are_counted(name, loss, n_lost, passed):
    simulations = [replace(s, max_r_hat=1.0) for s in uniform_simulations(np.random.default_rng(19), 100, 1)]
    simulations[:n_lost] = [replace(s, **loss) for s in simulations[:n_lost]]
    found = verdict(assess_calibration(simulations), name)
    assert (found.value, found.passed) == (n_lost / 100, passed)
    assert bool(found.remedy) is not passed


def test_one_lost_of_a_few_is_no_pattern():
    simulations = uniform_simulations(np.random.default_rng(20), 10, 1)
    simulations[0] = replace(simulations[0], divergences=1)
    assert verdict(assess_calibration(simulations), "diverging_simulations").passed
    alone = assess_calibration([Simulation(0, 0.1, problem="the engine stopped")])
    assert verdict(alone, "failed_simulations").passed is False
