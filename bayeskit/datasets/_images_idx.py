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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.datasets._images_types import Pictures, check_shape
from bayeskit.datasets._problems import Place, counted, one_line, quote

_BYTES = 8
"""The code of unsigned bytes, the only type that images come in."""
_NAME = re.compile(r"(?P<part>.*)(?P<what>images|labels)[-.]idx(?P<n_sizes>\d)[-.]ubyte(?:\.gz)?")
_FOR_TESTING = ("t10k", "test")
_GREY_LEVELS = 256
_AGAIN = "fetch or save it again"


def is_idx_name(name: str) -> bool:
    """Whether a file's name says that it is in this layout."""
    return _NAME.fullmatch(name) is not None


def idx_files(folder: Path) -> list[Path]:
    """Return the files of images in this layout in a folder, those for training first."""
    found = [file for file in folder.iterdir() if (name := _NAME.fullmatch(file.name)) and name["what"] == "images"]
    return sorted(found, key=lambda file: (_for_testing(file), file.name))


def read_idx(files: Sequence[Path], place: Place) -> Pictures:
    """Read images, and their labels where these lie beside them.

    Parameters
    ----------
    files
        Of images, one for training, or one for testing, or both in this order.
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
    values, n_images = _read(files, 3, place, digest)
    labels = _labels(files, n_images, place, digest)
    held = np.repeat([_for_testing(file) for file in files], n_images)
    told = say("The publisher keeps the last {n} images for testing; they are not trained on.", n=f"{held.sum():,}")
    return Pictures(
        values=values,
        levels=_GREY_LEVELS,
        rows=np.arange(1, len(values) + 1),
        sha256=digest.hexdigest(),
        labels=None if labels is None else labels.astype(str),
        held_out=held if len(files) == 2 else None,
        notes=(told,) if len(files) == 2 else (),
    )


def _for_testing(file: Path) -> bool:
    return file.name.startswith(_FOR_TESTING)


def _labels(files: Sequence[Path], n_images: Sequence[int], place: Place, digest: Any) -> NDArray[np.uint8] | None:
    beside = [found for found in map(_labels_beside, files) if found is not None]
    if not beside:
        return None
    if len(beside) < len(files):
        raise place.error(f"only one of two files of images has labels ({beside[0].name})", "put the others beside it")
    labels, n_labels = _read(beside, 1, place, digest)
    for file, other, of_images, of_labels in zip(files, beside, n_images, n_labels, strict=True):
        if of_images != of_labels:
            problem = f"{file.name} holds {of_images:,} images, and {other.name} {of_labels:,} labels"
            raise place.error(problem, "fetch or save both again")
    return labels


def _labels_beside(file: Path) -> Path | None:
    name = _NAME.fullmatch(file.name)
    if name is None:
        return None
    for other in sorted(file.parent.iterdir()):
        found = _NAME.fullmatch(other.name)
        if found and found["what"] == "labels" and found["part"] == name["part"]:
            return other
    return None


def _read(files: Sequence[Path], n_sizes: int, place: Place, digest: Any) -> tuple[NDArray[np.uint8], list[int]]:
    """Return the arrays in files as a single one, which never lies in memory twice, and the length of each."""
    with ExitStack() as stack:
        streams = [stack.enter_context(_opened(file, place)) for file in files]
        sizes = [_sizes(stream, file, n_sizes, place, digest) for stream, file in zip(streams, files, strict=True)]
        for file, found in zip(files[1:], sizes[1:], strict=True):
            if found[1:] != sizes[0][1:]:
                told = " and ".join(f"{size[1]} x {size[2]}" for size in (sizes[0], found))
                raise place.error(f"{files[0].name} and {file.name} hold images of {told} pixels", "give one size")
        shape = (sum(found[0] for found in sizes), *sizes[0][1:])
        if n_sizes > 1:
            check_shape(shape, place)
        made = np.empty(shape, dtype=np.uint8)
        start = 0
        for stream, file, found in zip(streams, files, sizes, strict=True):
            _fill(made[start : start + found[0]], stream, file, place)
            start += found[0]
    digest.update(made)
    return made, [found[0] for found in sizes]


@contextmanager
def _opened(file: Path, place: Place) -> Iterator[IO[bytes]]:
    """Open a file, which may be compressed."""
    with _readable(file, place), file.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        with cast("IO[bytes]", gzip.open(plain)) if packed else plain as stream:
            yield stream


@contextmanager
def _readable(file: Path, place: Place) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise place.error(f"{file.name} cannot be read ({one_line(str(error))[:120]})", _AGAIN) from error


def _sizes(stream: IO[bytes], file: Path, n_sizes: int, place: Place, digest: Any) -> tuple[int, ...]:
    """Return the sizes of the array in a file, of which there must be so many."""
    with _readable(file, place):
        header = stream.read(4 + 4 * n_sizes)
    digest.update(header)
    if len(header) < 4 or header[:2] != b"\0\0":
        raise place.error(f"{file.name} begins with {header[:4].hex(' ')}, not as a file in IDX layout does", _AGAIN)
    if header[2] != _BYTES:
        raise place.error(f"{file.name} holds numbers of type 0x{header[2]:02x}", "save unsigned bytes (type 0x08)")
    if header[3] != n_sizes:
        what = {1: "labels", 3: "images"}.get(header[3], f"an array with {counted(header[3], 'size')}")
        raise place.error(f"{file.name} holds {what}", f"name a file of {'images' if n_sizes == 3 else 'labels'}")
    if len(header) < 4 + 4 * n_sizes:
        raise place.error(f"{file.name} ends within its header", _AGAIN)
    return struct.unpack_from(f">{n_sizes}I", header, 4)


def _fill(array: NDArray[np.uint8], stream: IO[bytes], file: Path, place: Place) -> None:
    """Read an array from a file that must hold just that."""
    view = memoryview(cast("Any", array.reshape(-1)))
    n_read = 0
    with _readable(file, place):
        while n_read < len(view):
            n_more = cast("Any", stream).readinto(view[n_read:])
            if not n_more:
                break
            n_read += n_more
        more = stream.read(1)
    if n_read < len(view) or more:
        sizes = " x ".join(f"{size:,}" for size in array.shape)
        problem = f"{file.name} should hold {sizes} bytes, and holds {'more' if more else f'only {n_read:,}'}"
        raise place.error(problem, _AGAIN)
