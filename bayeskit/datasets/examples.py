"""Examples: what an autoencoder learns from, images or rows of a table, with what is given beside each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.types import Source
from bayeskit.datasets._examples_conditions import Condition
from bayeskit.datasets._examples_images import (
    binarised_how,
    conditions_of_images,
    cut,
    described_images,
    variables_of_images,
)
from bayeskit.datasets._examples_options import Binarise, check_binarise, refuse
from bayeskit.datasets._examples_scripts import array_of, held_of, pictures_of, table_of
from bayeskit.datasets._examples_tables import Names, Rows, described_rows, read_rows, variables_of_rows
from bayeskit.datasets._images_types import Pictures, draw_pixels, scaled
from bayeskit.datasets._problems import Place, counted
from bayeskit.datasets.images import Size, read_pictures
from bayeskit.datasets.tables import read_table

__all__ = ["Condition", "Examples", "examples", "load_examples"]

_NO_FILE = mark("Examples made in a script")
_LABELS = "label"


@dataclass(frozen=True, eq=False, repr=False)
class Examples:
    """Rows to learn from, as they were read; build them with ``load_examples`` or ``examples``.

    Parameters
    ----------
    values
        Of a table ``n_rows x n_columns``, in the data's units; of images ``n_rows x height x width``, or with the
        channels red, green and blue ``n_rows x height x width x 3``, from 0 (black) to 1. Nothing is missing.
    columns
        Names of a table's columns; empty of images.
    rows
        ``n_rows``, what each is called: its line in the file, its file, or its position from 1.
    labels
        ``n_rows`` known groups, for colouring only; None where there are none.
    conditions
        What each row is given.
    held_out
        ``n_rows``, whether the publisher keeps each for testing; None where the data have no such split.
    binarise
        ``static``: pixels are black or white, drawn once with a chance that is their grey. ``dynamic``: they are grey,
        and to be drawn so anew at each step of training. ``none``: as they are.
    levels
        Steps from black to white, so that ``values * (levels - 1)`` are whole; 0 where they are not, and of a table.
    source
        The file; of examples made in a script without a path.
    options
        What ``load_examples`` was called with besides the file, to repeat it; empty of examples made in a script.
    """

    values: NDArray[np.float32]
    columns: tuple[str, ...]
    rows: NDArray[Any]
    labels: NDArray[np.str_] | None
    conditions: tuple[Condition, ...]
    held_out: NDArray[np.bool_] | None
    binarise: Binarise
    levels: int
    source: Source
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.values.shape[0])

    @property
    def is_images(self) -> bool:
        """Whether rows are images, and not those of a table."""
        return not self.columns

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row: ``(n_columns,)``, ``(height, width)`` or ``(height, width, channels)``."""
        return tuple(self.values.shape[1:])

    def take(self, places: ArrayLike) -> Examples:
        """Return some rows only, by their positions from 0 or by a truth value for each; they share a source."""
        chosen = np.arange(self.n_rows)[np.asarray(places)]
        return replace(
            self,
            values=_frozen(self.values[chosen]),
            rows=_frozen(self.rows[chosen]),
            labels=None if self.labels is None else _frozen(self.labels[chosen]),
            conditions=_kept(replace(given, values=given.values[chosen]) for given in self.conditions),
            held_out=None if self.held_out is None else _frozen(self.held_out[chosen]),
        )

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        what = f"{counted(self.n_rows, 'image')} of {size}" if self.is_images else counted(self.n_rows, "row")
        columns = f", columns {', '.join(self.columns)}" if self.columns else ""
        given = f", given {', '.join(found.name for found in self.conditions)}" if self.conditions else ""
        return f"Examples({what}{columns}{given})"


def load_examples(
    path: str | os.PathLike[str],
    *,
    columns: Names | None = None,
    condition: Names | None = None,
    label: str | None = None,
    binarise: Binarise = "none",
    size: Size | None = None,
    first: int | None = None,
) -> Examples:
    """Read images, or the rows of a table, into ``Examples``, in the order of the file or of the names in a folder.

    Parameters
    ----------
    path
        ``digits`` (8 x 8 pixels, shipped with scikit-learn) or ``mnist`` (28 x 28; ``bayeskit data fetch mnist`` gets
        it); a folder of image files, or of one sub-folder of them a class; an .npz file with an array ``images`` or
        ``x``, and perhaps ``labels`` or ``y``; a file, or a folder, in the IDX layout of MNIST; or a CSV or Parquet
        table with a header.
    columns
        Of a table: names of the columns to learn, as a list or separated by commas. Unless given, all that hold
        numbers, as ``load_points`` takes them, but for conditions and label.
    condition
        Names of what each row is given: columns of a table, or ``label`` of images. Texts are classes, and so are
        numbers that look like codes: whole, from 0 or 1 on without a gap, and at most 20. Other numbers are numbers.
        ``grade:class`` or ``grade:number`` says it outright.
    label
        Of a table: the column of known groups, for colouring only. Images have theirs from sub-folders or files.
    binarise
        Of images: whether pixels are drawn black or white with a chance that is their grey, once (``static``) or anew
        at each step of training (``dynamic``).
    size
        Of image files in a folder: height and width in pixels that all are brought to, as ``28`` or ``28x20``.
    first
        Only so many of the first rows, if not all.

    Raises
    ------
    DataError
        If the data cannot be used as they are: one line that names file, column or image, and remedy.
    ConfigError
        If an option is not one of these data's.
    """
    name = os.fspath(path)
    place = Place(str(name))
    check_binarise(binarise)
    options = {
        "columns": _plain(columns),
        "condition": _plain(condition),
        "label": label,
        "binarise": binarise,
        "size": size if size is None or isinstance(size, int | str) else list(size),
        "first": first,
    }
    pictures = read_pictures(str(name), place, size)
    if pictures is not None:
        refuse(place, "images", columns=columns, label=label)
        made = _of_images(cut(pictures, first, place), condition, binarise, place)
        sha256 = pictures.sha256
    else:
        refuse(place, "tables", size=size, binarise=None if binarise == "none" else binarise)
        table = read_table(str(name), place)
        made = _of_rows(read_rows(table, place, columns=columns, condition=condition, label=label, first=first))
        sha256 = hashlib.sha256(table.content).hexdigest()
    source = replace(made.source, path=os.fsencode(name).decode("utf-8", "backslashreplace"), sha256=sha256)
    return replace(made, source=source, options=options)


def examples(
    values: Any,
    *,
    columns: Sequence[str] | None = None,
    labels: ArrayLike | None = None,
    conditions: Mapping[str, ArrayLike] | Names | None = None,
    held_out: ArrayLike | None = None,
    binarise: Binarise = "none",
) -> Examples:
    """Take images or the rows of a table from an array or a data frame, as ``Examples``.

    As there is no file, no command can repeat a run of them.

    Parameters
    ----------
    values
        ``n_rows x n_columns``; or images, ``n_rows x height x width`` or ``n_rows x height x width x 3``: whole numbers
        from 0 to 255, or fractions from 0 to 1.
    columns
        Of a data frame, the names of the columns to learn, by default all that measure something and are no
        conditions. Of an array, names for all its columns, ``x1``, ``x2`` and so on unless given.
    labels
        ``n_rows`` known groups, for colouring only; or the name of a data frame's column.
    conditions
        By name, ``n_rows`` numbers or classes each; or names, as ``load_examples`` takes them, of a data frame's
        columns, or ``label`` for the labels of images.
    held_out
        ``n_rows``, whether each is kept for testing.
    binarise
        As of ``load_examples``.

    Raises
    ------
    DataError
        If they cannot be used as they are; rows are counted from 1.
    ConfigError
        If an option is not one of these data's.
    """
    place = Place("examples")
    check_binarise(binarise)
    beside = dict(conditions) if isinstance(conditions, Mapping) else {}
    names: Names | None = conditions if not isinstance(conditions, Mapping) else list(beside) or None
    array = None if hasattr(values, "columns") else array_of(values, place)
    if array is not None and array.ndim > 2:
        refuse(place, "images", columns=columns)
        pictures = pictures_of(array, labels, held_out, beside, place)
        made = _of_images(cut(pictures, None, place), names, binarise, place)
    else:
        refuse(place, "tables", binarise=None if binarise == "none" else binarise)
        own = labels if isinstance(labels, str) else None
        if labels is not None and own is None:
            own, beside = _LABELS, beside | {_LABELS: labels}
        table, chosen = table_of(values, columns, beside, place)
        made = _of_rows(read_rows(table, place, columns=chosen, condition=names, label=own, first=None))
        if held_out is not None:
            held = held_of(held_out, len(table.rows), place)[made.rows - 1]
            made = replace(made, held_out=_frozen(held))
    told = say("{what}: {described}", what=say(_NO_FILE), described=made.source.description)
    return replace(made, source=replace(made.source, description=told))


def _of_rows(found: Rows) -> Examples:
    source = Source("", "", described_rows(found), found.notes, variables_of_rows(found))
    return Examples(
        values=_frozen(found.values.astype(np.float32)),
        columns=found.columns,
        rows=_frozen(found.rows),
        labels=None if found.labels is None else _frozen(found.labels),
        conditions=_kept(found.conditions),
        held_out=None,
        binarise="none",
        levels=0,
        source=source,
    )


def _of_images(pictures: Pictures, condition: Names | None, binarise: Binarise, place: Place) -> Examples:
    conditions, told = conditions_of_images(pictures, condition, place)
    values = scaled(pictures.values, pictures.levels)
    if binarise == "static":
        draw_pixels(values)
    notes = (*pictures.notes, *binarised_how(binarise), *told)
    source = Source("", "", described_images(pictures), notes, variables_of_images(pictures))
    return Examples(
        values=_frozen(values),
        columns=(),
        rows=_frozen(pictures.rows),
        labels=None if pictures.labels is None else _frozen(pictures.labels),
        conditions=_kept(conditions),
        held_out=None if pictures.held_out is None else _frozen(pictures.held_out),
        binarise=binarise,
        levels=2 if binarise == "static" else pictures.levels,
        source=source,
    )


def _kept(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    return tuple(replace(given, values=_frozen(given.values)) for given in conditions)


def _plain(names: Names | None) -> str | list[str] | None:
    return names if names is None or isinstance(names, str) else list(names)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
