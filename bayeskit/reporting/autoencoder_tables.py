"""Columns of a table: how well the codes rebuild each, in its own units."""

from __future__ import annotations

import numpy as np

from bayeskit.core.language import say
from bayeskit.core.words import NO_BREAK, align, number, significant
from bayeskit.reporting.autoencoder_numbers import explained, rmse
from bayeskit.reporting.autoencoder_view import Autoencoder
from bayeskit.reporting.group_tables import Cell, GroupRow, GroupTable

MAX_ROWS = 30


def column_table(found: Autoencoder) -> GroupTable | None:
    """Return errors of reconstruction by column; None of images, or where no rows were kept."""
    rebuilt = found.rebuilt
    if found.is_images or rebuilt is None:
        return None
    n = found.card.shape[0]
    pairs = [(rebuilt.original[:, column], rebuilt.made[:, column]) for column in range(n)]
    shares = np.array([explained(*pair) for pair in pairs])
    noise = found.bound.noise_sd
    noise = np.full(n, noise[0]) if noise.size == 1 else noise
    order = np.argsort(shares, kind="stable")[:MAX_ROWS].tolist()
    told = [
        [significant(float(pairs[column][0].std()), 3) for column in order],
        [significant(rmse(*pairs[column]), 2) for column in order],
        [f"{number(100 * float(shares[column]), 1)}{NO_BREAK}%" for column in order],
    ]
    headings = [say("sd in the data"), say("error"), say("explained")]
    if noise.size == n:
        told.append([significant(float(noise[column]), 2) for column in order])
        headings.append(say("noise, sd"))
    cells = zip(*map(align, told), strict=True)
    rows = [
        GroupRow(found.column(column), tuple[Cell, ...]((text, "") for text in row))
        for column, row in zip(order, cells, strict=True)
    ]
    return GroupTable(
        title=say("How well each column is rebuilt"),
        caption=say(
            "In each column's own units: its standard deviation, the root mean square error of what the decoder makes "
            "of a row's codes, and the share of the variance that these explain. The noise is what the model takes a "
            "value to vary by where codes are known."
        ),
        first=say("column"),
        columns=tuple(headings),
        rows=tuple(rows),
        note=say("The {n} columns that are explained least, of {total}.", n=len(order), total=n)
        if len(order) < n
        else "",
    )
