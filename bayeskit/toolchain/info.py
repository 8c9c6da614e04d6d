"""What there is of Stan on this machine, for `bayeskit stan info` and `bayeskit doctor`."""

from __future__ import annotations

import os
from pathlib import Path

from bayeskit.core.errors import ToolchainError
from bayeskit.core.paths import cache_folder
from bayeskit.toolchain.homes import StanHome
from bayeskit.toolchain.programs import programs_folder
from bayeskit.toolchain.resolve import find_home
from bayeskit.toolchain.tools import find_compiler, find_make, tool_version

_ORIGINS = {
    "CMDSTAN": "set by the environment variable CMDSTAN",
    "installed": "an installed CmdStan",
    "assembled": "assembled by bayeskit from the httpstan wheel",
    "official": "official CmdStan",
}


def describe() -> dict[str, str]:
    """Return what is found, by name, as text; builds nothing and never raises for what is missing."""
    home, problem = _home()
    return {
        "home": str(home.path) if home else problem,
        "origin": _ORIGINS[home.origin] if home else "-",
        "Stan": home.version if home else "-",
        "size of the home": _size(home.path) if home else "-",
        "compiler": _compiler(),
        "make": tool_version(make) if (make := find_make()) else "missing",
        "cache folder": str(cache_folder()),
        "compiled programs": _programs(),
    }


def _home() -> tuple[StanHome | None, str]:
    try:
        return find_home(), "none yet; built at first need, or by `bayeskit stan install`"
    except ToolchainError as error:
        return None, f"none: {error}"


def _compiler() -> str:
    try:
        compiler = find_compiler()
    except ToolchainError as error:
        return f"none: {error}"
    return f"{compiler.version} ({compiler.command})" if compiler else "missing"


def _programs() -> str:
    folder = programs_folder()
    done = [path.with_suffix("") for path in folder.glob("*/*.stan") if path.with_suffix("").is_file()]
    return f"{len(done)} ({_size(folder)})" if done else "0"


def _size(folder: Path) -> str:
    own = shared = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                facts = Path(place, name).lstat()
            except OSError:
                continue
            size = facts.st_blocks * 512
            own, shared = (own, shared + size) if facts.st_nlink > 1 else (own + size, shared)
    text = f"{own / 1e6:.0f} MB"
    return f"{text}, and {shared / 1e6:.0f} MB shared with the httpstan package" if shared else text
