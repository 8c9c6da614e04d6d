"""A factorisation's page in a browser: on a phone and in the dark, its fields told, its figures saved."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from reporting.browsing import MARKS, opened, overflow
from reporting.rating_factories import assessed, rating_fit

from bayeskit.reporting import render
from bayeskit.reporting.rating_reading import read_factorisation
from bayeskit.reporting.rating_view import Factorisation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = MARKS

SLOW = ("willReadFrequently",)  # what a browser that draws without a graphics card says of its own speed
OPTIONS: dict[str, dict[str, Any]] = {
    "normal": {"kind": "variational", "baselines": True},
    "ordinal": {"kind": "variational", "likelihood": "ordinal", "family": "ard", "features": True},
    "point": {"kind": "point"},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("ratings")
    made = {}
    for name, options in OPTIONS.items():
        made[name] = folder / f"{name}.html"
        made[name].write_text(render(*assessed(rating_fit(**options))), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def normal(browser: Browser, pages: dict[str, Path]) -> Iterator[tuple[Page, list[str]]]:
    """The page of a normal likelihood, wide, and what goes wrong in it."""
    page, troubles = opened(browser, pages["normal"], accept_downloads=True)
    yield page, troubles
    page.context.close()


def read(name: str) -> Factorisation:
    found = read_factorisation(rating_fit(**OPTIONS[name]))
    assert found is not None
    return found


def quiet(troubles: list[str]) -> bool:
    return not [trouble for trouble in troubles if not any(text in trouble for text in SLOW)]


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("normal", 375, "dark"), ("ordinal", 1280, "light"), ("point", 375, "light")],
)
def test_it_opens_quietly_and_fits(
    browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    page, troubles = opened(browser, pages[name], width, scheme)
    assert quiet(troubles)
    assert overflow(page) == 0
    drawings = "[...document.querySelectorAll('.plot .main-svg')]"
    assert page.evaluate(f"{drawings}.filter(e => e.getBoundingClientRect().right > innerWidth).length") == 0
    assert page.locator(".plot .main-svg").count() >= page.locator(".plot").count() > 5
    for figure in ("ratings", "tastes"):
        wide, high = page.evaluate(
            f"[...['width', 'height'].map(s => document.querySelector('#fig-{figure} .plot .nsewdrag')"
            ".getBoundingClientRect()[s])]"
        )
        assert 0.8 < wide / high < 1.25, figure
    page.context.close()


def test_a_field_tells_whose_rating_of_what_it_is(normal: tuple[Page, list[str]]) -> None:
    found = read("normal")
    told = normal[0].evaluate("""() => {
      const { z, text } = document.querySelector('#fig-ratings .plot').data[0];
      const cells = packed.plain(z);
      const found = {};
      cells.forEach((row, i) => row.forEach((cell, j) => { if (Number.isFinite(cell)) found[text[i][j]] = cell; }));
      return found;
    }""")
    assert found.rated is not None
    given = {
        f"{found.users.names[user]}: {found.items.title(int(item))}": value
        for user, item, value in zip(found.rated.user, found.rated.item, found.rated.value, strict=True)
    }
    assert told == given


def test_a_dot_of_the_map_tells_who_it_is(normal: tuple[Page, list[str]]) -> None:
    texts = normal[0].evaluate("document.querySelector('#fig-tastes .plot').data.flatMap(trace => trace.text)")
    jobs = ("artist", "doctor", "writer")
    assert sorted(texts) == sorted(f"user u{i + 1}: {jobs[i % 3]}" for i in range(60))


def test_tables_are_cards_where_there_is_no_room(browser: Browser, pages: dict[str, Path]) -> None:
    page, _ = opened(browser, pages["normal"], 375)
    table = page.locator("table", has_text="Film 11 (1970)").first
    cell = table.locator("td[data-label='95\u00a0% interval']").first
    assert cell.evaluate("e => getComputedStyle(e).display") == "flex"
    assert cell.evaluate("e => getComputedStyle(e, '::before').content") == '"95\u00a0% interval"'
    page.context.close()


def test_figures_are_saved_as_pictures_and_numbers(normal: tuple[Page, list[str]], tmp_path: Path) -> None:
    found = read("normal")
    page, troubles = normal
    for figure, kind in (("calibration", "svg"), ("tastes", "svg"), ("ratings", "csv")):
        with page.expect_download() as waiting:
            page.locator(f"#fig-{figure} .saves button[data-kind={kind}]").click()
        waiting.value.save_as(tmp_path / f"{figure}.{kind}")
    assert (tmp_path / "tastes.svg").read_text(encoding="utf-8").startswith("<svg")
    rows = list(csv.reader(io.StringIO((tmp_path / "ratings.csv").read_text(encoding="utf-8"))))
    numbers = [float(cell) for row in rows for cell in row[-1:] if cell.replace(".", "", 1).isdigit()]
    assert found.rated is not None
    assert len(numbers) == found.rated.value.size + len(found.users) * len(found.items)
    assert np.isfinite(numbers).all()
    assert quiet(troubles)
