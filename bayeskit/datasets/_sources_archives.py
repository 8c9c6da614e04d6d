"""Members of an archive, read by their exact names: nothing is unpacked to a path that an archive chose."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

_LARGEST_CONTENT = 1 << 30  # bytes of the members wanted, or of all that a compressed tar file unpacks to


class SourceError(Exception):
    """A source does not give what it should, and why; others may."""


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Delete a file that is not the one that was expected.

    Raises
    ------
    SourceError
        With both sums.
    """
    found = sha256_of(path)
    if found != expected:
        path.unlink()
        raise SourceError(f"{path.name.removesuffix('.part')} has SHA-256 {found}, expected is {expected}; deleted it")


def read_members(path: Path, names: Sequence[str], *, largest: int = _LARGEST_CONTENT) -> dict[str, bytes]:
    """Return the contents of a ZIP or a compressed tar file's members.

    Parameters
    ----------
    path
        The file; its content tells which of the two it is.
    names
        Exact names of regular files in it.
    largest
        Bytes that the members may unpack to, in a tar file all that is in it.

    Raises
    ------
    SourceError
        If one is missing, no regular file or too large, or the archive is damaged.
    """
    try:
        read = _zip_members if zipfile.is_zipfile(path) else _tar_members
        found = read(path, names, largest)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError) as error:
        raise SourceError(f"the archive is damaged ({error})") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise SourceError(f"the archive has no file {missing[0]!r}")
    return found


def read_gzipped(path: Path, *, largest: int = _LARGEST_CONTENT) -> bytes:
    """Return what a file holds that is compressed by itself.

    Raises
    ------
    SourceError
        If it is damaged, or unpacks to more bytes than it may.
    """
    try:
        with gzip.open(path) as content:
            return _bounded(cast("IO[bytes]", content), largest)
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise SourceError(f"the archive is damaged ({error})") from error


def _zip_members(path: Path, names: Sequence[str], largest: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.filename in names:
                mode = stat.S_IFMT(member.external_attr >> 16)
                if member.is_dir() or mode not in (0, stat.S_IFREG) or member.flag_bits & 1:
                    raise SourceError(f"{member.filename!r} in the archive is a folder, a link or encrypted")
                with archive.open(member) as content:
                    found[member.filename] = _bounded(content, largest - sum(len(read) for read in found.values()))
    return found


def _tar_members(path: Path, names: Sequence[str], largest: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with gzip.open(path) as unpacked, tarfile.open(fileobj=_Bounded(unpacked, largest), mode="r|") as archive:
        for member in archive:
            if member.name in names:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    raise SourceError(f"{member.name!r} in the archive is a folder, a link or a device")
                found[member.name] = content.read()
                if found.keys() == set(names):
                    break
    return found


def _bounded(content: IO[bytes], largest: int) -> bytes:
    found = content.read(largest + 1)
    if len(found) > largest:
        raise SourceError("the archive unpacks to more than it may")
    return found


class _Bounded(io.RawIOBase):
    """A stream that ends with an error rather than give more than so many bytes."""

    def __init__(self, stream: gzip.GzipFile, largest: int) -> None:
        self._stream, self._left = stream, largest

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise SourceError("the archive unpacks to more than it may")
        return block
