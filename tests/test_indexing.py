"""The index over the runs below a folder: found, told and linked without reading a single draw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reporting.factories import make_assessment, make_fit
from typer.testing import CliRunner

from bayeskit import runs, workflows
from bayeskit.cli import app
from bayeskit.core.errors import DataError
from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting import RunEntry
from bayeskit.workflows.indexing import told


@pytest.fixture(scope="module")
def healthy() -> tuple[Fit, Assessment]:
    fit = make_fit(n_days=40, n_draws=60)
    return fit, make_assessment(fit)


def run_in(folder: Path, fit: Fit, assessment: Assessment, *, report: bool = True) -> Path:
    folder.mkdir(parents=True)
    runs.save(fit, assessment, folder, told(fit, assessment))
    if report:
        (folder / "report.html").write_text("<title>report</title>")
    return folder


def test_runs_at_any_depth_are_listed_with_their_own_sentence(healthy: tuple[Fit, Assessment], tmp_path: Path) -> None:
    fit, assessment = healthy
    for name in ("a run #1", "deep/er/b"):
        (run_in(tmp_path / name, fit, assessment) / "posterior.nc").write_text("no draws are needed")
    run_in(tmp_path / "no-report", fit, assessment, report=False)
    run_in(tmp_path / "c.partial", fit, assessment)
    run_in(tmp_path / ".hidden", fit, assessment)
    path = workflows.write_index(tmp_path)
    html = path.read_text(encoding="utf-8")
    assert path == tmp_path / "index.html"
    assert "3 runs, 3 passed" in html
    assert 'href="./a%20run%20%231/report.html"' in html
    assert 'href="./deep/er/b/report.html"' in html
    assert "no-report" not in html
    assert "partial" not in html
    entry = RunEntry.of(fit, assessment, href="report.html")
    assert html.count(entry.verdict.split(":")[0]) >= 3
    assert not list(tmp_path.glob("*.html.partial"))


def test_what_cannot_be_read_is_listed_with_the_reason(healthy: tuple[Fit, Assessment], tmp_path: Path) -> None:
    run_in(tmp_path / "good", *healthy)
    broken = {
        "truncated": '{"schema_version": 2, "mod',
        "future": '{"schema_version": 999}',
        "poor": '{"schema_version": 2}',
        "odd": '{"schema_version": 2, "data": 3, "verdicts": "x", "card": []}',
        "list": "[1, 2]",
    }
    for name, text in broken.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    html = workflows.write_index(tmp_path).read_text(encoding="utf-8")
    assert "6 runs, 1 passed, 5 cannot be read" in html
    assert "<code>schema_version</code> 999" in html
    for name in broken:
        assert f"<bdi>{name}</bdi>" in html


def test_a_run_of_before_is_told_by_its_checks(healthy: tuple[Fit, Assessment], tmp_path: Path) -> None:
    folder = run_in(tmp_path / "old", *healthy)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record.pop("told")["state"] == "passed"
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    html = workflows.write_index(tmp_path).read_text(encoding="utf-8")
    assert "All 6 checks passed." in html


def test_calibrations_are_listed_finished_or_not(tmp_path: Path) -> None:
    provenance = {
        "card": {"title": "Local level"},
        "command": "bayeskit calibrate weather",
        "data": {"description": "60 days"},
        "started": "2026-11-20T08:00:00+00:00",
        "timings": {"wall": 12.0},
    }
    verdicts = [
        {"name": "uniformity", "value": 0.0001, "passed": False},
        {"name": "resolution", "value": 1, "passed": None},
    ]
    for name, record in {
        "done": {"finished": True, "provenance": provenance, "verdicts": verdicts},
        "begun": {"finished": False},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "calibration.json").write_text(json.dumps({"schema_version": 1, **record}))
    html = workflows.write_index(tmp_path).read_text(encoding="utf-8")
    assert "2 runs, 1 failed, 1 not checked" in html
    assert "Calibration: Local level" in html
    assert "Not finished" in html


def test_the_command_prints_the_page(healthy: tuple[Fit, Assessment], tmp_path: Path) -> None:
    run_in(tmp_path / "a", *healthy)
    result = CliRunner().invoke(app, ["index", str(tmp_path)])
    assert (result.exit_code, result.stdout.strip()) == (0, str(tmp_path / "index.html"))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        workflows.write_index(tmp_path / "nowhere")
