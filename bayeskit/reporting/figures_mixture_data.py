"""A first look at the points of a mixture: each column in its order, with its distribution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Fit
from bayeskit.core.words import joined
from bayeskit.reporting import figures as f
from bayeskit.reporting.figures_data import MAX_POINTS, MAX_VARIABLES, in_order
from bayeskit.reporting.results import group


def mixture_data_figure(fit: Fit, described: Mapping[str, str]) -> tuple[f.Figure | None, list[str]]:
    """Draw each column, and return which of them are left out.

    Parameters
    ----------
    fit
        With ``points`` in the group ``observed_data``.
    described
        What is known of each column, as the source has it.
    """
    card, observed = fit.provenance.card.mixture, group(fit, "observed_data")
    if card is None or observed is None or "points" not in observed:
        return None, []
    points = observed["points"]
    point, column = map(str, points.dims)
    shown = card.columns[:MAX_VARIABLES]
    panels = []
    for place, name in enumerate(shown):
        array = points.isel({column: place}, drop=True).rename(name)
        panels.append(in_order(array, f"{name}: {described[name]}" if name in described else name))
    n, missing = points.sizes[point], int(np.isnan(points.to_numpy()).any(1).sum())
    notes = []
    if n > MAX_POINTS:
        notes.append(
            say("{n} values each are drawn, evenly spaced; their distribution is of all.", n=f"{MAX_POINTS:,}")
        )
    if missing:
        notes.append(say_count(missing, "{n} point lacks a coordinate.", "{n} points lack a coordinate."))
    return f.Figure(
        name="data",
        title=say_count(len(shown), "{n} column of the data", "{n} columns of the data, one by one"),
        caption=say(
            "How to read: dots are the values in their order, grey bars beside them how often they occur. Look for "
            "what should not be there: codes for missing values, jumps, units that differ."
        ),
        panels=tuple(panels),
        note=joined(notes),
    ), list(card.columns[MAX_VARIABLES:])
