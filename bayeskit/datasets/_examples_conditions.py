"""What rows are given beside what is learned of them: numbers, or classes; and the groups that only colour them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import commas, significant
from bayeskit.datasets._cells import MISSING, parse_number
from bayeskit.datasets._problems import Place, counted, listed, quote

Floats = NDArray[np.float64]
Cells = NDArray[Any] | Sequence[str]

KINDS = ("class", "number")
UNKNOWN = "unknown"
"""The label of a row that has none."""
LARGEST = 1e30
"""Beyond it squares are more than single precision holds."""
_MOST_CODES = 20
_MOST_LABELS = 100
_SHOWN = 10


@dataclass(frozen=True)
class Condition:
    """What each row is given: a temperature, say, or the class that it is of.

    Parameters
    ----------
    name
        As the data call it.
    values
        ``n_rows`` numbers in their own unit; or, of a class, the position of each row's in ``classes``.
    classes
        In order; empty of a number.
    """

    name: str
    values: NDArray[Any]
    classes: tuple[str, ...]

    @property
    def is_class(self) -> bool:
        """Whether it is one of a few classes."""
        return bool(self.classes)


def parted(name: str, header: Sequence[str], place: Place) -> tuple[str, str | None]:
    """Return a condition's name, and how it is to be taken where that is written behind it: ``grade:class``."""
    before, colon, kind = name.rpartition(":")
    if not colon or name in header:
        return name, None
    if kind.strip() not in KINDS:
        raise place.error(f"condition {quote(name)}", f"write {before}:class or {before}:number")
    return before, kind.strip()


def condition_of(name: str, cells: Cells, rows: NDArray[Any], place: Place, kind: str | None = None) -> Condition:
    """Make a condition of a column's cells.

    Parameters
    ----------
    name
        Of the column.
    cells
        ``n_rows`` numbers or texts.
    rows
        ``n_rows``, what messages call each row.
    place
        Of the column.
    kind
        ``class`` or ``number``. Unless given, texts are classes, and so are numbers that look like codes: whole, from 0
        or 1 on without a gap, at most 20, and at most half as many as there are rows. Other numbers are numbers.

    Raises
    ------
    DataError
        If cells are missing or mistaken, all are the same, or a class has a single row.
    """
    numbers = _numbers(name, cells, rows, place, kind)
    if numbers is not None and kind != "class" and (kind == "number" or not are_codes(numbers)):
        _check_numbers(name, numbers, rows, place)
        return Condition(name, numbers, ())
    if numbers is not None:
        _refuse_missing(name, np.isnan(numbers), rows, place)
        levels, codes = np.unique(numbers, return_inverse=True)
        classes = tuple(format(level, ".10g") for level in levels)
    else:
        texts = np.asarray(cells, dtype=str)
        _refuse_missing(name, _missing(texts), rows, place)
        found, codes = np.unique(texts, return_inverse=True)
        classes = tuple(str(level) for level in found)
    _check_classes(name, codes, classes, rows, place, counts=numbers is not None)
    return Condition(name, codes.astype(np.int64), classes)


def are_codes(numbers: Floats) -> bool:
    """Whether numbers look like codes of classes: whole, from 0 or 1 on without a gap, few, and mostly repeated."""
    found = np.unique(numbers)
    few = 1 < len(found) <= min(_MOST_CODES, len(numbers) // 2)
    return bool(few and found[0] in (0, 1) and (np.diff(found) == 1).all())


def labels_of(name: str, cells: Cells, place: Place) -> NDArray[np.str_]:
    """Return the group of each row, ``unknown`` where the cell is empty.

    Raises
    ------
    DataError
        If there are too many for groups.
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "f":
        texts = np.array([UNKNOWN if np.isnan(value) else format(value, ".10g") for value in cells], dtype=str)
    else:
        texts = np.asarray(cells, dtype=str)
        texts = np.where(_missing(texts), UNKNOWN, texts)
    n_groups = len(np.unique(texts))
    if n_groups > _MOST_LABELS:
        problem = f"{n_groups:,} different labels in {counted(len(texts), 'row')}"
        raise place.error(problem, f"labels name at most {_MOST_LABELS} groups; choose another column", column=name)
    return texts


def missing_in(rows: NDArray[Any]) -> str:
    """Say how many values are missing, and where."""
    what = "row" if len(rows) == 1 else "rows"
    return f"{counted(len(rows), 'missing value')} ({what} {listed(rows)})"


def told_of(condition: Condition, *, guessed: bool) -> str:
    """Say how a condition is taken, and how to have it otherwise where that was guessed from its numbers."""
    name = condition.name
    if not condition.is_class:
        low, high = (significant(float(value)) for value in (condition.values.min(), condition.values.max()))
        return say("{name} is given as a number, from {low} to {high}.", name=name, low=low, high=high)
    rest = len(condition.classes) - _SHOWN
    shown = [*condition.classes[:_SHOWN], *([say("{n} more", n=f"{rest:,}")] if rest > 0 else [])]
    if guessed:
        return say(
            "{name} is given as a class, as its numbers look like codes: {classes}. Write {name}:number to take it as "
            "a number.",
            name=name,
            classes=commas(shown),
        )
    return say("{name} is given as a class: {classes}.", name=name, classes=commas(shown))


def _numbers(name: str, cells: Cells, rows: NDArray[Any], place: Place, kind: str | None) -> Floats | None:
    """Return a column's numbers, NaN where missing; None of texts."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "fiu":
        return cells.astype(np.float64)
    texts, places = np.unique(np.asarray(cells, dtype=str), return_inverse=True)
    parsed = [parse_number(str(text)) for text in texts]
    mistaken = np.array([number is None for number in parsed], dtype=bool)[places]
    if not mistaken.any():
        return np.array(parsed, dtype=np.float64)[places]
    if kind == "number" or (kind is None and 2 * mistaken.sum() < len(mistaken)):
        wrong = [(rows[at], str(texts[places[at]])) for at in np.flatnonzero(mistaken)]
        remedy = f"correct it, or take the column as a class ({name}:class)"
        raise place.error("not a number, as most of the column are", remedy, column=name, cells=wrong)
    return None


def _missing(texts: NDArray[np.str_]) -> NDArray[np.bool_]:
    found, places = np.unique(texts, return_inverse=True)
    return np.array([text.lower() in MISSING for text in found], dtype=bool)[places]


def _refuse_missing(name: str, missing: NDArray[np.bool_], rows: NDArray[Any], place: Place) -> None:
    if missing.any():
        raise place.error(f"a condition with {missing_in(rows[missing])}", "fill or drop", column=name)


def _check_numbers(name: str, numbers: Floats, rows: NDArray[Any], place: Place) -> None:
    _refuse_missing(name, np.isnan(numbers), rows, place)
    large = np.flatnonzero(np.abs(numbers) > LARGEST)
    if large.size:
        cells = [(rows[at], float(numbers[at])) for at in large]
        raise place.error(f"beyond {LARGEST:g}", "correct the value", column=name, cells=cells)
    if numbers.size and numbers.min() == numbers.max():
        _refuse_constant(name, float(numbers[0]), len(numbers), place)


def _check_classes(
    name: str, codes: NDArray[Any], classes: Sequence[str], rows: NDArray[Any], place: Place, *, counts: bool
) -> None:
    if len(classes) == 1:
        _refuse_constant(name, classes[0], len(codes), place)
    sizes = np.bincount(codes, minlength=len(classes))
    alone = np.flatnonzero(sizes == 1)
    if alone.size:
        found = listed(f"{quote(classes[int(code)])} (row {rows[codes == code][0]})" for code in alone)
        remedy = f", or take the column as a number ({name}:number)" if counts else ""
        raise place.error(f"classes of a single row: {found}", f"drop or join them{remedy}", column=name)


def _refuse_constant(name: str, value: object, n_rows: int, place: Place) -> None:
    problem = f"all {counted(n_rows, 'row')} have {quote(value)}"
    raise place.error(problem, "a condition that is constant tells nothing; leave it out (--condition)", column=name)
