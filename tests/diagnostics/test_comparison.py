"""Scores against ArviZ's own, against exact leave-one-out, and refusals where leaving out means nothing."""

from __future__ import annotations

from dataclasses import replace

import arviz_stats
import numpy as np
import pytest
from reporting.program_factories import program_fit
from scipy.special import logsumexp
from scipy.stats import norm, t

from bayeskit.core.types import Fit
from bayeskit.diagnostics.comparison import compare_scores, newey_west
from bayeskit.diagnostics.prediction_error import crps, predictions

N = 60
P_VALUE = 1e-4  # of each statistical test here


def normal_fit(y: np.ndarray, sd: float, seed: int = 1, **changes: object) -> Fit:
    """The exact posterior of a normal mean with known standard deviation and a flat prior, as four chains."""
    mean = np.random.default_rng(seed).normal(y.mean(), sd / np.sqrt(y.size), (4, 500))
    values = {"mean": mean, "fixed": np.ones((4, 500))}
    terms = norm.logpdf(y, mean[..., None], sd)
    return program_fit(values=values, observed={"y": y}, replicated={"y": terms}, log_likelihood={"y": terms})


def declared(fit: Fit, kind: str) -> Fit:
    card = replace(fit.provenance.card, log_likelihood=kind)
    return replace(fit, provenance=replace(fit.provenance, card=card))


def without(fit: Fit, *groups: str) -> Fit:
    return replace(fit, posterior=fit.posterior.drop_nodes(groups))


def hashed(fit: Fit, sha: str) -> Fit:
    return replace(fit, provenance=replace(fit.provenance, data=replace(fit.provenance.data, sha256=sha)))


@pytest.fixture(scope="module")
def y() -> np.ndarray:
    return np.random.default_rng(7).normal(1, 1, N)


@pytest.fixture(scope="module")
def good(y: np.ndarray) -> Fit:
    return normal_fit(y, 1.0)


@pytest.fixture(scope="module")
def bad(y: np.ndarray) -> Fit:
    return normal_fit(y, 2.5, seed=2)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # ArviZ's own
def test_scores_are_those_of_arviz(good: Fit, bad: Fit) -> None:
    trees = {name: fit.posterior.copy() for name, fit in (("good", good), ("bad", bad))}
    for tree in trees.values():
        tree["posterior"] = tree["posterior"].to_dataset().drop_vars("fixed")  # ArviZ has no ESS of a constant
    oracle = arviz_stats.compare(trees)
    scores = compare_scores({"bad": bad, "good": good})
    assert list(scores.rows) == list(oracle.index) == ["good", "bad"]
    for name, score in scores.rows.items():
        row = oracle.loc[name]
        found = (score.elpd, score.se, score.optimism, -score.difference, score.difference_se, score.weight)
        wanted = [row[column] for column in ("elpd", "se", "p", "elpd_diff", "dse", "weight")]
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert (scores.basis, scores.n_observations, scores.supposed) == ("loo", N, True)


def test_scores_are_those_of_exact_leave_one_out(y: np.ndarray) -> None:
    """Without one of n the mean is predicted as normal(mean of the others, sd sqrt(1 + 1 / (n - 1)))."""
    others = (y.sum() - y) / (N - 1)
    exact = norm.logpdf(y, others, np.sqrt(1 + 1 / (N - 1))).sum()
    found = []
    for seed in range(12):
        scores = compare_scores({"a": normal_fit(y, 1.0, seed), "b": normal_fit(y, 2.0, seed)})
        found.append(scores.rows["a"].elpd)
    error = np.array(found) - exact
    z = error.mean() / (error.std(ddof=1) / np.sqrt(error.size))
    assert 2 * t.sf(abs(z), error.size - 1) > P_VALUE
    # The negative control: the in-sample density is rejected.
    terms = normal_fit(y, 1.0).posterior["log_likelihood"]["y"].to_numpy().reshape(-1, N)
    in_sample = float((logsumexp(terms, axis=0) - np.log(terms.shape[0])).sum())
    assert abs(in_sample - exact) > 20 * error.std(ddof=1)


def weighted_fit(y: np.ndarray, sd: float, seed: int, *, used: bool = True) -> Fit:
    """Draws from a proposal off to one side, twice as wide as the posterior of the mean, with their weights."""
    fit = normal_fit(y, sd, seed)
    error = sd / np.sqrt(y.size)
    centre = y.mean() + 0.5 * error
    mean = np.random.default_rng(seed).normal(centre, 2 * error, (1, 4000))
    terms = norm.logpdf(y, mean[..., None], sd)
    log_weight = norm.logpdf(mean, y.mean(), error) - norm.logpdf(mean, centre, 2 * error)
    made = program_fit(
        "variational",
        values={"mean": mean},
        observed={"y": y},
        log_likelihood={"y": terms},
        statistics={"log_weight": log_weight if used else np.zeros_like(log_weight)},
    )
    return replace(made, provenance=replace(fit.provenance, kind="weighted"))


@pytest.mark.parametrize("kind", ["independent", "sequential"])
def test_weighted_draws_are_weighted(y: np.ndarray, kind: str) -> None:
    """Against exact leave-one-out, and against the exact log density of each observation."""
    others = (y.sum() - y) / (N - 1)
    exact = norm.logpdf(y, others, np.sqrt(1 + 1 / (N - 1))).sum()
    if kind == "sequential":
        exact = norm.logpdf(y, y.mean(), np.sqrt(1 + 1 / N)).sum()

    def error(seed: int, *, used: bool) -> float:
        fits = [declared(weighted_fit(y, sd, seed, used=used), kind) for sd in (1.0, 2.0)]
        return compare_scores({"a": fits[0], "b": fits[1]}).rows["a"].elpd - exact

    errors = np.array([error(seed, used=True) for seed in range(8)])
    z = errors.mean() / (errors.std(ddof=1) / np.sqrt(errors.size))
    assert 2 * t.sf(abs(z), errors.size - 1) > P_VALUE
    # The negative control: the same draws taken for equal ones.
    assert abs(error(0, used=False)) > 20 * errors.std(ddof=1)


def test_weights_that_cannot_be_used_are_told(good: Fit, bad: Fit, y: np.ndarray) -> None:
    fit = weighted_fit(y, 1.0, 1)
    fit.posterior["sample_stats"]["log_weight"][0, 0] = np.nan
    assert "holds no number in 1 of" in compare_scores({"a": good, "b": bad, "c": fit}).left_out["c"]


def test_observations_of_a_sequence_are_not_left_out(good: Fit, bad: Fit) -> None:
    fits = {"good": declared(good, "sequential"), "bad": declared(bad, "sequential")}
    scores = compare_scores(fits)
    assert scores.basis == "one-step"
    assert not scores.supposed
    per_day = {}
    for name, fit in fits.items():
        terms = fit.posterior["log_likelihood"]["y"].to_numpy().reshape(-1, N)
        per_day[name] = np.log(np.mean(np.exp(terms), axis=0))
        assert scores.rows[name].elpd == pytest.approx(per_day[name].sum())
        assert scores.rows[name].weight is None
    assert scores.rows["bad"].difference == pytest.approx((per_day["bad"] - per_day["good"]).sum())
    assert scores.rows["bad"].difference_se == pytest.approx(newey_west(per_day["bad"] - per_day["good"]))
    # What leave-one-out would have said is another number.
    loo = compare_scores({"good": good, "bad": bad})
    assert abs(loo.rows["good"].elpd - scores.rows["good"].elpd) > 0.1


def test_k_hat_is_counted(y: np.ndarray) -> None:
    outlier = np.append(y[:-1], 40.0)
    scores = compare_scores({"a": normal_fit(outlier, 1.0), "b": normal_fit(outlier, 1.5)})
    assert scores.rows["a"].unreliable >= 1
    assert compare_scores({"a": normal_fit(y, 1.0), "b": normal_fit(y, 1.5)}).rows["a"].unreliable == 0


def test_what_cannot_be_compared_is_left_out_with_a_reason(good: Fit, bad: Fit, y: np.ndarray) -> None:
    broken = good.posterior["log_likelihood"]["y"].to_numpy().copy()
    broken[0, 0, 0] = np.nan
    many = {"y": good.posterior["log_likelihood"]["y"].to_numpy()} | {"z": broken}
    cases = {
        "observations are not those": normal_fit(y + 1e-6, 1.0),
        "another number of observations": normal_fit(y[:-1], 1.0),
        "no log likelihood": without(good, "log_likelihood"),
        "not all of its log likelihoods": program_fit(observed={"y": y}, log_likelihood={"y": broken}),
        "more than one log likelihood": program_fit(log_likelihood=many),
        "it predicts z": program_fit(log_likelihood={"z": np.zeros((4, 250, N))}),
        "of an approximation": program_fit("variational", log_likelihood={"y": np.zeros((1, 1000, N))}),
        "a point": program_fit("point", log_likelihood={"y": np.zeros((1, 1, N))}),
        "of two kinds": declared(good, "sequential"),
        "20 draws are too few": program_fit(log_likelihood={"y": np.zeros((4, 5, N))}),
        "only one observation": program_fit(log_likelihood={"y": np.zeros((4, 250, 1))}),
    }
    for reason, fit in cases.items():
        scores = compare_scores({"first": good, "second": bad, "other": fit})
        assert reason in scores.left_out["other"]
        assert set(scores.rows) == {"first", "second"}
        assert compare_scores({"first": good, "other": fit}).rows == {}


def test_where_the_observations_are_not_known_the_data_file_must_be_the_same(good: Fit, bad: Fit) -> None:
    bare = [without(fit, "observed_data", "posterior_predictive") for fit in (good, bad)]
    assert compare_scores({"a": bare[0], "b": bare[1]}).rows
    assert not compare_scores({"a": bare[0], "b": hashed(bare[1], "cd" * 32)}).rows
    assert not compare_scores({"a": hashed(bare[0], ""), "b": hashed(bare[1], "")}).rows


def test_the_standard_error_knows_of_autocorrelation() -> None:
    """Of a moving average e_t + c e_(t-1) the Bartlett-weighted long-run variance is known."""
    size, c = 40_000, 0.8
    noise = np.random.default_rng(3).normal(size=size + 1)
    values = noise[1:] + c * noise[:-1]
    lags = int(4 * (size / 100) ** (2 / 9))
    wanted = 1 + c**2 + 2 * (1 - 1 / (lags + 1)) * c
    found = newey_west(values) ** 2 / size
    error = wanted * np.sqrt(4 / 3 * lags / size)  # of the estimator, asymptotically
    assert abs(found - wanted) < norm.isf(P_VALUE / 2) * error
    assert abs(values.var() - wanted) > norm.isf(P_VALUE / 2) * error  # what takes days for independent is rejected


def test_crps_of_normal_draws() -> None:
    """Gneiting and Raftery (2007), equation 21 for a normal prediction."""
    observed = np.array([-2.0, 0.0, 0.3, 1.5])
    exact = observed * (2 * norm.cdf(observed) - 1) + 2 * norm.pdf(observed) - 1 / np.sqrt(np.pi)
    rng = np.random.default_rng(5)
    size = 500
    found = np.stack([crps(observed, rng.normal(size=(size, 4))) for _ in range(200)])
    found -= (1 / np.sqrt(np.pi)) / size  # pairs of a draw with itself count as a distance of 0
    z = (found.mean(0) - exact) / (found.std(0, ddof=1) / np.sqrt(found.shape[0]))
    assert np.all(2 * norm.sf(np.abs(z)) > P_VALUE)
    shifted = (found.mean(0) - (exact + 0.01)) / (found.std(0, ddof=1) / np.sqrt(found.shape[0]))
    assert np.any(2 * norm.sf(np.abs(shifted)) < P_VALUE)


def test_predictions_are_judged_where_there_are_replications(y: np.ndarray) -> None:
    drawn = np.random.default_rng(1).normal(1, 1, (4, 250, N))
    fit = program_fit(observed={"y": y}, replicated={"y": drawn})
    made = predictions(fit, "y")
    assert made is not None
    assert made.rmse == pytest.approx(np.sqrt(np.mean((drawn.mean((0, 1)) - y) ** 2)))
    assert made.crps == pytest.approx(crps(y, drawn.reshape(-1, N)).mean())
    assert 0 < made.coverage68 < made.coverage95 <= 1
    assert predictions(fit, "z") is None
    assert predictions(without(fit, "posterior_predictive"), "y") is None
    holes = np.full(N, np.nan)
    assert predictions(program_fit(observed={"y": holes}, replicated={"y": drawn}), "y") is None
