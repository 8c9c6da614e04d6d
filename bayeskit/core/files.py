"""Writing to the user's folders: a file is there whole or not at all, one process at a time, refusals in one line."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayeskit.core.errors import ConfigError
from bayeskit.core.paths import cache_folder


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep other processes from writing to a folder within the block.

    Raises
    ------
    ConfigError
        If another one is writing to it now.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(_lock_file(out))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ConfigError(f"another process is writing to {out}; wait for it to end, or choose another --out") from None
    try:
        yield
    finally:
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write a text as ``write_bytes`` does, in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file aside and rename it, so that a reader sees the old or the new one."""
    aside = path.with_name(path.name + ".partial")
    with readable_disk_errors(path):
        try:
            aside.write_bytes(content)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def readable_disk_errors(place: Path) -> Iterator[None]:
    """Turn what the disk refuses about a place into one line; other failures pass through as they are."""
    try:
        yield
    except OSError as error:
        ours = error.filename is None or Path(os.fsdecode(error.filename)).is_relative_to(place.parent)
        if error.errno not in _REFUSALS or not ours:
            raise
        raise ConfigError(f"cannot write to {place}: {_REFUSALS[error.errno]}") from error


_REFUSALS = {
    errno.ENOSPC: "the disk is full; free some space, or choose another place",
    errno.EDQUOT: "the disk quota is used up; free some space, or choose another place",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.EACCES: "permission denied; choose another place",
    errno.ENOTDIR: "a part of the path is a file; choose another place",
    errno.EEXIST: "a part of the path is a file; choose another place",
    errno.ENOENT: "it takes no folders; choose another place",
}


def _lock_file(out: Path) -> Path:
    """Return a lock in the cache folder, so that nothing is left beside the user's files; it ends with its process."""
    folder = cache_folder() / "locks"
    with readable_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(os.fsencode(out)).hexdigest()[:32]}.lock"
