"""Independent draws: MCSE is sd / sqrt(n), and there is nothing of chains."""

import numpy as np
import pytest
from diagnostics.factories import fit_of, outcome

from bayeskit.diagnostics.independent import assess_independent


@pytest.mark.parametrize(("n_draws", "passed"), [(1000, True), (300, False)])
def test_enough_draws_are_400(n_draws, passed):
    draws = np.random.default_rng(1).normal(size=(1, n_draws))
    assessment = assess_independent(fit_of("iid", {"y_new": draws, "n": np.full((1, n_draws), 3)}))
    assert outcome(assessment)["simulation_error"].passed is passed
    row = assessment.summary.loc["y_new"]
    assert row["mcse_mean"] == pytest.approx(draws.std(ddof=1) / np.sqrt(n_draws))
    assert not {"r_hat", "ess_bulk"} & set(assessment.summary.columns)
    assert assessment.summary.loc["n", "mcse_mean"] == 0


def test_draws_that_hold_no_number_fail():
    draws = np.random.default_rng(2).normal(size=(1, 1000))
    verdict = outcome(assess_independent(fit_of("iid", {"root": np.where(draws < -2, np.nan, draws)})))["finite"]
    assert verdict.passed is False
    assert verdict.detail == "root, of 1 quantities"


def test_the_simulation_error_is_what_it_says():
    """Of 400 means 5 % lie 1.96 MCSE away; outside 9 to 34 by chance in 3 suites of 1000. Chains are not that good."""
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(1, 500, 400))
    summary = assess_independent(fit_of("iid", {"x": noise})).summary
    assert 9 <= (summary["mean"].abs() > 1.96 * summary["mcse_mean"]).sum() <= 34
    smooth = (noise[:, 1:] + noise[:, :-1]) / np.sqrt(2)
    summary = assess_independent(fit_of("iid", {"x": smooth})).summary
    assert (summary["mean"].abs() > 1.96 * summary["mcse_mean"]).sum() > 34
