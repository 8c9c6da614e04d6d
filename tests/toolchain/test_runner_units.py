"""The runner's own parts, in C++ and without a Stan program: the cases in `units/*.cpp`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "units"
UNITS = sorted(
    (source.stem.removeprefix("test_"), name)
    for source in FOLDER.glob("test_*.cpp")
    for name in re.findall(r"^UNIT\((\w+)\)", source.read_text(), flags=re.MULTILINE)
)


@pytest.fixture(scope="session")
def units(stan_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executable, linked to the runner's own objects; compiled with every warning an error."""
    if not (stan_home / "runner").is_dir():
        pytest.skip(f"the Stan in {stan_home} is not built on our runner")
    to = tmp_path_factory.mktemp("units")
    command = ["make", "-j2", "-f", FOLDER / "makefile", f"FROM={FOLDER}", f"TO={to}", "units"]
    made = subprocess.run(command, cwd=stan_home, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return to / "units"


@pytest.mark.parametrize(("part", "name"), UNITS)
def test_unit(units: Path, tmp_path: Path, part: str, name: str):
    result = subprocess.run([units, name], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def test_all_units_are_run(units: Path):
    listed = subprocess.run([units, "--list"], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(listed) == sorted(name for _, name in UNITS)
    assert subprocess.run([units, "no_such_unit"], capture_output=True, check=False).returncode == 1
