"""Folders of image files, in one sub-folder a class or all in one."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say_count
from bayeskit.datasets._images_files import SUFFIXES, ImageFile, Pixels, read_image
from bayeskit.datasets._images_types import Pictures, check_shape
from bayeskit.datasets._problems import Place, counted, listed, one_line, quote


def read_folder(folder: Path, place: Place, size: Pixels | None) -> Pictures:
    """Read all images in a folder, or in its sub-folders, whose names are then their labels.

    Images that are grey throughout are grey, however they are saved. What is transparent is laid on white, and
    photographs are turned upright as their cameras noted. Files that are hidden or no images are left alone.

    Parameters
    ----------
    folder
        Where they lie.
    place
        For messages.
    size
        Height and width that all are brought to; they must all have the same unless given.

    Raises
    ------
    DataError
        If there are none, some lie in the folder and some in sub-folders, one cannot be read or differs from the others
        in size, or some are in colour or of 16 bits and others are not.
    """
    files, n_others = _files(folder, place)
    names = [_printable(file.relative_to(folder).as_posix()) for file in files]
    digest = hashlib.sha256()
    found: list[ImageFile] = []
    for file, name in zip(files, names, strict=True):
        content = _content(file, name, place)
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
        found.append(read_image(content, name, place, size))
        if len(found) == 1:
            check_shape((len(files), *found[0].values.shape), place)
    values, levels = _stacked(found, names, place)
    return Pictures(
        values=values,
        levels=levels,
        rows=np.array(names, dtype=str),
        sha256=digest.hexdigest(),
        labels=None if files[0].parent == folder else np.array([_printable(file.parent.name) for file in files]),
        notes=_notes(found, n_others, size),
    )


def _files(folder: Path, place: Place) -> tuple[list[Path], int]:
    """Return the images, sorted by name, and the number of files that are none."""
    here = _entries(folder, place)
    below = [file for entry in here if entry.is_dir() for file in _entries(entry, place)]
    in_it, in_them = _images(here), _images(below)
    if in_it and in_them:
        problem = f"images lie both in it ({in_it[0].name}) and in its sub-folders ({_short(in_them[0])})"
        raise place.error(problem, "put each into a sub-folder, one a class, or all into one folder")
    files = in_it or in_them
    if not files:
        raise place.error(*_nothing(here, below))
    n_files = sum(entry.is_file() for entry in (here if in_it else [*here, *below]))
    return files, n_files - len(files)


def _entries(folder: Path, place: Place) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        reason = one_line(error.strerror or str(error))
        raise place.error(f"folder {quote(folder.name)} cannot be read ({reason})", "check its permissions") from error


def _images(entries: Sequence[Path]) -> list[Path]:
    return [entry for entry in entries if entry.suffix.lower() in SUFFIXES and entry.is_file()]


def _nothing(here: Sequence[Path], below: Sequence[Path]) -> tuple[str, str]:
    """Return what to say of a folder without images."""
    for entry in below:
        if entry.is_dir() and _images(list(entry.iterdir())):
            above = _printable(str(entry.parent))
            return f"images lie two folders deep ({_short(entry)})", f"name '{above}' or the like"
    data = [entry.name for entry in here if entry.suffix.lower() in {".csv", ".parquet", ".npz"}]
    there = f", or a file in it such as {quote(data[0])}" if data else ""
    return "a folder without images", f"name one with PNG or JPEG files{there}"


def _short(file: Path) -> str:
    return _printable(f"{file.parent.name}/{file.name}")


def _printable(name: str) -> str:
    return one_line(os.fsencode(name).decode("utf-8", "backslashreplace"))


def _content(file: Path, name: str, place: Place) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        reason = one_line(error.strerror or str(error))
        raise place.error(f"{name} cannot be read ({reason})", "check its permissions") from error


def _stacked(found: Sequence[ImageFile], names: Sequence[str], place: Place) -> tuple[NDArray[Any], int]:
    """Return images of one size and kind in one array, and their grey levels."""
    _check_sizes([image.values.shape[:2] for image in found], names, place)
    deep = [image.values.dtype == np.uint16 for image in found]
    if any(deep) and not all(deep):
        problem = f"{_which(names, deep)} 16 bits a pixel, the others 8"
        raise place.error(problem, "save all with 8 bits, or all with 16")
    coloured = [image.values.ndim == 3 for image in found]
    if any(coloured):
        grey = [image.saved_grey for image in found]
        if any(grey):
            problem = f"{_which(names, grey)} only grey, the others colour"
            raise place.error(problem, "save all in colour, or all in grey")
        return np.stack([image.values if image.values.ndim == 3 else _in_colour(image.values) for image in found]), 256
    values = np.stack([image.values for image in found])
    if all(deep):
        return values, 65_536
    return (values // 255, 2) if np.isin(values, (0, 255)).all() else (values, 256)


def _in_colour(values: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(values[..., np.newaxis], 3, axis=-1)


def _which(names: Sequence[str], chosen: Sequence[bool]) -> str:
    few = [name for name, is_one in zip(names, chosen, strict=True) if is_one]
    return f"{counted(len(few), 'image')} ({listed(few)}) {'has' if len(few) == 1 else 'have'}"


def _check_sizes(sizes: Sequence[tuple[int, ...]], names: Sequence[str], place: Place) -> None:
    """Refuse images of several sizes; those that are not of the usual one are named."""
    counts = Counter(sizes)
    if len(counts) == 1:
        return
    (height, width), n_usual = counts.most_common(1)[0]
    odd = [
        f"{name} of {size[0]} x {size[1]}" for name, size in zip(names, sizes, strict=True) if size != (height, width)
    ]
    problem = f"{n_usual:,} of {counted(len(names), 'image')} have {height} x {width} pixels, but not {listed(odd)}"
    raise place.error(problem, f"bring all to one height and width (--size {height}x{width}), or leave these out")


def _notes(found: Sequence[ImageFile], n_others: int, size: Pixels | None) -> tuple[str, ...]:
    notes = []
    n_clear, n_resized = (sum(getattr(image, what) for image in found) for what in ("was_clear", "was_resized"))
    if n_resized and size is not None:
        told = say_count(
            n_resized,
            "{n} image was brought to {height} × {width} pixels.",
            "{n} images were brought to {height} × {width} pixels.",
            height=size[0],
            width=size[1],
        )
        notes.append(told)
    if n_clear:
        told = say_count(
            n_clear,
            "{n} image was transparent in places, and was laid on white.",
            "{n} images were transparent in places, and were laid on white.",
        )
        notes.append(told)
    if n_others:
        told = say_count(
            n_others, "{n} file that is no image was left out.", "{n} files that are no images were left out."
        )
        notes.append(told)
    return tuple(notes)
