"""The page of a mixture: what it says, what its figures hold, and what it does not claim."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, example, given, settings
from reporting.factories import make_assessment, make_fit
from reporting.mixture_factories import CENTRE, SPREAD, assessed, mixture_fit, poor_k_hat
from reporting.test_escaping import HOSTILE, MARK, raw_tags
from reporting.test_japanese import english
from reporting.test_print_figures import squeezed, words_of
from reporting.test_style import SCHEMES, colours, contrast
from scipy import stats

from bayeskit.core.types import Fit, Verdict
from bayeskit.reporting import RunEntry, render, render_index
from bayeskit.reporting.compare import Compared, render_comparison
from bayeskit.reporting.figures_mixture_animation import log_likelihoods, read_frames
from bayeskit.reporting.figures_mixture_number import read_occupied, read_selection
from bayeskit.reporting.figures_optimisation import elbo_figure, likelihood_figure, running_median
from bayeskit.reporting.groups import N_COLOURS, thinned
from bayeskit.reporting.index import checked
from bayeskit.reporting.mixture_density import (
    Parameters,
    ellipses,
    levels,
    log_predictive,
    rarity,
    responsibilities,
    simulate,
)
from bayeskit.reporting.mixture_report import MixtureReport, mixture_report
from bayeskit.reporting.mixture_view import Mixture, read_mixture
from bayeskit.reporting.print_figures import figures_in, save_figures
from bayeskit.reporting.print_panel import texts_of
from bayeskit.reporting.print_style import plain
from bayeskit.reporting.replicated import replications
from bayeskit.reporting.sections import build
from bayeskit.reporting.verdict import describe

ALPHA = 1e-7  # of a test that rests on chance


def parameters(n_draws: int = 3, n_columns: int = 2, seed: int = 0) -> Parameters:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n_draws, 2, n_columns, n_columns)) + 2 * np.eye(n_columns)
    covariance = factor @ np.swapaxes(factor, -1, -2)
    sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    correlation = covariance / (sd[..., :, None] * sd[..., None, :])
    weights = rng.dirichlet([3, 2], n_draws)
    return Parameters(weights, 4 * rng.normal(size=(n_draws, 2, n_columns)), sd, correlation)


def density(point: np.ndarray, made: Parameters) -> float:
    """Return the predictive density of a point, as SciPy has it."""
    known = ~np.isnan(point)
    total = 0.0
    for draw in range(len(made)):
        for k in range(2):
            sd = made.sds[draw, k]
            covariance = sd[:, None] * sd[None, :] * made.correlations[draw, k]
            height = 1.0
            if known.any():
                normal = stats.multivariate_normal(made.means[draw, k][known], covariance[np.ix_(known, known)])
                height = float(normal.pdf(point[known]))
            total += made.weights[draw, k] * height
    return total / len(made)


def read(**options: object) -> Mixture:
    made = read_mixture(mixture_fit(**options))
    assert made is not None
    return made


# Densities


def test_densities_are_those_of_scipy_missing_coordinates_left_out() -> None:
    made = parameters(n_columns=3)
    points = np.random.default_rng(1).normal(0, 4, (7, 3))
    points[1, 0] = points[2, [0, 2]] = points[3] = np.nan
    expected = np.log([density(point, made) for point in points])
    np.testing.assert_allclose(log_predictive(points, made), expected, rtol=1e-6, atol=1e-8)


def test_responsibilities_are_bayes_theorem() -> None:
    made = parameters(n_draws=1)
    point = np.array([[0.5, -1.0]])
    sole = [Parameters(np.eye(2)[[k]], made.means, made.sds, made.correlations) for k in range(2)]
    each = np.array([density(point[0], one) for one in sole]) * made.weights[0]
    np.testing.assert_allclose(responsibilities(point, made)[0], each / each.sum(), rtol=1e-6)


@pytest.mark.parametrize("share", [0.68, 0.95])
def test_an_ellipse_holds_its_share_of_a_component(share: float) -> None:
    made = parameters(n_draws=1)
    sole = Parameters(np.array([[0.0, 1.0]]), made.means, made.sds, made.correlations)
    drawn, n = simulate(sole, 4000, np.random.default_rng(2)), 4000
    ring = ellipses(made, 1, share)[0]
    lower = made.lower()[0, 1]
    reach = np.linalg.norm(np.linalg.solve(lower, (ring - made.means[0, 1]).T), axis=0)
    np.testing.assert_allclose(reach, reach[0])
    inside = int((np.linalg.norm(np.linalg.solve(lower, (drawn - made.means[0, 1]).T), axis=0) < reach[0]).sum())
    assert stats.binomtest(inside, n, share).pvalue > ALPHA
    assert stats.binomtest(inside, n, stats.chi2.cdf(stats.norm.ppf((1 + share) / 2) ** 2, 2)).pvalue < ALPHA


def test_rarity_is_uniform_of_what_the_model_draws_and_of_nothing_else() -> None:
    made = parameters(n_draws=4)
    drawn = simulate(made, 2000, np.random.default_rng(3))
    found = rarity(drawn, made, np.random.default_rng(4))
    assert stats.kstest(found, "uniform").pvalue > ALPHA
    assert stats.kstest(rarity(1.5 * drawn, made, np.random.default_rng(4)), "uniform").pvalue < ALPHA


def test_levels_enclose_their_shares_of_new_points() -> None:
    made = parameters(n_draws=2)
    heights = levels(made, (0.5, 0.95), np.random.default_rng(5), n=20_000)
    fresh = log_predictive(simulate(made, 20_000, np.random.default_rng(6)), made)
    for share, height in zip((0.5, 0.95), heights, strict=True):
        assert stats.norm.sf(abs((fresh >= height).mean() - share) / np.sqrt(2 * share * (1 - share) / 20_000)) > ALPHA


def test_the_average_of_draws_has_the_average_covariance() -> None:
    made = parameters(n_draws=5, n_columns=3)
    scale = made.sds[..., :, None] * made.sds[..., None, :]
    average = made.average()
    lower = average.lower()[0]
    np.testing.assert_allclose(lower @ np.swapaxes(lower, -1, -2), (scale * made.correlations).mean(0), rtol=1e-6)


def test_a_component_that_collapsed_on_a_line_or_a_point_gives_numbers() -> None:
    correlations = np.broadcast_to(np.ones((2, 2)), (1, 2, 2, 2))
    sds = np.array([[[1.0, 1.0], [0.0, 0.0]]])
    made = Parameters(np.array([[0.5, 0.5]]), np.zeros((1, 2, 2)), sds, correlations)
    assert np.isfinite(log_predictive(np.array([[0.0, 0.0], [1.0, 1.0]]), made)).all()
    assert np.isfinite(ellipses(made, 1, 0.95)).all()


# What is read of a run


@pytest.mark.parametrize("covariance", ["full", "tied", "diagonal"])
def test_parameters_are_those_of_the_posterior(covariance: str) -> None:
    fit = mixture_fit(n_columns=3, covariance=covariance)
    made = read_mixture(fit)
    assert made is not None
    posterior = fit.posterior["posterior"]
    assert made.draws.means.shape == (1000, 3, 3)
    sd = posterior["sd"].to_numpy()
    np.testing.assert_array_equal(made.draws.sds[0, 2], sd[0, 0] if covariance == "tied" else sd[0, 0, 2])
    if covariance != "diagonal":
        one = posterior["correlation"].sel(pair="column_1:column_3").to_numpy()[0, 0]
        assert made.draws.correlations[0, 1, 0, 2] == (one if covariance == "tied" else one[1])
        assert made.draws.correlations[0, 1, 2, 0] == made.draws.correlations[0, 1, 0, 2]


def test_pairs_are_found_by_their_labels_whatever_their_order() -> None:
    fit = mixture_fit(n_columns=4)
    turned = fit.posterior["posterior"].to_dataset().isel(pair=slice(None, None, -1))
    names = [":".join(reversed(str(pair).split(":"))) for pair in turned["pair"].to_numpy()]
    other = replace(fit, posterior=fit.posterior.copy())
    other.posterior["posterior"] = xr.DataTree(turned.assign_coords(pair=names))
    one, two = read_mixture(fit), read_mixture(other)
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.draws.correlations, two.draws.correlations)


def test_draws_that_are_no_numbers_are_left_out_and_nothing_is_made_of_none() -> None:
    fit = mixture_fit()
    fit.posterior["posterior"]["mean"][0, :10] = np.nan
    made = read_mixture(fit)
    assert made is not None
    assert len(made.draws) == 990
    fit.posterior["posterior"]["mean"][:] = np.nan
    assert read_mixture(fit) is None
    assert "component" in render(*assessed(fit))


def test_a_run_without_its_derived_numbers_computes_who_belongs_where() -> None:
    whole, bare = read(n_columns=3), read(n_columns=3, groups=False)
    assert np.mean(whole.assignment == bare.assignment) > 0.9
    np.testing.assert_allclose(bare.responsibility.sum(1), 1)


def test_thinning_keeps_the_order_and_is_the_same_every_time() -> None:
    places = np.arange(1000)
    kept = thinned(places, 100)
    assert kept.size == 100
    assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(kept, thinned(places, 100))
    np.testing.assert_array_equal(thinned(places, 1000), places)


def test_the_pair_of_columns_is_the_one_in_which_components_lie_farthest_apart() -> None:
    made = read(n_columns=4)
    flat = replace(made, draws=replace(made.draws, means=made.draws.means.copy()))
    flat.draws.means[..., 0] = flat.draws.means[..., 2] = CENTRE
    assert flat.best_columns(2) == [1, 3]
    assert flat.separation[0] < 1e-9


# What the page says


def test_the_first_screen_tells_shares_places_and_who_stands_out() -> None:
    fit = mixture_fit()
    fit.posterior["observed_data"]["points"][7] = CENTRE + 30 * SPREAD
    sections = build(*assessed(fit))
    told = " ".join(sections.headline)
    assert re.search(r"Component 1 holds [\d.]+\u00a0±\u00a0[\d.]+\u00a0% of the points, around column_1 [\d.]+", told)
    assert "95\u00a0% of the points belong to one component with more than 90 % probability; 8 cannot" in told
    assert "1 point stands out (row 9)" in told  # the eighth point; the header is row 1
    assert sections.key_values == []
    assert sections.components is not None
    assert [len(row.cells) for row in sections.components.rows] == [2, 2, 2]
    assert sum(int(row.points) for row in sections.components.rows) == 150


def test_a_point_estimate_wears_no_interval() -> None:
    fit, assessment = assessed(mixture_fit("point"))
    sections = build(fit, assessment)
    assert sections.components is not None
    texts = [*sections.headline, sections.components.caption]
    texts += [text for row in sections.components.rows for text in (row.share, *sum(row.cells, ()))]
    assert not [text for text in texts if "±" in text]
    assert "not a posterior" in sections.banner.sentence
    assert sections.priors is None
    assert "the priors below play no part" in render(fit, assessment)
    assert "±" in "".join(reported(mixture_fit()).headline)


def test_the_number_of_components_with_points_is_told_where_it_varies() -> None:
    fit = mixture_fit(dp=True, n_components=6)
    draws = fit.posterior["posterior"]["n_occupied"]
    draws[:] = 4
    draws[0, :100] = 5
    found = read_occupied(fit)
    assert found is not None
    assert (found.mode, found.central, found.shares.tolist()) == (4, (4, 5), [0.9, 0.1])
    told = reported(fit).headline[0]
    assert told == "Most probably 4 components hold points (90\u00a0%); with 95 % probability 4 to 5 do."
    assert read_occupied(mixture_fit()) is None  # all of them, always
    assert read_occupied(mixture_fit("point")) is None


def test_what_each_criterion_would_choose_is_told() -> None:
    fit = mixture_fit(selection=True)
    selection = read_selection(fit)
    assert selection is not None
    assert {name: selection.best(name) for name in selection.criteria} == {
        "aic": 4,
        "bic": 3,
        "icl": 3,
        "elpd_loo": 3,
    }
    assert "Taken were 3 components; best by: AIC 4, BIC 3, ICL 3, elpd (LOO) 3." in reported(fit).headline
    figure = figure_of(fit, "choice")
    assert len(figure.panels) == 2
    assert "3 points for 5 components" in figure.note


def test_a_selection_without_leave_one_out_is_drawn_without_it() -> None:
    fit = mixture_fit("point", selection=True)
    table = fit.posterior["selection"].to_dataset()
    fit.posterior["selection"] = xr.DataTree(table.assign(elpd_loo=("candidate", np.full(5, np.nan))))
    figure = figure_of(fit, "choice")
    assert len(figure.panels) == 1


def test_collapsed_components_are_named() -> None:
    fit = mixture_fit("point")
    fit.posterior["derived"]["distinct_points"][1] = 1
    assert reported(fit).table.note == "Component 2 holds one distinct point only."


# Advisory checks


def test_a_rough_approximation_is_told_plainly_and_does_not_fail() -> None:
    fit, assessment = assessed(mixture_fit("variational"), poor_k_hat())
    banner = describe(fit, assessment)
    assert assessment.passed
    assert (banner.state, banner.adequate, banner.failed) == ("passed", False, ())
    assert banner.sentence == (
        "An approximation, not the posterior: its intervals may be too narrow. k-hat is 1.2; of a close approximation "
        "it is at most 0.7."
    )
    assert [check.word for check in banner.noted] == ["not met"]
    assert "--engine gibbs" in banner.next_step
    page = render(fit, assessment)
    assert "banner passed doubtful" in page
    assert "What failed" not in page


def test_the_same_check_that_is_no_advice_fails() -> None:
    fit, assessment = assessed(mixture_fit("variational"), replace(poor_k_hat(), advisory=False))
    assert not assessment.passed
    assert describe(fit, assessment).state == "failed"


def test_a_failed_check_beside_advice_is_what_counts() -> None:
    fit, assessment = assessed(
        mixture_fit("variational"), poor_k_hat(), Verdict("converged", 0, 1, ">=", False, "", "more steps")
    )
    banner = describe(fit, assessment)
    assert banner.state == "failed"
    assert [check.name for check in banner.failed] == ["Convergence"]
    assert "other check" not in banner.sentence


def test_the_index_does_not_count_advice_as_failure() -> None:
    fit, assessment = assessed(mixture_fit("variational"), poor_k_hat())
    entry = RunEntry.of(fit, assessment, href="a/report.html")
    assert (entry.state, entry.outcome) == ("passed", "doubtful")
    assert next(iter(entry.numbers)) == "weight[1]"
    assert "1 failed" not in render_index([entry])
    record = {"name": "pareto_k", "value": 1.2, "passed": False, "advisory": True}
    assert (checked([record])["state"], checked([record])["adequate"]) == ("passed", False)
    assert checked([{**record, "advisory": False}])["state"] == "failed"


def test_runs_of_mixtures_stand_side_by_side() -> None:
    rough = assessed(mixture_fit("variational"), poor_k_hat())
    runs = [
        Compared("a", *assessed(mixture_fit())),
        Compared("b", *rough),
        Compared("c", *assessed(mixture_fit("point"))),
    ]
    page = render_comparison(runs, command="bayeskit compare a b c")
    assert "b is an approximation whose intervals may be too narrow" in page
    assert "speak against" not in page
    assert "CRPS" not in page  # each point has the same prediction


# Figures

FIGURES = {
    "two columns": ({}, ["points", "density", "columns", "sharing"]),
    "one column": ({"n_columns": 1}, ["points", "sharing"]),
    "four columns": ({"n_columns": 4, "missing": True}, ["points", "density", "columns", "space", "sharing"]),
    "a point": ({"kind": "point"}, ["points", "density", "iterations", "columns"]),
    "a point, one column": ({"kind": "point", "n_columns": 1}, ["points", "iterations"]),
    "a process": ({"dp": True, "n_components": 9}, ["points", "density", "columns", "number", "sharing"]),
    "a choice": ({"selection": True}, ["points", "density", "columns", "choice", "sharing"]),
    "bare": ({"groups": False, "n_columns": 3}, ["points", "density", "columns", "space"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_each_run_has_its_figures(name: str) -> None:
    options, names = FIGURES[name]
    made = reported(mixture_fit(**options)).figures
    assert [figure.name for figure in made] == names
    for figure in made:
        assert figure.title
        assert figure.caption
        assert all(panel.alt for panel in figure.panels)
        assert all(json.loads(panel.spec) for panel in figure.panels)


@pytest.mark.parametrize("kind", ["mcmc", "point", "variational"])
def test_no_two_figures_of_a_page_have_the_same_name(kind: str) -> None:
    every = [figure.name for figure in figures_in(build(*assessed(mixture_fit(kind, n_columns=3, selection=True))))]
    assert len(set(every)) == len(every) >= 8


def figure_of(fit: Fit, name: str) -> object:
    return next(figure for figure in reported(fit).figures if figure.name == name)


def reported(fit: Fit) -> MixtureReport:
    made = mixture_report(fit)
    assert made is not None
    return made


def test_every_point_is_drawn_where_it_can_be() -> None:
    figure = figure_of(mixture_fit(missing=True), "points")
    markers = [trace for trace in figure.panels[0].data if trace.get("mode") == "markers"]
    rugs = [trace for trace in markers if trace["marker"]["symbol"] in ("line-ns", "line-ew")]
    assert sum(len(trace["x"]) for trace in markers if trace not in rugs) == 147
    assert sum(len(trace["x"]) for trace in rugs) == 3
    assert "3 points lack one of the two columns" in figure.note


def test_many_points_are_thinned_and_that_is_told() -> None:
    figure = figure_of(mixture_fit(n_points=4000, shape=(1, 40)), "points")
    drawn = sum(len(trace["x"]) for trace in figure.panels[0].data if trace.get("mode") == "markers")
    assert 1500 <= drawn <= 1650
    assert f"Drawn: {drawn:,} of 4,000 points." in figure.note


def test_more_components_than_colours_differ_in_their_symbols() -> None:
    made = read(n_components=9, n_points=600, shape=(1, 100))
    assert len(made.shown) == 9 > N_COLOURS
    looks = {
        (trace["marker"]["color"], trace["marker"]["symbol"])
        for trace in figure_of(mixture_fit(n_components=9, n_points=600, shape=(1, 100)), "points").panels[0].data
        if trace.get("mode") == "markers"
    }
    assert len(looks) == 9


def test_a_component_on_one_point_is_seen_however_narrow_it_is() -> None:
    fit = mixture_fit("point", n_columns=1)
    fit.posterior["posterior"]["sd"][..., 2, :] = 1e-5
    figure = figure_of(fit, "points")
    curve = next(trace for trace in figure.panels[0].data if trace.get("name") == "component 3" and "line" in trace)
    bars = figure.panels[0].data[0]["y"].max()
    assert max(curve["y"]) > 100 * bars
    assert figure.panels[0].layout["yaxis"]["range"][1] < 3.5 * bars
    assert "1 component is so narrow that its peak is cut off." in figure.note


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_colours_of_components_can_be_seen(scheme: str) -> None:
    palette = colours(scheme)
    for place in range(1, N_COLOURS + 1):
        assert contrast(palette[f"component-{place}"], palette["paper"]) >= 3


def test_the_sharing_of_points_is_drawn_sorted_with_numbers_at_the_axes() -> None:
    figure = figure_of(mixture_fit(), "sharing")
    layout = figure.panels[0].layout
    assert layout["xaxis"]["ticktext"] == ["1", "2", "3"]
    assert layout["xaxis"]["tickvals"] == sorted(layout["xaxis"]["tickvals"])


# Optimisation


def test_the_animation_has_a_frame_for_each_that_was_kept_and_ends_at_the_estimate() -> None:
    fit = mixture_fit("point")
    figure = figure_of(fit, "iterations")
    frames = figure.panels[0].behaviour["animation"]
    assert len(frames["frames"]) == len(frames["labels"]) == len(figure.frames) == 8
    assert figure.frames[-1].startswith("iteration 24 of 24: log likelihood ")
    assert len(figure.printed) == 3
    shown = figure.panels[0].data
    for place, change in zip(frames["traces"], frames["frames"][-1], strict=True):
        for name in set(change) & {"x", "y"}:
            np.testing.assert_array_equal(shown[place][name], change[name])


def test_frames_have_the_numbers_of_the_components_whatever_the_optimiser_called_them() -> None:
    fit = mixture_fit("point")
    turned = fit.posterior["history"].to_dataset().isel(frame_k=[2, 0, 1])
    other = replace(fit, posterior=fit.posterior.copy())
    other.posterior["history"] = xr.DataTree(turned)
    one, two = (read_frames(run, read()) for run in (fit, other))
    assert one is not None
    assert two is not None
    np.testing.assert_allclose(one.parameters.means, two.parameters.means)
    final = fit.posterior["posterior"]["mean"].to_numpy()[0, 0]
    np.testing.assert_allclose(one.parameters.means[-1], final, atol=0.05)


def test_log_likelihoods_are_those_of_the_data_in_their_units() -> None:
    fit = mixture_fit("point", n_columns=3, missing=True)
    made = read_mixture(fit)
    assert made is not None
    scaled = replace(made.draws, means=(made.draws.means - CENTRE) / SPREAD, sds=made.draws.sds / SPREAD)
    of_model = log_predictive((made.points - CENTRE) / SPREAD, scaled).sum()
    fit.posterior["history"]["log_likelihood"][:] = of_model
    np.testing.assert_allclose(log_likelihoods(fit), log_predictive(made.points, made.draws).sum(), rtol=1e-9)


def test_the_log_likelihood_by_iteration_tells_its_end_and_where_it_fell() -> None:
    fit = mixture_fit("point")
    figure = likelihood_figure(fit)
    assert figure is not None
    assert figure.note == ""
    assert "after 24 iterations" in figure.title
    fit.posterior["history"]["log_likelihood"][10] = -1000
    fallen = likelihood_figure(fit)
    assert fallen is not None
    assert "In 1 iterations it fell" in fallen.note


def test_the_running_median_is_of_the_last_values() -> None:
    values = np.array([5.0, 1.0, 3.0, 100.0, 4.0])
    np.testing.assert_array_equal(running_median(values, 3), [5.0, 3.0, 3.0, 3.0, 4.0])


def test_the_elbo_is_drawn_from_what_the_run_kept() -> None:
    figure = elbo_figure(mixture_fit("variational"))
    assert figure is not None
    assert "after 3,000 steps" in figure.title
    assert [trace["name"] for trace in figure.panels[0].data] == ["ELBO", "running median"]
    assert elbo_figure(mixture_fit()) is None


# Model fit, priors


def test_replications_are_judged_column_by_column() -> None:
    fit = mixture_fit(n_columns=3, missing=True)
    found = replications(fit)
    assert [one.name for one in found] == ["column_1", "column_2", "column_3"]
    assert [one.n_observed for one in found] == [149, 149, 149]
    assert all(one.log_likelihood is None for one in found)  # of other draws than were replicated


def test_points_are_left_out_where_the_likelihood_is_of_the_same_draws() -> None:
    fit = mixture_fit(shape=(1, 200))
    found = replications(fit)
    assert all(one.log_likelihood is not None for one in found)


def test_replications_of_another_shape_speak_against_the_model() -> None:
    fit = mixture_fit()
    fit.posterior["posterior_predictive"]["points"][:] *= 0.5
    banner = build(*assessed(fit)).banner
    assert not banner.adequate
    assert "misses something" in banner.sentence or "misses something" in banner.next_step


def test_priors_on_several_numbers_are_told_in_words_and_others_drawn() -> None:
    figure = build(*assessed(mixture_fit())).priors
    assert figure is not None
    labels = [panel.label for panel in figure.panels]
    assert "weight[1]: from the prior on weights, dirichlet(1)" in labels
    assert labels[-2:] == ["means: normal(0, 2)", "scales: lognormal(-0.7, 0.8), above 0"]
    assert "weights: dirichlet(1) and correlations: lkj(2)" in figure.note
    assert figure.title == "What the data made of the priors on weight and mean"


# Everywhere

PAGES = {
    "chains": (
        {"n_columns": 3, "missing": True, "selection": True, "shape": (2, 60)},
        [Verdict("components", 1, 3, ">=", False)],
    ),
    "one column": ({"n_columns": 1, "shape": (2, 60)}, []),
    "a point": (
        {"kind": "point"},
        [Verdict("monotone", 1e-3, 1e-8, "<=", False), Verdict("collapsed", 1, 0, "<=", False)],
    ),
    "a point, one column": ({"kind": "point", "n_columns": 1}, []),
    "an approximation": ({"kind": "variational", "n_columns": 3, "n_components": 2}, [poor_k_hat()]),
    "a process": ({"dp": True, "n_components": 9, "covariance": "tied", "n_points": 1700, "shape": (2, 60)}, []),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_japanese_page_has_no_english_sentence(page: str) -> None:
    options, verdicts = PAGES[page]
    assert english(render(*assessed(mixture_fit(**options), *verdicts), language="ja")) == []


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE)
@example(f"</script><script>alert('{MARK}')</script><{MARK}>")
def test_names_of_columns_cannot_become_markup(name: str) -> None:
    names = (name, f"{name} 2", f"{name} 3")
    for kind in ("mcmc", "point"):
        shape = (2, 40) if kind == "mcmc" else None
        fit, assessment = assessed(
            mixture_fit(kind, n_columns=3, names=names, missing=True, selection=True, shape=shape)
        )
        page = render(fit, assessment)
        assert MARK in page
        assert not raw_tags(page)
        assert page.count("<script>") == 2
        for figure in reported(fit).figures:
            for panel in figure.panels:
                assert not any(MARK in text and set(text) & set("<$") for text in plotted(panel))


def plotted(panel: object) -> list[str]:
    """Return what Plotly would read as its own kind of HTML."""
    layout = panel.layout
    axes = [value for name, value in [*layout.items(), *layout.get("scene", {}).items()] if "axis" in name]
    texts = [str(axis["title"]["text"]) for axis in axes]
    return texts + [re.sub(r"<br>|<extra></extra>", "", trace.get("hovertemplate", "")) for trace in panel.data]


@pytest.mark.parametrize("page", ["chains", "a point", "one column"])
def test_figures_have_their_printed_form_and_what_has_none_is_told(page: str, tmp_path: Path) -> None:
    told: list[str] = []
    figures = reported(mixture_fit(**PAGES[page][0])).figures
    made = {path.stem: path for path in save_figures(figures, tmp_path, "svg", warn=told.append)}
    for figure in figures:
        if figure.printed == ():
            assert figure.name not in made
            continue
        words = words_of(made[figure.name])
        assert squeezed(plain(figure.title)) in words
        for panel in figure.printed or figure.panels:
            assert all(squeezed(text) in words for text in texts_of(panel))
    assert [("space" in text) for text in told] == ([True] if page == "chains" else [])


def test_other_reports_are_what_they_were() -> None:
    fit = make_fit(n_days=60, n_draws=60)
    sections = build(fit, make_assessment(fit))
    assert sections.components is None
    assert sections.criteria == []
    assert not sections.priors_unused
