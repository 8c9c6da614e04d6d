"""What ``bayeskit calibrate`` promises: by command and by script, stopped and gone on with, good or bad."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
from conformance.command import bayeskit
from statistical.test_weather_posterior import small_data

from bayeskit import calibrations

NORMAL = """data {
  int<lower=0> N;
  vector[N] y;
}
parameters {
  vector[2] mu;
}
model {
  mu ~ normal(0, 1);
  y ~ normal(mu[1] + mu[2], 1);
}
generated quantities {
  real log_lik = normal_lpdf(y | mu[1] + mu[2], 1);
}
"""
SIMULATOR = """data {
  int<lower=0> N;
}
generated quantities {
  vector[2] mu = to_vector(normal_rng(zeros_vector(2), 1));
  vector[N] y = to_vector(normal_rng(rep_vector(mu[1] + mu[2], N), 1));
  real log_lik = normal_lpdf(y | mu[1] + mu[2], 1);
}
"""
PAIRS = """data {
  int<lower=0> N;
  array[N] tuple(real, real) y;
}
parameters {
  real mu;
}
model {
  mu ~ normal(0, 1);
  for (n in 1:N) y[n].1 ~ normal(mu, 1);
}
"""
PAIRS_SIMULATOR = """data {
  int<lower=0> N;
}
generated quantities {
  real mu = normal_rng(0, 1);
  array[N] tuple(real, real) y;
  for (n in 1:N) y[n] = (normal_rng(mu, 1), 0);
}
"""
COUNTS = """data {
  int<lower=0> N;
  array[N] int y;
}
parameters {
  vector<lower=0>[2] mu;
}
model {
  y ~ poisson(sum(mu));
}
"""
QUICK = ["--chains", "1", "--warmup", "100", "--draws", "50"]


@pytest.fixture(scope="module")
def folder(stan_home, tmp_path_factory):
    """A folder with a weather file, two programs and their data."""
    place = tmp_path_factory.mktemp("calibrate")
    data = small_data(40)
    table = pd.DataFrame({"date": data.dates, "temperature": data.temperature, "precipitation": data.precipitation})
    table.to_csv(place / "days.csv", index=False)
    (place / "normal.stan").write_text(NORMAL)
    (place / "simulate.stan").write_text(SIMULATOR)
    (place / "pairs.stan").write_text(PAIRS)
    (place / "pairs_simulate.stan").write_text(PAIRS_SIMULATOR)
    (place / "counts.stan").write_text(COUNTS)
    (place / "n.json").write_text('{"N": 5}')
    return place


@pytest.fixture(scope="module")
def weather(folder):
    """A finished calibration of 6 simulations."""
    done = bayeskit(
        "calibrate",
        "weather",
        "days.csv",
        "--simulations",
        6,
        "--data-size",
        20,
        *QUICK,
        "--out",
        "weather",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder / "weather"


def ranks(folder):
    return pd.read_csv(folder / "ranks.csv")


def test_command_leaves_a_whole_folder(weather):
    assert {path.name for path in weather.iterdir()} == {
        "calibration.json",
        "simulations.jsonl",
        "ranks.csv",
        "report.html",
    }
    table = ranks(weather)
    assert sorted(table["simulation"].unique()) == list(range(6))
    assert list(table["quantity"].unique()) == ["s_mu", "s_y", *table["quantity"].unique()[2:4], "log_lik"]
    assert (table["rank"] <= table["n_draws"]).all()
    record = json.loads((weather / "calibration.json").read_text())
    assert record["finished"]
    assert "--data-size 20" in record["provenance"]["command"]


def test_one_that_was_killed_goes_on_to_the_same_ranks(folder, weather):
    options = ["--simulations", "6", "--data-size", "20", *QUICK, "--out", "killed"]
    command = [sys.executable, "-c", "from bayeskit.cli import main; main()", "calibrate", "weather", "days.csv"]
    process = subprocess.Popen([*command, *options], cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    lines = folder / "killed" / "simulations.jsonl"
    while not (lines.is_file() and lines.read_text().count("\n")):
        assert process.poll() is None
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in children:
        if child.is_running():
            child.kill()
    process.wait()
    assert not (folder / "killed" / "ranks.csv").exists()
    before = lines.read_text().count("\n")
    done = bayeskit("calibrate", "weather", "days.csv", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert before == 6 or f"{before} of 6 simulations are there already" in done.stderr
    pd.testing.assert_frame_equal(ranks(folder / "killed"), ranks(weather))


@pytest.mark.slow
def test_more_simulations_are_added_to_those_there_are(folder, weather):
    options = ["--data-size", "20", *QUICK, "--out", "more"]
    for simulations in (2, 6):
        done = bayeskit("calibrate", "weather", "days.csv", "--simulations", simulations, *options, cwd=folder)
        assert done.returncode == 0, done.stderr
    assert "2 of 6 simulations are there already" in done.stderr
    pd.testing.assert_frame_equal(ranks(folder / "more"), ranks(weather))
    fewer = bayeskit("calibrate", "weather", "days.csv", "--simulations", 3, *options, cwd=folder)
    assert fewer.returncode == 0, fewer.stderr
    assert sorted(ranks(folder / "more")["simulation"].unique()) == [0, 1, 2]


def test_the_script_does_the_same(folder, weather):
    origin, _ = calibrations.load(weather)
    (folder / "again.py").write_text(origin.script)
    done = subprocess.run([sys.executable, "again.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(ranks(folder / "reports" / "calibration"), ranks(weather))


def test_posterior_calibration_starts_from_the_data_at_hand(folder, weather):
    options = ["--simulations", 3, "--data-size", 20, *QUICK, "--out", "posterior"]
    done = bayeskit("calibrate", "weather", "days.csv", "--posterior", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    own = set(ranks(folder / "posterior")["quantity"])
    assert own - set(ranks(weather)["quantity"])  # its last day lies 20 days later
    refused = bayeskit("calibrate", "weather", "days.csv", *options, cwd=folder)
    assert refused.returncode == 2
    assert "a calibration with another posterior (True, now False)" in refused.stderr


def test_any_program_with_a_simulator(folder):
    command = ["calibrate", "stan", "normal.stan", "n.json", "--simulator", "simulate.stan", "--simulations", 4]
    done = bayeskit(*command, *QUICK, "--out", "program", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert list(ranks(folder / "program")["quantity"].unique()) == ["mu[1]", "mu[2]", "log_lik"]
    laplace = bayeskit(*command, "--method", "laplace", "--out", "laplace", cwd=folder)
    assert laplace.returncode == 0, laplace.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["stan", "normal.stan", "n.json"], "give a simulator"),
        (["stan", "normal.stan", "n.json", "--simulator", "normal.stan"], "normal.stan has parameters"),
        (["stan", "normal.stan", "n.json", "--simulator", "none.stan"], "cannot read the Stan program none.stan"),
        (["stan", "normal.stan", "n.json", "--simulator", "simulate.stan", "--method", "optimize"], "gives a point"),
        (
            ["stan", "pairs.stan", "n.json", "--simulator", "pairs_simulate.stan"],
            "gives y as tuple with 1 dimension; such a variable",
        ),
        (["stan", "counts.stan", "n.json", "--simulator", "simulate.stan"], "counts.stan takes int with 1 dimension"),
        (["weather", "days.csv", "--simulations", "0"], "between 1 and 4,000, got 0"),
        (["weather", "days.csv", "--posterior", "--simulations", "1001"], "between 1 and 1,000, got 1001"),
        (["weather", "days.csv", "--data-size", "0"], "0 days were asked for, there are 40; take some"),
        (["weather", "days.csv", "--data-size", "41"], "41 days were asked for, there are 40; take fewer"),
        (["weather", "none.csv"], "none.csv"),
    ],
)
def test_bad_input_is_one_line(folder, arguments, line):
    done = bayeskit("calibrate", *arguments, "--out", "bad", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0
    assert any(part in done.stderr for part in line.split("|")), done.stderr
    assert not (folder / "bad").exists()


def test_ctrl_c_keeps_what_was_simulated(folder):
    command = [sys.executable, "-c", "from bayeskit.cli import main; main()", "calibrate", "weather", "days.csv"]
    process = subprocess.Popen(
        [*command, "--data-size", "20", *QUICK, "--simulations", "400", "--out", "stopped"],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    lines = folder / "stopped" / "simulations.jsonl"
    while not (lines.is_file() and lines.read_text().count("\n")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in said
    assert 0 < lines.read_text().count("\n") < 400
