"""The figures of a cross-check: all z-scores of each target, and where the worst distributions lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from bayeskit.core.language import say
from bayeskit.core.words import number, significant
from bayeskit.diagnostics.agreement import Crosscheck, Difference, PairAgreement
from bayeskit.reporting import figures as f
from bayeskit.reporting.crosscheck_words import statistic_name

Floats = NDArray[np.float64]

FURTHEST = 12.0  # z-scores beyond stand at the edge
N_CURVES = 6
_SHORT = 11


def z_figure(found: Crosscheck) -> f.Figure | None:
    """Draw the largest z-score of every quantity, pair by pair, a panel a target."""
    panels = []
    for target in found.targets:
        pairs = [pair for pair in found.pairs if pair.target == target and pair.differences]
        if pairs:
            panels.append(_z_panel(found, target, pairs))
    if not panels:
        return None
    return f.Figure(
        name="z-scores",
        title=say("How far the engines are apart, in units of their Monte Carlo error"),
        caption=say(
            "How to read: each dot is a quantity of two results, at the z-score of the statistic that differs most; "
            "the joint test of all quantities is a diamond. Dots within the dashed lines are what chance allows, all "
            "tests taken together. Dots further off than {most} stand at the edge.",
            most=f"{FURTHEST:g}",
        ),
        panels=tuple(panels),
        key=(("fit", say("what chance allows")), ("fail", say("a real difference"))),
    )


def curve_figure(found: Crosscheck) -> f.Figure | None:
    """Draw the difference of the distribution functions of the quantities that differ most."""
    drawn = [pair for pair in found.pairs if pair.curve is not None and pair.worst is not None]
    drawn.sort(key=lambda pair: min((one.p_value, -abs(one.z)) for one in pair.differences if one.quantity))
    if not drawn:
        return None
    return f.Figure(
        name="distributions",
        title=say("Where the distributions lie apart: the pairs that differ most"),
        caption=say(
            "How to read: the share of draws below each value in the second result minus that in the first, in per "
            "cent. Were both of the same posterior, the curve would stay in the grey band, all tests taken together. "
            "A curve above 0 throughout: the second result lies lower; below 0: higher; up, then down: wider."
        ),
        panels=tuple(_curve_panel(pair) for pair in drawn[:N_CURVES]),
        key=(
            ("fit", say("the pair agrees")),
            ("fail", say("the pair disagrees")),
            ("neutral", say("what chance allows")),
        ),
    )


def _z_panel(found: Crosscheck, target: str, pairs: Sequence[PairAgreement]) -> f.Panel:
    limit = float(norm.isf(found.alpha / found.n_tests / 2))
    rows = list(reversed(pairs))
    traces: list[dict[str, Any]] = []
    largest = 0.0
    for height, pair in enumerate(rows):
        shown = _largest(pair)
        largest = max(largest, *(abs(one.z) for one in shown))
        traces.append(_dots(found, pair, shown, float(height)))
    reach = max(1.25 * limit, min(1.08 * largest, 1.08 * FURTHEST))
    ends = [-0.6, len(rows) - 0.4]
    limits = [f.line([side * limit] * 2, ends, f.MUTED, 1, line={"dash": "dash"}) for side in (-1, 1)]
    layout = f.layout(
        say("z-score"),
        margin={"l": 20, "t": 6},
        xaxis={"range": [-reach, reach], "zeroline": True, "zerolinecolor": f.GRID},
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [f.plot_text(f"{_short(pair.first)} · {_short(pair.second)}") for pair in rows],
            "range": ends,
            "showgrid": False,
            "ticks": "",
            "fixedrange": True,
        },
    )
    alt = say("{target}: the largest z-score of {n} pairs is {z}.", target=target, n=len(rows), z=number(largest, 1))
    return f.Panel([*limits, *traces], layout, alt, target, 74 + 24 * len(rows))


def _largest(pair: PairAgreement) -> list[Difference]:
    best: dict[str, Difference] = {}
    for one in pair.differences:
        if one.quantity not in best or abs(one.z) > abs(best[one.quantity].z):
            best[one.quantity] = one
    return list(best.values())


def _dots(found: Crosscheck, pair: PairAgreement, shown: Sequence[Difference], height: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": np.clip([one.z for one in shown], -FURTHEST, FURTHEST),
        "y": np.full(len(shown), height),
        "text": [f.plot_text(f"{one.quantity} {statistic_name(one)}: {number(one.z, 1)}".strip()) for one in shown],
        "name": f.plot_text(f"{pair.first} · {pair.second}"),
        "marker": {
            "color": [f.FAIL if one.adjusted <= found.alpha else f.FIT for one in shown],
            "symbol": ["circle" if one.quantity else "diamond" for one in shown],
            "size": 7,
            "opacity": 0.75,
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _curve_panel(pair: PairAgreement) -> f.Panel:
    assert pair.curve is not None
    curve = pair.curve
    places = np.array(curve.places)
    difference = 100 * (np.array(curve.second) - np.array(curve.first))
    band = 100 * curve.band
    colour = f.FAIL if pair.answer == "disagree" else f.FIT
    ends = places[[0, -1]]
    traces = [
        *f.band(ends, np.array([-band, -band]), np.array([band, band]), f.NEUTRAL),
        f.line(ends, [0.0, 0.0], f.MUTED, 1),
        f.line(places, difference, colour, 2, line={"shape": "hv"}, name=f.plot_text(curve.quantity)),
    ]
    top = 1.15 * max(band, float(np.abs(difference).max()))
    layout = f.layout(
        f.plot_text(curve.quantity),
        say("difference, %"),
        xaxis={"exponentformat": "e", "range": _inner(places)},
        yaxis={"range": [-top, top]},
    )
    label = say("{target}: {first} and {second}", target=pair.target, first=pair.first, second=pair.second)
    alt = say(
        "{quantity} in {second} minus {first}: the distribution functions are at most {distance} % apart, {band} % "
        "are what chance allows.",
        quantity=curve.quantity,
        first=pair.first,
        second=pair.second,
        distance=significant(float(np.abs(difference).max()), 2),
        band=significant(band, 2),
    )
    return f.Panel(traces, layout, alt, label, 210)


def _inner(places: Floats) -> list[float]:
    """Return the part of the axis that holds most draws: long tails would leave no room for the rest."""
    low, high = (float(places[int(share * (places.size - 1))]) for share in (0.02, 0.98))
    if high <= low:
        low, high = float(places[0]), float(places[-1])
    margin = 0.06 * (high - low) or 0.5
    return [low - margin, high + margin]


def _short(name: str) -> str:
    return name if len(name) <= _SHORT else f"{name[: _SHORT - 1]}…"
