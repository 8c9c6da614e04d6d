"""Finished runs of autoencoders put to use: codes and reconstructions of new rows, and new rows under conditions."""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.files import readable_disk_errors, write_bytes
from bayeskit.core.language import say_count
from bayeskit.core.types import AutoencoderCard, Fit, Source
from bayeskit.datasets._graph_cells import text_of
from bayeskit.datasets._images_types import Pictures, draw_pixels, scaled
from bayeskit.datasets._problems import Place, counted, listed
from bayeskit.datasets.examples import Condition, Examples
from bayeskit.datasets.images import read_pictures
from bayeskit.workflows.saving import load_run
from bayeskit.workflows.tables import beside, formatted, texts_of, values_of, write_results, write_table

if TYPE_CHECKING:
    import pandas as pd

    from bayeskit.models.autoencoders.module import Autoencoder
    from bayeskit.workflows.tables import Data

Floats = NDArray[np.float64]
Conditions = Mapping[str, Any]

OUTSIDE = "outside"
"""Column that marks rows whose conditions lie outside those of the training."""
_COMPLETIONS = 8
_LABEL = "label"


@dataclass(frozen=True, eq=False)
class New:
    """Rows that a run has not seen.

    Parameters
    ----------
    frame
        All their columns as they are; of images names and labels.
    values
        ``n x ...``, what the run's model is of.
    conditions
        By name, ``n`` each.
    notes
        What is to be told of how they were read.
    """

    frame: pd.DataFrame
    values: NDArray[Any]
    conditions: Conditions
    notes: tuple[str, ...] = ()


def read_new(fit: Fit, data: Data | Examples) -> New:
    """Read rows of the kind that a run was trained on.

    Raises
    ------
    DataError
        If columns or conditions are missing, or cells are empty or no numbers.
    """
    card = _card(fit)
    return _read_table(card, data) if card.columns else _read_images(card, data)


def predict_examples(fit: Fit, data: Data | Examples, seed: int) -> pd.DataFrame:
    """Return codes of rows, and how well each is described, beside what they are."""
    new = read_new(fit, data)
    return beside(new.frame, _predicted(fit, new, seed))


def reconstruct(run: Fit | str | os.PathLike[str], data: Data | Examples) -> Floats:
    """Return what the decoder makes of each row's mean codes.

    Parameters
    ----------
    run
        A fit of an autoencoder, or the folder of a finished run.
    data
        As ``predict`` takes it: a table, or images.

    Returns
    -------
    array
        ``n x n_columns``, in the data's units, or ``n x height x width`` (and channels), from 0 to 1.
    """
    from bayeskit.models.autoencoders.using import reconstructed

    fit = run if isinstance(run, Fit) else load_run(Path(run))[0]
    new = read_new(fit, data)
    return reconstructed(_module(fit), new.values, new.conditions)


def generate_examples(fit: Fit, n: int, seed: int, conditions: Conditions) -> pd.DataFrame | Examples:
    """Return new rows: a table with its conditions and a mark, or images with theirs."""
    import pandas as pd

    card, made = _card(fit), _generated(fit, n, seed, conditions)
    if not card.columns:
        if made.outside.any():
            warnings.warn(_outside_told(int(made.outside.sum())), UserWarning, stacklevel=3)
        return _as_examples(card, made.mean, conditions)
    given = {name: np.full(n, value) for name, value in conditions.items()}
    columns: dict[str, Any] = {**dict(zip(card.columns, made.drawn.T, strict=True)), **given}
    return pd.DataFrame(columns | ({OUTSIDE: made.outside} if conditions else {}))


def _as_examples(card: AutoencoderCard, images: Floats, conditions: Conditions) -> Examples:
    """Return images that were made as those that are read are."""
    from bayeskit.models.autoencoders.conditions import conditions_of

    values, _ = conditions_of(card.conditions, conditions, len(images))
    given = tuple(
        Condition(each.name, found, each.classes) for each, found in zip(card.conditions, values, strict=True)
    )
    source = Source("", "", say_count(len(images), "{n} generated image", "{n} generated images"))
    return Examples(
        values=images.astype(np.float32),
        columns=(),
        rows=np.arange(1, len(images) + 1),
        labels=None,
        conditions=given,
        held_out=None,
        binarise="none",
        levels=0,
        source=source,
    )


def predict_examples_to_file(fit: Fit, data: str, out: Path, seed: int, notify: Callable[[str], None]) -> Path:
    """Write codes to a CSV file; of images to an .npz file codes, reconstructions and completions."""
    from bayeskit.models.autoencoders.using import completed, reconstructed

    card, new = _card(fit), read_new(fit, data)
    for note in new.notes:
        notify(note)
    results = _predicted(fit, new, seed)
    _tell_outside(results.get(OUTSIDE), notify)
    if not _is_array(out, card):
        write_table(beside(new.frame, {name: formatted(column) for name, column in results.items()}), out)
        return out
    module = _module(fit)
    codes = [f"code_{place + 1}" for place in range(card.latent)]
    arrays = {
        "row": new.frame["row"].to_numpy().astype(str),
        "codes": np.column_stack([results[name] for name in codes]),
        "codes_sd": np.column_stack([results[f"{name}_sd"] for name in codes]),
        **{name: results[name] for name in ("rmse", "elbo", OUTSIDE) if name in results},
        "reconstructions": reconstructed(module, new.values, new.conditions).astype(np.float32),
    }
    if card.quadrants:
        rng = np.random.default_rng([seed, 4])
        made = completed(module, new.values, new.conditions, n_samples=_COMPLETIONS, rng=rng)
        arrays["completed"] = made.astype(np.float32)
    return _write_arrays(arrays, out)


def generate_examples_to_file(
    fit: Fit, n: int, out: Path, seed: int, conditions: Conditions, notify: Callable[[str], None]
) -> Path:
    """Write new rows to a CSV file; images to an .npz file, or to a .png file side by side."""
    card = _card(fit)
    if card.columns:
        frame = generate_examples(fit, n, seed, conditions)
        assert not isinstance(frame, Examples)
        _tell_outside(frame[OUTSIDE].to_numpy() if OUTSIDE in frame else None, notify)
        return write_results(frame, out)
    made = _generated(fit, n, seed, conditions)
    _tell_outside(made.outside, notify)
    if out.suffix.lower() == ".png":
        return _write_sheet(made.mean, out)
    if not _is_array(out, card):
        raise ConfigError(f"output {out}: images go to .npz (arrays) or .png (side by side); give --out one of these")
    given = {name: np.full(n, value) for name, value in conditions.items()}
    arrays = {"images": made.mean.astype(np.float32), "drawn": made.drawn.astype(np.float32), **given}
    return _write_arrays(arrays | ({OUTSIDE: made.outside} if conditions else {}), out)


def conditions_from(words: Sequence[str]) -> dict[str, str]:
    """Return conditions from texts such as ``temperature=400``.

    Raises
    ------
    ConfigError
        For a text of another form, or a condition that is given twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, sign, value = (part.strip() for part in word.partition("="))
        if not (name and sign and value):
            raise ConfigError(f"--condition '{word}' must be NAME=VALUE, such as temperature=400")
        if name in found:
            raise ConfigError(f"--condition {name} is given twice; give it once")
        found[name] = value
    return found


def _card(fit: Fit) -> AutoencoderCard:
    card = fit.provenance.card.autoencoder
    if card is None:
        raise ConfigError(f"a run of {fit.provenance.model} is no autoencoder; fit one (bayeskit fit vae)")
    return card


def _weights(fit: Fit) -> dict[str, NDArray[Any]]:
    if "weights" not in fit.posterior.children:
        why = " ".join(str(text) for text in fit.missing) or "There are none."
        raise DataError(f"the run has no networks to work with. {why} Fit again")
    return {str(name): array.to_numpy() for name, array in fit.posterior["weights"].to_dataset().data_vars.items()}


def _module(fit: Fit) -> Autoencoder:
    from bayeskit.models.autoencoders.using import rebuilt

    return rebuilt(_card(fit), _weights(fit))


def _generated(fit: Fit, n: int, seed: int, conditions: Conditions) -> Any:
    from bayeskit.models.autoencoders.using import generated

    return generated(_card(fit), _weights(fit), n, conditions, rng=np.random.default_rng([seed, 3]))


def _predicted(fit: Fit, new: New, seed: int) -> dict[str, NDArray[Any]]:
    from bayeskit.models.autoencoders.using import codes_of, reconstructed

    card, module = _card(fit), _module(fit)
    found = codes_of(module, new.values, new.conditions, rng=np.random.default_rng([seed, 2]))
    columns: dict[str, NDArray[Any]] = {}
    for place in range(card.latent):
        columns |= {f"code_{place + 1}": found.mean[:, place], f"code_{place + 1}_sd": found.sd[:, place]}
    made = reconstructed(module, new.values, new.conditions)
    if card.columns:
        columns |= {f"{name}_reconstructed": made[:, place] for place, name in enumerate(card.columns)}
    else:
        axes = tuple(range(1, made.ndim))
        columns["rmse"] = np.sqrt(np.mean((made - new.values) ** 2, axis=axes))
    return columns | {"elbo": found.elbo} | ({OUTSIDE: found.outside} if card.conditions else {})


def _read_table(card: AutoencoderCard, data: Data | Examples) -> New:
    if isinstance(data, Examples):
        raise DataError("the run is of a table; give a data frame or a file")
    numbers = [given.name for given in card.conditions if not given.classes]
    classes = [given.name for given in card.conditions if given.classes]
    wanted = (*card.columns, *numbers)
    frame, values, rows = values_of(data, wanted)
    place = Place("the data frame" if hasattr(data, "columns") else os.fspath(data))
    for at, name in enumerate(wanted):
        empty = np.flatnonzero(np.isnan(values[:, at]))
        if empty.size:
            cells = [(rows[row], "") for row in empty]
            raise place.error("empty", "fill it, or leave the row out", column=name, cells=cells)
    lacking = [name for name in classes if name not in frame]
    if lacking:
        raise place.error(f"there is no column {listed(lacking)}", f"the run is given {', '.join(classes)}")
    texts = texts_of(data)[0] if classes else frame
    given: dict[str, Any] = {name: values[:, len(card.columns) + at] for at, name in enumerate(numbers)}
    given |= {name: np.array([text_of(cell) for cell in texts[name]]) for name in classes}
    return New(frame, values[:, : len(card.columns)], given)


def _read_images(card: AutoencoderCard, data: Data | Examples) -> New:
    import pandas as pd

    if hasattr(data, "iloc"):
        raise DataError("the run is of images; give a file, a folder, or what bk.examples makes of an array")
    given: dict[str, Any]
    notes: tuple[str, ...] = ()
    if isinstance(data, Examples):
        values, rows, labels = data.values, data.rows, data.labels
        given = {each.name: np.array(each.classes or each.values)[_places(each)] for each in data.conditions}
    else:
        pictures = _pictures(card, str(data))
        values, rows, labels = scaled(pictures.values, pictures.levels), pictures.rows, pictures.labels
        given, notes = dict(pictures.arrays), pictures.notes
        if card.binarise != "none":
            draw_pixels(values)
    if labels is not None:
        given.setdefault(_LABEL, labels)
    asked = [each.name for each in card.conditions]
    missing = [name for name in asked if name not in given]
    if missing:
        raise DataError(f"images have no {listed(missing)}, which the run is given; give images that come with it")
    columns = {"row": rows} | ({} if labels is None else {_LABEL: labels})
    return New(pd.DataFrame(columns), values, {name: given[name] for name in asked}, notes)


def _places(condition: Condition) -> NDArray[Any]:
    return condition.values if condition.classes else np.arange(len(condition.values))


def _pictures(card: AutoencoderCard, path: str) -> Pictures:
    """Return images in the size of the run's: those in a folder are brought to it."""
    place, size = Place(path), (card.shape[0], card.shape[1])
    try:
        found = read_pictures(path, place, size)
    except ConfigError:  # only those in a folder can be
        found = read_pictures(path, place)
    if found is None:
        raise place.error("there are no images", "the run is of images; give a folder or file of some")
    return found


def _tell_outside(outside: NDArray[Any] | None, notify: Callable[[str], None]) -> None:
    if outside is not None and outside.any():
        notify(_outside_told(int(outside.sum())))


def _outside_told(number: int) -> str:
    return (
        f"{counted(number, 'row')} under conditions outside those of the training, of which the networks know nothing; "
        f"'{OUTSIDE}' marks them in a table"
    )


def _is_array(out: Path, card: AutoencoderCard) -> bool:
    return not card.columns and out.suffix.lower() == ".npz"


def _write_arrays(arrays: Mapping[str, NDArray[Any]], out: Path) -> Path:
    content, named = io.BytesIO(), {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(content, allow_pickle=False, **named)
    return _write_bytes(content.getvalue(), out)


def _write_sheet(images: Floats, out: Path) -> Path:
    """Write images side by side, as many down as across."""
    from PIL import Image

    across = math.ceil(math.sqrt(len(images)))
    down = math.ceil(len(images) / across)
    height, width, *channels = images.shape[1:]
    sheet = np.ones((down * across, height + 2, width + 2, *channels))
    sheet[: len(images), 1:-1, 1:-1] = images
    grid = sheet.reshape(down, across, height + 2, width + 2, *channels).swapaxes(1, 2)
    pixels = np.clip(grid.reshape(down * (height + 2), across * (width + 2), *channels), 0, 1)
    content = io.BytesIO()
    Image.fromarray((255 * pixels).round().astype(np.uint8)).save(content, "png")
    return _write_bytes(content.getvalue(), out)


def _write_bytes(content: bytes, out: Path) -> Path:
    with readable_disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, content)
    return out
