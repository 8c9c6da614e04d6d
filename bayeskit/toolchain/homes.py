"""What a CmdStan home is, and the homes that somebody else put on this machine."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bayeskit.core.errors import ToolchainError

Origin = Literal["CMDSTAN", "installed", "assembled", "official"]

# CmdStan's tools for looking at draws, and the modules that do their work. Those are run, not imported: they stand on
# ArviZ, and need not start in the environment that is active.
TOOLS = {"stansummary": "bayeskit.diagnostics.stansummary", "diagnose": "bayeskit.diagnostics.diagnose"}
_TOOL = """\
#!/bin/sh
# Written by bayeskit, and anew by it once its Python is gone.
python={python}
package={package}
if [ -x "$python" ] && [ -d "$package" ]; then
  exec "$python" -P -m {module} "$@"
fi
echo "{name}: the Python environment that it ran in is gone ($python);" \\
  "run \\`bayeskit stan path\\` where bayeskit is installed now, and try again" >&2
exit 1
"""
TOOLS_KIND = hashlib.sha256(_TOOL.encode()).hexdigest()[:4]

# `stanc --info`, which names a program's includes, is as old as this.
OLDEST = (2, 27)


@dataclass(frozen=True)
class StanHome:
    """A folder that cmdstanpy accepts as CmdStan, and how it was found.

    Parameters
    ----------
    path
        What the environment variable ``CMDSTAN`` would name.
    version
        Stan's version, e.g. ``2.35.0``.
    origin
        ``CMDSTAN`` (the environment variable), ``installed`` (cmdstanpy's folders), ``assembled`` (ours, from
        the httpstan wheel) or ``official`` (just downloaded).
    """

    path: Path
    version: str
    origin: Origin

    @property
    def stanc(self) -> Path:
        """The compiler from Stan to C++."""
        return self.path / "bin" / "stanc"


def makefile_version(makefile: Path) -> str | None:
    """Read ``CMDSTAN_VERSION`` the way cmdstanpy does; None where there is none."""
    try:
        return version_in(makefile.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def version_in(makefile: str) -> str | None:
    """Find the version in a makefile's text."""
    found = re.search(r"^CMDSTAN_VERSION := (\S+)", makefile, flags=re.MULTILINE)
    return found.group(1) if found else None


def version_key(version: str) -> tuple[int, ...]:
    """Order versions, release candidates before their release.

    >>> sorted(["2.36.0", "2.9.1", "2.36.0-rc1"], key=version_key)
    ['2.9.1', '2.36.0-rc1', '2.36.0']
    """
    release, _, candidate = version.partition("-rc")
    numbers = [int(part) for part in re.findall(r"\d+", release)][:3]
    return (*numbers, *[0] * (3 - len(numbers)), int(candidate) if candidate.isdigit() else 10**6)


def fault(path: Path) -> str | None:
    """Say in a few words why a folder is no usable CmdStan, or None where it is one."""
    if not path.is_dir():
        return "there is no such folder"
    version = makefile_version(path / "makefile")
    if version is None:
        return "it holds no makefile with a CMDSTAN_VERSION"
    if version_key(version)[:2] < OLDEST:
        return f"its version {version} is older than {OLDEST[0]}.{OLDEST[1]}"
    if not os.access(path / "bin" / "stanc", os.X_OK):
        return "its bin/stanc is missing or not executable (run `make build` there)"
    return None


def write_tools(home: Path) -> None:
    """Put stansummary and diagnose into a home's ``bin``, to be run by this Python, whatever environment is active."""
    python, package = (shlex.quote(str(path)) for path in (sys.executable, Path(__file__).resolve().parent.parent))
    for name, module in TOOLS.items():
        partial = home / "bin" / f".{name}-{secrets.token_hex(4)}"
        partial.write_text(_TOOL.format(name=name, module=module, python=python, package=package), encoding="utf-8")
        partial.chmod(0o755)
        partial.replace(home / "bin" / name)


def refresh_tools(home: Path) -> None:
    """Write the tools of a home of ours anew where they, or the Python or the bayeskit that ran them, are gone.

    Homes outlive virtual environments. One that cannot be written to stays as it is: its tools say what to do.
    """
    ours = (home / "runner").is_dir()
    if ours and not all(_runs(home / "bin" / name) for name in TOOLS):
        with suppress(OSError):
            write_tools(home)


def _runs(tool: Path) -> bool:
    try:
        text = tool.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    found = dict(re.findall(r"^(python|package)=(.+)$", text, flags=re.MULTILINE))
    if not found:
        return os.access(tool, os.X_OK)  # somebody put a program of their own here
    python, package = ("".join(shlex.split(found.get(name, ""))) for name in ("python", "package"))
    return os.access(python, os.X_OK) and Path(package).is_dir()


def from_environment() -> StanHome | None:
    """Return the home that ``CMDSTAN`` names, or None where the variable is unset or empty.

    Raises
    ------
    ToolchainError
        If it names something else: whoever set it did not mean another Stan.
    """
    value = os.environ.get("CMDSTAN", "")
    if not value:
        return None
    path = Path(value).expanduser().absolute()
    problem = fault(path)
    if problem:
        raise ToolchainError(
            f"the environment variable CMDSTAN is {value!r}, no working CmdStan: {problem}; correct it or unset it"
        )
    refresh_tools(path)
    return StanHome(path, makefile_version(path / "makefile") or "", "CMDSTAN")


def cmdstanpy_folder() -> Path:
    """Return the folder in which cmdstanpy installs its downloads."""
    return Path("~/.cmdstan").expanduser()


def installed() -> StanHome | None:
    """Return the newest usable CmdStan in cmdstanpy's folder, else the one of the active conda environment."""
    found = [_installed(path) for path in cmdstanpy_folder().glob("cmdstan-*")]
    usable = [home for home in found if home]
    if usable:
        return max(usable, key=lambda home: version_key(home.version))
    prefix = os.environ.get("CONDA_PREFIX")
    return _installed(Path(prefix) / "bin" / "cmdstan") if prefix else None


def _installed(path: Path) -> StanHome | None:
    # A download that was broken off is skipped: nobody asked for that very one.
    return None if fault(path) else StanHome(path, makefile_version(path / "makefile") or "", "installed")
