"""Collapsed components are told, and the score of a mixture is ArviZ's."""

from __future__ import annotations

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from diagnostics.factories import fit_of, outcome

from bayeskit.core.types import Assessment, MixtureCard, ModelCard
from bayeskit.diagnostics.mixtures import assess_mixture, leave_one_out

POINTS = 30


def mixture_fit(kind="mcmc", *, distinct=(20, 10), held=(20.0, 10.0), covariance="full", weighted=None, derived=None):
    """Return draws of a mixture in two columns, with what was derived from them."""
    rng = np.random.default_rng(1)
    terms = rng.normal(-2, 0.1, (4, 250, POINTS))
    card = ModelCard(
        "gmm",
        "M",
        "",
        (),
        "",
        "python",
        (),
        (),
        log_likelihood="independent",
        mixture=MixtureCard(("a", "b"), len(held), covariance, False),
    )
    posterior = {"weight": rng.dirichlet([2.0] * len(held), (4, 250)), "n_occupied": rng.binomial(1, 0.7, (4, 250)) + 1}
    statistics = {} if weighted is None else {"log_weight": weighted}
    fit = fit_of(kind, posterior, statistics, groups={"log_likelihood": {"points": terms}}, card=card)
    shares = np.tile(np.array(held) / POINTS, (POINTS, 1))
    fit.posterior["derived"] = xr.DataTree(
        xr.Dataset(
            {
                "responsibility": (("point", "component"), shares),
                "distinct_points": ("component", np.array(distinct)),
                **(derived or {}),
            }
        )
    )
    return fit


def assessed(fit):
    return assess_mixture(fit, Assessment((), None, {"chains": 4.0}))


def test_components_on_many_points_pass():
    verdict = outcome(assessed(mixture_fit()))["components"]
    assert verdict.passed
    assert (verdict.value, verdict.threshold) == (10, 3)
    assert verdict.remedy == ""


@pytest.mark.parametrize(
    ("covariance", "distinct", "passed"),
    [("full", 1, False), ("full", 2, False), ("full", 3, True), ("diagonal", 1, False), ("diagonal", 2, True)],
)
def test_a_collapsed_component_is_named(covariance, distinct, passed):
    verdict = outcome(assessed(mixture_fit(distinct=(20, distinct), covariance=covariance)))["components"]
    assert verdict.passed is passed
    assert verdict.value == distinct
    if not passed:
        assert f"component 2 rests on {distinct} distinct point" in verdict.detail
        assert "33 %" in verdict.detail.replace("\N{NO-BREAK SPACE}", " ")
        assert "--components" in verdict.remedy


def test_an_empty_component_is_no_collapse():
    verdict = outcome(assessed(mixture_fit(distinct=(20, 1), held=(29.6, 0.4))))["components"]
    assert verdict.passed
    assert verdict.value == 20


def test_several_collapsed_components_are_all_named():
    verdict = outcome(assessed(mixture_fit(distinct=(20, 1, 2), held=(20.0, 6.0, 4.0))))["components"]
    assert "component 2 rests on 1 distinct point," in verdict.detail
    assert "component 3 rests on 2 distinct points," in verdict.detail


def test_the_score_is_that_of_arviz():
    fit = mixture_fit()
    metrics = assessed(fit).metrics
    tree = fit.posterior
    reff = float(arviz_stats.ess(tree["posterior"].to_dataset(), method="mean").to_dataframe().to_numpy().mean()) / 1000
    oracle = arviz_stats.loo(tree, pointwise=True, reff=reff)
    assert metrics["elpd_loo"] == pytest.approx(oracle.elpd, rel=1e-4)
    assert metrics["elpd_loo_se"] == pytest.approx(oracle.se, rel=1e-2)
    assert metrics["p_loo"] == pytest.approx(oracle.p, rel=1e-2)
    assert metrics["n_bad_k"] == 0
    assert metrics["chains"] == 4


@pytest.mark.parametrize(("heavy", "finite"), [(lambda x: -3 * x, True), (lambda x: -50 * x**2, False)])
def test_points_that_the_posterior_depends_on_are_counted(heavy, finite):
    fit = mixture_fit()
    terms = fit.posterior["log_likelihood"]["points"]
    terms.to_numpy()[..., 3] = heavy(np.random.default_rng(2).exponential(1.0, terms.shape[:2]))
    metrics = assessed(fit).metrics
    assert metrics["n_bad_k"] == 1
    assert ("elpd_loo" in metrics) is finite


def test_weighted_draws_are_scored_by_their_weights():
    rng = np.random.default_rng(3)
    same = assessed(mixture_fit("weighted", weighted=np.zeros((4, 250)))).metrics
    other = assessed(mixture_fit("weighted", weighted=rng.normal(0, 0.5, (4, 250)))).metrics
    assert same["elpd_loo"] == pytest.approx(assessed(mixture_fit("iid")).metrics["elpd_loo"], rel=1e-3)
    assert same["elpd_loo"] != other["elpd_loo"]


@pytest.mark.parametrize("kind", ["variational", "point"])
def test_what_are_no_draws_of_the_posterior_has_no_score(kind):
    found = assessed(
        mixture_fit(kind, derived={"aic": 10.0, "bic": 12.0, "n_parameters": 5, "max_log_likelihood": -1.0})
    )
    assert "elpd_loo" not in found.metrics
    assert (found.metrics["aic"], found.metrics["n_parameters"]) == (10.0, 5.0)
    assert ("components" in outcome(found)) is (kind == "variational")


def test_the_commonest_number_of_occupied_components():
    assert assessed(mixture_fit()).metrics["n_occupied"] == 2


def test_without_what_is_derived_there_is_no_verdict():
    fit = mixture_fit()
    del fit.posterior["derived"]
    assert assessed(fit).verdicts == ()


def normal_terms(rng, means):
    """Return the log likelihood of 40 points under draws of a normal mean, a chain around each of ``means``."""
    points = np.linspace(-2, 2, 40)
    draws = np.asarray(means)[:, None] + rng.normal(0, 1 / np.sqrt(40), (len(means), 300))
    return -0.5 * (points - draws[..., None]) ** 2 - 0.5 * np.log(2 * np.pi), points


def test_leaving_out_one_by_one_is_right_for_a_normal_mean():
    """Without one of n points the next is normal around the others' mean with variance 1 + 1 / (n - 1)."""
    terms, points = normal_terms(np.random.default_rng(4), np.zeros(4))
    others = (points.sum() - points) / 39
    variance = 1 + 1 / 39
    exact = -0.5 * (points - others) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)
    found = leave_one_out(terms)
    assert found.elpd == pytest.approx(exact.sum(), abs=0.3)
    assert abs(found.elpd - terms.mean(axis=(0, 1)).sum()) > 0.3  # the control: points that were not left out
    assert found.pointwise.shape == (40,)
    assert found.n_bad_k == 0


def test_chains_that_disagree_make_the_score_uncertain():
    rng = np.random.default_rng(5)
    alike, _ = normal_terms(rng, [0.0, 0.0, 0.0, 0.0])
    apart, _ = normal_terms(rng, [0.0, 0.0, 0.8, 0.8])
    assert leave_one_out(alike).simulation_error < 0.3
    assert leave_one_out(apart).simulation_error > 3
    assert leave_one_out(alike[:1]).simulation_error == 0
