"""A Stan program as it is on disk now: its text and the texts of all that it includes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bayeskit.core.errors import ConfigError, ToolchainError
from bayeskit.toolchain.homes import StanHome


@dataclass(frozen=True)
class Sources:
    """A program and its includes, independent of where they lay.

    Parameters
    ----------
    stem
        The program's name, which becomes the model's name.
    text
        The program.
    folders
        The include folders in the order of the search, relative to the deepest folder that holds them all.
    includes
        Relative path of an included file to its content.
    """

    stem: str
    text: bytes
    folders: tuple[str, ...]
    includes: Mapping[str, bytes]

    def fingerprint(self) -> list[object]:
        """Return all of it as plain data."""
        included = {name: content.decode("latin-1") for name, content in self.includes.items()}
        return [self.stem, self.text.decode("latin-1"), list(self.folders), included]

    def write_program(self, folder: Path) -> Path:
        """Write the program and return its path."""
        path = folder / f"{self.stem}.stan"
        path.write_bytes(self.text)
        return path

    def write_includes(self, root: Path) -> list[Path]:
        """Write the includes in the arrangement they had and return the folders to search."""
        for name, content in self.includes.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        folders = [root / folder for folder in self.folders]
        for folder in folders:
            # Empty or not: a file above it may be included by way of it.
            folder.mkdir(parents=True, exist_ok=True)
        return folders


def read_sources(program: Path, home: StanHome, include_paths: Iterable[Path] = ()) -> Sources:
    """Read a program and what it includes; stanc, which finds the includes, checks it on the way.

    Raises
    ------
    ConfigError
        If the program cannot be read.
    ToolchainError
        If stanc finds an error in it.
    """
    program = Path(program).resolve()
    try:
        text = program.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the Stan program {program}: {error.strerror}") from error
    folders = [str(Path(folder).resolve()) for folder in [*include_paths, program.parent]]
    included = _included_files(program, home, folders)
    # make takes the name apart at other characters, and cmdstanpy at a dot.
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", program.stem)
    if not included:
        return Sources(stem, text, (), {})
    root = os.path.commonpath([*folders, *(str(path.parent) for path in included)])
    return Sources(
        stem,
        text,
        tuple(os.path.relpath(folder, root) for folder in folders),
        {os.path.relpath(path, root): path.read_bytes() for path in included},
    )


def _included_files(program: Path, home: StanHome, folders: list[str]) -> list[Path]:
    command = [
        str(home.stanc),
        "--info",
        f"--include-paths={','.join(folders)}",
        f"--filename-in-msg={program.name}",
        str(program),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False
        )
    except OSError as error:
        raise ToolchainError(f"cannot run {home.stanc}: {error.strerror}; is it made for this machine?") from error
    if done.returncode != 0:
        message = _one_line(done.stderr or done.stdout, program)
        split = [folder for folder in folders if "," in folder]
        if split and "include error" in message:
            message = f"{message}; stanc cannot search {split[0]!r}, because of the comma in its name: rename it"
        raise ToolchainError(message)
    names = json.loads(done.stdout).get("included_files", [])
    return sorted({Path(os.path.normpath(program.parent / name)) for name in names})


def _one_line(message: str, program: Path) -> str:
    """Fold stanc's message, without the excerpt of the program between its two rules."""
    head, *rest = re.split(r"^\s*-{10,}\s*$", message, flags=re.MULTILINE)
    body = rest[-1] if rest else ""
    folded = " ".join(f"{head} {body}".split()).rstrip(":")
    return f"the Stan program {program} has an error: {folded}"
