"""Ratings as a table of users by items, most of it empty, beside what the model expects in every cell of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import joined, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_matrix import harmless
from bayeskit.reporting.rating_summary import Summary
from bayeskit.reporting.rating_view import Factorisation, Rated

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LOW, MIDDLE, HIGH = "component-1", "rule", "fit"


def matrix_figure(found: Factorisation, summary: Summary | None) -> f.Figure | None:
    """Draw the ratings of the busiest users and the most rated items beside the predictions; None without ratings."""
    if found.rated is None or summary is None or min(summary.shown.shape) < 2:
        return None
    users, items = _ordered(summary)
    seen = _seen(found, found.rated, users[0], items[0])
    expected = summary.shown[np.ix_(users[1], items[1])]
    known = np.isfinite(seen)
    everywhere = found.card.n_ratings / (found.card.n_users * found.card.n_items)
    names = {
        "y": harmless([str(found.users.names[user]) for user in users[0]]),
        "x": harmless([found.items.title(int(item)) for item in items[0]]),
        "between": ": ",
    }
    alts = (
        say("Ratings of {users} users and {items} items; {share} of the fields are empty.", **_sizes(seen)),
        say("What the model expects in each of these fields, empty ones too."),
    )
    labels = (say("Ratings, blank where there is none"), say("Expected ratings, everywhere"))
    return f.Figure(
        name="ratings",
        title=say(
            "{share} of all pairs of a user and an item have a rating; the model fills in the others",
            share=percent(everywhere),
        ),
        caption=joined(
            [
                say(
                    "How to read: rows are the users with the most ratings, columns the items with the most; a field "
                    "is one rating. Both are sorted by what tells tastes apart most, so that users and items that go "
                    "together stand in opposite corners."
                ),
                say(
                    "What is missing is not zero: the left table is all that the fit saw of these, the right one what "
                    "it says."
                ),
            ]
        ),
        panels=tuple(
            _panel(found, cells, names, label, alt)
            for cells, label, alt in zip((seen, expected), labels, alts, strict=True)
        ),
        key=_key(found),
        note=joined([_agreement(seen, expected, known), _thinned(found, seen)]),
    )


def _ordered(summary: Summary) -> tuple[tuple[Integers, Integers], tuple[Integers, Integers]]:
    """Return users and items, and their places in the table, along what tells tastes apart most."""
    around = summary.shown - summary.shown.mean(0) - summary.shown.mean(1, keepdims=True) + summary.shown.mean()
    left, _, right = np.linalg.svd(around, full_matrices=False)
    sign = 1.0 if right[0, 0] >= 0 else -1.0  # either is as good, and rounding must not choose
    rows, columns = (np.argsort(sign * one, kind="stable") for one in (left[:, 0], right[0]))
    return (summary.shown_users[rows], rows), (summary.shown_items[columns], columns)


def _seen(found: Factorisation, rated: Rated, users: Integers, items: Integers) -> Floats:
    """Return the ratings of these users and items, NaN where there are none."""
    rows, columns = (_places(chosen, size) for chosen, size in ((users, len(found.users)), (items, len(found.items))))
    table = np.full((users.size, items.size), np.nan)
    row, column = rows[rated.user], columns[rated.item]
    mine = (row >= 0) & (column >= 0)
    table[row[mine], column[mine]] = rated.value[mine]
    return table


def _places(chosen: Integers, size: int) -> Integers:
    places = np.full(size, -1)
    places[chosen] = np.arange(chosen.size)
    return places


def _panel(found: Factorisation, cells: Floats, names: dict[str, Any], label: str, alt: str) -> f.Panel:
    middle = found.rated.mean if found.rated is not None else (found.card.low + found.card.high) / 2
    place = float(np.clip((middle - found.card.low) / (found.card.high - found.card.low), 0.05, 0.95))
    trace = {
        "type": "heatmap",
        "name": label,
        "z": cells,
        "zmin": found.card.low,
        "zmax": found.card.high,
        "colorscale": [[0, f"var(--{LOW})"], [place, f"var(--{MIDDLE})"], [1, f"var(--{HIGH})"]],
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": "%{text}: %{z:.2~f}<extra></extra>",
    }
    bare = {"showgrid": False, "ticks": "", "showticklabels": False}
    layout = f.layout(
        say("items"),
        say("users"),
        xaxis=bare,
        yaxis={**bare, "autorange": "reversed"},
        hovermode="closest",
        margin={"l": 26, "r": 6, "t": 6, "b": 30},
    )
    return f.Panel([trace], layout, alt, label=label, height=420, behaviour={"square": True, "names": names})


def _key(found: Factorisation) -> tuple[tuple[str, str], ...]:
    mean = found.rated.mean if found.rated is not None else 0.0
    return (
        (LOW, f"{found.card.low:g}"),
        (MIDDLE, say("{value}, the mean of all", value=found.rating(mean))),
        (HIGH, f"{found.card.high:g}"),
    )


def _sizes(seen: Floats) -> dict[str, str]:
    return {
        "users": f"{seen.shape[0]:,}",
        "items": f"{seen.shape[1]:,}",
        "share": percent(float(np.mean(~np.isfinite(seen)))),
    }


def _agreement(seen: Floats, expected: Floats, known: NDArray[np.bool_]) -> str:
    if known.sum() < 3:
        return ""
    correlation = float(np.corrcoef(seen[known], expected[known])[0, 1])
    if not np.isfinite(correlation):
        return ""
    return say(
        "Where there is a rating, which the fit has seen, the two tables correlate by {value}.",
        value=f"{correlation:.2f}",
    )


def _thinned(found: Factorisation, seen: Floats) -> str:
    if seen.shape == (found.card.n_users, found.card.n_items):
        return ""
    return say(
        "Drawn: {users} of {all_users} users and {items} of {all_items} items.",
        users=f"{seen.shape[0]:,}",
        items=f"{seen.shape[1]:,}",
        all_users=f"{found.card.n_users:,}",
        all_items=f"{found.card.n_items:,}",
    )
