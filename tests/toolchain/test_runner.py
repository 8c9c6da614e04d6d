"""The C++ runner against bad arguments, bad data, signals and programs that fail."""

from __future__ import annotations

import json
import platform
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from toolchain.runner_support import (
    DATA,
    EVERY_COLUMN,
    SAFE,
    assert_one_line,
    assert_whole_rows,
    environment,
    numbers,
    run,
    sample_fragile,
)


def test_chains_of_one_process_equal_processes_of_one_chain(programs: Path):
    shared = "sample num_samples=50 num_warmup=100 {chains} data file=linreg.json random seed=3 id={id} output file={f}"
    run(programs, "linreg", shared.format(chains="num_chains=3", id=4, f="many.csv") + " num_threads=2")
    for chain in (4, 5, 6):
        run(programs, "linreg", shared.format(chains="", id=chain, f="one.csv"))
        assert numbers(programs / "one.csv") == numbers(programs / f"many_{chain}.csv")


def test_initial_values_per_chain(programs: Path):
    for chain, alpha in ((1, 0.25), (2, -0.5)):
        values = {"alpha": alpha, "beta": [0, 0, 0], "sigma": 1}
        (programs / f"start_{chain}.json").write_text(json.dumps(values))
    common = "sample num_chains=2 num_samples=1 num_warmup=0 adapt engaged=0 algorithm=hmc stepsize=1e-9 "
    for init in ("start.json", "start_1.json,start_2.json"):
        result = run(programs, "linreg", f"{common} data file=linreg.json init={init} output file=i.csv sig_figs=6")
        assert result.returncode == 0, result.stderr
        starts = [float(numbers(programs / f"i_{chain}.csv")[1].split(",")[7]) for chain in (1, 2)]
        np.testing.assert_allclose(starts, [0.25, -0.5], atol=1e-5)


def test_every_type_of_a_program_without_parameters(programs: Path):
    result = run(programs, "every_type", "sample num_samples=7 data file=every_type.json output file=types.csv")
    assert result.returncode == 0, result.stderr
    assert "running fixed_param sampler" in result.stdout
    header, *rows = numbers(programs / "types.csv")
    assert header.split(",") == ["lp__", "accept_stat__", *EVERY_COLUMN.split()]
    assert len(rows) == 7
    assert all(row.endswith(",inf,nan") for row in rows)


def test_info(programs: Path, threaded: Path):
    lines = run(programs, "linreg", "info").stdout.splitlines()
    assert lines[:4] == [
        "stan_version_major = 2", "stan_version_minor = 35", "stan_version_patch = 0", "STAN_THREADS=false"
    ]  # fmt: skip
    assert "STAN_THREADS=true" in run(threaded.parent, "fragile", "info").stdout


@pytest.mark.parametrize(("where", "word"), [("", "Methods"), ("sample", "num_warmup=<int>"), ("output", "sig_figs")])
def test_help(programs: Path, where: str, word: str):
    result = run(programs, "linreg", f"{where} help")
    assert result.returncode == 0
    assert word in result.stdout


def test_threads_of_command_line_and_environment_agree(programs: Path):
    arguments = "sample num_samples=1 num_warmup=1 num_threads={} data file=linreg.json output file=threads.csv"
    for given, in_environment, status in ((2, "1", 0), (2, "2", 0), (2, "3", 1)):
        result = run(programs, "linreg", arguments.format(given), env={"STAN_NUM_THREADS": in_environment})
        assert result.returncode == status, result.stderr
    assert "contradicts STAN_NUM_THREADS=3" in result.stderr


BAD_ARGUMENTS = {
    "": "a method must be given",
    "sample num_smples=10": "nearest is 'num_samples'",
    "sample num_samples=10 num_samples=20": "given twice",
    "sample num_samples=-1": "0 <= num_samples",
    "sample num_samples=ten": "expected an integer",
    "sample adapt delta=1": "0 < delta < 1",
    "sample delta=0.9": "belongs in 'method=sample adapt delta=<double>'",
    "sample algorithm=hmc metric=round": "unit_e|diag_e|dense_e",
    "sample thin": "needs a value",
    "optimze": "the nearest is 'optimize', as in 'method=optimize'",
    "sample random seed=4294967296": "seed <= 4294967295",
    f"sample num_warmup=0 {DATA}": "num_warmup=0 contradicts adaptation",
    f"sample init=-1 {DATA}": "init=-1",
    "sample num_threads=0": "num_threads=0",
    "sample num_chains=2 id=2147483647": "id=2147483647 leaves no numbers for 2 chains",
    "sample num_samples=2147483647 num_warmup=1": "their sum must not exceed 2147483647",
    "sample algorithm=hmc metric=unit_e metric_file=m.json": "contradicts metric=unit_e, which is fixed: give metric=",
    "sample": "variable name=N",
    "sample data file=none.json": "cannot read the data file 'none.json': No such file",
    f"sample {DATA} init=none.json": "cannot read the init file 'none.json'",
    f"sample algorithm=hmc metric_file=none.json {DATA}": "cannot read the metric file 'none.json'",
    f"sample {DATA} output file=none/x.csv": "cannot write 'none/x.csv': No such file",
}


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS)
def test_bad_arguments_end_in_one_line(programs: Path, arguments: str):
    assert_one_line(run(programs, "linreg", arguments), BAD_ARGUMENTS[arguments])


def test_the_largest_numbers_that_are_admitted(programs: Path):
    few = "sample num_chains=2 num_warmup=2147483646 num_samples=1 id=2147483646"
    assert_one_line(run(programs, "linreg", f"{few} data file=none.json"), "cannot read the data file")


BAD_NAMES = {
    "file=": "file=", "file=out/": "file=out/", "file=out/.": "file=out/.", "file=..": "file=..",
    "diagnostic_file=out/": "diagnostic_file=out/", "profile_file=out/..": "profile_file=out/..",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_no_files(programs: Path, name: str):
    before = sorted((programs / "out").iterdir())
    assert_one_line(run(programs, "linreg", f"sample {DATA} output {name}"), f"'{BAD_NAMES[name]}' is not valid")
    assert sorted((programs / "out").iterdir()) == before


BAD_DATA = {
    '{"N": 3,\n "K": 1\n "x": 3}': "line 3, column 2: Missing a comma",
    "": "line 1, column 1",
    '{"N": 2, "K": 1, "x": [[1], [2, 3]], "y": [1, 2]}': "Variable: x",
    '{"N": 2, "K": 1, "x": [[1], [2]], "y": [1, 2, 3]}': "name=y; position=0; dims declared=(2); dims found=(3)",
    '{"N": 2, "K": 0, "x": [[], []], "y": [1, 2]}': "K is 0",
    '{"N": 2, "K": 1, "x": [[1], [2]], "y": [1, NaN]}': "failed after 100 attempts",
}


@pytest.mark.parametrize("content", BAD_DATA)
def test_bad_data_end_in_one_line(programs: Path, content: str):
    (programs / "bad.json").write_text(content)
    assert_one_line(run(programs, "linreg", "sample data file=bad.json output file=bad.csv"), BAD_DATA[content])


def test_several_chains_without_a_sampler_say_why_they_failed(programs: Path):
    (programs / "bad.json").write_text('{"N": 2, "K": 1, "x": [[1], [2]], "y": [1, NaN]}')
    fixed = "sample algorithm=fixed_param num_chains=2 data file=bad.json output file=bad.csv"
    assert_one_line(run(programs, "linreg", fixed), "failed after 100 attempts")


def wait_for_rows(csv: Path):
    deadline = time.monotonic() + 60
    while not csv.exists() or csv.stat().st_size < 20_000:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_whole_rows(programs: Path, ending: signal.Signals):
    arguments = f"sample num_samples=9999999 num_chains=2 num_warmup=50 {DATA} random seed=1 output file=cut.csv"
    command = ["./linreg", *arguments.split(), "refresh=0", "num_threads=2"]
    for pause in (0.0, 0.013, 0.029, 0.041):
        (programs / "cut_1.csv").unlink(missing_ok=True)
        process = subprocess.Popen(
            command, cwd=programs, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(ending, signal.SIG_DFL),  # a background job or nohup ignores some
        )  # fmt: skip
        wait_for_rows(programs / "cut_1.csv")
        if platform.system() == "Linux":  # a signal that ends the process of itself can hit between rows, too
            status = Path(f"/proc/{process.pid}/status").read_text()
            blocked = int(re.search(r"SigBlk:\s*(\w+)", status)[1], 16)
            assert blocked >> (ending - 1) & 1
        time.sleep(pause)
        process.send_signal(ending)
        assert process.wait(timeout=10) == -ending
        assert assert_whole_rows(programs / "cut_1.csv") > 1


def test_a_full_disk_leaves_whole_rows(programs: Path):
    def limit_file_size():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    result = run(programs, "linreg", f"sample {DATA} random seed=1 output file=full.csv", preexec_fn=limit_file_size)
    assert result.returncode == 1
    assert "cannot write 'full.csv': File too large" in result.stderr
    assert assert_whole_rows(programs / "full.csv") > 1
    assert "Elapsed" not in (programs / "full.csv").read_text()


@pytest.mark.parametrize(("code", "options"), [("model { broken", []), ("model { }", ["CXX=false"])])
def test_a_failed_compilation_leaves_no_half_made_file(programs: Path, stan_home: Path, code: str, options: list[str]):
    folder = programs / "failed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "m.stan").write_text(code)
    made = subprocess.run(["make", *options, str(folder / "m")], cwd=stan_home, capture_output=True, check=False)
    assert made.returncode != 0
    assert {path.name for path in folder.iterdir()} <= {"m.stan", "m.hpp"}
    assert (folder / "m.hpp").exists() == bool(options)


@pytest.mark.parametrize("rest", ["", "num_chains=2", "num_samples=0", "num_chains=2 num_samples=0"])
def test_chains_that_end_before_they_begin_are_a_failure(programs: Path, tmp_path: Path, rest: str):
    shared = f"sample num_warmup=20 {rest} adapt save_metric=1 random seed=1 output file=o.csv"
    result = run(programs, "fragile", f"{shared} init=0", cwd=tmp_path)
    assert_one_line(result, "Exception initializing step size. Exception: array[uni, ...] index: accessing element")
    assert "Chain 1 ended with 0 of " in result.stderr
    assert ("Chain 2 ended" in result.stderr) == ("num_chains=2" in rest)
    assert not list(tmp_path.glob("*_metric*"))
    good = run(programs, "fragile", f"{shared} init={programs}/safe.json", cwd=tmp_path)
    assert good.returncode == 0, good.stderr
    assert len(list(tmp_path.glob("o_metric*.json"))) == (2 if "num_chains=2" in rest else 1)


def test_one_chain_of_two_that_ends_early_is_a_failure(programs: Path, tmp_path: Path):
    for chain, start in ((1, 200), (2, 0)):
        (tmp_path / f"start_{chain}.json").write_text(json.dumps({"mu": start}))
    result = sample_fragile(programs, tmp_path, "num_chains=2 adapt save_metric=1 init=start.json output file=o.csv")
    assert_one_line(result, "Chain 2 ended with 0 of 20 draws")
    assert "Chain 1 ended" not in result.stderr
    assert (len(numbers(tmp_path / "o_1.csv")), len(numbers(tmp_path / "o_2.csv"))) == (21, 0)
    assert not list(tmp_path.glob("*_metric*"))


@pytest.mark.parametrize("kind", ["sample thin=3 save_warmup=1", "sample thin=7 algorithm=fixed_param"])
def test_thinned_draws_are_complete(programs: Path, tmp_path: Path, kind: str):
    few = f"{kind} num_samples=20 num_warmup=20 {SAFE.format(programs=programs)}"
    result = run(programs, "fragile", few, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(numbers(tmp_path / "o.csv")) == 1 + (3 if "fixed" in kind else 7 + 7)
