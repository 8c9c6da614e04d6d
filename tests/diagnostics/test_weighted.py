"""Weighted draws: importance sampling of a conjugate normal must come out right, and fail where it is too narrow."""

import arviz_stats
import numpy as np
import pytest
from diagnostics.factories import fit_of, outcome
from scipy.stats import chi2, norm

from bayeskit.core.types import ModelCard
from bayeskit.diagnostics.particles import Families, run_r_hat
from bayeskit.diagnostics.weighted import assess_weighted, draw_weights
from bayeskit.diagnostics.weights import importance_weights
from bayeskit.workflows import assess

Z_LIMIT = 4.5
Y, NOISE, PRIOR = np.array([1.2, 0.4, 2.1, 1.7]), 1.0, (0.0, 2.0)
PRECISION = 1 / PRIOR[1] ** 2 + Y.size / NOISE**2
POSTERIOR = norm(Y.sum() / NOISE**2 / PRECISION, PRECISION**-0.5)


def sampled(scale=1.5, shape=(1, 4000), n_dimensions=1, seed=1, shift=0.0):
    """Draws of the normal data's mean from a normal proposal, weighted by prior times likelihood."""
    proposal = norm(POSTERIOR.mean() + shift, scale * POSTERIOR.std())
    draws = proposal.rvs((*shape, n_dimensions), random_state=seed)
    log_joint = norm(*PRIOR).logpdf(draws) + norm(draws[..., None], NOISE).logpdf(Y).sum(-1)
    log_weight = (log_joint - proposal.logpdf(draws)).sum(-1) + 123.0
    return fit_of("weighted", {"theta": draws}, {"log_weight": log_weight})


def test_moments_and_quantiles_are_those_of_the_posterior():
    assessment = assess(sampled())
    assert assessment.passed, assessment
    row = assessment.summary.loc["theta[1]"]
    weights = draw_weights(sampled())
    assert abs(row["mean"] - POSTERIOR.mean()) < Z_LIMIT * row["mcse_mean"]
    spread_error = POSTERIOR.std() / np.sqrt(2 * weights.effective_sample_size)
    assert abs(row["sd"] - POSTERIOR.std()) < Z_LIMIT * spread_error
    for name, p in (("q2.5", 0.025), ("q16", 0.16), ("median", 0.5), ("q84", 0.84), ("q97.5", 0.975)):
        exact = POSTERIOR.ppf(p)
        error = np.sqrt(p * (1 - p) / weights.effective_sample_size) / POSTERIOR.pdf(exact)
        assert abs(row[name] - exact) < Z_LIMIT * error
    # Negative control: the draws without their weights.
    draws = sampled().posterior["posterior"]["theta"].to_numpy()
    assert abs(draws.std() - POSTERIOR.std()) > Z_LIMIT * spread_error


def test_the_simulation_error_is_what_it_says():
    """Of 300 samplers' means 5 % are off by 1.96 MCSE: outside 4 to 28 by chance in 3 suites of 1000."""
    rows = [assess_weighted(sampled(1.2, (1, 400), seed=seed)).summary.iloc[0] for seed in range(300)]
    off = np.array([(row["mean"] - POSTERIOR.mean()) / row["mcse_mean"] for row in rows])
    assert 4 <= (np.abs(off) > 1.96).sum() <= 28
    assert (np.abs(off) > 1.96 / 2).sum() > 28
    assert all(row["ess_mean"] == pytest.approx((row["sd"] / row["mcse_mean"]) ** 2, rel=0.01) for row in rows)


def test_kish_s_effective_sample_size_is_the_exact_one():
    """1 / E_q[(p/q)²] per draw, which is (2 s² - 1)^(1/2) / s²."""
    verdicts = outcome(assess_weighted(sampled(1.5, (1, 20_000))))
    assert verdicts["importance_ess"].value == pytest.approx(20_000 * np.sqrt(2 * 1.5**2 - 1) / 1.5**2, rel=0.02)


@pytest.mark.parametrize("bad", [{"scale": 0.4}, {"scale": 0.5, "shift": 1.0}], ids=["narrow", "elsewhere"])
def test_a_proposal_that_is_too_narrow_fails_and_says_what_to_do(bad):
    verdict = outcome(assess_weighted(sampled(**bad)))["weights_k"]
    assert verdict.passed is False
    assert verdict.value > 0.7
    assert "wider in its tails" in verdict.remedy


def test_one_draw_that_carries_all_the_weight_fails_three_times():
    log_weight = np.zeros((1, 1000))
    log_weight[0, 7] = 800.0
    fit = fit_of("weighted", {"x": np.random.default_rng(1).normal(size=(1, 1000))}, {"log_weight": log_weight})
    verdicts = outcome(assess_weighted(fit))
    assert [verdicts[name].passed for name in ("weights_k", "importance_ess", "largest_weight")] == [False] * 3
    assert verdicts["importance_ess"].value == pytest.approx(1)
    assert verdicts["largest_weight"].value == pytest.approx(1)
    assert verdicts["weights_k"].value is None


def test_equal_weights_give_what_independent_draws_give():
    draws = np.random.default_rng(2).normal(size=(2, 500))
    fit = fit_of("weighted", {"x": draws}, {"log_weight": np.full((2, 500), -7.0)})
    row = assess_weighted(fit).summary.loc["x"]
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["sd"] == pytest.approx(draws.std(ddof=1))
    assert row["mcse_mean"] == pytest.approx(draws.std() / np.sqrt(1000))
    assert row["ess_mean"] == pytest.approx(1000)
    assert row["q16"] == pytest.approx(np.quantile(draws, 0.16, method="hazen"))


def test_k_hat_is_that_of_arviz():
    fit = sampled(0.7)
    log_weight = fit.posterior["sample_stats"]["log_weight"].to_numpy().ravel()
    theirs = arviz_stats.base.array_stats.psislw(-log_weight)[1]
    assert outcome(assess_weighted(fit))["weights_k"].value == pytest.approx(float(theirs))


def test_chains_of_draws_keep_their_order():
    both = sampled(1.5, (4, 1000))
    one = both.posterior["posterior"]["theta"].to_numpy().reshape(1, 4000, 1)
    log_weight = both.posterior["sample_stats"]["log_weight"].to_numpy().reshape(1, 4000)
    flat = fit_of("weighted", {"theta": one}, {"log_weight": log_weight})
    np.testing.assert_allclose(assess_weighted(both).summary, assess_weighted(flat).summary)


def test_a_draw_without_weight_counts_for_nothing():
    rng = np.random.default_rng(3)
    draws, log_weight = rng.normal(size=(1, 1000)), np.zeros((1, 1000))
    draws[0, :300], log_weight[0, :300] = 1e6, -np.inf
    assessment = assess_weighted(fit_of("weighted", {"x": draws}, {"log_weight": log_weight}))
    assert abs(assessment.summary.loc["x", "mean"]) < Z_LIMIT / np.sqrt(700)
    assert outcome(assessment)["importance_ess"].value == pytest.approx(700)


@pytest.mark.parametrize(
    ("statistics", "why"),
    [
        ({}, "the engine gives no weights"),
        ({"log_weight": np.full((1, 200), np.nan)}, "the density holds no number in 200 of 200 draws"),
        ({"log_weight": np.full((1, 200), -np.inf)}, "is 0 in every draw"),
    ],
)
def test_what_cannot_be_checked_says_why(statistics, why):
    draws = np.random.default_rng(8).normal(size=(1, 200))
    assessment = assess_weighted(fit_of("weighted", {"x": draws}, statistics))
    verdicts = outcome(assessment)
    assert verdicts["weights_k"].passed is None
    assert why in verdicts["weights_k"].detail
    assert assessment.summary.loc["x", "mean"] == pytest.approx(draws.mean())


def test_few_draws_are_weighted_as_they_came_and_not_judged():
    fit = sampled(1.5, (1, 40))
    assessment = assess_weighted(fit)
    assert outcome(assessment)["weights_k"].passed is None
    weights = np.exp(fit.posterior["sample_stats"]["log_weight"].to_numpy().ravel() - 120)
    draws = fit.posterior["posterior"]["theta"].to_numpy().ravel()
    assert assessment.summary.iloc[0]["mean"] == pytest.approx(np.average(draws, weights=weights))


def test_what_never_moves_or_is_no_number_and_the_model_s_own_remedy():
    fit = sampled()
    tree = fit.posterior["posterior"].to_dataset()
    values = {
        "theta": tree["theta"].to_numpy(),
        "fixed": np.full((1, 4000), 2.0),
        "unset": np.full((1, 4000), np.nan),
        "broken": np.where(np.arange(4000) < 9, np.inf, 1.0)[None],
    }
    card = ModelCard("m", "M", "", (), "", "stan", (), (), remedies={"weights_k": "take more particles"})
    log_weight = sampled(0.4).posterior["sample_stats"]["log_weight"].to_numpy()
    assessment = assess_weighted(fit_of("weighted", values, {"log_weight": log_weight}, card=card))
    verdicts = outcome(assessment)
    assert assessment.summary.loc["fixed", "sd"] == 0
    assert np.isnan(assessment.summary.loc["unset", "mean"])
    assert verdicts["finite"].value == 1
    assert verdicts["weights_k"].remedy == "take more particles"
    assert "of 1 quantities" in verdicts["mcse"].detail


def test_weights_that_hardly_differ_have_no_tail_whatever_its_shape():
    rng = np.random.default_rng(5)
    log_weight = 0.001 * rng.pareto(1.0, (1, 5000)) % 0.7
    fit = fit_of("weighted", {"x": rng.normal(size=(1, 5000))}, {"log_weight": log_weight})
    assert float(arviz_stats.base.array_stats.psislw(-log_weight.ravel())[1]) > 0.7
    assert outcome(assess_weighted(fit))["weights_k"].passed
    # Negative control: the same shape, above the others by far.
    far = fit_of("weighted", {"x": rng.normal(size=(1, 5000))}, {"log_weight": 20 * log_weight})
    assert outcome(assess_weighted(far))["weights_k"].passed is False


def particles(n_families, size, shape=(4, 1000), seed=2, own=0.0, shift=0.0):
    """Families of particles around a value of their own, with a share of the variance that is each particle's."""
    rng = np.random.default_rng(seed)
    ancestor = np.arange(shape[0] * shape[1]).reshape(shape) // size % n_families
    ancestor = ancestor + n_families * np.arange(shape[0])[:, None]
    common = rng.normal(size=ancestor.max() + 1)[ancestor]
    values = np.sqrt(1 - own) * common + np.sqrt(own) * rng.normal(size=shape) + shift * np.arange(shape[0])[:, None]
    return fit_of(
        "weighted", {"x": values}, {"log_weight": np.zeros(shape), "ancestor": ancestor}, {"log_evidence": 1.5}
    )


def test_families_give_the_error_of_the_mean_and_their_number():
    assessment = assess_weighted(particles(n_families=250, size=4))
    values = particles(n_families=250, size=4).posterior["posterior"]["x"].to_numpy()
    row, verdicts = assessment.summary.loc["x"], outcome(assessment)
    assert row["mcse_mean"] == pytest.approx(values[:, ::4].std() / np.sqrt(1000))
    assert row["ess_mean"] == pytest.approx(1000)
    assert verdicts["families"].value == pytest.approx(1000)
    assert "1,000 families are left of 4,000 particles" in verdicts["families"].detail
    assert "weights_k" not in verdicts
    assert assessment.passed, assessment
    assert assessment.metrics["log_evidence"] == 1.5
    assert "pareto_k" not in assessment.metrics


def test_families_of_one_give_the_error_of_independent_draws():
    fit = particles(n_families=1000, size=1)
    tree = fit.posterior
    alone = fit_of("weighted", {"x": tree["posterior"]["x"].to_numpy()}, {"log_weight": np.zeros((4, 1000))})
    ours, theirs = assess_weighted(fit).summary, assess_weighted(alone).summary
    np.testing.assert_allclose(ours[theirs.columns], theirs)
    weights = np.random.default_rng(1).random(4000)
    terms, families = np.random.default_rng(2).normal(size=(3, 4000)), Families(np.arange(4000), 4)
    np.testing.assert_allclose(families.squared_terms(terms * weights), np.square(terms * weights).sum(axis=1))


def test_the_error_of_families_is_what_it_says():
    """Means of 200 clouds are off by their errors; by those of independent particles they would be far too far off."""
    rows = [assess_weighted(particles(100, 4, (2, 400), seed, own=0.3)).summary.loc["x"] for seed in range(200)]
    z = np.array([row["mean"] / row["mcse_mean"] for row in rows])
    limits = chi2(200).ppf([5e-8, 1 - 5e-8])
    assert limits[0] < z @ z < limits[1]
    independent = np.array([row["mean"] / row["sd"] * np.sqrt(800) for row in rows])
    assert independent @ independent > limits[1]


def test_few_families_and_runs_that_disagree_fail():
    few = outcome(assess_weighted(particles(n_families=50, size=20)))
    assert few["families"].passed is False
    assert "more particles" in few["families"].remedy
    apart = outcome(assess_weighted(particles(n_families=1000, size=1, shift=0.4)))
    assert apart["runs_r_hat"].passed is False
    assert "went different ways" in apart["runs_r_hat"].remedy
    alone = outcome(assess_weighted(particles(n_families=1000, size=1, shape=(1, 1000))))
    assert alone["runs_r_hat"].passed is None
    assert "one run cannot disagree with itself" in alone["runs_r_hat"].detail


def test_r_hat_of_runs_sees_places_and_spreads_but_no_order():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(1, 4, 1000))
    assert run_r_hat(values)[0] < 1.01
    np.testing.assert_allclose(run_r_hat(np.sort(values)), run_r_hat(values))
    assert run_r_hat(values + 0.5 * np.arange(4)[:, None])[0] > 1.05
    assert run_r_hat(values * np.array([1, 1, 1, 3.0])[:, None])[0] > 1.05


def test_draws_of_a_few_states_have_no_tail_and_are_judged_by_what_they_are_worth():
    close = np.repeat([-8675.7, -8674.6, -8673.3], [968, 11, 21])
    found = importance_weights(close)
    assert found.k_hat == 0
    exact = np.exp(close - close.max())
    assert found.effective_sample_size == pytest.approx(exact.sum() ** 2 / (exact**2).sum())
    missed = importance_weights(np.repeat([0.0, 12.0], [998, 2]))  # negative control: a state that q hardly has
    assert not missed.reliable
    heavy = importance_weights(np.random.default_rng(1).standard_cauchy(1000) * 5)  # of numbers, the tail counts
    assert heavy.k_hat > 0.7
