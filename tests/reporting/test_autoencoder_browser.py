"""An autoencoder's page in a browser: on a phone, in the dark and on paper, its sliders moved by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from reporting.autoencoder_factories import assessed, autoencoder_fit
from reporting.browsing import MARKS, opened, overflow

from bayeskit.reporting import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = MARKS

SLOW = ("willReadFrequently",)  # what a browser that draws without a graphics card says of its own speed


def written(name: str, folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bayeskit.reporting.figures_autoencoder_codes.STEPS", 250)
        patch.setattr("bayeskit.reporting.figures_autoencoder_codes.MAX_PLACED", 60)
        page = render(*assessed(autoencoder_fit(name, n=300)))
    path = folder / f"{name}.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def images(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, list[str]]]:
    """The page of images on a phone in the dark, and what goes wrong in it."""
    page, troubles = opened(
        browser, written("wide", tmp_path_factory.mktemp("images")), 375, "dark", accept_downloads=True
    )
    yield page, troubles
    page.context.close()


def quiet(troubles: list[str]) -> bool:
    return not [trouble for trouble in troubles if not any(text in trouble for text in SLOW)]


@pytest.mark.slow
def test_a_table_opens_quietly_and_fits_a_wide_page(browser: Browser, tmp_path: Path) -> None:
    page, troubles = opened(browser, written("temperature", tmp_path))
    assert quiet(troubles)
    fits(page)
    page.context.close()


def test_images_open_quietly_and_fit_a_phone(images: tuple[Page, list[str]]) -> None:
    page, troubles = images
    assert quiet(troubles)
    fits(page)


def fits(page: Page) -> None:
    assert overflow(page) == 0
    drawings = "[...document.querySelectorAll('.plot .main-svg')]"
    assert page.evaluate(f"{drawings}.filter(e => e.getBoundingClientRect().right > innerWidth).length") == 0
    assert page.locator(".plot .main-svg").count() >= page.locator(".plot").count() > 5


def test_pictures_keep_their_shape_and_their_pixels(images: tuple[Page, list[str]]) -> None:
    page, _ = images
    sizes = page.evaluate("""[...document.querySelectorAll('.plot .im image')].map((image) => {
      const { width, height } = image.getBoundingClientRect();
      const bytes = Uint8Array.from(atob(image.getAttribute('href').split(',')[1]), (c) => c.charCodeAt(0));
      const [wide, high] = [16, 20].map((at) => new DataView(bytes.buffer).getUint32(at));
      return [width / height, wide / high, width, getComputedStyle(image).imageRendering];
    })""")
    assert len(sizes) > 8
    for shown, own, width, rendering in sizes:
        assert shown == pytest.approx(own, rel=0.02)
        assert width > 60
        assert rendering in ("pixelated", "crisp-edges")


def test_sliders_are_moved_by_keyboard(images: tuple[Page, list[str]]) -> None:
    page, troubles = images
    slider = page.locator("#fig-traversals .panel.moving input").first
    picture = "document.querySelector('#fig-traversals .panel.moving .im image').getAttribute('href')"
    before = page.evaluate(picture)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(picture) != before
    label, value = slider.get_attribute("aria-label"), slider.get_attribute("aria-valuetext")
    assert value == f"{label}: 0.8"
    assert page.locator("#fig-traversals .panel.moving output").first.text_content() == value
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == f"{label}: −3.0"
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == f"{label}: 3.0"
    assert quiet(troubles)


def test_a_pair_of_codes_can_be_chosen(images: tuple[Page, list[str]]) -> None:
    page, _ = images
    plot = "document.querySelector('#fig-codes .panel.moving .plot')"
    first = page.evaluate(f"[...packed.plain({plot}.data[0].x)].slice(0, 3)")
    page.locator("#fig-codes .panel.moving input").focus()
    page.keyboard.press("End")
    assert page.evaluate(f"[...packed.plain({plot}.data[0].x)].slice(0, 3)") != first
    assert page.locator("#fig-codes .panel.moving output").text_content().startswith("codes ")  # type: ignore[union-attr]


def test_paper_has_the_sheet_and_no_sliders(images: tuple[Page, list[str]]) -> None:
    page, _ = images
    page.emulate_media(media="print")
    assert page.locator("#fig-traversals .panel.wide .plot").is_visible()
    assert page.locator("#fig-traversals .panel.moving:visible").count() == 0
    assert page.locator("#fig-codes .panel.moving .plot").is_visible()
    assert page.locator("#fig-codes .panel.moving output").is_visible()
    assert page.locator("input[type=range]:visible").count() == 0
    page.emulate_media(media="screen")


def test_pictures_are_saved_as_pictures(images: tuple[Page, list[str]], tmp_path: Path) -> None:
    page, troubles = images
    assert page.locator("#fig-manifold .saves button[data-kind=csv]").count() == 0
    with page.expect_download() as waiting:
        page.locator("#fig-manifold .saves button[data-kind=svg]").click()
    waiting.value.save_as(tmp_path / "manifold.svg")
    assert "data:image/png;base64" in (tmp_path / "manifold.svg").read_text(encoding="utf-8")
    assert quiet(troubles)
