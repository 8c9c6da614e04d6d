"""C++ beside the Python that needs it: compiled once a machine, kept in the cache folder, called by ctypes.

A library is named after its source, what it includes from its own folder, the compiler and the processor, so that none
of them can change without a new one.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

from bayeskit.core.building import build_once
from bayeskit.core.errors import ToolchainError
from bayeskit.core.paths import cache_folder

_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC", "-pthread", "-Wall", "-Wextra")
_TIMEOUT = 300  # seconds
_INCLUDED = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


@cache
def load_library(source: Path) -> ctypes.CDLL:
    """Compile a C++ file, or take it from the cache, and load it. Calls release Python's lock.

    Parameters
    ----------
    source
        The file; what it includes in quotes lies beside it.

    Raises
    ------
    ToolchainError
        If there is no C++ compiler, or it fails; if the cache folder cannot be written to.
    """
    command = _compiler()
    text = b"".join(path.read_bytes() for path in _with_headers(source))
    known = text + " ".join([*command, *_FLAGS, platform.machine(), _processor()]).encode()
    path = cache_folder() / "native" / f"{source.stem}-{hashlib.sha256(known).hexdigest()[:32]}.so"

    def build(folder: Path) -> Path:
        made = folder / path.name
        done = subprocess.run(
            [*command, *_FLAGS, "-o", str(made), str(source)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()[-1:]
            raise ToolchainError(
                f"{source.name} does not compile: {' '.join(lines[:1])[:300]}; try another compiler (CXX)"
            )
        return made

    build_once(path, build, ready=path.exists, waiting=lambda: None)
    return ctypes.CDLL(str(path))


def _compiler() -> list[str]:
    command = shlex.split(os.environ.get("CXX", "")) or ["c++" if shutil.which("g++") is None else "g++"]
    if shutil.which(command[0]) is None:
        raise ToolchainError(
            f"there is no C++ compiler ({command[0]}), which this model's engines need; install one (Debian: apt "
            "install g++; macOS: xcode-select --install), or name one in the environment variable CXX"
        )
    return command


def _with_headers(source: Path) -> list[Path]:
    """Return a file and all that it includes from its own folder."""
    found = [source]
    for path in found:
        names = _INCLUDED.findall(path.read_text(encoding="utf-8"))
        found += [path.with_name(name) for name in names if path.with_name(name) not in found]
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return platform.processor()
