"""Compile Stan programs, each once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from bayeskit.core.building import build_once, first_error, keep_log, require_make_can_read, run_logged
from bayeskit.core.errors import ToolchainError
from bayeskit.core.paths import cache_folder
from bayeskit.toolchain.homes import StanHome
from bayeskit.toolchain.official import CHILD
from bayeskit.toolchain.progress import Reporter, reporting
from bayeskit.toolchain.sources import Sources, read_sources
from bayeskit.toolchain.tools import make_environment, require_tools
from bayeskit.toolchain.wheel import digest


def programs_folder() -> Path:
    """Return the folder of all compiled programs."""
    return cache_folder() / "programs"


def compile_program(program: Path, home: StanHome, include_paths: Iterable[Path] = ()) -> tuple[Path, float]:
    """Compile a Stan program with cmdstanpy, or take it from the cache.

    Parameters
    ----------
    program
        The Stan file. It is copied, with what it includes; nothing is written beside it.
    home
        The Stan to compile with, as `ensure_home` returns it.
    include_paths
        Folders to look for ``#include`` files in, before the program's own.

    Returns
    -------
    tuple of Path and float
        The executable, and the seconds spent compiling: 0.0 if it was there already.

    Raises
    ------
    ConfigError
        If there is no such program.
    ProgramError
        If the program has an error: stanc's message, with line and column.
    ToolchainError
        If it does not compile.
    """
    sources = read_sources(program, home, include_paths)
    folder = programs_folder() / digest("program", _identity(home), sources.fingerprint())[:16]
    executable = folder / sources.stem
    if executable.is_file():
        return executable, 0.0
    started = time.monotonic()
    with reporting() as report:
        built = build_once(
            executable,
            lambda partial: _compile(sources, home, partial, executable, report),
            ready=executable.is_file,
            waiting=lambda: report.stage(f"waiting for another process that is compiling {sources.stem}.stan"),
        )
    return executable, time.monotonic() - started if built else 0.0


def _identity(home: StanHome) -> list[str]:
    local = home.path / "make" / "local"
    return [
        str(home.path),
        home.version,
        local.read_text(encoding="utf-8", errors="replace") if local.is_file() else "",
    ]


def _compile(sources: Sources, home: StanHome, partial: Path, executable: Path, report: Reporter) -> Path:
    require_make_can_read(executable)
    require_tools()
    # The includes lie at their final place already, because the executable's error messages name it.
    folders = sources.write_includes(executable.with_name(f"{sources.stem}.includes"))
    copy = sources.write_program(partial)
    log = partial / "build.log"
    status = run_logged(
        [sys.executable, "-P", str(CHILD), "compile", str(copy), *map(str, folders)],
        cwd=partial,
        env=make_environment(CMDSTAN=str(home.path)),
        log=log,
        tick=lambda: report.stage(f"compiling {sources.stem}.stan, once"),
    )
    if status != 0:
        reason = first_error(log)
        raise ToolchainError(
            f"{sources.stem}.stan does not compile: {reason} (the whole log: {keep_log(log, executable)})"
        )
    # cmdstanpy compiles again what is older than its program.
    sources.write_program(executable.parent)
    made = partial / sources.stem
    os.utime(made)
    return made
