"""How a loader says what is wrong: one line that names file, column, value, row and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bayeskit.core.errors import DataError
from bayeskit.core.language import say
from bayeskit.core.words import listing

_SHOWN = 3
_WIDTH = 40

Cell = tuple[object, object]
"""A row (its number, or the name of a day) and the value found there."""


@dataclass(frozen=True)
class Place:
    """Where the data come from, as messages name it.

    Parameters
    ----------
    name
        The file as the user gave it, or a word for data that were built in code.
    preposition, unit
        What the place of a value is called: ``in row 3`` of a file, ``on day 2012-01-03`` of an array.
    """

    name: str
    preposition: str = "in"
    unit: str = "row"

    def error(self, problem: str, remedy: str, *, column: str | None = None, cells: Sequence[Cell] = ()) -> DataError:
        """Return (not raise) the error; of many ``cells`` the first three are shown and the others counted."""
        where = one_line(self.name) + (f", column {quote(column)}" if column is not None else "")
        what = f"{self._cells(cells)}: {problem}" if cells else problem
        return DataError(f"{where}: {what}; {remedy}")

    def _cells(self, cells: Sequence[Cell]) -> str:
        shown = [f"{quote(value)} {self.preposition} {self.unit} {row}" for row, value in cells[:_SHOWN]]
        return joined([*shown, *self._rest(len(cells))])

    def _rest(self, n_cells: int) -> list[str]:
        n_more = n_cells - _SHOWN
        return [f"{self.preposition} {counted(n_more, f'more {self.unit}')}"] if n_more > 0 else []


def quote(value: object) -> str:
    """Show a value on one line: text in quotes and cut short, a number with at most ten digits."""
    if isinstance(value, str):
        return repr(value if len(value) <= _WIDTH else value[: _WIDTH - 1] + "…")
    return format(value, ".10g") if isinstance(value, float) else one_line(str(value))


def one_line(text: str) -> str:
    """Replace what would break a line or drive a terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", text)


def joined(items: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def listed(items: Iterable[object]) -> str:
    """Return the first three items and the number of the others: ``a, b, c and 4 more``."""
    texts = [str(item) for item in items]
    n_more = len(texts) - _SHOWN
    return listing([*texts[:_SHOWN], *([say("{n} more", n=f"{n_more:,}")] if n_more > 0 else [])])


def counted(number: int, noun: str) -> str:
    """Return ``1 day``, ``2 days``, ``1,461 days``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that was most probably meant, if one is near."""
    by_lower = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[found[0]] if found else None
