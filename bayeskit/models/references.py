"""Models by name: a shipped target, or what a Python file makes or holds, by ``FILE.py:NAME``."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.datasets.columns import load_columns
from bayeskit.models.bmf import BMF
from bayeskit.models.density import DensityModel
from bayeskit.models.gmm import GMM
from bayeskit.models.pyro_program import PyroProgram, arguments_of
from bayeskit.models.sbm import SBM
from bayeskit.models.targets import TARGETS, Target

AnyModel = DensityModel | PyroProgram | GMM | SBM | BMF
_MODELS = (DensityModel, PyroProgram, GMM, SBM, BMF)


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


def load_model(reference: str) -> AnyModel:
    """Run a Python file and return the model of this name: what ``density``, ``pyro_program``, ``gmm`` or ``sbm`` made.

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
    return _loaded(reference, _file_of(reference).stat().st_mtime_ns)


def load_program(reference: str, data: str | Path | None = None) -> PyroProgram:
    """Run a Python file and return its Pyro program, called with the columns of a table.

    Parameters
    ----------
    reference
        ``FILE.py:PROGRAM``, of a function with ``pyro.sample`` statements, or of what ``pyro_program`` returned.
    data
        CSV or Parquet. Each argument of the program gets the column of its name, a tensor of doubles, ``n_rows``, NaN
        where a cell is empty; one named ``data`` gets all columns, a dictionary of such tensors.
        Arguments with a default need no column. A column of texts is given as whole numbers, 0 for the first of its
        texts in their order.

    Raises
    ------
    ConfigError
        If there is no such file or name, or what it names is no program, or data are given to one that has them.
    DataError
        If the data cannot be read, or have no column for an argument.
    ProgramError
        If the file cannot be run.
    """
    path = _file_of(reference)
    name = reference.rpartition(":")[2]
    module = _module(str(path), path.stat().st_mtime_ns)
    found = getattr(module, name, None)
    digest = sha256(path.read_bytes()).hexdigest()
    if isinstance(found, PyroProgram):
        if data is not None:
            raise ConfigError(f"{reference} has its arguments already; leave {data} out, or name the function itself")
        return replace(found, name=name, reference=reference, sha256=digest)
    if isinstance(found, DensityModel) or not callable(found):
        functions = _own_functions(module)
        there = f"it has {', '.join(functions)}" if functions else "define a function with pyro.sample statements"
        what = "nothing" if found is None else f"a {type(found).__name__}"
        raise ConfigError(f"{path} has {what} under the name '{name}', not a Pyro program; {there}")
    if data is None:
        return PyroProgram(name, found, reference=reference, sha256=digest)
    table = load_columns(data)
    kwargs = arguments_of(found, table)
    return PyroProgram(name, found, (), kwargs, reference, digest, table.source)


def _own_functions(module: ModuleType) -> list[str]:
    own = {name: value for name, value in vars(module).items() if inspect.isfunction(value)}
    return [name for name, value in own.items() if value.__module__ == module.__name__]


def _file_of(reference: str) -> Path:
    file, _, name = reference.rpartition(":")
    path = Path(file).expanduser()
    if not file and Path(name).expanduser().is_file():
        raise ConfigError(f"{name} is a file, of which one thing is meant; give FILE.py:NAME, e.g. {name}:my_model")
    if not file or not path.is_file():
        raise ConfigError(f"there is no file {file or name}; give FILE.py:NAME")
    return path


@cache
def _module(file: str, changed: int) -> ModuleType:
    """Run the file once for each time that it was changed: it may read data, or print."""
    path = Path(file)
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
    return module


@cache
def _loaded(reference: str, changed: int) -> AnyModel:
    path = _file_of(reference)
    name = reference.rpartition(":")[2]
    module = _module(str(path), changed)
    found = getattr(module, name, None)
    if not isinstance(found, _MODELS):
        models = [key for key, value in vars(module).items() if isinstance(value, _MODELS)]
        there = f"it makes {', '.join(models)}" if models else "make one with bk.density(...) or bk.pyro_program(...)"
        what = "nothing" if found is None else f"a {type(found).__name__}"
        raise ConfigError(f"{path} has {what} under the name '{name}', not a model; {there}")
    digest = sha256(path.read_bytes()).hexdigest()
    if isinstance(found, GMM | SBM | BMF):
        return replace(found, reference=reference, sha256=digest)
    function = found.function if isinstance(found, DensityModel) else found.program
    own = name if found.name == getattr(function, "__name__", name) else found.name  # a variable says more than lambda
    return replace(found, name=own, reference=reference, sha256=digest)
