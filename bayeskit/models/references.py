"""Models by name: a shipped target, or what a Python file makes, by ``FILE.py:NAME``."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.models.density import DensityModel
from bayeskit.models.pyro_program import PyroProgram
from bayeskit.models.targets import TARGETS, Target


def target(name: str) -> Target:
    """Return a shipped target: a distribution that is known well, with twins in Stan, Pyro and plain Python.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    if name not in TARGETS:
        raise ConfigError(f"there is no target '{name}'; choose from {', '.join(TARGETS)}")
    return TARGETS[name]


def load_model(reference: str) -> DensityModel | PyroProgram:
    """Run a Python file and return the model of this name: what ``density`` or ``pyro_program`` returned there.

    Parameters
    ----------
    reference
        ``FILE.py:NAME``.

    Raises
    ------
    ConfigError
        If there is no such file or name, or what it names is no model.
    ProgramError
        If the file cannot be run.
    """
    file, _, name = reference.rpartition(":")
    path = Path(file).expanduser()
    if not file or not path.is_file():
        raise ConfigError(f"there is no file {file or name}; give FILE.py:NAME")
    return _loaded(reference, path.stat().st_mtime_ns)


@cache
def _loaded(reference: str, changed: int) -> DensityModel | PyroProgram:
    """Run the file once for each time that it was changed: it may read data, or print."""
    file, _, name = reference.rpartition(":")
    path = Path(file).expanduser()
    spec = importlib.util.spec_from_file_location(f"bayeskit_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} is no Python file; give FILE.py:NAME")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pickle and inspect look for what it defines
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)  # a file may import its neighbours
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        what = " ".join(str(error).split())
        raise ProgramError(f"{file} cannot be run: {type(error).__name__}: {what}") from error
    finally:
        sys.path.remove(folder)
    found = getattr(module, name, None)
    if not isinstance(found, DensityModel | PyroProgram):
        models = [key for key, value in vars(module).items() if isinstance(value, DensityModel | PyroProgram)]
        there = f"it makes {', '.join(models)}" if models else "make one with bk.density(...) or bk.pyro_program(...)"
        what = "nothing" if found is None else f"a {type(found).__name__}"
        raise ConfigError(f"{file} has {what} under the name '{name}', not a model; {there}")
    function = found.function if isinstance(found, DensityModel) else found.program
    own = name if found.name == getattr(function, "__name__", name) else found.name  # a variable says more than lambda
    return replace(found, name=own, reference=reference, sha256=sha256(path.read_bytes()).hexdigest())
