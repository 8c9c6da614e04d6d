"""A first look at ratings: how often each was given, and how many users and items have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Fit
from bayeskit.core.words import NO_BREAK, joined, number, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_numbers import log_ticks
from bayeskit.reporting.rating_reading import read_factorisation
from bayeskit.reporting.rating_view import Factorisation, Rated

Integers = NDArray[np.int64]

BARS = 20  # of ratings that are no levels
MOST_BARS = 40  # of those that are
POINTS = 300


def ratings_figure(fit: Fit) -> f.Figure | None:
    """Draw how often each rating was given, and how many users and items have; None where ratings are lost."""
    found = read_factorisation(fit)
    if found is None or found.rated is None:
        return None
    users, items = found.counts("user"), found.counts("item")
    some = np.sort(items)[::-1]
    tenth = max(1, -(-items.size // 10))
    unseen = int((items == 0).sum())
    return f.Figure(
        name="given",
        title=say(
            "Half of the users rated {n} items or more; a tenth of the items has {share} of all ratings",
            n=f"{int(np.median(users[users > 0])):,}",
            share=percent(float(some[:tenth].sum() / some.sum())),
        ),
        caption=joined(
            [
                say(
                    "How to read: how often each rating was given; then the share of users who gave at least so many "
                    "ratings, and of items that got them, both axes logarithmic. Of training ratings alone."
                ),
                say_count(unseen, "{n} item has none.", "{n} items have none.") if unseen else "",
            ]
        ),
        panels=(
            _given(found, found.rated),
            _tail(users, say("ratings of a user"), say("share of users")),
            _tail(items, say("ratings of an item"), say("share of items")),
        ),
    )


def _given(found: Factorisation, rated: Rated) -> f.Panel:
    values, counts = np.unique(rated.value, return_counts=True)
    if values.size > MOST_BARS:
        counts, edges = np.histogram(rated.value, BARS, (found.card.low, found.card.high))
        values = (edges[:-1] + edges[1:]) / 2
    bars = {
        "type": "bar",
        "name": say("ratings"),
        "x": values,
        "y": counts / rated.value.size,
        "marker": {"color": f.OBSERVED},
        "hovertemplate": "%{x:.3~g}: %{y:.1%}<extra></extra>",
    }
    few = {"tickvals": values.tolist(), "ticktext": [f"{value:g}" for value in values]} if values.size <= 6 else {}
    layout = f.layout(say("rating"), say("share of ratings"), xaxis=few, yaxis={"tickformat": ".0%"}, bargap=0.15)
    most = float(values[counts.argmax()])
    alt = say("The most frequent rating is {value}, the mean {mean}.", value=f"{most:.3g}", mean=number(rated.mean, 2))
    return f.Panel([bars], layout, alt, label=say("Ratings, mean {mean}", mean=number(rated.mean, 2)), height=230)


def _tail(counts: Integers, name: str, share: str) -> f.Panel:
    found, repeats = np.unique(counts[counts > 0], return_counts=True)
    shares = np.cumsum(repeats[::-1])[::-1] / counts.size
    kept = np.unique(np.linspace(0, found.size - 1, min(found.size, POINTS)).astype(int))
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
        share,
        xaxis={"type": "log", **log_ticks(found.astype(float), lambda value: number(value, 0))},
        yaxis={"type": "log", **log_ticks(shares, lambda value: f"{100 * value:g}{NO_BREAK}%")},
        hovermode="closest",
    )
    alt = say(
        "{name}: at most {most}, on average {mean}.",
        name=name,
        most=f"{int(counts.max()):,}",
        mean=number(float(counts.mean()), 1),
    )
    return f.Panel([dots], layout, alt, label=name, height=230)
