"""Stan's data as JSON: read and checked, so that what is wrong is named with its place before anything is compiled.

The format: https://mc-stan.org/docs/cmdstan-guide/json_apdx.html.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import DataError
from bayeskit.core.language import say
from bayeskit.core.types import Source
from bayeskit.core.words import commas, count, listing

_NOT_FINITE = {"NaN", "Inf", "+Inf", "-Inf", "Infinity", "+Infinity", "-Infinity"}
_WRITERS = "write it with cmdstanpy.write_stan_json, or cmdstanr's write_stan_json"
_LISTED = 6
_MOST_DIMENSIONS = 64  # of NumPy's arrays


def read_json(path: Path, shown: str, what: str = "data") -> tuple[dict[str, Any], Source]:
    """Read a JSON file as Stan takes it: an object whose values are numbers, arrays of them, or tuples.

    Parameters
    ----------
    path
        The file.
    shown
        Its name in messages and in the record.
    what
        What it holds, for messages.

    Returns
    -------
    dict, Source
        Values by variable, as JSON has them, and what the report says of the file.

    Raises
    ------
    DataError
        If it cannot be read, is no JSON (with line and column), or holds anything that Stan does not take (with the
        variable and its index).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the {what} {shown}: {error.strerror or error}; check the path") from error
    values = _parse(content, shown)
    shapes = {name: _shape(value, name, (), shown) for name, value in values.items()}
    return values, Source(
        path=shown,
        sha256=hashlib.sha256(content).hexdigest(),
        description=_listing(values, shapes),
        variables={name: _described(values[name], shape) for name, shape in shapes.items()},
    )


def numeric(values: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return as arrays the variables that hold only numbers, and any at all: no tuples, nothing empty."""
    arrays = {}
    for name, value in values.items():
        try:
            array = np.asarray(value)
            array = array if array.dtype.kind in "if" else np.asarray(value, dtype=float)
        except (TypeError, ValueError, OverflowError):
            continue
        if array.size:
            arrays[name] = array
    return arrays


def _parse(content: bytes, shown: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{shown}: '{twice}' is given twice; keep one")
        return found

    try:
        values = json.loads(content.decode("utf-8-sig"), object_pairs_hook=once)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"{shown}: line {line} is not UTF-8; save the file again as UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        what = f"{error.msg[0].lower()}{error.msg[1:]}"
        raise DataError(f"{shown} is no valid JSON: {what} at {where}; correct it there, or {_WRITERS}") from None
    except RecursionError:
        raise DataError(f"{shown}: its brackets are nested too deeply for data; {_WRITERS}") from None
    except ValueError as error:  # a number of thousands of digits
        if isinstance(error, DataError):
            raise
        raise DataError(f"{shown}: {error}; {_WRITERS}") from None
    if not isinstance(values, dict):
        raise DataError(f'{shown} must hold one object, as in {{"N": 3, "y": [1, 2, 3]}}; {_WRITERS}')
    return values


def _shape(value: Any, name: str, place: tuple[int, ...], shown: str) -> tuple[int, ...]:
    """Return the size of a value in each dimension; refuse what Stan does not take."""

    def refuse(what: str) -> DataError:
        at = f"[{','.join(map(str, place))}]" if place else ""
        return DataError(f"{shown}: {name}{at} {what}")

    if isinstance(value, list):
        if all(type(item) in (int, float) for item in value):
            return (len(value),)
        shapes = [_shape(item, name, (*place, number), shown) for number, item in enumerate(value, 1)]
        for number, shape in enumerate(shapes, 1):
            if shape != shapes[0]:
                raise refuse(
                    f"is not rectangular: element 1 has {_size(shapes[0])}, element {number} has {_size(shape)}; "
                    "give all elements one size"
                )
        return (len(value), *shapes[0])
    if isinstance(value, dict):
        if sorted(value) != sorted(str(number) for number in range(1, len(value) + 1)):
            raise refuse('is an object, which is how a tuple is written, but its keys are not "1", "2" and so on')
        index = f"[{','.join(map(str, place))}]" if place else ""
        for member, item in value.items():
            _shape(item, f"{name}{index}.{member}", (), shown)
        return ()
    if isinstance(value, bool):
        raise refuse(f"is {str(value).lower()}, and Stan has no booleans; write 1 for true and 0 for false")
    if value is None:
        raise refuse("is null, and Stan has no missing values; leave it out, or make it a parameter")
    if isinstance(value, str) and value not in _NOT_FINITE:
        raise refuse(f"is the text '{value[:40]}', and Stan takes numbers; code it as integers from 1")
    return ()


def _size(shape: tuple[int, ...]) -> str:
    if not shape:
        return "one number"
    return f"size {' x '.join(map(str, shape))}"


def _listing(values: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> str:
    parts = []
    for name, shape in list(shapes.items())[:_LISTED]:
        value = values[name]
        single = not shape and not isinstance(value, dict)
        parts.append(f"{name} = {value}" if single else name + (f"[{','.join(map(str, shape))}]" if shape else ""))
    more = len(shapes) - len(parts)
    if not parts:
        return say("no variables")
    told = commas(parts)
    return listing([told, count(more, "more variable")]) if more else told


def _described(value: Any, shape: tuple[int, ...]) -> str:
    if isinstance(value, dict):
        return say("tuple of {n}", n=len(value))
    if not shape:
        return f"{value}"
    first: Any = value
    while isinstance(first, list) and first:
        first = first[0]
    size = " x ".join(f"{length:,}" for length in shape)
    if isinstance(first, dict):
        return say("{size} tuples", size=size)
    whole = len(shape) <= _MOST_DIMENSIONS and np.asarray(value).dtype.kind == "i"
    return say("{size} integers", size=size) if whole else say("{size} numbers", size=size)
