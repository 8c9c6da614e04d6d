"""From the columns of Stan's CSV files to arrays with the shapes of the program's variables."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_STEP = re.compile(r"([.:])([^.:]+)")


def by_variable(columns: Sequence[str], draws: Floats, integers: Collection[str]) -> dict[str, NDArray[Any]]:
    """Gather the columns of each variable into an array.

    Parameters
    ----------
    columns
        Names as in the CSV file's header: ``mu``, ``beta.1``, ``Omega.2.1``, ``t:1``, ``ts.2:1.3``, ``z.real``.
    draws
        ``n_chains x n_draws x n_columns``.
    integers
        Variables that hold integers; where Stan wrote a number for each, the array has integers.

    Returns
    -------
    dict
        Name to ``n_chains x n_draws x ...``. A tuple has one entry a member, ``t.1`` and ``t.2``, and a complex
        variable two, ``z.real`` and ``z.imag``. In an array of tuples the array's dimensions come first, then the
        member's: Stan's ``ts[2].1[3]`` is ``ts.1`` at ``[2, 3]``.

    Examples
    --------
    >>> found = by_variable(["a", "t:1", "t:2.1", "t:2.2"], np.array([[[1.0, 2.0, 3.0, 4.0]]]), ())
    >>> {name: array.shape for name, array in found.items()}
    {'a': (1, 1), 't.1': (1, 1), 't.2': (1, 1, 2)}
    """
    places: dict[str, list[tuple[int, tuple[int, ...]]]] = {}
    for position, column in enumerate(columns):
        if not column.endswith("__"):  # a statistic of Stan's own
            name, index = _place(column)
            places.setdefault(name, []).append((position, index))
    found: dict[str, NDArray[Any]] = {}
    for name, cells in places.items():
        indices = np.array([index for _, index in cells], dtype=np.intp).reshape(len(cells), -1)
        shape = tuple(int(size) for size in indices.max(axis=0) + 1)
        flat = np.ravel_multi_index(tuple(indices.T), shape) if shape else np.zeros(1, dtype=np.intp)
        array = np.empty((*draws.shape[:2], len(cells)))
        array[..., flat] = draws[..., [position for position, _ in cells]]
        if name in integers and np.isfinite(array).all():
            array = array.astype(np.int64)
        found[name] = array.reshape(*draws.shape[:2], *shape)
    return found


def _place(column: str) -> tuple[str, tuple[int, ...]]:
    """Take a column's name apart into the name of its array and its place in it, counted from 0."""
    head = re.split(r"[.:]", column, maxsplit=1)[0]
    names, index = [head], []
    for separator, word in _STEP.findall(column[len(head) :]):
        if separator == "." and word.isdigit():
            index.append(int(word) - 1)
        else:  # a member of a tuple, or a part of a complex number
            names.append(word)
    return ".".join(names), tuple(index)


def sampler_statistics(columns: Sequence[str], draws: Floats, names: Mapping[str, str]) -> dict[str, Floats]:
    """Return those of Stan's statistics that ``names`` translates, ``n_chains x n_draws``."""
    return {
        names[column]: np.ascontiguousarray(draws[..., position])
        for position, column in enumerate(columns)
        if column in names
    }
