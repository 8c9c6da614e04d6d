"""Any Stan program with its data, from two files.

The program says everything: its variables keep their names, and which of them are log likelihoods and replications of
the data follows from Stan's conventions (``log_lik``, ``y_rep``).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.core.types import Draws, ModelCard, Quantity, Source
from bayeskit.core.words import listing
from bayeskit.models._json import numeric, read_json

LOG_LIKELIHOOD = "log_lik"
REPLICATED = ("_rep", "_pred", "_sim", "_tilde")
"""Endings of replications of the data, the likeliest first."""

_TAKEN = ("chain", "draw", "quantile")  # names of dimensions; xarray would drop a variable without a word

_INCLUDE = re.compile(r"^([ \t]*)#include[ \t]+(?:\"([^\"\n]+)\"|<([^>\n]+)>|(\S+))[ \t]*$", re.MULTILINE)
_TYPE = re.compile(
    r"int|real|array|tuple|complex\w*|(row_)?vector|matrix|simplex|unit_vector|(positive_)?ordered|cholesky_factor\w*|"
    r"(cov|corr)_matrix|sum_to_zero\w*|\w+_stochastic_matrix"
)
_ASIDE = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\([^()]*\)")
_AHEAD = ("_new", "_test", "_future")  # data for forecasts, which then are what y_pred holds
_NO_DATA = Source(path="", sha256="", description="A program without data")


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

        ``log_lik`` is the pointwise log likelihood. ``y_rep`` (or ``y_pred``, ``y_sim``, ``y_tilde``) is a replication
        of ``y`` where the data have a ``y`` of its size, and nothing else with that ending: with ``x_tilde`` or
        ``N_tilde`` among the data, ``y_tilde`` is a forecast for these. All else is ``posterior``.
        """
        data = numeric(self.data)
        replicated = _replications(data, {name: value.shape[2:] for name, value in values.items()}, self.data)
        pointwise = values.get(LOG_LIKELIHOOD)
        posterior = {n: v for n, v in values.items() if n != LOG_LIKELIHOOD and n not in replicated.values()}
        if not posterior:  # nothing else to look at
            posterior, replicated, pointwise = dict(values), {}, None
        grouped = {
            "posterior": posterior,
            "posterior_predictive": {name: values[copy] for name, copy in replicated.items()},
            "observed_data": {name: data[name] for name in replicated},
            # Of what the program does not declare, a name that is none, or one of its quantities, has no place there.
            "constant_data": {
                name: value
                for name, value in data.items()
                if name not in replicated and name not in values and re.fullmatch(r"[^\W\d_]\w*", name)
            },
        }
        if pointwise is not None:
            of = [name for name in replicated if data[name].shape == pointwise.shape[2:]]
            grouped["log_likelihood"] = {of[0] if len(of) == 1 else LOG_LIKELIHOOD: pointwise}
        return {
            group: {_free(name, variables): value for name, value in variables.items()}
            for group, variables in grouped.items()
            if variables
        }

    def card(self, draws: Draws | None = None) -> ModelCard:
        """Return the program's description for the report: what a comment behind a declaration says, it says too.

        Parameters
        ----------
        draws
            What came of it; only they tell how large the program's variables are, and what was made of them.
        """
        names = list(draws.values) if draws else []
        meanings = _comments(self.text)
        found = {name: meanings[base] for name in names if (base := name.partition(".")[0]) in meanings}
        return ModelCard(
            name=self.name,
            title=self.name,
            summary=f"The Stan program {Path(self.path).name}.",
            formulas=(),
            program=self.text,
            language="stan",
            quantities=tuple(Quantity(name, meaning=meaning) for name, meaning in found.items()),
            priors=(),
            notes=self._notes(draws) if draws else (),
        )

    def _notes(self, draws: Draws) -> tuple[str, ...]:
        notes = []
        grouped = self.groups(draws.values)
        for name, replication in grouped.get("posterior_predictive", {}).items():
            copy = next(other for other, value in draws.values.items() if value is replication)
            notes.append(f"{copy} is taken for replications of {name}.")
        for value in grouped.get("log_likelihood", {}).values():
            copy = next(other for other, found in draws.values.items() if found is value)
            notes.append(f"{copy} is taken for the log likelihood of each observation.")
        notes += [
            f"{name} stands as {_free(name, draws.values)}: the word is taken for a dimension."
            for name in _TAKEN
            if name in draws.values
        ]
        present = {name.partition(".")[0] for name in draws.values}
        if empty := [name for name in draws.declared if name not in present]:
            have = "has" if len(empty) == 1 else "have"
            notes.append(f"{listing(empty)} {have} no elements with these data, and nothing to show.")
        if any(name.endswith((".real", ".imag")) or re.search(r"\.\d+$", name) for name in draws.values):
            notes.append(
                "A tuple t stands as its members t.1, t.2 and so on, a complex number z as z.real and z.imag; in an "
                "array of tuples Stan's ts[2].1[3] stands as ts.1[2,3]."
            )
        if draws.kind == "mcmc" and isinstance(self.init, Mapping):
            notes.append(
                "All chains start from the values given with --init, as far as these go, so that R-hat sees less than "
                "from scattered starts."
            )
        if draws.kind == "iid":
            notes.append(
                "There are no parameters to sample: each draw runs the generated quantities anew with fresh random "
                "numbers, so that the draws are independent, and there is no warm-up."
            )
        return tuple(notes)


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
    meanings = _comments(text)
    described = {n: f"{what}: {meanings[n]}" if n in meanings else what for n, what in source.variables.items()}
    return StanProgram(
        path=str(program),
        text=text,
        data=values,
        source=replace(source, variables=described),
        init=_read_init(init),
        options={"init": str(init) if isinstance(init, Path) else init},
    )


def _free(name: str, names: Container[str]) -> str:
    """Return a name that no dimension has, and none of the others."""
    if name not in _TAKEN:
        return name
    name += "_"
    while name in names:
        name += "_"
    return name


def _replications(
    data: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]], given: Iterable[str]
) -> dict[str, str]:
    """Return the variables of the data that are replicated, each with its replication."""
    forecasts = any(name.endswith(_AHEAD) for name in given)
    endings = [
        ending
        for ending in REPLICATED
        if not any(name.endswith(ending) for name in given) and (ending == REPLICATED[0] or not forecasts)
    ]
    found: dict[str, str] = {}
    for ending in endings:
        for name, value in data.items():
            if name not in found and value.size > 1 and shapes.get(name + ending) == value.shape:
                found[name] = name + ending
    return found


def _comments(text: str) -> dict[str, str]:
    """Return what comments say on the same line behind declarations of one variable, by its name."""
    found = {}
    for line in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).splitlines():
        code, _, comment = line.partition("//")
        meaning = comment.strip("/ \t")
        if not meaning or not code.rstrip().endswith(";"):
            continue
        *types, name = _ASIDE.sub(" ", code).partition("=")[0].rstrip(" \t;").split() or [""]
        if types and name.isidentifier() and all(_TYPE.fullmatch(word) for word in types):
            found[name] = meaning
    return found


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
