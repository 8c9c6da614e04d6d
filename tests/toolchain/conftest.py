"""A tiny stand-in for the httpstan wheel, so that homes assemble in milliseconds; and real programs on the runner."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from toolchain.runner_support import CASES, COMMANDS, EVERY_TYPE, FRAGILE, GOLDEN, MODELS, run

from bayeskit.toolchain import resolve
from bayeskit.toolchain.homes import StanHome
from bayeskit.toolchain.wheel import Ingredients, gather

MAKEFILE = """\
CMDSTAN_VERSION := 2.35.0
-include make/local
build: runner/a.o runner/b.o
runner/%.o: runner/%.cpp
\t@echo '--- Compiling $< ---'
\t@echo $$$$ >> $${FAKE_PIDS:-/dev/null}; sleep $${FAKE_DELAY:-0}; cp $< $@
"""

# What cmdstanpy asks of a makefile, without the 20 seconds.
QUICK_MAKEFILE = """\
CMDSTAN_VERSION := 2.35.0
%: %.stan
\t@echo compiled >> $${FAKE_PIDS:-/dev/null}; sleep $${FAKE_DELAY:-0}
\t@grep -q broken_cpp $< && { echo 'x.hpp:3:5: error: no such thing'; exit 1; } || true
\t@bin/stanc $(STANCFLAGS) --o=$@.hpp $<
\t@{ echo '#!/bin/sh'; echo '# $(STANCFLAGS)'; cat $@.hpp; } > $@ && chmod +x $@
"""


@pytest.fixture(autouse=True)
def clean_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Hide the machine's own Stan and the user's cache, but from the tests that use the real home."""
    if "stan_home" in request.fixturenames:
        return
    for name in ("CMDSTAN", "CONDA_PREFIX", "CXX", "MAKE", "MAKEFLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The tiny httpstan folder."""
    wheel = tmp_path / "wheel"
    for folder in ("include/stan", "include/pybind11", "include/boost/pybind11", "lib"):
        (wheel / folder).mkdir(parents=True)
    numbers = zip(("MAJOR", "MINOR", "PATCH"), (2, 35, 0), strict=True)
    (wheel / "include/stan/version.hpp").write_text("".join(f"#define STAN_{name} {n}\n" for name, n in numbers))
    (wheel / "include/pybind11/pybind11.h").write_text("")
    (wheel / "include/boost/pybind11/kept.h").write_text("")
    (wheel / "lib/libtbb.so.2").write_text("")
    (wheel / "stanc").write_text("#!/bin/sh\n")
    (wheel / "stanc").chmod(0o644)
    return wheel


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """The tiny folder stan/runner."""
    runner = tmp_path / "runner"
    runner.mkdir()
    (runner / "makefile").write_text(MAKEFILE)
    for name in ("a.cpp", "b.cpp", "a.hpp"):
        (runner / name).write_text(f"// {name}\n")
    return runner


@pytest.fixture
def parts(wheel: Path, runner: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Ingredients]:
    """Return a function that reads both as they are now; `find_home` and `ensure_home` find them too."""

    def read() -> Ingredients:
        return gather(wheel, "4.13.0", runner)

    monkeypatch.setattr(resolve, "find_ingredients", read)
    return read


@pytest.fixture
def quick_home(tmp_path: Path) -> StanHome:
    """A home with the real stanc, whose "executables" are scripts."""
    from bayeskit.toolchain.wheel import find_ingredients

    home = tmp_path / "quick"
    (home / "bin").mkdir(parents=True)
    shutil.copyfile(find_ingredients().wheel / "stanc", home / "bin/stanc")
    (home / "bin/stanc").chmod(0o755)
    (home / "makefile").write_text(QUICK_MAKEFILE)
    return StanHome(home, "2.35.0", "CMDSTAN")


@pytest.fixture
def pids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the stand-in makefiles leave a line for everything that they compile."""
    path = tmp_path / "pids"
    monkeypatch.setenv("FAKE_PIDS", str(path))
    return path


@pytest.fixture
def only_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that leaves nothing but the named tools on PATH."""

    def leave(*tools: str) -> None:
        folder = tmp_path / "few"
        folder.mkdir()
        for tool in tools:
            found = shutil.which(tool)
            assert found
            (folder / tool).symlink_to(found)
        monkeypatch.setenv("PATH", str(folder))

    return leave


@pytest.fixture(scope="session")
def is_reference_machine() -> bool:
    compiler = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True, check=False).stdout
    return platform.system() == "Linux" and platform.machine() == "x86_64" and compiler.split(".")[0].strip() == "12"


@pytest.fixture(scope="session")
def programs(stan_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (stan_home / "runner").is_dir():
        pytest.skip(f"the Stan in {stan_home} is not built on our runner")
    folder = tmp_path_factory.mktemp("programs") / "golden"
    shutil.copytree(_compiled(stan_home, tmp_path_factory.getbasetemp()), folder)
    return folder


def _compiled(stan_home: Path, temporary: Path) -> Path:
    """Return the programs with their executables: those of the process that tests, and of others beside it."""
    shared = temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary
    folder = shared / "golden-programs"
    with FileLock(shared / "golden-programs.lock"):
        if not folder.is_dir():
            made = shared / "golden-programs.partial"
            _compile(stan_home, made)
            made.rename(folder)
    return folder


def _compile(stan_home: Path, folder: Path) -> None:
    folder.mkdir()
    for model in MODELS:
        shutil.copy(GOLDEN / f"{model}.stan", folder)
        shutil.copy(GOLDEN / f"{model}.json", folder)
    shutil.copy(GOLDEN / "linreg.unconstrained.json", folder)
    (folder / "every_type.stan").write_text(EVERY_TYPE)
    (folder / "every_type.json").write_text('{"Z": 0}')
    (folder / "fragile.stan").write_text(FRAGILE)
    (folder / "safe.json").write_text('{"mu": 200}')
    (folder / "out").mkdir()
    targets = [str(folder / name) for name in (*MODELS, "every_type", "fragile")]
    made = subprocess.run(["make", "-j2", *targets], cwd=stan_home, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "warning" not in made.stderr


@pytest.fixture(scope="session")
def threaded(programs: Path, stan_home: Path) -> Path:
    """The fragile program, compiled by cmdstanpy with its option for threads."""
    import cmdstanpy

    folder = programs / "threaded"
    folder.mkdir()
    shutil.copy(programs / "fragile.stan", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CMDSTAN", str(stan_home))
        cmdstanpy.CmdStanModel(stan_file=folder / "fragile.stan", cpp_options={"STAN_THREADS": True})
    return folder / "fragile"


@pytest.fixture(scope="session")
def golden_runs(programs: Path) -> Path:
    """The folder with what the golden files' command lines give."""
    for model, name in CASES:
        arguments = COMMANDS[name].format(model=model, name=name, data=f"data file={model}.json")
        result = run(programs, model, arguments)
        assert result.returncode == 0, result.stderr
    return programs / "out"
