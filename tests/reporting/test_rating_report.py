"""The page of a factorisation: what it says, what its figures hold, and what it does not claim."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, example, given, settings
from reporting.rating_factories import assessed
from reporting.rating_factories import rating_fit as make_fit
from reporting.test_escaping import HOSTILE, MARK, raw_tags
from reporting.test_print_figures import silent, squeezed, words_of

from bayeskit.core.types import Fit, Verdict
from bayeskit.core.words import NO_BREAK
from bayeskit.reporting import RunEntry, render
from bayeskit.reporting import figures as f
from bayeskit.reporting.calibration_hint import calibration_hint
from bayeskit.reporting.engine_facts import engine_facts
from bayeskit.reporting.figures_rating_calibration import BINS, bar_heights, bar_limits, covered
from bayeskit.reporting.figures_rating_data import ratings_figure
from bayeskit.reporting.group_tables import GroupTable
from bayeskit.reporting.model_fit import judge
from bayeskit.reporting.print_figures import figures_in, save_figures
from bayeskit.reporting.print_panel import texts_of
from bayeskit.reporting.print_style import plain
from bayeskit.reporting.rating_reading import read_factorisation
from bayeskit.reporting.rating_report import RatingReport, rating_followed, rating_priors, rating_report
from bayeskit.reporting.rating_summary import Summary, summarise
from bayeskit.reporting.rating_view import Factorisation, HeldOut
from bayeskit.reporting.sections import build

SHORT = (2, 60)
FORMS: dict[str, dict[str, Any]] = {
    "normal": {"kind": "variational", "baselines": True},
    "ordinal": {"likelihood": "ordinal", "family": "ard", "features": True, "shape": SHORT},
    "point": {"kind": "point"},
}


rating_fit = cache(make_fit)
_REPORTS: dict[int, tuple[Fit, RatingReport]] = {}


@pytest.fixture(autouse=True)
def a_rough_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayeskit.reporting.rating_tastes._STEPS", 250)


def read(fit: Fit) -> Factorisation:
    found = read_factorisation(fit)
    assert found is not None
    return found


def summary_of(fit: Fit) -> Summary:
    summary = summarise(read(fit))
    assert summary is not None
    return summary


def held_out_of(fit: Fit) -> HeldOut:
    tested = read(fit).tested
    assert tested is not None
    return tested


def reported(fit: Fit) -> RatingReport:
    if id(fit) not in _REPORTS:
        made = rating_report(*assessed(fit))
        assert made is not None
        _REPORTS[id(fit)] = fit, made
    return _REPORTS[id(fit)][1]


def items_of(report: RatingReport) -> list[f.Figure | GroupTable]:
    return [*report.results, *report.predictive, *report.computation]


def figure_of(fit: Fit, name: str) -> f.Figure:
    return next(item for item in items_of(reported(fit)) if isinstance(item, f.Figure) and item.name == name)


def table_of(fit: Fit, title: str) -> GroupTable:
    found = items_of(reported(fit))
    return next(item for item in found if isinstance(item, GroupTable) and re.match(title, item.title))


def names_of(report: RatingReport) -> set[str]:
    return {item.name if isinstance(item, f.Figure) else item.title for item in items_of(report)}


def changed(fit: Fit, group: str, **variables: Any) -> Fit:
    tree = fit.posterior.copy()
    tree[group] = xr.DataTree(tree[group].to_dataset().assign(variables))
    return replace(fit, posterior=tree)


def without(fit: Fit, group: str, *names: str) -> Fit:
    """Return a fit that has lost variables, or a whole group."""
    tree = fit.posterior.copy()
    if names:
        tree[group] = xr.DataTree(tree[group].to_dataset().drop_vars(list(names)))
    else:
        del tree[group]
    return replace(fit, posterior=tree)


# What is read of a run


DAMAGES: dict[str, tuple[str, ...]] = {
    "users": ("occupation",),
    "items": ("title", "year"),
    "ratings": ("value",),
    "held_out": ("mean", "pit", "low", "log_density"),
    "factors": ("mu", "user_rows"),
    "history": ("train_rmse", "test_rmse_so_far"),
}


@pytest.mark.parametrize("group", DAMAGES)
def test_what_a_damaged_run_has_lost_is_left_out(group: str) -> None:
    fit = rating_fit(shape=SHORT)
    for names in [(), *((name,) for name in DAMAGES[group])]:
        damaged = without(fit, group, *names)
        report = rating_report(*assessed(fit) if group == "held_out" else assessed(damaged))
        assert (report is None) == (not names and group in ("users", "items"))
    assert names_of(reported(without(fit, "factors"))) == {
        *("calibration", "predictions", "The largest surprises", "errors"),
    }


@pytest.mark.parametrize(
    ("group", "broken"),
    [
        ("ratings", {"item": ("training_rating", np.full(708, 99))}),
        ("factors", {"user_rows": (("c", "d", "user", "wide"), np.ones((2, 6, 60, 9)))}),
        ("held_out", {"user": ("test_rating", np.full(229, -1))}),
        ("held_out", {"pit": ("test_rating", np.full(229, np.nan))}),
        ("users", {"user_name": ("someone", np.array(["only one"]))}),
    ],
)
def test_numbers_that_cannot_be_are_not_shown(group: str, broken: dict[str, Any]) -> None:
    fit, assessment = assessed(rating_fit(shape=SHORT))
    rating_report(changed(without(fit, group, *broken), group, **broken), assessment)


def test_other_reports_are_what_they_were() -> None:
    from reporting.block_factories import block_fit

    fit = block_fit(shape=SHORT)
    assert read_factorisation(fit) is None
    assert rating_priors(fit, assessed(rating_fit(shape=SHORT))[1]) == []


# What the first screen says


def test_the_first_screen_tells_error_baselines_coverage_and_the_best_items() -> None:
    fit, assessment = assessed(rating_fit(shape=SHORT))
    found, tested, summary = read(fit), held_out_of(fit), summary_of(fit)
    told = " ".join(reported(fit).headline)
    assert found.rated is not None
    assert assessment.metrics["test_rmse"] == pytest.approx(tested.rmse)
    assert f"predicted to within {tested.rmse:.3f} on a scale of 1 to 5 (root mean square error of 229;" in told
    mean = np.sqrt(np.mean((tested.rating - found.rated.mean) ** 2))
    alone = np.sqrt(np.mean((tested.rating - found.means_alone) ** 2))
    assert f"The mean of all ratings would err by {mean:.3f}, the means of users and items by {alone:.3f}" in told
    assert f"takes {100 * (1 - tested.rmse / alone):.0f}{NO_BREAK}% off" in told
    assert tested.coverage == pytest.approx(assessment.metrics["coverage_95"])
    assert f"95{NO_BREAK}% intervals hold {100 * assessment.metrics['coverage_95']:.0f}{NO_BREAK}%" in told
    best = int(summary.items.mean.argmax())
    assert f"were all users to rate them: Film {best + 1} ({1960 + best}) ({summary.items.mean[best]:.3f}" in told


def test_factors_that_help_nothing_are_told_as_such() -> None:
    fit = rating_fit(shape=SHORT)
    worse = changed(fit, "held_out", mean=("test_rating", np.full(229, 1.0)))
    assert "That is no better than without factors" in " ".join(reported(worse).headline)


def test_without_test_ratings_nothing_is_said_of_predictions() -> None:
    report = reported(rating_fit(tested=False, shape=SHORT))
    assert "None was held out" in report.headline[0]
    assert report.predictive == []


def test_a_point_estimate_wears_no_interval() -> None:
    fit, assessment = assessed(rating_fit("point"))
    report = reported(fit)
    texts = [*report.headline]
    for item in items_of(report):
        texts += [item.title, *(item.columns if isinstance(item, GroupTable) else ())]
        if isinstance(item, GroupTable):
            texts += [item.caption, item.note, *(part for row in item.rows for cell in row.cells for part in cell)]
            assert all(len(row.cells) == len(item.columns) for row in item.rows)
    assert not [text for text in texts if "±" in text or "interval" in text or "95 %" in text.replace(NO_BREAK, " ")]
    assert not {"calibration", "levels"} & names_of(report)
    sections = build(fit, assessment)
    assert "not a posterior" in sections.banner.sentence
    assert "--engine gibbs" in sections.banner.next_step
    assert "from −0.20 to 6.98 on a scale of 1 to 5: 0.5" in " ".join(report.headline)
    assert ("loss", "902.7") in [(name, text.rstrip("0")) for name, text in engine_facts(fit)]
    assert any("interval" in column for column in table_of(rating_fit(shape=SHORT), "Best liked").columns)


def test_what_to_do_next_names_a_user_and_what_was_not_tried() -> None:
    def advised(**options: Any) -> str:
        fit, assessment = assessed(make_fit("variational", **options))
        return str(build(fit, assessment).banner.next_step)

    normal = advised()
    assert "`bayeskit recommend RUN --user u1`" in normal
    assert "--features all" in normal
    ordinal = advised(likelihood="ordinal", features=True)
    assert "--features" not in ordinal
    assert "--user USER`" in advised(names={"user": "`$(rm)` "})


def test_calibration_is_offered_with_a_command_that_simulates_small_ones() -> None:
    told = calibration_hint(rating_fit(shape=SHORT).provenance)
    assert "`bayeskit calibrate bmf ratings.csv --engine gibbs`" in told


def test_an_index_shows_the_scores() -> None:
    entry = RunEntry.of(*assessed(rating_fit(shape=SHORT)), href="a/report.html")
    assert {"factors", "test RMSE", "test MAE", "coverage of 95 % intervals"} <= set(entry.numbers)


# Whether it can be relied on


def test_intervals_that_are_right_or_not_are_judged() -> None:
    right, narrow = (rating_fit("variational", n_users=150, sharpness=sharpness) for sharpness in (1.0, 2.0))
    told, doubted = judge(right)[0], judge(narrow)[0]
    assert told is not None
    assert doubted is not None
    assert told.adequate
    assert not doubted.adequate
    assert doubted.sentence.startswith("The model misses something: intervals of 95")
    fit, assessment = assessed(narrow)
    assert {v.name for v in assessment.verdicts if v.advisory and not v.passed} >= {"coverage", "pit"}
    lumpy = changed(right, "held_out", pit=("test_rating", np.repeat(0.5, right.posterior["held_out"]["pit"].size)))
    told = judge(lumpy)[0]
    assert told is not None
    assert told.adequate
    assert "For the chance of each level fit them as ordered (--likelihood ordinal)" in told.sentence
    sections = build(fit, replace(assessment, verdicts=tuple(v for v in assessment.verdicts if v.advisory)))
    assert sections.banner.state == "passed"
    assert not sections.banner.rough  # the approximation is not at fault
    assert {check.name for check in sections.banner.noted} >= {"Coverage of 95 % intervals, off by"}


def test_levels_are_judged_by_how_far_their_chances_are_off() -> None:
    right, wrong = (
        judge(rating_fit(likelihood="ordinal", n_users=300, shape=SHORT, sharpness=s))[0] for s in (1.0, 2.5)
    )
    assert right is not None
    assert wrong is not None
    assert "PIT is uniform" in right.sentence
    assert re.search(r"chances of levels are off by up to [\d.]+", wrong.sentence)
    assert (right.adequate, wrong.adequate) == (True, False)


def test_a_band_holds_all_bars_as_often_as_it_says() -> None:
    rng, n = np.random.default_rng(1), 2000
    low, high = bar_limits(n)
    heights = np.array([bar_heights(rng.random(n)) for _ in range(400)])
    inside = ((heights >= low) & (heights <= high)).all(1).mean()
    assert 0.91 < inside < 0.99
    off = bar_heights(rng.beta(1.3, 1.3, n))
    assert not ((off >= low) & (off <= high)).all()


def test_bars_and_coverage_are_those_of_the_transform() -> None:
    fit = rating_fit(shape=SHORT)
    pit = fit.posterior["held_out"]["pit"].to_numpy()
    histogram, coverage = figure_of(fit, "calibration").panels
    np.testing.assert_allclose(histogram.data[0]["y"], np.histogram(pit, BINS, (0, 1))[0] / pit.size * BINS, atol=1e-12)
    line = coverage.data[3]
    for nominal, actual in zip(line["x"], line["y"], strict=True):
        assert actual == np.mean((pit >= (1 - nominal) / 2 - 1e-12) & (pit <= (1 + nominal) / 2 + 1e-12))
    assert covered(pit, 0.95) == coverage.data[4]["y"][2]


def test_dots_of_levels_say_how_many_gave_them() -> None:
    fit = rating_fit(likelihood="ordinal", n_users=200, shape=SHORT)
    tested, figure = held_out_of(fit), figure_of(fit, "levels")
    dots = [trace for trace in figure.panels[0].data if trace.get("name") == "level 5"]
    assert tested.chances is not None
    assert len(dots) == 1
    assert np.mean(dots[0]["y"]) == pytest.approx(np.mean(tested.rating == 5), abs=0.01)
    assert np.mean(dots[0]["x"]) == pytest.approx(tested.chances[:, 4].mean(), abs=0.01)
    assert re.match(r"Levels come as often as predicted in (4[89]|50) of 50", figure.title)


# What the figures hold


def test_the_table_is_blank_where_there_is_no_rating_and_beside_it_nothing_is() -> None:
    fit = rating_fit(shape=SHORT)
    found, summary = read(fit), summary_of(fit)
    seen, expected = figure_of(fit, "ratings").panels
    names = seen.behaviour["names"]
    users = [found.users.names.tolist().index(name) for name in names["y"]]
    titles = [found.items.title(item) for item in range(len(found.items))]
    items = [titles.index(title) for title in names["x"]]
    assert found.rated is not None
    given = {(u, i): v for u, i, v in zip(found.rated.user, found.rated.item, found.rated.value, strict=True)}
    for row, user in enumerate(users):
        for column, item in enumerate(items):
            cell = seen.data[0]["z"][row, column]
            assert cell == given[user, item] if (user, item) in given else np.isnan(cell)
    assert np.isfinite(expected.data[0]["z"]).all()
    place = summary.shown_users.tolist().index(users[0]), summary.shown_items.tolist().index(items[0])
    assert expected.data[0]["z"][0, 0] == summary.shown[place]


def test_opposite_corners_hold_users_and_items_that_go_together() -> None:
    cells = figure_of(rating_fit(effect=1.0, shape=SHORT), "ratings").panels[1].data[0]["z"]
    left = cells - cells.mean(0) - cells.mean(1, keepdims=True) + cells.mean()
    n, m = (size // 4 for size in left.shape)
    assert min(left[:n, :m].mean(), left[-n:, -m:].mean()) > max(left[:n, -m:].mean(), left[-n:, :m].mean())


def test_errors_stand_at_their_sweeps_beside_what_means_alone_would_do() -> None:
    fit = rating_fit()
    figure, found, tested = figure_of(fit, "errors"), read(fit), held_out_of(fit)
    train, test = figure.panels
    assert [trace["x"][-1] for trace in train.data] == [170, 170]
    drawn = fit.posterior["posterior"]["test_rmse"].to_numpy()
    np.testing.assert_array_equal(test.data[0]["y"], drawn[0])
    assert (test.data[0]["x"][0], test.data[0]["x"][-1]) == (51, 170)
    alone = np.sqrt(np.mean((tested.rating - found.means_alone) ** 2))
    assert [shape["y0"] for shape in test.layout["shapes"]] == pytest.approx([tested.rmse, alone])
    assert f"the mean of all by {tested.rmse:.3f}" in figure.title
    assert "errors" not in names_of(reported(rating_fit("variational")))


def test_a_point_that_learns_noise_is_told_by_its_epochs() -> None:
    fit = rating_fit("point")
    test = fit.posterior["history"]["test_rmse"].to_numpy()
    assert f"is least in epoch {test.argmin() + 1} ({test.min():.3f}), and {test[-1]:.3f} at the end" in (
        figure_of(fit, "errors").title
    )


def test_factors_have_their_strength_and_relevance() -> None:
    fit = rating_fit(family="ard", shape=SHORT)
    figure, ranks = figure_of(fit, "factors"), fit.posterior["posterior"]["effective_rank"].to_numpy()
    assert figure.title.startswith(f"Of 3 factors {ranks.mean():.2f}")
    assert len(figure.panels) == 2
    scales = fit.posterior["posterior"]["factor_sd"].to_numpy().reshape(-1, 3)
    np.testing.assert_allclose(figure.panels[1].data[-1]["y"], scales.mean(0))
    np.testing.assert_allclose(figure.panels[0].data[-1]["y"], summary_of(fit).singular.mean(0))
    assert len(figure_of(rating_fit(shape=SHORT), "factors").panels) == 1


def test_expectations_are_held_against_what_was_given() -> None:
    fit = rating_fit(shape=SHORT)
    tested, figure = held_out_of(fit), figure_of(fit, "predictions")
    means = [tested.mean[tested.rating == level].mean() for level in (5, 1)]
    assert figure.title == (
        f"Where 5 was given it expected {means[0]:.2f} on average, where 1 was given {means[1]:.2f}"
    )


def test_the_data_are_counted() -> None:
    fit = rating_fit(shape=SHORT)
    figure, counts = ratings_figure(fit), read(fit).counts("user")
    assert figure is not None
    assert figure.title.startswith(f"Half of the users rated {int(np.median(counts))} items or more")
    assert sum(figure.panels[0].data[0]["y"]) == pytest.approx(1.0)


# What the tables hold


def test_items_are_listed_by_what_everybody_would_give() -> None:
    fit = rating_fit(shape=SHORT)
    found, summary = read(fit), summary_of(fit)
    table = table_of(fit, "Best liked")
    order = np.argsort(-summary.items.mean)
    assert [row.name for row in table.rows] == [found.items.title(int(item)) for item in order[:8]]
    low, high = np.quantile(summary.items.draws[:, order[0]], [0.025, 0.975])
    assert [cell[0] for cell in table.rows[0].cells[:3]] == [
        f"{summary.items.mean[order[0]]:.2f}",
        f"{low:.2f} to {high:.2f}",
        str(found.counts("item")[order[0]]),
    ]
    divisive = table_of(fit, "Where tastes differ most")
    assert divisive.rows[0].name == found.items.title(int(summary.splits.mean.argmax()))
    friends, foes, half = (float(divisive.rows[0].cells[place][0]) for place in (0, 1, 2))
    assert (friends - foes) / 2 == pytest.approx(half, abs=0.011)
    unsure = table_of(fit, "What the ratings say least of")
    assert unsure.rows[0].name == found.items.title(int(summary.items.sd.argmax()))


def test_users_are_listed_from_both_ends_with_who_they_are() -> None:
    fit = rating_fit(shape=SHORT)
    summary, table = summary_of(fit), table_of(fit, "The most generous")
    order = np.argsort(-summary.users.mean)
    assert [row.name for row in table.rows] == [f"user u{user + 1}" for user in [*order[:5], *order[-5:]]]
    assert table.rows[0].cells[-1][0].startswith(("artist", "doctor", "writer"))
    assert "who" not in table_of(rating_fit(tables=False, shape=SHORT), "The most generous").columns


def test_surprises_are_the_least_likely_ratings() -> None:
    fit = rating_fit(shape=SHORT)
    found, tested, table = read(fit), held_out_of(fit), table_of(fit, "The largest surprises")
    assert tested.log_density is not None
    least = int(tested.log_density.argmin())
    assert table.rows[0].name == found.items.title(int(tested.item[least]))
    assert table.rows[0].cells[0][0] == found.users.names[tested.user[least]]
    assert table.rows[0].cells[1][0] == f"{tested.rating[least]:g}"
    point = rating_fit("point")
    farthest = np.abs(held_out_of(point).rating - held_out_of(point).mean).argmax()
    assert table_of(point, "The largest surprises").rows[0].name == found.items.title(int(tested.item[farthest]))


def test_genres_and_occupations_have_the_mean_of_their_members() -> None:
    fit = rating_fit(shape=SHORT)
    summary, kinds = summary_of(fit), table_of(fit, "What kinds of items")
    genres = fit.posterior["items"]["genres"].to_numpy()
    noir = np.flatnonzero(["Film-Noir" in text for text in genres])
    row = next(row for row in kinds.rows if row.name == "genres: Film-Noir")
    mean = summary.items.draws[:, noir].mean()
    assert [row.cells[0][0], row.cells[2][0]] == [f"{mean:.2f}", str(noir.size)]
    assert next(row.name for row in kinds.rows if row.name.startswith("year")) == "year: 1960 to 1970"
    assert any(row.name == "occupation: writer" for row in table_of(fit, "Who is generous").rows)


def test_features_are_listed_by_how_much_they_tell() -> None:
    fit = rating_fit("variational", features=True)
    table = table_of(fit, "How much each group of features tells")
    assert [row.name for row in table.rows][-1] == "users: age"
    values = fit.posterior["posterior"]["user_lambda"].to_numpy()[..., 1]
    assert table.rows[-1].cells[0][0] == f"{np.median(values) ** -0.5:.2f}"


def test_missing_taken_as_zero_is_shown_for_what_it_does() -> None:
    table = table_of(rating_fit(shape=SHORT, baselines=True), "Missing")
    assert table.title == "Missing taken as zero predicts ratings from −1.2 to 10.4 on a scale of 1 to 5"
    assert [row.name for row in table.rows][-1] == "this run"
    assert [cell[0] for cell in table.rows[0].cells] == ["taken as zero", "2.610", "−1.2", "10.4", f"61.0{NO_BREAK}%"]
    assert not any("Missing" in name for name in names_of(reported(rating_fit(shape=SHORT))))


def test_tastes_are_titled_by_what_was_found() -> None:
    assert figure_of(rating_fit(shape=SHORT), "tastes").title.startswith(
        "Occupation says little of taste: p\u00a0=\u00a00."
    )
    planted = rating_fit(effect=1.0, shape=SHORT)
    assert "Occupation says something of taste: it explains" in figure_of(planted, "tastes").title
    assert table_of(planted, "What goes with taste").title == "What goes with taste: occupation"
    told = figure_of(rating_fit("variational", features=True), "tastes").caption
    assert "The fit was told of users (occupation, age)" in told


# Chains and priors


def test_chains_are_followed_through_what_no_rotation_changes() -> None:
    fit, assessment = assessed(rating_fit(family="ard", shape=SHORT))
    labels = [scalar.label for scalar in rating_followed(fit, assessment)]
    assert labels[:2] == ["level", "sigma"]
    assert "factor_sd[0]" in labels
    assert not {"log_lik", "rating[u1:i1]"} & set(labels)


def test_priors_are_held_against_what_they_are_on() -> None:
    fit, assessment = assessed(rating_fit("variational", family="ard", features=True))
    found = {scalar.label: scalar for scalar in rating_priors(fit, assessment)}
    rated, sigma = read(fit).rated, fit.posterior["posterior"]["sigma"].to_numpy()
    assert rated is not None
    np.testing.assert_allclose(found["tau"].draws, (rated.value.std() / sigma) ** 2)
    scales = fit.posterior["posterior"]["factor_sd"].to_numpy()
    np.testing.assert_allclose(found["alpha[2]"].draws, scales[..., 2] ** -2.0)
    assert found["user_lambda[age]"].quantity.name == "lambda"
    figure = build(fit, assessment).priors
    assert figure is not None
    assert figure.title == "What the data made of the priors on tau, alpha, user_lambda and item_lambda"


# Everywhere


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE)
@example(f"</script><script>alert('{MARK}')</script><{MARK}>")
def test_names_cannot_become_markup(name: str) -> None:
    fit, assessment = assessed(
        make_fit("variational", names=dict.fromkeys(("user", "item", "title", "occupation"), name))
    )
    page = render(fit, assessment)
    assert MARK in page
    assert not raw_tags(page)
    assert page.count("<script>") == 2
    for figure in figures_in(build(fit, assessment)):
        for panel in figure.panels:
            assert not any(MARK in text and set(text) & set("<$") for text in plotted(panel))


def plotted(panel: f.Panel) -> list[str]:
    """Return what Plotly would read as its own kind of HTML."""
    texts = [note["text"] for note in panel.layout.get("annotations", ())]
    for trace in panel.data:
        told = trace.get("text", ())
        texts += [str(text) for text in (told if isinstance(told, list) else [told])]
        texts += [trace.get("name", ""), trace.get("hovertemplate", "")]
    names = panel.behaviour.get("names", {"x": [], "y": []})
    return [re.sub(r"<br>|<extra></extra>", "", text) for text in [*texts, *names["x"], *names["y"]]]


@pytest.mark.parametrize("form", FORMS)
def test_figures_have_their_printed_form(form: str, tmp_path: Path) -> None:
    fit = rating_fit(**FORMS[form])
    data = ratings_figure(fit)
    assert data is not None
    figures = [*figures_in(items_of(reported(fit))), data]
    assert len({figure.name for figure in figures}) == len(figures)
    made = {path.stem: path for path in save_figures(figures, tmp_path, "svg", warn=silent)}
    for figure in figures:
        words = words_of(made[figure.name])
        assert squeezed(plain(figure.title)) in words
        for panel in figure.panels:
            assert all(squeezed(text) in words for text in texts_of(panel))


@pytest.mark.parametrize("form", ["normal", "point"])
def test_a_page_is_whole_and_the_same_each_time(form: str) -> None:
    fit, assessment = assessed(rating_fit(**FORMS[form]))
    page = render(fit, assessment)
    assert page == render(fit, assessment)
    for name in ("ratings", "tastes", "factors", "predictions", "given"):
        assert f'id="fig-{name}"' in page
    assert "had not seen is held against what was then given" in page


def test_failed_chains_are_told_before_all_else() -> None:
    fit, assessment = assessed(rating_fit("variational"))
    failed = replace(assessment, verdicts=(Verdict("pareto_k", 1.3, 0.7, "<=", False),))
    sections = build(fit, failed)
    assert sections.banner.state == "failed"
    assert sections.banner.sentence.startswith("Do not use these numbers")
