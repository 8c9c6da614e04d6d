"""Users by their tastes, as a map in the colours of what is known of them, and what a test says of these colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.words import NO_BREAK, commas, joined, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.group_tables import GroupRow, GroupTable
from bayeskit.reporting.groups import N_COLOURS, colour_name, colour_of
from bayeskit.reporting.rating_tastes import LIMIT, PERMUTATIONS, Grouping, Tastes
from bayeskit.reporting.rating_view import Factorisation

Floats = NDArray[np.float64]

OTHERS = "prior"


def taste_figure(found: Factorisation, tastes: Tastes) -> f.Figure:
    """Draw the map in the colours of the main column."""
    main = tastes.groupings[0]
    shown = min(len(main.groups), N_COLOURS)
    traces = [_dots(found, tastes, main, place) for place in range(shown)]
    member = main.member[tastes.drawn]
    rest = (member < 0) | (member >= shown)
    if rest.any():
        traces.insert(0, _dots(found, tastes, main, -1, rest))
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "visible": False}
    layout = f.layout(xaxis=bare, yaxis=bare, hovermode="closest", margin={"l": 6, "r": 6, "t": 6, "b": 6})
    key = [(colour_name(place), main.groups[place]) for place in range(shown)]
    key += [(OTHERS, say("others"))] if rest.any() else []
    title = _title(tastes, main)
    alt = say(
        "Map of {n} users by their tastes, in the colours of {column}. {title}.",
        n=f"{tastes.drawn.size:,}",
        column=main.name,
        title=title,
    )
    return f.Figure(
        name="tastes",
        title=title,
        caption=joined([_caption(found), _meaning(tastes, main), _told(found)]),
        panels=(f.Panel(traces, layout, alt, height=520, behaviour={"square": True}),),
        key=tuple(key),
        note=_note(found, tastes),
    )


def taste_table(tastes: Tastes) -> GroupTable | None:
    """Return what the test says of every column; None where there is but one."""
    if len(tastes.groupings) < 2:
        return None
    rows = tuple(
        GroupRow(
            one.name,
            (
                (f"{len(one.groups):,}", ""),
                (_share(one.share), ""),
                (_share(one.by_chance), ""),
                (_p(tastes.level(one)), say("no more than chance") if tastes.level(one) > LIMIT else ""),
            ),
        )
        for one in tastes.groupings
    )
    return GroupTable(
        title=_together(tastes),
        caption=say(
            "How much of the differences between users' tastes lies between groups, and how much would if groups were "
            "dealt at random; p-values allow for {n} columns.",
            n=len(tastes.groupings),
        ),
        first=say("column"),
        columns=(say("groups"), say("explains"), say("by chance"), say("p-value")),
        rows=rows,
    )


def _together(tastes: Tastes) -> str:
    found = [one.name for one in tastes.groupings if tastes.level(one) <= LIMIT]
    if not found:
        return say("Nothing that is known of users goes with their tastes")
    return say("What goes with taste: {columns}", columns=commas(found))


def _title(tastes: Tastes, main: Grouping) -> str:
    told = {"column": main.name, "share": _share(main.share), "chance": _share(main.by_chance)}
    p = _p(tastes.level(main))
    if tastes.level(main) > LIMIT:
        return say("{column:capital} says little of taste: p\u00a0=\u00a0{p}", p=p, **told)
    return say(
        "{column:capital} says something of taste: it explains {share} of the differences, chance {chance} "
        "(p\u00a0=\u00a0{p})",
        p=p,
        **told,
    )


def _caption(found: Factorisation) -> str:
    taste = mark(
        "A taste is what the model expects a user to give to each item beyond what users and items get on average, the "
        "mean over the kept draws: no rotation of the factors changes it."
    )
    if found.is_point:
        taste = mark(
            "A taste is what the model expects a user to give to each item beyond what users and items get on average: "
            "no rotation of the factors changes it."
        )
    how = say(
        "How to read: each dot is a user; those with like tastes lie close together (t-SNE, which keeps neighbours but "
        "not distances, and makes clumps even where there are none)."
    )
    return joined([how, say(taste)])


def _meaning(tastes: Tastes, main: Grouping) -> str:
    return say(
        "Whether colours mean anything was tested on tastes, not on the picture: groups were dealt anew {n} times, and "
        "p is how often they then differ as much (permutational analysis of variance, which also sees groups whose "
        "tastes are merely spread more).",
        n=f"{PERMUTATIONS:,}",
    )


def _told(found: Factorisation) -> str:
    if not found.card.user_features:
        return say("The fit was told nothing of users but their ratings.")
    return say(
        "The fit was told of users ({features}), so that a difference may be what it made of that.",
        features=commas(list(found.card.user_features)),
    )


def _note(found: Factorisation, tastes: Tastes) -> str:
    drawn, tested, total = tastes.drawn.size, tastes.users.size, found.card.n_users
    if drawn >= total:
        return ""
    if tested >= total:
        return say(
            "Drawn: {drawn} of {total} users, chosen at random; all were tested.",
            drawn=f"{drawn:,}",
            total=f"{total:,}",
        )
    return say(
        "Tested: {tested} of {total} users; drawn: {drawn} of these, chosen at random.",
        tested=f"{tested:,}",
        total=f"{total:,}",
        drawn=f"{drawn:,}",
    )


def _dots(
    found: Factorisation, tastes: Tastes, main: Grouping, place: int, where: NDArray[np.bool_] | None = None
) -> dict[str, Any]:
    mine = np.flatnonzero(main.member[tastes.drawn] == place if where is None else where)
    name = main.groups[place] if place >= 0 else say("others")
    texts = [_user(found, tastes, main, int(at)) for at in tastes.drawn[mine]]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f.plot_text(name),
        "x": tastes.places[mine, 0],
        "y": tastes.places[mine, 1],
        "marker": {
            "color": colour_of(place) if place >= 0 else f"var(--{OTHERS})",
            "size": 7 if tastes.drawn.size <= 300 else 6,
            "opacity": 0.8 if place >= 0 else 0.45,
            "line": {"width": 0.5, "color": "var(--paper)"},
        },
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
    }


def _user(found: Factorisation, tastes: Tastes, main: Grouping, at: int) -> str:
    user = f.plot_text(str(found.users.names[tastes.users[at]]))
    group = main.groups[main.member[at]] if main.member[at] >= 0 else say("unknown")
    return say("user {name}: {group}", name=user, group=f.plot_text(group))


def _share(share: float) -> str:
    return f"{number(100 * share, 1)}{NO_BREAK}%"


def _p(p: float) -> str:
    return number(p, 3 if p < 0.1 else 2)
