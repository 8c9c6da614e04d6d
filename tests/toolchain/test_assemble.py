import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bayeskit.core.errors import ToolchainError
from bayeskit.toolchain import ensure_home, find_home
from bayeskit.toolchain.assemble import assemble
from bayeskit.toolchain.tools import Compiler, find_compiler
from bayeskit.toolchain.wheel import Ingredients, find_ingredients, gather

ASSEMBLE = """
import sys
from pathlib import Path
from bayeskit.toolchain.assemble import assemble
from bayeskit.toolchain.wheel import gather
print(assemble(gather(Path(sys.argv[1]), "4.13.0", Path(sys.argv[2]))).path)
"""


def start(wheel: Path, runner: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ASSEMBLE, str(wheel), str(runner)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals)


def heed_signals() -> None:
    """A background job, or nohup, hands down that some are ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait_until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def partials(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").rglob("*.partial*"))


@pytest.mark.usefixtures("parts")
def test_what_is_in_a_home(wheel: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert find_home() is None
    home = ensure_home().path
    files = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert files == {
        "makefile",
        "make/local",
        "build.log",
        "bin/diagnose",
        "bin/stanc",
        "bin/stansummary",
        "lib/libtbb.so.2",
        "include/stan/version.hpp",
        "include/boost/pybind11/kept.h",
        *(f"runner/{name}" for name in ("a.cpp", "b.cpp", "a.hpp", "a.o", "b.o")),
    }
    assert (home / "make/local").read_text() == "CXX := g++\n"
    assert os.access(home / "bin/stanc", os.X_OK)
    assert (wheel / "stanc").stat().st_mode & 0o777 == 0o644, "the wheel's own file must keep its mode"
    out, err = capfd.readouterr()
    assert out == "", "stdout belongs to $(bayeskit stan path)"
    assert "copying headers" in err
    assert "built in" in err
    assert ensure_home().path == home
    assert capfd.readouterr().err == ""


def test_the_home_outlives_the_wheel(parts: Callable[[], Ingredients], wheel: Path) -> None:
    header = wheel / "include/stan/version.hpp"
    text = header.read_text()
    copy = assemble(parts()).path / "include/stan/version.hpp"
    assert copy.samefile(header), "a link, where the file system is the same"
    # This is how pip and uv put a new version in place.
    header.unlink()
    header.write_text("another version")
    assert copy.read_text() == text
    shutil.rmtree(wheel)
    assert copy.read_text() == text


def test_headers_are_copied_where_links_are_refused(
    parts: Callable[[], Ingredients], wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    header = wheel / "include/stan/version.hpp"
    copy = assemble(parts()).path / "include/stan/version.hpp"
    assert copy.read_text() == header.read_text()
    assert not copy.samefile(header)


def test_the_key_follows_everything_that_the_objects_depend_on(
    parts: Callable[[], Ingredients], wheel: Path, runner: Path
) -> None:
    compiler = Compiler("g++", "g++ 12")
    keys = {parts().key(compiler), parts().key(Compiler("g++", "g++ 13"))}
    keys.add(gather(wheel, "4.13.1", runner).key(compiler))
    for name in ("a.hpp", "makefile"):
        with (runner / name).open("a") as sink:
            sink.write("# more\n")
        keys.add(parts().key(compiler))
    assert len(keys) == 5
    assert parts().key(Compiler("/usr/bin/g++", "g++ 12")) == parts().key(compiler)


def test_a_home_of_another_compiler_is_not_used(
    parts: Callable[[], Ingredients], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = assemble(parts())
    assert find_home() == home
    monkeypatch.setattr("bayeskit.toolchain.assemble.find_compiler", lambda: Compiler("g++", "g++ 99"))
    assert find_home() is None
    monkeypatch.setattr("bayeskit.toolchain.assemble.find_compiler", lambda: None)
    assert find_home() == home, "compiled programs run without a compiler"


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize(
    ("tools", "missing"),
    [
        (["make"], r"no C\+\+ compiler \(g\+\+ or clang\+\+\) on"),
        (["g++"], "no make on"),
        ([], r"no C\+\+ compiler \(g\+\+ or clang\+\+\) and no make on"),
    ],
)
def test_a_missing_tool_names_the_packages(tmp_path: Path, only_on_path, tools: list[str], missing: str) -> None:
    only_on_path(*tools)
    with pytest.raises(ToolchainError, match=missing) as caught:
        ensure_home()
    assert "`apt install g++ make`" in str(caught.value)
    assert "`xcode-select --install`" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not partials(tmp_path)


def test_clang_or_cxx_will_do(tmp_path: Path, only_on_path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_on_path()
    assert find_compiler() is None
    clang = tmp_path / "few/clang++"
    clang.write_text("#!/bin/sh\n[ $# = 1 ] && echo 'clang version 19' || echo \"wrapped $2\"\n")
    clang.chmod(0o755)
    assert find_compiler() == Compiler("clang++", "clang version 19")
    monkeypatch.setenv("CXX", f"{clang} -x")
    assert find_compiler() == Compiler(f"{clang} -x", "wrapped --version")
    monkeypatch.setenv("CXX", "g++-99")
    with pytest.raises(ToolchainError, match=r"CXX is 'g\+\+-99'"):
        find_compiler()


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("name", ["with space", "hash#", "dollar$x", "a:b", "a=b", "a,b", "~x", "per%cent"])
def test_a_cache_folder_that_make_cannot_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / name))
    with pytest.raises(ToolchainError, match="BAYESKIT_CACHE to a folder without spaces") as caught:
        ensure_home()
    assert name in str(caught.value)
    assert not (tmp_path / name).exists()


@pytest.mark.usefixtures("parts")
def test_names_in_any_script_are_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "東京-é_1.0+@"))
    assert ensure_home().path.is_relative_to(tmp_path / "東京-é_1.0+@")


@pytest.mark.usefixtures("parts")
def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "file/below"))
    with pytest.raises(ToolchainError, match="cannot write to the cache folder: Not a directory") as caught:
        ensure_home()
    assert "BAYESKIT_CACHE" in str(caught.value)


@pytest.mark.usefixtures("parts")
def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str, **_: object) -> None:
        raise OSError(28, "No space left on device", source, None, target)

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ToolchainError, match="No space left on device") as caught:
        ensure_home()
    assert str(caught.value).count(str(tmp_path)) == 1
    assert "\n" not in str(caught.value)
    assert find_home() is None
    assert not partials(tmp_path)


@pytest.mark.usefixtures("parts")
def test_a_failed_compilation_keeps_its_log(runner: Path, tmp_path: Path) -> None:
    makefile = runner / "makefile"
    text = makefile.read_text()
    complaint = "echo 'a.cpp: note: look'; echo 'a.cpp:3:5: error: boom'; echo 'a.cpp:9:9: error: late'; exit 1"
    makefile.write_text(text.replace("cp $< $@", complaint))
    with pytest.raises(ToolchainError, match=r"does not compile: a\.cpp:3:5: error: boom") as caught:
        ensure_home()
    log = Path(str(caught.value).rpartition("whole log: ")[2].rstrip(")"))
    assert "a.cpp:9:9: error: late" in log.read_text()
    assert find_home() is None
    assert not partials(tmp_path)
    makefile.write_text(text)
    assert ensure_home().path.is_dir()


def test_a_damaged_home_is_built_again(parts: Callable[[], Ingredients]) -> None:
    home = assemble(parts()).path
    (home / "bin/stanc").unlink()
    assert find_home() is None
    assert assemble(parts()).path == home
    assert (home / "bin/stanc").exists()


@pytest.mark.usefixtures("parts")
def test_two_processes_build_one_home(
    wheel: Path,
    runner: Path,
    tmp_path: Path,
    pids: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_DELAY", "1")
    both = [start(wheel, runner), start(wheel, runner)]
    answers = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    assert len(pids.read_text().split()) == 2, "two files, each compiled once"
    assert sum("waiting for another process" in err for _, err in answers) == 1
    assert sum("built in" in err for _, err in answers) == 1
    assert not partials(tmp_path)


@pytest.mark.usefixtures("parts")
def test_a_kill_in_the_middle_leaves_no_home(
    wheel: Path,
    runner: Path,
    tmp_path: Path,
    pids: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_DELAY", "2")
    process = start(wheel, runner)
    wait_until(pids.exists, "the first compilation")
    process.kill()
    process.communicate(timeout=20)
    assert partials(tmp_path), "the kill came in the middle"
    assert find_home() is None
    # The compilers of the killed run may go on for a while; the next run must not care.
    monkeypatch.setenv("FAKE_DELAY", "0")
    home = ensure_home().path
    assert not partials(tmp_path)
    objects = {path.name: path.read_text() for path in (home / "runner").glob("*.o")}
    assert objects == {"a.o": "// a.cpp\n", "b.o": "// b.cpp\n"}
    assert ensure_home().path == home


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_takes_the_children_along(
    wheel: Path,
    runner: Path,
    tmp_path: Path,
    pids: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    monkeypatch.setenv("FAKE_DELAY", "300")
    process = start(wheel, runner)
    wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"), "the first compilation")
    children = [int(line) for line in pids.read_text().split()]
    assert all(runs(child) for child in children), "or their end below would prove nothing"
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode in (-number, 128 + number)
    wait_until(lambda: not any(runs(child) for child in children), "the end of the children", seconds=5)
    assert find_home() is None
    assert not partials(tmp_path)


def test_a_wheel_with_another_stan_is_refused(parts: Callable[[], Ingredients], wheel: Path) -> None:
    assert parts().stan_version == "2.35.0"
    version = wheel / "include/stan/version.hpp"
    version.write_text(version.read_text().replace("MINOR 35", "MINOR 39"))
    with pytest.raises(ToolchainError, match=r"carries Stan 2.39.0, but bayeskit needs 2.35.0; .*pip install"):
        ensure_home()
    (wheel / "stanc").unlink()
    with pytest.raises(ToolchainError, match=r"lacks stanc .*pip install"):
        ensure_home()


def test_the_wheel_is_found_without_being_imported() -> None:
    code = """
import sys
from bayeskit.toolchain.wheel import find_ingredients
print(find_ingredients().stan_version)
heavy = {"httpstan", "marshmallow", "aiohttp", "cmdstanpy", "rich", "pandas", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2.35.0\n", "")
    assert find_ingredients().wheel.name == "httpstan"
