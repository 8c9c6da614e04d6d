"""k-hat must tell an approximation that can be used from one that cannot, and say so where it cannot tell."""

from dataclasses import replace

import numpy as np
import pytest
from diagnostics.factories import fit_of, outcome
from scipy.stats import genpareto, norm, t

from bayeskit.diagnostics.variational import assess_variational
from bayeskit.diagnostics.weights import importance_weights, k_hat_limit


def approximation(scale, n_draws=2000, n_dimensions=3, seed=1, target=norm):
    """Draws of a normal distribution with this standard deviation, as an approximation to the target."""
    draws = np.random.default_rng(seed).normal(0, scale, (1, n_draws, n_dimensions))
    log_p = target.logpdf(draws).sum(-1)
    log_q = norm.logpdf(draws, scale=scale).sum(-1)
    return fit_of("variational", {"x": draws}, {"log_p": log_p - 17.0, "log_q": log_q + 3.0})


def test_a_close_approximation_passes():
    assessment = assess_variational(approximation(1.1))
    assert assessment.passed, assessment
    verdicts = outcome(assessment)
    assert verdicts["pareto_k"].threshold == 0.7
    # Exactly, 1 / E_q[(p/q)^2], which is (2 s^2 - 1)^(1/2) / s^2 in each dimension.
    exact = 2000 * (np.sqrt(2 * 1.1**2 - 1) / 1.1**2) ** 3
    assert verdicts["importance_ess"].value == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("fit", [approximation(0.5), approximation(1.0, target=t(df=2))], ids=["narrow", "heavy tails"])
def test_an_approximation_that_is_too_narrow_fails_and_says_what_to_do(fit):
    verdict = outcome(assess_variational(fit))["pareto_k"]
    assert verdict.passed is False
    assert "--method sample" in verdict.remedy


def test_k_hat_is_the_shape_of_the_ratios_tail():
    """Of ratios from a generalised Pareto distribution; the standard error is (1 + k) / sqrt(424), at most 0.09."""
    for shape in (0.3, 0.9):
        ratios = genpareto(shape).rvs(20_000, random_state=3)
        found = importance_weights(np.log(ratios))
        assert found.k_hat == pytest.approx(shape, abs=0.25)


def test_the_limit_is_lower_where_draws_are_few():
    assert [k_hat_limit(n_draws) for n_draws in (100, 1000, 4000)] == [0.5, 0.67, 0.7]


def test_the_optimiser_s_own_doubt_is_told_and_fails_what_cannot_be_checked():
    said = {"converged": 0, "message": "MAX ITER"}
    checked = approximation(1.1)
    checked.posterior["sample_stats"].attrs.update(said)
    verdicts = outcome(assess_variational(checked))
    assert verdicts["pareto_k"].passed
    assert "did not converge (MAX ITER)" in verdicts["pareto_k"].detail
    bare = fit_of("variational", {"x": np.random.default_rng(9).normal(size=(1, 300))}, attributes=said)
    assert outcome(assess_variational(bare))["converged"].passed is False


def test_constants_of_the_densities_do_not_matter_and_the_model_may_have_its_own_remedy():
    ratios = np.random.default_rng(4).normal(0, 1, 500)
    one, other = importance_weights(ratios), importance_weights(ratios + 1234.5)
    assert other.k_hat == pytest.approx(one.k_hat)
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-6)


def test_an_exact_approximation_has_equal_weights():
    verdicts = outcome(assess_variational(approximation(1.0)))
    assert verdicts["pareto_k"].passed
    assert verdicts["importance_ess"].value == pytest.approx(2000)


def test_one_draw_that_outweighs_all_others_fails():
    ratios = np.append(np.random.default_rng(5).normal(0, 1, 999), 1500.0)
    fit = fit_of("variational", {"x": ratios[None]}, {"log_p": ratios[None], "log_q": np.zeros((1, 1000))})
    verdicts = outcome(assess_variational(fit))
    assert verdicts["pareto_k"].passed is False
    assert verdicts["importance_ess"].value == pytest.approx(1)


def test_draws_outside_the_posterior_weigh_nothing():
    ratios = np.random.default_rng(6).normal(0, 0.3, 1000)
    ratios[:300] = -np.inf
    found = importance_weights(ratios)
    assert found.effective_sample_size == pytest.approx(700 * np.exp(-0.09), rel=0.05)
    assert found.weights[:300].sum() < 1e-12


@pytest.mark.parametrize(
    ("ratios", "why"),
    [
        (np.zeros(50), "too few"),
        (np.where(np.arange(200) == 7, np.nan, 0.0), "holds no number in 1 of 200"),
        (np.full(200, -np.inf), "is 0 in every draw"),
        (np.repeat(np.random.default_rng(7).normal(size=100), 4), "resampled"),
    ],
)
def test_what_cannot_be_checked_says_why(ratios, why):
    draws = np.random.default_rng(8).normal(size=(1, ratios.size))
    fit = fit_of("variational", {"x": draws}, {"log_p": ratios[None], "log_q": 0 * draws})
    verdicts = outcome(assess_variational(fit))
    assert verdicts["pareto_k"].passed is None
    assert why in verdicts["pareto_k"].detail


def test_without_densities_nothing_is_checked():
    verdicts = outcome(assess_variational(fit_of("variational", {"x": np.random.default_rng(9).normal(size=(1, 300))})))
    assert verdicts["pareto_k"].passed is None
    assert verdicts["finite"].passed


def test_the_summary_has_no_chain_columns_and_mcse_only_of_draws_that_do_not_repeat():
    fit = approximation(1.1)
    summary = assess_variational(fit).summary
    assert list(summary.columns) == ["mean", "sd", "q2.5", "q16", "median", "q84", "q97.5", "mcse_mean"]
    assert list(summary.index) == ["x[1]", "x[2]", "x[3]"]
    np.testing.assert_allclose(summary["mcse_mean"], summary["sd"] / np.sqrt(2000))
    repeated = fit_of("variational", {"x": np.repeat(np.random.default_rng(1).normal(size=(1, 50)), 4, axis=1)})
    assessment = assess_variational(repeated)
    assert "mcse_mean" not in assessment.summary
    assert assessment.metrics["distinct_draws"] == 50


def test_the_simulation_error_is_what_it_says():
    """Of 400 quantities the means are off by 1.96 MCSE in 5 %; outside 9 to 34 by chance in 3 suites of 1000."""
    summary = assess_variational(approximation(1.0, 200, 400)).summary
    assert 9 <= (summary["mean"].abs() > 1.96 * summary["mcse_mean"]).sum() <= 34
    assert (summary["mean"].abs() > 1.96 * summary["mcse_mean"] / 2).sum() > 34


def by_svi(fit, **attributes):
    """The same, as if engine svi had made it."""
    fit.posterior["sample_stats"].attrs.update(attributes)
    return replace(fit, provenance=replace(fit.provenance, engine="svi"))


def test_of_svi_k_hat_is_told_and_fails_nothing_while_the_bound_must_have_settled():
    poor = by_svi(approximation(0.5), converged=1, message="settled")
    assessment = assess_variational(poor)
    verdicts = outcome(assessment)
    assert verdicts["pareto_k"].passed is False
    assert verdicts["pareto_k"].advisory
    assert verdicts["importance_ess"].advisory
    assert "--guide" in verdicts["pareto_k"].remedy
    assert "--method" not in verdicts["pareto_k"].remedy
    assert verdicts["converged"].passed
    assert assessment.passed
    unsettled = assess_variational(by_svi(approximation(1.0), converged=0, message="still changed"))
    assert outcome(unsettled)["converged"].passed is False
    assert outcome(unsettled)["converged"].detail == "still changed"
    assert "--steps" in outcome(unsettled)["converged"].remedy
    assert outcome(unsettled)["pareto_k"].passed
    assert not unsettled.passed


def test_of_other_engines_k_hat_still_decides():
    verdicts = outcome(assess_variational(approximation(0.5)))
    assert not verdicts["pareto_k"].advisory
    assert not assess_variational(approximation(0.5)).passed
    assert "converged" not in verdicts
