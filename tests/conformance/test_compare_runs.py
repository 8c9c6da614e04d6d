"""The command line around finished runs: side by side, and their figures for print."""

from pathlib import Path

import pytest
from conformance.command import bayeskit
from reporting.program_factories import assessed, densities, program_fit

from bayeskit import runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("finished")
    for name, kind in (("chains", "mcmc"), ("fast", "variational")):
        (place / name).mkdir()
        statistics = densities() if kind == "variational" else None
        runs.save(*assessed(program_fit(kind, statistics=statistics)), place / name)
    return place


def test_compare_prints_where_the_page_is(folder):
    done = bayeskit("compare", "chains", "fast", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "compare.html\n"), done.stderr
    page = (folder / "compare.html").read_text("utf-8")
    assert "Compared: chains and fast" in page
    assert "bayeskit compare chains fast --out compare.html" in page


def test_compare_refuses_in_one_line(folder):
    done = bayeskit("compare", "chains", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bayeskit: there is nothing to compare with; give at least two run folders, got 1\n"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("calibrated", "calibrated is a calibration; give folders of runs, of which each has a run.json"),
        ("chains/run.json", "chains/run.json is a file; give the folder of a finished run"),
        ("nowhere", "nowhere: there is no run.json; give the folder of a finished run"),
    ],
)
def test_compare_names_what_is_no_run(folder, place, line):
    (folder / "calibrated").mkdir(exist_ok=True)
    (folder / "calibrated" / "calibration.json").write_text("{}")
    done = bayeskit("compare", "chains", place, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"bayeskit: {line}\n")


def test_report_writes_figures_for_print(folder):
    done = bayeskit("report", "fast", "--figures", "svg", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    figures = {path.name for path in (folder / "fast" / "figures").iterdir()}
    assert {"densities.svg", "weights.svg"} <= figures
