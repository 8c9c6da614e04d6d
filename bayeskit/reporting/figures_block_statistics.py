"""Numbers that describe a graph beside the same of graphs that the model draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeskit.core.language import say
from bayeskit.core.words import count
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_fit import Statistic

BARS = 16
MAX_TICKS = 5


def statistics_figure(found: list[Statistic]) -> f.Figure | None:
    """Draw each statistic's replications, and the data's own; None where there are none."""
    if not found:
        return None
    wrong = [statistic for statistic in found if statistic.off]
    title = say(
        "Graphs that the model draws look like this one in {n} of {total} respects",
        n=len(found) - len(wrong),
        total=len(found),
    )
    return f.Figure(
        name="statistics",
        title=title,
        caption=say(
            "How to read: bars are how often graphs drawn from the posterior have a value, the line is that of the "
            "data. A line far from all bars is what the model misses."
        ),
        panels=tuple(_panel(statistic) for statistic in found),
        key=(("observed", say("observed")), ("fit", say("replicated by the model"))),
        note=say("Of {what}.", what=count(found[0].draws.size, "replication")),
    )


def _whole(ends: list[float]) -> dict[str, Any]:
    places = np.arange(int(ends[0]), int(ends[1]) + 1)
    kept = places[:: max(1, -(-places.size // MAX_TICKS))].tolist()
    return {"tickvals": kept, "ticktext": [f"{place:,}" for place in kept]}


def _panel(statistic: Statistic) -> f.Panel:
    draws, seen = statistic.draws, statistic.observed
    low, high = float(draws.min()), float(draws.max())
    whole = np.all(draws == np.round(draws)) and high - low < BARS
    edges = np.arange(low - 0.5, high + 1) if whole else np.histogram_bin_edges(draws, BARS)
    counts, edges = np.histogram(draws, edges)
    bars = {
        "type": "bar",
        "name": say("replicated by the model"),
        "x": (edges[:-1] + edges[1:]) / 2,
        "y": counts / draws.size,
        "width": np.diff(edges),
        "marker": {"color": f.FIT},
        "hovertemplate": "%{x:.3~g}: %{y:.0%}<extra></extra>",
    }
    ends = [min(low, seen), max(high, seen)]
    margin = max(0.08 * (ends[1] - ends[0]), 1.0 if whole else 0.0) or abs(seen) or 1.0
    line = {"type": "line", "yref": "paper", "x0": seen, "x1": seen, "y0": 0, "y1": 1}
    layout = f.layout(
        statistic.name,
        "",
        bargap=0.05,
        xaxis={"range": [ends[0] - margin, ends[1] + margin], **(_whole(ends) if whole else {"nticks": 4})},
        yaxis={"rangemode": "tozero", "showticklabels": False, "ticks": "", "showgrid": False},
        shapes=[{**line, "line": {"color": f.OBSERVED, "width": 2.2}}],
        margin={"l": 14, "r": 14},
    )
    observed, interval = statistic.texts
    told = {"name": statistic.name, "observed": observed, "interval": interval}
    label = say("{name}: {observed}, replicated {interval}", **told)
    alt = say("{name} is {observed} of the data and {interval} of replications.", **told)
    return f.Panel([bars], layout, alt, label=label, height=170)
