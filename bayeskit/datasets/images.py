"""Images: a named set, a folder of files, a NumPy archive, or files in the layout of MNIST."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from bayeskit.core.errors import ConfigError
from bayeskit.datasets._images_arrays import read_digits, read_npz
from bayeskit.datasets._images_files import SUFFIXES, Pixels, is_image
from bayeskit.datasets._images_folders import read_folder
from bayeskit.datasets._images_idx import idx_files, is_idx_name, read_idx
from bayeskit.datasets._images_types import Pictures, scaled
from bayeskit.datasets._problems import Place, one_line, quote
from bayeskit.datasets.sources import located

__all__ = ["Pictures", "Size", "read_pictures", "scaled"]

Size = int | str | Sequence[int]
"""Height and width in pixels, as 28, ``28x20`` or (28, 20)."""

_SIZES = (2, 4096)
_SIZE = re.compile(r"\s*(\d{1,5})\s*(?:[x×]\s*(\d{1,5})\s*)?")


def read_pictures(path: str, place: Place, size: Size | None = None) -> Pictures | None:
    """Read images; None where a path is that of a table, or of no file at all.

    Parameters
    ----------
    path
        Of a folder or file; or the name of a set.
    place
        For messages.
    size
        Height and width that images in a folder are brought to.

    Raises
    ------
    DataError
        If they cannot be used as they are: one line that names the file and the remedy.
    ConfigError
        If the size is none, or not that of images which are in no folder of image files.
    """
    pixels = None if size is None else _pixels(size)
    file = located(path)
    if file.is_dir():
        named = idx_files(file)
        if not named:
            return read_folder(file, place, pixels)
        found = read_idx(named, place)
    elif path == "digits" and not os.path.lexists(path):
        found = read_digits(file, place)
    else:
        maybe = _of_file(file, path, place)
        if maybe is None:
            return None
        found = maybe
    have = found.values.shape[1:3]
    if pixels is not None and pixels != have:
        told = f"images have {have[0]} x {have[1]} pixels, and only files in a folder are brought to another size"
        raise ConfigError(f"{one_line(place.name)}: {told}; leave it out (--size)")
    return found


def _of_file(file: Path, path: str, place: Place) -> Pictures | None:
    """Return the images in a file; None of a table."""
    head = _head(file)
    suffix = Path(path).suffix.lower()
    if head.startswith(b"PK") and suffix == ".npz":
        return read_npz(Path(path), place)
    if head.startswith(b"\x93NUMPY"):
        raise place.error("a single NumPy array", "save it as .npz, with its name: numpy.savez(file, images=…)")
    if is_image(head) or (head and suffix in SUFFIXES):
        raise place.error("a single image", f"name the folder that it lies in, '{one_line(str(Path(path).parent))}'")
    if head and (is_idx_name(file.name) or _unpacked(head, file)[:3] == b"\0\0\x08"):
        return read_idx([file], place)
    return None


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as content:
            return content.read(16)
    except (OSError, ValueError):
        return b""


def _unpacked(head: bytes, file: Path) -> bytes:
    """Return the first bytes, of a file that is compressed with gzip those that it holds."""
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        with gzip.open(file) as content:
            return content.read(4)
    except (OSError, EOFError, zlib.error):
        return b""


def _pixels(size: Size) -> Pixels:
    """Return a height and a width.

    Raises
    ------
    ConfigError
        If the size is none.
    """
    if isinstance(size, str):
        found = _SIZE.fullmatch(size)
        parts = [int(part) for part in found.groups() if part] if found else []
    else:
        parts = [size] if isinstance(size, int) else list(size)
    numbers = [part for part in parts if isinstance(part, int) and _SIZES[0] <= part <= _SIZES[1]]
    if len(numbers) != len(parts) or len(parts) not in (1, 2):
        raise ConfigError(f"size is {quote(size)}; write 28 or 28x20, height and width from {_SIZES[0]} to {_SIZES[1]}")
    return numbers[0], numbers[-1]
