"""Weighted draws: importance sampling of a conjugate normal must come out right, and fail where it is too narrow."""

import arviz_stats
import numpy as np
import pytest
from diagnostics.factories import fit_of, outcome
from scipy.stats import norm

from bayeskit.core.types import ModelCard
from bayeskit.diagnostics.weighted import assess_weighted, draw_weights
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
