"""The index in a browser: two thousand runs searched and sorted, and read without a script."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from reporting.browsing import MARKS, opened, overflow

from bayeskit.reporting import RunEntry, render_index

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = MARKS

N = 2000
READY = ".tools:not([hidden])"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "back\\slash 'n' \"quote\"",
    "y" * 10_000,
    "\u202eabc",
]


def entries() -> list[RunEntry]:
    rng = np.random.default_rng(1)
    made = []
    for i in range(N):
        state = ("passed", "failed", "unchecked", "passed")[i % 4]
        made.append(
            RunEntry(
                title=f"Model {i % 50}",
                subtitle=f"bayeskit fit weather data/file-{i}.csv --seed {i}",
                data=f"{i + 100} days from Tōkyō",
                state=state,
                verdict="Trust it" if state == "passed" else "Do not use these numbers",
                numbers={"R-hat": "1.01"},
                href=f"run-{i}/report.html",
                adequate=i % 8 != 3,
                started=f"2026-{1 + i % 12:02}-{1 + i % 28:02}T{i % 24:02}:{i % 60:02}:00+00:00",
                r_hat=None if i % 10 == 0 else float(1 + rng.exponential(0.05)),
                ess=float(rng.gamma(5, 100)),
                wall=float(rng.exponential(60)),
            )
        )
    return made


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[RunEntry]]:
    made = entries()
    path = tmp_path_factory.mktemp("index") / "index.html"
    path.write_text(render_index(made), encoding="utf-8")
    return path, made


@pytest.fixture(scope="module")
def once(browser: Browser, many: tuple[Path, list[RunEntry]]) -> Iterator[tuple[Page, list[str]]]:
    page, troubles = opened(browser, many[0], ready=READY)
    yield page, troubles
    page.context.close()


@pytest.fixture
def page(once: tuple[Page, list[str]]) -> Iterator[Page]:
    page, troubles = once
    page.get_by_label("Search").fill("")
    page.get_by_label("Show").select_option("")
    page.get_by_label("Sort by").select_option("newest")
    yield page
    assert troubles == []


def links(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.run:not([hidden]) h2 a')].map(a => a.getAttribute('href'))"
    )
    return found


def text_of(entry: RunEntry) -> str:
    return " ".join([entry.title, entry.subtitle, entry.verdict, *entry.numbers.values(), entry.data, entry.when])


def test_the_search_takes_title_command_data_and_verdict(
    page: Page, many: tuple[Path, list[RunEntry]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(links(page)) == N
    asked = {
        "model 7": lambda e: "7" in text_of(e),
        "FILE-77 seed": lambda e: "file-77" in e.subtitle,
        "to\u0304kyo\u0304 do-not": lambda e: False,
        "to\u0304kyo\u0304 not use": lambda e: e.state != "passed",
        "1310 days": lambda e: "1310" in text_of(e),
    }
    for words, fits in asked.items():
        clock = time.perf_counter()
        page.get_by_label("Search").fill(words)
        found = links(page)
        took = time.perf_counter() - clock
        wanted = {entry.url for entry in many[1] if fits(entry)}
        assert set(found) == wanted, words
        assert len(found) < N
        told = f"{len(found):,} of 2,000 shown" if found else "no run fits"
        assert page.locator(".shown").text_content() == told
        with capsys.disabled():
            print(f"\n2,000 runs searched in {took:.2f} s", end="")


@pytest.mark.parametrize(
    ("order", "key"),
    [
        (
            "newest",
            lambda e: tuple(-int(part) for part in e.started[:16].replace("T", "-").replace(":", "-").split("-")),
        ),
        ("oldest", lambda e: e.started),
        ("name", lambda e: int(e.title.removeprefix("Model "))),
        ("verdict", lambda e: ("failed", "unchecked", "doubtful", "passed").index(e.outcome)),
        ("rhat", lambda e: (e.r_hat is None, -(e.r_hat or 0))),
        ("ess", lambda e: e.ess),
        ("wall", lambda e: -e.wall),
    ],
)
def test_it_is_sorted(page: Page, many: tuple[Path, list[RunEntry]], order: str, key: Any) -> None:
    page.get_by_label("Sort by").select_option(order)
    by_url = {entry.url: entry for entry in many[1]}
    found = [key(by_url[link]) for link in links(page)]
    assert found == sorted(found)
    assert len(set(found)) > 1  # it could have been wrong


@pytest.mark.parametrize("outcome", ["passed", "doubtful", "failed", "unchecked"])
def test_it_shows_the_runs_of_one_outcome(page: Page, many: tuple[Path, list[RunEntry]], outcome: str) -> None:
    page.get_by_label("Show").select_option(outcome)
    assert set(links(page)) == {entry.url for entry in many[1] if entry.outcome == outcome}
    assert 0 < len(links(page)) < N


def test_without_a_script_all_runs_are_there(browser: Browser, many: tuple[Path, list[RunEntry]]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(many[0].as_uri())
    assert page.locator(".run").count() == N
    assert not page.locator(".tools").is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_names_do_no_harm_on_a_phone(browser: Browser, tmp_path: Path, scheme: str) -> None:
    made = [RunEntry(name, name, name, "failed", name, {name: "1"}, f"{name[:40]}/report.html") for name in HOSTILE]
    made.append(RunEntry("gone", "", "", "damaged", "This folder cannot be read: " + HOSTILE[0], href=""))
    path = tmp_path / "index.html"
    path.write_text(render_index(made), encoding="utf-8")
    page, troubles = opened(browser, path, 375, scheme, READY)
    assert page.locator(".run").count() == len(made)
    assert overflow(page) == 0
    assert page.locator(".run h2 a").first.text_content() == HOSTILE[0]
    page.get_by_label("Search").fill("<script>")
    assert page.locator(".run:visible").count() == 2
    assert max(page.evaluate("[...document.querySelectorAll('.run')].map(r => r.offsetHeight)")) < 1500
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    assert troubles == []
    page.context.close()
