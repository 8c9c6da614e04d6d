"""Figures saved from the page: SVG and PNG on white, and the numbers that are drawn."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import pytest
from reporting.browsing import MARKS, opened

from bayeskit.core.types import Assessment, Fit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = MARKS

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def page(browser: Browser, small_html: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A report in the dark: what is saved is light all the same."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(small_html, encoding="utf-8")
    page, troubles = opened(browser, path, scheme="dark")
    yield page
    assert troubles == []
    page.context.close()


def saved(page: Page, figure: Locator, kind: str, *, by_key: bool = False) -> tuple[str, bytes]:
    """Save by mouse: Chromium takes the eleventh download without one for the page's own idea, and asks."""
    button = figure.locator(f".saves [data-kind={kind}]")
    button.focus()
    with page.expect_download() as download:
        page.keyboard.press("Enter") if by_key else button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def test_every_figure_is_saved_as_svg_with_all_its_panels(page: Page) -> None:
    figures = page.locator("figure.figure").all()
    assert len(figures) > 8
    for figure in figures:
        name, data = saved(page, figure, "svg")
        assert name == f"{str(figure.get_attribute('id')).removeprefix('fig-')}.svg"
        root = ElementTree.fromstring(data)
        assert len(root.findall(f"{SVG}svg")) == figure.locator(".panel").count()
        assert root.find(f"{SVG}rect").get("fill") == "#ffffff"
        texts = " ".join("".join(text.itertext()) for text in root.findall(f"{SVG}text"))
        assert (figure.locator("h3").text_content() or "").split()[0] in texts
        assert b"var(--" not in data
        assert b"<script" not in data


def test_a_figure_is_saved_as_png_light_and_sharp(page: Page) -> None:
    name, data = saved(page, page.locator("#fig-states"), "png", by_key=True)
    assert name == "states.png"
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width = int.from_bytes(data[16:20], "big")
    assert width > 1600
    drawn = page.evaluate(
        """async (bytes) => {
          const image = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
          const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d");
          pen.drawImage(image, 0, 0);
          const pixels = pen.getImageData(0, 0, image.width, image.height).data;
          let dark = 0;
          for (let i = 0; i < pixels.length; i += 4) dark += pixels[i] < 128;
          return { corner: [...pixels.slice(0, 4)], dark: dark / (pixels.length / 4) };
        }""",
        list(data),
    )
    assert drawn["corner"] == [255, 255, 255, 255]
    assert 0.001 < drawn["dark"] < 0.4  # something is drawn on it


def test_the_numbers_are_those_that_are_drawn(page: Page, small: tuple[Fit, Assessment]) -> None:
    assessment = small[1]
    name, data = saved(page, page.locator("#fig-states"), "csv")
    assert name == "states.csv"
    rows = rows_of(data)
    assert set(rows[0]) == {"series", "x", "y"}
    mean = [float(row["y"]) for row in rows if row["series"] == "mean"]
    dates = [row["x"] for row in rows if row["series"] == "mean"]
    expected = assessment.summary["mean"][[label for label in assessment.summary.index if str(label).startswith("mu[")]]
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
    assert dates[0] == "2012-01-01"


def test_series_are_named_by_what_their_colours_mean(page: Page) -> None:
    rows = rows_of(saved(page, page.locator("#fig-traces"), "csv")[1])
    assert {row["series"].split(" ", 1)[1] for row in rows} == {"chain 1", "chain 2", "chain 3", "chain 4"}
    assert {row["panel"] for row in rows} >= {"s_mu", "s_y"}
    ranks = rows_of(saved(page, page.locator("#fig-ranks"), "csv")[1])
    assert any(row["series"].endswith("lower") for row in ranks)
    assert any(row["series"].endswith("upper") for row in ranks)


def test_every_figure_has_its_numbers(page: Page) -> None:
    for figure in page.locator("figure.figure").all():
        rows = rows_of(saved(page, figure, "csv")[1])
        specs = [json.loads(text) for text in figure.locator(".panel script").all_text_contents()]
        panels = {row.get("panel", "") for row in rows}
        assert len({(row.get("panel"), row["series"]) for row in rows}) <= sum(len(spec["data"]) for spec in specs)
        assert len(panels) == len(specs)
