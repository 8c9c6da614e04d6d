"""Runs larger than memory should be: reports of 100,000 quantities, from draws that stay on disk."""

import shutil
import subprocess
import sys

import big_runs
import numpy as np
import pytest

from bayeskit import runs
from bayeskit.reporting import render
from bayeskit.workflows import assess

MAX_GIGABYTES = 4
REPORT = """
import time
started = time.perf_counter()
import resource, sys, pathlib
from bayeskit import runs
from bayeskit.workflows import assess, report_again
folder = pathlib.Path(sys.argv[1])
if sys.argv[2] == "summary":
    runs.load(folder, assess)[1].summary.to_csv(folder / "summary.csv", index_label="quantity")
else:
    report_again(folder)
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.parametrize(
    ("make", "size"), [(big_runs.program_run, 200), (big_runs.weather_run, 60)], ids=["program", "weather"]
)
def test_a_report_from_disk_is_that_from_memory(tmp_path, monkeypatch, make, size):
    folder = make(tmp_path / "run", size)
    held, assessment = runs.load(folder, assess)
    monkeypatch.setattr(runs.saved, "IN_MEMORY", 0)
    on_disk, again = runs.load(folder, assess)
    assert not any(array.variable._in_memory for array in on_disk.posterior["posterior"].data_vars.values())
    assert again.summary.equals(assessment.summary)
    assert render(on_disk, again) == render(held, assessment)


def test_the_chains_are_as_good_and_as_bad_as_they_say():
    draws = big_runs.draw_cells(1000, np.random.default_rng(1), troubled=True)
    apart = draws.mean(1)[0] - draws.mean(1)[1:].mean(0)
    assert np.sum(apart > 0.5) >= 2
    assert np.sum(np.ptp(draws, axis=(0, 1)) == 0) == 2
    assert np.sum(np.isnan(draws).any((0, 1))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("make", [big_runs.program_run, big_runs.weather_run], ids=["program", "weather"])
def test_a_report_of_100_000_quantities_fits_into_memory(tmp_path, capsys, make):
    folder = make(tmp_path / "run")
    size = (folder / "posterior.nc").stat().st_size
    assert size > 3.2e9
    try:
        for what in ("report", "summary", "report"):
            summary = "with" if (folder / "summary.csv").exists() else "without"
            done = subprocess.run(
                [sys.executable, "-c", REPORT, folder, what], check=True, capture_output=True, text=True
            )
            seconds, peak = map(float, done.stdout.split()[-2:])
            with capsys.disabled():
                print(f"\n  {what} {summary} summary.csv: {seconds:.0f} s, {peak / 1e9:.2f} GB of {size / 1e9:.1f}")
            assert peak < MAX_GIGABYTES * 1e9
    finally:
        shutil.rmtree(folder)
