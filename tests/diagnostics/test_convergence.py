from dataclasses import replace

import arviz_base
import arviz_stats
import numpy as np
import pytest
import xarray as xr

from bayeskit.core.priors import Prior
from bayeskit.core.types import Fit, ModelCard, Provenance, Source
from bayeskit.diagnostics.convergence import assess_convergence, summarise
from bayeskit.diagnostics.moments import PROBABILITIES


def fit_of(posterior, chains_superchains=None, **statistics):
    n_chains, n_draws = next(iter(posterior.values())).shape[:2]
    rng = np.random.default_rng(3)
    stats = {
        "diverging": np.zeros((n_chains, n_draws), dtype=bool),
        "tree_depth": np.full((n_chains, n_draws), 3),
        "energy": rng.normal(size=(n_chains, n_draws)),
    } | statistics
    tree = arviz_base.from_dict({"posterior": posterior, "sample_stats": stats})
    tree["sample_stats"].attrs["max_treedepth"] = 10
    if chains_superchains is not None:
        tree["sample_stats"].attrs["superchains"] = chains_superchains
    card = ModelCard("m", "M", "", (), "", "stan", (), (), remedies={"r_hat": "try the other form"})
    origin = Provenance("m", "stan", "mcmc", {}, 1, Source("f", "0", ""), card, {}, {}, {}, "", "", "")
    return Fit(tree, origin)


def outcome(fit):
    return {verdict.name: verdict for verdict in assess_convergence(fit).verdicts}


@pytest.fixture
def good():
    return np.random.default_rng(1).normal(size=(4, 500))


def test_independent_draws_pass(good):
    assessment = assess_convergence(fit_of({"x": good}))
    assert assessment.passed, assessment
    assert {v.name for v in assessment.verdicts} == {
        "r_hat", "ess_bulk", "ess_tail", "mcse", "divergences", "tree_depth", "e_bfmi",
    }  # fmt: skip


def test_shifted_chain_fails_r_hat_with_the_model_s_own_remedy(good):
    verdict = outcome(fit_of({"x": good + np.array([0, 0, 0, 1.0])[:, None], "y": good}))["r_hat"]
    assert verdict.passed is False
    assert verdict.value > 1.1
    assert "worst: x, of 2" in verdict.detail
    assert verdict.remedy == "try the other form"


def test_slow_chain_fails_ess(good):
    slow = np.cumsum(good, axis=1) * 0.05
    verdicts = outcome(fit_of({"x": slow}))
    assert verdicts["ess_bulk"].passed is False
    assert verdicts["mcse"].passed is False


def test_stuck_parameter_fails_and_is_named(good):
    """The model's card says that it is a parameter."""
    stuck = np.full_like(good, 1.5)
    fit = fit_of({"x": good, "stuck": stuck})
    card = replace(fit.provenance.card, priors=(Prior("stuck", "normal", (0.0, 1.0)),))
    verdict = outcome(replace(fit, provenance=replace(fit.provenance, card=card)))["r_hat"]
    assert verdict.passed is False
    assert "stuck" in verdict.detail


def test_constants_and_what_is_never_set_are_left_out_and_counted(good):
    factor = np.stack([np.ones_like(good), np.zeros_like(good), good, np.full_like(good, np.nan)], axis=-1)
    factor[..., 0] += 1e-16 * np.sign(good)
    assessment = assess_convergence(fit_of({"L": factor.reshape(4, 500, 2, 2), "n": np.full((4, 500), 7)}))
    assert assessment.passed, assessment
    verdict = next(verdict for verdict in assessment.verdicts if verdict.name == "r_hat")
    assert verdict.detail == "worst: L[2,1], of 1 quantities; 3 constant ones and 1 that never holds a number left out"
    assert list(assessment.summary.index) == ["L[1,1]", "L[1,2]", "L[2,1]", "L[2,2]", "n"]
    assert list(assessment.summary["r_hat"].notna()) == [False, False, True, False, False]


def test_a_constant_in_each_chain_that_differs_between_them_fails(good):
    apart = np.repeat(np.arange(4.0)[:, None], 500, axis=1)
    assert outcome(fit_of({"x": good, "apart": apart}))["r_hat"].passed is False


@pytest.mark.parametrize("statistics", [{}, {"energy": np.ones((4, 500)), "lp": np.ones((4, 500))}])
def test_where_nothing_moves_nothing_is_left_out(good, statistics):
    posterior = {"x": np.ones((4, 500))} | ({"noise": good} if statistics else {})
    verdicts = outcome(fit_of(posterior, **statistics))
    assert verdicts["r_hat"].passed is False
    assert "x" in verdicts["r_hat"].detail


def test_a_quantity_that_now_and_then_holds_no_number_fails(good):
    broken = good.copy()
    broken[1, 7] = np.nan
    verdicts = outcome(fit_of({"x": good, "y": broken}))
    assert verdicts["finite"].passed is False
    assert verdicts["finite"].detail == "y, of 2 quantities"
    assert "what the program computes" in verdicts["finite"].remedy
    assert verdicts["r_hat"].passed
    assert "finite" not in outcome(fit_of({"x": good}))
    assert outcome(fit_of({"y": broken}))["r_hat"].passed is False


def test_an_indicator_is_judged_like_any_quantity(good):
    assert assess_convergence(fit_of({"x": good, "positive": good > 0, "z": good + 1j * good[::-1]})).passed


@pytest.mark.parametrize(
    ("name", "change"),
    [("diverging", lambda a: np.arange(a.size).reshape(a.shape) == 7), ("tree_depth", lambda a: np.full(a.shape, 10))],
)
def test_one_bad_draw_fails(good, name, change):
    verdict = outcome(fit_of({"x": good}, **{name: change(good)}))
    assert verdict["divergences" if name == "diverging" else "tree_depth"].passed is False


def test_one_chain_of_poor_energy_is_not_hidden_by_the_others(good):
    energy = np.random.default_rng(2).normal(size=(4, 500))
    energy[2] = np.cumsum(energy[2]) * 0.3
    assert outcome(fit_of({"x": good}, energy=energy))["e_bfmi"].passed is False


def test_one_chain_has_no_r_hat(good):
    verdict = outcome(fit_of({"x": good[:1]}))["r_hat"]
    assert verdict.passed is None
    assert "at least two" in verdict.detail


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_chains_of_three_draws_are_not_judged(good, draws):
    data = fit_of({"x": good[:, :10]}).posterior
    short = {name: group.to_dataset().isel(draw=slice(draws)) for name, group in data.children.items()}
    assessment = assess_convergence(replace(fit_of({"x": good}), posterior=xr.DataTree.from_dict(short)))
    assert {verdict.passed for verdict in assessment.verdicts} == {None}
    assert f"chains of {draws} are too short" in assessment.verdicts[0].detail
    assert list(assessment.summary.index) == ["x"]
    assert np.isfinite(assessment.summary.loc["x", "mean"])


def test_ten_draws_are_judged_and_are_too_few(good):
    verdicts = outcome(fit_of({"x": good[:, :10]}))
    assert verdicts["r_hat"].value is not None
    assert verdicts["ess_bulk"].passed is False


@pytest.mark.parametrize("sizes", [(), (3,)])
def test_without_draws_nothing_is_judged(good, sizes):
    fit = fit_of({"x": np.zeros((4, 10, *sizes))})
    empty = {name: group.to_dataset().isel(draw=slice(0)) for name, group in fit.posterior.children.items()}
    assessment = assess_convergence(replace(fit, posterior=xr.DataTree.from_dict(empty)))
    assert {(verdict.passed, verdict.detail) for verdict in assessment.verdicts} == {(None, "there are no draws")}
    assert assessment.summary.empty
    assert "r_hat" in assessment.summary


def test_without_numbers_nothing_is_judged():
    assessment = assess_convergence(fit_of({"word": np.full((4, 10), "x")}))
    assert {verdict.detail for verdict in assessment.verdicts} == {"there is no quantity to judge"}


def test_infinite_draws_are_not_numbers(good):
    endless = good.copy()
    endless[0, 0], endless[2, 3] = np.inf, -np.inf
    verdict = outcome(fit_of({"x": good, "y": endless}))["finite"]
    assert (verdict.passed, verdict.value) == (False, 1)


def test_the_summary_has_the_numbers_of_numpy_and_arviz(good):
    values = np.stack([good, np.round(good), np.exp(good)], axis=-1)
    posterior = xr.Dataset({"x": (("chain", "draw", "i"), values)})
    summary, flat = summarise(posterior), values.reshape(-1, 3)
    np.testing.assert_allclose(summary["mean"], flat.mean(0), rtol=1e-12)
    np.testing.assert_allclose(summary["sd"], flat.std(0, ddof=1), rtol=1e-12)
    for name, probability in PROBABILITIES.items():
        np.testing.assert_allclose(summary[name], np.quantile(flat, probability, axis=0), rtol=1e-12)
    np.testing.assert_allclose(summary["mcse_mean"], arviz_stats.mcse(posterior)["x"], rtol=1e-10)
    np.testing.assert_allclose(summary["r_hat"], arviz_stats.rhat(posterior)["x"], rtol=1e-10)


def test_many_short_chains_use_nested_r_hat():
    rng = np.random.default_rng(4)
    groups = [chain // 4 for chain in range(32)]
    verdicts = outcome(fit_of({"x": rng.normal(size=(32, 50))}, groups))
    assert verdicts["ess_bulk"].threshold == 400
    assert verdicts["ess_bulk"].passed
    assert verdicts["r_hat"].passed
    # Groups that have not left where they started: nested R-hat compares the groups and sees it far more clearly.
    apart = rng.normal(size=(32, 50)) + 0.25 * rng.normal(size=8)[groups][:, None]
    nested = outcome(fit_of({"x": apart}, groups))["r_hat"]
    plain = outcome(fit_of({"x": apart}))["r_hat"]
    assert nested.passed is False
    assert nested.value != pytest.approx(plain.value, abs=1e-4)


def test_summary_labels_days_by_their_date(good):
    days = np.array(["2012-01-01", "2012-01-02"], dtype="datetime64[ns]")
    posterior = xr.Dataset(
        {"x": (("chain", "draw"), good), "mu": (("chain", "draw", "date"), np.stack([good, good], axis=-1))},
        coords={"date": days},
    )
    assert list(summarise(posterior).index) == ["x", "mu[2012-01-01]", "mu[2012-01-02]"]
