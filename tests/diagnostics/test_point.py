"""A point estimate: converged or not, in the optimiser's own words, and nothing that a point cannot have."""

import numpy as np
import pytest
from diagnostics.factories import fit_of, outcome

from bayeskit.diagnostics.point import assess_point

HERE = {"alpha": np.array([[1.25]]), "beta": np.array([[[0.5, -2.0]]])}


def test_one_that_converged_passes_and_has_estimates_only():
    assessment = assess_point(fit_of("point", HERE, attributes={"converged": 1, "message": "relative gradient"}))
    assert assessment.passed
    assert list(assessment.summary.columns) == ["estimate"]
    assert assessment.summary["estimate"].to_dict() == {"alpha": 1.25, "beta[1]": 0.5, "beta[2]": -2.0}
    assert outcome(assessment)["converged"].detail == "relative gradient"


def test_one_that_did_not_fails_with_the_optimiser_s_words_and_a_remedy():
    fit = fit_of("point", HERE, attributes={"converged": 0, "message": "Line search failed"})
    verdict = outcome(assess_point(fit))["converged"]
    assert verdict.passed is False
    assert verdict.detail == "Line search failed"
    assert "--method sample" in verdict.remedy


def test_an_optimiser_that_says_nothing_is_not_believed():
    assessment = assess_point(fit_of("point", HERE))
    assert outcome(assessment)["converged"].passed is None
    assert not assessment.passed


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_estimate_that_is_no_number_is_seen(value):
    fit = fit_of("point", {"s": np.array([[value]]), "x": np.array([[1.0]])}, attributes={"converged": 1})
    assert outcome(assess_point(fit))["finite"].passed is (bool(np.isnan(value)))
