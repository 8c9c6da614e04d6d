"""What ``bayeskit fit gmm`` promises, from points in a file to a report."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from conformance.command import bayeskit, called

import bayeskit as bk
from bayeskit import workflows
from bayeskit.workflows import crosschecking

WEIGHTS, MEANS, SD = (0.6, 0.4), np.array([[0.0, 10.0], [4.0, 30.0]]), np.array([1.0, 5.0])
QUICK = {
    "gibbs": ["--warmup", "200", "--draws", "300"],
    "em": [],
    "svi": ["--steps", "3000"],
    "nuts": ["--backend", "pyro", "--chains", "2", "--warmup", "150", "--draws", "150"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    rng = np.random.default_rng(11)
    group = (rng.random(150) > WEIGHTS[0]).astype(int)
    points = MEANS[group] + SD * rng.standard_normal((150, 2))
    rows = [f"{a:.3f},{b:.3f},p{i}" for i, (a, b) in enumerate(points)]
    rows[3] = rows[3].split(",")[0] + ",,p3"
    (folder / "points.csv").write_text("\n".join(["width,length,name", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    made = {}

    def run(engine):
        if engine not in made:
            out = folder / f"run-{engine}"
            options = ["--components", "2", "--engine", engine, *QUICK[engine], "--out", out.name]
            status, complaint = called("fit", "gmm", "points.csv", *options, cwd=folder)
            assert status == 0, complaint
            made[engine] = out
        return made[engine]

    return run


@pytest.mark.parametrize("engine", QUICK)
def test_every_engine_finds_the_groups(run, engine):
    out = run(engine)
    record = json.loads((out / "run.json").read_text())
    kinds = {"gibbs": "mcmc", "nuts": "mcmc", "svi": "variational", "em": "point"}
    assert record["kind"] == kinds[engine]
    assert record["engine"] == engine
    with xr.open_datatree(out / "posterior.nc", engine="h5netcdf") as tree:
        mean = tree["posterior"]["mean"].mean(("chain", "draw")).to_numpy()
        weight = tree["posterior"]["weight"].mean(("chain", "draw")).to_numpy()
    np.testing.assert_allclose(weight, WEIGHTS, atol=5 * np.sqrt(0.24 / 150))
    np.testing.assert_allclose(mean, MEANS, atol=5 * SD.max() / np.sqrt(60))
    page = (out / "report.html").read_text()
    assert "Mixture of 2 normal distributions" in page


def test_the_script_gives_the_same_draws(folder, run):
    run("gibbs")
    options = ["--components", "2", *QUICK["gibbs"], "--out", "by-script"]
    printed = bayeskit("script", "gmm", "points.csv", *options, cwd=folder)
    assert printed.returncode == 0, printed.stderr
    (folder / "analysis.py").write_text(printed.stdout)
    done = subprocess.run([sys.executable, "analysis.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "by-script" / "summary.csv").read_text() == (run("gibbs") / "summary.csv").read_text()


def test_the_command_in_the_record_chooses_the_same_number_again(folder):
    options = [*QUICK["gibbs"], "--covariance", "diagonal", "--criterion", "bic", "--out", "chosen"]
    status, complaint = called("fit", "gmm", "points.csv", *options, cwd=folder)
    assert status == 0, complaint
    record = json.loads((folder / "chosen" / "run.json").read_text())
    assert record["card"]["mixture"]["n_components"] == 2
    command = shlex.split(record["command"])
    assert "--components" not in command
    status, complaint = called(*command[1:], "--out", "again", cwd=folder)
    assert status == 0, complaint
    assert (folder / "again" / "summary.csv").read_text() == (folder / "chosen" / "summary.csv").read_text()
    with xr.open_datatree(folder / "chosen" / "posterior.nc", engine="h5netcdf") as tree:
        selection = tree["selection"].to_dataset()
        assert selection["n_components"].values[int(np.argmin(selection["bic"].values))] == 2


def test_a_dirichlet_process_says_how_many_are_occupied(folder):
    options = ["--dp", "--components", "6", *QUICK["gibbs"], "--out", "dp"]
    status, complaint = called("fit", "gmm", "points.csv", *options, cwd=folder)
    assert status == 0, complaint
    with xr.open_datatree(folder / "dp" / "posterior.nc", engine="h5netcdf") as tree:
        occupied = tree["posterior"]["n_occupied"].to_numpy()
    assert 2 <= np.median(occupied) <= 4
    assert occupied.min() >= 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--components", "0"], "components"),
        (["--components", "many"], "--components must be a whole number or auto"),
        (["--components", "200"], "distinct points"),
        (["--components", "2", "--criterion", "bic"], "--criterion is what --components auto chooses by"),
        (["--columns", "width,lenght"], "did you mean 'length'"),
        (["--columns", "name"], "name"),
        (["--prior", "scales=normal(0, 1)"], "no distribution 'normal' here"),
        (["--prior", "means=normal(0, -1)"], "positive"),
        (["--engine", "exact"], "cannot fit gmm"),
        (["--engine", "smc"], "engine 'smc' cannot fit gmm; choose from gibbs, nuts"),
        (["--engine", "gibbs", "--guide", "normal"], "--guide is no option of --engine gibbs"),
        (["--engine", "gibbs", "--device", "cuda"], "cpu"),
        (["--engine", "metropolis", "--device", "cuda"], "runs on the CPU"),
        (["--engine", "em", "--chains", "2"], "--chains is no option of --engine em"),
        (["--engine", "em", "--dp"], "engine em has no prior, which a Dirichlet process is"),
    ],
)
def test_bad_options_are_one_line(folder, words, told):
    status, complaint = called("fit", "gmm", "points.csv", *words, "--out", "never", cwd=folder)
    assert status == 2
    assert told in complaint
    assert len([line for line in complaint.splitlines() if line.startswith("bayeskit:")]) == 1
    assert not (folder / "never").exists()


def test_engines_agree_on_three_groups():
    found = workflows.crosscheck("gmm")
    wrong = [f"{cell.engine} {cell.status}: {cell.detail}" for cell in found.cells if not cell.as_expected]
    assert not wrong
    statuses = {cell.engine: cell.status for cell in found.cells}
    assert {engine for engine, status in statuses.items() if status == "agrees"} == {"gibbs", "nuts", "stan"}


def two_groups():
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.normal(0, 1, 60), rng.normal(5, 1.5, 40)])
    return bk.gmm(bk.points(values[:, None], ["x"]), components=2)


def test_the_hand_written_sampler_agrees_where_the_dimension_allows(monkeypatch):
    monkeypatch.setattr(crosschecking, "_OWN_ENGINES", {bk.GMM: ("gibbs", "metropolis")})
    found = workflows.crosscheck(two_groups())
    assert {cell.status for cell in found.cells} == {"agrees"}


def test_an_engine_with_another_prior_is_found(monkeypatch):
    original = crosschecking.fit

    def wrong(model, *, engine, seed):
        if engine == "gibbs":
            model = bk.gmm(model.data, components=2, prior=["means=normal(0, 0.5)"])
        return original(model, engine=engine, seed=seed)

    monkeypatch.setattr(crosschecking, "fit", wrong)
    monkeypatch.setattr(crosschecking, "_OWN_ENGINES", {bk.GMM: ("gibbs", "metropolis")})
    found = workflows.crosscheck(two_groups())
    assert "disagrees" in {cell.status for cell in found.cells}
    assert not found.passed
