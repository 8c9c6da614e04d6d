"""Read the CSV files of CmdStan's programs: settings from the comments, columns' names, and draws after warmup.

A file is mapped into memory: `scan` finds its comments, and `StanCsv.draws` parses the columns asked for, row by row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayeskit.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SETTING = re.compile(r"#\s*(\w+) = ?(.*?)(?: \(Default\))?\s*$")
_SECONDS = re.compile(r"([\d.e+-]+) seconds \((Warm-up|Sampling)\)")
_COLUMN = re.compile(r"[A-Za-z]\w*(?:[.:]\w+)*")
_ADAPTED = "# Adaptation terminated"


@dataclass(frozen=True)
class StanCsv:
    """One file, its rows not yet parsed.

    Parameters
    ----------
    path
        As it was given.
    names
        The columns, as in a Stan program: ``theta[1,2]`` for ``theta.1.2``.
    settings
        What the comments above the header say; the first of equal names.
    warmup_seconds, sampling_seconds
        Elapsed times from the comments below the draws; 0 where there are none.
    """

    path: Path
    names: tuple[str, ...]
    settings: Mapping[str, str]
    warmup_seconds: float
    sampling_seconds: float
    _text: mmap
    _runs: tuple[tuple[int, int], ...]
    _leading: int

    def number(self, *settings: str, default: int = 0) -> int:
        """Return the first of these settings that is there and is an integer."""
        found = (self.settings.get(name, "") for name in settings)
        return next((int(value) for value in found if re.fullmatch(r"\d+", value)), default)

    def draws(self, columns: Sequence[int]) -> NDArray[np.float64]:
        """Parse the draws after warmup, as ``n_columns x n_draws``.

        Raises
        ------
        DataError
            If a row has too many or too few cells, or a cell is no number; the message says where.
        """
        rows = _Rows(self)
        first = next(rows, None)
        if first is None or not columns:
            return np.empty((len(columns), 0))
        try:
            parsed = np.loadtxt(chain([first], rows), delimiter=",", comments=None, usecols=columns, ndmin=2)
        except DataError:
            raise
        except ValueError as error:
            raise rows.fault() from error
        return np.ascontiguousarray(parsed.T)


class _Rows(Iterator[str]):
    """The rows of draws, one at a time; it remembers where it is."""

    def __init__(self, file: StanCsv) -> None:
        self._file = file
        self._left = list(file._runs)
        self._skip = file._leading
        self._position, self._end = 0, 0
        self._line = 0
        self._row = ""

    def __next__(self) -> str:
        text = self._file._text
        while True:
            if self._position >= self._end:
                if not self._left:
                    raise StopIteration
                self._position, self._end = self._left.pop(0)
                self._line = text[: self._position].count(b"\n")
            end = _end_of_line(text, self._position)
            self._row = text[self._position : end].decode("latin-1").strip()
            self._position = end
            self._line += 1
            if not self._row:
                continue
            if self._skip:
                self._skip -= 1
                continue
            found, expected = self._row.count(",") + 1, len(self._file.names)
            if found != expected:
                raise DataError(
                    f"{self._file.path}, line {self._line}: expected {expected} columns, found {found}; "
                    "was the run interrupted?"
                )
            return self._row

    def fault(self) -> DataError:
        """Say what is wrong with the row that was taken last."""
        for name, cell in zip(self._file.names, self._row.split(","), strict=True):
            if not _is_number(cell):
                return DataError(
                    f"{self._file.path}, line {self._line}, column {name}: {cell.strip()!r} is not a number"
                )
        return DataError(f"{self._file.path}, line {self._line} cannot be read as numbers")


@dataclass(frozen=True)
class Chains:
    """The same columns of several files.

    Parameters
    ----------
    files
        One a chain.
    names
        The columns that were read.
    draws
        ``n_columns x n_chains x n_draws``.
    """

    files: tuple[StanCsv, ...]
    names: tuple[str, ...]
    draws: NDArray[np.float64]


def is_sampler_column(name: str) -> bool:
    """Whether a column is of the sampler rather than of the program, as ``lp__`` is."""
    return name.endswith("__")


def read_chains(files: Sequence[StanCsv], columns: Sequence[int]) -> Chains:
    """Parse these columns of all files into one array, file by file.

    Raises
    ------
    DataError
        If the files are no chains of one model, of equal length, or hold no draws.
    """
    first = files[0]
    for file in files[1:]:
        _require_same_columns(file, first)
    names = tuple(first.names[column] for column in columns)
    draws = np.empty((0, 0, 0))
    for place, file in enumerate(files):
        parsed = file.draws(columns)
        if parsed.shape[1] == 0:
            raise DataError(f"{file.path} holds no draws after warmup")
        if place == 0:
            draws = np.empty((len(names), len(files), parsed.shape[1]))
        elif parsed.shape[1] != draws.shape[2]:
            raise DataError(
                f"{file.path} has {parsed.shape[1]} draws, but {first.path} has {draws.shape[2]}; "
                "chains must be of equal length"
            )
        draws[:, place] = parsed
    return Chains(tuple(files), names, draws)


def scan(path: Path) -> StanCsv:
    """Read everything but the draws.

    Raises
    ------
    DataError
        If there is no such file, or it is no Stan CSV file.
    """
    text = _mapped(path)
    header: str | None = None
    comments: list[str] = []
    rows: list[tuple[int, int, bool]] = []
    adapted = False
    seconds = {"Warm-up": 0.0, "Sampling": 0.0}
    position = 0
    while position < len(text):
        if header is None or text[position] == ord("#"):
            end = _end_of_line(text, position)
            line = text[position:end].decode(errors="replace").strip()
            if line.startswith("#"):
                adapted = adapted or line == _ADAPTED
                for number, phase in _SECONDS.findall(line):
                    seconds[phase] += float(number)
                if header is None:
                    comments.append(line)
            elif line:
                header = line
        else:
            comment = text.find(b"\n#", position)
            end = len(text) if comment < 0 else comment + 1
            rows.append((position, end, adapted))
        position = end
    settings = {found[1]: found[2] for line in reversed(comments) if (found := _SETTING.match(line))}
    runs, leading = _after_warmup(rows, adapted, settings)
    return StanCsv(path, _names(header, path), settings, seconds["Warm-up"], seconds["Sampling"], text, runs, leading)


def _mapped(path: Path) -> mmap:
    try:
        with path.open("rb") as file:
            return mmap(file.fileno(), 0, access=ACCESS_READ)
    except ValueError:
        raise DataError(f"{path} is empty") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def _end_of_line(text: mmap, position: int) -> int:
    found = text.find(b"\n", position)
    return len(text) if found < 0 else found + 1


def _names(header: str | None, path: Path) -> tuple[str, ...]:
    names = [name.strip() for name in (header or "").split(",")]
    if not all(_COLUMN.fullmatch(name) for name in names):
        raise DataError(f"{path} is no Stan CSV file: it has no row of column names")
    return tuple(readable(name) for name in names)


def readable(name: str) -> str:
    """Return a column's name as a Stan program has it.

    >>> readable("a.1:2.3")
    'a[1].2[3]'
    """
    parts = [part.split(".") for part in name.split(":")]
    return ".".join(f"{part[0]}[{','.join(part[1:])}]" if part[1:] else part[0] for part in parts)


def _after_warmup(
    rows: Sequence[tuple[int, int, bool]], adapted: bool, settings: Mapping[str, str]
) -> tuple[tuple[tuple[int, int], ...], int]:
    """Say where the draws lie, and how many rows to drop from their beginning."""
    saved = settings.get("save_warmup") in {"1", "true"}
    runs = tuple((start, end) for start, end, after in rows if after or not (saved and adapted))
    if settings.get("method") == "variational":
        return runs, 1  # the first row is the approximation's mean
    if saved and not adapted:  # Stan writes no mark where it did not adapt
        warmup, thin = (int(settings.get(name, default)) for name, default in (("num_warmup", "0"), ("thin", "1")))
        return runs, math.ceil(warmup / max(thin, 1))
    return runs, 0


def _require_same_columns(file: StanCsv, first: StanCsv) -> None:
    if len(file.names) != len(first.names):
        raise DataError(
            f"{file.path} has {len(file.names)} columns, but {first.path} has {len(first.names)}; "
            "all files must be chains of one model"
        )
    for number, (found, expected) in enumerate(zip(file.names, first.names, strict=True), start=1):
        if found != expected:
            raise DataError(
                f"column {number} of {file.path} is {found}, but {expected} in {first.path}; "
                "all files must be chains of one model"
            )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
