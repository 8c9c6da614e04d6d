"""The run folder is whole or not there."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bayeskit import runs
from bayeskit.core.errors import ConfigError, DataError, InferenceError
from bayeskit.core.files import readable_disk_errors
from bayeskit.core.records import plain


def test_folder_appears_when_the_block_ends(tmp_path):
    with runs.new_folder(tmp_path / "run") as partial:
        (partial / "run.json").write_text("{}")
        assert not (tmp_path / "run").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_when_the_block_fails(tmp_path, failure):
    with pytest.raises(failure), runs.new_folder(tmp_path / "run") as partial:
        raise failure(partial.mkdir)
    assert list(tmp_path.iterdir()) == []


def stopped(out, failure, *names):
    """Begin a run that keeps these files, and stop it."""
    with runs.new_folder(out) as partial:
        for name in names:
            (partial / name).write_text("state")
        raise failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, OSError])
def test_the_state_of_a_training_is_kept_for_resume(tmp_path, failure):
    out = tmp_path / "run"
    with pytest.raises(failure):
        stopped(out, failure, runs.TASK, runs.CHECKPOINT)
    assert not out.exists()
    assert runs.unfinished(out) == runs.unfinished(tmp_path / "run.partial") == tmp_path / "run.partial"
    with pytest.raises(ConfigError, match=r"bayeskit resume .*run' goes on with it, --overwrite"), runs.new_folder(out):
        pass
    with runs.new_folder(out, resumed=True) as partial:
        assert (partial / runs.CHECKPOINT).read_text() == "state"
        (partial / "run.json").write_text("{}")
    assert [path.name for path in out.iterdir()] == ["run.json"]
    with pytest.raises(ConfigError, match="is a finished run"):
        runs.unfinished(out)


def test_a_state_that_ended_in_no_number_or_is_not_wanted_any_more_goes(tmp_path):
    out = tmp_path / "run"
    for failure in (InferenceError, KeyboardInterrupt):
        with pytest.raises(failure):
            stopped(out, failure, runs.CHECKPOINT)
        assert (tmp_path / "run.partial").exists() == (failure is KeyboardInterrupt)
    with pytest.raises(ConfigError, match=r"has no task\.json"):
        runs.unfinished(out)
    with runs.new_folder(out, overwrite=True) as partial:
        assert not (partial / runs.CHECKPOINT).exists()
    with pytest.raises(ConfigError, match="there is no unfinished run"):
        runs.unfinished(tmp_path / "another")


def test_existing_folder_needs_overwrite(tmp_path):
    out = tmp_path / "run"
    with runs.new_folder(out) as partial:
        (partial / "run.json").write_text("old")
    with pytest.raises(ConfigError, match="exists; choose another --out, or give --overwrite"), runs.new_folder(out):
        pass
    with runs.new_folder(out, overwrite=True) as partial:
        (partial / "run.json").write_text("new")
        assert (out / "run.json").read_text() == "old"  # until the new one is whole
    assert (out / "run.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_failed_overwrite_keeps_the_old_run(tmp_path):
    out = tmp_path / "run"
    with runs.new_folder(out) as partial:
        (partial / "run.json").write_text("old")
    with pytest.raises(RuntimeError), runs.new_folder(out, overwrite=True):
        raise RuntimeError
    assert (out / "run.json").read_text() == "old"


@pytest.mark.parametrize("beside", [[], ["run.json"]])
def test_overwrite_spares_what_no_run_writes(tmp_path, beside):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    for name in ["chapter.txt", *beside]:
        (thesis / name).write_text("years of work")
    with (
        pytest.raises(ConfigError, match=r"holds chapter\.txt, which no run writes"),
        runs.new_folder(thesis, overwrite=True),
    ):
        pass
    assert (thesis / "chapter.txt").exists()


def test_overwrite_spares_the_folder_that_one_is_in(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    with pytest.raises(ConfigError, match="is the folder that you are in"), runs.new_folder(Path(), overwrite=True):
        pass


def test_neighbours_of_like_names_are_spared(tmp_path):
    for _ in range(2):
        with runs.new_folder(tmp_path / "run", overwrite=True) as partial:
            (partial / "run.json").write_text("{}")
    (tmp_path / "run.old").mkdir()
    (tmp_path / "run.old" / "keep.txt").write_text("x")
    with runs.new_folder(tmp_path / "run", overwrite=True):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.old"]
    assert (tmp_path / "run.old" / "keep.txt").exists()


def test_what_appears_meanwhile_is_spared(tmp_path):
    def work():
        with runs.new_folder(tmp_path / "run"):
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "thesis.txt").write_text("x")

    with pytest.raises(ConfigError, match="exists"):
        work()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "thesis.txt").exists()


def test_interrupted_swap_puts_the_old_run_back(tmp_path, monkeypatch):
    out = tmp_path / "run"
    with runs.new_folder(out) as partial:
        (partial / "run.json").write_text("old")
    rename = Path.rename

    def interrupted(path, target):
        if path.name == "run.partial":
            raise KeyboardInterrupt
        return rename(path, target)

    def work():
        with runs.new_folder(out, overwrite=True):
            monkeypatch.setattr(Path, "rename", interrupted)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (out / "run.json").read_text() == "old"


def test_what_a_killed_run_left_is_replaced(tmp_path):
    program = f"""
import os, pathlib
from bayeskit import runs
with runs.new_folder(pathlib.Path({str(tmp_path / "run")!r})) as partial:
    (partial / "debris").write_text("x")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert (tmp_path / "run.partial" / "debris").exists()
    with runs.new_folder(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_a_partial_folder_of_somebody_else_is_spared(tmp_path):
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial" / "keep.txt").write_text("x")
    with pytest.raises(ConfigError, match="is in the way and is no unfinished run"), runs.new_folder(tmp_path / "run"):
        pass
    assert (tmp_path / "run.partial" / "keep.txt").exists()


def test_a_run_that_is_being_written_is_left_alone(tmp_path):
    with runs.new_folder(tmp_path / "run") as partial:
        (partial / "mine").write_text("x")
        with pytest.raises(ConfigError, match="another process is writing"), runs.new_folder(tmp_path / "run"):
            pass
        assert (partial / "mine").exists()


@pytest.mark.parametrize(
    ("code", "said"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission denied")]
)
def test_what_the_disk_refuses_is_one_line(tmp_path, code, said):
    with pytest.raises(ConfigError, match=said) as error, runs.new_folder(tmp_path / "run"):
        raise OSError(code, os.strerror(code), str(tmp_path / "run.partial" / "posterior.nc"))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_failures_elsewhere_do_not_blame_the_output(tmp_path):
    with pytest.raises(FileNotFoundError, match="tool"), runs.new_folder(tmp_path / "run"):
        Path("/nonexistent/tool").read_text()


def test_output_that_is_a_file_is_named(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(ConfigError, match="is a file"), runs.new_folder(tmp_path / "run"):
        pass
    with pytest.raises(ConfigError, match="a part of the path is a file"), runs.new_folder(tmp_path / "run" / "deeper"):
        pass


def test_full_disk_for_real():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("/dev/full is Linux's")
    with pytest.raises(ConfigError, match="disk is full"), readable_disk_errors(full), full.open("w") as file:
        file.write("x" * 10**6)


def test_load_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"there is no run\.json"):
        runs.load(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        runs.load(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(DataError, match="schema_version 99, this bayeskit reads up to 2; update"):
        runs.load(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(DataError, match="schema_version None"):
        runs.load(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"schema_version": runs.SCHEMA_VERSION}))
    with pytest.raises(DataError, match="damaged: it has no 'model'; fit again"):
        runs.load(tmp_path)


def test_json_holds_no_nan():
    assert plain({"a": np.float64("nan"), "b": (np.int64(2), float("inf")), "c": np.bool_(True)}) == {
        "a": None,
        "b": [2, None],
        "c": True,
    }


def test_a_kill_after_the_last_step_leaves_a_finished_run(tmp_path):
    """The folder has its name before what a stopped run would need is taken away."""
    out = tmp_path / "run"
    with runs.new_folder(out) as partial:
        (partial / "run.json").write_text("{}")
    for name in ("unfinished", runs.TASK, runs.CHECKPOINT):
        (out / name).touch()
    with pytest.raises(ConfigError, match="is a finished run"):
        runs.unfinished(out)
    with runs.new_folder(out, overwrite=True) as partial:
        (partial / "run.json").write_text("new")
    assert [path.name for path in out.iterdir()] == ["run.json"]
