"""The C++ runner and its files: names, devices, clashes, and a second compilation."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from toolchain.runner_support import (
    DATA,
    SAFE,
    assert_one_line,
    environment,
    run,
    sample_fragile,
)


def test_a_profile_goes_where_its_name_leads(programs: Path, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "old.csv").write_text("old " * 1000)
    (tmp_path / "link").symlink_to("old.csv")
    (tmp_path / "dangling").symlink_to("new.csv")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "file.csv.partial").mkdir()  # another process's business
    for name in ("pipe", "link", "dangling", "null", "file.csv"):
        result = sample_fragile(programs, tmp_path, f"{SAFE.format(programs=programs)} profile_file={name}")
        assert result.returncode == 0, result.stderr
    header = "name,thread_id,total_time"
    assert os.read(reader, 10_000).decode().startswith(header)
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert all((tmp_path / name).is_symlink() for name in ("link", "dangling", "null"))
    for name in ("old.csv", "new.csv", "file.csv"):
        text = (tmp_path / name).read_text()
        assert text.startswith(header)
        assert "old" not in text
    assert not list(tmp_path.glob("*.partial/*"))


def test_profiles_that_nobody_wants_or_that_cannot_be(programs: Path, tmp_path: Path):
    safe = SAFE.format(programs=programs)
    (tmp_path / "folder").mkdir()
    for name, reason in (("none/p.csv", "No such file"), ("folder", "Is a directory"), ("o.csv/p", "Not a directory")):
        (tmp_path / "o.csv").unlink(missing_ok=True)
        if name == "o.csv/p":
            (tmp_path / "o.csv").write_text("old")
        result = sample_fragile(programs, tmp_path, f"{safe} profile_file={name}")
        assert_one_line(result, f"cannot write '{name}': {reason}")
        assert "Iteration" not in result.stdout
    assert (tmp_path / "o.csv").read_text() == "old"
    assert sample_fragile(programs, tmp_path, f"{safe} profile_file=").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "o.csv"]
    assert sample_fragile(programs, tmp_path, safe).returncode == 0
    assert (tmp_path / "profile.csv").exists()
    (tmp_path / "profile.csv").unlink()
    (tmp_path / "profile.csv").mkdir()
    result = sample_fragile(programs, tmp_path, safe)
    assert result.returncode == 0
    assert result.stderr == "Warning: no profile is saved: cannot write 'profile.csv': Is a directory\n"


CLASHES = {
    "data file=in.json output file=in.json": "the output file 'in.json' is the same file as the data file 'in.json'",
    "data file=in.json output file=./in.json": "the data file",
    "data file=in.json output file=o.csv diagnostic_file=hard.json": "the data file",
    "data file=in.json output file=o.csv profile_file=link.json": "the data file",
    "init=in.json output file=in.json": "the init file",
    "num_chains=2 init=in.json,b_2.json output file=b.json": "the init file",
    "num_chains=2 init=b.json output file=b.json": "the init file",
    "algorithm=hmc metric_file=o_metric.json adapt save_metric=1 output file=o.csv": "the metric file",
    "data file=o_config.json output file=o.csv save_cmdstan_config=1": "the data file",
    "output file=o.csv diagnostic_file=./o.csv": "the output file",
    "output file=o.csv diagnostic_file=dangling.csv": "the output file",
    "output file=new.csv diagnostic_file=folder/../new": "the output file",
    "num_chains=2 output file=o.csv diagnostic_file=o.csv": "the output file",
    "output file=o.csv profile_file=o.csv": "the output file",
    "output file=o.csv diagnostic_file=p.csv profile_file=p.csv": "the diagnostic file",
    "output file=profile.csv": "the output file",
}


@pytest.mark.parametrize("arguments", CLASHES)
def test_two_names_of_one_file_are_refused(programs: Path, tmp_path: Path, arguments: str):
    (tmp_path / "folder").mkdir()
    for name in ("in.json", "o.csv", "b_1.json", "b_2.json", "o_metric.json", "o_config.json"):
        (tmp_path / name).write_text('{"mu": 200, "inv_metric": [1]}')
    (tmp_path / "hard.json").hardlink_to(tmp_path / "in.json")
    (tmp_path / "link.json").symlink_to("in.json")
    if "dangling" in arguments:
        (tmp_path / "o.csv").unlink()
        (tmp_path / "dangling.csv").symlink_to("folder/../o.csv")
    before = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    result = run(programs, "fragile", f"sample {arguments}", cwd=tmp_path)
    assert_one_line(result, "is the same file as")
    assert CLASHES[arguments] in result.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == before


def test_all_kinds_of_files_beside_each_other(programs: Path, tmp_path: Path):
    (tmp_path / "in.json").write_text('{"mu": 200, "inv_metric": [1]}')
    arguments = (
        "num_chains=2 algorithm=hmc metric_file=in.json adapt save_metric=1 data file=in.json init=in.json "
        "output file=o.csv diagnostic_file=d.csv save_cmdstan_config=1 profile_file=p.csv"
    )
    result = sample_fragile(programs, tmp_path, arguments)
    assert result.returncode == 0, result.stderr
    made = "d_1.csv d_2.csv in.json o_1.csv o_2.csv o_config.json o_metric_1.json o_metric_2.json p.csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == made.split()


BLOCKED = {
    "num_chains=2": "o_2.csv",
    "": "d.csv",
    "adapt save_metric=1": "o_metric.json",
    "data file=none.json": "",
    "algorithm=hmc metric_file=none.json": "",
    "init=none.json": "",
}


@pytest.mark.parametrize("arguments", BLOCKED)
def test_a_run_that_cannot_begin_changes_nothing(programs: Path, tmp_path: Path, arguments: str):
    (tmp_path / "folder").mkdir()
    if BLOCKED[arguments]:
        (tmp_path / BLOCKED[arguments]).mkdir()
    for name in ("o.csv", "o_1.csv", "o_config.json"):
        (tmp_path / name).write_text("old")
    before = {path.name for path in tmp_path.iterdir()}
    rest = "output file=o.csv diagnostic_file=d.csv save_cmdstan_config=1"
    assert_one_line(run(programs, "fragile", f"sample {arguments} {rest}", cwd=tmp_path), "cannot ")
    assert {path.name for path in tmp_path.iterdir()} == before
    assert all((tmp_path / name).read_text() == "old" for name in ("o.csv", "o_1.csv", "o_config.json"))


def test_devices_and_pipes_are_used_as_named(programs: Path, tmp_path: Path):
    safe = SAFE.format(programs=programs).replace("o.csv", "{}")
    (tmp_path / "null").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with (tmp_path / "stdout").open("w") as stdout:
        result = sample_fragile(programs, tmp_path, safe.format("/dev/stdout"), stdout=stdout)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "stdout").read_text()
    assert text.startswith("method = sample")
    assert text.count("\nlp__,") == 1
    assert len(re.findall(r"^[-\d.,e]+$", text, re.M)) == 20
    assert sample_fragile(programs, tmp_path, safe.format("pipe")).returncode == 0
    assert os.read(reader, 100_000).decode().count("lp__,") == 1
    os.close(reader)
    ours, theirs = os.pipe()
    result = sample_fragile(programs, tmp_path, safe.format(f"/dev/fd/{theirs}"), pass_fds=[theirs])
    assert result.returncode == 0, result.stderr
    assert os.read(ours, 100_000).decode().count("lp__,") == 1
    assert sample_fragile(programs, tmp_path, "num_chains=2 " + safe.format("null")).returncode == 0
    assert_one_line(sample_fragile(programs, tmp_path, "num_chains=2 " + safe.format("pipe")), "several chains")
    assert_one_line(sample_fragile(programs, tmp_path, safe.format("/dev/fd/99")), "'/dev/fd/99': Bad file descriptor")
    assert_one_line(sample_fragile(programs, tmp_path, safe.format("/dev/full")), "'/dev/full': No space left")
    names = {"null", "pipe", "stdout", "profile.csv"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize("chains", [1, 2])
def test_a_comma_in_the_name_of_an_input(programs: Path, tmp_path: Path, chains: int):
    (tmp_path / "a,b.json").write_text('{"mu": 200, "inv_metric": [1]}')
    comma = f"num_chains={chains} algorithm=hmc metric_file=a,b.json init=a,b.json output file=o.csv"
    result = sample_fragile(programs, tmp_path, comma)
    assert result.returncode == 0, result.stderr
    (tmp_path / "a,b.json").unlink()
    words = "cannot read the init file 'a,b.json'" if chains == 1 else "cannot read the init file 'a'"
    assert_one_line(sample_fragile(programs, tmp_path, comma), words)


def test_the_callers_number_of_threads_does_not_reach_the_output(programs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STAN_NUM_THREADS", "2")
    for env, line in ((environment(), "num_threads = 1 (Default)"), (dict(os.environ), "num_threads = 2 (Default)")):
        assert line in run(programs, "linreg", f"sample {DATA} output file=t.csv", env=env).stdout


def test_a_second_compilation_of_the_runner_says_why(stan_home: Path, programs: Path):
    assert programs.exists()
    plan = ["make", "-n", "-B", "build"]
    why = "--- Compiling runner/main.cpp once more for CPPFLAGS and CXXFLAGS -DX='a,b' -O2 ---"
    for flags, words in ((["CXXFLAGS=-DX='a,b' -O2"], why), ([], "--- Compiling runner/main.cpp ---")):
        planned = subprocess.run([*plan, *flags], cwd=stan_home, capture_output=True, text=True, check=True).stdout
        line = next(line for line in planned.splitlines() if line.startswith("echo") and "main.cpp" in line)
        said = subprocess.run(line.split("; mkdir")[0], shell=True, capture_output=True, text=True, check=True).stdout
        assert said.strip() == words
