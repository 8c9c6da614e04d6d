"""What a factorisation says of items, of users and of single test ratings, as small tables in the reader's names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.words import commas, interval, joined
from bayeskit.reporting.group_tables import Cell, GroupRow, GroupTable
from bayeskit.reporting.rating_summary import Followed, Summary
from bayeskit.reporting.rating_view import Factorisation, Side

Integers = NDArray[np.int64]

N_ITEMS = 8
N_USERS = 5  # at each end
N_SURPRISES = 10
_TOLD = 3  # columns of the users' table
_SHORT = 16  # letters of what stands in one


def item_tables(found: Factorisation, summary: Summary | None) -> list[GroupTable]:
    """Return the items that are liked best, that divide users most, and that are known least."""
    if summary is None:
        return []
    made = [_best(found, summary), _divisive(found, summary)]
    return made if found.is_point else [*made, _uncertain(found, summary)]


def _best(found: Factorisation, summary: Summary) -> GroupTable:
    order = _ordered(-summary.items.mean, N_ITEMS)
    counts, observed = found.counts("item"), _means(found, "item")
    rows = tuple(
        GroupRow(
            found.items.title(item),
            (*_expected(found, summary.items, item), (f"{counts[item]:,}", ""), (_text(found, observed[item]), "")),
        )
        for item in order
    )
    return GroupTable(
        title=say("Best liked, were everyone to rate everything"),
        caption=say(
            "What all {users} users together are expected to give, those who never saw it too; beside it the mean of "
            "the ratings that there are, of those who chose to see it.",
            users=f"{found.card.n_users:,}",
        ),
        first=say("item"),
        columns=(*_headings(found, say("expected rating")), say("ratings"), say("their mean")),
        rows=rows,
        note=_of_draws(found, summary),
    )


def _divisive(found: Factorisation, summary: Summary) -> GroupTable:
    order = _ordered(-summary.splits.mean, N_ITEMS)
    counts = found.counts("item")
    rows = tuple(
        GroupRow(
            found.items.title(item),
            (
                (_text(found, summary.items.mean[item] + summary.splits.mean[item]), ""),
                (_text(found, summary.items.mean[item] - summary.splits.mean[item]), ""),
                *_expected(found, summary.splits, item),
                (f"{counts[item]:,}", ""),
            ),
        )
        for item in order
    )
    return GroupTable(
        title=say("Where tastes differ most"),
        caption=say(
            "What users are expected to give whose taste is one standard deviation for it, and against it; users who "
            "give high ratings to everything count for neither."
        ),
        first=say("item"),
        columns=(
            say("friends give"),
            say("foes give"),
            *_headings(found, say("half the difference")),
            say("ratings"),
        ),
        rows=rows,
    )


def _uncertain(found: Factorisation, summary: Summary) -> GroupTable:
    counts = found.counts("item")
    known = np.flatnonzero(counts > 0)
    order = known[_ordered(-summary.items.sd[known], N_ITEMS // 2)].tolist()
    rows = tuple(
        GroupRow(
            found.items.title(item),
            (
                *_expected(found, summary.items, item),
                (_text(found, summary.items.sd[item]), ""),
                (f"{counts[item]:,}", ""),
            ),
        )
        for item in order
    )
    unseen = int((counts == 0).sum())
    left = say_count(
        unseen,
        "{n} item without a training rating is known less still.",
        "{n} items without a training rating are known less still.",
    )
    return GroupTable(
        title=say("What the ratings say least of"),
        caption=say("Items with ratings whose mean over all users is known least."),
        first=say("item"),
        columns=(*_headings(found, say("expected rating")), say("sd"), say("ratings")),
        rows=rows,
        note=left if unseen else "",
    )


def user_table(found: Factorisation, summary: Summary | None) -> GroupTable | None:
    """Return the users who are expected to give the most, and the least, to everything."""
    if summary is None or len(found.users) < 2:
        return None
    counts, observed = found.counts("user"), _means(found, "user")
    active = np.flatnonzero(counts > 0)
    n = min(N_USERS, active.size // 2)
    order = active[_ordered(-summary.users.mean[active], active.size)]
    rows = []
    for user in [*order[:n].tolist(), *order[order.size - n :].tolist()]:
        cells: list[Cell] = [
            *_expected(found, summary.users, user),
            (f"{counts[user]:,}", ""),
            (_text(found, observed[user]), ""),
        ]
        told = _who(found.users, user)
        rows.append(GroupRow(say("user {name}", name=str(found.users.names[user])), (*cells, (told, ""))))
    told_of = any(row.cells[-1][0] for row in rows)
    columns = (*_headings(found, say("expected rating")), say("ratings"), say("their mean"), say("who"))
    if not told_of:
        rows = [GroupRow(row.name, row.cells[:-1]) for row in rows]
    return GroupTable(
        title=say("The most generous users, and the strictest"),
        caption=say(
            "What they are expected to give to all {items} items on average; beside it what they gave to those that "
            "they chose.",
            items=f"{found.card.n_items:,}",
        ),
        first=say("user"),
        columns=columns if told_of else columns[:-1],
        rows=tuple(rows),
        words=(len(columns) - 1,) if told_of else (),
    )


def surprise_table(found: Factorisation) -> GroupTable | None:
    """Return the test ratings that were expected least; None where there are none."""
    tested = found.tested
    if tested is None:
        return None
    off = np.abs(tested.rating - tested.mean)
    order = _ordered(tested.log_density if tested.log_density is not None else -off, N_SURPRISES)
    counts = found.counts("item")
    rows = []
    for place in order:
        item = int(tested.item[place])
        cells: list[Cell] = [
            (str(found.users.names[tested.user[place]]), ""),
            (f"{tested.rating[place]:g}", ""),
            (_text(found, tested.mean[place]), ""),
        ]
        if tested.low is not None and tested.high is not None:
            cells.append((interval(_text(found, tested.low[place]), _text(found, tested.high[place])), ""))
        rows.append(GroupRow(found.items.title(item), (*cells, (f"{counts[item]:,}", ""))))
    intervals = tested.low is not None and tested.high is not None
    told = mark("The test ratings that are farthest from what was expected.")
    if tested.log_density is not None:
        told = mark("The test ratings that the model held least likely.")
    beyond = say("Intervals of a normal distribution may reach beyond the scale.")
    return GroupTable(
        title=say("The largest surprises"),
        caption=joined(
            [
                say(told),
                say("Look for patterns: they are what the model does not know."),
                beyond if intervals and found.card.likelihood == "normal" else "",
            ]
        ),
        first=say("item"),
        columns=(
            say("user"),
            say("gave"),
            say("expected"),
            *((say("95\u00a0% interval"),) if intervals else ()),
            say("ratings of it"),
        ),
        rows=tuple(rows),
        words=(0,),
    )


def _ordered(values: NDArray[np.floating], most: int) -> list[int]:
    """Return the places of the smallest values."""
    order: list[int] = np.argsort(values, kind="stable")[:most].tolist()
    return order


def _expected(found: Factorisation, followed: Followed, row: int) -> tuple[Cell, ...]:
    """Return the mean, and of a distribution its 95 % interval."""
    mean = (_text(found, followed.mean[row]), "")
    if found.is_point:
        return (mean,)
    return mean, (interval(*(_text(found, end) for end in followed.ends(row))), "")


def _headings(found: Factorisation, what: str) -> tuple[str, ...]:
    return (what,) if found.is_point else (what, say("95\u00a0% interval"))


def _text(found: Factorisation, value: float) -> str:
    return found.rating(float(value)) if np.isfinite(value) else "–"


def _means(found: Factorisation, side: str) -> NDArray[np.float64]:
    """Return the mean training rating of each user or item, NaN where there is none."""
    size = len(found.users if side == "user" else found.items)
    if found.rated is None:
        return np.full(size, np.nan)
    place = found.rated.user if side == "user" else found.rated.item
    counts = np.bincount(place, minlength=size)
    sums = np.bincount(place, found.rated.value, size)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _who(side: Side, place: int) -> str:
    told: Sequence[str] = [
        text for name in list(side.columns)[:_TOLD] if (text := _short(side.columns[name][place])) != ""
    ]
    return commas(told)


def _short(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:g}" if np.isfinite(value) else ""
    text = str(value)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _of_draws(found: Factorisation, summary: Summary) -> str:
    if found.is_point or found.kept is None:
        return ""
    if summary.n_draws < found.kept.n_kept:
        return say(
            "From {n} of the {total} draws whose rows were kept.",
            n=f"{summary.n_draws:,}",
            total=f"{found.kept.n_kept:,}",
        )
    return say("From the {n} draws whose rows were kept.", n=f"{summary.n_draws:,}")
