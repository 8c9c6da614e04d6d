"""The report in a browser: quiet, alone, readable on a phone, in the dark and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from reporting.browsing import MARKS, opened, overflow
from reporting.program_factories import assessed, densities, program_fit, program_values

from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting import RunEntry, render, render_index

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = MARKS


@pytest.fixture(scope="module")
def report(full_html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(full_html, encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (768, "dark"), (1280, "dark")])
def test_it_opens_quietly_and_fits(browser: Browser, report: Path, width: int, scheme: str) -> None:
    page, troubles = opened(browser, report, width, scheme)
    assert troubles == []
    assert overflow(page) == 0
    assert page.locator(".plot .main-svg").count() >= page.locator(".plot").count() > 30
    drawings = "[...document.querySelectorAll('.plot .main-svg')]"
    assert page.evaluate(f"{drawings}.filter(e => e.getBoundingClientRect().right > innerWidth).length") == 0
    page.context.close()


def test_figures_follow_the_readers_colour_scheme(browser: Browser, report: Path) -> None:
    page, troubles = opened(browser, report)
    colour = "getComputedStyle(document.querySelector('#fig-states .xtick text')).fill"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(500)
    assert page.evaluate(colour) != light
    assert troubles == []
    page.context.close()


def test_zoom_by_keyboard_keeps_labels_in_view(browser: Browser, report: Path) -> None:
    page, troubles = opened(browser, report)
    button = page.locator("#fig-states .zooms button", has_text="1 month")
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert button.get_attribute("aria-pressed") == "true"
    start, end = page.evaluate("document.querySelector('#fig-states .plot').layout.xaxis.range")
    assert (str(start)[:10], str(end)[:10]) == ("2015-12-01", "2015-12-31")
    assert page.locator("#fig-states .annotation", has_text="95 % band").is_visible()
    assert troubles == []
    page.context.close()


def test_hover_tells_date_and_values(browser: Browser, report: Path) -> None:
    page, troubles = opened(browser, report)
    area = page.locator("#fig-states .nsewdrag").first
    area.scroll_into_view_if_needed()
    area.hover()
    page.wait_for_timeout(300)
    text = page.locator("#fig-states .hoverlayer").text_content() or ""
    assert "level" in text
    assert "95%" in text
    assert troubles == []
    page.context.close()


def test_it_prints_light_with_every_figure(browser: Browser, report: Path, tmp_path: Path) -> None:
    page, troubles = opened(browser, report, scheme="dark")
    # While the browser lays out the paper: is a figure wider than its place?
    page.evaluate("""() => matchMedia("print").addEventListener("change", (event) => {
      const drawings = [...document.querySelectorAll(".plot .main-svg")];
      const cut = (e) => e.getBoundingClientRect().width > e.closest(".plot").clientWidth + 1;
      const hidden = (selector) => getComputedStyle(document.querySelector(selector)).display === "none";
      if (event.matches) window.seen = {
        width: document.documentElement.clientWidth, drawn: drawings.length, cut: drawings.filter(cut).length,
        unprinted: [".explorer", ".saves", ".contents", ".zooms"].filter((selector) => !hidden(selector)),
        table: !hidden(".static"), paper: getComputedStyle(document.documentElement).backgroundColor,
      };
    })""")
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    seen = page.evaluate("window.seen")
    assert (tmp_path / "report.pdf").stat().st_size > 100_000
    assert seen["width"] < 1000  # the paper's, not the window's
    assert seen["drawn"] >= page.locator(".plot").count()
    assert seen["cut"] == 0
    assert seen["unprinted"] == []
    assert seen["table"]
    assert seen["paper"] == "rgb(255, 255, 255)"
    assert troubles == []
    page.context.close()


def test_it_prints_what_is_folded_away(browser: Browser, report: Path) -> None:
    page, troubles = opened(browser, report)
    folded = "document.querySelectorAll('details:not([open])').length"
    before = page.evaluate(folded)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert before > 0
    assert page.evaluate(folded) == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(folded) == before
    assert troubles == []
    page.context.close()


@pytest.mark.parametrize(("kind", "width", "scheme"), [("mcmc", 375, "dark"), ("variational", 375, "light")])
def test_the_report_of_a_program_opens_quietly_and_fits(
    browser: Browser, tmp_path: Path, kind: str, width: int, scheme: str
) -> None:
    """With names that are long, and data and counts to compare."""
    rng = np.random.default_rng(1)
    size = (4, 250) if kind == "mcmc" else (1, 1000)
    values = program_values(kind) | {"a_name_that_goes_on_and_on_and_on_for_long": rng.normal(size=(*size, 90))}
    seen = {"y": rng.normal(size=100), "n": rng.poisson(3, 200), "few": rng.normal(size=8)}
    drawn = {"y": rng.normal(size=(*size, 100)), "n": rng.poisson(3, (*size, 200)), "few": rng.normal(size=(*size, 8))}
    prior = {"lprior": np.stack([-np.square(values["alpha"]), -np.square(values["z.real"])], -1)}
    fit = program_fit(
        kind,
        values=values,
        observed=seen,
        replicated=drawn,
        log_likelihood={"log_lik": -np.square(values["beta"])},
        log_prior=prior,
        statistics=densities() if kind == "variational" else None,
    )
    fit.posterior["constant_data"] = xr.DataTree(xr.Dataset({"X": (("i", "j"), rng.normal(size=(80, 5)))}))
    path = tmp_path / "report.html"
    path.write_text(render(*assessed(fit)), encoding="utf-8")
    page, troubles = opened(browser, path, width, scheme)
    assert troubles == []
    assert overflow(page) == 0
    assert page.locator(".plot .main-svg").count() >= page.locator(".plot").count() > 10
    page.context.close()


def test_the_index_fits_a_phone(browser: Browser, small: tuple[Fit, Assessment], tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(render_index([RunEntry.of(*small, href="level/report.html")] * 2), encoding="utf-8")
    context = browser.new_context(viewport={"width": 375, "height": 800})
    page = context.new_page()
    page.goto(path.as_uri())
    assert overflow(page) == 0
    context.close()


def test_a_script_from_the_data_would_not_run(browser: Browser, report: Path, tmp_path: Path) -> None:
    """The negative control of the policy: even markup that slipped through does nothing."""
    path = tmp_path / "slipped.html"
    source = report.read_text(encoding="utf-8")
    path.write_text(source.replace("<h1>", "<script>window.slipped = 1</script><h1>", 1), encoding="utf-8")
    page, troubles = opened(browser, path)
    assert page.evaluate("window.slipped") is None
    assert any("Content Security Policy" in trouble for trouble in troubles)
    page.context.close()
