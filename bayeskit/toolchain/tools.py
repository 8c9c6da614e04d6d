"""The C++ compiler and make of this machine."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bayeskit.core.errors import ToolchainError

_REMEDY = "install with `apt install g++ make` (Debian, Ubuntu) or `xcode-select --install` (macOS)"
_MEMORY_PER_JOB = 2 * 1024**3


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: the command as make's ``CXX`` has it, and the first line that ``--version`` prints."""

    command: str
    version: str

    @property
    def identity(self) -> str:
        """What object files depend on."""
        return f"{self.version} {platform.machine()}"


def find_compiler() -> Compiler | None:
    """Return ``$CXX`` or else the first of g++, c++ and clang++ that works; None where none does.

    Raises
    ------
    ToolchainError
        If ``CXX`` is set and does not work.
    """
    chosen = os.environ.get("CXX", "").strip()
    for command in [chosen] if chosen else ["g++", "c++", "clang++"]:
        version = _version(command)
        if version:
            return Compiler(command, version)
    if chosen:
        raise ToolchainError(
            f"the environment variable CXX is {chosen!r}, which runs no C++ compiler; correct it or unset it"
        )
    return None


def find_make() -> str | None:
    """Return the make that cmdstanpy will call, ``$MAKE`` or ``make``; None where it is missing."""
    return shutil.which(os.environ.get("MAKE") or "make")


def require_tools() -> tuple[Compiler, str]:
    """Return compiler and make.

    Raises
    ------
    ToolchainError
        If one is missing; the message names the packages to install.
    """
    compiler, make = find_compiler(), find_make()
    if compiler and make:
        return compiler, make
    missing = [*([] if compiler else ["no C++ compiler (g++ or clang++)"]), *([] if make else ["no make"])]
    raise ToolchainError(f"Stan cannot be compiled: {' and '.join(missing)} on this machine; {_REMEDY}")


def tool_version(command: str) -> str:
    """Return the first line of a tool's ``--version``, or ``unknown``."""
    return _version(command) or "unknown"


def jobs() -> int:
    """How many compilers to run at once: one a core, as far as the memory carries them."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return int(max(1, min(cores, _available_memory() // _MEMORY_PER_JOB)))


def make_environment(**more: str) -> dict[str, str]:
    """Return the environment for make and all below it.

    Without what an outer make left behind (its job server is not ours) and without the user's general compiler
    flags and what else CmdStan's makefile takes from the environment: -ffast-math, O=0 or STAN_NO_RANGE_CHECKS, meant
    for other programs, would change what lies behind a cached name.
    """
    inherited = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEFILES", "CFLAGS", "CXXFLAGS", "CPPFLAGS"}
    inherited |= {
        "O",
        "STANCFLAGS",
        "USER_HEADER",
        "STAN_NO_RANGE_CHECKS",
        "STAN_CPP_OPTIMS",
        "STAN_OPENCL",
        "STAN_MPI",
    }
    return {**{name: value for name, value in os.environ.items() if name not in inherited}, **more}


def _version(command: str) -> str | None:
    try:
        # Apple's g++ without the developer tools is a stub that fails here.
        done = subprocess.run(
            [*shlex.split(command), "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if lines else None


def _available_memory() -> float:
    return min(_machine_memory(), _container_memory())


def _container_memory() -> float:
    """Return the limit of the control group, which /proc/meminfo in a container does not know of."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return int(Path("/sys/fs/cgroup", name).read_text(encoding="ascii"))
        except (OSError, ValueError):  # ValueError: "max", no limit
            continue
    return float("inf")


def _machine_memory() -> int:
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
