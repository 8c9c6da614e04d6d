"""Codes of the rows as a map, in the colours of what is known of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.words import joined, number, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_reading import code_name
from bayeskit.reporting.autoencoder_view import Autoencoder, Codes
from bayeskit.reporting.groups import N_COLOURS, colour_name, colour_of, symbol_of, thinned

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_DRAWN = 2000  # rows
MAX_PLACED = 800  # rows that t-SNE places
MAX_NAMED = 28  # groups that have a colour and a symbol of their own
STEPS = 400  # of t-SNE
QUINTILES = 5
_SEED = 20240229


@dataclass(frozen=True, eq=False)
class Colouring:
    """What rows are coloured by: groups in order, and each row's, -1 for none; ``ordered`` ones go from low to high."""

    what: str
    groups: tuple[str, ...]
    member: Integers
    ordered: bool

    @cached_property
    def chance(self) -> float:
        """How often two rows taken at random are of one group."""
        shares = np.bincount(self.member[self.member >= 0]) / max(1, int((self.member >= 0).sum()))
        return float((shares**2).sum())

    def colour(self, place: int) -> str:
        """Return a group's colour."""
        if self.ordered:
            return f.faded(f.FIT, round(0.2 + 0.8 * place / max(1, len(self.groups) - 1), 2))
        return colour_of(place)


def codes_figure(found: Autoencoder) -> f.Figure | None:
    """Draw two codes as they are; of more the two that say most, beside all of them by t-SNE. None without codes."""
    codes = found.codes
    if codes is None or len(codes.mean) < 2:
        return None
    colouring = colouring_of(found, codes)
    drawn = thinned(np.arange(len(codes.mean)), MAX_DRAWN)
    panels = [_pair(found, codes, colouring, drawn)]
    placed = np.empty(0, dtype=np.int64)
    if found.n_codes > 2 and len(codes.mean) > QUINTILES:
        placed = thinned(np.arange(len(codes.mean)), MAX_PLACED)
        panels.insert(0, _all_codes(found, codes, colouring, placed))
    return f.Figure(
        name="codes",
        title=_title(found, codes, colouring),
        caption=joined([_how(found, mapped=placed.size > 0), _meaning(colouring), _prior(codes)]),
        panels=tuple(panels),
        key=_key(colouring),
        note=_note(codes, drawn.size, placed.size),
    )


def colouring_of(found: Autoencoder, codes: Codes) -> Colouring | None:
    """Return what to colour rows by: labels, or else the first condition; None where nothing is known of them."""
    if codes.labels is not None:
        return _classes(say("label"), codes.labels, found.card.labels)
    for condition in found.card.conditions:
        values = codes.given.get(condition.name)
        if values is None:
            continue
        if values.dtype.kind == "f":
            return _fifths(condition.name, values)
        return _classes(condition.name, values, condition.classes)
    return None


def neighbours_agree(codes: Codes, colouring: Colouring) -> float:
    """Return how often the nearest other row by codes is of the same group, over rows that have one."""
    from scipy.spatial import cKDTree

    known = np.flatnonzero(colouring.member >= 0)
    some = known[thinned(np.arange(known.size), MAX_DRAWN)]
    tree = cKDTree(codes.mean[some])
    nearest = np.asarray(tree.query(codes.mean[some], k=2)[1])
    own = np.arange(some.size)
    other = np.where(nearest[:, 1] == own, nearest[:, 0], nearest[:, 1])
    return float(np.mean(colouring.member[some] == colouring.member[some[other]]))


def _classes(what: str, values: NDArray[Any], order: tuple[str, ...]) -> Colouring | None:
    names, counts = np.unique(values, return_counts=True)
    known = [name for name in order if name in set(names.tolist())] or names[np.argsort(-counts)].tolist()
    shown = {name: place for place, name in enumerate(known[:MAX_NAMED])}
    member = np.array([shown.get(value, -1) for value in values.tolist()])
    return Colouring(what, tuple(shown), member, ordered=False) if len(shown) > 1 else None


def _fifths(what: str, values: Floats) -> Colouring | None:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, QUINTILES + 1)))
    if edges.size < 3:
        return None
    member = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, edges.size - 2)
    decimals = max(0, 2 - int(np.floor(np.log10(max(float(np.ptp(edges)), 1e-12)))))
    ends = [number(float(edge), decimals) for edge in edges]
    groups = tuple(say("{low} to {high}", low=low, high=high) for low, high in pairwise(ends))
    return Colouring(what, groups, member, ordered=True)


def _pair(found: Autoencoder, codes: Codes, colouring: Colouring | None, rows: Integers) -> f.Panel:
    first, second = (*found.by_use[:2], found.by_use[0])[:2]
    alone = found.n_codes == 1
    x = codes.mean[rows, first]
    y = np.random.default_rng(rows.size).uniform(-1, 1, rows.size) if alone else codes.mean[rows, second]
    names = (code_name(first), "" if alone else code_name(second))
    label = say("The two codes that say most") if found.n_codes > 2 else ""
    return _panel(codes, colouring, rows, np.column_stack([x, y]), names, label)


def _all_codes(found: Autoencoder, codes: Codes, colouring: Colouring | None, rows: Integers) -> f.Panel:
    label = say("All {n} codes, placed by t-SNE", n=found.n_codes)
    return _panel(codes, colouring, rows, _placed(codes.mean[rows][:, found.by_use]), ("", ""), label)


def _placed(points: Floats) -> Floats:
    """Return places in the plane that keep neighbours together (van der Maaten and Hinton 2008)."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(points) - 1) / 3)
    start = points[:, :2] - points[:, :2].mean(0)
    start = 1e-4 * start / max(float(start[:, 0].std()), 1e-300)
    with threadpool_limits(1), warnings.catch_warnings():  # sums come out the same on any number of cores
        warnings.simplefilter("ignore", FutureWarning)
        made = TSNE(2, init=start, perplexity=perplexity, max_iter=STEPS, random_state=_SEED).fit_transform(points)
    places: Floats = np.asarray(made, dtype=float)
    return places


def _panel(
    codes: Codes, colouring: Colouring | None, rows: Integers, at: Floats, names: tuple[str, str], label: str
) -> f.Panel:
    member = np.full(rows.size, -1) if colouring is None else colouring.member[rows]
    traces = [_dots(codes, colouring, rows[member == k], at[member == k], k) for k in np.unique(member).tolist()]
    bare: Mapping[str, Any] = {"showticklabels": False, "ticks": "", "showgrid": False, "visible": False}
    layout = f.layout(
        names[0],
        names[1],
        xaxis={} if names[0] else bare,
        yaxis={"showgrid": False} if names[1] else bare,
        hovermode="closest",
        annotations=_named(colouring, member, at),
        margin={} if names[1] else {"l": 8, "r": 8, "t": 6},
    )
    told = label or say("Map of the codes")
    alt = say("{what}: {n} rows, a dot each.", what=told, n=f"{rows.size:,}")
    if colouring is not None:
        alt = joined([alt, say("In the colours of {what}: {groups}.", what=colouring.what, groups=_listed(colouring))])
    return f.Panel(traces, layout, alt, label=label, height=520, behaviour={"square": True})


def _dots(codes: Codes, colouring: Colouring | None, rows: Integers, at: Floats, place: int) -> dict[str, Any]:
    known = colouring is not None and place >= 0
    name = colouring.groups[place] if colouring is not None and known else say("others") if colouring else say("rows")
    colour = colouring.colour(place) if colouring is not None and known else f.PRIOR if colouring else f.FIT
    ordered = colouring is None or colouring.ordered
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f.plot_text(name),
        "x": at[:, 0],
        "y": at[:, 1],
        "text": [f.plot_text(f"{codes.names[row]}: {name}" if known else str(codes.names[row])) for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": colour,
            "size": 4 if rows.size > MAX_DRAWN // 4 else 5,
            "opacity": 0.75,
            "symbol": symbol_of(place) if known and not ordered else "circle",
            "line": {"width": 0},
        },
    }


def _named(colouring: Colouring | None, member: Integers, at: Floats) -> list[dict[str, Any]]:
    """Return names that stand in the middle of their groups."""
    if colouring is None or colouring.ordered:
        return []
    made = []
    for place in np.unique(member[member >= 0]).tolist():
        middle = np.median(at[member == place], axis=0)
        text = f"<b>{f.plot_text(colouring.groups[place][:16])}</b>"
        look = {"font": {"size": 15}, "bgcolor": "var(--paper) / 0.6", "borderpad": 1}
        made.append(f.label(text, float(middle[0]), float(middle[1]), f.INK, **look))
    return made


def _title(found: Autoencoder, codes: Codes, colouring: Colouring | None) -> str:
    if colouring is None:
        return say("The codes of {n} rows lie around 0, as the prior has them", n=f"{codes.n_rows:,}")
    share, chance = neighbours_agree(codes, colouring), colouring.chance
    told = {"share": percent(share), "chance": percent(chance), "what": colouring.what}
    if colouring.what in {condition.name for condition in found.card.conditions}:
        template = mark(
            "The codes do without {what}, which the decoder is told: rows that lie together have the same in {share} "
            "of cases, by chance in {chance}"
        )
        if share > 2 * chance:
            template = mark(
                "The codes repeat {what}, which the decoder is told: rows that lie together have the same in {share} "
                "of cases, by chance in {chance}"
            )
        return say(template, **told)
    if share > 1.2 * chance:
        return say(
            "Codes tell labels apart that training never saw: the nearest row has the same in {share} of cases, by "
            "chance in {chance}",
            **told,
        )
    return say(
        "Codes say little of labels: the nearest row has the same in {share} of cases, by chance in {chance}", **told
    )


def _how(found: Autoencoder, *, mapped: bool) -> str:
    if mapped:
        return say(
            "How to read: each dot is a row. In the first map rows with like codes lie close together (t-SNE, which "
            "keeps neighbours but not distances, and makes clumps even where there are none); in the second they lie "
            "where two of the {n} codes have them.",
            n=found.n_codes,
        )
    if found.n_codes == 1:
        return say("How to read: each dot is a row, at its code; heights are random, to keep dots apart.")
    return say(
        "How to read: each dot is a row, at the mean of its codes. Distances are in standard deviations of the prior."
    )


def _meaning(colouring: Colouring | None) -> str:
    if colouring is None:
        return ""
    if colouring.ordered:
        return say("The colour is {what}, in fifths of the rows, pale where it is low.", what=colouring.what)
    return say("The colour is {what}; names stand in the middle of theirs.", what=colouring.what)


def _prior(codes: Codes) -> str:
    """Say whether the codes together are spread as the prior, which rows are generated from."""
    spread = np.sqrt(codes.mean.var(0) + (codes.sd**2).mean(0))
    return say(
        "All rows together have a standard deviation of {low} to {high} in a code, their own uncertainty included; the "
        "prior, from which rows are generated, has 1.",
        low=number(float(spread.min()), 2),
        high=number(float(spread.max()), 2),
    )


def _key(colouring: Colouring | None) -> tuple[tuple[str, str], ...]:
    if colouring is None or colouring.ordered:
        return ()
    n = min(len(colouring.groups), N_COLOURS)
    made = [(colour_name(place), ", ".join(colouring.groups[place::N_COLOURS])) for place in range(n)]
    return (*made, *([("prior", say("others"))] if (colouring.member < 0).any() else []))


def _listed(colouring: Colouring) -> str:
    return ", ".join(colouring.groups[:MAX_NAMED])


def _note(codes: Codes, drawn: int, placed: int) -> str:
    told = []
    if drawn < codes.n_rows:
        told.append(say("Drawn: {n} of {total} rows.", n=f"{drawn:,}", total=f"{codes.n_rows:,}"))
    if placed and placed < drawn:
        told.append(say("Placed by t-SNE: {n}.", n=f"{placed:,}"))
    return joined(told)
