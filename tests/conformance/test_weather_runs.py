"""What every run promises, for every form of the weather models: from a file to a folder, by command and by script."""

import inspect
import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import arviz_stats
import numpy as np
import pandas as pd
import psutil
import pytest
import xarray as xr
from conformance.command import bayeskit

import bayeskit as bk
from bayeskit import workflows
from bayeskit.tasks import MODELS, Task

FAST = ["--chains", "2", "--warmup", "150", "--draws", "100"]
N_DAYS = 30
MISSING = [4, 11, 12]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, stan_home):
    folder = tmp_path_factory.mktemp("weather")
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "date": pd.date_range("2021-03-01", periods=N_DAYS).strftime("%Y-%m-%d"),
            "temperature": (10 + np.cumsum(rng.normal(size=N_DAYS)) + rng.normal(size=N_DAYS)).round(1),
            "precipitation": np.where(rng.uniform(size=N_DAYS) < 0.4, 2.5, 0.0),
        }
    )
    frame.loc[MISSING, "temperature"] = np.nan
    frame.to_csv(folder / "days.csv", index=False)
    return folder


SHORT = {("level", "marginal", "ignore"), ("trend", "marginal", "noise"), ("level", "latent", "noise")}
VARIANTS = [
    pytest.param(*variant, marks=[] if variant in SHORT else pytest.mark.slow)
    for variant in itertools.product(["level", "trend"], ["marginal", "latent"], ["ignore", "noise"])
]


@pytest.fixture(scope="module")
def run(folder):
    """Run one variant once; its folder."""

    def run(model="level", form="marginal", rain="ignore"):
        name = f"{model}-{form}-{rain}"
        if not (folder / name).exists():
            choices = ["--model", model, "--form", form, "--rain", rain, *FAST, "--out", name]
            done = bayeskit("fit", "weather", "days.csv", *choices, cwd=folder)
            assert done.returncode == 0, done.stderr
            assert done.stdout.strip() == f"{name}/report.html"
        return folder / name

    return run


@pytest.mark.parametrize(("model", "form", "rain"), VARIANTS)
def test_run_folder_keeps_its_contract(run, model, form, rain):
    out = run(model, form, rain)
    assert sorted(path.name for path in out.iterdir()) == ["posterior.nc", "report.html", "run.json", "summary.csv"]
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["schema_version"] == 2
    assert (record["model"], record["engine"], record["kind"], record["seed"]) == ("weather", "stan", "mcmc", 1)
    assert set(record["timings"]) >= {"compile", "warmup", "sampling"}
    assert record["config"]["chains"] == 2
    assert record["data"]["path"] == "days.csv"
    assert len(record["data"]["sha256"]) == 64
    assert all(set(verdict) >= {"name", "value", "threshold", "passed"} for verdict in record["verdicts"])
    assert record["priors"]["s_mu"].startswith("normal(0, ")

    with xr.open_datatree(out / "posterior.nc", engine="h5netcdf") as tree:
        assert set(tree.children) == {
            "posterior", "sample_stats", "log_likelihood", "prior", "prior_predictive", "posterior_predictive",
            "observed_data", "constant_data", "log_prior",
        }  # fmt: skip
        posterior = tree["posterior"]
        assert dict(posterior.sizes).items() >= {"chain": 2, "draw": 100, "date": N_DAYS}.items()
        assert ("slope" in posterior) == (model == "trend")
        assert ("weather" in posterior["s_y"].dims) == (rain == "noise")
        assert posterior["date"].values[0] == np.datetime64("2021-03-01")
        for group in ("log_likelihood", "posterior_predictive", "prior_predictive", "observed_data"):
            assert tree[group]["temperature"].sizes["observed_date"] == N_DAYS - len(MISSING)
            assert np.isfinite(tree[group]["temperature"]).all()
        summary = pd.read_csv(out / "summary.csv", index_col="quantity")
        worst = max(float(arviz_stats.rhat(posterior.to_dataset())[name].max()) for name in posterior.data_vars)
    assert summary["r_hat"].max() == pytest.approx(worst)
    assert "created_at" not in posterior.attrs
    assert len(summary) == sum(value.size // 200 for value in posterior.data_vars.values())


def test_script_does_exactly_what_the_command_does(run, folder):
    out = run("trend", "marginal", "noise")
    choices = ["--model", "trend", "--rain", "noise", *FAST, "--out", "by-script"]
    printed = bayeskit("script", "weather", "days.csv", *choices, cwd=folder)
    assert printed.returncode == 0, printed.stderr
    (folder / "analysis.py").write_text(printed.stdout)
    done = subprocess.run([sys.executable, "analysis.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with (
        xr.open_datatree(out / "posterior.nc", engine="h5netcdf") as command,
        xr.open_datatree(folder / "by-script" / "posterior.nc", engine="h5netcdf") as script,
    ):
        xr.testing.assert_identical(command.load(), script.load())
    first, second = (json.loads((path / "run.json").read_text()) for path in (out, folder / "by-script"))
    assert first["verdicts"] == second["verdicts"]
    assert first["command"] == second["command"]


def test_script_takes_every_option_of_fit(folder):
    options = ["--prior", "s_y=gamma(2, 1)", "--adapt-delta", "0.9", "--device", "cpu", "--strict", "--no-overwrite"]
    printed = bayeskit("script", "weather", "days.csv", *options, "--out", "o", cwd=folder)
    assert printed.returncode == 0, printed.stderr
    assert "adapt_delta=0.9" in printed.stdout
    assert "gamma(2, 1)" in printed.stdout
    assert "bk.save_run(fit, assessment, 'o', overwrite=False)" in printed.stdout
    assert printed.stdout.rstrip().endswith("raise SystemExit(0 if assessment.passed else 3)")
    compile(printed.stdout, "script", "exec")


@pytest.mark.slow
def test_command_in_the_record_gives_the_same_draws(run, folder):
    out = run("trend", "marginal", "noise")
    command = shlex.split(json.loads((out / "run.json").read_text())["command"])
    done = bayeskit(*command[1:], "--out", "again", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "again" / "summary.csv").read_text() == (out / "summary.csv").read_text()


@pytest.mark.slow
def test_another_seed_gives_other_draws(run, folder):
    done = bayeskit("fit", "weather", "days.csv", *FAST, "--seed", "2", "--out", "seed-2", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "seed-2" / "summary.csv").read_text() != (run() / "summary.csv").read_text()


def test_a_chain_does_not_change_with_the_number_of_chains(folder):
    model = bk.weather(bk.load_weather(folder / "days.csv"))
    two, three = (bk.fit(model, config=bk.StanConfig(chains=n, warmup=100, draws=50)) for n in (2, 3))
    np.testing.assert_array_equal(
        two.posterior["posterior"]["s_mu"], three.posterior["posterior"]["s_mu"].isel(chain=slice(2))
    )


def test_report_is_made_anew(run):
    out = run()
    before = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    done = bayeskit("report", out, cwd=out)
    assert done.returncode == 0, done.stderr
    assert (out / "report.html").read_bytes() == before


def test_strict_exits_with_3_where_a_verdict_fails(folder):
    poor = ["--chains", "2", "--warmup", "20", "--draws", "8"]
    done = bayeskit("fit", "weather", "days.csv", *poor, "--strict", "--out", "poor", cwd=folder)
    assert done.returncode == 3, done.stderr
    assert "FAILED" in done.stderr
    assert (folder / "poor" / "report.html").exists()  # a failed verdict is a result


def test_many_chains_start_in_groups(folder):
    model = bk.weather(bk.load_weather(folder / "days.csv"))
    fit = bk.fit(model, config=bk.StanConfig(chains=20, warmup=60, draws=25))
    assert list(fit.posterior["sample_stats"].attrs["superchains"]) == [chain // 4 for chain in range(20)]
    assert next(v for v in bk.assess(fit).verdicts if v.name == "ess_bulk").threshold == 400


def test_a_failing_report_does_not_lose_the_draws(folder, monkeypatch):
    import bayeskit.reporting

    def broken(fit, assessment, *, language):
        raise ValueError("no ink")

    monkeypatch.setattr(bayeskit.reporting, "render", broken)
    monkeypatch.chdir(folder)
    task = Task("weather", "days.csv", {}, config=bk.StanConfig(chains=2, warmup=100, draws=50))
    with pytest.raises(RuntimeError, match="the report could not be made \\(no ink\\)"):
        workflows.fit_to_folder(task, folder / "no-ink", overwrite=False, notify=print)
    monkeypatch.undo()
    assert workflows.report_again(folder / "no-ink").is_file()


def test_old_dates_are_kept(folder):
    old = pd.read_csv(folder / "days.csv")
    old["date"] = old["date"].str.replace("2021", "1573")
    old.to_csv(folder / "old.csv", index=False)
    done = bayeskit("fit", "weather", "old.csv", *FAST, "--out", "old", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "mu[1573-03-01]" in (folder / "old" / "summary.csv").read_text()


def test_the_caller_s_environment_and_children_are_left_alone(folder):
    program = """
import os, signal, subprocess, sys, threading, time
import psutil, bayeskit as bk
os.environ.pop("STAN_NUM_THREADS", None)
mine = subprocess.Popen(["sleep", "60"])
model = bk.weather(bk.load_weather("days.csv"))
bk.fit(model, config=bk.StanConfig(chains=2, warmup=100, draws=50))
assert "STAN_NUM_THREADS" not in os.environ
def interrupt():
    while not any("weather_level" in child.name() for child in psutil.Process().children()):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    bk.fit(model, config=bk.StanConfig(chains=2, warmup=10**6, draws=1000))
except KeyboardInterrupt:
    print("stopped", mine.poll())
mine.kill()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "stopped None", done.stderr


def test_fit_and_assessment_show_themselves(folder):
    fit = bk.fit(bk.weather(bk.load_weather(folder / "days.csv")), config=bk.StanConfig(chains=2, warmup=100, draws=50))
    assert "s_mu" in repr(fit)
    assert "<table" in fit._repr_html_()
    assessment = bk.assess(fit)
    assert "r_hat" in repr(assessment)
    assert "<table" in assessment._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "weather", "no.csv"], "no.csv"),
        (["fit", "weather", "days.csv", "--rain", "wet"], "wet"),
        (["fit", "weather", "days.csv", "--prior", "s_mu=norml(0,1)"], "did you mean normal?"),
        (["fit", "weather", "days.csv", "--chains", "0"], "chains"),
        (["fit", "weather", "days.csv", "--seed", "-1"], "seed must lie between 0 and 4294967295, got -1"),
        (["fit", "weather", "days.csv", "--engine", "pyro"], "choose from stan"),
        (["fit", "weather", "days.csv", "--device", "cuda"], "runs on the CPU"),
        (["fit", "weather", "days.csv", "--chains", "17"], "take a multiple, got 17"),
        (["fit", "wether", "days.csv"], "wether"),
        (["fit", "weather", "days.csv", "--chian", "3"], "--chian"),
        (["report", "nowhere"], "there is no run.json"),
    ],
)
def test_bad_input_is_one_line_and_status_2(folder, arguments, said):
    before = sorted(folder.iterdir())
    done = bayeskit(*arguments, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr
    assert sorted(folder.iterdir()) == before


def test_existing_folder_is_not_replaced_unasked(run, folder):
    run()
    done = bayeskit("fit", "weather", "days.csv", *FAST, "--out", "level-marginal-ignore", cwd=folder)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr


def test_unwritable_place_is_named_before_any_work(folder):
    started = time.monotonic()
    done = bayeskit("fit", "weather", "days.csv", "--out", "/proc/run", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "cannot write to" in done.stderr
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_nothing_and_nobody(folder, number):
    long = ["--form", "latent", "--draws", "100000", "--warmup", "100000", "--out", f"stopped-{number}"]
    command = [sys.executable, "-c", "from bayeskit.cli import main; main()", "fit", "weather", "days.csv", *long]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    children = wait_for_sampling(process.pid)
    os.kill(process.pid, number)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert "interrupted" in complaint
    assert "Traceback" not in complaint
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert not list(folder.glob(f"stopped-{number}*"))


def wait_for_sampling(pid):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        stan = [
            child for child in psutil.Process(pid).children(recursive=True) if "weather_level_latent" in child.name()
        ]
        if stan:
            return stan
        time.sleep(0.1)
    raise AssertionError("Stan never started")


def test_demo_tasks_stand_on_shipped_data():
    from bayeskit.core.paths import resource
    from bayeskit.datasets.sources import SETS, located

    for entry in MODELS.values():
        for file, load, options in entry.demo.values():
            assert located(file).is_file() if file in SETS else resource("data", file).is_file()
            assert set(load) <= set(inspect.signature(entry.load).parameters)
            assert set(options) <= set(inspect.signature(entry.build).parameters)


def test_command_line_has_the_library_s_defaults():
    from bayeskit.cli.common import weather_task
    from bayeskit.cli.fitting import fit_weather, script_weather

    for command in (fit_weather, script_weather):
        given = {name: p.default for name, p in inspect.signature(command).parameters.items()}
        library = {"model": "level", "form": "marginal", "rain": "ignore"}
        assert given.items() >= library.items()
        assert weather_task("days.csv", given).config == bk.StanConfig()


def test_help_is_instant():
    command = [sys.executable, "-X", "importtime", "-c", "from bayeskit.cli import main; main()", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"numpy", "pandas", "torch", "pyro", "cmdstanpy", "arviz_base", "plotly", "xarray", "pydantic"}
