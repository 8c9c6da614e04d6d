"""Codes of the rows as a map, in the colours of what is known of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import interval, joined, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_colouring import Colouring, colouring_key, colouring_of, colouring_title
from bayeskit.reporting.autoencoder_reading import code_name
from bayeskit.reporting.autoencoder_view import Autoencoder, Codes
from bayeskit.reporting.groups import symbol_of, thinned

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_DRAWN = 2000  # rows
MAX_PLACED = 800  # rows that t-SNE places
MAX_CHOSEN = 4  # codes of which pairs can be chosen
FEWEST = 5  # rows that t-SNE places
STEPS = 400  # of t-SNE
LIKE = 1.2  # times the prior's standard deviation: what counts as spread like it
_SEED = 20240229


def codes_figure(found: Autoencoder) -> f.Figure | None:
    """Draw two codes as they are; of more the two that say most, beside all of them by t-SNE. None without codes."""
    codes = found.codes
    if codes is None or len(codes.mean) < 2:
        return None
    colouring = colouring_of(found, codes)
    drawn = thinned(np.arange(len(codes.mean)), MAX_DRAWN)
    pair = _pair(found, codes, colouring, drawn)
    panels, placed = [pair], np.empty(0, dtype=np.int64)
    if len(found.used) > 2 and len(codes.mean) > FEWEST:
        placed = thinned(np.arange(len(codes.mean)), MAX_PLACED)
        panels = [_all_codes(found, codes, colouring, placed), _choice(found, codes, colouring, drawn, pair)]
    return f.Figure(
        name="codes",
        title=colouring_title(colouring) if colouring is not None else _title(codes),
        caption=joined([_how(found, mapped=placed.size > 0), _meaning(colouring), _prior(codes)]),
        panels=tuple(panels),
        key=colouring_key(colouring),
        note=_note(codes, drawn.size, placed.size),
        printed=(panels[0], pair) if placed.size else None,
    )


def _pair(found: Autoencoder, codes: Codes, colouring: Colouring | None, rows: Integers) -> f.Panel:
    first, second = (*found.by_use[:2], found.by_use[0])[:2]
    alone = found.n_codes == 1
    x = codes.mean[rows, first]
    y = np.random.default_rng(rows.size).uniform(-1, 1, rows.size) if alone else codes.mean[rows, second]
    names = (code_name(first), "" if alone else code_name(second))
    label = say("The two codes that say most") if len(found.used) > 2 else ""
    return _panel(codes, colouring, rows, np.column_stack([x, y]), names, label)


def _all_codes(found: Autoencoder, codes: Codes, colouring: Colouring | None, rows: Integers) -> f.Panel:
    n, used = found.n_codes, len(found.used)
    label = say("All {n} codes, placed by t-SNE", n=n)
    if used < n:
        label = say("The {n} codes in use, placed by t-SNE", n=used)
    return _panel(codes, colouring, rows, _placed(codes.mean[rows][:, found.used]), ("", ""), label)


def _choice(found: Autoencoder, codes: Codes, colouring: Colouring | None, rows: Integers, pair: f.Panel) -> f.Panel:
    """Return the map of two codes with a slider that chooses others."""
    pairs = list(combinations(found.used[:MAX_CHOSEN], 2))
    told = tuple(say("codes {a} and {b}", a=across + 1, b=up + 1) for across, up in pairs)
    member = np.full(rows.size, -1) if colouring is None else colouring.member[rows]
    groups = [rows[member == k] for k in np.unique(member).tolist()]
    frames = [[{"x": codes.mean[some, across], "y": codes.mean[some, up]} for some in groups] for across, up in pairs]
    behaviour: dict[str, Any] = {
        **pair.behaviour,
        "animation": {"traces": list(range(len(groups))), "frames": frames, "labels": list(told)},
    }
    layout = f.merge(pair.layout, {"annotations": [], **{axis: {"title": {"text": ""}} for axis in ("xaxis", "yaxis")}})
    label = say("Two codes at a time")
    return replace(pair, layout=layout, label=label, behaviour=behaviour, frames=told)


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
        alt = joined(
            [alt, say("In the colours of {what}: {groups}.", what=colouring.what, groups=", ".join(colouring.groups))]
        )
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
    if colouring is None or colouring.ordered or not colouring.apart:
        return []
    made = []
    for place in np.unique(member[member >= 0]).tolist():
        middle = np.median(at[member == place], axis=0)
        text = f.plot_text(colouring.groups[place][:16])
        look = {"font": {"size": 15, "weight": 700}, "bgcolor": "var(--paper) / 0.6", "borderpad": 1}
        made.append(f.label(text, float(middle[0]), float(middle[1]), f.INK, **look))
    return made


def _how(found: Autoencoder, *, mapped: bool) -> str:
    if mapped:
        return say(
            "How to read: each dot is a row. In the first map rows with like codes lie close together (t-SNE, which "
            "keeps neighbours but not distances, and makes clumps even where there are none); in the second they lie "
            "where two codes have them, and the slider chooses which."
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
    if not colouring.apart:
        return say("The colour is {what}.", what=colouring.what)
    return say("The colour is {what}; names stand in the middle of theirs.", what=colouring.what)


def _prior(codes: Codes) -> str:
    """Say whether the codes together are spread as the prior, which rows are generated from."""
    return say(
        "All rows together have a standard deviation of {spread} in a code, their own uncertainty included; the prior, "
        "from which rows are generated, has 1.",
        spread=_interval(codes.spread),
    )


def _title(codes: Codes) -> str:
    """Say whether the codes are spread as the prior."""
    told = {"n": f"{codes.n_rows:,}", "spread": _interval(codes.spread)}
    if np.abs(np.log(np.maximum(codes.spread, 1e-9))).max() < np.log(LIKE):
        return say("The codes of {n} rows are spread as the prior: {spread}, where it has 1", **told)
    return say("The codes of {n} rows are spread otherwise than the prior: {spread}, where it has 1", **told)


def _interval(spread: Floats) -> str:
    low, high = number(float(spread.min()), 2), number(float(spread.max()), 2)
    return low if low == high else interval(low, high)


def _note(codes: Codes, drawn: int, placed: int) -> str:
    told = []
    if drawn < codes.n_rows:
        told.append(say("Drawn: {n} of {total} rows.", n=f"{drawn:,}", total=f"{codes.n_rows:,}"))
    if placed and placed < drawn:
        told.append(say("Placed by t-SNE: {n}.", n=f"{placed:,}"))
    return joined(told)
