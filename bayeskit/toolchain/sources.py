"""A Stan program as it is on disk now: its text, the texts of all that it includes, and the variables it declares."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayeskit.core.errors import ConfigError, ProgramError, ToolchainError
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


@dataclass(frozen=True)
class Variable:
    """A variable that a program declares.

    Parameters
    ----------
    type
        ``int``, ``real`` or ``complex``, or ``tuple``.
    dimensions
        How many: 0 for a scalar or a tuple, 1 for a vector or an array of scalars or tuples, and so on.
    """

    type: str
    dimensions: int

    def __str__(self) -> str:
        if self.dimensions == 0:
            return self.type
        return f"{self.type} with {self.dimensions} dimension{'s' if self.dimensions > 1 else ''}"


@dataclass(frozen=True)
class Variables:
    """What a program declares in its blocks, by name, in the order of the program.

    Parameters
    ----------
    data, parameters, transformed_parameters, generated_quantities
        One each a block.
    """

    data: Mapping[str, Variable]
    parameters: Mapping[str, Variable]
    transformed_parameters: Mapping[str, Variable]
    generated_quantities: Mapping[str, Variable]

    @property
    def blocks(self) -> dict[str, Mapping[str, Variable]]:
        """What Stan writes for each draw, by the kind of the block."""
        return {
            "parameter": self.parameters,
            "transformed parameter": self.transformed_parameters,
            "generated quantity": self.generated_quantities,
        }


def read_variables(program: Path, home: StanHome, include_paths: Iterable[Path] = ()) -> Variables:
    """Return the variables that a program declares, as stanc finds them; takes milliseconds, compiles nothing.

    Raises
    ------
    ConfigError
        If the program cannot be read.
    ProgramError
        If stanc finds an error in it.
    """
    program = Path(program).resolve()
    _read(program)
    info = _stanc_info(program, home, _folders(program, include_paths))
    blocks = ("inputs", "parameters", "transformed parameters", "generated quantities")
    return Variables(*({name: _variable(found) for name, found in info[block].items()} for block in blocks))


def read_sources(program: Path, home: StanHome, include_paths: Iterable[Path] = ()) -> Sources:
    """Read a program and what it includes; stanc, which finds the includes, checks it on the way.

    Raises
    ------
    ConfigError
        If the program cannot be read.
    ProgramError
        If stanc finds an error in it.
    """
    program = Path(program).resolve()
    text = _read(program)
    folders = _folders(program, include_paths)
    names = _stanc_info(program, home, folders).get("included_files", [])
    included = sorted({Path(os.path.normpath(program.parent / name)) for name in names})
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


def _read(program: Path) -> bytes:
    try:
        return program.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the Stan program {program}: {error.strerror}") from error


def _folders(program: Path, include_paths: Iterable[Path]) -> list[str]:
    return [str(Path(folder).resolve()) for folder in [*include_paths, program.parent]]


def _stanc_info(program: Path, home: StanHome, folders: list[str]) -> dict[str, Any]:
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
        raise ProgramError(message)
    info: dict[str, Any] = json.loads(done.stdout)
    return info


def _variable(found: Mapping[str, Any]) -> Variable:
    kind = found["type"]
    return Variable(kind if isinstance(kind, str) else "tuple", int(found["dimensions"]))


def _one_line(message: str, program: Path) -> str:
    """Fold stanc's message, without the excerpt of the program between its two rules."""
    head, *rest = re.split(r"^\s*-{10,}\s*$", message, flags=re.MULTILINE)
    body = rest[-1] if rest else ""
    folded = " ".join(f"{head} {body}".split()).rstrip(":")
    return f"the Stan program {program} has an error: {folded}"
