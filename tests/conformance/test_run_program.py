"""``bayeskit run``: a user's own Pyro program on the columns of a file."""

import json

import numpy as np
import pytest
import xarray as xr
from conformance.command import bayeskit, called

import bayeskit as bk
from bayeskit.inference._executors import importable
from bayeskit.inference._pyro_predictive import predictive_groups

PROGRAM = '''
import pyro
import pyro.distributions as dist
import torch


def line(x, y):
    """A straight line through points."""
    slope = pyro.sample("slope", dist.Normal(0.0, 10.0))
    intercept = pyro.sample("intercept", dist.Normal(0.0, 10.0))
    sigma = pyro.sample("sigma", dist.HalfNormal(5.0))
    with pyro.plate("points", len(x)):
        pyro.sample("y", dist.Normal(intercept + slope * x, sigma), obs=y)


def by_group(data, n_groups=2):
    """A mean of each group."""
    mean = pyro.sample("mean", dist.Normal(0.0, 10.0).expand([n_groups]).to_event(1))
    with pyro.plate("points", len(data["y"])):
        pyro.sample("y", dist.Normal(mean[data["group"]], 1.0), obs=data["y"])


def of_z(z):
    pyro.sample("a", dist.Normal(z.mean(), 1.0))


def without_latent(x, y):
    pyro.sample("y", dist.Normal(x, 1.0).to_event(1), obs=y)


def looks(x):
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    mean = mean if mean > 0 else 2 * mean
    pyro.sample("x", dist.Normal(mean, torch.ones_like(x)).to_event(1), obs=x)


def raises(x):
    raise ValueError("nothing works")


number = 3
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    (folder / "my_model.py").write_text(PROGRAM)
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, 60)
    y = 1.5 + 0.7 * x + 0.4 * rng.standard_normal(60)
    rows = [f"{a:.4f},{b:.4f},{'left' if a < 0 else 'right'}" for a, b in zip(x, y, strict=True)]
    (folder / "data.csv").write_text("\n".join(["x,y,group", *rows]) + "\n")
    (folder / "broken.py").write_text("import nothing_of_this_name\n")
    (folder / "empty.csv").write_text("")
    (folder / "typo.csv").write_text("x,y,z\n" + "".join(f"{i},{i / 2},{i}\n" for i in range(8)) + "9,four,9\n")
    return folder


def least_squares(folder):
    table = np.loadtxt(folder / "data.csv", delimiter=",", skiprows=1, usecols=(0, 1))
    design = np.column_stack([table[:, 0], np.ones(len(table))])
    found, *_ = np.linalg.lstsq(design, table[:, 1])
    left = table[:, 1] - design @ found
    error = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * (left @ left) / (len(table) - 2))
    return dict(zip(["slope", "intercept"], zip(found, error, strict=True), strict=True))


@pytest.mark.parametrize("engine", ["nuts", "svi"])
def test_a_program_runs_to_a_report(folder, engine):
    options = ["--backend", "pyro", "--warmup", "300", "--draws", "300"] if engine == "nuts" else []
    command = ["run", "my_model.py:line", "data.csv", "--engine", engine, *options, "--out", f"run-{engine}"]
    ended = bayeskit(*command, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    made = folder / f"run-{engine}"
    record = json.loads((made / "run.json").read_text())
    assert record["kind"] == ("mcmc" if engine == "nuts" else "variational")
    assert record["data"]["path"] == "data.csv"
    assert "run my_model.py:line data.csv" in record["command"]
    tree = xr.open_datatree(made / "posterior.nc", engine="h5netcdf")
    for name, (estimate, error) in least_squares(folder).items():
        assert abs(float(tree["posterior"][name].mean()) - estimate) < 0.5 * error
    assert tree["posterior_predictive"]["y"].shape[-1] == 60
    assert tree["log_likelihood"]["y"].shape[-1] == 60
    page = (made / "report.html").read_text()
    assert "A straight line through points." in page
    assert "Does the model fit?" in page


def test_weighted_draws_have_their_predictions(folder):
    """Weights belong to draws: none may be left out."""
    ended = bayeskit("run", "my_model.py:line", "data.csv", "--engine", "smc", "--out", "run-smc", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    tree = xr.open_datatree(folder / "run-smc" / "posterior.nc", engine="h5netcdf")
    shape = tree["sample_stats"]["log_weight"].shape
    assert tree["log_likelihood"]["y"].shape == (*shape, 60)
    assert tree["posterior_predictive"]["y"].shape == (*shape, 60)


def test_a_file_s_program_is_not_sent_to_processes_that_cannot_import_it(folder):
    assert importable(bk.density)
    assert not importable(bk.load_program(f"{folder}/my_model.py:line", folder / "data.csv").program)


def test_control_flow_that_depends_on_values_is_told_and_run(folder):
    sizes = ["--chains", "2", "--warmup", "20", "--draws", "20"]
    ended = bayeskit("run", "my_model.py:looks", "data.csv", *sizes, "--out", "run-looks", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert "it looks at a number that depends on the parameters" in (folder / "run-looks" / "report.html").read_text()
    kept = xr.open_datatree(folder / "run-looks" / "posterior.nc")
    assert "cannot be compiled" in kept["sample_stats"].attrs["note"]


def test_a_file_without_a_name_in_it(folder):
    ended = bayeskit("run", "my_model.py", "data.csv", cwd=folder)
    assert ended.returncode == 2
    assert "my_model.py is a file, of which one thing is meant; give FILE.py:NAME" in ended.stderr


def test_texts_become_whole_numbers_and_data_is_all_columns(folder):
    model = bk.load_program(f"{folder}/my_model.py:by_group", folder / "data.csv")
    fit = bk.fit(model, config=bk.NUTSConfig(backend="pyro", chains=2, warmup=200, draws=200), seed=1)
    table = np.genfromtxt(folder / "data.csv", delimiter=",", skip_header=1, dtype=None, encoding="utf-8")
    y, group = np.array([row[1] for row in table]), np.array([row[2] for row in table])
    for index, level in enumerate(("left", "right")):
        expected, error = y[group == level].mean(), 1 / np.sqrt((group == level).sum())
        assert abs(float(fit.posterior["posterior"]["mean"][..., index].mean()) - expected) < error / 2


def test_the_log_likelihood_is_that_of_the_density():
    import pyro
    import pyro.distributions as dist
    import torch

    y = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)

    def program():
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("points", 3):
            pyro.sample("y", dist.Normal(mean, 2.0), obs=y)

    mean = np.array([[0.3, -0.7, 1.1], [0.0, 0.2, 5.0]])
    made = predictive_groups(program, (), {}, {"mean": mean}, seed=1)
    exact = -0.5 * ((y.numpy() - mean[..., None]) / 2) ** 2 - np.log(2) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(made["log_likelihood"]["y"], exact, rtol=1e-12)
    np.testing.assert_array_equal(made["observed_data"]["y"], y)
    wide = predictive_groups(program, (), {}, {"mean": np.zeros((4, 250))}, seed=1)["posterior_predictive"]["y"]
    assert abs(wide.std() / 2 - 1) < 5 / np.sqrt(2 * wide.size)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.py:line", "data.csv"], "there is no file nowhere.py"),
        (["my_model.py:lane", "data.csv"], "has nothing under the name 'lane'"),
        (["my_model.py:number", "data.csv"], "has a int under the name 'number', not a Pyro program; it has line"),
        (["broken.py:line", "data.csv"], "broken.py cannot be run: ModuleNotFoundError"),
        (["my_model.py:of_z", "data.csv"], "of_z takes an argument 'z', and there is no such column"),
        (["my_model.py:line"], "cannot be called as it was"),
        (["my_model.py:without_latent", "data.csv"], "has no latent pyro.sample site"),
        (["my_model.py:raises", "data.csv"], "raised ValueError (nothing works)"),
        (["my_model.py:line", "nowhere.csv"], "there is no such file"),
        (["my_model.py:line", "empty.csv"], "the file is empty"),
        (["my_model.py:line", "typo.csv"], "typo.csv, column 'y': 'four' in row 10"),
        (["my_model.py:line", "data.csv", "--engine", "stan"], "does not run Pyro programs"),
        (["my_model.py:line", "data.csv", "--engine", "gibbs"], "does not run Pyro programs"),
        (["my_model.py:line", "data.csv", "--guide", "normal"], "--guide is no option of --engine nuts"),
    ],
)
def test_bad_input_is_one_line(folder, words, told):
    status, complaint = called("run", *words, "--out", "never", cwd=folder)
    assert status == 2
    assert told in complaint
    assert len(complaint.strip().splitlines()) == 1
    assert not (folder / "never").exists()
