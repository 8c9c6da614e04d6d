"""Any Stan program with its data, from two files.

The program says everything: its variables keep their names, and which of them are log likelihoods and replications of
the data follows from Stan's conventions (``log_lik``, ``lprior``, ``y_rep``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.core.language import mark, say
from bayeskit.core.types import Draws, ModelCard, Source
from bayeskit.models._json import read_json
from bayeskit.models._program_card import card, comments
from bayeskit.models._program_groups import LOG_LIKELIHOOD, into_groups

_INCLUDE = re.compile(r"^([ \t]*)#include[ \t]+(?:\"([^\"\n]+)\"|<([^>\n]+)>|(\S+))[ \t]*$", re.MULTILINE)
_NO_DATA = Source(path="", sha256="", description=mark("A program without data"))


@dataclass(frozen=True)
class StanProgram:
    """A Stan program with its data; build it with ``stan_program``.

    Parameters
    ----------
    path
        The program's file, as it was given.
    text
        The program, with what it includes in its places.
    data
        Values of its data block by variable, as JSON has them.
    source
        The file they came from.
    init
        Where sampling starts: values by parameter, the half-width of the interval around 0 on the unconstrained scale,
        or None for Stan's own, 2.
    options
        What ``stan_program`` was called with.
    """

    path: str
    text: str
    data: Mapping[str, Any]
    source: Source
    init: Mapping[str, Any] | float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return Path(self.path).stem

    @property
    def sha256(self) -> str:
        """Hash of the text, includes and all."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def program(self) -> str:
        """Absolute path of the program.

        Raises
        ------
        ProgramError
            If the file says something else by now: the report would show another program than the one that ran.
        """
        file = Path(self.path).expanduser().absolute()
        if _read_program(file, self.path) != self.text:
            raise ProgramError(f"{self.path} was changed since it was read; call bk.stan_program again")
        return str(file)

    def stan_data(self) -> Mapping[str, Any]:
        """Return the program's data block."""
        return self.data

    def stan_inits(self, rng: np.random.Generator) -> Mapping[str, Any] | float | None:
        """Return where a chain starts: where the user said, or None, so that Stan draws it."""
        return self.init

    @property
    def metric(self) -> Literal["diag_e", "dense_e"]:
        """Diagonal, as Stan has it."""
        return "diag_e"

    @property
    def outputs(self) -> None:
        """All of the program's quantities."""
        return

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """None: indices count from 1, as in Stan."""
        return {}

    @property
    def dims(self) -> dict[str, list[str]]:
        """None: dimensions have no names in Stan."""
        return {}

    def groups(self, values: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, NDArray[Any]]]:
        """Sort draws (``n_chains x n_draws x ...``) and data into ArviZ's groups, by Stan's conventions.

        ``log_lik`` is the pointwise log likelihood, ``lprior`` the log prior density, whole or in parts. ``y_rep`` (or
        ``y_pred``, ``y_sim``, ``y_tilde``) is a replication of ``y`` where the data have a ``y`` of its size, and
        nothing else with that ending: with ``x_tilde`` or ``N_tilde`` among the data, ``y_tilde`` is a forecast for
        these. All else is ``posterior``.
        """
        return into_groups(self.data, values)

    def simulated(self, drawn: Mapping[str, NDArray[Any]]) -> tuple[Mapping[str, NDArray[Any]], StanProgram]:
        """Return the truth and the program with simulated data, from one draw of a program that simulates both.

        What the draw holds under names of the data takes their places; Stan leaves alone what is not declared.
        """
        return drawn, replace(self, data={**self.data, **drawn})

    def test_quantities(self, values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return what calibration ranks, ``n_draws`` values by label, of draws given as ``n_draws x ...`` by name.

        Every real cell, its indices counted from 1, and the sum of ``log_lik``.
        """
        found: dict[str, NDArray[Any]] = {}
        for name, value in values.items():
            if value.dtype.kind not in "biuf" or not value.size:
                continue
            if name == LOG_LIKELIHOOD:
                found[name] = value.reshape(value.shape[0], -1).sum(axis=1, dtype=float)
                continue
            for place in np.ndindex(value.shape[1:]):
                label = f"{name}[{','.join(str(index + 1) for index in place)}]" if place else name
                found[label] = value[(slice(None), *place)].astype(float)
        return found

    def card(self, draws: Draws | None = None) -> ModelCard:
        """Return the program's description for the report: what a comment behind a declaration says, it says too.

        Parameters
        ----------
        draws
            What came of it; only they tell how large the program's variables are, and what was made of them.
        """
        return card(self, draws)


def stan_program(
    program: str | Path, data: str | Path | None = None, *, init: str | Path | float | None = None
) -> StanProgram:
    """Read a Stan program and its data.

    Parameters
    ----------
    program
        A Stan file. What it includes is looked for in its folder.
    data
        A JSON file that holds the program's data block, as for CmdStan; None for a program without one.
    init
        Where sampling starts, if not where Stan draws it, between -2 and 2 on the unconstrained scale: the half-width
        of another interval around 0, or a JSON file with values of the parameters.

    Returns
    -------
    StanProgram
        Ready for ``fit``. Nothing is compiled yet.

    Raises
    ------
    ConfigError
        If the program cannot be read, or ``init`` makes no sense.
    DataError
        If a JSON file cannot be read, is malformed (with line and column), or holds what Stan does not take.
    """
    text = _read_program(Path(program).expanduser().absolute(), str(program))
    if data is not None and not isinstance(data, str | Path):
        raise ConfigError("data must be the path of a JSON file, so that the run can be repeated; write them to one")
    values, source = ({}, _NO_DATA) if data is None else read_json(Path(data).expanduser(), str(data))
    meanings = comments(text)
    described = {
        n: say("{what}: {meaning}", what=what, meaning=meanings[n]) if n in meanings else what
        for n, what in source.variables.items()
    }
    return StanProgram(
        path=str(program),
        text=text,
        data=values,
        source=replace(source, variables=described),
        init=_read_init(init),
        options={"init": str(init) if isinstance(init, Path) else init},
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_init(init: str | Path | float | None) -> Mapping[str, Any] | float | None:
    if init is None:
        return None
    if isinstance(init, Path) or (isinstance(init, str) and not _is_number(init)):
        values, _ = read_json(Path(init).expanduser(), str(init), "start values")
        return values
    width = float(init)
    if not 0 <= width < np.inf:
        raise ConfigError(f"init must be a JSON file, or a number from 0 up, got {init}")
    return width


def _read_program(path: Path, shown: str) -> str:
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"cannot read the Stan program {shown}: {error.strerror or error}; check the path") from error
    return _with_includes(text, path.parent, frozenset({path}))


def _with_includes(text: str, folder: Path, above: frozenset[Path]) -> str:
    """Put includes in their places, each named; what cannot be found stays, for the compiler to name."""

    def content(match: re.Match[str]) -> str:
        name = match[2] or match[3] or match[4]
        file = folder / name
        if file in above or not file.is_file():
            return match[0]
        inner = file.read_bytes().decode("utf-8", errors="replace")
        inside = _with_includes(inner, folder, above | {file}).rstrip("\n")
        return f"{match[1]}// from {name}\n{inside}\n{match[1]}// end of {name}"

    return _INCLUDE.sub(content, text)
