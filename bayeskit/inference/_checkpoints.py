"""The state of a long run in a file: whole or not at all, and of no other run than the one that reads it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from io import BytesIO
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_flatten

from bayeskit.core.errors import ConfigError
from bayeskit.core.files import readable_disk_errors

_FORMAT = "bayeskit checkpoint 1"


@dataclass(frozen=True)
class Coding:
    """How a state becomes bytes, and is read back from a file."""

    packed: Callable[[Mapping[str, Any]], bytes]
    unpacked: Callable[[Path], Any]


def _pickled(whole: Mapping[str, Any]) -> bytes:
    content = BytesIO()
    torch.save(dict(whole), content)
    return content.getvalue()


def _unpickled(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


PICKLED = Coding(_pickled, _unpickled)
"""Tensors and plain values at any depth, as torch keeps them; nothing else is ever unpickled."""


class Checkpoint:
    """A file that holds a run's state, written now and then.

    Parameters
    ----------
    path
        The file.
    every
        Seconds between two writings.
    identity
        What the run is, by words that a message can use (``the program``, ``the seed``): it only goes on from a state
        of the same identity.
    coding
        The file's form.
    """

    def __init__(self, path: str, every: float, identity: Mapping[str, str], coding: Coding = PICKLED) -> None:
        self._path, self._every, self._identity = Path(path).expanduser(), every, dict(identity)
        self._coding = coding
        self._last = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the state, or None where there is no file.

        Raises
        ------
        ConfigError
            If the file is damaged, something else, or of another run.
        """
        if not self._path.exists():
            return None
        remedy = "remove it to start anew"
        try:
            with readable_disk_errors(self._path):
                found = self._coding.unpacked(self._path)
        except ConfigError:
            raise
        except Exception as error:  # pickle, zip and torch each have their own for a file that is not whole
            raise ConfigError(
                f"the checkpoint {self._path} cannot be read ({type(error).__name__}): it is damaged, or something "
                f"else; {remedy}, or name another file"
            ) from None
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise ConfigError(f"{self._path} is no checkpoint of this version of bayeskit; name another file")
        for what, value in self._identity.items():
            if found["identity"].get(what) != value:
                raise ConfigError(
                    f"the checkpoint {self._path} is of another run: {what} differs; {remedy}, or name another file"
                )
        state: dict[str, Any] = found["state"]
        if digest_of_arguments(state) != found["digest"]:  # torch does not look at the archive's own sums
            raise ConfigError(f"the checkpoint {self._path} is damaged: its numbers changed; {remedy}")
        return state

    def offer(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Write the state if it is time to."""
        if time.monotonic() - self._last >= self._every:
            self.save(state())

    def save(self, state: Mapping[str, Any]) -> None:
        """Write the state aside and rename the file.

        Raises
        ------
        ConfigError
            If the disk refuses.
        """
        whole = {"format": _FORMAT, "identity": self._identity, "state": dict(state)}
        content = self._coding.packed({**whole, "digest": digest_of_arguments(whole["state"])})
        aside = self._path.with_name(self._path.name + ".partial")
        with readable_disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with aside.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                aside.replace(self._path)
            finally:
                aside.unlink(missing_ok=True)
        self._last = time.monotonic()

    def remove(self) -> None:
        """Remove the file: the run is done."""
        self._path.unlink(missing_ok=True)


def digest_of_function(function: Any) -> str:
    """Return a hash of what a function does: of its own code and what that holds, not of what it calls."""
    plain = getattr(function, "__func__", function)
    code = getattr(plain, "__code__", None)
    if not isinstance(code, CodeType):
        return digest_of_arguments(f"{type(function).__module__}.{type(function).__qualname__}")
    held = [cell.cell_contents for cell in plain.__closure__ or ()]
    return digest_of_arguments(repr(_of_code(code)), plain.__defaults__, plain.__kwdefaults__, held)


def digest_of_arguments(*arguments: Any) -> str:
    """Return a hash of tensors, arrays and plain values, at any depth of lists, dictionaries and dataclasses."""
    found = hashlib.sha256()
    leaves, structure = tree_flatten(arguments)
    found.update(str(structure).encode())
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor):
            leaf = leaf.detach().cpu().numpy()
        if isinstance(leaf, np.ndarray) and leaf.dtype != object:
            found.update(f"{leaf.dtype}{leaf.shape}".encode())
            found.update(np.ascontiguousarray(leaf).data)
        elif isinstance(leaf, str | bytes | int | float | complex | None):
            found.update(repr(leaf).encode())
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            held = {part.name: getattr(leaf, part.name) for part in fields(leaf)}
            found.update(f"{type(leaf).__module__}.{type(leaf).__qualname__}{digest_of_arguments(held)}".encode())
        else:  # an object's text may hold its address
            found.update(f"{type(leaf).__module__}.{type(leaf).__qualname__}".encode())
    return found.hexdigest()


def _of_code(code: CodeType) -> tuple[Any, ...]:
    return code.co_code, code.co_names, code.co_varnames, tuple(map(_of_constant, code.co_consts))


def _of_constant(constant: Any) -> Any:
    if isinstance(constant, CodeType):
        return _of_code(constant)
    # The order in a set of texts is another in each process.
    return sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant
