"""A block model's page in a browser: on a phone and in the dark, its nodes searched by keyboard, its matrix told."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from reporting.block_factories import assessed, block_fit, superfluous
from reporting.browsing import MARKS, opened, overflow

from bayeskit.reporting import render
from bayeskit.reporting.block_reading import read_blocks
from bayeskit.reporting.block_view import Blocks

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = MARKS

SLOW = ("willReadFrequently",)  # what a browser that draws without a graphics card says of its own speed
OPTIONS: dict[str, dict[str, Any]] = {
    "shared": {"kind": "variational"},
    "two": {"kind": "variational", "blocks": (6, 9), "n_nodes": 160},
    "point": {"kind": "point", "directed": False, "likelihood": "poisson"},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("blocks")
    made = {}
    for name, options in OPTIONS.items():
        made[name] = folder / f"{name}.html"
        made[name].write_text(render(*assessed(block_fit(**options), superfluous())), encoding="utf-8")
    return made


def blocks_of(name: str) -> Blocks:
    made = read_blocks(block_fit(**OPTIONS[name]))
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("two", 375, "dark"), ("shared", 1280, "light"), ("point", 375, "light")],
)
def test_it_opens_quietly_and_fits(
    browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    page, troubles = opened(browser, pages[name], width, scheme)
    assert [trouble for trouble in troubles if not any(text in trouble for text in SLOW)] == []
    assert overflow(page) == 0
    drawings = "[...document.querySelectorAll('.plot .main-svg')]"
    assert page.evaluate(f"{drawings}.filter(e => e.getBoundingClientRect().right > innerWidth).length") == 0
    assert page.locator(".plot .main-svg").count() >= page.locator(".plot").count() > 5
    page.context.close()


def test_square_matrices_stay_square(browser: Browser, pages: dict[str, Path]) -> None:
    for width in (375, 1280):
        page, _ = opened(browser, pages["shared"], width)
        for name in ("adjacency", "sharing"):
            wide, high = page.evaluate(
                f"[...['width', 'height'].map(s => document.querySelector('#fig-{name} .plot .nsewdrag')"
                ".getBoundingClientRect()[s])]"
            )
            assert 0.8 < wide / high < 1.25, (width, name)
        page.context.close()


def test_a_field_of_the_matrix_tells_whom_it_is_of(browser: Browser, pages: dict[str, Path]) -> None:
    made = blocks_of("shared")
    page, _ = opened(browser, pages["shared"])
    told = page.evaluate("""() => {
      const { z, text } = document.querySelector('#fig-adjacency .plot').data[0];
      const cells = packed.plain(z);
      const found = [];
      cells.forEach((row, i) => row.forEach((cell, j) => { if (cell) found.push(text[i][j]); }));
      return found;
    }""")
    assert made.edges is not None
    ends = zip(made.edges.source, made.edges.target, strict=True)
    assert sorted(told) == sorted(f"{made.names[i]} → {made.names[j]}" for i, j in ends)
    page.context.close()


def test_numbers_in_fields_give_way_where_there_is_no_room(browser: Browser, pages: dict[str, Path]) -> None:
    counts = []
    for width in (1280, 375):
        page, _ = opened(browser, pages["two"], width)
        counts.append(page.locator("#fig-rates .plot").first.locator(".annotation").count())
        page.context.close()
    assert counts == [54, 0]


def rows(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('#nodes .grid-body [role=row]')]"
        ".map(row => [...row.children].map(cell => cell.textContent))"
    )
    return [[cell.strip() for cell in row] for row in found]


def test_every_node_is_found_by_name_and_block_and_told_by_keyboard(browser: Browser, pages: dict[str, Path]) -> None:
    made = blocks_of("shared")
    page, troubles = opened(browser, pages["shared"], ready="html[data-table=ready]")
    nodes = page.locator("#nodes")
    assert nodes.locator(".shown").text_content() == "all 90 shown"
    nodes.locator("input").fill("neuron 77")
    assert nodes.locator(".shown").text_content() == "1 of 90 shown"
    certainty = made.sources.certainty[76]
    assert rows(page)[0][:3] == ["neuron 77", str(made.sources.block[76] + 1), f"{certainty:.3f}"]
    nodes.locator("input").fill("")
    last = int(made.sources.certainty.argmin())
    block = int(made.sources.block[last])
    nodes.locator("select").select_option(label=f"block {block + 1} ({made.sources.held[block]})")
    assert nodes.locator(".shown").text_content() == f"{made.sources.held[block]} of 90 shown"
    assert {row[1] for row in rows(page)} == {str(block + 1)}
    nodes.locator(".grid").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert nodes.locator(".detail h4").text_content() == made.names[last]
    assert "posterior.nc" in (nodes.locator(".detail").text_content() or "")
    assert page.locator("#quantities .detail").is_hidden()
    page.keyboard.press("Tab")
    nodes.locator(".close").focus()
    page.keyboard.press("Enter")
    assert nodes.locator(".detail").is_hidden()
    assert troubles == []
    page.context.close()


def test_names_sort_as_people_count_and_certainty_as_a_number(browser: Browser, pages: dict[str, Path]) -> None:
    made = blocks_of("shared")
    page, troubles = opened(browser, pages["shared"], ready="html[data-table=ready]")
    headings = page.locator("#nodes .grid-head button")
    headings.nth(0).click()
    assert [row[0] for row in rows(page)][:12] == [f"neuron {i}" for i in range(1, 13)]
    headings.nth(0).click()
    assert rows(page)[0][0] == "neuron 90"
    headings.nth(2).click()
    assert rows(page)[0][0] == made.names[made.sources.certainty.argmin()]
    assert troubles == []
    page.context.close()


def test_the_nodes_are_saved_with_their_groups(browser: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    made = blocks_of("two")
    page, _ = opened(browser, pages["two"], ready="html[data-table=ready]", accept_downloads=True)
    with page.expect_download() as waiting:
        page.locator("#nodes .save-table").click()
    assert waiting.value.suggested_filename == "nodes.csv"
    waiting.value.save_as(tmp_path / "nodes.csv")
    read = list(csv.DictReader(io.StringIO((tmp_path / "nodes.csv").read_text(encoding="utf-8"))))
    assert len(read) == 160
    by_name = {row["node"]: row for row in read}
    for i in (5, 80, 159):
        row = by_name[str(made.names[i])]
        assert (int(row["block_1"]), int(row["block_2"])) == (made.sources.block[i] + 1, made.targets.block[i] + 1)
        assert float(row["probability_2"]) == pytest.approx(made.targets.certainty[i], abs=1e-4)
        assert made.labels is not None
        assert row["group"] == made.labels[i]
    page.context.close()


def test_figures_are_saved_as_pictures(browser: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    page, troubles = opened(browser, pages["shared"], accept_downloads=True)
    for figure in ("adjacency", "network", "groups"):
        with page.expect_download() as waiting:
            page.locator(f"#fig-{figure} .saves button[data-kind=svg]").click()
        waiting.value.save_as(tmp_path / f"{figure}.svg")
        assert (tmp_path / f"{figure}.svg").read_text(encoding="utf-8").startswith("<svg")
    assert [trouble for trouble in troubles if not any(text in trouble for text in SLOW)] == []
    page.context.close()
