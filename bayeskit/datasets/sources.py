"""Data sets by name: which there are, where they lie, and how they get there.

A name stands wherever a file is asked for. What may not ship with bayeskit is fetched on request into the user's cache
folder, from the first source that answers, and checked by SHA-256.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bayeskit.core.errors import DataError
from bayeskit.core.paths import cache_folder, resource
from bayeskit.datasets._problems import nearest, quote
from bayeskit.datasets._sources_shipped import SHIPPED
from bayeskit.datasets._sources_table import FETCHED
from bayeskit.datasets._sources_types import DataSet

SETS: Mapping[str, DataSet] = MappingProxyType({found.name: found for found in (*SHIPPED, *FETCHED)})
"""All sets, by name."""

_RECORD = "record.json"
"""Beside a set's files: sizes and hashes, and what they were made of."""


def located(path: str | os.PathLike[str]) -> Path:
    """Return where the file is that a path, or the name of a data set, stands for.

    Parameters
    ----------
    path
        A path, which comes back as it is; or, where there is neither file nor folder of that name, the name of a set.

    Returns
    -------
    Path
        Of a set that ships with bayeskit the file, of one that was fetched the folder of its files.

    Raises
    ------
    DataError
        If the set was not fetched yet, or lacks a file: one line with the command that mends it.
    """
    plain = Path(path)
    data_set = SETS.get(os.fspath(path))
    if data_set is None or os.path.lexists(plain):
        return plain
    if data_set.shipped:
        return resource("data", *data_set.files)
    folder = folder_of(data_set)
    if not folder.is_dir():
        raise DataError(f"data set {quote(data_set.name)} is not on this machine yet; {_to_fetch(data_set)}")
    if not is_whole(data_set):
        raise DataError(f"data set {quote(data_set.name)} is damaged ({folder}); {_to_fetch(data_set)}")
    return folder


def named(name: str) -> DataSet:
    """Return the set of a name.

    Raises
    ------
    DataError
        If there is none; the nearest is suggested.
    """
    if name in SETS:
        return SETS[name]
    meant = nearest(name, SETS)
    remedy = f"did you mean {quote(meant)}?" if meant else "bayeskit data list shows which there are"
    raise DataError(f"there is no data set {quote(name)}; {remedy}")


def folder_of(data_set: DataSet) -> Path:
    """Return the folder in the cache where a fetched set lies, or would."""
    return cache_folder() / "data" / data_set.name


def is_whole(data_set: DataSet) -> bool:
    """Say whether all files of a set are there, in the sizes that they had when they were made."""
    if data_set.shipped:
        return True
    folder = folder_of(data_set)
    try:
        sizes = {name: entry["size"] for name, entry in json.loads((folder / _RECORD).read_bytes())["files"].items()}
        return sizes.keys() == data_set.files.keys() and all(
            (folder / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _to_fetch(data_set: DataSet) -> str:
    return f"bayeskit data fetch {data_set.name} gets it"
