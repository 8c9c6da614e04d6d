"""Rows beside what the decoder makes of their codes: images side by side, columns of a table value by value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.words import joined, percent, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_numbers import explained, rmse
from bayeskit.reporting.autoencoder_sheets import picture, sheet_of, ticks
from bayeskit.reporting.autoencoder_view import Autoencoder, Rebuilt
from bayeskit.reporting.groups import thinned

Floats = NDArray[np.float64]

ACROSS = 12  # images
MAX_COLUMNS = 12  # of a table
MAX_DRAWN = 300  # rows of a table


def rebuilt_figure(found: Autoencoder, error: float | None) -> f.Figure | None:
    """Draw rows and what became of them; ``error`` is that of all held-out rows. None where no rows were kept."""
    rebuilt = found.rebuilt
    if rebuilt is None:
        return None
    return _images(found, rebuilt, error) if found.is_images else _table(found, rebuilt)


def _images(found: Autoencoder, rebuilt: Rebuilt, error: float | None) -> f.Figure:
    kinds = [(say("original"), rebuilt.original)]
    kinds += [(say("noised"), rebuilt.given)] if rebuilt.given is not None else []
    kinds += [(say("rebuilt"), rebuilt.made)]
    across = min(ACROSS, len(rebuilt.made))
    blocks = [
        np.stack([_padded(images[start : start + across], across) for _, images in kinds])
        for start in range(0, len(rebuilt.made), across)
    ]
    sheet = sheet_of(blocks)
    told = [name for _ in blocks for name, _ in kinds]
    alt = say("{n} images, each above what the decoder makes of its codes.", n=len(rebuilt.made))
    share = explained(rebuilt.original, rebuilt.made)
    error = rmse(rebuilt.original, rebuilt.made) if error is None else error
    template = mark("Rebuilt from {codes}, images are off by {error} on a scale of grey from 0 to 1")
    title = say(template, codes=found.told, error=significant(error, 2))
    return f.Figure(
        name="reconstructions",
        title=title,
        caption=joined(
            [
                say(
                    "How to read: each image stands above what the decoder makes of the mean of its codes. What is "
                    "blurred or another shape is what the codes do not tell."
                ),
                say("These were held out from training.") if found.held_out else "",
                say("Noise was added to what the encoder saw, and is not to be rebuilt.")
                if rebuilt.given is not None
                else "",
                say(
                    "Of the differences between these images the codes explain {share} (their mean image explains "
                    "none).",
                    share=percent(max(0.0, share)),
                ),
            ]
        ),
        panels=(picture(sheet, alt, yaxis=ticks(sheet.rows, told)),),
        note=sheet.note,
    )


def _table(found: Autoencoder, rebuilt: Rebuilt) -> f.Figure:
    rows = thinned(np.arange(len(rebuilt.made)), MAX_DRAWN)
    shares = [explained(rebuilt.original[:, [j]], rebuilt.made[:, [j]]) for j in range(found.card.shape[0])]
    order = np.argsort(shares, kind="stable")[:MAX_COLUMNS]
    left = len(shares) - order.size
    return f.Figure(
        name="reconstructions",
        title=say(
            "{codes:capital} explain {share} of the columns' variance, from {low} to {high} of each",
            codes=found.told,
            share=percent(max(0.0, float(np.mean(shares)))),
            low=percent(max(0.0, min(shares))),
            high=percent(max(0.0, max(shares))),
        ),
        caption=joined(
            [
                say(
                    "How to read: each dot is a row, at its value in the data and at what the decoder makes of the "
                    "mean of its codes; on the line the two are the same."
                ),
                say("These rows were held out from training.") if found.held_out else "",
                say("The columns that are explained least come first.") if len(shares) > 1 else "",
            ]
        ),
        panels=tuple(_column(found, rebuilt, rows, int(j), shares[j]) for j in order),
        note=joined(
            [
                say("Drawn: {n} of {total} rows.", n=rows.size, total=f"{len(rebuilt.made):,}")
                if rows.size < len(rebuilt.made)
                else "",
                say("{n} more columns are explained better.", n=left) if left else "",
            ]
        ),
    )


def _column(found: Autoencoder, rebuilt: Rebuilt, rows: NDArray[np.int64], column: int, share: float) -> f.Panel:
    x, y = rebuilt.original[rows, column], rebuilt.made[rows, column]
    ends = [float(min(x.min(), y.min())), float(max(x.max(), y.max()))]
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": say("rows"),
        "x": x,
        "y": y,
        "marker": {"color": f.FIT, "size": 4, "opacity": 0.5},
        "hovertemplate": say("{a} rebuilt as {b}", a="%{x:.4~g}", b="%{y:.4~g}") + "<extra></extra>",
    }
    layout = f.layout(say("in the data"), say("rebuilt"), hovermode="closest", yaxis={"showgrid": False})
    name = found.card.columns[column]
    told = say("{column}: {share} explained", column=found.column(column), share=percent(max(0.0, share)))
    alt = say("Rebuilt against original values of {column}; {share} explained.", column=name, share=percent(share))
    return f.Panel([f.line(ends, ends, f.MUTED, 1), dots], layout, alt, label=told, height=220)


def _padded(images: Floats, n: int) -> Floats:
    """Return a row of images, empty ones behind."""
    blank = np.full((n - len(images), *images.shape[1:]), np.nan)
    return np.concatenate([images, blank])
