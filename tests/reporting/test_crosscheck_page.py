"""The page of a cross-check: its first sentence, its matrix in words, what it says of each failure, and its look."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import numpy as np
import pytest
from diagnostics.agreement_factories import SOUND, UNMIXED, chains, independent, results, two_modes
from reporting.browsing import CHROMIUM, MARKS, opened, overflow

from bayeskit.core.errors import ConfigError
from bayeskit.diagnostics.agreement import Crosscheck, Expected, TargetResults, crosscheck
from bayeskit.reporting.crosscheck_page import render_crosscheck

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

COMMAND = "bayeskit crosscheck --seed 1 --out crosscheck"
HOSTILE = "<script>alert(1)</script>\"' %{x} $a$"


def bimodal() -> TargetResults:
    """Two modes, with chains that their own checks must flag."""
    made = results(3, to=two_modes, title="Two modes", nuts=(chains(9, n_draws=500), UNMIXED))
    return replace(made, expected={**made.expected, "nuts": Expected("flag", "one chain stays in one mode")})


@pytest.fixture(scope="module")
def good() -> Crosscheck:
    return crosscheck({"normal": results(1, title="Standard normal"), "two_modes": bimodal()})


@pytest.fixture(scope="module")
def bad() -> Crosscheck:
    """One engine too wide, one without a result, and a negative control that nobody caught."""
    made = results(1, wide=(independent(9, to=lambda x: 1.2 * x), SOUND), stopped="no finite log density")
    return crosscheck({"normal": replace(made, expected={**made.expected, "smc": Expected("flag")})})


@pytest.fixture(scope="module")
def good_html(good: Crosscheck) -> str:
    return render_crosscheck(good, command=COMMAND)


def text_of(html: str, pattern: str) -> str:
    found = re.search(pattern, html, re.DOTALL)
    assert found, pattern
    return " ".join(unescape(re.sub("<[^>]+>", " ", found[1])).split())


def sentence_of(html: str) -> str:
    return text_of(html, r'<p class="sentence">(.*?)</p>')


def test_the_page_opens_with_whether_all_came_out_as_they_must(good: Crosscheck, good_html: str) -> None:
    assert good.passed
    assert sentence_of(good_html) == (
        "Every engine came out as it must on 2 targets. Agreeing: 10; flagged by their own checks, as they must be: 1; "
        "not applicable: 2."
    )
    assert '<div class="banner passed">' in good_html
    assert "negative control" in good_html
    assert COMMAND in good_html


def test_the_matrix_says_every_status_in_a_symbol_and_in_words(good_html: str) -> None:
    table = text_of(good_html, r'<section id="matrix".*?<tbody>(.*?)</tbody>')
    assert table.count("✓ agrees") == 10
    assert table.count("⚑ flagged itself") == 1
    assert table.count("– does not apply") == 2
    targets = re.findall(r'id="(target-\d+)"', good_html)
    assert targets == ["target-1", "target-2"]
    assert all(f'href="#{name}"' in good_html for name in targets)


def test_what_a_flagged_result_s_own_checks_said_is_there(good_html: str) -> None:
    part = text_of(good_html, r'id="target-2">(.*?)</article>')
    assert "R-hat 1.90 (at most 1.01)." in part
    assert "one chain stays in one mode" in part
    assert "must be flagged" in part


def test_level_power_and_costs_are_told_in_plain_words(good: Crosscheck, good_html: str) -> None:
    power = text_of(good_html, r'<section id="power"(.*?)</section>')
    assert "in about 1 of 1,000 such cross-checks" in power
    assert f"all {good.n_tests:,} tests" in power
    assert re.search(r"with a probability of 80 % from 0\.\d+ standard deviations", power)
    costs = text_of(good_html, r'<section id="costs"(.*?)</section>')
    assert "normal exact 20 ms 10,000 500,000" in costs


def test_failures_come_first_and_say_what_differs(bad: Crosscheck) -> None:
    html = render_crosscheck(bad, command=COMMAND)
    told = sentence_of(html)
    assert told.startswith("3 of 8 cells did not come out as they must: ")
    assert "wide on normal must agree, but it disagrees" in told
    assert "smc on normal must be flagged, but it agrees" in told
    assert "stopped on normal must agree, but it gave no result" in told
    assert '<div class="banner failed">' in html
    assert "its checks are blind" in html
    first = text_of(html, r'<section id="differences".*?<tbody>(.*?)</tr>')
    assert "exact and wide" in first
    assert "a real difference" in first
    assert "No finite log density." in html


def test_figures_show_the_z_scores_and_the_worst_distributions(bad: Crosscheck) -> None:
    html = render_crosscheck(bad, command=COMMAND)
    assert 'id="fig-z-scores"' in html
    assert 'id="fig-distributions"' in html
    assert len(re.findall(r'class="plot"', html)) == 1 + 5
    assert "the distribution functions are at most" in html


def test_nothing_to_compare_makes_a_page_that_says_so() -> None:
    empty = render_crosscheck(crosscheck({}), command=COMMAND)
    assert sentence_of(empty) == "Nothing was compared."
    assert '<div class="banner unchecked">' in empty
    alone = crosscheck({"normal": TargetResults({"stan": (chains(1), SOUND), "nuts": "no"}, {})})
    html = render_crosscheck(alone, command=COMMAND)
    assert '<div class="banner failed">' in html
    assert "No two sound results were there to compare." in html


def test_hostile_names_do_no_harm() -> None:
    made = {HOSTILE: (independent(1), SOUND), "other": (independent(2), SOUND), "gone": HOSTILE}
    html = render_crosscheck(crosscheck({HOSTILE: TargetResults(made, {}, title=HOSTILE)}), command=HOSTILE)
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)") > 5


def test_the_same_crosscheck_gives_the_same_page(good: Crosscheck, good_html: str) -> None:
    assert render_crosscheck(good, command=COMMAND) == good_html
    with pytest.raises(ConfigError):
        render_crosscheck(good, command=COMMAND, language="xx")


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
class TestInABrowser:
    pytestmark = MARKS

    def test_it_is_drawn_without_trouble_or_overflow(
        self, browser: Browser, good_html: str, tmp_path: Path, width: int, scheme: str
    ) -> None:
        assert CHROMIUM is not None
        path = tmp_path / "crosscheck.html"
        path.write_text(good_html, encoding="utf-8")
        page, troubles = opened(browser, path, width=width, scheme=scheme)
        assert troubles == []
        assert overflow(page) == 0
        assert page.locator(".plot .main-svg").count() >= 2 * 2
        edges = page.evaluate(
            "[...document.querySelectorAll('.cross td, .told td')].map(cell => cell.scrollWidth - cell.clientWidth)"
        )
        assert np.max(edges) <= 0
        page.context.close()
