"""Any Pyro program with its arguments as a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from numpy.typing import NDArray

from bayeskit.core.density import Arrays
from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.language import say
from bayeskit.core.types import Draws, ModelCard, Source
from bayeskit.core.words import listing
from bayeskit.datasets.columns import Columns
from bayeskit.models.density import NO_DATA

ALL = "data"  # the argument that gets every column


@dataclass(frozen=True)
class PyroProgram:
    """A Pyro program with its arguments; build it with ``pyro_program``.

    Parameters
    ----------
    name
        What the report calls it.
    program
        The function with ``pyro.sample`` statements.
    args, kwargs
        What it is called with: its data, mostly.
    reference
        ``FILE.py:NAME`` where it was read from; empty for one made in a script.
    sha256
        Hash of that file.
    source
        The file that its arguments are the columns of, if any.
    """

    name: str
    program: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""
    sha256: str = ""
    source: Source = NO_DATA

    def pyro_program(self) -> tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]:
        """Return the function and what it is called with."""
        return self.program, self.args, self.kwargs

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """None: indices count from 1."""
        return {}

    @property
    def dims(self) -> dict[str, list[str]]:
        """None: dimensions have no names."""
        return {}

    def groups(self, values: Arrays) -> dict[str, Arrays]:
        """All draws are the posterior's."""
        return {"posterior": values}

    def card(self, draws: Draws | None = None) -> ModelCard:
        """Return the description for the report: the function's own documentation and text."""
        told = inspect.getdoc(self.program)
        try:
            text = inspect.getsource(self.program)
        except (OSError, TypeError):  # typed in by hand
            text = ""
        return ModelCard(
            name=self.name,
            title=self.name,
            summary=told.splitlines()[0] if told else say("The Pyro program {name}.", name=self.name),
            formulas=(),
            program=text,
            language="python",
            quantities=(),
            priors=(),
            log_likelihood="independent" if self.source.sha256 else "",
        )


def pyro_program(program: Callable[..., Any], *args: Any, name: str | None = None, **kwargs: Any) -> PyroProgram:
    """Make a model of a Pyro program and what it is called with, for ``fit``.

    Parameters
    ----------
    program
        A function with ``pyro.sample`` statements, continuous ones where not observed.
    args, kwargs
        What it is called with.
    name
        What the report calls it; the function's own name unless given.

    Raises
    ------
    ConfigError
        If it is no function.
    """
    if not callable(program):
        raise ConfigError(f"a Pyro program must be a function, got {type(program).__name__}")
    return PyroProgram(name or str(getattr(program, "__name__", "program")), program, args, kwargs)


def arguments_of(program: Callable[..., Any], table: Columns) -> dict[str, Any]:
    """Return what a program is called with: the columns that its arguments name, as tensors.

    Raises
    ------
    ConfigError
        If it takes arguments by position only, or any number of them.
    DataError
        If an argument without a default is no column of the table.
    """
    import torch

    tensors = {name: torch.as_tensor(values) for name, values in table.values.items()}
    name_of = getattr(program, "__name__", "the program")
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(program).parameters.items():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(f"{name_of} takes {parameter}; name its arguments, each after a column of the data")
        if name in table.mistaken or (name == ALL and table.mistaken):
            raise table.mistaken.get(name) or next(iter(table.mistaken.values()))
        if name in tensors:
            found[name] = tensors[name]
        elif name == ALL:
            found[name] = tensors
        elif parameter.default is parameter.empty:
            near = get_close_matches(name, tensors, 1)
            remedy = f"did you mean '{near[0]}'?" if near else f"it has {listing(list(tensors)[:12])}"
            raise DataError(
                f"{table.source.path}: {name_of} takes an argument '{name}', and there is no such column; {remedy}"
            )
    if not found:
        raise ConfigError(f"{name_of} takes none of the columns of {table.source.path}; leave the file out")
    return found
