import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bayeskit.core.errors import ConfigError, ProgramError, ToolchainError
from bayeskit.toolchain import compile_program, describe
from bayeskit.toolchain.homes import StanHome

PROGRAM = "parameters { real x; }\nmodel { x ~ normal(0, 1); }\n"
INCLUDING = "functions {\n  #include lib/f.stanfunctions\n}\nparameters { real x; }\nmodel { x ~ normal(f(0), 1); }\n"

COMPILE = """
import sys
from pathlib import Path
from bayeskit.toolchain import StanHome, compile_program
executable, seconds = compile_program(Path(sys.argv[1]), StanHome(Path(sys.argv[2]), "2.35.0", "CMDSTAN"))
print(executable, seconds)
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def start(program: Path, home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COMPILE, str(program), str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_program_compiles_once(quick_home: StanHome, tmp_path: Path, pids: Path) -> None:
    program = write(tmp_path / "programs/weather_level.stan", PROGRAM)
    before = {name: os.environ.get(name) for name in ("CMDSTAN", "PATH")}, Path.cwd()
    executable, seconds = compile_program(program, quick_home)
    assert executable.name == "weather_level"
    assert os.access(executable, os.X_OK)
    assert "class weather_level_model " in executable.read_text()
    assert seconds > 0
    assert compile_program(program, quick_home) == (executable, 0.0)
    assert pids.read_text() == "compiled\n"
    assert ({name: os.environ.get(name) for name in ("CMDSTAN", "PATH")}, Path.cwd()) == before
    assert [path.name for path in program.parent.iterdir()] == ["weather_level.stan"]
    left = {path.name for path in executable.parent.iterdir()}
    assert left == {"weather_level", "weather_level.stan", "weather_level.lock"}
    assert describe()["compiled programs"].startswith("1 (")


def test_cmdstanpy_does_not_compile_the_kept_copy_again(quick_home: StanHome, tmp_path: Path) -> None:
    executable, _ = compile_program(write(tmp_path / "a.stan", PROGRAM), quick_home)
    copy = executable.with_suffix(".stan")
    assert copy.read_text() == PROGRAM
    assert executable.stat().st_mtime_ns >= copy.stat().st_mtime_ns


def test_the_key_follows_the_program_its_includes_and_the_home(quick_home: StanHome, tmp_path: Path) -> None:
    program = write(tmp_path / "a/p.stan", INCLUDING)
    function = write(tmp_path / "a/lib/f.stanfunctions", "real f(real a) { return a; }\n")
    made = [compile_program(program, quick_home)[0]]
    assert compile_program(program, quick_home) == (made[0], 0.0)

    write(function, "real f(real a) { return a + 1; }\n")
    made.append(compile_program(program, quick_home)[0])
    write(program, INCLUDING + "\n// more\n")
    made.append(compile_program(program, quick_home)[0])
    write(quick_home.path / "make/local", "O=0\n")
    made.append(compile_program(program, quick_home)[0])
    assert len(set(made)) == 4

    moved = write(tmp_path / "elsewhere/p.stan", program.read_text())
    write(tmp_path / "elsewhere/lib/f.stanfunctions", function.read_text())
    assert compile_program(moved, quick_home) == (made[-1], 0.0), "where a program lies does not matter"


def test_include_folders_are_searched_in_their_order(quick_home: StanHome, tmp_path: Path) -> None:
    program = write(tmp_path / "own/p.stan", INCLUDING)
    for folder, number in (("own", 1), ("first", 2), ("second", 3)):
        write(tmp_path / folder / "lib/f.stanfunctions", f"real f(real a) {{ return {number}; }}\n")

    def value(*folders: str) -> str:
        executable, _ = compile_program(program, quick_home, [tmp_path / folder for folder in folders])
        return executable.read_text().partition("return ")[2].partition(";")[0]

    assert "return" in compile_program(program, quick_home)[0].read_text()
    assert value() == "1"
    assert value("first", "second") == "2"
    assert value("second", "first") == "3"


def test_an_include_above_the_program_works_and_is_named_where_it_stays(quick_home: StanHome, tmp_path: Path) -> None:
    program = write(tmp_path / "deep/er/p.stan", INCLUDING.replace("lib/f", "../../up/f"))
    write(tmp_path / "up/f.stanfunctions", "real f(real a) { return a; }\n")
    executable, _ = compile_program(program, quick_home)
    text = executable.read_text()
    named = Path(text.partition("(in '/")[2].partition("'")[0])
    assert ".partial" not in text
    assert named.name == "f.stanfunctions"
    assert Path("/" / named).is_file(), "an error message at run time names a file that exists"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "parameters { real x; }\nmodel { x ~ normal(0, 1) }\n",
            r"Syntax error in 'p q.stan', line 2, column 25 .*Ill-formed",
        ),
        (
            "parameters { real x; }\nmodel { x ~ normal(mu, 1); }\n",
            r"Semantic error in 'p q.stan', line 2, column 19 to column 21: Identifier 'mu' not in scope",
        ),
        (INCLUDING, r"line 2, column 2, include error: Could not find include file 'lib/f.stanfunctions'"),
    ],
)
def test_an_error_in_the_program_is_one_line(
    quick_home: StanHome, tmp_path: Path, pids: Path, text: str, message: str
) -> None:
    program = write(tmp_path / "p q.stan", text)
    with pytest.raises(ProgramError, match=message) as caught:
        compile_program(program, quick_home)
    assert "\n" not in str(caught.value)
    assert "---" not in str(caught.value)
    assert not pids.exists()


def test_a_program_that_cplusplus_refuses_keeps_its_log(quick_home: StanHome, tmp_path: Path) -> None:
    program = write(tmp_path / "p.stan", f"// broken_cpp\n{PROGRAM}")
    with pytest.raises(ToolchainError, match=r"p.stan does not compile: x.hpp:3:5: error: no such thing") as caught:
        compile_program(program, quick_home)
    log = Path(str(caught.value).rpartition("whole log: ")[2].rstrip(")"))
    assert "x.hpp:3:5" in log.read_text()
    assert describe()["compiled programs"] == "0"
    assert not list((tmp_path / "cache").rglob("*.partial*"))


def test_a_missing_program_and_a_stanc_that_does_not_run(quick_home: StanHome, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.stan: No such file"):
        compile_program(tmp_path / "nothing.stan", quick_home)
    (quick_home.path / "bin/stanc").write_bytes(b"\x7fELF of another machine")
    with pytest.raises(ToolchainError, match=r"cannot run .*bin/stanc"):
        compile_program(write(tmp_path / "p.stan", PROGRAM), quick_home)


def test_a_cached_program_needs_no_compiler_and_a_new_one_says_so(
    quick_home: StanHome, tmp_path: Path, only_on_path
) -> None:
    program = write(tmp_path / "p.stan", PROGRAM)
    executable, _ = compile_program(program, quick_home)
    only_on_path()
    assert compile_program(program, quick_home) == (executable, 0.0)
    with pytest.raises(ToolchainError, match=r"apt install g\+\+ make"):
        compile_program(write(tmp_path / "q.stan", PROGRAM), quick_home)


def test_awkward_file_names(quick_home: StanHome, tmp_path: Path) -> None:
    names = {"my model.v2": "my_model_v2", "天気": "__", "2-level": "2-level", "build": "build"}
    for name, stem in names.items():
        executable, _ = compile_program(write(tmp_path / f"a folder, with/{name}.stan", PROGRAM), quick_home)
        assert executable.name == stem
        assert f"{stem.replace('-', '_')}_model " in executable.read_text()


def test_an_include_in_a_folder_with_a_comma_is_explained(quick_home: StanHome, tmp_path: Path) -> None:
    program = write(tmp_path / "a,b/p.stan", INCLUDING)
    write(tmp_path / "a,b/lib/f.stanfunctions", "real f(real a) { return a; }\n")
    with pytest.raises(ProgramError, match=r"cannot search '.*a,b', because of the comma in its name: rename it"):
        compile_program(program, quick_home)


def test_outer_compiler_flags_stay_outside(
    quick_home: StanHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makefile = quick_home.path / "makefile"
    makefile.write_text(makefile.read_text().replace("# $(STANCFLAGS)", "# [$(CXXFLAGS)$(O)] [$(LDFLAGS)]"))
    monkeypatch.setenv("CXXFLAGS", "-ffast-math")
    monkeypatch.setenv("O", "0")
    monkeypatch.setenv("LDFLAGS", "-Lkept")
    monkeypatch.setenv("MAKEFLAGS", " -j2 --jobserver-auth=77,78")
    executable, _ = compile_program(write(tmp_path / "p.stan", PROGRAM), quick_home)
    assert "# [] [-Lkept]" in executable.read_text()


def test_two_processes_compile_a_program_once(
    quick_home: StanHome, tmp_path: Path, pids: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_DELAY", "2")
    program = write(tmp_path / "p.stan", PROGRAM)
    both = [start(program, quick_home.path), start(program, quick_home.path)]
    answers = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    (first, first_seconds), (second, second_seconds) = (out.split() for out, _ in answers)
    assert first == second
    assert sorted([float(first_seconds) > 0, float(second_seconds) > 0]) == [False, True]
    assert pids.read_text() == "compiled\n"


def test_a_kill_while_compiling_leaves_no_executable(
    quick_home: StanHome, tmp_path: Path, pids: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_DELAY", "2")
    program = write(tmp_path / "p.stan", PROGRAM)
    process = start(program, quick_home.path)
    deadline = time.monotonic() + 20
    while not pids.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=20)
    assert list((tmp_path / "cache").rglob("*.partial*")), "the kill came in the middle"
    assert describe()["compiled programs"] == "0"
    monkeypatch.setenv("FAKE_DELAY", "0")
    executable, seconds = compile_program(program, quick_home)
    assert seconds > 0
    assert "class p_model " in executable.read_text()


def test_with_the_real_home(stan_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes compile one program; then unmodified cmdstanpy samples with it."""
    import cmdstanpy
    import numpy as np

    monkeypatch.setenv("CMDSTAN", str(stan_home))
    program = write(tmp_path / "mean_only.stan", f"// {tmp_path}\n{PROGRAM}")
    both = [start(program, stan_home), start(program, stan_home)]
    answers = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert len({out.split()[0] for out, _ in answers}) == 1
    assert sorted(float(out.split()[1]) > 5 for out, _ in answers) == [False, True], answers

    home = StanHome(stan_home, "2.35.0", "CMDSTAN")
    executable, seconds = compile_program(program, home)
    assert (str(executable), seconds) == (answers[0][0].split()[0], 0.0)
    fit = cmdstanpy.CmdStanModel(exe_file=executable).sample(chains=2, seed=1, iter_sampling=500, show_progress=False)
    draws = fit.stan_variable("x")
    assert draws.shape == (1000,)
    # At least 100 effective draws, five standard errors: a failure in two million.
    assert abs(np.mean(draws)) < 5 / np.sqrt(100)
    for path in executable.parent.iterdir():
        path.unlink()
    executable.parent.rmdir()
