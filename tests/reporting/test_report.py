"""The report as a file: its parts, their order, what it weighs, and that it is alone in the world."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from reporting.factories import make_assessment, make_fit

from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting import render
from bayeskit.reporting.sections import build

VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """What the tests ask of a page: its elements in order, scripts and text apart."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        else:
            self.text.append(data)

    def of(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        wanted = {key.rstrip("_"): value for key, value in wanted.items()}
        return [attrs for name, attrs in self.elements if name == tag and wanted.items() <= attrs.items()]


def test_sections_stand_in_the_order_of_the_design(small_html: str) -> None:
    page = Page(small_html)
    assert not page.open
    assert [a["id"] for a in page.of("section")] == [
        "verdict",
        "results",
        "model-fit",
        "computation",
        "assumptions",
        "again",
    ]
    links = [a["href"] for a in page.of("a") if str(a.get("href")).startswith("#")]
    ids = {attrs.get("id") for _, attrs in page.elements}
    assert len(links) >= 6
    assert all(str(link)[1:] in ids for link in links)


def test_plotly_is_inlined_once_and_nothing_comes_from_elsewhere(small_html: str) -> None:
    page = Page(small_html)
    assert small_html.count("plotly.js v") == 1
    for _, attrs in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            assert not re.match(r"(https?:)?//", attrs.get(name) or "", re.IGNORECASE)
    assert not page.of("link")
    assert "@import" not in small_html.split("</style>")[0]


def test_the_policy_forbids_the_network_and_knows_each_script(small_html: str) -> None:
    page = Page(small_html)
    policy = next(
        str(attrs["content"]) for attrs in page.of("meta") if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    for attrs, text in page.scripts:
        if attrs.get("type") == "application/json":
            continue
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_each_figure_has_title_caption_and_alternative_text(small_html: str) -> None:
    page = Page(small_html)
    figures, plots = page.of("figure"), page.of("div", class_="plot")
    assert len(figures) >= 11
    assert small_html.count("<figcaption>") == len(figures)
    assert small_html.count("How to read: ") == len(figures)
    assert len(plots) >= 25
    assert all(plot["role"] == "img" and len(str(plot["aria-label"])) > 20 for plot in plots)
    for figure in small_html.split("<figure")[1:]:
        assert re.search(r"<h3>[^<]{5,}", figure)


def test_axes_name_their_quantity(small_html: str) -> None:
    for attrs, text in Page(small_html).scripts:
        if attrs.get("type") != "application/json":
            continue
        spec = json.loads(text)
        if "rows" in spec:  # the table of all quantities
            continue
        layout = spec["layout"]
        assert layout["xaxis"]["title"]["text"] or layout["xaxis"]["type"] == "date"


def test_no_loo_and_no_bare_pass(small_html: str) -> None:
    text = " ".join(Page(small_html).text)
    assert "LOO" not in text
    assert "PASS" not in text


def test_the_largest_report_stays_below_8_mb(full_html: str) -> None:
    assert len(full_html.encode()) < 8_000_000
    assert "slope" in full_html
    assert "s_y[dry]" in full_html


def test_the_same_fit_gives_the_same_file(small: tuple[Fit, Assessment], small_html: str) -> None:
    assert render(*small) == small_html


def test_a_failed_run_says_so_first(failed: tuple[Fit, Assessment]) -> None:
    html = render(*failed)
    banner = html.split('<section id="verdict"')[1].split("</section>")[0]
    assert "Do not use these numbers" in banner
    assert "Nothing yet that can be relied on" in banner
    assert banner.index("What failed") < banner.index("Not checked")
    assert "divergent draw" in html


def test_a_scale_at_0_is_told_in_plain_words() -> None:
    fit = make_fit(n_days=90, n_draws=120, boundary=True)
    html = render(fit, make_assessment(fit))
    assert "The data cannot tell <code>s_y</code> from 0" in html
    assert "cannot tell <code>s_mu</code>" not in html
    failed = render(fit, make_assessment(fit, healthy=False))
    assert "The data cannot tell" not in failed  # draws that are not to be used tell nothing about the data


def test_missing_days_are_shaded_and_told(small_html: str) -> None:
    assert "On 7 shaded days nothing was measured" in small_html
    assert '"fillcolor":"var(--missing)"' in small_html


def test_japanese_stays_japanese() -> None:
    fit = make_fit(n_days=60, n_draws=80, words={"title": "東京の気温", "label": "気温", "path": "東京.csv"})
    html = render(fit, make_assessment(fit))
    assert "<h1>東京の気温</h1>" in html
    assert "気温 (°C)" in html


@pytest.mark.parametrize("kind", ["variational", "iid"])
def test_other_kinds_go_without_chain_diagnostics(small: tuple[Fit, Assessment], kind: str) -> None:
    fit, assessment = small
    other = replace(fit, provenance=replace(fit.provenance, kind=kind))
    html = render(other, Assessment((), assessment.summary, {}))
    assert 'id="fig-ranks"' not in html
    assert "Nothing was checked" in html


def test_groups_that_are_not_there_leave_their_figures_out(small: tuple[Fit, Assessment]) -> None:
    fit, assessment = small
    bare = fit.posterior.filter(lambda node: node.name in ("posterior", None))
    html = render(replace(fit, posterior=bare), assessment)
    assert 'id="fig-states"' in html
    assert 'id="fig-pit"' not in html
    assert "Not checked: this run has no predictive draws" in html


def test_a_chain_that_never_moves_is_still_reported() -> None:
    fit = make_fit(n_days=60, n_draws=80)
    fit.posterior["posterior"]["s_y"][0] = 0.5
    fit.posterior["posterior"]["s_mu"][:] = 2.0
    assessment = make_assessment(fit, healthy=False)
    assessment.summary.loc["s_mu", ["r_hat", "ess_bulk", "ess_tail"]] = np.nan
    html = render(fit, assessment)
    assert 'id="fig-ranks"' in html


def test_one_chain_makes_a_report() -> None:
    fit = make_fit(n_days=60, n_draws=100, n_chains=1)
    assert 'id="fig-traces"' in render(fit, make_assessment(fit, unchecked=("r_hat",)))


def test_eight_chains_share_four_colours_and_say_so() -> None:
    fit = make_fit(n_days=40, n_draws=60, n_chains=8)
    assert "chains 1, 5, …" in render(fit, make_assessment(fit))


def test_the_dashed_line_is_what_this_number_of_chains_needs() -> None:
    fit = make_fit(n_days=40, n_draws=100, n_chains=2)
    whole = make_assessment(fit)
    verdicts = [replace(v, threshold=200.0) if v.name == "ess_bulk" else v for v in whole.verdicts]
    figures = build(fit, replace(whole, verdicts=tuple(verdicts))).diagnostics
    panel = next(figure for figure in figures if figure.name == "evolution").panels[0]
    dashed = [trace for trace in panel.data if trace.get("line", {}).get("dash") == "dash"]
    assert [float(np.max(trace["y"])) for trace in dashed] == [200.0]


def test_the_program_is_highlighted_and_the_run_can_be_repeated(small_html: str) -> None:
    assert '<span class="kt">' in small_html or '<span class="kr">' in small_html
    again = small_html.split('<section id="again"')[1]
    for text in ("bayeskit fit weather", "9f2c9f2c", "20261120", "2.35.0", "2 cores", "import"):
        assert text in again
