"""Images in arrays: NumPy's .npz files, and scikit-learn's digits."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets._files import read_bytes
from bayeskit.datasets._images_types import MOST_VALUES, Pictures, check_shape, graded
from bayeskit.datasets._problems import Place, joined, one_line, quote

_IMAGES = ("images", "x")
_LABELS = ("labels", "y")
_DIGITS_LEVELS = 17
_DIGITS_SIZE = 8


def read_npz(file: Path, place: Place) -> Pictures:
    """Read the arrays ``images`` or ``x``, and ``labels`` or ``y`` where there are any; others of as many values too.

    Raises
    ------
    DataError
        If it is damaged or holds objects, has no such array, or one of another shape.
    """
    content = read_bytes(file, place)
    arrays = _arrays(content, place)
    name = _named(_IMAGES, arrays)
    if name is None:
        found = joined([quote(key) for key in arrays]) or "none"
        raise place.error(
            f"no array 'images' or 'x', only {found}", "save it so: numpy.savez(file, images=…, labels=…)"
        )
    images = arrays.pop(name)
    check_shape(images.shape, place)
    values, levels = graded(images, place)
    label = _named(_LABELS, arrays)
    labels = arrays.pop(label) if label is not None else None
    if labels is not None and labels.shape != (len(values),):
        told = " x ".join(map(str, labels.shape)) or "a single value"
        raise place.error(f"{len(values):,} images, but labels of shape ({told})", "give one label an image")
    return Pictures(
        values=values,
        levels=levels,
        rows=np.arange(1, len(values) + 1),
        sha256=hashlib.sha256(content).hexdigest(),
        labels=None if labels is None else _texts(labels),
        arrays={key: array for key, array in arrays.items() if array.shape == (len(values),)},
    )


def read_digits(file: Path, place: Place) -> Pictures:
    """Read the digits that come with scikit-learn: 64 grey levels from 0 to 16 a line, and the digit.

    Raises
    ------
    DataError
        If scikit-learn's file is not what it was.
    """
    content = file.read_bytes()
    try:
        table = np.loadtxt(io.BytesIO(gzip.decompress(content)), delimiter=",", dtype=np.uint8)
        images = table[:, :-1].reshape(-1, _DIGITS_SIZE, _DIGITS_SIZE)
    except (ValueError, OSError, EOFError, zlib.error, IndexError) as error:
        raise place.error(f"cannot be read ({one_line(str(error))[:120]})", "install scikit-learn again") from error
    return Pictures(
        values=images,
        levels=_DIGITS_LEVELS,
        rows=np.arange(1, len(images) + 1),
        sha256=hashlib.sha256(content).hexdigest(),
        labels=table[:, -1].astype(str),
    )


def _arrays(content: bytes, place: Place) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > 8 * MOST_VALUES:
                raise place.error("it unpacks to more than is taken", "save fewer images")
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            read = {name: found[name] for name in found.files}
            return {name: array for name, array in read.items() if isinstance(array, np.ndarray)}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, NotImplementedError, MemoryError) as error:
        raise place.error(
            f"not an .npz file that can be read ({one_line(str(error))[:120]})", "save it again"
        ) from error
    except ValueError as error:
        if "allow_pickle" in str(error):
            problem = "it holds Python objects, which would have to be unpickled, and that can run any code"
            raise place.error(problem, "save arrays of numbers or of text (array.astype(str))") from error
        raise place.error(
            f"not an .npz file that can be read ({one_line(str(error))[:120]})", "save it again"
        ) from error


def _named(names: tuple[str, ...], arrays: dict[str, NDArray[Any]]) -> str | None:
    return next((name for name in names if name in arrays), None)


def _texts(labels: NDArray[Any]) -> NDArray[np.str_]:
    if labels.dtype.kind == "f":
        return np.array([format(value, ".10g") for value in labels], dtype=str)
    return labels.astype(str)
