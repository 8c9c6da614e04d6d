"""The C++ runner under programs of every kind: solvers, threads, C++ headers, programs that print and refuse."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toolchain.program_support import UserPrograms, columns, compile_user_programs, peak_memory
from toolchain.runner_support import assert_one_line, assert_whole_rows, numbers, run

SOLVERS = (
    "rk45", "ckrk", "bdf", "adams", "adjoint", "dae", "deprecated rk45", "integrate_1d", "newton", "powell"
)  # fmt: skip
FEW = "sample num_samples=10 num_warmup=0 {} adapt engaged=0 algorithm=hmc stepsize=0.1 random seed=1 init=0.5 "
WIDE = "sample num_samples=100 num_warmup=0 adapt engaged=0 algorithm=hmc stepsize=1 random seed=1 "


@pytest.fixture(scope="session")
def user_programs(stan_home: Path, tmp_path_factory: pytest.TempPathFactory) -> UserPrograms:
    if not (stan_home / "runner").is_dir():
        pytest.skip(f"the Stan in {stan_home} is not built on our runner")
    return compile_user_programs(stan_home, tmp_path_factory.mktemp("user_programs"))


def sample(programs: UserPrograms, program: str, arguments: str, tmp_path: Path, **data) -> subprocess.CompletedProcess:
    (tmp_path / "data.json").write_text(json.dumps(data))
    files = "data file=data.json output file=o.csv refresh=0 sig_figs=17"
    return run(programs.folder, program, f"{arguments} {files}", cwd=tmp_path)


def decay(k: float) -> tuple[float, float]:
    return math.exp(-k), -math.exp(-k)


def root(k: float) -> tuple[float, float]:
    return math.exp(k / 2), math.exp(k / 2) / 2


def largest_errors(folder: Path, solution) -> tuple[float, float]:
    """Of the log density and of its derivative, which a sampler keeps with the opposite sign."""
    states = columns(folder / "states.csv")
    errors = []
    for k, log_density, derivative in zip(states["k"], states["lp__"], states["g_k"], strict=True):
        value, slope = solution(k)
        errors.append((log_density + (k**2 + (2 - value) ** 2) / 2, derivative - k + (2 - value) * slope))
    return tuple(np.abs(errors).max(axis=0))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_solver_and_its_sensitivities(user_programs: UserPrograms, tmp_path: Path, solver: str):
    number = SOLVERS.index(solver) + 1
    arguments = FEW.format("") + "output diagnostic_file=states.csv"
    result = sample(user_programs, "solvers", arguments, tmp_path, solver=number)
    assert result.returncode == 0, result.stderr
    right, wrong = (decay, root) if number <= 8 else (root, decay)
    assert len(set(columns(tmp_path / "states.csv")["k"])) > 5
    assert max(largest_errors(tmp_path, right)) < 1e-6
    assert min(largest_errors(tmp_path, wrong)) > 1e-2
    draws = columns(tmp_path / "o.csv")
    np.testing.assert_allclose(draws["solution"], [right(k)[0] for k in draws["k"]], rtol=1e-6)


def test_profiles(user_programs: UserPrograms, tmp_path: Path):
    arguments = FEW.format("num_chains=2") + "num_threads=2 output profile_file=p.csv"
    assert sample(user_programs, "solvers", arguments, tmp_path, solver=3).returncode == 0
    header, *lines = (tmp_path / "p.csv").read_text().splitlines()
    assert header == (
        "name,thread_id,total_time,forward_time,reverse_time,chain_stack,no_chain_stack,autodiff_calls,"
        "no_autodiff_calls"
    )
    rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    assert {row["name"] for row in rows} == {"solving", "copying"}
    assert len({(row["name"], row["thread_id"]) for row in rows}) == len(rows)
    for row in rows:
        total, forward, reverse = (float(row[f"{kind}_time"]) for kind in ("total", "forward", "reverse"))
        assert 0 < total == pytest.approx(forward + reverse, rel=1e-4)
    steps = sum(sum(columns(tmp_path / f"o_{chain}.csv")["n_leapfrog__"]) for chain in (1, 2))
    # One gradient a step, one at the beginning of each of 20 transitions, and one where each chain starts.
    assert calls(rows, "solving", "autodiff") == steps + 20 + 2
    assert calls(rows, "copying", "autodiff") == 0
    assert calls(rows, "copying", "no_autodiff") == 20  # one a draw


def calls(profiles: list[dict[str, str]], name: str, kind: str) -> int:
    return sum(int(row[f"{kind}_calls"]) for row in profiles if row["name"] == name)


def test_warnings_do_not_stop_a_compilation(user_programs: UserPrograms):
    said = re.sub(r"\s+", " ", user_programs.by_make)
    assert "integrate_ode_rk45 is deprecated" in said
    assert "control flow statement depends on parameter(s): class" in said
    assert "Stan compiler has produced" in user_programs.by_cmdstanpy
    assert "error" not in user_programs.by_make.lower()


def test_an_include_that_is_not_found(user_programs: UserPrograms, stan_home: Path):
    target = user_programs.folder / "orphan"
    target.with_suffix(".stan").write_text((user_programs.folder / "parallel.stan").read_text())
    command = ["make", "STANCFLAGS=--allow-undefined", str(target)]
    made = subprocess.run(command, cwd=stan_home, capture_output=True, text=True, check=False)
    assert made.returncode != 0
    assert "Could not find include file 'shared.stanfunctions'" in made.stderr
    assert [path.name for path in user_programs.folder.glob("orphan*")] == ["orphan.stan"]


def test_options_reach_the_program(user_programs: UserPrograms, tmp_path: Path):
    info = run(user_programs.folder, "parallel", "info").stdout.splitlines()
    assert {"STAN_THREADS=true", "STAN_NO_RANGE_CHECKS=true", "STAN_CPP_OPTIMS=false"} <= set(info)
    assert "STAN_NO_RANGE_CHECKS=false" in run(user_programs.folder, "solvers", "info").stdout
    assert sample_in_parallel(user_programs, tmp_path, threads=1).returncode == 0
    flags = re.search(r"# stancflags = (.*)", (tmp_path / "o.csv").read_text())[1].split()
    assert {"--O1", "--warn-pedantic", "--allow-undefined", "--filename-in-msg=parallel.stan"} <= set(flags)


def sample_in_parallel(
    programs: UserPrograms, tmp_path: Path, *, threads: int, grainsize: int = 20, dynamic: bool = False
) -> subprocess.CompletedProcess:
    x = np.random.default_rng(1).normal(size=200).tolist()
    few = "sample num_samples=5 num_warmup=0 adapt engaged=0 algorithm=hmc stepsize=0.01 random seed=1 "
    return sample(
        programs, "parallel", few + f"num_threads={threads}", tmp_path,
        N=200, x=x, grainsize=grainsize, dynamic=int(dynamic),
    )  # fmt: skip


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_sum_in_parallel_does_not_depend_on_threads(user_programs: UserPrograms, tmp_path: Path, dynamic: bool):
    runs = {}
    for threads, grainsize in ((1, 20), (2, 20), (2, 1000)):
        result = sample_in_parallel(user_programs, tmp_path, threads=threads, grainsize=grainsize, dynamic=dynamic)
        assert result.returncode == 0, result.stderr
        runs[threads, grainsize] = columns(tmp_path / "o.csv")
    used = {key: max(draws.pop("threads")) for key, draws in runs.items()}
    # With so large a grain there is one part only, and it goes to one thread.
    assert used == {(1, 20): 1, (2, 20): 2, (2, 1000): 1}
    alone, shared, whole = runs.values()
    if not dynamic:
        assert alone == shared
    for name, values in alone.items():
        np.testing.assert_allclose(values, shared[name], rtol=1e-8)
        np.testing.assert_allclose(values, whole[name], rtol=1e-8)
    assert len(set(alone["mu"])) == 5


def test_cmdstanpy_samples_a_parallel_program(
    user_programs: UserPrograms, stan_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import cmdstanpy

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CMDSTAN", str(stan_home))
    monkeypatch.setenv("STAN_NUM_THREADS", "1")  # cmdstanpy sets it for good
    x = np.random.default_rng(1).normal(size=20)
    fit = cmdstanpy.CmdStanModel(exe_file=user_programs.folder / "parallel").sample(
        data={"N": 20, "x": x, "grainsize": 5, "dynamic": 1}, chains=2, threads_per_chain=2, seed=1,
        iter_warmup=200, iter_sampling=200, show_progress=False,
    )  # fmt: skip
    assert not fit.runset.one_process_per_chain
    assert 2 <= fit.stan_variable("threads").max() <= 4
    # The posterior is normal; five standard errors of a mean, at a twentieth of the draws effective.
    assert abs(fit.stan_variable("mu").mean() - x.sum() / 21) < 5 * math.sqrt(1 / 21 / 20)


def test_names_that_are_cpp_keywords(user_programs: UserPrograms, tmp_path: Path):
    (tmp_path / "init.json").write_text('{"class": 7.5}')
    still = (
        "sample num_samples=1 num_warmup=0 adapt engaged=0 algorithm=hmc stepsize=1e-12 random seed=1 init=init.json"
    )
    assert sample(user_programs, "8schools", still, tmp_path, where=0, new=7).returncode == 0
    assert "# model = _8schools_model" in (tmp_path / "o.csv").read_text()
    header = "class,template,operator.1,operator.2,namespace,delete"
    assert numbers(tmp_path / "o.csv")[0].endswith("energy__," + header)
    draw = columns(tmp_path / "o.csv")
    assert draw["class"] == pytest.approx([7.5])
    assert draw["template"] == pytest.approx([15])
    assert draw["lp__"] == pytest.approx([-0.125])


def test_refusing_in_the_model_rejects_the_proposal(user_programs: UserPrograms, tmp_path: Path):
    assert sample(user_programs, "8schools", WIDE, tmp_path, where=0, new=0).returncode == 0
    assert max(columns(tmp_path / "o.csv")["class"]) > 1
    result = sample(user_programs, "8schools", WIDE, tmp_path, where=2, new=0)
    assert result.returncode == 0
    draws = columns(tmp_path / "o.csv")["class"]
    assert len(draws) == 100
    assert max(draws) <= 1
    assert result.stderr.count("Informational Message: The current Metropolis proposal is about to be rejected") > 1
    assert "Exception: refused in the model (in '" in result.stderr
    assert "refused" not in (tmp_path / "o.csv").read_text()


@pytest.mark.parametrize(("where", "words"), [(1, "refused in transformed data"), (4, "given up in the model")])
def test_a_program_that_cannot_begin(user_programs: UserPrograms, tmp_path: Path, where: int, words: str):
    result = sample(user_programs, "8schools", WIDE, tmp_path, where=where, new=0)
    assert_one_line(result, words)
    assert "Iteration" not in result.stdout
    if where == 1:
        assert not (tmp_path / "o.csv").exists()


def test_refusing_in_generated_quantities_leaves_nan(user_programs: UserPrograms, tmp_path: Path):
    assert sample(user_programs, "8schools", WIDE, tmp_path, where=0, new=0).returncode == 0
    complete = columns(tmp_path / "o.csv")
    result = sample(user_programs, "8schools", WIDE, tmp_path, where=5, new=0)
    assert result.returncode == 0
    assert result.stdout.count("Exception: refused in generated quantities") == 100
    draws = columns(tmp_path / "o.csv")
    for name in ("operator.1", "operator.2", "namespace", "delete"):
        assert np.isnan(draws[name]).all()
        assert not np.isnan(complete[name]).any()
    assert not np.isnan([*draws["class"], *draws["template"], *draws["lp__"]]).any()
    assert draws["class"][0] == complete["class"][0]


def test_giving_up_in_generated_quantities_ends_the_run(user_programs: UserPrograms, tmp_path: Path):
    result = sample(user_programs, "8schools", WIDE, tmp_path, where=6, new=0)
    assert_one_line(result, "Exception: given up in generated quantities")
    assert 1 <= assert_whole_rows(tmp_path / "o.csv") <= 100
    assert "Elapsed" not in (tmp_path / "o.csv").read_text()


@pytest.mark.parametrize(
    ("where", "block", "least"), [(0, "transformed data", 1), (3, "model", 100), (7, "generated quantities", 100)]
)
def test_what_a_program_prints(user_programs: UserPrograms, tmp_path: Path, where: int, block: str, least: int):
    result = sample(user_programs, "8schools", WIDE, tmp_path, where=where, new=0)
    assert result.returncode == 0
    assert len(re.findall(rf"^{block}, ", result.stdout, re.M)) >= least
    assert result.stderr == ""
    rows = (tmp_path / "o.csv").read_text()
    assert not re.search(r"transformed data|model, |generated", rows)
    assert assert_whole_rows(tmp_path / "o.csv") == 101


@pytest.mark.parametrize("algorithm", ["hmc", "fixed_param"])
def test_memory_does_not_grow_with_the_number_of_draws(programs: Path, tmp_path: Path, algorithm: str):
    few, many = (
        peak_memory(
            programs / "linreg", "sample", f"num_samples={draws}", "num_warmup=200", f"algorithm={algorithm}",
            "data", f"file={programs}/linreg.json", "random", "seed=1", "output", "file=o.csv", "refresh=0",
            cwd=tmp_path,
        )
        for draws in (500, 50_000)
    )  # fmt: skip
    assert len(numbers(tmp_path / "o.csv")) == 50_001
    assert many - few < 5_000_000


def test_memory_that_grows_is_noticed(tmp_path: Path):
    few, many = (
        peak_memory(sys.executable, "-c", f"kept = [0.0] * 92 * {draws}", cwd=tmp_path) for draws in (500, 50_000)
    )
    assert many - few > 5_000_000
