"""A mixture's page in a browser: animated by keyboard, turned in space by buttons, on a phone and in the dark."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from reporting.browsing import MARKS, opened, overflow
from reporting.mixture_factories import assessed, mixture_fit, poor_k_hat

from bayeskit.reporting import render

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = MARKS

# What a browser that draws without a graphics card says of its own speed.
SLOW = ("GPU stall due to ReadPixels", "willReadFrequently")


def serious(troubles: list[str]) -> list[str]:
    return [trouble for trouble in troubles if not any(text in trouble for text in SLOW)]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mixtures")
    fits = {
        "chains": assessed(mixture_fit(n_columns=4, missing=True, selection=True)),
        "point": assessed(mixture_fit("point")),
        "rough": assessed(mixture_fit("variational", n_columns=3), poor_k_hat()),
    }
    made = {}
    for name, run in fits.items():
        made[name] = folder / f"{name}.html"
        made[name].write_text(render(*run), encoding="utf-8")
    return made


@pytest.mark.parametrize(("name", "width", "scheme"), [("chains", 375, "dark"), ("rough", 1280, "light")])
def test_it_opens_quietly_and_fits(
    browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    page, troubles = opened(browser, pages[name], width, scheme)
    assert serious(troubles) == []
    assert overflow(page) == 0
    drawings = "[...document.querySelectorAll('.plot .main-svg, .plot canvas')]"
    assert page.evaluate(f"{drawings}.filter(e => e.getBoundingClientRect().right > innerWidth).length") == 0
    assert page.locator(".plot").count() <= page.locator(".plot .main-svg").count()
    page.context.close()


def frame(page: Page) -> tuple[list[float], list[int]]:
    """Return where the first ellipse begins, and the points' colours."""
    told = page.evaluate("""() => {
      const [points, ring] = document.querySelector('#fig-iterations .plot').data;
      const plain = (values) => Array.from(packed.plain(values));
      return JSON.stringify([plain(ring.x).slice(0, 3), plain(points.marker.color)]);
    }""")
    ring, colours = json.loads(told)
    return ring, colours


def test_the_animation_is_turned_by_keyboard_and_plays_to_its_end(browser: Browser, pages: dict[str, Path]) -> None:
    page, troubles = opened(browser, pages["point"])
    figure = page.locator("#fig-iterations")
    slider, output, button = (figure.locator(name) for name in ("input", "output", ".player button"))
    last = frame(page)
    assert (output.text_content() or "").startswith("iteration 24 of 24: log likelihood")
    slider.focus()
    page.keyboard.press("Home")
    assert (output.text_content() or "").startswith("iteration 0 of 24")
    assert slider.get_attribute("aria-valuetext") == output.text_content()
    first = frame(page)
    assert first[0] != last[0]
    assert first[1] != last[1]
    page.keyboard.press("ArrowRight")
    assert (output.text_content() or "").startswith("iteration 1 of 24")
    button.focus()
    page.keyboard.press("Enter")
    assert button.text_content() == "Pause"
    page.wait_for_selector("#fig-iterations .player input[aria-valuetext^='iteration 24']", timeout=20_000)
    assert frame(page) == last
    page.wait_for_timeout(400)
    assert button.text_content() == "Play"
    assert troubles == []
    page.context.close()


def test_the_animation_pauses_and_keeps_its_place_when_the_colours_change(
    browser: Browser, pages: dict[str, Path]
) -> None:
    page, troubles = opened(browser, pages["point"])
    button, slider = page.locator("#fig-iterations .player button"), page.locator("#fig-iterations input")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    button.click()
    button.click()
    place, shown = slider.input_value(), frame(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(500)
    assert (slider.input_value(), frame(page)) == (place, shown)
    assert 1 <= int(place) < 7
    assert troubles == []
    page.context.close()


def test_space_is_turned_by_buttons_and_back(browser: Browser, pages: dict[str, Path]) -> None:
    page, troubles = opened(browser, pages["rough"])
    assert page.locator("#fig-space canvas").count() >= 1
    eye = "JSON.stringify(document.querySelector('#fig-space .plot')._fullLayout.scene.camera.eye)"
    start = json.loads(page.evaluate(eye))
    for name, key in (("Turn left", "y"), ("Tilt up", "z")):
        before = json.loads(page.evaluate(eye))
        button = page.locator("#fig-space .turns button", has_text=name)
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
        assert json.loads(page.evaluate(eye))[key] != pytest.approx(before[key])
    page.locator("#fig-space .turns button", has_text="Back to the start").click()
    page.wait_for_timeout(200)
    assert json.loads(page.evaluate(eye)) == pytest.approx(start)
    assert serious(troubles) == []
    page.context.close()


@pytest.mark.parametrize(
    ("figure", "heading"), [("space", ["series", "x", "y", "z"]), ("points", ["series", "x", "y"])]
)
def test_the_numbers_of_a_figure_are_saved(
    browser: Browser, pages: dict[str, Path], tmp_path: Path, figure: str, heading: list[str]
) -> None:
    page, troubles = opened(browser, pages["rough"], accept_downloads=True)
    for kind in ("csv", "svg"):
        with page.expect_download() as waiting:
            page.locator(f"#fig-{figure} .saves button[data-kind={kind}]").click()
        waiting.value.save_as(tmp_path / f"{figure}.{kind}")
    rows = list(csv.reader((tmp_path / f"{figure}.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == heading
    numbers = [row for row in rows[1:] if row[0] == "component 1"]
    assert len(numbers) > 20
    assert all(20 < float(cell) < 70 for row in numbers for cell in row[1:])
    assert (tmp_path / f"{figure}.svg").read_text(encoding="utf-8").startswith("<svg")
    assert serious(troubles) == []
    page.context.close()
