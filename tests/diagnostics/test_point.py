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


EM = {"converged": 1, "message": "step 9 changed little", "n_iterations": 9, "largest_decrease": 1e-15, "collapsed": 0}


def test_em_that_climbed_and_kept_its_components_passes():
    assessment = assess_point(fit_of("point", HERE, attributes=EM))
    assert assessment.passed
    assert {"converged", "monotone", "collapsed"} <= set(outcome(assessment))
    assert outcome(assessment)["monotone"].value == 1e-15


def test_em_that_fell_in_a_step_fails():
    verdict = outcome(assess_point(fit_of("point", HERE, attributes=EM | {"largest_decrease": 0.0123})))["monotone"]
    assert verdict.passed is False
    assert "0.012" in verdict.detail
    assert verdict.remedy


@pytest.mark.parametrize(
    ("number", "points", "detail"),
    [
        (1, 2.0, "1 component shrank onto a single point"),
        (2, np.array([8.0, 1.0]), "2 components shrank onto single points"),
    ],
)
def test_em_with_collapsed_components_fails_and_tells_how_many_points_they_hold(number, points, detail):
    fit = fit_of("point", HERE, attributes=EM | {"collapsed": number, "collapsed_points": points})
    assessment = assess_point(fit)
    verdict = outcome(assessment)["collapsed"]
    assert not assessment.passed
    assert (verdict.value, verdict.threshold) == (number, 0)
    assert verdict.detail.startswith(detail)
    assert verdict.detail.endswith({1: ": 2", 2: ": 8, 1"}[number])
    assert "--components" in verdict.remedy


def test_em_tells_of_components_without_points_and_does_not_fail_for_them():
    assessment = assess_point(fit_of("point", HERE, attributes=EM | {"empty": 2}))
    assert assessment.passed
    assert outcome(assessment)["collapsed"].detail == "2 components have no points"


def test_em_cut_short_is_told_to_go_on_rather_than_to_use_stan():
    verdict = outcome(assess_point(fit_of("point", HERE, attributes=EM | {"converged": 0})))["converged"]
    assert "iterations" in verdict.remedy
    assert "--method" not in verdict.remedy
