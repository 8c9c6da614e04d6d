"""Files in the layout that MNIST's publisher calls IDX: two zeros, a type, the number of sizes, the sizes, the bytes.

Images lie in one file and their labels in another one, ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``;
what is kept for testing in a pair whose names begin with ``t10k`` or ``test``. Each may be compressed with gzip.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.datasets._images_types import MOST_VALUES, Pictures, check_shape
from bayeskit.datasets._problems import Place, counted, one_line, quote

_BYTES = 8
"""The code of unsigned bytes, the only type that images come in."""
_NAME = re.compile(r"(?P<part>.*)(?P<what>images|labels)[-.]idx(?P<n_sizes>\d)[-.]ubyte(?:\.gz)?")
_FOR_TESTING = ("t10k", "test")
_GREY_LEVELS = 256


def is_idx_name(name: str) -> bool:
    """Whether a file's name says that it is in this layout."""
    return _NAME.fullmatch(name) is not None


def idx_files(folder: Path) -> list[Path]:
    """Return the files of images in this layout in a folder, those for training first."""
    found = [file for file in folder.iterdir() if (name := _NAME.fullmatch(file.name)) and name["what"] == "images"]
    return sorted(found, key=lambda file: (_for_testing(file), file.name))


def read_idx(files: list[Path], place: Place) -> Pictures:
    """Read images, and their labels where these lie beside them.

    Parameters
    ----------
    files
        Of images, one for training, and perhaps one for testing.
    place
        For messages.

    Raises
    ------
    DataError
        If a file is truncated, holds something else than unsigned bytes, or more or fewer labels than images.
    """
    if len(files) > 2 or len({_for_testing(file) for file in files}) < len(files):
        names = ", ".join(quote(file.name) for file in files[:3])
        raise place.error(f"{counted(len(files), 'file')} of images ({names})", "name the one to read")
    digest = hashlib.sha256()
    images, labels = zip(*(_pair(file, place, digest) for file in files), strict=True)
    shapes = {array.shape[1:] for array in images}
    if len(shapes) > 1:
        told = " and ".join(f"{height} x {width}" for height, width in sorted(shapes))
        raise place.error(f"images for training and for testing of {told} pixels", "give files of one size")
    known = [found for found in labels if found is not None]
    if len(known) not in (0, len(files)):
        raise place.error("only one of two files of images has labels", "put the other labels beside it")
    values = images[0] if len(images) == 1 else np.concatenate(images)
    check_shape(values.shape, place)
    held = np.repeat([_for_testing(file) for file in files], [len(array) for array in images])
    notes = () if len(files) == 1 else (_told_of_testing(int(held.sum())),)
    return Pictures(
        values=values,
        levels=_GREY_LEVELS,
        rows=np.arange(1, len(values) + 1),
        sha256=digest.hexdigest(),
        labels=np.concatenate(known).astype(str) if known else None,
        held_out=held if len(files) == 2 else None,
        notes=notes,
    )


def _told_of_testing(n: int) -> str:
    return say("The publisher keeps the last {n} images for testing; they are not trained on.", n=f"{n:,}")


def _for_testing(file: Path) -> bool:
    return file.name.startswith(_FOR_TESTING)


def _pair(file: Path, place: Place, digest: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return the images of a file, and the labels in the one beside it."""
    images = _read(file, 3, place, digest)
    beside = _labels_beside(file)
    if beside is None:
        return images, None
    labels = _read(beside, 1, place, digest)
    if len(labels) != len(images):
        problem = f"{file.name} holds {len(images):,} images, and {beside.name} {len(labels):,} labels"
        raise place.error(problem, "fetch or save both again")
    return images, labels


def _labels_beside(file: Path) -> Path | None:
    name = _NAME.fullmatch(file.name)
    if name is None:
        return None
    for other in sorted(file.parent.iterdir()):
        found = _NAME.fullmatch(other.name)
        if found and found["what"] == "labels" and found["part"] == name["part"]:
            return other
    return None


def _read(file: Path, n_sizes: int, place: Place, digest: Any) -> NDArray[np.uint8]:
    """Return the array in a file, which must have so many sizes."""
    content = _unpacked(file, place)
    digest.update(content)
    again = "fetch or save it again"
    if len(content) < 4 or content[:2] != b"\0\0":
        raise place.error(f"{file.name} begins with {content[:4].hex(' ')}, not as a file in IDX layout does", again)
    if content[2] != _BYTES:
        raise place.error(f"{file.name} holds numbers of type 0x{content[2]:02x}", "save unsigned bytes (type 0x08)")
    if content[3] != n_sizes:
        what = {1: "labels", 3: "images"}.get(content[3], f"an array with {counted(content[3], 'size')}")
        wanted = "images, with three sizes" if n_sizes == 3 else "labels, with one size"
        raise place.error(f"{file.name} holds {what}", f"name a file of {wanted}")
    start = 4 + 4 * n_sizes
    if len(content) < start:
        raise place.error(f"{file.name} ends within its header", again)
    sizes = struct.unpack_from(f">{n_sizes}I", content, 4)
    expected = int(np.prod(sizes, dtype=object))
    if len(content) - start != expected:
        told = " x ".join(f"{size:,}" for size in sizes)
        problem = f"{file.name} should hold {told} bytes, and holds {len(content) - start:,} instead of {expected:,}"
        raise place.error(problem, again)
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(sizes)


def _unpacked(file: Path, place: Place) -> bytes:
    try:
        content = file.read_bytes()
        if not content.startswith(b"\x1f\x8b"):
            return content
        with gzip.open(file) as packed:
            content = packed.read(MOST_VALUES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise place.error(f"{file.name} cannot be read ({one_line(str(error))})", "fetch or save it again") from error
    if len(content) > MOST_VALUES:
        raise place.error(f"{file.name} unpacks to more than is taken", "take a smaller set")
    return content
