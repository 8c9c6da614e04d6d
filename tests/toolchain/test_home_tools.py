"""stansummary and diagnose in an assembled home: there, runnable by anybody, and mended when their Python is gone."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bayeskit.toolchain import ensure_home, find_home, homes
from bayeskit.toolchain.assemble import assemble
from bayeskit.toolchain.homes import TOOLS, refresh_tools, write_tools
from bayeskit.toolchain.wheel import Ingredients

GOLDEN = Path(__file__).parent.parent / "golden"
CHAINS = [GOLDEN / f"simplex_ordered-nuts-dense_{chain}.csv" for chain in (1, 2)]


def call(tool: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool as another program would: nothing activated, from another folder."""
    return subprocess.run(
        [tool, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", **environment},
    )


@pytest.fixture
def home(parts: Callable[[], Ingredients]) -> Path:
    return assemble(parts()).path


def break_python(home: Path) -> None:
    for name in TOOLS:
        path = home / "bin" / name
        path.write_text(path.read_text().replace(shlex.quote(sys.executable), "/gone/bin/python"))


def test_a_home_has_both(home: Path) -> None:
    for name in ("stansummary", "diagnose"):
        done = call(home / "bin" / name, *CHAINS)
        assert (done.returncode, done.stderr) == (0, "")
        assert {"stansummary": "mu[1]", "diagnose": "Processing complete."}[name] in done.stdout
    assert sorted(path.name for path in (home / "bin").iterdir()) == ["diagnose", "stanc", "stansummary"]


def test_a_tool_needs_no_folder_and_hands_its_status_on(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bayeskit").mkdir()  # what lies in the current folder must not be imported
    (tmp_path / "bayeskit/__init__.py").write_text("raise SystemExit('not me')")
    command = [home / "bin/stansummary", "--sig_figs", "99", "x y.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (105, "")
    assert done.stderr == "stansummary: --sig_figs must be an integer from 1 to 18, not '99'\n"


@pytest.mark.parametrize("name", TOOLS)
def test_without_its_python_a_tool_says_what_to_run(name: str, home: Path) -> None:
    break_python(home)
    done = call(home / "bin" / name, *CHAINS)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{name}: the Python environment that it ran in is gone (/gone/bin/python)")
    assert "`bayeskit stan path`" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("gone", ["python", "package", "script"])
def test_finding_the_home_mends_them(gone: str, home: Path, tmp_path: Path) -> None:
    before = (home / "bin/diagnose").read_text()
    if gone == "python":
        break_python(home)
    elif gone == "package":
        package = shlex.quote(str(Path(homes.__file__).parent.parent))
        (home / "bin/diagnose").write_text(before.replace(f"package={package}", f"package={tmp_path}/gone"))
    else:
        (home / "bin/diagnose").unlink()
    found = find_home()
    assert found is not None
    assert found.path == home
    assert (home / "bin/diagnose").read_text() == before
    assert os.access(home / "bin/diagnose", os.X_OK)


def test_a_home_named_by_cmdstan_is_mended_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_python(home)
    monkeypatch.setenv("CMDSTAN", str(home))
    assert ensure_home().origin == "CMDSTAN"
    assert call(home / "bin/diagnose", *CHAINS).returncode == 0


def test_what_works_or_is_not_ours_is_left_alone(home: Path) -> None:
    tool = home / "bin/diagnose"
    write_tools(home)
    written = tool.stat().st_ino
    refresh_tools(home)
    assert tool.stat().st_ino == written
    tool.write_bytes(b"\x7fELF somebody's own program")
    refresh_tools(home)
    assert tool.read_bytes().startswith(b"\x7fELF")
    break_python_in = home / "bin/stansummary"
    break_python_in.write_text(break_python_in.read_text().replace("python=", "python=/gone"))
    shutil.rmtree(home / "runner")  # an official CmdStan has none
    refresh_tools(home)
    assert "python=/gone" in break_python_in.read_text()


def test_a_home_that_cannot_be_written_to_is_still_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    break_python(home)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert find_home() is not None


def test_odd_names_survive_the_shell(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / 'it\'s a $(touch trap) "folder"' / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    write_tools(home)
    refresh_tools(home)
    done = call(home / "bin/diagnose")
    assert "not found" not in done.stderr
    assert not (tmp_path / "trap").exists()
    assert shlex.quote(str(python)) in (home / "bin/diagnose").read_text()


def test_the_home_is_another_when_the_scripts_change(
    parts: Callable[[], Ingredients], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.name.endswith(f"-{homes.TOOLS_KIND}")
    monkeypatch.setattr("bayeskit.toolchain.assemble.TOOLS_KIND", "abcd")
    assert find_home() is None
    assert assemble(parts()).path != home


@pytest.mark.filterwarnings("ignore:.*float_precision")  # cmdstanpy's own call of pandas
def test_cmdstanpy_gives_the_official_data_frame(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cmdstanpy

    monkeypatch.setenv("CMDSTAN", str(home))
    fit = cmdstanpy.from_csv([str(chain) for chain in CHAINS])
    summary = fit.summary(percentiles=[5, 50, 95], sig_figs=15)
    official = pd.read_csv(GOLDEN / "tools/simplex_ordered-nuts-dense.stansummary.csv", index_col=0, comment="#")
    official = official[[name == "lp__" or not name.endswith("__") for name in official.index]]
    official.index.name = None
    pd.testing.assert_frame_equal(summary, official, rtol=1e-12)
    diagnosis = fit.diagnose()
    assert diagnosis is not None
    assert "Treedepth satisfactory for all transitions.\n" in diagnosis
    assert diagnosis.endswith("Processing complete.\n")


@pytest.mark.filterwarnings("ignore:.*float_precision")
def test_cmdstanpy_on_a_fit_of_its_own_with_threads(
    threaded: Path, programs: Path, stan_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cmdstanpy

    monkeypatch.chdir(tmp_path)  # the program writes its profile there
    monkeypatch.setenv("CMDSTAN", str(stan_home))
    model = cmdstanpy.CmdStanModel(exe_file=threaded)
    inits = str(programs / "safe.json")
    fit = model.sample(inits=inits, chains=2, threads_per_chain=2, seed=3, show_progress=False, output_dir=tmp_path)
    summary = fit.summary(percentiles=[10, 90], sig_figs=4)
    assert list(summary.columns)[4:6] == ["10%", "90%"]
    for name in summary.index:
        draws = fit.draws_pd()[name]
        assert summary.loc[name, "Mean"] == pytest.approx(draws.mean(), rel=1e-3)
        assert summary.loc[name, "90%"] == pytest.approx(draws.quantile(0.9), rel=1e-3)
    diagnosis = fit.diagnose()
    assert diagnosis is not None
    assert "Processing complete" in diagnosis
