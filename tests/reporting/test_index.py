"""The index over several runs."""

import json
from dataclasses import asdict

from bayeskit.core.language import from_record
from bayeskit.core.records import plain, provenance_record
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


def test_the_newest_run_comes_first_and_an_unknown_time_last() -> None:
    times = {"old": "2024-05-01T08:00:00+00:00", "unknown": "", "new": "2026-11-20T08:00:00+00:00"}
    html = render_index([RunEntry(name, "", "", "passed", "", started=time) for name, time in times.items()])
    assert html.index(">new<") < html.index(">old<") < html.index(">unknown<")


def test_an_entry_comes_back_from_what_run_json_keeps(small: tuple[Fit, Assessment]) -> None:
    """In whichever language it is read: the texts keep what they were made from."""
    fit, assessment = small
    entry = RunEntry.of(fit, assessment, href="level/report.html")
    record = plain(
        provenance_record(fit.provenance)
        | {"verdicts": [asdict(verdict) for verdict in assessment.verdicts], "told": entry.told()}
    )
    again = RunEntry.from_record(from_record(json.loads(json.dumps(record))), href="level/report.html")
    assert again == entry


def test_a_run_of_before_gets_a_sentence_from_its_checks(failed: tuple[Fit, Assessment]) -> None:
    fit, assessment = failed
    record = provenance_record(fit.provenance) | {"verdicts": [asdict(verdict) for verdict in assessment.verdicts]}
    entry = RunEntry.from_record(record, href="report.html")
    assert entry.state == "failed"
    assert "R-hat" in entry.verdict
    assert entry.r_hat == max(verdict.value for verdict in assessment.verdicts if verdict.name == "r_hat")


def test_an_index_of_nothing_says_so() -> None:
    assert "There are no runs here yet" in render_index([])


def test_a_link_cannot_leave_the_scheme() -> None:
    entry = RunEntry("t", "", "d", "passed", "v", {}, "javascript:alert(1)")
    assert entry.url == "./javascript%3Aalert%281%29"
