"""What figures and headlines take from draws that may lie on disk: the same in blocks as at once."""

import numpy as np
import pytest
from reporting.factories import make_assessment, make_fit
from reporting.program_factories import program_fit, program_values

from bayeskit.diagnostics import blocks
from bayeskit.reporting import figures_simulated
from bayeskit.reporting.replicated import replications
from bayeskit.reporting.results import forecasts, labelled, mean_step, states


@pytest.fixture(scope="module")
def fit():
    return make_fit(n_days=50, n_draws=100, model="trend", missing=slice(7, 9))


@pytest.fixture(params=[1, 8 * 400 * 7, 2**26])
def block_bytes(request, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("block_bytes")
def test_steps_of_the_level(fit):
    direct = np.abs(fit.posterior["posterior"]["mu"].diff("date")).mean()
    assert mean_step(fit, fit.provenance.card.series) == pytest.approx(float(direct), rel=1e-12)


@pytest.mark.usefixtures("block_bytes")
def test_forecasts(fit):
    draws = fit.posterior["posterior_predictive"]["temperature"].to_numpy().reshape(400, -1)
    observed = fit.posterior["observed_data"]["temperature"].to_numpy()
    found = forecasts(fit, fit.provenance.card.series)
    np.testing.assert_allclose(found.mean, draws.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.sd, draws.std(0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(found.pit, ((draws <= observed).sum(0) + 0.5) / 401, rtol=1e-12)


@pytest.mark.usefixtures("block_bytes")
def test_forecasts_without_numbers_or_spread_are_left_out(fit):
    posterior = fit.posterior.copy(deep=True)
    draws = posterior["posterior_predictive"]["temperature"]
    draws[0, 3, 5], draws[:, :, 9] = np.nan, 4.0
    found = forecasts(type(fit)(posterior, fit.provenance), fit.provenance.card.series)
    assert found.dates.size == 46
    assert np.isfinite(found.residuals).all()


@pytest.mark.usefixtures("block_bytes")
def test_replications():
    rng = np.random.default_rng(3)
    draws, observed = rng.normal(size=(4, 250, 6, 5)), rng.normal(size=(6, 5))
    draws[0, 0, 2, 2] = np.nan
    pointwise = rng.normal(size=(4, 250, 6, 5))
    fit = program_fit(
        observed={"y": observed},
        replicated={"y": draws},
        log_likelihood={"y": pointwise},
        values=program_values("mcmc"),
    )
    (found,) = replications(fit)
    kept = np.delete(np.arange(30), 12)
    np.testing.assert_array_equal(found.draws, draws.reshape(1000, 30)[:, kept])
    np.testing.assert_array_equal(found.log_likelihood, pointwise.reshape(1000, 30)[:, kept])
    np.testing.assert_array_equal(found.observed, observed.ravel()[kept])


def test_of_very_many_simulated_values_some_series_are_taken_and_that_is_told(fit, monkeypatch):
    series = fit.provenance.card.series
    assert "from all of them" in figures_simulated.predictive_figure(fit, series).note
    monkeypatch.setattr(figures_simulated, "MAX_VALUES", 400 * 48 // 3)
    assert "are from 100 of 300 and 136 of 400." in figures_simulated.predictive_figure(fit, series).note


def test_single_cells_are_those_of_the_whole(fit):
    assessment = make_assessment(fit)
    mu = fit.posterior["posterior"]["mu"].to_numpy()
    (scalar,) = labelled(fit, assessment, ["mu[2012-01-08]"])
    np.testing.assert_array_equal(scalar.draws, mu[..., 7])
    assert scalar.row["mean"] == assessment.summary.loc["mu[2012-01-08]", "mean"]
    np.testing.assert_array_equal(states(fit, "mu", [("some day", 11)])[0].draws, mu[..., 11])
