from collections.abc import Callable
from pathlib import Path

import pytest

from bayeskit.core.errors import ConfigError, ToolchainError
from bayeskit.toolchain import describe, ensure_home, find_home
from bayeskit.toolchain.assemble import assemble
from bayeskit.toolchain.homes import version_key
from bayeskit.toolchain.wheel import Ingredients


def make_home(path: Path, version: str = "2.36.0") -> Path:
    (path / "bin").mkdir(parents=True)
    (path / "makefile").write_text(f"# CmdStan\nCMDSTAN_VERSION := {version}\n")
    (path / "bin/stanc").write_text("#!/bin/sh\n")
    (path / "bin/stanc").chmod(0o755)
    return path


def test_the_order_of_resolution(
    tmp_path: Path, parts: Callable[[], Ingredients], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_home() is None

    ours = assemble(parts())
    assert find_home() == ours
    assert ours.origin == "assembled"
    assert ours.version == "2.35.0"

    conda = make_home(tmp_path / "conda/bin/cmdstan", "2.34.1")
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "conda"))
    found = find_home()
    assert found is not None
    assert (found.path, found.version, found.origin) == (conda, "2.34.1", "installed")

    for version in ("2.9.0", "2.36.0-rc1", "2.36.0", "2.35.0"):
        make_home(tmp_path / f"user/.cmdstan/cmdstan-{version}", version)
    (tmp_path / "user/.cmdstan/cmdstan-2.99.0").mkdir()
    found = find_home()
    assert found is not None
    assert found.path.name == "cmdstan-2.36.0"

    monkeypatch.setenv("CMDSTAN", str(make_home(tmp_path / "mine")) + "/")
    found = find_home()
    assert found is not None
    assert (found.path, found.origin) == (tmp_path / "mine", "CMDSTAN")
    assert ensure_home() == found
    assert ensure_home("wheel") == ours


def test_versions_compare_as_numbers() -> None:
    versions = ["2.36.0", "2.9.1", "2.36.0-rc2", "2.36.0-rc10"]
    assert sorted(versions, key=version_key) == ["2.9.1", "2.36.0-rc2", "2.36.0-rc10", "2.36.0"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("folder", "no such folder"),
        ("makefile", "no makefile"),
        ("stanc", "bin/stanc is missing"),
        ("mode", "not executable"),
        ("old", "older than 2.27"),
    ],
)
def test_a_broken_cmdstan_is_named_and_not_skipped(
    tmp_path: Path, parts: Callable[[], Ingredients], monkeypatch: pytest.MonkeyPatch, damage: str, reason: str
) -> None:
    assemble(parts())
    home = make_home(tmp_path / "mine", "2.26.1" if damage == "old" else "2.36.0")
    match damage:
        case "makefile":
            (home / "makefile").unlink()
        case "stanc":
            (home / "bin/stanc").unlink()
        case "mode":
            (home / "bin/stanc").chmod(0o644)
        case "folder":
            home = tmp_path / "nowhere"
    monkeypatch.setenv("CMDSTAN", str(home))
    for ask in (find_home, ensure_home):
        with pytest.raises(ToolchainError, match=f"CMDSTAN is .*{home.name}.*{reason}") as caught:
            ask()
        assert "\n" not in str(caught.value)
    assert reason in describe()["home"]


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ConfigError, match="auto, official, wheel, not 'conda'"):
        ensure_home("conda")  # type: ignore[arg-type]


def test_the_official_home_needs_no_download_when_it_is_there(tmp_path: Path) -> None:
    path = make_home(tmp_path / "user/.cmdstan/cmdstan-2.35.0", "2.35.0")
    home = ensure_home("official")
    assert (home.path, home.origin) == (path, "official")


@pytest.mark.usefixtures("parts")
def test_describe_builds_nothing_and_needs_nothing(
    tmp_path: Path, only_on_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_on_path()
    monkeypatch.setenv("CXX", "no-such-compiler")
    rows = describe()
    assert rows["home"].startswith("none: the environment variable CXX is 'no-such-compiler'")
    assert rows["make"] == "missing"
    assert rows["compiled programs"] == "0"
    assert not (tmp_path / "cache").exists()


def test_describe_tells_of_the_home_in_use(parts: Callable[[], Ingredients]) -> None:
    home = assemble(parts())
    rows = describe()
    assert rows["home"] == str(home.path)
    assert rows["Stan"] == "2.35.0"
    assert "httpstan wheel" in rows["origin"]
    assert "Make" in rows["make"]
    assert "MB" in rows["size of the home"]
