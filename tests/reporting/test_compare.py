"""Runs side by side: which is said to be better, what is refused, and that hostile names do no harm."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reporting.browsing import CHROMIUM, opened, overflow
from reporting.factories import make_assessment, make_fit
from reporting.program_factories import assessed, program_fit, program_values
from scipy.stats import norm

import bayeskit as bk
from bayeskit import runs
from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.types import Assessment, Fit, Quantity
from bayeskit.diagnostics.comparison import Score, Scores
from bayeskit.reporting.compare import Comparison, compare_runs, render_comparison
from bayeskit.reporting.compare_tables import Compared
from bayeskit.reporting.compare_words import decided

Y = np.random.default_rng(7).normal(1, 1, 120)
HOSTILE = ["<script>alert(1)</script>", "\"' onload=x %{x} $a$", "ر" * 40, "a" * 10_000]


def run(name: str, fit: Fit, assessment: Assessment | None = None) -> Compared:
    return Compared(name, fit, assessed(fit)[1] if assessment is None else assessment)


def weather_run(name: str, *, healthy: bool = True, **options: object) -> Compared:
    fit = make_fit(n_days=90, n_draws=120, healthy=healthy, **options)
    card = replace(fit.provenance.card, log_likelihood="sequential")
    fit = replace(fit, provenance=replace(fit.provenance, card=card))
    return Compared(name, fit, make_assessment(fit, healthy=healthy))


def program_run(name: str, kind: str = "mcmc", sd: float = 1.0, seed: int = 1, y: np.ndarray = Y) -> Compared:
    values = program_values(kind, seed)
    mean = np.random.default_rng(seed).normal(y.mean(), sd / np.sqrt(y.size), values["alpha"].shape)
    values |= {"alpha": mean}
    drawn = np.random.default_rng(seed).normal(mean[..., None], sd, (*mean.shape, y.size))
    terms = norm.logpdf(y, mean[..., None], sd)
    return run(
        name, program_fit(kind, values=values, observed={"y": y}, replicated={"y": drawn}, log_likelihood={"y": terms})
    )


@pytest.fixture(scope="module")
def programs() -> Comparison:
    return compare_runs([program_run("narrow", sd=1.0), program_run("wide", sd=2.5, seed=2)])


def test_the_verdict_comes_first_and_names_the_better(programs: Comparison) -> None:
    assert re.match(
        r"wide predicts worse than narrow: difference in elpd −\d+\.?\d*\s±\s\d+\.?\d* "
        r"\(leave-one-out, 120 observations\)\. Both runs passed their checks\.",
        programs.verdict,
    )
    assert programs.scores is not None
    assert [row.heading for row in programs.scores.rows] == ["narrow", "wide"]
    assert any("log_lik are independent" in note for note in programs.score_notes)


def test_models_that_predict_alike_are_not_ranked() -> None:
    made = compare_runs([program_run("a", seed=1), program_run("b", seed=2)])
    assert " predict alike: " in made.verdict
    assert "take the simpler model" in made.next_step


def test_a_few_observations_leave_it_open() -> None:
    """The negative control of the verdict: the same two models, but hardly any data."""
    made = compare_runs([program_run("a", sd=1.5, y=Y[:5]), program_run("b", sd=2.5, y=Y[:5])])
    assert made.verdict.startswith("The data do not say which of a and b predicts better: ")
    assert any("fewer than 100 observations" in note for note in made.score_notes)


def test_days_are_not_left_out_of_a_series() -> None:
    made = compare_runs([weather_run("level"), weather_run("trend", model="trend", seed=2)])
    assert made.scores is not None
    assert made.scores.columns[0] == "log predictive density a day ahead"
    assert made.score_notes[0].startswith("Leave-one-out was not used.")
    assert [name for name, _, _ in made.predictions] == ["temperature"]
    assert {figure.name for figure in made.figures} == {"paths", "apart", "overlay", "forest"}
    assert any(note.startswith("Only trend has slope") for note in made.notes)


def test_a_failed_run_is_said_first() -> None:
    made = compare_runs([weather_run("good"), weather_run("bad", healthy=False)])
    assert made.state == "failed"
    assert "bad failed its checks: do not rely" in made.verdict
    assert made.next_step.startswith("Mend bad first")
    first = made.checks[0]
    assert "failed" in first.states
    severities = [min({"failed": 0, "unchecked": 1, "passed": 2}[s] for s in row.states if s) for row in made.checks]
    assert severities == sorted(severities)


def test_other_data_are_compared_without_a_score() -> None:
    made = compare_runs([program_run("a"), program_run("b", y=Y + 1)])
    assert made.scores is None
    assert "was not computed (b: its observations are not those of a)" in made.verdict
    assert {figure.name for figure in made.figures} == {"overlay", "forest"}


def test_only_what_differs_is_in_sight(programs: Comparison) -> None:
    one, two = program_run("one"), program_run("two")
    two = replace(two, fit=replace(two.fit, provenance=replace(two.fit.provenance, seed=5)))
    found = compare_runs([one, two]).differences
    assert {topic: [row.heading for row in rows] for topic, rows in found.differing.items()} == {"Settings": ["seed"]}
    assert found.differing["Settings"][0].cells == ("1", "5")
    assert ("stan", "2.35.0") in found.agreeing["Versions"]
    assert programs.differences.differing == {}


def test_a_point_is_no_model_in_doubt() -> None:
    made = compare_runs([program_run("chains"), program_run("point", kind="point")])
    assert "predictive checks speak against" not in made.verdict
    assert "point is a point: how far it may be off nobody knows." in made.verdict


def test_a_point_never_wears_an_interval() -> None:
    made = compare_runs([program_run("chains"), program_run("point", kind="point"), program_run("fast", "variational")])
    assert "point" in dict(made.left_out)
    forest = next(figure for figure in made.figures if figure.name == "forest")
    panel = next(panel for panel in forest.panels if panel.layout["xaxis"]["title"]["text"] == "alpha")
    assert panel.layout["yaxis"]["ticktext"] == ["fast", "point", "chains"]
    lines = [trace for trace in panel.data if trace.get("mode") == "lines"]
    assert {trace["y"][0] for trace in lines} == {0, 2}
    assert {trace["line"]["color"] for trace in lines} == {"var(--run-1)", "var(--run-3)"}
    assert [trace["marker"].get("symbol") for trace in panel.data if trace.get("mode") == "markers"] == [
        None,
        "diamond-open",
        None,
    ]
    overlay = next(figure for figure in made.figures if figure.name == "overlay")
    assert len(overlay.panels[0].data) == 2
    assert overlay.panels[0].layout["shapes"][0]["line"]["color"] == "var(--run-2)"
    assert made.costs.rows[1].cells[-2:] == ("–", "–")


def test_a_quantity_in_other_units_or_of_another_meaning_is_told() -> None:
    def with_quantity(made: Compared, quantity: Quantity) -> Compared:
        card = replace(made.fit.provenance.card, quantities=(quantity,))
        return replace(made, fit=replace(made.fit, provenance=replace(made.fit.provenance, card=card)))

    kelvin = [with_quantity(program_run(name), Quantity("alpha", unit)) for name, unit in (("a", "°C"), ("b", "K"))]
    made = compare_runs(kelvin)
    assert "alpha is not drawn: it is in °C in a and K in b." in made.notes
    overlay = next(figure for figure in made.figures if figure.name == "overlay")
    assert "alpha" not in [panel.layout["xaxis"]["title"]["text"] for panel in overlay.panels]
    words = [
        with_quantity(program_run(name), Quantity("alpha", "", what)) for name, what in (("a", "one"), ("b", "two"))
    ]
    assert "alpha does not mean the same (in a: one and in b: two)." in compare_runs(words).notes


def test_runs_that_share_nothing_say_so() -> None:
    other = run("b", program_fit(values={"gamma": np.random.default_rng(1).normal(size=(4, 250))}))
    made = compare_runs([program_run("a"), other])
    assert made.notes[0] == "The runs share no quantity that could be drawn."
    assert made.figures == ()
    assert any(note == "Only b has gamma." for note in made.notes)


def test_ten_runs_have_colours_and_dashes() -> None:
    made = compare_runs([program_run(f"run {i}", seed=i) for i in range(8)])
    overlay = next(figure for figure in made.figures if figure.name == "overlay")
    looks = [(trace["line"]["color"], trace["line"]["dash"]) for trace in overlay.panels[0].data]
    assert len(set(looks)) == 8
    assert "All 8 runs passed their checks." in made.verdict


def test_hostile_names_do_no_harm() -> None:
    words = {"title": HOSTILE[0], "path": HOSTILE[1], "command": HOSTILE[0]}
    fits = [program_fit(words=words, observed={"y": Y}, replicated={"y": np.zeros((4, 250, Y.size))}) for _ in HOSTILE]
    page = render_comparison([run(name, fit) for name, fit in zip(HOSTILE, fits, strict=True)], command=HOSTILE[0])
    body = page[page.index("<body>") :]
    assert "<script>alert" not in body
    assert 'onload=x"' not in body
    assert "%{x} $a$: %{x" not in body


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; on Debian: apt-get install chromium")
@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1280, "light")])
def test_the_page_opens_quietly_and_fits(browser: object, tmp_path: Path, width: int, scheme: str) -> None:
    made = [weather_run("level"), weather_run("a-name-that-goes-on-and-on-and-on-for-long", model="trend", seed=2)]
    path = tmp_path / "compare.html"
    path.write_text(render_comparison(made, command="bayeskit compare level trend"), encoding="utf-8")
    page, troubles = opened(browser, path, width, scheme)
    assert troubles == []
    assert overflow(page) == 0
    page.locator("#fig-paths .zooms button", has_text="1 month").click()
    page.wait_for_timeout(300)
    assert page.evaluate("document.querySelector('#fig-paths .plot').layout.xaxis.range")[0] > "2012-01-02"
    assert troubles == []
    page.context.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the same name in two folders."""
    place = tmp_path_factory.mktemp("runs")
    for parent, seed in (("one", 1), ("two", 2)):
        (place / parent / "prog").mkdir(parents=True)
        made = program_run("prog", seed=seed)
        runs.save(made.fit, made.assessment, place / parent / "prog")
        (place / parent / "prog" / "report.html").touch()
    return place


def test_from_folders_to_a_page(folder: Path, tmp_path: Path) -> None:
    out = bk.compare([folder / "one" / "prog", folder / "two" / "prog"], tmp_path / "compare.html")
    page = out.read_text("utf-8")
    assert "Compared: one/prog and two/prog" in page
    assert 'href="./' in page
    assert "one/prog/report.html" in page
    assert bk.compare([folder / "one" / "prog", folder / "two" / "prog"], out) == out  # its own page is replaced


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["one/prog"], "at least two run folders, got 1"),
        (["one/prog", "one/../one/prog"], "is given twice"),
        (["one/prog", "nowhere"], "there is no run.json"),
        (["one/prog", "one"], "there is no run.json"),
    ],
)
def test_bad_runs_are_refused_in_a_line(folder: Path, tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        bk.compare([folder / name for name in names], tmp_path / "compare.html")
    assert not (tmp_path / "compare.html").exists()


def test_a_run_without_draws_is_refused(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(folder / "one" / "prog", empty)
    (empty / "posterior.nc").unlink()
    with pytest.raises(DataError, match="has no draws; fit again"):
        bk.compare([folder / "two" / "prog", empty], tmp_path / "compare.html")


def test_somebody_elses_file_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    both = [folder / "one" / "prog", folder / "two" / "prog"]
    other = tmp_path / "notes.html"
    other.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="no page of bayeskit's; it is not replaced"):
        bk.compare(both, other)
    assert other.read_text("utf-8") == "mine"
    with pytest.raises(ConfigError, match="is a folder"):
        bk.compare(both, tmp_path)
    with pytest.raises(ConfigError, match="no catalogue for the language 'xx'"):
        bk.compare(both, tmp_path / "new.html", language="xx")


@pytest.mark.parametrize(
    ("basis", "optimism", "clear"), [("one-step", 2.0, True), ("one-step", 8.0, False), ("loo", 8.0, True)]
)
def test_an_advantage_that_comes_from_more_parameters_decides_nothing(basis, optimism, clear):
    rows = {"large": Score(-100.0, 5.0, optimism, 0.0, 0.0), "small": Score(-108.0, 5.0, 2.0, -8.0, 1.0)}
    assert decided(Scores(rows, {}, basis, 200)) is clear
