"""What the figures are computed from: forecasts, gaps, memory, bands."""

import numpy as np
import pytest
from reporting.factories import make_assessment, make_fit

from bayeskit.reporting.figures_predictive import autocorrelation, describe_forecasts, simultaneous_band
from bayeskit.reporting.figures_ranks import rank_band
from bayeskit.reporting.headline import headline
from bayeskit.reporting.results import Forecasts, Scalar, forecasts, missing_runs, path, scalars
from bayeskit.reporting.tables import state_positions, worst_labels

DAYS = np.datetime64("2020-01-01") + np.arange(1500)


def perfect(rng: np.random.Generator, n: int = 1500, scale: float = 1.0) -> Forecasts:
    from scipy.stats import norm

    errors = rng.normal(0, scale, n)
    return Forecasts(DAYS[:n], errors, np.zeros(n), np.ones(n), norm.cdf(errors))


def test_the_pit_is_the_share_of_draws_below_the_observation() -> None:
    fit = make_fit(n_days=50, n_draws=100)
    found = forecasts(fit, fit.provenance.card.series)
    assert found is not None
    draws = fit.posterior["posterior_predictive"]["temperature"].to_numpy().reshape(400, -1)
    seen = fit.posterior["observed_data"]["temperature"].to_numpy()
    np.testing.assert_allclose(found.pit, ((draws <= seen).sum(axis=0) + 0.5) / 401)
    np.testing.assert_allclose(found.residuals, (seen - draws.mean(axis=0)) / draws.std(axis=0, ddof=1))


def test_the_band_holds_uniform_values_with_its_probability() -> None:
    """Of 400 sets of uniform values 95 % stay inside; a miscount below 0.1 % by chance (binomial)."""
    rng = np.random.default_rng(7)
    grid = np.arange(1, 100) / 100
    low, high = simultaneous_band(500, grid)
    curves = np.array([np.searchsorted(np.sort(rng.random(500)), grid, side="right") / 500 - grid for _ in range(400)])
    inside = int(np.all((curves >= low) & (curves <= high), axis=1).sum())
    assert 364 <= inside <= 394


def test_forecasts_too_narrow_leave_the_band_and_are_told() -> None:
    rng = np.random.default_rng(3)
    good, narrow = describe_forecasts(perfect(rng)), describe_forecasts(perfect(rng, scale=1.4))
    assert good is not None
    assert good.adequate
    assert narrow is not None
    assert not narrow.adequate
    assert "probabilities are off" in narrow.sentence


def test_memory_of_the_errors_is_told() -> None:
    rng = np.random.default_rng(4)
    base = perfect(rng)
    moving = (base.observed + np.roll(base.observed, 1)) / np.sqrt(2)
    found = describe_forecasts(Forecasts(base.dates, moving, base.mean, base.sd, base.pit))
    assert found is not None
    assert "still have memory (correlation 0.5" in found.sentence


def test_autocorrelation_knows_the_calendar() -> None:
    rng = np.random.default_rng(5)
    errors = rng.normal(size=1500)
    full = autocorrelation(errors, DAYS)
    kept = rng.random(1500) < 0.7
    lags, values, pairs = autocorrelation(errors[kept], DAYS[kept])
    assert pairs[0] < full[2][0]
    assert np.all(np.abs(values) < 5 / np.sqrt(pairs))
    assert list(lags) == list(range(1, 41))


def test_short_and_weekly_series_are_not_told_of_lags_that_they_cannot_show() -> None:
    rng = np.random.default_rng(6)
    lags, *_ = autocorrelation(rng.normal(size=12), DAYS[:12])
    assert list(lags) == [1, 2, 3]
    lags, *_ = autocorrelation(rng.normal(size=200), DAYS[:1400:7])
    assert list(lags) == [7, 14, 21, 28, 35]


def test_rank_curves_of_chains_that_agree_stay_in_the_band() -> None:
    rng = np.random.default_rng(7)
    n_draws, n_chains, trials = 100, 4, 1000
    ranks = rng.permuted(np.tile(np.arange(n_draws * n_chains), (trials, 1)), axis=1)
    ordered = np.sort(ranks[:, :n_draws], axis=1) / (n_draws * n_chains)
    distance = np.abs(np.arange(1, n_draws + 1) / n_draws - ordered).max(axis=1)
    left = np.mean(distance > rank_band(n_draws, n_chains, 1))
    assert left * n_chains < 0.025
    assert rank_band(n_draws, n_chains, 2925) > rank_band(n_draws, n_chains, 1)


def test_missing_stretches_are_found() -> None:
    fit = make_fit(n_days=60, n_draws=20, missing=slice(10, 15))
    (run,) = missing_runs(fit, fit.provenance.card.series)
    assert (str(run[0])[:10], str(run[1])[:10], run[2]) == ("2012-01-11", "2012-01-15", 5)


def test_bands_come_from_the_summary() -> None:
    fit = make_fit(n_days=30, n_draws=50)
    assessment = make_assessment(fit)
    state = path(fit, assessment, "mu")
    assert state.mean.size == 30
    assert np.all(state.low95 <= state.low68)
    assert np.all(state.high68 <= state.high95)


def test_cells_of_a_vector_parameter_get_their_labels() -> None:
    fit = make_fit(n_days=30, n_draws=50, rain_noise=True)
    found = scalars(fit, make_assessment(fit))
    assert [scalar.label for scalar in found] == ["s_mu", "s_y[dry]", "s_y[rainy]", "signal_share"]
    assert all("ess_bulk" in scalar.row for scalar in found)


@pytest.mark.parametrize(("centre", "expected"), [(0.0, True), (1.0, True), (4.0, False)])
def test_piling_up_at_0_is_recognised(centre: float, expected: bool) -> None:
    draws = np.abs(np.random.default_rng(1).normal(centre, 1, (4, 1000)))
    fit = make_fit(n_days=20, n_draws=20)
    scalar = Scalar("s_y", fit.provenance.card.quantities[1], draws, scalars(fit, make_assessment(fit))[1].row)
    assert scalar.at_boundary is expected


def test_the_worst_states_are_found_by_r_hat() -> None:
    fit = make_fit(n_days=30, n_draws=50)
    assessment = make_assessment(fit)
    assessment.summary.loc["mu[2012-01-07]", "r_hat"] = 1.7
    (label,) = worst_labels(assessment, ["s_mu", "s_y", "signal_share"], 1)
    assert label == "mu[2012-01-07]"
    assert state_positions(assessment, [label]) == [("mu[2012-01-07]", "mu", 6)]


@pytest.mark.parametrize(
    ("shift", "told"), [(0.0, "the data do not say"), (0.9, "s_y[dry] is larger than s_y[rainy] in 100")]
)
def test_rainy_and_dry_noise_are_compared(shift: float, told: str) -> None:
    fit = make_fit(n_days=40, n_draws=100, rain_noise=True)
    noise = fit.posterior["posterior"]["s_y"]
    base = noise.sel(weather="rainy").to_numpy()
    rng = np.random.default_rng(8)
    noise.loc[{"weather": "dry"}] = rng.permuted(base.ravel()).reshape(base.shape) + shift
    assessment = make_assessment(fit)
    texts = headline(fit, assessment, scalars(fit, assessment), None)
    assert told in texts[-1]
