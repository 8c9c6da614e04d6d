"""A first look at the data, from what the run has kept of them."""

from dataclasses import replace

import numpy as np
import pytest
from reporting.factories import make_fit
from reporting.program_factories import assessed, program_fit
from reporting.test_escaping import MARK, raw_tags

from bayeskit.reporting import render
from bayeskit.reporting.data import data_report
from bayeskit.reporting.figures_data import MAX_CELLS, MAX_POINTS, MAX_VARIABLES

RNG = np.random.default_rng(1)


def with_constants(**constants):
    fit = program_fit(
        "iid",  # whose report is made quickly
        observed={"y": np.arange(40) % 7 + 0.5},
        replicated={"y": RNG.normal(size=(1, 1000, 40))},
        variables=dict.fromkeys(constants, "numbers"),
    )
    return with_group(fit, "constant_data", constants)


def with_group(fit, name, arrays):
    import arviz_base

    tree = fit.posterior.copy()
    tree[name] = arviz_base.from_dict({name: arrays})[name]
    return replace(fit, posterior=tree)


def panels_of(fit):
    return {panel.label.partition(":")[0]: panel for panel in data_report(fit).figures[0].panels}


def test_a_series_is_shown_by_month_with_its_extremes_and_missing_days():
    fit = make_fit(n_days=365, n_draws=20, missing=slice(100, 130))
    (figure,) = data_report(fit).figures
    assert figure.title.startswith("Temperature was measured on 335 of 365 days, from ")
    observed = fit.posterior["observed_data"]["temperature"]
    low = str(observed["observed_date"].to_numpy()[int(np.argmin(observed.to_numpy()))])[:10]
    assert f"({low})" in figure.title
    by_month, distribution, rainy = figure.panels
    ends, middle, medians, foot = by_month.data
    assert len(medians["x"]) == 12
    january = observed.to_numpy()[observed["observed_date"].dt.month.to_numpy() == 1]
    assert medians["y"][0] == pytest.approx(np.median(january))
    assert (ends["y"][0], ends["y"][1]) == pytest.approx((january.min(), january.max()))
    assert (middle["y"][0], middle["y"][1]) == pytest.approx(tuple(np.quantile(january, [0.16, 0.84])))
    assert sorted(set(foot["text"])) == ["21 days without a measurement", "9 days without a measurement"]
    assert np.nanmax(foot["y"]) < np.nanmin(ends["y"])  # below all values
    assert np.sum(distribution.data[0]["y"]) == 335
    assert ("prior", "days without a measurement") in figure.key
    flagged = fit.posterior["constant_data"]["rainy"].to_numpy()
    assert np.nanmax(np.reshape(rainy.data[0]["y"], (-1, 3))[:, 1]) <= 31
    assert np.nansum(np.reshape(rainy.data[0]["y"], (-1, 3))[:, 1]) == flagged.sum()


@pytest.mark.parametrize(("n_days", "unit"), [(60, "week"), (400, "month")])
def test_the_span_fits_the_length(n_days, unit):
    (figure,) = data_report(make_fit(n_days=n_days, n_draws=20)).figures
    assert f"one {unit}" in figure.caption
    assert "days without a measurement" not in [meaning for _, meaning in figure.key]


def test_each_variable_is_drawn_in_order_with_its_distribution():
    fit = with_constants(dose=RNG.gamma(2, 1, 30), group=RNG.integers(1, 4, 30))
    panels = panels_of(fit)
    assert list(panels) == ["y", "dose", "group"]  # what is modelled first, then measurements, then codes
    points, bars = panels["y"].data
    np.testing.assert_allclose(points["y"], np.arange(40) % 7 + 0.5)
    np.testing.assert_array_equal(points["x"], np.arange(1, 41))
    lengths = np.reshape(bars["x"], (-1, 3))
    assert np.all(lengths[:, 0] > 40)  # beside the points
    counts = np.bincount(np.arange(40) % 7)
    shares = (lengths[:, 1] - lengths[:, 0]) / (lengths[:, 1] - lengths[:, 0]).max()
    assert np.sort(shares[shares > 0]) == pytest.approx(np.sort(counts / counts.max()))
    assert len(np.unique(panels["group"].data[1]["y"])) == 3
    assert "Of these the program draws y anew." in data_report(fit).figures[0].note
    assert "dose: 30 values from" in panels["dose"].alt


def test_a_matrix_is_a_map_of_the_means_of_blocks():
    matrix = RNG.normal(size=(5 * MAX_CELLS, 3))
    matrix[:5, 0] = [1, 2, 3, 4, np.nan]
    fit = with_constants(X=matrix)
    (cells,) = panels_of(fit)["X"].data
    z = np.array(cells["z"], dtype=float)
    assert z.shape == (MAX_CELLS, 3)
    assert z[0, 0] == pytest.approx(2.5, rel=1e-3)
    np.testing.assert_allclose(z[1:], matrix.reshape(MAX_CELLS, 5, 3).mean(1)[1:], rtol=1e-3)
    assert "Cells of X are drawn as means of blocks." in data_report(fit).figures[0].note
    assert render(*assessed(fit))  # with a cell that is no number


def test_what_never_varies_or_merely_counts_is_named_and_not_drawn():
    fit = with_constants(id=np.arange(1, 31), one=np.ones(30), x=RNG.normal(size=30), N=np.array(30))
    report = data_report(fit)
    assert list(panels_of(fit)) == ["y", "x"]
    assert report.left_out == "Not drawn, as it never varies, merely counts, or finds no room: one, id."
    assert ("N", "numbers") in report.facts


def test_of_many_variables_and_many_values_some_are_drawn_and_that_is_told():
    many = {f"x{i}": RNG.normal(size=20) for i in range(15)}
    fit = with_constants(long=RNG.normal(size=50_000), **many)
    report = data_report(fit)
    assert len(report.figures[0].panels) == MAX_VARIABLES
    assert report.left_out.endswith("x10, x11, x12, x13, x14.")
    points = panels_of(fit)["long"].data[0]
    assert points["y"].size == MAX_POINTS
    assert points["x"][-1] == 50_000
    assert f"Of long {MAX_POINTS:,} values each are drawn" in report.figures[0].note


def test_numbers_that_are_none_are_counted_and_do_no_harm():
    values = np.where(np.arange(40) % 4 == 0, np.nan, np.arange(40.0))
    fit = with_constants(x=values, void=np.array([np.nan, np.inf] * 10))
    panels = panels_of(fit)
    assert panels["x"].alt.endswith("25\u00a0% are no finite numbers.")
    assert panels["void"].alt == "void holds no finite number."
    assert render(*assessed(fit))


def test_provenance_and_what_the_loader_did_stand_with_the_data():
    fit = make_fit(n_days=40, n_draws=20, words={"note": "rows 3 and 4 were merged"})
    report = data_report(fit)
    assert dict(report.facts)["file"] == "data/seattle-weather.csv"
    assert "SHA-256" not in dict(report.facts)  # it stands once, where one does it again
    assert report.notes == ("rows 3 and 4 were merged",)


def test_without_data_there_is_no_section():
    fit = program_fit(variables={})
    source = replace(fit.provenance.data, variables={}, notes=())
    assert data_report(replace(fit, provenance=replace(fit.provenance, data=source))) is None


def test_names_of_variables_do_no_harm():
    name = f"<{MARK}>&%{{x}}$\"'{{{{"
    fit = with_constants(**{name: RNG.normal(size=30), f"{name}2": RNG.normal(size=(4, 4)), f"{name}3": np.ones(9)})
    assert not raw_tags(render(*assessed(fit)))
