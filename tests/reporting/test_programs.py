"""Reports of any program: its own names, nothing that it does not have, short however much it computes."""

from dataclasses import replace

import numpy as np
import pytest
from reporting.program_factories import assessed, densities, program_fit
from reporting.test_escaping import MARK, raw_tags
from reporting.test_report import Page

from bayeskit.core.types import Quantity
from bayeskit.reporting import RunEntry, render, render_index
from bayeskit.reporting.overview import MAX_ROWS, overview
from bayeskit.reporting.sections import build
from bayeskit.reporting.verdict import describe

SECTIONS = ["verdict", "results", "computation", "assumptions", "again"]


def banner_of(html):
    return html.split('<section id="verdict"')[1].split("</section>")[0]


@pytest.fixture(scope="module")
def sampled():
    return render(*assessed(program_fit()))


@pytest.mark.parametrize("kind", ["mcmc", "variational", "point", "iid"])
def test_there_are_no_headings_without_anything_below_them(kind):
    statistics = densities() if kind == "variational" else None
    page = Page(render(*assessed(program_fit(kind, statistics=statistics, attributes={"converged": 1}))))
    assert not page.open
    assert [attributes["id"] for attributes in page.of("section")] == SECTIONS
    text = " ".join(part for part in page.text if "{" not in part)
    for absent in ("Priors", "priors on", "Does the model fit?", "> unit", "Plots of Markov chains"):
        assert absent not in text
    assert "3 Did the computation work?" in " ".join(text.split())
    links = [str(a["href"])[1:] for a in page.of("a") if str(a.get("href")).startswith("#")]
    assert set(links) <= {str(attributes.get("id")) for _, attributes in page.elements}


def test_scalars_come_first_and_names_are_the_programs_own_counted_from_1(sampled):
    rows = overview(*assessed(program_fit())).rows
    assert [row.label for row in rows] == [
        "alpha", "z.real", "beta[1]", "beta[2]", "beta[3]", "L[1,1]", "L[1,2]", "L[2,1]", "L[2,2]", "t.1[1]", "t.1[2]",
    ]  # fmt: skip
    assert {row.label: row.value for row in rows}["L[1,2]"] == "0 (constant)"
    assert "beta[0]" not in sampled
    assert "Section 4 lists what was assumed" in sampled
    assert 'id="fig-ranks"' in sampled


def test_the_data_are_listed_with_their_sizes(sampled):
    assert "<h3>The data</h3>" in sampled
    fit = program_fit()
    bare = replace(fit, provenance=replace(fit.provenance, data=replace(fit.provenance.data, variables={})))
    assert "<h3>The data</h3>" not in render(*assessed(bare))


def test_what_the_card_says_of_a_quantity_stands_beside_it():
    fit = program_fit()
    card = replace(fit.provenance.card, quantities=(Quantity("alpha", "kg", "the mean weight"),))
    html = render(*assessed(replace(fit, provenance=replace(fit.provenance, card=card))))
    assert "The mean weight." in html
    assert "\u00a0kg</dd>" in html


def test_thousands_of_quantities_make_a_short_report():
    rng = np.random.default_rng(4)
    values = {f"group{i}": rng.normal(size=(4, 60, 100)) for i in range(50)} | {
        f"scalar{i}": rng.normal(size=(4, 60)) for i in range(100)
    }
    fit, assessment = assessed(program_fit(values=values))
    assert len(assessment.summary) == 5100
    html = render(fit, assessment)
    assert len(html.encode()) < 8_000_000
    table = overview(fit, assessment)
    assert table.total == 5100
    assert table.shown <= 2 * MAX_ROWS
    assert f"{table.shown} of 5,100 are shown" in html
    assert "… 60 more variables: scalar40" in html
    assert "more of group0, in summary.csv" in html
    assert "The 10 worst of the other quantities" in html


def test_numbers_of_any_size_can_be_read():
    rng = np.random.default_rng(5)
    values = {"huge": 1e15 + 1e12 * rng.normal(size=(4, 250)), "tiny": 1e-12 * rng.normal(size=(4, 250))}
    rows = {row.label: row.value for row in overview(*assessed(program_fit(values=values))).rows}
    assert rows["huge"].startswith("1.0000")
    assert rows["huge"].count("e+") == 2
    assert len(rows["tiny"]) < 25


def test_arrays_are_drawn_along_their_own_index_however_they_are_thinned():
    values = {"theta": np.random.default_rng(6).normal(size=(1, 90, 4000)), "small": np.ones((1, 90, 2))}
    figures = build(*assessed(program_fit("iid", values=values))).results
    panel = next(figure for figure in figures if figure.name == "arrays").panels[0]
    assert panel.layout["xaxis"]["range"][1] == pytest.approx(3998, abs=3)
    assert int(np.max(panel.data[0]["x"])) > 3990


def test_an_approximation_wears_its_k_hat_and_no_r_hat():
    html = render(*assessed(program_fit("variational", statistics=densities())))
    assert "Usable as an approximation: k-hat is" in banner_of(html)
    assert "another mode of the posterior would not show" in banner_of(html)
    assert "These are intervals of an approximation, with a k-hat of" in html
    assert 'id="fig-weights"' in html
    assert 'id="fig-ranks"' not in html
    assert "bulk ESS" not in html


def test_a_poor_approximation_is_not_to_be_used():
    fit = program_fit("variational", statistics=densities(0.4), attributes={"converged": 0, "message": "MAX ITER"})
    banner = banner_of(render(*assessed(fit)))
    assert "Do not use these numbers: the approximation misses a part of the posterior (k-hat" in banner
    assert "its optimiser did not converge (MAX ITER)" in banner
    assert "<code>--method</code> sample" in banner


def test_an_approximation_that_cannot_be_checked_is_not_trusted():
    html = render(*assessed(program_fit("variational")))
    assert "Not checked: these numbers are a variational approximation" in banner_of(html)
    assert 'class="banner unchecked' in html
    assert "how good they are was not checked" in html
    assert 'id="fig-weights"' not in html


def test_draws_that_repeat_say_how_many_differ_and_make_one_hill():
    rng = np.random.default_rng(9)
    values = {"alpha": rng.choice(rng.normal(size=400), (1, 1000))}
    fit = program_fit("variational", values=values, statistics=densities())
    html = render(*assessed(fit))
    assert f"{np.unique(values['alpha']).size:,} of 1,000 differ" in html
    assert "MCSE" not in html
    (panel,) = build(*assessed(fit)).results[0].panels
    curve = np.asarray(panel.data[-1]["y"])
    assert np.sum((curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:])) <= 3


def test_a_point_wears_no_interval():
    html = render(*assessed(program_fit("point", attributes={"converged": 1, "message": "Convergence detected"})))
    assert "This is a point, not a posterior: the optimiser converged" in banner_of(html)
    assert 'class="banner passed doubtful"' in html
    text = " ".join(Page(html).text)
    for absent in ("±", "68 %", "95 %", "ESS", "MCSE"):
        assert absent not in text
    assert "R-hat" not in text.replace("R-hat, effective sample size, divergences", "")
    assert "<figure" not in html
    assert "All quantities" not in html  # the estimates are all shown already


def test_a_point_that_the_optimiser_did_not_reach_is_not_to_be_used():
    html = render(*assessed(program_fit("point", attributes={"converged": 0, "message": "Line search failed"})))
    assert "Do not use these numbers: the optimiser did not converge (Line search failed)" in banner_of(html)


def test_independent_draws_are_no_posterior():
    html = render(*assessed(program_fit("iid")))
    assert "1,000 independent ones give each mean to within 3\u00a0%" in banner_of(html)
    assert "What came out" in html
    assert "No posterior was sampled" in html
    assert "Calibration" not in html


def test_an_index_holds_programs_of_every_kind():
    fits = [program_fit(kind, attributes={"converged": 1}) for kind in ("mcmc", "point", "iid")]
    entries = [RunEntry.of(*assessed(fit), href=f"{place}/report.html") for place, fit in enumerate(fits)]
    assert [entry.adequate for entry in entries] == [True, False, True]
    html = render_index(entries)
    assert "beta[1]" in html
    assert "3 passed" in html


def test_what_is_never_set_or_never_moves_does_not_break_the_report():
    values = {"unset": np.full((4, 250, 3), np.nan), "fixed": np.ones((4, 250))}
    values["alpha"] = np.random.default_rng(7).normal(size=(4, 250))
    html = render(*assessed(program_fit(values=values)))
    assert "Trust it" in banner_of(html)
    assert "no number" in html
    banner = banner_of(
        render(*assessed(program_fit(values=values | {"ratio": np.where(values["alpha"] > 0, 1.0, np.inf)})))
    )
    assert "Do not use these numbers: not all draws are numbers (ratio, of" in banner


def test_where_nothing_moves_the_report_says_so():
    html = render(*assessed(program_fit(values={"x": np.ones((4, 250))})))
    assert "Do not use these numbers: R-hat cannot be computed for x" in banner_of(html)


@pytest.mark.parametrize("text", [f"</script><script>alert('{MARK}')</script><{MARK}>&%{{x}}$\"'{{{{"])
def test_names_program_and_data_are_escaped(text):
    """Names have no slash: they are paths in the posterior's tree."""
    name = text.replace("/", "")
    rng = np.random.default_rng(8)
    values = {name: rng.normal(size=(2, 60)), f"{name}2": rng.normal(size=(2, 60, 3))}
    seen = {f"{name}y": rng.normal(size=80)}
    fit = program_fit(
        values=values,
        observed=seen,
        replicated={key: rng.normal(size=(2, 60, 80)) for key in seen},
        words=dict.fromkeys(("title", "program", "path", "command"), text),
        variables={text: text},
    )
    html = render(*assessed(fit))
    assert MARK in html
    assert not raw_tags(html)
    assert html.count("<script>") == 2
    assert html.count("</script>") == 2 + html.count('<script type="application/json">')


def test_an_approximation_with_good_weights_still_tells_what_went_wrong():
    for attributes, told in (
        ({"failed_paths": 6}, "But 6 of its 8 paths failed"),
        ({"converged": 0, "message": "Maximum number of iterations hit"}, "optimiser did not converge (Maximum"),
        ({"converged": 1, "failed_paths": 0}, ""),
    ):
        fit, _ = assessed(program_fit("variational", statistics=densities(), attributes=attributes))
        fit = replace(fit, provenance=replace(fit.provenance, config={"paths": 8}))
        sentence = describe(*assessed(fit)).sentence
        assert "Usable as an approximation" in sentence
        assert told in sentence
        assert bool(told) == ("But " in sentence)
