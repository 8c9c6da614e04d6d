"""Stan's other methods, by a stand-in for a program that writes what it is told to: files, words and exit status."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from bayeskit.core.errors import InferenceError, ProgramError
from bayeskit.inference import _process
from bayeskit.inference._approximations import approximate
from bayeskit.inference._job import Job
from bayeskit.inference.stan import LaplaceConfig, OptimizeConfig, PathfinderConfig, VariationalConfig

STAND_IN = """#!{python}
import json, sys
from pathlib import Path
here = Path(__file__).parent
plan = json.loads((here / "plan.json").read_text())
arguments = sys.argv[1:]
method = arguments[0].removeprefix("method=")
files = [argument.removeprefix("file=") for argument in arguments if argument.startswith("file=")]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + chr(10))
for suffix, rows in plan[method].get("files", {{}}).items():
    Path(files[-1].replace(".csv", suffix + ".csv")).write_text("# comment\\n" + rows)
print(plan[method].get("said", ""))
sys.exit(plan[method].get("status", 0))
"""
NORMALLY = "Optimization terminated normally: \n  Convergence detected: x\n"
WITH_ERROR = "Optimization terminated with error: \n  Line search failed\n"
POINT = "lp__,x\n-1,2\n"


def rows(header, *lines):
    return "\n".join([header, *lines]) + "\n"


def table(header, n, first=0):
    width = header.count(",") + 1
    return rows(header, *(",".join(str(first + 10 * row + column) for column in range(width)) for row in range(n)))


@pytest.fixture
def attempt(tmp_path):
    """Run one method on the stand-in; ``attempt.calls()`` gives the command lines that it was called with."""
    executable = tmp_path / "program"
    executable.write_text(STAND_IN.format(python=sys.executable))
    executable.chmod(0o755)
    (tmp_path / "out").mkdir()

    def attempt(config, plan, init=None, data=None):
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        model = SimpleNamespace(stan_inits=lambda rng: init)
        return approximate(Job(executable, tmp_path / "out", data, seed=7), config, model)

    attempt.calls = lambda: [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    attempt.folder = tmp_path / "out"
    return attempt


def test_optimize_gives_one_point(attempt):
    outcome = attempt(OptimizeConfig(jacobian=True), {"optimize": {"files": {"": POINT}, "said": NORMALLY}})
    assert outcome.kind == "point"
    np.testing.assert_array_equal(outcome.draws, [[[-1, 2]]])
    np.testing.assert_array_equal(outcome.statistics["lp"], [[-1]])
    assert outcome.engine == {"converged": True, "message": "Convergence detected: x"}
    assert set(outcome.timings) == {"optimize"}
    [call] = attempt.calls()
    assert call[:4] == ["method=optimize", "algorithm=lbfgs", "iter=2000", "jacobian=1"]
    assert call[4:6] == ["random", "seed=7"]
    assert "sig_figs=9" in call


def test_a_failed_line_search_is_a_result_with_a_verdict(attempt):
    plan = {"optimize": {"files": {"": POINT}, "said": WITH_ERROR, "status": 70}}
    outcome = attempt(OptimizeConfig(), plan)
    assert outcome.engine == {"converged": False, "message": "Line search failed"}
    assert outcome.draws[0, 0, 1] == 2


def test_no_point_is_an_error(attempt):
    said = "Rejecting initial value:\n  Log probability evaluates to log(0)\nError: Initialization failed.\n"
    with pytest.raises(ProgramError, match=r"not finite where sampling would start.*log\(0\)"):
        attempt(OptimizeConfig(), {"optimize": {"files": {"": "lp__,x\n"}, "said": said, "status": 70}})


def test_laplace_goes_from_the_mode(attempt):
    plan = {
        "optimize": {"files": {"": POINT}, "said": NORMALLY},
        "laplace": {"files": {"": table("log_p__,log_q__,x", 100)}},
    }
    outcome = attempt(LaplaceConfig(draws=100, iterations=5), plan, init=0.25)
    assert (outcome.kind, outcome.draws.shape) == ("variational", (1, 100, 3))
    np.testing.assert_array_equal(outcome.statistics["log_p"], outcome.draws[..., 0])
    np.testing.assert_array_equal(outcome.statistics["log_q"], outcome.draws[..., 1])
    assert outcome.engine["converged"] is True
    first, second = attempt.calls()
    assert {"iter=5", "jacobian=1", "init=0.25", "sig_figs=18"} <= set(first)
    assert second[1:4] == [f"mode={attempt.folder / 'optimize.csv'}", "jacobian=1", "draws=100"]
    assert not any(argument.startswith("init") for argument in second)


@pytest.mark.parametrize(
    "flat",
    [
        {"files": {"": rows("log_p__,log_q__,x", *["nan,nan,nan"] * 100)}},
        {
            "status": 1,
            "said": "Error: the Hessian at the mode is not finite and negative definite, so there is no Gaussian",
        },
    ],
)
def test_laplace_without_a_peak_is_refused(attempt, flat):
    plan = {"optimize": {"files": {"": POINT}, "said": NORMALLY}, "laplace": flat}
    with pytest.raises(InferenceError, match=r"no peak that a normal fits .*\(Convergence detected: x\)"):
        attempt(LaplaceConfig(draws=100), plan)


@pytest.mark.parametrize("problem", [{"status": 1}, {"files": {"": table("log_p__,log_q__,x", 99)}}])
def test_laplace_that_broke_off_is_an_error(attempt, problem):
    whole = {"files": {"": table("log_p__,log_q__,x", 100)}}
    plan = {"optimize": {"files": {"": POINT}, "said": NORMALLY}, "laplace": {**whole, **problem}}
    with pytest.raises(InferenceError, match="Stan stopped without a result"):
        attempt(LaplaceConfig(draws=100), plan)


HEADER = "lp_approx__,lp__,x"


def test_pathfinder_keeps_the_resampled_draws_and_the_raw_densities(attempt):
    """Paths 2 and 10 stand in their order, and path 3, which failed, has no draws."""
    files = {"": table(HEADER, 1000, 5)} | {f"_path_{path}": table(HEADER, 100, 1000 * path) for path in (10, 1, 2)}
    files["_path_3"] = f"{HEADER}\n1,2"
    outcome = attempt(PathfinderConfig(paths=10, draws=100), {"pathfinder": {"files": files}})
    assert outcome.draws.shape == (1, 1000, 3)
    assert outcome.draws[0, 0, 0] == 5
    assert outcome.statistics["log_q"].shape == (1, 300)
    np.testing.assert_array_equal(outcome.statistics["log_q"][0, ::100], [1000, 2000, 10000])
    np.testing.assert_array_equal(outcome.statistics["log_p"], outcome.statistics["log_q"] + 1)
    assert outcome.engine == {"failed_paths": 7}
    [call] = attempt.calls()
    assert {"num_paths=10", "num_draws=100", "num_psis_draws=1000", "save_single_paths=1"} <= set(call)


def test_one_path_is_not_resampled(attempt):
    outcome = attempt(PathfinderConfig(paths=1, draws=100), {"pathfinder": {"files": {"": table(HEADER, 100)}}})
    np.testing.assert_array_equal(outcome.statistics["log_p"], outcome.draws[..., 1])
    np.testing.assert_array_equal(outcome.statistics["log_q"], outcome.draws[..., 0])
    assert not any("psis" in argument for argument in attempt.calls()[0])


def test_pathfinder_without_raw_draws_is_an_error(attempt):
    with pytest.raises(InferenceError, match="no draws of the single paths"):
        attempt(PathfinderConfig(), {"pathfinder": {"files": {"": table(HEADER, 4000)}}})


def test_variational_leaves_out_the_mean(attempt):
    said = "   300   -52.1   0.02   0.005   MEDIAN ELBO CONVERGED\n"
    plan = {"variational": {"files": {"": table("lp__,log_p__,log_g__,x", 101)}, "said": said}}
    outcome = attempt(VariationalConfig(algorithm="fullrank", draws=100), plan)
    assert outcome.draws.shape == (1, 100, 4)
    assert outcome.draws[0, 0, 0] == 10
    np.testing.assert_array_equal(outcome.statistics["log_p"], outcome.draws[..., 1])
    np.testing.assert_array_equal(outcome.statistics["log_q"], outcome.draws[..., 2])
    assert outcome.engine == {"converged": True, "message": "median ELBO converged"}


def test_start_values_are_written_as_json(attempt):
    attempt(OptimizeConfig(), {"optimize": {"files": {"": POINT}}}, init={"x": [1.5]}, data=attempt.folder / "d.json")
    [call] = attempt.calls()
    assert f"init={attempt.folder / 'init.json'}" in call
    assert json.loads((attempt.folder / "init.json").read_text()) == {"x": [1.5]}
    assert call[call.index("data") + 1] == f"file={attempt.folder / 'd.json'}"


def test_a_full_disk_is_named(attempt, monkeypatch):
    monkeypatch.setattr(_process.shutil, "disk_usage", lambda folder: SimpleNamespace(free=5))
    with pytest.raises(OSError, match="No space left"):
        attempt(VariationalConfig(), {"variational": {"status": 1}})
