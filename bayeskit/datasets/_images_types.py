"""Images as files have them, and as models take them: grey, or red, green and blue, from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets._problems import Place, listed

MOST_VALUES = 1 << 30
"""Values of all images together; more, at four bytes each, is not taken."""
SMALLEST = 2
"""Pixels that an image needs in height and in width."""
_SEED = 0
_BLOCK = 1 << 22  # values drawn at once


@dataclass(frozen=True)
class Pictures:
    """Images as they were read.

    Parameters
    ----------
    values
        ``n x height x width`` or ``n x height x width x channels``: whole numbers from 0 to ``levels - 1``, or, where
        ``levels`` is 0, numbers from 0 to 1.
    levels
        How many steps from black to white there are in the files.
    rows
        ``n``, what each is called: its file, or its position from 1.
    sha256
        Of all that was read.
    labels
        ``n`` known groups.
    held_out
        ``n``, whether the publisher keeps each for testing.
    arrays
        What else is known of each, by name.
    notes
        What is to be told of how they were read.
    """

    values: NDArray[Any]
    levels: int
    rows: NDArray[Any]
    sha256: str
    labels: NDArray[np.str_] | None = None
    held_out: NDArray[np.bool_] | None = None
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def check_shape(shape: tuple[int, ...], place: Place) -> None:
    """Refuse what is not a set of images that can be learned from.

    Raises
    ------
    DataError
        Another number of dimensions or channels, images of a single row or column of pixels, or too many to hold.
    """
    told = " x ".join(f"{size:,}" for size in shape)
    if len(shape) not in (3, 4):
        remedy = "give images as n x height x width (grey) or n x height x width x 3 (colour)"
        raise place.error(f"an array of shape ({told})", remedy)
    if len(shape) == 4 and shape[3] not in (1, 3):
        channels_first = shape[1] in (1, 3)
        remedy = (
            "move the channels to the end: array.transpose(0, 2, 3, 1)" if channels_first else "keep 1 or 3 of them"
        )
        raise place.error(f"an array of shape ({told}), where the last size should be 1 or 3 channels", remedy)
    if min(shape[1:3]) < SMALLEST:
        raise place.error(f"images of {shape[1]} x {shape[2]} pixels", f"at least {SMALLEST} x {SMALLEST} are needed")
    if not shape[0]:
        raise place.error("there are no images", "give some")
    if np.prod(shape, dtype=float) > MOST_VALUES:
        remedy = "shrink them (--size, of a folder of images), or take fewer (--first)"
        raise place.error(f"{told} values are more than are taken", remedy)


def graded(values: NDArray[Any], place: Place) -> tuple[NDArray[Any], int]:
    """Return images and the number of their grey levels, from an array of any kind of number.

    Whole numbers go up to 255, or, of 16 bits, to 65,535; if none is above 1 they are black and white, as truth values
    are. Numbers with fractions lie between 0 and 1, with 256 levels where all are multiples of 1/255.

    Raises
    ------
    DataError
        Missing, infinite or negative values, and values above these.
    """
    if values.dtype.kind == "b":
        return values.astype(np.uint8), 2
    if values.dtype.kind not in "iuf":
        raise place.error(f"images of {values.dtype}, not of numbers", "save them as numbers from 0 to 255")
    if values.dtype.kind == "f":
        wrong = 1 + np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
        if wrong.size:
            what = "image" if len(wrong) == 1 else "images"
            raise place.error(f"values that are missing or infinite ({what} {listed(wrong)})", "fill or drop them")
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        if low < 0 or high > 1:
            problem = f"values from {low:.6g} to {high:.6g}, where fractions should lie between 0 and 1"
            raise place.error(problem, "divide by the greatest there can be, e.g. 255, or save whole numbers")
        return _steps(values.astype(np.float32))
    top = 65_535 if values.dtype == np.uint16 and high > 255 else 255
    if low < 0 or high > top:
        raise place.error(f"values from {low} to {high}, where grey goes from 0 to {top}", "scale them")
    if high <= 1:
        return values.astype(np.uint8), 2
    return values.astype(np.uint8 if top == 255 else np.uint16), top + 1


def scaled(values: NDArray[Any], levels: int) -> NDArray[np.float32]:
    """Return images with grey from 0 to 1."""
    made: NDArray[np.float32] = np.empty(values.shape, dtype=np.float32)
    np.divide(values, np.float32(levels - 1 if levels else 1), out=made, casting="unsafe", dtype=np.float32)
    return made[..., 0] if made.ndim == 4 and made.shape[-1] == 1 else made


def draw_pixels(values: NDArray[np.float32]) -> None:
    """Put 1 in the place of a pixel with a chance that is its grey, else 0; the draws are always the same.

    Those of an image do not depend on how many follow. Black and white stay as they are.
    """
    rng = np.random.default_rng(_SEED)
    step = max(1, _BLOCK // values[0].size)
    for start in range(0, len(values), step):
        block = values[start : start + step]
        block[:] = rng.random(block.shape, dtype=np.float32) < block


def _steps(values: NDArray[np.float32]) -> tuple[NDArray[Any], int]:
    """Return fractions with the number of levels that they show: 2, 256, or 0 for any."""
    steps = np.rint(values * 255)
    if np.abs(values * 255 - steps).max() > 1e-3:
        return values, 0
    whole = steps.astype(np.uint8)
    return (whole // 255, 2) if np.isin(whole, (0, 255)).all() else (whole, 256)
