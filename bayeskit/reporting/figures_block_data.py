"""A first look at a graph: how many edges its nodes have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Fit
from bayeskit.core.words import NO_BREAK, joined, number, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_numbers import log_ticks
from bayeskit.reporting.block_reading import read_degrees

Floats = NDArray[np.float64]

MAX_POINTS = 400


def degree_figure(fit: Fit) -> f.Figure | None:
    """Draw the distribution of the nodes' degrees; None where nobody knows them."""
    card, degrees = fit.provenance.card.blocks, read_degrees(fit)
    if card is None or degrees is None or not max(values.max() for values in degrees):
        return None
    weighted = card.weighted or any(not np.array_equal(values, np.round(values)) for values in degrees)
    names = [say("edges out"), say("edges in")] if card.directed else [say("edges")]
    if weighted and card.directed:
        names = [say("weight of the edges out"), say("weight of the edges in")]
    elif weighted:
        names = [say("weight of the edges")]
    panels = [_panel(values, name) for values, name in zip(degrees, names, strict=False)]
    alone = int(np.sum((degrees[0] == 0) & (degrees[1] == 0)))
    total = degrees[0] if not card.directed else degrees[0] + degrees[1]
    low, middle, high = np.quantile(total, [0.05, 0.5, 0.95])
    told = {"low": _number(low), "middle": _number(middle), "high": _number(high)}
    title = say(
        "Nine in ten nodes have {low} to {high} edges, half at least {middle}",
        **told,
    )
    if weighted:
        title = say(
            "Of nine in ten nodes the edges weigh {low} to {high}, of half at least {middle}",
            **told,
        )
    return f.Figure(
        name="degrees",
        title=title,
        caption=joined(
            [
                say(
                    "How to read: the share of the nodes that have at least so many; both axes are logarithmic. A "
                    "straight line is a heavy tail, a steep bend that nodes are alike."
                ),
                say_count(alone, "{n} node has no edge.", "{n} nodes have no edge.") if alone else "",
            ]
        ),
        panels=tuple(panels),
    )


def _number(value: float) -> str:
    return number(value, 0) if value >= 1 or value == 0 else significant(value, 2)


def _share(value: float) -> str:
    return f"{100 * value:g}{NO_BREAK}%"


def _panel(degrees: Floats, name: str) -> f.Panel:
    found, counts = np.unique(degrees[degrees > 0], return_counts=True)
    shares = np.cumsum(counts[::-1])[::-1] / degrees.size
    kept = np.unique(np.geomspace(1, found.size, min(found.size, MAX_POINTS)).astype(int)) - 1
    kept = np.unique(np.concatenate([kept, found.size - 1 - kept]))
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": found[kept],
        "y": shares[kept],
        "marker": {"color": f.OBSERVED, "size": 5, "opacity": 0.75},
        "hovertemplate": "%{x}: %{y:.2%}<extra></extra>",
    }
    layout = f.layout(
        name,
        say("share of the nodes"),
        xaxis={"type": "log", **log_ticks(found, _number)},
        yaxis={"type": "log", **log_ticks(shares, _share)},
        hovermode="closest",
    )
    alt = say(
        "{name} of {n} nodes: at most {most}, on average {mean}.",
        name=name,
        n=f"{degrees.size:,}",
        most=_number(float(degrees.max())),
        mean=significant(float(degrees.mean()), 3),
    )
    return f.Panel([dots], layout, alt, label=name, height=230)
