"""Test ratings tell whether predictive distributions are right; wrong ones are found."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from diagnostics.factories import fit_of
from scipy.stats import norm

from bayeskit.core.types import Assessment, FactorCard
from bayeskit.diagnostics.ratings import assess_ratings

N = 4000


def card(likelihood="normal"):
    levels = (1.0, 2.0, 3.0, 4.0, 5.0)
    return FactorCard(2, likelihood, "wishart", False, 50, 40, 900, N, 1.0, 5.0, levels, (), ())


def assessed(said_sd=1.0, shift=0.0, likelihood="normal", kind="mcmc"):
    """Of ratings around their means with standard deviation 1, of which the predictions say something else."""
    rng = np.random.default_rng(1)
    mean = rng.uniform(2, 4, N)
    rating = mean + rng.standard_normal(N)
    told = mean + shift
    held = {
        "rating": rating,
        "mean": np.clip(told, 1, 5),
        "low": told + said_sd * norm.ppf(0.025),
        "high": told + said_sd * norm.ppf(0.975),
        "pit": norm.cdf(rating, told, said_sd),
        "log_density": norm.logpdf(rating, told, said_sd),
    }
    if kind == "point":
        held = {name: held[name] for name in ("rating", "mean")}
    fit = fit_of(kind, {"level": rng.standard_normal((4, 50))})
    fit.posterior["held_out"] = xr.DataTree(xr.Dataset({name: ("test_rating", value) for name, value in held.items()}))
    fit = replace(fit, provenance=replace(fit.provenance, card=replace(fit.provenance.card, factors=card(likelihood))))
    return assess_ratings(fit, Assessment((), None, {"chains": 4.0}))


def outcomes(assessment):
    return {verdict.name: verdict.passed for verdict in assessment.verdicts}


def test_right_predictions_pass_and_errors_are_those_of_means():
    found = assessed()
    assert outcomes(found) == {"coverage": True, "pit": True}
    assert all(verdict.advisory for verdict in found.verdicts)
    assert found.metrics["chains"] == 4.0
    assert found.metrics["test_rmse"] == pytest.approx(1.0, abs=0.05)
    assert found.metrics["test_mae"] == pytest.approx(np.sqrt(2 / np.pi), abs=0.05)
    assert found.metrics["coverage_95"] == pytest.approx(0.95, abs=0.02)
    assert found.metrics["log_density"] == pytest.approx(-0.5 * (1 + np.log(2 * np.pi)), abs=0.05)


@pytest.mark.parametrize("said", [0.8, 1.3])
def test_intervals_too_narrow_or_too_wide_are_found(said):
    assert outcomes(assessed(said_sd=said)) == {"coverage": False, "pit": False}


def test_a_shift_is_seen_by_the_ranks_though_coverage_hardly_sees_it():
    found = assessed(shift=0.2)
    assert outcomes(found)["pit"] is False
    assert next(v.value for v in found.verdicts if v.name == "coverage") < 0.03


def test_levels_are_judged_by_ranks_alone_and_get_other_advice():
    wrong = {kind: assessed(said_sd=0.7, likelihood=kind) for kind in ("normal", "ordinal")}
    assert set(outcomes(wrong["ordinal"])) == {"pit"}
    remedies = [next(v.remedy for v in wrong[kind].verdicts if v.name == "pit") for kind in wrong]
    assert "--likelihood ordinal" in remedies[0]
    assert "--rank" in remedies[1]


def test_points_have_errors_and_nothing_else():
    found = assessed(kind="point")
    assert set(found.metrics) == {"chains", "test_rmse", "test_mae"}
    assert found.verdicts == ()


def test_without_test_ratings_nothing_is_added():
    fit = fit_of("mcmc", {"level": np.random.default_rng(1).standard_normal((4, 50))})
    before = Assessment((), None, {})
    assert assess_ratings(fit, before) is before
