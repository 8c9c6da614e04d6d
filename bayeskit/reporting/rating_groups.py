"""What is expected of groups of items and of users, by the columns of their tables: genres, years, occupations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment
from bayeskit.core.words import interval, joined, number
from bayeskit.reporting.group_tables import GroupRow, GroupTable
from bayeskit.reporting.rating_columns import members_of
from bayeskit.reporting.rating_summary import Followed, Summary
from bayeskit.reporting.rating_view import Factorisation, Side
from bayeskit.reporting.results import rows_of

Floats = NDArray[np.float64]

MAX_COLUMNS = 3  # a table
N_ENDS = 4  # groups of a column at each end
FEWEST = 3  # members of a group


@dataclass(frozen=True, eq=False)
class _Told:
    """A group: its column, its name, how many it has, and draws of its mean."""

    column: str
    name: str
    n: int
    draws: Floats


def group_tables(found: Factorisation, summary: Summary | None) -> list[GroupTable]:
    """Return what all users are expected to give by groups of items, and by groups of users to all items."""
    if summary is None:
        return []
    made = [
        _table(
            found,
            found.items,
            summary.items,
            say("What kinds of items are liked"),
            say("What all users together are expected to give to the items of a group, on average."),
        ),
        _table(
            found,
            found.users,
            summary.users,
            say("Who is generous"),
            say("What the users of a group are expected to give to all items, on average."),
        ),
    ]
    return [table for table in made if table is not None]


def _table(found: Factorisation, side: Side, followed: Followed, title: str, caption: str) -> GroupTable | None:
    rows, left = list[GroupRow](), 0
    for name, values in list(side.columns.items()):
        members = members_of(values) if name != "title" else {}
        told = [
            _Told(name, group, mine.size, followed.draws[:, mine].mean(1, dtype=float))
            for group, mine in members.items()
            if mine.size >= FEWEST
        ]
        if len(told) < 2 or len({row.name.partition(":")[0] for row in rows}) >= MAX_COLUMNS:
            continue
        if values.dtype.kind not in "iuf":  # which have an order of their own
            told.sort(key=lambda one: -float(one.draws.mean()))
        shown = told if len(told) <= 2 * N_ENDS else [*told[:N_ENDS], *told[-N_ENDS:]]
        left += len(told) - len(shown)
        rows += [_row(found, one) for one in shown]
    if not rows:
        return None
    several = say_count(left, "{n} group in between is not shown.", "{n} groups in between are not shown.")
    return GroupTable(
        title=title,
        caption=joined([caption, "" if found.is_point else say("With its 95\u00a0% interval.")]),
        first=say("group"),
        columns=(say("expected rating"), *(() if found.is_point else (say("95\u00a0% interval"),)), say("members")),
        rows=tuple(rows),
        note=several if left else "",
    )


def _row(found: Factorisation, told: _Told) -> GroupRow:
    value = (found.rating(float(told.draws.mean())), "")
    count = (f"{told.n:,}", "")
    name = say("{column}: {group}", column=told.column, group=told.name)
    if found.is_point:
        return GroupRow(name, (value, count))
    low, high = (found.rating(float(end)) for end in np.quantile(told.draws, [0.025, 0.975]))
    return GroupRow(name, (value, (interval(low, high), ""), count))


def feature_table(found: Factorisation, assessment: Assessment) -> GroupTable | None:
    """Return how much each group of features moves the prior means of users and of items; None where there are none."""
    rows = []
    for side, groups in (("user", found.card.user_features), ("item", found.card.item_features)):
        table = rows_of(assessment.summary, f"{side}_lambda")
        if "q2.5" not in table or len(table) != len(groups):
            continue
        template = mark("users: {name}") if side == "user" else mark("items: {name}")
        for name, (_, row) in zip(groups, table.iterrows(), strict=True):
            middle, low, high = (float(row[column]) ** -0.5 for column in ("median", "q97.5", "q2.5"))
            rows.append((middle, GroupRow(say(template, name=name), (_cell(middle), (_ends(low, high), "")))))
    if not rows:
        return None
    return GroupTable(
        title=say("How much each group of features tells"),
        caption=say(
            "How far one feature of the group moves users, or items, in units of how much those still differ that have "
            "the same features: its coefficients' standard deviation, 1 / sqrt(lambda)."
        ),
        first=say("features"),
        columns=(say("size of a coefficient"), say("95 % interval")),
        rows=tuple(row for _, row in sorted(rows, key=lambda row: -row[0])),
    )


def _cell(value: float) -> tuple[str, str]:
    return number(value, 2), ""


def _ends(low: float, high: float) -> str:
    return interval(number(low, 2), number(high, 2))
