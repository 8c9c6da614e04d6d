"""A Stan program's log density over its unconstrained parameters, for the engines that take any density."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Arrays, Density
from bayeskit.core.errors import ConfigError, DataError, InferenceError, ProgramError
from bayeskit.core.types import StanModel
from bayeskit.inference._columns import by_variable
from bayeskit.inference._job import write_json
from bayeskit.inference._words import failure, missing_data
from bayeskit.inference.stan import _check_start, _locate
from bayeskit.toolchain import StanHome, Variables, compile_program, ensure_home, read_variables
from bayeskit.toolchain.evaluator import (
    EvaluationError,
    Evaluator,
    EvaluatorEndedError,
    Setup,
    can_evaluate,
)

Floats = NDArray[np.float64]

_WIDTH = 2.0  # of Stan's own start values, on the unconstrained scale
_CHUNK = 1 << 22  # numbers in one answer
_FATAL = "Unrecoverable error evaluating the log probability at the initial value.\n"  # Stan's words before the reason


class Rejections:
    """How many points were evaluated, and how many of them the program rejected."""

    def __init__(self) -> None:
        self.n_points = self.n_rejected = 0
        self._lock = threading.Lock()

    def add(self, n_points: int, n_rejected: int) -> None:
        """Count some more, from any thread."""
        with self._lock:
            self.n_points += n_points
            self.n_rejected += n_rejected


@dataclass(frozen=True)
class StanDensity(Density):
    """A density, and what ``Draws`` say of the program that it is computed by.

    Parameters
    ----------
    timings
        Seconds spent compiling.
    engine
        Stan's version, and where it comes from.
    declared
        As ``Draws.declared``.
    rejections
        Counted while the density is evaluated: points where the program rejects, breaks a constraint, or gives NaN,
        all of which have the log density -inf.
    """

    timings: Mapping[str, float] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)
    rejections: Rejections = field(default_factory=Rejections)


@contextmanager
def stan_density(
    model: StanModel, *, seed: int, output_dir: Path | None = None, threads: int | None = None, propto: bool = False
) -> Iterator[StanDensity]:
    """Compile a model's Stan program and let a process of it evaluate its density, until the ``with`` block ends.

    Parameters
    ----------
    model
        As for ``fit_stan``: its program, data, outputs and start values.
    seed
        Stan's own, from 0 to 2**32 - 1; matters to programs that draw in their block ``transformed data``.
    output_dir
        For temporary files; the system's folder unless given.
    threads
        How many evaluate the points of one call; one a processor unless given. No number depends on it.
    propto
        Whether to leave out the constant terms of sampling statements (``~``), as Stan's samplers do. What is left out
        is missing from normalising constants, and it takes longer.

    Yields
    ------
    StanDensity
        Over the unconstrained parameters, change of variables included. It has the gradient, starts as Stan does, and
        ``values`` gives the program's quantities by name, with those generated at random; a draw's depend on the seed
        and on its number, not on how many there are.

    Raises
    ------
    ConfigError
        If there is no such program, or it has no parameters.
    DataError
        If the data or the start values do not fit the program's declarations.
    InferenceError
        If the process ends on its own.
    ProgramError
        If the program has an error, or fails while it runs.
    ToolchainError
        If Stan cannot be built or the program does not compile.

    Notes
    -----
    CmdStan evaluates one list of points a process, from files, which would cost more than most densities. Where it is
    the Stan in use, the program is compiled with the toolchain of bayeskit's own instead.
    """
    program, include_paths = _locate(model)
    home = _home()
    variables = read_variables(program, home, include_paths)
    data = model.stan_data()
    absent = missing_data(variables.data, data)
    _check(program, variables, absent)
    _check_start(model, variables)
    executable, seconds = compile_program(program, home, include_paths)
    with tempfile.TemporaryDirectory(prefix="bayeskit-", dir=output_dir) as place:
        given = write_json(Path(place) / "data.json", data) if data else None
        setup = Setup(executable, Path(place), given, seed, threads or _processors(), propto)
        server = _Server(model, variables, setup, absent)
        try:
            yield StanDensity(
                log_density=server.log_density,
                shapes=server.shapes(program),
                gradient=server.gradient,
                start=server.starts,
                transform=server.transform,
                timings={"compile": seconds},
                engine={"stan": home.version, "stan_origin": home.origin},
                declared={name: kind for kind, block in variables.blocks.items() for name in block},
                rejections=server.rejections,
            )
        finally:
            server.evaluator.close()


class _Server:
    """What the density's functions share."""

    def __init__(self, model: StanModel, variables: Variables, setup: Setup, absent: Mapping[str, str]) -> None:
        self._model, self._setup, self._absent = model, setup, absent
        self._integers = {
            name for block in variables.blocks.values() for name, found in block.items() if found.type == "int"
        }
        self.rejections = Rejections()
        self.evaluator = Evaluator(setup)
        with self._telling():
            self._names = self.evaluator.describe()

    def log_density(self, points: Floats) -> Floats:
        found = [np.empty(0)]
        for part in _parts(points, points.shape[1]):
            with self._telling():
                log_densities, rejected = self.evaluator.log_density(part)
            self.rejections.add(len(part), rejected)
            found.append(log_densities)
        return found[1] if len(found) == 2 else np.concatenate(found)

    def gradient(self, points: Floats) -> tuple[Floats, Floats]:
        found, slopes = [np.empty(0)], [np.empty((0, points.shape[1]))]
        for part in _parts(points, 1 + points.shape[1]):
            with self._telling():
                log_densities, gradients, rejected = self.evaluator.gradient(part)
            self.rejections.add(len(part), rejected)
            found.append(log_densities)
            slopes.append(gradients)
        return (found[1], slopes[1]) if len(found) == 2 else (np.concatenate(found), np.concatenate(slopes))

    def transform(self, points: Floats, seed: int) -> Arrays:
        """Return all that the model keeps, ``n_points x ...``."""
        columns, first = self._names.columns, 0
        kept: list[dict[str, NDArray[Any]]] = []
        for part in _parts(points, len(columns)):
            with self._telling():
                rows = self.evaluator.transform(part, len(columns), seed, first)
            found = by_variable(columns, rows[np.newaxis], self._integers)
            names = found if self._model.outputs is None else self._model.outputs
            kept.append({name: found[name][0] for name in names})
            first += len(part)
        return {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}

    def starts(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw ``n`` points as Stan would: the model's own, and what they leave open uniformly on (-2, 2)."""
        points = np.empty((n, len(self._names.coordinates)))
        for row in points:
            given = self._model.stan_inits(rng)
            if isinstance(given, Mapping):
                row[:] = self._start(given, int(rng.integers(2**63)))
            else:
                width = _WIDTH if given is None else float(given)
                row[:] = rng.uniform(-width, width, row.size)
        return points

    def shapes(self, program: Path) -> dict[str, tuple[int, ...]]:
        """Return the parameters' numbers of coordinates; those that are not the parameter itself are named so."""
        coordinates = self._names.coordinates
        if not coordinates:
            raise ConfigError(f"the parameters of {program.name} have no elements, so that there is nothing to sample")
        sizes = {name: len(list(group)) for name, group in groupby(coordinates, _head)}
        scalars, same = set(coordinates), self._unchanged()
        return {
            name if name in same else f"unconstrained {name}": () if name in scalars else (size,)
            for name, size in sizes.items()
        }

    def _unchanged(self) -> set[str]:
        """Return the parameters without constraints, to judge by a point with its like nowhere else."""
        names = self._names
        point = np.random.default_rng(0).uniform(-_WIDTH, _WIDTH, (1, len(names.coordinates)))
        try:
            (row,) = self.evaluator.transform(point, len(names.columns), 0)
        except (EvaluationError, EvaluatorEndedError):  # what fails there is told where it is asked for
            return set()
        before, after = (
            {name: [value for _, value in group] for name, group in groupby(pairs, lambda pair: _head(pair[0]))}
            for pairs in (
                zip(names.coordinates, point[0], strict=True),
                zip(names.parameters, row[: len(names.parameters)], strict=True),
            )
        )
        return {name for name, values in before.items() if after.get(name) == values}

    def _start(self, values: Mapping[str, Any], seed: int) -> Floats:
        with tempfile.NamedTemporaryFile(suffix=".json", dir=self._setup.folder) as file:
            path = write_json(Path(file.name), values)
            with self._telling():
                try:
                    return self.evaluator.start(path, seed)
                except EvaluationError as error:
                    raise _bad_start(str(error)) from None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say in bayeskit's exceptions what went wrong."""
        try:
            yield
        except EvaluationError as error:
            raise failure(f"{_FATAL}{error}") from None
        except EvaluatorEndedError as error:
            if error.status >= 0 and not re.search(r"^(Error|Exception)", error.console, flags=re.MULTILINE):
                raise InferenceError("Stan stopped without a result: its process ended") from None
            raise failure(error.console, error.status, self._absent) from None


def _home() -> StanHome:
    home = ensure_home()
    return home if can_evaluate(home.path) else ensure_home("wheel")


def _check(program: Path, variables: Variables, absent: Mapping[str, str]) -> None:
    """Refuse before anything is compiled what Stan would refuse after it."""
    for name, told in absent.items():
        if variables.data[name].dimensions == 0:
            raise DataError(told)
    if not variables.parameters:
        raise ConfigError(
            f"{program.name} has no parameters, so that there is no density to sample; take engine stan, and its "
            "generated quantities are simulated"
        )


def _bad_start(words: str) -> DataError | ProgramError | InferenceError:
    if "processing stage=" in words:
        return failure(f"Error: {words}")
    plain = re.sub(r"\b\w+_model_namespace::\w+: |^Exception: ", "", words)
    return DataError(f"the start values do not fit the program: {plain.rstrip('.;')}; correct --init")


def _head(coordinate: str) -> str:
    return re.split(r"[.:]", coordinate, maxsplit=1)[0]


def _parts(points: Floats, numbers_each: int) -> Iterator[Floats]:
    """Divide points so that a part's answer is of a size to hold in memory twice; no points are a part, too."""
    step = max(1, _CHUNK // numbers_each)
    return (points[first : first + step] for first in range(0, max(1, len(points)), step))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
