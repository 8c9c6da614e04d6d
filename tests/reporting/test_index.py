"""The index over several runs."""

from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting import RunEntry, render_index


def test_a_run_shows_title_data_verdict_numbers_and_link(
    small: tuple[Fit, Assessment], failed: tuple[Fit, Assessment]
) -> None:
    entries = [RunEntry.of(*small, href="level/report.html"), RunEntry.of(*failed, href="my run #1/report.html")]
    html = render_index(entries, title="Demo")
    assert "2 runs, 1 passed, 1 failed" in html
    assert 'href="./level/report.html"' in html
    assert 'href="./my%20run%20%231/report.html"' in html
    for text in (
        "Daily temperature: local level",
        "data/seattle-weather.csv",
        "Trust it",
        "Do not use",
        "s_mu",
        "R-hat",
    ):
        assert text in html


def test_an_index_of_nothing_says_so() -> None:
    assert "There are no runs here yet" in render_index([])


def test_a_link_cannot_leave_the_scheme() -> None:
    entry = RunEntry("t", "", "d", "passed", "v", {}, "javascript:alert(1)")
    assert entry.url == "./javascript%3Aalert%281%29"
