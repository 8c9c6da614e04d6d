"""Data sets by name: which there are, where they lie, and how they get there.

A name stands wherever a file is asked for. What may not ship with bayeskit is fetched on request into the user's cache
folder, from the first source that answers, and checked by SHA-256.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from bayeskit.core.building import build_once
from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.paths import cache_folder, resource
from bayeskit.datasets._problems import nearest, quote
from bayeskit.datasets._sources_archives import sha256_of
from bayeskit.datasets._sources_http import Progress
from bayeskit.datasets._sources_obtaining import RECORD, obtain
from bayeskit.datasets._sources_shipped import SHIPPED
from bayeskit.datasets._sources_table import FETCHED
from bayeskit.datasets._sources_types import DataSet

__all__ = ["SETS", "DataSet", "Progress", "fetch", "folder_of", "is_whole", "likely_name", "located", "named"]

SETS: Mapping[str, DataSet] = MappingProxyType({found.name: found for found in (*SHIPPED, *FETCHED)})
"""All sets, by name."""


def located(path: str | os.PathLike[str]) -> Path:
    """Return where the file is that a path, or the name of a data set, stands for.

    Parameters
    ----------
    path
        A path, which comes back as it is; or, where there is neither file nor folder of that name, the name of a set,
        or of one of its files: ``movielens-100k/items.csv``.

    Returns
    -------
    Path
        Of a set of one file that file, of others the folder.

    Raises
    ------
    DataError
        If the set was not fetched yet, or lacks a file: one line with the command that mends it.
    """
    plain = Path(path)
    data_set = SETS.get(plain.parts[0]) if plain.parts else None
    if data_set is None or plain.parts[1:] not in ((), *((file,) for file in data_set.files)) or os.path.lexists(plain):
        return plain
    if data_set.shipped:
        return _shipped(data_set)
    folder = folder_of(data_set)
    if not folder.is_dir():
        raise DataError(f"data set {quote(data_set.name)} is not on this machine yet; {_to_fetch(data_set)}")
    if not is_whole(data_set):
        raise DataError(f"data set {quote(data_set.name)} is damaged ({folder}); {_to_fetch(data_set)}")
    alone = tuple(data_set.files) if len(data_set.files) == 1 else ()
    return folder.joinpath(*(plain.parts[1:] or alone))


def likely_name(word: str) -> str | None:
    """Return the set that was probably meant by a word that is not its name."""
    close = get_close_matches(word.lower(), SETS, n=1)
    return close[0] if close else None


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


def is_whole(data_set: DataSet, *, thoroughly: bool = False) -> bool:
    """Say whether all files of a set are there, in the sizes that they had when they were made, or with their hashes.

    Parameters
    ----------
    data_set
        Which.
    thoroughly
        Whether to read the files.
    """
    if data_set.shipped:
        return True
    folder = folder_of(data_set)
    try:
        entries = json.loads((folder / RECORD).read_bytes())["files"]
        return entries.keys() == data_set.files.keys() and all(
            (folder / name).stat().st_size == entry["size"]
            and not (thoroughly and sha256_of(folder / name) != (data_set.files[name] or entry["sha256"]))
            for name, entry in entries.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def fetch(
    name: str,
    *,
    accept_terms: bool = False,
    notify: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Get a data set, unless it is here already and whole.

    Parameters
    ----------
    name
        Of the set.
    accept_terms
        Says that you accept its terms, where it has any: ``SETS[name].terms``.
    notify
        Told where it is looked for, and why a source does not serve.
    progress
        Told of the bytes that have come, and of all that will, or None.

    Returns
    -------
    Path
        What ``located`` returns from now on.

    Raises
    ------
    DataError
        If there is no such set, or no source has it.
    ConfigError
        If its terms were not accepted.
    ToolchainError
        If the cache folder cannot be written to.
    """
    data_set = named(name)
    if data_set.shipped:
        return _shipped(data_set)
    folder = folder_of(data_set)
    if is_whole(data_set, thoroughly=True):
        return folder
    if data_set.terms and not accept_terms:
        raise ConfigError(f"data set {quote(name)} has terms that must be accepted first (--yes, accept_terms=True)")
    tell = notify or _silent
    build_once(
        folder,
        lambda partial: obtain(
            data_set, partial, folder.parent, notify=tell, progress=progress or (lambda done, whole: None)
        ),
        ready=lambda: is_whole(data_set, thoroughly=True),
        waiting=lambda: tell(f"{name}: another process is fetching it; waiting"),
    )
    return folder


def _shipped(data_set: DataSet) -> Path:
    """Return the file of a set that is always there; a package that has it is found without importing it."""
    if not data_set.beside:
        return resource("data", *data_set.files)
    package, module, *folders = data_set.beside
    spec = find_spec(module)
    found = Path(spec.origin).parent.joinpath(*folders, *data_set.files) if spec and spec.origin else None
    if found is None or not found.is_file():
        raise DataError(f"data set {quote(data_set.name)} ships with {package}, which lacks it; install that again")
    return found


def _silent(message: str) -> None:
    """Tell nobody."""


def _to_fetch(data_set: DataSet) -> str:
    return f"bayeskit data fetch {data_set.name} gets it"
