"""What ``bayeskit stan run`` promises for any program: every method and type, by command and by script, good or bad."""

import inspect
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import xarray as xr
from conformance.command import bayeskit
from scipy import stats
from scipy.special import logsumexp

import bayeskit as bk
from bayeskit import workflows
from bayeskit.cli import options
from bayeskit.cli.common import method_config
from bayeskit.cli.stan import stan_run
from bayeskit.inference.stan import CONFIGS
from bayeskit.tasks import ENGINES

# On the unconstrained scale, the Jacobian included, the posterior is a normal: log s ~ normal(1, 0.5), mu | y by hand.
GAUSS = """data {
  int<lower=0> N;
  vector[N] y;  // observed
}
parameters {
  real mu;         // where they lie
  real<lower=0> s;
}
model {
  mu ~ normal(0, 1);
  s ~ lognormal(1, 0.5);
  y ~ normal(mu, 1);
}
generated quantities {
  array[N] real y_rep = normal_rng(rep_vector(mu, N), 1);
  vector[N] log_lik;
  for (n in 1:N) log_lik[n] = normal_lpdf(y[n] | mu, 1);
}
"""
TYPES = """functions {
  #include lib/twice.stanfunctions
}
data {
  int<lower=0> K;
  vector[K] w;
  tuple(int, array[2] real) cfg;
}
parameters {
  cholesky_factor_corr[2] L;
  matrix[2, 3] B;
  array[2] vector[3] av;
  vector[K] none;
  tuple(real, vector<lower=0>[2]) t;
  array[2] tuple(real, array[2] vector[3]) ts;
  complex z;
}
model {
  profile("correlations") { L ~ lkj_corr_cholesky(cfg.1); }
  to_vector(B) ~ std_normal();
  for (i in 1:2) av[i] ~ std_normal();
  t.1 ~ std_normal();
  t.2 ~ exponential(cfg.2[2]);
  for (i in 1:2) {
    ts[i].1 ~ normal(i, 0.01);
    for (j in 1:2) for (k in 1:3) ts[i].2[j][k] ~ normal(100 * i + 10 * j + k, 0.01);
  }
  get_real(z) ~ std_normal();
  get_imag(z) ~ normal(7, 0.01);
}
generated quantities {
  array[2] int counts;
  int seven = 7;
  int largest = 2147483647;
  real doubled = twice(t.1);
  for (i in 1:2) counts[i] = poisson_rng(5 * i);
}
"""
DICE = """data { int<lower=1> sides; }
generated quantities { int die = categorical_rng(rep_vector(1.0 / sides, sides)); }
"""
# One compilation for all that can go wrong at run time.
FAULTY = """data { int fault; array[2] real<upper=5> a; }
transformed data { if (fault == 1) reject("I never take ", fault); }
parameters { real<lower=0> x; }
model {
  x ~ exponential(1);
  if (fault == 2) target += negative_infinity();
  if (fault == 3) x ~ normal(0, -x);
  if (fault == 4) fatal_error("enough of this");
  if (fault == 6 && x < 1000) reject("too small");
}
generated quantities { array[2] real b = {1, 2}; if (fault == 5) b[3] = 1; }
"""
FAST = ["--chains", "2", "--warmup", "150", "--draws", "100"]
METHODS = {
    "sample": ["--chains", "2", "--draws", "500"],
    "pathfinder": ["--paths", "2", "--draws", "500"],
    "laplace": [],
    "variational": ["--algorithm", "fullrank"],
    "optimize": [],
}
KINDS = {"sample": "mcmc", "optimize": "point"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, stan_home):
    folder = tmp_path_factory.mktemp("programs")
    (folder / "lib").mkdir()
    (folder / "lib/twice.stanfunctions").write_text("real twice(real a) { return 2 * a; }\n")
    for name, text in {"gauss": GAUSS, "types": TYPES, "dice": DICE, "faulty": FAULTY}.items():
        (folder / f"{name}.stan").write_text(text)
    y = np.random.default_rng(5).normal(0.7, 1, 20).round(2)
    write(folder / "gauss.json", N=20, y=list(y))
    write(folder / "types.json", K=0, cfg={"1": 2, "2": [1, 0.5]})  # of w there is nothing to give
    write(folder / "dice.json", sides=6)
    return folder


def write(path, **values):
    path.write_text(json.dumps(values))


@pytest.fixture(scope="module")
def run(folder):
    """Run a program once with each method; its folder."""

    def run(program="gauss", method="sample"):
        out = folder / f"{program}-{method}"
        if not out.exists():
            options = ["--method", method, *METHODS[method], "--out", out.name]
            done = bayeskit("stan", "run", f"{program}.stan", f"{program}.json", *options, cwd=folder)
            assert done.returncode == 0, done.stderr
            assert done.stdout.strip() == f"{out.name}/report.html"
        return out

    return run


def tree_of(out):
    with xr.open_datatree(out / "posterior.nc", engine="h5netcdf") as tree:
        return tree.load()


@pytest.mark.parametrize("method", METHODS)
def test_run_folder_keeps_its_contract(run, method):
    out = run("gauss", method)
    assert sorted(path.name for path in out.iterdir()) == ["posterior.nc", "report.html", "run.json", "summary.csv"]
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (record["model"], record["engine"], record["seed"]) == ("gauss", "stan", 1)
    assert record["kind"] == KINDS.get(method, "variational")
    assert record["config"]["method"] == method
    assert len(record["config"]["program_sha256"]) == len(record["data"]["sha256"]) == 64
    assert record["data"]["path"] == "gauss.json"
    assert record["card"]["program"] == GAUSS
    assert {quantity["name"]: quantity["meaning"] for quantity in record["card"]["quantities"]} == {
        "mu": "where they lie"
    }
    assert record["timings"].keys() >= {"compile", "wall"}
    assert record["verdicts"]
    tree = tree_of(out)
    assert set(tree.children) == {
        "posterior", "sample_stats", "posterior_predictive", "observed_data", "log_likelihood", "constant_data",
    }  # fmt: skip
    assert list(tree["posterior"].data_vars) == ["mu", "s"]
    for group in ("posterior_predictive", "observed_data", "log_likelihood"):
        assert list(tree[group]["y"]["y_dim_0"].values) == list(range(1, 21))
    sizes = {"sample": (2, 500), "pathfinder": (1, 1000), "optimize": (1, 1)}.get(method, (1, 1000))
    assert (tree["posterior"].sizes["chain"], tree["posterior"].sizes["draw"]) == sizes
    if KINDS.get(method, "variational") == "variational":
        assert {name: value.shape for name, value in tree["sample_stats"].data_vars.items()} == {
            "log_p": (1, 1000),
            "log_q": (1, 1000),
        }
    else:
        assert "lp" in tree["sample_stats"]
    if method in ("optimize", "laplace", "variational"):
        assert tree["sample_stats"].attrs["converged"] == 1
        assert "onverge" in tree["sample_stats"].attrs["message"]


@pytest.fixture(scope="module")
def exact(folder):
    """Posterior mean and sd of mu and of log s, and the log of the data's marginal density."""
    y = np.array(json.loads((folder / "gauss.json").read_text())["y"])
    evidence = stats.multivariate_normal(np.zeros(20), np.eye(20) + 1).logpdf(y)
    return {"mu": (y.sum() / 21, 21**-0.5), "log_s": (1.0, 0.5)}, evidence


def log_weights(tree):
    return (tree["sample_stats"]["log_p"] - tree["sample_stats"]["log_q"]).values[0]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_exact_posterior(run, exact, method):
    """Within five standard errors: each of ten comparisons fails by chance once in two million runs."""
    tree = tree_of(run("gauss", method))
    found = {"mu": tree["posterior"]["mu"].values.ravel(), "log_s": np.log(tree["posterior"]["s"].values.ravel())}
    if method == "optimize":  # the mode as the program states it, without the Jacobian: exp(1 - 0.5**2)
        assert found["mu"][0] == pytest.approx(exact[0]["mu"][0], abs=1e-4)
        assert found["log_s"][0] == pytest.approx(1 - 0.25, abs=1e-4)
        return
    weights = np.full(found["mu"].size, 1 / found["mu"].size)
    if method in ("laplace", "variational"):  # its draws are the approximation's own, one density each
        weights = np.exp(log_weights(tree) - logsumexp(log_weights(tree)))
    for name, (mean, sd) in exact[0].items():
        effective = 100 if method == "sample" else min(1 / np.sum(weights**2), np.unique(found[name]).size)
        assert abs(weights @ found[name] - mean) < 5 * sd / np.sqrt(effective), name


def test_laplace_is_exact_where_the_posterior_is_normal(run):
    """Only if both densities are on the unconstrained scale, the Jacobian included, is their ratio constant."""
    tree = tree_of(run("gauss", "laplace"))
    assert np.ptp(log_weights(tree)) < 1e-3
    without = log_weights(tree) - np.log(tree["posterior"]["s"].values[0])  # a negative control
    assert np.ptp(without) > 1


def test_pathfinder_s_raw_densities_give_the_evidence(run, exact):
    """The mean of p/q over q's own draws is the data's marginal density; over the resampled draws it would not be."""
    weights = log_weights(tree_of(run("gauss", "pathfinder")))
    relative = np.exp(weights - exact[1])
    error = relative.std(ddof=1) / np.sqrt(relative.size)
    assert abs(relative.mean() - 1) < 5 * error + 1e-6
    assert np.unique(weights).size > 990


def test_jacobian_moves_the_mode(folder):
    model = bk.stan_program(folder / "gauss.stan", folder / "gauss.json")
    mode = bk.fit(model, config=bk.OptimizeConfig(jacobian=True)).posterior["posterior"]["s"].item()
    assert np.log(mode) == pytest.approx(1.0, abs=1e-4)


def test_every_type_keeps_its_name_shape_and_place(run):
    out = run("types")
    posterior = tree_of(out)["posterior"].to_dataset()
    shapes = {name: value.shape[2:] for name, value in posterior.data_vars.items()}
    assert shapes == {
        "L": (2, 2), "B": (2, 3), "av": (2, 3), "t.1": (), "t.2": (2,), "ts.1": (2,), "ts.2": (2, 2, 3),
        "z.real": (), "z.imag": (), "counts": (2,), "seven": (), "largest": (), "doubled": (),
    }  # fmt: skip
    mean = posterior.mean(("chain", "draw"))
    place = np.array([[[100 * i + 10 * j + k for k in (1, 2, 3)] for j in (1, 2)] for i in (1, 2)])
    np.testing.assert_allclose(mean["ts.2"], place, atol=0.1)
    np.testing.assert_allclose(mean["ts.1"], [1, 2], atol=0.1)
    assert mean["z.imag"] == pytest.approx(7, abs=0.1)
    assert posterior["counts"].dtype.kind == "i"
    assert (posterior["largest"] == 2147483647).all()
    assert not list(out.parent.glob("*profile*")), "what a program measures of itself is not for the user's folder"
    np.testing.assert_allclose(posterior["doubled"], 2 * posterior["t.1"], rtol=1e-6)
    assert float(posterior["ts.2"].sel({"ts.2_dim_0": 2, "ts.2_dim_1": 1, "ts.2_dim_2": 3}).mean()) == (
        pytest.approx(213, abs=0.1)
    )
    summary = (out / "summary.csv").read_text()
    assert '"ts.2[2,1,3]"' in summary
    assert '"B[2,3]"' in summary
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    notes = [note["text"] for note in record["card"]["notes"]]
    assert "none has no elements with these data, and nothing to show." in notes
    assert "// from lib/twice.stanfunctions" in record["card"]["program"]
    assert record["data"]["variables"]["K"] == "0"
    assert record["data"]["variables"]["cfg"]["text"] == "tuple of 2"


def test_a_program_without_parameters_gives_independent_draws(run):
    out = run("dice")
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["kind"] == "iid"
    die = tree_of(out)["posterior"]["die"].values
    assert die.dtype.kind == "i"
    assert die.shape == (2, 500)
    assert not np.array_equal(die[0], die[1])
    assert stats.chisquare(np.bincount(die.ravel(), minlength=7)[1:]).pvalue > 1e-6
    assert stats.chisquare(np.bincount(np.minimum(die.ravel() + 1, 6), minlength=7)[1:]).pvalue < 1e-6  # a loaded one


@pytest.mark.parametrize("method", METHODS)
def test_script_and_command_in_the_record_give_the_same_bits(run, folder, method):
    out = run("gauss", method)
    record = json.loads((out / "run.json").read_text())
    (folder / "again.py").write_text(record["script"].replace("'reports/run'", f"'by-script-{method}'"))
    done = subprocess.run([sys.executable, "again.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    xr.testing.assert_identical(tree_of(out), tree_of(folder / f"by-script-{method}"))
    if method in ("sample", "pathfinder"):
        repeated = bayeskit(*shlex.split(record["command"])[1:], "--out", f"by-command-{method}", cwd=folder)
        assert repeated.returncode == 0, repeated.stderr
        xr.testing.assert_identical(tree_of(out), tree_of(folder / f"by-command-{method}"))
    other = json.loads((folder / f"by-script-{method}" / "run.json").read_text())
    assert (other["command"], other["verdicts"]) == (record["command"], record["verdicts"])


def test_runs_are_read_back_and_show_themselves(run):
    for program, method in (("gauss", "sample"), ("gauss", "optimize"), ("types", "sample"), ("dice", "sample")):
        fit, assessment = bk.load_run(run(program, method))
        assert repr(fit).startswith(f"{program}: stan on {program}.json\n")
        assert "<table" in fit._repr_html_()
        assert repr(assessment)
    assert "… " in repr(bk.load_run(run("types"))[0])
    before = (run("gauss") / "report.html").read_bytes()
    assert workflows.report_again(run("gauss")).read_bytes() == before


def test_chains_do_not_change_with_their_number_and_many_need_no_groups(folder):
    model = bk.stan_program(folder / "gauss.stan", folder / "gauss.json")
    two, many = (bk.fit(model, config=bk.StanConfig(chains=n, warmup=100, draws=20)) for n in (2, 20))
    np.testing.assert_array_equal(two.posterior["posterior"]["mu"], many.posterior["posterior"]["mu"][:2])
    assert len(np.unique(many.posterior["posterior"]["mu"][:, 0])) == 20
    assert "superchains" not in many.posterior["sample_stats"].attrs


def test_start_values_are_used(folder):
    """Below 1000 the density is 0, so that no start between -2 and 2 on the log scale works."""
    write(folder / "far.json", fault=6, a=[1, 2])
    write(folder / "start.json", x=1200.0)
    done = bayeskit("stan", "run", "faulty.stan", "far.json", *FAST, "--init", "start.json", "--out", "far", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert float(tree_of(folder / "far")["posterior"]["x"].min()) >= 1000
    write(folder / "wrong.json", x=[1.0, 2.0])
    done = bayeskit("stan", "run", "faulty.stan", "far.json", "--init", "wrong.json", "--out", "wrong", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "start value 'x' must have no dimensions (one number), but has size 2" in done.stderr
    write(folder / "misspelt.json", xx=1.0)
    done = bayeskit("stan", "run", "faulty.stan", "far.json", "--init", "misspelt.json", "--out", "wrong", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "start value 'xx': the program has no such parameter; correct --init" in done.stderr


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"fault": 1, "a": [1, 2]}, "the program refuses the data: I never take 1 (in 'faulty.stan', line 2"),
        ({"fault": 2, "a": [1, 2]}, "Log probability evaluates to log(0), i.e. negative infinity); give start values"),
        ({"fault": 3, "a": [1, 2]}, "Stan: normal_lpdf: Scale parameter is -"),
        ({"fault": 4, "a": [1, 2]}, "enough of this (in 'faulty.stan', line 8"),
        ({"fault": 5, "a": [1, 2]}, "accessing element out of range. index 3 out of range"),
        ({"fault": 0, "a": [1]}, "data variable 'a' must have size 2, but has size 1 (in 'faulty.stan', line 1"),
        ({"fault": 0, "a": [1, 6]}, "a[2] is 6, but must be less than or equal to 5 (in 'faulty.stan', line 1"),
        ({"fault": 0.5, "a": [1, 2]}, "data variable 'fault' must hold integers"),
        ({"fault": 0, "b": [1, 2]}, "the data have no 'a', which the program declares as real with 1 dimension"),
        ({"fault": 0, "a": [1, None]}, "a[2] is null"),
    ],
)
def test_what_the_program_or_its_data_do_wrong_is_one_line(folder, data, said):
    fails_in_one_line(folder, data, said, "--chains", "2")


@pytest.mark.parametrize(
    ("method", "data", "said"),
    [
        ("optimize", {"fault": 2, "a": [1, 2]}, "Log probability evaluates to log(0), i.e. negative infinity); give"),
        ("optimize", {"fault": 5, "a": [1, 2]}, "accessing element out of range. index 3 out of range"),
        ("pathfinder", {"fault": 4, "a": [1, 2]}, "enough of this (in 'faulty.stan', line 8"),
        ("variational", {"fault": 0, "a": [1]}, "data variable 'a' must have size 2, but has size 1"),
        ("laplace", {"fault": 3, "a": [1, 2]}, "Stan: normal_lpdf: Scale parameter is -"),
    ],
)
def test_with_every_method(folder, method, data, said):
    fails_in_one_line(folder, data, said, "--method", method)


def fails_in_one_line(folder, data, said, *options):
    write(folder / "bad.json", **data)
    before = sorted(folder.iterdir())
    done = bayeskit("stan", "run", "faulty.stan", "bad.json", *options, "--out", "bad", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    complaint = [line for line in done.stderr.splitlines() if not line.endswith(", once ...")]
    assert len(complaint) == 1, done.stderr
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.stan"], "cannot read the Stan program none.stan: No such file"),
        (["gauss.stan", "none.json"], "cannot read the data none.json: No such file"),
        (["gauss.stan"], "the data have no 'N', which the program declares as int, nor 'y'; give a JSON file"),
        (["gauss.stan", "gauss.stan"], "gauss.stan is no valid JSON: expecting value at line 1, column 1"),
        (["syntax.stan"], "Syntax error in 'syntax.stan', line 1, column 20"),
        (["nothing.stan"], "nothing.stan has neither parameters nor generated quantities"),
        (
            ["gauss.stan", "gauss.json", "--method", "pathfinder", "--warmup", "9"],
            "--warmup is no option of --method p",
        ),
        (["gauss.stan", "gauss.json", "--paths", "9"], "--paths is no option of --method sample, which takes --chains"),
        (
            ["gauss.stan", "gauss.json", "--method", "optimize", "--draws", "9"],
            "which takes --iterations and --jacobian",
        ),
        (["gauss.stan", "gauss.json", "--method", "guess"], "'guess' is not one of"),
        (["gauss.stan", "gauss.json", "--chains", "0"], "option 'chains': input should be greater than or equal to 1"),
        (["gauss.stan", "gauss.json", "--seed", "-1"], "seed must lie between 0 and 4294967295, got -1"),
        (["gauss.stan", "gauss.json", "--init", "none.json"], "cannot read the start values none.json: No such file"),
        (["dice.stan", "dice.json", "--method", "laplace"], "dice.stan has no parameters, which method laplace needs"),
    ],
)
def test_bad_input_is_one_line_and_status_2(folder, arguments, said):
    (folder / "syntax.stan").write_text("parameters { real x }\n")
    (folder / "nothing.stan").write_text("data { int N; }\n")
    write(folder / "nothing.json", N=1)
    arguments = [*arguments, "nothing.json"] if arguments == ["nothing.stan"] else arguments
    before = sorted(folder.iterdir())
    done = bayeskit("stan", "run", *arguments, "--out", "bad", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert said in done.stderr
    assert sorted(folder.iterdir()) == before


def test_strict_exits_with_3_where_a_verdict_fails(folder):
    poor = ["--chains", "2", "--warmup", "20", "--draws", "8"]
    done = bayeskit("stan", "run", "gauss.stan", "gauss.json", *poor, "--strict", "--out", "poor", cwd=folder)
    assert done.returncode == 3, done.stderr
    assert "FAILED" in done.stderr
    assert (folder / "poor" / "report.html").exists()


def test_the_report_is_never_of_another_program(folder):
    (folder / "edited.stan").write_text(GAUSS)
    model = bk.stan_program(folder / "edited.stan", folder / "gauss.json")
    (folder / "edited.stan").write_text(GAUSS.replace("normal(0, 1)", "normal(5, 1)"))
    with pytest.raises(bk.ProgramError, match=r"edited\.stan was changed since it was read"):
        bk.fit(model, config=bk.StanConfig(chains=1, warmup=20, draws=4))


@pytest.mark.parametrize(
    ("method", "number"),
    [
        ("sample", signal.SIGINT),
        ("variational", signal.SIGTERM),
        pytest.param("sample", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("variational", signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_interruption_leaves_nothing_and_nobody(folder, run, method, number):
    run("gauss", method)
    endless = {"sample": ["--draws", "100000000"], "variational": ["--draws", "100000000"]}[method]
    out = f"stopped-{method}-{number}"
    arguments = ["stan", "run", "gauss.stan", "gauss.json", "--method", method, *endless, "--out", out]
    command = [sys.executable, "-c", "from bayeskit.cli import main; main()", *arguments]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    children = wait_for("gauss", process.pid)
    os.kill(process.pid, number)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert "interrupted" in complaint
    assert "Traceback" not in complaint
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert not list(folder.glob(f"{out}*"))


def wait_for(name, parent):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = [child for child in psutil.Process(parent).children(recursive=True) if child.name() == name]
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("Stan never started")


SAMPLERS = [ENGINES[name] for name in ("metropolis", "importance", "smc")]


def test_the_command_line_and_the_library_have_the_same_options():
    given = set(inspect.signature(stan_run).parameters)
    own = given - {
        "program", "data", "engine", "method", "init", "seed", "strict", "overwrite", "out", "lang", "figures",
    }  # fmt: skip
    fields = {name for config in CONFIGS.values() for name in config.model_fields}
    assert fields <= own <= fields | {name for config in SAMPLERS for name in config.model_fields}
    for method, config in CONFIGS.items():
        assert method_config(method, dict.fromkeys(given)) == config()
    text = Path(options.__file__).read_text()
    for config in CONFIGS.values():  # defaults that the help names
        for name, field in config.model_fields.items():
            if name not in ("jacobian",):
                assert f"({field.default})" in text, (config, name)
