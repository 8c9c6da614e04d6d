"""The C++ runner's methods beside sampling: what must hold between them, and what must fail."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from toolchain.runner_support import DATA, GOLDEN, assert_one_line, assert_whole_rows, comments, numbers, run


def table(csv: Path) -> tuple[list[str], np.ndarray]:
    header, *rows = numbers(csv)
    return header.split(","), np.array([[float(x) for x in row.split(",")] for row in rows])


def column(csv: Path, *names: str) -> np.ndarray:
    header, values = table(csv)
    return values[:, [header.index(name) for name in names]].squeeze()


@pytest.fixture
def linreg(programs: Path, tmp_path: Path):
    """Return a function that runs linreg on its data in a folder of the test's own."""
    (tmp_path / "linreg.json").write_text((GOLDEN / "linreg.json").read_text())

    def call(arguments: str, output: str = "o.csv", program: str = "linreg", data: str = DATA, status: int = 0):
        full = f"{arguments} {data} random seed=4 output file={output} sig_figs=18 refresh=0"
        result = run(programs, str(programs / program), full, cwd=tmp_path)
        if status is not None:
            assert result.returncode == status, result.stderr
        return result if status is None or status else tmp_path / output

    return call


PARAMETERS = ("alpha", "beta.1", "beta.2", "beta.3", "sigma")


@pytest.mark.parametrize("jacobian", [0, 1])
def test_optimizers_find_the_mode_of_their_density(linreg, tmp_path: Path, jacobian: int):
    modes = [
        column(linreg(f"optimize algorithm={name} jacobian={jacobian}", f"{name}.csv"), "lp__", *PARAMETERS)
        for name in ("newton", "bfgs", "lbfgs")
    ]
    np.testing.assert_allclose(modes[1:], [modes[0]] * 2, atol=1e-4)
    given = dict(zip(("alpha", "sigma"), modes[0][[1, 5]], strict=True)) | {"beta": list(modes[0][2:5])}
    (tmp_path / "mode.json").write_text(json.dumps(given))
    for adjusted in (0, 1):
        csv = linreg(f"log_prob constrained_params=mode.json jacobian={adjusted}", f"lp{adjusted}.csv")
        gradient = table(csv)[1][0, 1:]
        # The other density's gradient is 1 in the direction of log(sigma), and tells the two apart.
        # Newton's method stops where the density changes by less than 1e-8.
        np.testing.assert_allclose(gradient[:4], 0, atol=5e-3)
        assert gradient[4] == pytest.approx(adjusted - jacobian, abs=5e-3)


def test_saved_iterations_end_with_the_mode(linreg):
    for algorithm in ("lbfgs", "newton"):
        _, alone = table(linreg(f"optimize algorithm={algorithm}"))
        _, all_of_them = table(linreg(f"optimize algorithm={algorithm} save_iterations=1", "all.csv"))
        assert alone.shape[0] == 1
        assert all_of_them.shape[0] > 2
        np.testing.assert_array_equal(all_of_them[-1, :6], alone[0, :6])
        assert (all_of_them[0, :6] != alone[0, :6]).all()


def test_an_optimization_without_an_end_fails_and_keeps_its_point(linreg, tmp_path: Path):
    (tmp_path / "two.json").write_text('{"N": 2, "K": 1, "x": [[1], [2]], "y": [1.5, 2.5]}')
    result = linreg("optimize", data="data file=two.json", status=1)  # a line through two points: sigma goes to 0
    assert_one_line(result, "Optimization terminated with error")
    assert len(numbers(tmp_path / "o.csv")) == 2
    assert "# Failed: Optimization terminated with error" in (tmp_path / "o.csv").read_text()


def test_log_prob_agrees_with_the_sampler_and_with_finite_differences(linreg, tmp_path: Path):
    chain = linreg("sample num_samples=20 num_warmup=200", "chain.csv")
    computed = linreg("log_prob constrained_params=chain.csv")
    np.testing.assert_allclose(column(computed, "lp__"), column(chain, "lp__"), rtol=1e-12)
    without = linreg("log_prob constrained_params=chain.csv jacobian=0", "without.csv")
    np.testing.assert_allclose(column(computed, "lp__") - column(without, "lp__"), np.log(column(chain, "sigma")))
    point, step = np.array([0.3, -0.2, 0.1, 0.5, 0.4]), 1e-5
    points = np.array([point, *(point + sign * step * axis for axis in np.eye(5) for sign in (1, -1))])
    # CmdStan takes an array's numbers in the order in which Stan keeps them: column by column.
    array = points.ravel().reshape(points.shape, order="F")
    (tmp_path / "u.json").write_text(json.dumps({"params_r": array.tolist()}))
    _, rows = table(linreg("log_prob unconstrained_params=u.json", "fd.csv"))
    differences = (rows[1::2, 0] - rows[2::2, 0]) / (2 * step)
    np.testing.assert_allclose(rows[0, 1:], differences, rtol=1e-6)
    (tmp_path / "one.json").write_text(json.dumps({"params_r": point.tolist()}))
    np.testing.assert_array_equal(table(linreg("log_prob unconstrained_params=one.json", "1.csv"))[1], rows[:1])


def test_generated_quantities_of_draws_are_those_of_the_sampler(linreg, tmp_path: Path):
    chain = linreg("sample num_samples=30 num_warmup=200", "f_1.csv")
    (tmp_path / "f_2.csv").write_text(chain.read_text())
    single = linreg("generate_quantities fitted_params=f_1.csv", "g.csv")
    header, values = table(single)
    likelihood = [name for name in header if name.startswith("log_lik")]
    assert not set(header) & set(PARAMETERS)
    np.testing.assert_allclose(column(single, *likelihood), column(chain, *likelihood), rtol=1e-12)
    linreg("generate_quantities fitted_params=f.csv num_chains=2 num_threads=2", "many.csv", status=None)
    first, second = (table(tmp_path / f"many_{chain}.csv") for chain in (1, 2))
    assert first[0] == second[0] == header
    np.testing.assert_array_equal(first[1], values)
    replicated = [name.startswith("y_rep") for name in header]
    assert (second[1][:, replicated] != values[:, replicated]).all()


def test_laplace_of_a_gaussian_is_exact(linreg, tmp_path: Path):
    # fragile is normal(200, 1) away from where it fails.
    gaps = []
    for mode in (200, 203):
        (tmp_path / "mode.json").write_text(json.dumps({"mu": mode}))
        call = "laplace mode=mode.json draws=2000"
        csv = linreg(call, program="fragile", data="output diagnostic_file=h.csv")
        draws = column(csv, "mu")
        assert draws.mean() == pytest.approx(mode, abs=0.1)
        assert draws.std() == pytest.approx(1, abs=0.07)
        gaps.append(np.ptp(column(csv, "log_p__") - column(csv, "log_q__")))
        curvature = json.loads((tmp_path / "h.json").read_text())
        np.testing.assert_allclose(curvature["Hessian"], [[-1]], rtol=1e-6)
        np.testing.assert_allclose(curvature["gradient"], [200 - mode], atol=1e-9)
    assert gaps[0] < 1e-9
    assert gaps[1] > 1  # away from the mode the approximation is wrong, and the columns show it


def test_laplace_needs_a_maximum(linreg, programs: Path, tmp_path: Path):
    (tmp_path / "simplex_ordered.json").write_text((programs / "simplex_ordered.json").read_text())
    parameters = {"w": [0.5, 0.5], "mu": [0, 1e-6], "s": [0.01, 0.01], "L": [[1, 0], [0.1, 0.995**0.5]]}
    parameters["L"][1][1] = (1 - 0.1**2) ** 0.5
    (tmp_path / "saddle.json").write_text(json.dumps(parameters))
    data = "data file=simplex_ordered.json"
    result = linreg("laplace mode=saddle.json", program="simplex_ordered", data=data, status=1)
    assert_one_line(result, "not finite and negative definite")
    assert len(numbers(tmp_path / "o.csv")) == 1


def test_pathfinder_resamples_its_single_paths(linreg, tmp_path: Path):
    shared = "num_paths=3 num_draws=50 num_psis_draws=100"
    _, resampled = table(linreg(f"pathfinder {shared} save_single_paths=1", "p.csv"))
    paths = [table(tmp_path / f"p_path_{path}.csv")[1] for path in (1, 2, 3)]
    courses = [json.loads((tmp_path / f"p_path_{path}.json").read_text()) for path in (1, 2, 3)]
    assert [path.shape[0] for path in paths] == [50] * 3
    assert resampled.shape[0] == 100
    raw = {tuple(row) for row in np.concatenate(paths)}
    assert {tuple(row) for row in resampled} <= raw
    assert all(course["0"]["iter"] == 0 and len(course["1"]["grads"]) == 5 for course in courses)
    _, everything = table(linreg(f"pathfinder {shared} psis_resample=0", "all.csv"))
    np.testing.assert_array_equal(everything, np.concatenate(paths))
    assert not list(tmp_path.glob("all_path*"))
    _, unknown = table(linreg(f"pathfinder {shared} calculate_lp=0", "nolp.csv"))
    assert np.isnan(unknown[:, 1]).sum() == 3 * (50 - 25)


@pytest.mark.parametrize("paths", [1, 2])
def test_pathfinder_diagnostics_are_json_under_their_own_name(linreg, tmp_path: Path, paths: int):
    linreg(f"pathfinder num_paths={paths} num_draws=30 num_psis_draws=30", data=f"{DATA} output diagnostic_file=d.csv")
    names = ["d.json"] if paths == 1 else ["d_path_1.json", "d_path_2.json"]
    assert sorted(path.name for path in tmp_path.glob("d*")) == names
    assert all("0" in json.loads((tmp_path / name).read_text()) for name in names)


@pytest.mark.parametrize("family", ["meanfield", "fullrank"])
def test_variational_finds_a_gaussian(linreg, programs: Path, family: str):
    csv = linreg(
        f"variational algorithm={family} output_samples=4000", program="fragile",
        data=f"init={programs}/safe.json output diagnostic_file=elbo.csv",
    )  # fmt: skip
    _, draws = table(csv)
    np.testing.assert_array_equal(draws[0, :3], 0)  # Stan puts the mean before the draws
    assert draws[1:, 3].mean() == pytest.approx(200, abs=0.5)
    assert draws[1:, 3].std() == pytest.approx(1, abs=0.4)
    assert len(draws) == 4001
    elbo = (csv.parent / "elbo.csv").read_text()
    assert "start_datetime" not in elbo
    assert "iter,time_in_seconds,ELBO\n" in elbo
    assert np.isfinite([float(row.split(",")[2]) for row in elbo.splitlines() if row[0].isdigit()]).all()


def test_diagnose_passes_and_fails(linreg, tmp_path: Path):
    text = linreg("diagnose").read_text()
    assert len(re.findall(r"^# +\d", text, re.M)) == 5
    result = linreg("diagnose test=gradient error=1e-15", status=1)
    assert_one_line(result, "of 5 partial derivatives differ from finite differences by more than error=1e-15")


STATIC = "sample algorithm=hmc engine=static int_time=0.7"


@pytest.mark.parametrize("metric", ["unit_e", "diag_e", "dense_e"])
@pytest.mark.parametrize("adapt", [0, 1])
def test_static_hmc_samples_the_posterior_of_nuts(linreg, tmp_path: Path, metric: str, adapt: int):
    few = "" if adapt else "stepsize=0.05 adapt engaged=0"
    static = column(linreg(f"{STATIC} metric={metric} {few}", "s.csv"), "alpha", "sigma", "int_time__")
    nuts = column(linreg("sample", "n.csv"), "alpha", "sigma")
    np.testing.assert_array_equal(static[:, 2], 0.7)
    error = nuts.std(axis=0) / np.sqrt(100)  # far fewer than any of these effective sizes
    assert (np.abs(static[:, :2].mean(axis=0) - nuts.mean(axis=0)) < 5 * error).all()
    np.testing.assert_allclose(static[:, :2].std(axis=0), nuts.std(axis=0), rtol=0.35)


def test_static_hmc_starts_from_a_given_metric(linreg, tmp_path: Path):
    for metric, values in (("diag_e", [4, 1, 1, 1, 1]), ("dense_e", np.diag([4.0, 1, 1, 1, 1]).tolist())):
        (tmp_path / "m.json").write_text(json.dumps({"inv_metric": values}))
        call = f"sample adapt engaged=0 num_warmup=0 num_samples=5 {STATIC[7:]} metric={metric} {{}} stepsize=0.01"
        given = linreg(call.format("metric_file=m.json"), "given.csv")
        assert numbers(given) != numbers(linreg(call.format(""), "unit.csv"))
        assert "# 4" in given.read_text()
    result = linreg(f"{STATIC} num_chains=2", status=1)
    assert_one_line(result, "contradicts engine=static")
    linreg(f"{STATIC} num_samples=1 adapt save_metric=1")
    assert not list(tmp_path.glob("*metric*"))


def test_r_dump_gives_what_json_gives(linreg, tmp_path: Path):
    values = {"N": 4, "K": 1, "x": [[1.0], [2.0], [3.0], [4.0]], "y": [1.5, 2.5, 2.0, 4.0]}
    (tmp_path / "d.json").write_text(json.dumps(values))
    dump = "N <- 4\nK <- 1\nx <- structure(c(1, 2, 3, 4), .Dim = c(4, 1))\ny <-\nc(1.5, 2.5, 2.0, 4.0)\n"
    (tmp_path / "d.data.R").write_text(dump)
    (tmp_path / "renamed.txt").write_text(json.dumps(values))
    found = [numbers(linreg("optimize", data=f"data file={name}")) for name in ("d.json", "d.data.R", "renamed.txt")]
    assert found[0] == found[1] == found[2]
    result = linreg("optimize", data="data file=d.data.R", status=None)
    assert re.fullmatch("Warning: .* is read as R's dump format, .*; convert it to JSON\n", result.stderr)
    for broken, words in (("N <- 4\nK <- \n", "malformed R dump"), ("N <- 4\nK = = 1\n", "line 2")):
        (tmp_path / "d.data.R").write_text(broken)
        result = linreg("optimize", data="data file=d.data.R", status=1)
        assert "malformed R dump in the data file 'd.data.R'" in result.stderr
        assert words in result.stderr


NO_PARAMETERS = {
    "variational": "the model has no parameters",
    "optimize algorithm=newton": "the model has no parameters",
    "pathfinder": "the model has no parameters",
    "laplace mode=every_type.json": "the model has no parameters",
    "log_prob constrained_params=every_type.json": "the model has no parameters",
    "generate_quantities fitted_params=none.csv": "cannot use the fitted_params file 'none.csv': No such file",
}


@pytest.mark.parametrize("method", NO_PARAMETERS)
def test_methods_that_need_parameters_say_so(programs: Path, method: str):
    result = run(programs, "every_type", f"{method} data file=every_type.json output file=none_at_all.csv")
    assert_one_line(result, NO_PARAMETERS[method])
    assert not (programs / "none_at_all.csv").exists()


def test_optimizing_nothing_gives_the_generated_quantities(programs: Path):
    result = run(programs, "every_type", "optimize data file=every_type.json output file=nothing.csv")
    assert result.returncode == 0, result.stderr
    assert len(numbers(programs / "nothing.csv")) == 2


FROM_INITIAL_VALUES = ("optimize", "optimize algorithm=newton", "variational", "pathfinder", "pathfinder num_paths=1",
                       "diagnose")  # fmt: skip


@pytest.mark.parametrize("method", FROM_INITIAL_VALUES)
def test_no_method_survives_a_bad_start(linreg, programs: Path, tmp_path: Path, method: str):
    (tmp_path / "hundred.json").write_text('{"mu": 100}')
    (tmp_path / "nan.json").write_text('{"N": 2, "K": 1, "x": [[1], [2]], "y": [1, NaN]}')
    result = linreg(method, program="fragile", data="init=hundred.json", status=1)
    assert_one_line(result, "accessing element out of range")
    assert "# Failed: " in (tmp_path / "o.csv").read_text()
    result = linreg(method, data="data file=nan.json", status=1)
    assert_one_line(result, "failed after 100 attempts")
    assert not [row for row in numbers(tmp_path / "o.csv") if row[0] in "-0123456789"]


BROKEN_DRAWS = {
    "": "there is no header in it",
    "# lp__,alpha\n": "there is no header in it",
    "lp__,alpha,beta.1,beta.2,beta.3,sigma\n": "there are no draws in it",
    "lp__,mu\n1,2\n": "line 1: it is not of this model: expected a column 'alpha', found 'mu'",
    "alpha,beta.1\n1,2\n": "expected a column 'beta.2', found nothing",
    "lp__,alpha,beta.1,beta.2,beta.3,sigma\n# x\n0,1,2,3,4,1\n0,1,2,3,4\n": "line 4: expected 6 values, found 5",
    "alpha,beta.1,beta.2,beta.3,sigma\n1,2,3,4,5,6\n": "line 2: expected 5 values, found 6",
    "alpha,beta.1,beta.2,beta.3,sigma\n1,2,3,x4,5\n": "line 2: expected a number for 'beta.3', found 'x4'",
    "alpha,beta.1,beta.2,beta.3,sigma\n1,2,3,,5\n": "line 2: expected a number for 'beta.3', found ''",
}


@pytest.mark.parametrize("text", BROKEN_DRAWS)
def test_broken_draws_end_in_one_line(linreg, tmp_path: Path, text: str):
    readers = ("generate_quantities fitted_params=f.csv", "log_prob constrained_params=f.csv", "laplace mode=f.csv")
    (tmp_path / "f.csv").write_text(text)
    (tmp_path / "o.csv").write_text("old")
    for method in readers:
        assert_one_line(linreg(method, status=1), BROKEN_DRAWS[text])
        assert (tmp_path / "o.csv").read_text() == "old"


def test_draws_of_any_origin_are_read(linreg, tmp_path: Path):
    header = b"alpha,beta.1,beta.2,beta.3,sigma,more\r\n"
    (tmp_path / "f.csv").write_bytes(header + b"1,2,3,4,5,nonsense\r\n\r\n 1e0 , 2, 3, 4, 5,\r\n")
    _, rows = table(linreg("log_prob constrained_params=f.csv"))
    np.testing.assert_array_equal(rows[0], rows[1])
    linreg("pathfinder num_draws=20 num_psis_draws=20", "p.csv")  # CmdStan puts blanks between its values
    assert len(numbers(linreg("generate_quantities fitted_params=p.csv"))) == 21


def test_a_draw_outside_its_constraint_stops_a_run_that_says_so(linreg, tmp_path: Path):
    rows = ["alpha,beta.1,beta.2,beta.3,sigma", *["1,2,3,4,1"] * 3, "1,2,3,4,-1", "1,2,3,4,1"]
    (tmp_path / "f.csv").write_text("\n".join(rows) + "\n")
    for method in ("generate_quantities fitted_params=f.csv", "log_prob constrained_params=f.csv"):
        result = linreg(method, status=1)
        assert "is -1, but must be greater than or equal to 0" in result.stderr
        assert assert_whole_rows(tmp_path / "o.csv") == 4
        assert "\n# Failed: " in (tmp_path / "o.csv").read_text()


BAD_ARGUMENTS = {
    "generate_quantities": "fitted_params is not given",
    "laplace": "mode is not given",
    "log_prob": "give either unconstrained_params or constrained_params",
    "log_prob unconstrained_params=u.json constrained_params=c.json": "not both",
    "log_prob unconstrained_params=short.json": "params_r, a vector of 5 numbers or an array of such; found 2 numbers",
    "log_prob unconstrained_params=linreg.json": "found none",
    "log_prob constrained_params=short.json": "variable does not exist",
    "laplace mode=short.json": "variable does not exist",
    "laplace mode=draws.csv": "it was not written by method=optimize",
    "laplace mode=.": "cannot read the mode file '.': Is a directory",
    "generate_quantities fitted_params=draws.csv num_chains=2": "draws_1.csv': No such file",
    "generate_quantities fitted_params=folder.csv": "expected a regular file",
    "optimize algoritm=bfgs": "the nearest is 'algorithm', as in 'method=optimize algorithm=bfgs|lbfgs|newton'",
    "optimize history_size=3": "it belongs in 'method=optimize algorithm=lbfgs history_size=<int>'",
    "optimize iter=0": "1 <= iter",
    "optimize algorithm=lbfgs tol_obj=-1": "0 <= tol_obj",
    "variational algorithm=fullrnk": "meanfield|fullrank",
    "variational eta=0": "0 < eta",
    "pathfinder num_paths=0": "1 <= num_paths",
    "diagnose test=gradient epsilon=0": "0 < epsilon",
    "sample adapt save_metric=1 engaged=0": "save_metric=1 contradicts engaged=0",
}


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS)
def test_bad_arguments_end_in_one_line(linreg, tmp_path: Path, arguments: str):
    (tmp_path / "short.json").write_text('{"params_r": [1, 2]}')
    (tmp_path / "draws.csv").write_text("alpha,beta.1,beta.2,beta.3,sigma\n1,2,3,4,5\n")
    (tmp_path / "folder.csv").mkdir()
    assert_one_line(linreg(arguments, status=1), BAD_ARGUMENTS[arguments])
    assert not (tmp_path / "o.csv").exists()


UNWRITABLE = {
    "optimize": "none/o.csv",
    "variational": "none/o.csv",
    "diagnose": "none/o.csv",
    "pathfinder num_paths=2": "none/o.csv",
    "pathfinder num_paths=1 save_single_paths=1": "blocked.csv",
    "pathfinder num_paths=2 save_single_paths=1": "blocked.csv",
    "laplace mode=mode.json": "none/o.csv",
    "log_prob constrained_params=mode.json": "none/o.csv",
    "generate_quantities fitted_params=f.csv": "none/o.csv",
}


@pytest.mark.parametrize("method", UNWRITABLE)
def test_what_cannot_be_written_is_said_before_anything_runs(linreg, tmp_path: Path, method: str):
    (tmp_path / "blocked.json").mkdir()
    (tmp_path / "blocked_path_2.csv").mkdir()
    (tmp_path / "mode.json").write_text('{"alpha": 0, "beta": [0, 0, 0], "sigma": 1}')
    (tmp_path / "f.csv").write_text("alpha,beta.1,beta.2,beta.3,sigma\n1,2,3,4,5\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    result = linreg(method, UNWRITABLE[method], status=1)
    assert_one_line(result, "cannot write '")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        "generate_quantities fitted_params=o.csv", "laplace mode=o.csv", "log_prob constrained_params=o.csv",
        "pathfinder save_single_paths=1 init=o_path_1.json",
    ],
)  # fmt: skip
def test_inputs_are_not_overwritten(linreg, tmp_path: Path, arguments: str):
    for name in ("o.csv", "o_path_1.json"):
        (tmp_path / name).write_text("alpha\n1\n")
    result = linreg(arguments, status=1)
    assert_one_line(result, "is the same file as the")
    assert {(tmp_path / name).read_text() for name in ("o.csv", "o_path_1.json")} == {"alpha\n1\n"}


def test_the_configuration_as_json_has_every_argument(linreg, tmp_path: Path):
    linreg("optimize algorithm=newton", data=f"{DATA} output save_cmdstan_config=1")
    method = json.loads((tmp_path / "o_config.json").read_text())["method"]
    assert method["value"] == "optimize"
    assert method["optimize"]["algorithm"] == {"value": "newton", "newton": {}}
    assert "#       newton" in comments((tmp_path / "o.csv").read_text())


def test_a_laplace_approximation_of_nothing_finite_is_refused(linreg, programs: Path, tmp_path: Path):
    (tmp_path / "simplex_ordered.json").write_text((programs / "simplex_ordered.json").read_text())
    tiny = {"w": [0.5, 0.5], "mu": [0, 1], "s": [1e-160, 1e-160], "L": [[1, 0], [0.1, (1 - 0.1**2) ** 0.5]]}
    (tmp_path / "tiny.json").write_text(json.dumps(tiny))
    data = "data file=simplex_ordered.json"
    result = linreg("laplace mode=tiny.json calculate_lp=0", program="simplex_ordered", data=data, status=1)
    assert_one_line(result, "not finite and negative definite")
    (tmp_path / "o.csv").write_text("precious")
    assert_one_line(linreg("laplace mode=tiny.json draws=0", status=1), "1 <= draws")
    assert (tmp_path / "o.csv").read_text() == "precious"


def test_laplace_touches_no_csv_of_the_diagnostics_name(linreg, tmp_path: Path):
    linreg("optimize jacobian=1", "mode.csv")
    (tmp_path / "d.csv").mkdir()
    linreg("laplace mode=mode.csv draws=5", data=f"{DATA} output diagnostic_file=d.csv")
    assert (tmp_path / "d.json").exists()
    (tmp_path / "x.csv").write_text((tmp_path / "mode.csv").read_text())
    assert_one_line(linreg("laplace mode=x.csv draws=5", "x", status=1), "is the same file as the mode file")


def test_what_failed_is_marked_in_every_file(linreg, tmp_path: Path):
    for profile in ("", "/dev/full"):
        arguments = f"sample num_warmup=20 num_samples=20 {{}} output diagnostic_file=d.csv profile_file={profile}"
        result = linreg(arguments.format("init=0"), program="fragile", data="", status=1)
        assert_one_line(result, "accessing element out of range")
        for name in ("o.csv", "d.csv"):
            assert "# Failed: " in (tmp_path / name).read_text().splitlines()[-1]


def test_a_path_that_fails_beside_others_is_marked(linreg, tmp_path: Path):
    for name, sigma in (("good", 1), ("bad", -1)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"alpha": 0, "beta": [0, 0, 0], "sigma": sigma}))
    call = "pathfinder num_paths=2 save_single_paths=1 num_draws=20 num_psis_draws=20 init=good.json,bad.json"
    linreg(call, "p.csv", status=None)
    assert len(numbers(tmp_path / "p.csv")) == 21
    assert (tmp_path / "p_path_2.csv").read_text().endswith("the run's messages say why\n")
    assert json.loads((tmp_path / "p_path_2.json").read_text()) == {}
    assert "Failed" not in (tmp_path / "p_path_1.csv").read_text()


@pytest.mark.parametrize("method", ["pathfinder num_paths=2 save_single_paths=1", "generate_quantities num_chains=2"])
def test_chain_numbers_stay_within_an_int(linreg, tmp_path: Path, method: str):
    fitted = " fitted_params=f.csv" if "generate" in method else ""
    assert_one_line(linreg(f"{method}{fitted} id=2147483647", status=1), "leaves no numbers for 2 chains")
    assert_one_line(linreg(method.replace("=2", "=2147483647") + fitted, status=1), "<= 65536")


@pytest.mark.parametrize("algorithm", ["algorithm=hmc engine=static", "algorithm=fixed_param"])
def test_a_metric_that_nobody_hands_over_is_not_passed_over_in_silence(linreg, tmp_path: Path, algorithm: str):
    result = linreg(f"sample num_samples=1 adapt save_metric=1 {algorithm}", status=None)
    assert result.returncode == 0
    assert "save_metric=1 has no effect without engine=nuts" in result.stdout
    assert not list(tmp_path.glob("*metric*"))


def test_draws_outside_a_constraint_name_their_file(linreg, tmp_path: Path):
    (tmp_path / "f.csv").write_text("alpha,beta.1,beta.2,beta.3,sigma\n1,2,3,4,-1\n")
    assert_one_line(linreg("generate_quantities fitted_params=f.csv", status=1), "in 'f.csv' do not fit the model")


def test_closed_standard_descriptors_take_no_file(programs: Path, tmp_path: Path):
    wild = "sample num_samples=3 num_warmup=0 adapt engaged=0 algorithm=hmc stepsize=1e300"
    command = f"{programs}/linreg {wild} data file={programs}/linreg.json output file=o.csv refresh=0 >out 2>&-"
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False, timeout=60)
    assert all(re.match(r"#|lp__|-?[\d.]|nan", line) for line in (tmp_path / "o.csv").read_text().splitlines())
    assert len(numbers(tmp_path / "o.csv")) >= 1


def test_a_limit_on_the_file_size_leaves_whole_rows(programs: Path, tmp_path: Path):
    command = (
        f"ulimit -f 40; exec {programs}/linreg sample data file={programs}/linreg.json output file=o.csv refresh=0"
    )
    result = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 1
    assert "cannot write 'o.csv': File too large" in result.stderr
    assert assert_whole_rows(tmp_path / "o.csv") > 1


def test_a_line_break_in_an_argument_stays_in_its_comment(linreg, programs: Path, tmp_path: Path):
    (tmp_path / "a\nb.json").write_text((programs / "linreg.json").read_text())
    command = [programs / "linreg", "optimize", "data", "file=a\nb.json", "output", "file=o.csv"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert numbers(tmp_path / "o.csv")[0].startswith("lp__")
