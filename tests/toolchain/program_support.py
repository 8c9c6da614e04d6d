"""Programs of every kind that users write, what they print, and how much memory a command takes."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from toolchain.runner_support import environment, numbers

SOURCES = Path(__file__).parent / "programs"
# A child's peak memory starts from that of the process that it was forked from, which here therefore is a small one.
PEAK_MEMORY = """
import os, sys
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(child, 0)
print(status, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


@dataclass(frozen=True)
class UserPrograms:
    """The folder with the executables, and what was said while they were compiled."""

    folder: Path
    by_make: str
    by_cmdstanpy: str


class _Messages(logging.Handler):
    def __init__(self):
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord):
        self.text += record.getMessage() + "\n"


def compile_user_programs(home: Path, folder: Path) -> UserPrograms:
    """Two by make, without optimisation and with pedantic warnings; one by cmdstanpy, with all of its options."""
    import cmdstanpy

    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    targets = [str(folder / name) for name in ("solvers", "8schools")]
    making = subprocess.Popen(
        ["make", "-j2", "O=0", "STANCFLAGS=--warn-pedantic", *targets],
        cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said = _Messages()
    logger = cmdstanpy.utils.get_logger()
    logger.addHandler(said)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CMDSTAN", str(home))
            cmdstanpy.CmdStanModel(
                stan_file=folder / "parallel.stan",
                stanc_options={"O1": True, "warn-pedantic": True, "include-paths": [str(folder / "lib")]},
                cpp_options={"STAN_THREADS": True, "STAN_NO_RANGE_CHECKS": True},
                user_header=folder / "threads.hpp",
            )
    finally:
        logger.removeHandler(said)
        made = making.communicate()[0]
    assert making.returncode == 0, made
    return UserPrograms(folder, made, said.text)


def columns(csv: Path) -> dict[str, list[float]]:
    names, *rows = (line.split(",") for line in numbers(csv))
    return {name: [float(row[column]) for row in rows] for column, name in enumerate(names)}


def peak_memory(*command: str | Path, cwd: Path) -> int:
    """Bytes; no less than those of a bare Python, some 8 MB."""
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PEAK_MEMORY, *map(str, command)],
        cwd=cwd, env=environment(), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    status, peak = map(int, result.stdout.split())
    assert status == 0
    return peak
