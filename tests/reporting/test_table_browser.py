"""The table of all quantities in a browser: a hundred thousand rows, Python's own digits, usable by keyboard."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from reporting.browsing import MARKS, opened, overflow
from reporting.program_factories import assessed, program_fit

from bayeskit.core.types import Assessment
from bayeskit.reporting import render
from bayeskit.reporting.parameter_table import cell_text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = MARKS

N = 100_000
READY = "html[data-table=ready]"
HOSTILE = [
    "long" * 2500,
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    'a "quoted", name',
    "back\\slash",
    "=HYPERLINK(1)",
    "\u202eright to left\u202c \u05e9\u05dc\u05d5\u05dd",
    "Cafe\u0301",
    "two\nlines",
]


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    """A summary of a hundred thousand quantities, a few of them without an R-hat."""
    rng = np.random.default_rng(1)
    mean, sd = rng.normal(0, 3, N), rng.gamma(2, 1, N)
    columns = {"mean": mean, "sd": sd}
    for name, width in (("q2.5", -2), ("q16", -1), ("median", 0), ("q84", 1), ("q97.5", 2)):
        columns[name] = mean + width * sd
    ess = rng.gamma(50, 40, N)
    columns |= {
        "mcse_mean": sd / ess**0.5,
        "ess_bulk": ess,
        "ess_tail": 0.9 * ess,
        "r_hat": 1 + rng.exponential(1e-3, N),
    }
    labels = ["alpha", "sigma", *(f"theta[{i},{j}]" for i in range(1, 101) for j in range(1, 801))]
    labels += [f"Z[{i}]" for i in range(1, N - len(labels) + 1)]
    summary = pd.DataFrame(columns, index=pd.Index(labels, dtype=object))
    summary.loc[["theta[3,7]", "Z[5]"], ["r_hat", "ess_bulk"]] = np.nan
    return summary


@pytest.fixture(scope="module")
def big(many: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(2)
    sizes = {"theta": (100, 800), "Z": (N - 80_002,)}
    values = {name: rng.normal(size=(2, 30)) for name in ("alpha", "sigma")}
    values |= {name: rng.normal(size=(2, 30, *size)) for name, size in sizes.items()}
    verdicts = assessed(program_fit())[1].verdicts
    path = tmp_path_factory.mktemp("big") / "report.html"
    path.write_text(render(program_fit(values=values), Assessment(verdicts, many, {})), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def once(browser: Browser, big: Path) -> Iterator[tuple[Page, list[str], float]]:
    clock = time.perf_counter()
    page, troubles = opened(browser, big, ready=READY)
    yield page, troubles, time.perf_counter() - clock
    page.context.close()


@pytest.fixture
def page(once: tuple[Page, list[str], float]) -> Iterator[Page]:
    """The big table as it opens; nothing may go wrong with it."""
    page, troubles, _ = once
    page.locator(".explorer input").fill("")
    page.locator(".explorer select").select_option("")
    while page.locator(".grid-head [aria-sort=ascending], .grid-head [aria-sort=descending]").count():
        page.locator("[aria-sort=ascending] button, [aria-sort=descending] button").click()
    yield page
    assert troubles == []


def report_of(names: list[str], folder: Path) -> tuple[Path, Assessment]:
    """Write the report of an array whose elements have these names."""
    rng = np.random.default_rng(3)
    fit, assessment = assessed(
        program_fit(values={"v": rng.normal(size=(4, 60, len(names))), "s": rng.normal(size=(4, 60))})
    )
    labels = {f"v[{i + 1}]": f"v[{name}]" for i, name in enumerate(names)}
    tree = fit.posterior.copy()
    tree["posterior"] = tree["posterior"].to_dataset().assign_coords(v_dim_0=names)
    object.__setattr__(fit, "posterior", tree)
    assessment = Assessment(assessment.verdicts, assessment.summary.rename(index=labels), assessment.metrics)
    path = folder / "report.html"
    path.write_text(render(fit, assessment), encoding="utf-8")
    return path, assessment


def shown(page: Page) -> list[list[str]]:
    """Return the rows in view as texts."""
    rows: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('.grid-body [role=row]')].map(r => [...r.children].map(c => c.textContent))"
    )
    return rows


def press(page: Page, heading: str) -> None:
    page.locator(".grid-head button").get_by_text(heading, exact=True).click()


def saved(page: Page, selector: str) -> bytes:
    with page.expect_download() as download:
        page.locator(selector).click()
    return Path(download.value.path()).read_bytes()


def plain(text: str) -> float:
    return float(text.replace("\u2212", "-").replace(",", "").strip("\u2007\u2008"))


def test_a_hundred_thousand_rows_are_sorted_and_filtered(
    page: Page, once: tuple[Page, list[str], float], many: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    times = {"open": once[2]}
    grid = page.locator(".grid")
    assert grid.get_attribute("aria-rowcount") == str(N + 1)
    assert len(shown(page)) < 60  # the rest is not in the page
    assert [row[0] for row in shown(page)[:4]] == ["alpha", "sigma", "theta[1,1]", "theta[1,2]"]

    def timed(what: str, act: Any) -> None:
        start = time.perf_counter()
        act()
        shown(page)
        times[what] = time.perf_counter() - start

    timed("worst", lambda: page.locator(".worst").click())
    ranked = many["r_hat"].dropna().sort_values(ascending=False)
    assert shown(page)[0][0] == ranked.index[0]
    assert [plain(row[-1]) for row in shown(page)[:5]] == [round(value, 3) for value in ranked[:5]]
    header = page.locator(".grid-head [role=columnheader]").last
    assert header.get_attribute("aria-sort") == "descending"
    timed("sort", lambda: press(page, "R-hat"))
    assert header.get_attribute("aria-sort") == "ascending"
    assert shown(page)[0][0] == ranked.index[-1]
    page.locator(".grid").focus()
    page.keyboard.press("End")
    assert {row[0] for row in shown(page)[-2:]} == {"theta[3,7]", "Z[5]"}  # no number: last both ways
    timed("third", lambda: press(page, "R-hat"))
    assert shown(page)[0][0] == "alpha"

    timed("filter", lambda: page.locator(".explorer input").fill("99 THETA 7,"))
    wanted = [label for label in many.index if all(word in label.lower() for word in ("99", "theta", "7,"))]
    assert 0 < len(wanted) < 1000
    assert page.locator(".shown").first.text_content() == f"{len(wanted):,} of 100,000 shown"
    assert page.locator(".shown").first.get_attribute("role") == "status"
    assert [row[0] for row in shown(page)] == wanted[: len(shown(page))]
    press(page, "mean")
    ordered = many.loc[wanted, "mean"].sort_values()
    assert [row[0] for row in shown(page)[:8]] == list(ordered.index[:8])

    page.locator(".explorer input").fill("")
    page.locator(".explorer select").select_option(label="Z (19,998)")
    assert page.locator(".shown").first.text_content() == "19,998 of 100,000 shown"
    press(page, "quantity")
    assert [row[0] for row in shown(page)[:3]] == ["Z[1]", "Z[2]", "Z[3]"]
    page.locator(".explorer input").fill("no such name")
    assert shown(page) == []
    with capsys.disabled():
        print("\n100,000 rows: " + ", ".join(f"{what} {seconds:.2f} s" for what, seconds in times.items()))


def test_the_numbers_are_saved_as_csv(page: Page, many: pd.DataFrame) -> None:
    table = pd.read_csv(io.BytesIO(saved(page, ".save-table")), index_col="quantity")
    assert list(table.columns) == list(many.columns)
    np.testing.assert_allclose(table.loc[many.index].to_numpy(), many.to_numpy(), rtol=1e-6)
    page.locator(".explorer input").fill("theta[7,")
    some = pd.read_csv(io.BytesIO(saved(page, ".save-table")), index_col="quantity")
    assert list(some.index) == [f"theta[7,{j}]" for j in range(1, 801)]


def test_by_keyboard_a_quantity_shows_its_figures_where_its_draws_are_there(page: Page) -> None:
    grid = page.locator(".grid")
    page.locator(".grid-head button").last.focus()
    page.keyboard.press("Shift+Tab")
    grid.focus()
    for key, row in (("ArrowDown", 2), ("ArrowDown", 3), ("End", N + 1), ("ArrowUp", N), ("Home", 2)):
        page.keyboard.press(key)
        active = page.locator(f"#{grid.get_attribute('aria-activedescendant')}")
        assert active.get_attribute("aria-rowindex") == str(row)
        assert active.is_visible()
    page.keyboard.press("PageDown")
    moved = page.locator(f"#{grid.get_attribute('aria-activedescendant')}").get_attribute("aria-rowindex")
    assert 8 < int(str(moved)) < 40
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_selector(".detail .plot .main-svg")
    assert page.locator(".detail h4").text_content() == "alpha"
    assert page.locator(".detail .plot .main-svg").count() >= 2
    assert page.locator(".detail .plot").last.get_attribute("aria-label") == "Trace of alpha"
    assert page.evaluate("document.querySelectorAll('.detail .plot')[1].data.length") == 2
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert "posterior.nc" in (page.locator(".detail").text_content() or "")
    assert page.locator(".detail .plot").count() == 0
    page.locator(".detail .close").click()
    assert page.evaluate("document.activeElement.className") == "grid"


def test_the_script_writes_numbers_as_python_does(page: Page) -> None:
    rng = np.random.default_rng(4)
    size = 3000
    values = rng.normal(size=size) * 10.0 ** rng.integers(-12, 14, size)
    sds = np.abs(values) * 10.0 ** rng.uniform(-6, 2, size)
    ties = [0.125, 2.5, -2.5, 0.375, 1.5, 1.0625, 12345.5, 0.5, 2.5e10, 2.5e-8, 1e7, 9999999.5]
    cases = [
        (name, float(v), float(s))
        for name in ("mean", "r_hat", "ess_bulk", "mcse_mean")
        for v, s in zip(values, sds, strict=True)
    ]
    cases += [
        (name, v, s) for name in ("mean", "ess_bulk", "r_hat") for v in ties for s in (0.14, 1.0, 3.6, 50.0, 1e-9, 0.0)
    ]
    odd = (0.0, -0.0, float("inf"), float("nan"), -0.0004, 1.0)
    cases += [(name, v, s) for name in ("mean", "estimate") for v in odd for s in (0.05, 0.0, float("nan"), 3.55)]
    kinds = {"mean": "sd", "r_hat": "ratio", "ess_bulk": "count", "mcse_mean": "error", "estimate": "estimate"}
    sent = [[kinds[name], *(repr(number) for number in pair)] for name, *pair in cases]
    found = page.evaluate(
        """(cases) => cases.map(([kind, ...pair]) => words.cell(kind, ...pair.map((text) =>
           text === "nan" ? NaN : text === "inf" ? Infinity : Number(text))))""",
        sent,
    )
    wrong = [
        (case, text, cell_text(*case)) for case, text in zip(cases, found, strict=True) if text != cell_text(*case)
    ]
    assert wrong == []
    # The control: what JavaScript rounds by itself differs for ties.
    assert page.evaluate("(2.5).toFixed(0)") != f"{2.5:.0f}"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Assessment]:
    return report_of(HOSTILE, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1280, "light")])
def test_hostile_names_do_no_harm(browser: Browser, hostile: tuple[Path, Assessment], width: int, scheme: str) -> None:
    path, assessment = hostile
    page, troubles = opened(browser, path, width, scheme)
    labels = [f"v[{name}]" for name in HOSTILE]
    assert [row[0] for row in shown(page)] == ["s", *labels]
    tops = page.evaluate("[...document.querySelectorAll('.grid-body [role=row]')].map(r => r.offsetHeight)")
    assert len(set(tops)) == 1  # no name takes more than its line
    assert page.evaluate("document.documentElement.scrollHeight") < 16_000  # nor do 10,000 characters the page
    assert overflow(page) == 0
    page.locator(".explorer input").fill("CAFÉ")  # composed, as most keyboards write it
    assert [row[0] for row in shown(page)] == ["v[Cafe\u0301]"]
    page.locator(".explorer input").fill("<script>")
    page.locator(".grid-body [role=row]").first.click()
    page.wait_for_selector(".detail .plot .main-svg")
    assert page.locator(".detail h4").text_content() == labels[1]
    page.locator(".explorer input").fill("longlong")
    page.locator(".grid-body [role=row]").first.click()
    assert page.locator(".detail h4").text_content() == labels[0]  # all of it, in a box that scrolls
    assert page.locator(".detail h4").bounding_box()["height"] < 250
    assert overflow(page) == 0
    page.locator(".explorer input").fill("")
    rows = list(csv.reader(io.StringIO(saved(page, ".save-table").decode("utf-8"), newline="")))
    assert [row[0] for row in rows[1:]] == ["s", *labels]
    np.testing.assert_allclose(
        [float(row[1]) for row in rows[1:]], assessment.summary["mean"][["s", *labels]], rtol=1e-6
    )
    assert troubles == []
    page.context.close()


def test_csv_is_as_its_standard_has_it_and_harmless_in_a_spreadsheet(page: Page) -> None:
    texts = ['a "b"', "x,y", "two\r\nlines", "plain", "=1+1", "+1", "-cmd", "@x", "\tx", "1=1"]
    made = page.evaluate("(texts) => files.csv([texts, [-1.5, 0.25, NaN, Infinity, null]])", texts)
    rows = list(csv.reader(io.StringIO(made, newline="")))
    guarded = [text if text[0] not in "=+-@\t" else f"'{text}" for text in texts]
    assert rows == [guarded, ["-1.5", "0.25", "", "", ""]]
    assert made.endswith("\r\n")


def test_without_a_script_and_on_paper_the_first_and_worst_stand_in_a_plain_table(
    page: Page, browser: Browser, big: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    bare = context.new_page()
    bare.goto(big.as_uri())
    assert bare.locator(".static table").first.is_visible()
    assert not bare.locator(".explorer").is_visible()
    context.close()
    assert not page.locator(".static table").first.is_visible()
    page.emulate_media(media="print")
    assert page.locator(".static table").first.is_visible()
    assert not page.locator(".explorer").is_visible()
    page.emulate_media(media="screen")


def test_assistive_technology_finds_a_grid(page: Page) -> None:
    grid = page.get_by_role("grid", name="All quantities")
    assert grid.get_by_role("columnheader").count() == int(str(grid.get_attribute("aria-colcount"))) == 12
    row = grid.get_by_role("row").nth(1)
    assert row.get_by_role("rowheader").count() == 1
    assert row.get_by_role("gridcell").count() == 11
    spec = json.loads(page.locator(".explorer script").text_content() or "")
    assert spec["rows"] == N
