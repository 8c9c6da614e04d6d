"""Images as examples: what is given beside them, and how they are told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.words import commas, count
from bayeskit.datasets._examples_conditions import Condition, condition_of, parted, told_of
from bayeskit.datasets._examples_tables import Names, first_of
from bayeskit.datasets._images_types import Pictures
from bayeskit.datasets._points_columns import names_in
from bayeskit.datasets._problems import Place, joined, nearest, quote

LABEL = "label"
"""The name by which the labels of images are a condition."""
_TOLD = {
    "static": mark("Each pixel was made black or white, once, and white with a chance that is its grey."),
    "dynamic": mark(
        "Each step of training draws pixels black or white anew, and white with a chance that is their grey."
    ),
}
_SHOWN = 10


def cut(pictures: Pictures, first: int | None, place: Place) -> Pictures:
    """Return the first images only.

    Raises
    ------
    DataError
        If there are not as many.
    """
    n = first_of(first, len(pictures.values), place)
    if n == len(pictures.values):
        return pictures
    held = None if pictures.held_out is None or not pictures.held_out[:n].any() else pictures.held_out[:n]
    return replace(
        pictures,
        values=pictures.values[:n],
        rows=pictures.rows[:n],
        labels=None if pictures.labels is None else pictures.labels[:n],
        held_out=held,
        arrays={name: array[:n] for name, array in pictures.arrays.items()},
    )


def conditions_of_images(
    pictures: Pictures, condition: Names | None, place: Place
) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
    """Return what images are given, and what to tell of it.

    Raises
    ------
    DataError
        If they have no such condition, and whatever ``condition_of`` finds.
    """
    known: dict[str, NDArray[Any]] = dict(pictures.arrays)
    if pictures.labels is not None:
        known[LABEL] = pictures.labels
    made: list[Condition] = []
    told: list[str] = []
    for name in [] if condition is None else names_in(condition, list(known)):
        plain, kind = parted(name.strip(), list(known), place)
        if plain not in known:
            raise place.error(*_unknown(plain, known))
        if plain in [before.name for before in made]:
            raise place.error("given twice", "name it once (--condition)", column=plain)
        if plain == LABEL and kind is None:
            kind = "class"
        cells = known[plain]
        found = condition_of(plain, cells, pictures.rows, place, kind)
        made.append(found)
        told.append(told_of(found, guessed=found.is_class and kind is None and cells.dtype.kind in "fiu"))
    return tuple(made), tuple(told)


def binarised_how(binarise: str) -> tuple[str, ...]:
    """Say what is drawn, and when."""
    return (say(_TOLD[binarise]),) if binarise in _TOLD else ()


def described_images(pictures: Pictures) -> str:
    """Return what there is, in a few words."""
    n_images, height, width = pictures.values.shape[:3]
    told = say(
        "{images} of {height} × {width} pixels, {grey}",
        images=count(n_images, "image"),
        height=height,
        width=width,
        grey=_grey(pictures),
    )
    if pictures.held_out is None:
        return told
    return say("{whole}; {held} kept for testing", whole=told, held=f"{int(pictures.held_out.sum()):,}")


def variables_of_images(pictures: Pictures) -> Mapping[str, str]:
    """Return what is known of each image."""
    height, width = pictures.values.shape[1:3]
    told = {"image": say("{height} × {width} pixels, {grey}", height=height, width=width, grey=_grey(pictures))}
    if pictures.labels is None:
        return told
    found = np.unique(pictures.labels)
    rest = len(found) - _SHOWN
    shown = [*map(str, found[:_SHOWN]), *([say("{n} more", n=f"{rest:,}")] if rest > 0 else [])]
    return told | {LABEL: say("{classes}: {names}", classes=count(len(found), "class", "classes"), names=commas(shown))}


def _grey(pictures: Pictures) -> str:
    colour = pictures.values.ndim == 4 and pictures.values.shape[3] == 3
    if not pictures.levels:
        return say("coloured, without levels") if colour else say("grey, without levels")
    if pictures.levels == 2 and not colour:
        return say("black or white")
    if colour:
        return say_count(pictures.levels, "{n} level a colour", "{n} levels a colour")
    return say_count(pictures.levels, "{n} grey level", "{n} grey levels")


def _unknown(name: str, known: Mapping[str, Any]) -> tuple[str, str]:
    if not known:
        remedy = "put them into one sub-folder a class, or save labels beside them (.npz)"
        return f"there is no condition {quote(name)}: these images have no labels", remedy
    meant = nearest(name, known)
    remedy = f"did you mean {quote(meant)}?" if meant else "choose from these (--condition)"
    return f"there is no condition {quote(name)}, only {joined([quote(key) for key in known])}", remedy
