"""Images: a named set, a folder of files, a NumPy archive, or files in the layout of MNIST."""

from __future__ import annotations

import os
from pathlib import Path

from bayeskit.datasets._images_arrays import read_digits, read_npz
from bayeskit.datasets._images_types import Pictures
from bayeskit.datasets._problems import Place
from bayeskit.datasets.sources import located

__all__ = ["Pictures", "read_pictures"]


Size = int | str | tuple[int, int]
"""Height and width in pixels, as 28, ``28x20`` or (28, 20)."""


def read_pictures(path: str, place: Place, size: Size | None) -> Pictures | None:
    """Read images; None where a path is that of a table, or of no file at all.

    Raises
    ------
    DataError
        If they cannot be used as they are: one line that names the file and the remedy.
    """
    file = located(path)
    if path == "digits" and not os.path.lexists(path):
        return read_digits(file, place)
    head = _head(file)
    if head.startswith(b"PK") and Path(path).suffix.lower() == ".npz":
        return read_npz(Path(path), place)
    return None


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as content:
            return content.read(16)
    except (OSError, ValueError):
        return b""
