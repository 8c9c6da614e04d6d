"""What ``bayeskit fit`` promises for any log density: a Python file's, a Pyro program's, a shipped target's."""

from __future__ import annotations

import inspect
import json
import shlex
import subprocess
import sys

import numpy as np
import pytest
from conformance.command import bayeskit

import bayeskit as bk
from bayeskit.cli import fitting
from bayeskit.tasks import ENGINES, DensityTask

FILE = '''
import numpy as np
import pyro
import pyro.distributions as dist
import torch

import bayeskit as bk
from bayeskit.core.proposals import Normal


def log_density(points):
    """A normal of mean 1, and a share."""
    x, share = points[:, 0], points[:, 1]
    return -0.5 * (x - 1) ** 2 + np.log(share) + 2 * np.log(1 - share)


def one(point):
    return -0.5 * (point[0] - 1) ** 2


def coins(heads):
    """A coin's bias."""
    bias = pyro.sample("bias", dist.Beta(torch.tensor(2.0).double(), 2.0))
    with pyro.plate("flips", len(heads)):
        pyro.sample("heads", dist.Bernoulli(bias), obs=heads)


pair = bk.density(log_density, {"x": (), "share": ()}, lower={"share": 0}, upper={"share": 1}, name="a pair")
boxed = bk.density(log_density, {"x": (), "share": ()}, lower=np.array([-9.0, 0.0]), upper=np.array([11.0, 1.0]))
single = bk.density(one, vectorized=False, proposal=Normal(np.array([0.0]), np.array([[4.0]])))
broken = bk.density(lambda points: np.where(points[:, 0] > 1.2, np.nan, -points[:, 0] ** 2))
nowhere = bk.density(lambda points: np.full(len(points), -np.inf))
flips = bk.pyro_program(coins, torch.tensor([1.0, 1.0, 1.0, 0.0, 1.0, 1.0]).double())
number = 3
'''
SMALL = {
    "metropolis": ["--warmup", "200", "--draws", "100"],
    "importance": ["--draws", "2000"],
    "smc": ["--particles", "500"],
    "rejection": ["--draws", "2000"],
    "nuts": ["--warmup", "200", "--draws", "200", "--backend", "pyro"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("densities")
    (place / "mine.py").write_text(FILE, encoding="utf-8")
    return place


def in_process(folder, monkeypatch, capsys, *arguments):
    from bayeskit.cli import main

    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["bayeskit", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code, capsys.readouterr()


@pytest.mark.parametrize("engine", ["metropolis", "importance", "smc"])
def test_a_file_s_density_becomes_a_run(folder, engine, monkeypatch, capsys):
    code, told = in_process(
        folder, monkeypatch, capsys, "fit", "mine.py:pair", "--engine", engine, *SMALL[engine], "--out", f"run-{engine}"
    )
    assert code == 0, told.err
    record = json.loads((folder / f"run-{engine}" / "run.json").read_text())
    assert record["model"] == "a pair"
    assert record["engine"] == engine
    assert record["command"].startswith(f"bayeskit fit mine.py:pair --engine {engine}")
    assert len(record["config"]["program_sha256"]) == 64
    fit, assessment = bk.load_run(folder / f"run-{engine}")
    row = assessment.summary.loc["x"]
    assert abs(row["mean"] - 1) < 6 * row["mcse_mean"]
    row = assessment.summary.loc["share"]  # Beta(2, 3)
    assert abs(row["mean"] - 0.4) < 6 * row["mcse_mean"]
    assert fit.provenance.card.without_data
    page = (folder / f"run-{engine}" / "report.html").read_text(encoding="utf-8")
    assert "A normal of mean 1, and a share." in page
    assert "y_rep" not in page.split("<script")[0]


def test_the_recorded_script_gives_the_same_bits(folder, monkeypatch, capsys):
    arguments = ["mine.py:pair", "--engine", "metropolis", "--warmup", "50", "--draws", "20", "--seed", "5"]
    code, told = in_process(folder, monkeypatch, capsys, "fit", *arguments, "--out", "first")
    assert code == 0, told.err
    script = bayeskit("script", *arguments, "--out", "second", cwd=folder)
    assert script.returncode == 0, script.stderr
    again = subprocess.run(
        [sys.executable, "-c", script.stdout], cwd=folder, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    runs = [bk.load_run(folder / name)[0] for name in ("first", "second")]
    assert runs[0].posterior["posterior"].to_dataset().equals(runs[1].posterior["posterior"].to_dataset())
    assert runs[0].provenance.command == runs[1].provenance.command
    assert shlex.split(runs[0].provenance.command)[2:] == arguments


def test_rejection_says_whether_its_envelope_is_proven(folder, monkeypatch, capsys):
    code, told = in_process(
        folder, monkeypatch, capsys, "fit", "mine.py:boxed", "--engine", "rejection", *SMALL["rejection"], "--strict"
    )
    assert code == 0, told.err
    _, assessment = bk.load_run(folder / "reports" / "mine-boxed-rejection")
    envelope = next(verdict for verdict in assessment.verdicts if verdict.name == "envelope")
    assert envelope.passed
    assert "proven" in envelope.detail


def test_a_density_of_one_point_at_a_time(folder, monkeypatch, capsys):
    code, told = in_process(
        folder,
        monkeypatch,
        capsys,
        "fit",
        "mine.py:single",
        "--engine",
        "importance",
        "--draws",
        "2000",
        "--out",
        "one",
    )
    assert code == 0, told.err
    _, assessment = bk.load_run(folder / "one")
    row = assessment.summary.loc["x"]
    assert abs(row["mean"] - 1) < 6 * row["mcse_mean"]


@pytest.mark.parametrize("engine", [None, "metropolis"])
def test_a_pyro_program(folder, engine, monkeypatch, capsys):
    chosen = [] if engine is None else ["--engine", engine]
    code, told = in_process(
        folder,
        monkeypatch,
        capsys,
        "fit",
        "mine.py:flips",
        *chosen,
        *SMALL[engine or "nuts"],
        "--out",
        f"pyro-{engine}",
    )
    assert code == 0, told.err
    fit, assessment = bk.load_run(folder / f"pyro-{engine}")
    assert fit.provenance.engine == (engine or "nuts")
    row = assessment.summary.loc["bias"]  # Beta(7, 3)
    assert abs(row["mean"] - 0.7) < 6 * row["mcse_mean"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], "there is no model or target 'nothing'; choose from weather, gmm, sbm, bmf, vae, cvae, beta"),
        (["absent.py:x"], "there is no file absent.py; give FILE.py:NAME"),
        (["mine.py:nobody"], "mine.py has nothing under the name 'nobody', not a model; it makes pair, boxed, single"),
        (["mine.py:number"], "mine.py has a int under the name 'number', not a model"),
        (["mine.py:pair", "--engine", "hmc"], "engine 'hmc' is unknown; choose from stan, nuts, svi"),
        (["mine.py:pair", "--engine", "gibbs"], "engine gibbs needs a model's own updates, which a pair has not; take"),
        (["mine.py:pair", "--engine", "stan"], "engine stan runs Stan programs, which a pair is not"),
        (["mine.py:pair", "--engine", "nuts"], "engine nuts runs Pyro programs, which a pair is not"),
        (["mine.py:pair", "--engine", "exact"], "nobody knows how to draw from a pair directly"),
        (["mine.py:pair", "--engine", "metropolis", "--kernel", "mala"], "gradient"),
        (["mine.py:pair", "--engine", "smc", "--chains", "4"], "--chains is no option of --engine smc, which takes"),
        (["mine.py:pair", "--engine", "rejection"], "no finite bounds"),
        (["mine.py:boxed", "--engine", "rejection", "--bound", "1e-6"], "take bound >= 2.96"),
        (["mine.py:broken"], "the log density is NaN at x = "),
        (["mine.py:nowhere"], "start"),
        (["mine.py:pair", "--draws", "0"], "option 'draws'"),
        (["mine.py:pair", "--seed", "-1"], "seed must lie between 0 and"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(folder, arguments, told, monkeypatch, capsys):
    code, said = in_process(folder, monkeypatch, capsys, "fit", *arguments, "--out", "never")
    lines = [line for line in said.err.splitlines() if line.startswith("bayeskit:")]
    assert code in (1, 2)
    assert len(lines) == 1
    assert told in lines[0]
    assert "unexpected" not in lines[0]
    assert not list(folder.glob("never*"))


def test_a_file_that_cannot_be_run_is_named(folder, monkeypatch, capsys):
    (folder / "wrong.py").write_text("import nowhere_to_be_found\n")
    code, said = in_process(folder, monkeypatch, capsys, "fit", "wrong.py:x")
    assert code == 2
    assert "wrong.py cannot be run: ModuleNotFoundError" in said.err


def test_the_command_line_and_the_library_have_the_same_options():
    given = set(inspect.signature(fitting.fit_target).parameters)
    shared = {"target", "engine", "seed", "strict", "overwrite", "out", "lang", "figures"}
    known = {name for config in ENGINES.values() for name in config.model_fields}
    assert given - shared <= known
    for engine in ENGINES:
        task = DensityTask.of("beta", engine, dict.fromkeys(given - shared), 1)
        assert task.engine == engine


def test_a_model_made_in_a_script_has_no_command_but_a_report(tmp_path):
    model = bk.density(lambda points: -0.5 * np.square(points[:, 0]), name="normal")
    fit = bk.fit(model, config=bk.MetropolisConfig(warmup=50, draws=20), seed=2)
    assert fit.provenance.command == ""
    page = bk.report(fit, bk.assess(fit), tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The same command with the same seed" not in page


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"log_density": 3}, "must be a function"),
        ({"integer": ("y",)}, "integer names 'y', which shapes does not; it has x"),
        ({"lower": {"y": 0}}, "lower names 'y', which shapes does not; it has x"),
        ({"lower": {"x": [0, 1]}}, "bounds do not fit the shapes"),
        ({"lower": 2.0, "upper": 1.0}, "lower bound of x must lie below the upper one"),
    ],
)
def test_what_density_refuses(options, told):
    with pytest.raises(bk.ConfigError, match=told):
        bk.density(**{"log_density": lambda points: points[:, 0], **options})


def test_an_engine_and_a_configuration_must_fit():
    model = bk.target("beta")
    with pytest.raises(bk.ConfigError, match="MetropolisConfig is for engine 'metropolis', not for 'smc'; drop one"):
        bk.fit(model, engine="smc", config=bk.MetropolisConfig())
    with pytest.raises(bk.ConfigError, match="there is no target 'gamma'; choose from beta"):
        bk.target("gamma")


def test_a_kernel_of_one_s_own():
    from bayeskit.inference.kernels import birth_death, metropolis_hastings, multiplicative_walk

    gamma = bk.density(
        lambda p: 2 * np.log(p[:, 0]) - p[:, 0],
        lower=0.0,
        start=lambda rng, n: rng.uniform(1, 5, (n, 1)),
        kernel=lambda density: metropolis_hastings(density, multiplicative_walk()),
    )
    fit = bk.fit(gamma, engine="metropolis", seed=2)
    row = bk.assess(fit).summary.loc["x"]
    assert fit.posterior["sample_stats"].attrs["kernel"] == "own"
    assert abs(row["mean"] - 3) < 5 * row["mcse_mean"]
    weights = np.array([1.0, 2.0, 4.0, 2.0, 1.0])
    states = bk.density(
        lambda p: np.log(weights)[np.clip(p[:, 0], 0, 4).astype(int)],
        {"k": ()},
        lower=0.0,
        upper=4.0,
        integer=("k",),
        start=lambda rng, n: rng.integers(0, 5, (n, 1)).astype(float),
        kernel=lambda density: metropolis_hastings(density, birth_death(0.5)),
    )
    row = bk.assess(bk.fit(states, engine="metropolis", seed=2)).summary.loc["k"]
    assert abs(row["mean"] - 2) < 5 * row["mcse_mean"]
    assert abs(row["sd"] - np.sqrt(1.2)) < 0.05


def test_a_file_is_run_once_and_names_what_it_makes(folder, monkeypatch, capsys):
    (folder / "told.py").write_text(
        "import bayeskit as bk\nprint('read')\nhill = bk.density(lambda p: -p[:, 0] ** 2)\n", encoding="utf-8"
    )
    code, said = in_process(folder, monkeypatch, capsys, "fit", "told.py:hill", "--draws", "20", "--warmup", "50")
    assert code == 0, said.err
    assert said.out.count("read\n") == 1
    assert bk.load_run(folder / "reports" / "told-hill-metropolis")[0].provenance.model == "hill"
