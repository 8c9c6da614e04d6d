"""Ranks of the truth as curves and as histograms within what chance allows, and the coverage of intervals.

Curves of differences from uniform: Säilynoja, Bürkner and Vehtari (2022), doi:10.1007/s11222-022-10090-6; histograms:
Talts et al. (2018), arXiv:1804.06788.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.words import count, listing, percent
from bayeskit.diagnostics import calibration_bands as bands
from bayeskit.diagnostics.calibration import Calibration, QuantityCalibration
from bayeskit.diagnostics.calibration_verdicts import reason
from bayeskit.reporting import figures as f
from bayeskit.reporting.calibration_tables import certain, p_text

Floats = NDArray[np.float64]

N_SHOWN = 12
_ENOUGH = 15  # simulations a bar of a histogram, on average
_MOST_BARS = 20
_LONGEST = 16  # letters of a label beside an axis


def curve_figure(calibration: Calibration, shown: Sequence[QuantityCalibration]) -> f.Figure:
    """Draw each quantity's distribution of places minus the uniform one, in its exact simultaneous bands."""
    most = max(max(np.abs(_difference(one)).max(), _band(calibration, one)[1].max()) for one in shown)
    off = [one.label for one in shown if one.adjusted < calibration.alpha]
    title = (
        say("Not what chance allows: the ranks of {labels}", labels=listing(_first(off)))
        if off
        else say_count(
            len(shown),
            "The curve of ranks stays within what chance allows",
            "The {n} curves of ranks stay within what chance allows",
        )
    )
    return f.Figure(
        name="rank-curves",
        title=title,
        caption=say(
            "How to read: the share of simulations whose true value lies below a part of its posterior, minus that "
            "part. Were the posterior right, all curves would stay in the grey band with a probability of {certain}; "
            "a curve of its own stays within the dashed lines as often. A curve that rises and then falls (above 0 on "
            "the left, below on the right): posterior too narrow; the other way round: too wide; all above 0: "
            "posterior too high; all below: too low.",
            certain=certain(calibration),
        ),
        panels=tuple(_curve(calibration, one, 1.15 * float(most)) for one in shown),
        key=(
            ("fit", say("ranks")),
            ("neutral", say("{certain} band, all tests together", certain=certain(calibration))),
            ("muted", say("dashed: {certain} band, this curve alone", certain=certain(calibration))),
        ),
        note=_left_out(calibration, shown),
    )


def histogram_figure(calibration: Calibration, shown: Sequence[QuantityCalibration]) -> f.Figure:
    """Draw each quantity's places as a histogram, with the binomial band of its bars."""
    return f.Figure(
        name="rank-histograms",
        title=say("How often the true value has which rank"),
        caption=say(
            "How to read: each bar counts the simulations whose true value lies in that part of its posterior. Were "
            "the posterior right, all bars would be as high as the line but for chance, and all of a panel within the "
            "grey band with a probability of {certain}. High at both ends: posterior too narrow; high in the middle: "
            "too wide; high on the left: posterior too high; on the right: too low.",
            certain=certain(calibration),
        ),
        panels=tuple(_histogram(calibration, one) for one in shown),
        key=(("fit", say("simulations")), ("neutral", say("what chance allows"))),
        note=_left_out(calibration, shown),
    )


def coverage_figure(calibration: Calibration, shown: Sequence[QuantityCalibration]) -> f.Figure:
    """Draw how often the 68 % and the 95 % interval of each quantity held the truth."""
    parts = [part for one in shown for part in one.coverage]
    off = sum(part.adjusted < calibration.alpha for part in parts)
    title = (
        say_count(
            off,
            "{n} interval holds the true value too seldom or too often",
            "{n} intervals hold the true value too seldom or too often",
        )
        if off
        else say("The intervals hold the true values as often as they promise")
    )
    return f.Figure(
        name="coverage",
        title=title,
        caption=say(
            "How to read: the dot is the share of simulations in which the interval held the true value, the bar the "
            "exact 95 % interval of that share; one bar in twenty misses the line by chance. Left of the line: "
            "intervals too short, posterior too narrow or beside the truth; right of it: intervals longer than need "
            "be."
        ),
        panels=tuple(_coverage(calibration, shown, place) for place in range(len(shown[0].coverage))),
        note=_left_out(calibration, shown),
    )


def short(label: str) -> str:
    """Return a label that fits beside an axis."""
    return f.plot_text(label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…")


def colour(calibration: Calibration, adjusted: float) -> str:
    """Return the colour of a test's result."""
    return f.FAIL if adjusted < calibration.alpha else f.FIT


def _difference(quantity: QuantityCalibration) -> Floats:
    difference: Floats = bands.curve(quantity.places) / quantity.n - bands.GRID
    return difference


def _band(calibration: Calibration, quantity: QuantityCalibration, n_tests: int | None = None) -> tuple[Floats, Floats]:
    """Return the band of differences for a curve that is one of so many tests; of all of them unless given."""
    found = bands.band(quantity.n, calibration.alpha / (n_tests or calibration.n_tests))
    return found.low / quantity.n - bands.GRID, found.high / quantity.n - bands.GRID


def _curve(calibration: Calibration, quantity: QuantityCalibration, top: float) -> f.Panel:
    ends = np.concatenate([[0.0], bands.GRID, [1.0]])

    def ended(values: Floats) -> Floats:
        return np.concatenate([[0.0], values, [0.0]])

    low, high = _band(calibration, quantity)
    alone = [f.line(ends, ended(edge), f.MUTED, 1, line={"dash": "dot"}) for edge in _band(calibration, quantity, 1)]
    curve = f.line(
        ends,
        ended(_difference(quantity)),
        colour(calibration, quantity.adjusted),
        2,
        hoverinfo="x+y",
        hovertemplate="%{x:.2f}: %{y:.3f}<extra></extra>",
    )
    traces = [*f.band(ends, ended(low), ended(high), f.NEUTRAL), *alone, curve]
    layout = f.layout(
        say("part of the posterior"),
        say("difference from uniform"),
        xaxis={"range": [0, 1]},
        yaxis={"range": [-top, top]},
    )
    p = p_text(quantity.p_value)
    told = say("{label}: p {p}", label=quantity.label, p=p if p.startswith("<") else f"= {p}")
    return f.Panel(traces, layout, _alt(calibration, quantity), told, 210)


def _alt(calibration: Calibration, quantity: QuantityCalibration) -> str:
    if quantity.adjusted < calibration.alpha:
        return say(
            "Ranks of {label} in {simulations}: the curve leaves the band; {reason}.",
            label=quantity.label,
            simulations=count(quantity.n, "simulation"),
            reason=reason(quantity),
        )
    return say(
        "Ranks of {label} in {simulations}: the curve is one that chance allows (p-value {p}).",
        label=quantity.label,
        simulations=count(quantity.n, "simulation"),
        p=p_text(quantity.p_value),
    )


def _histogram(calibration: Calibration, quantity: QuantityCalibration) -> f.Panel:
    from scipy.stats import binom

    n_bars = int(np.clip(quantity.n // _ENOUGH, 2, _MOST_BARS))
    heights = np.histogram(quantity.places, bins=n_bars, range=(0, 1))[0]
    tail = calibration.alpha / (2 * n_bars)
    low, high = (float(binom.ppf(p, quantity.n, 1 / n_bars)) for p in (tail, 1 - tail))
    outside = (heights < low) | (heights > high)
    bars = {
        "type": "bar",
        "x": (np.arange(n_bars) + 0.5) / n_bars,
        "y": heights,
        "width": 0.9 / n_bars,
        "marker": {"color": [f.FAIL if wrong else f.FIT for wrong in outside], "opacity": 0.75},
        "hovertemplate": "%{y}<extra></extra>",
    }
    even, ends = quantity.n / n_bars, [0.0, 1.0]
    edges = [f.line(ends, [edge, edge], f.MUTED, 1, line={"dash": "dot"}) for edge in (low, high)]
    band = f.band(ends, [low, low], [high, high], f.NEUTRAL)
    traces = [bars, *band, *edges, f.line(ends, [even, even], f.INK, 1)]
    layout = f.layout(
        say("part of the posterior"),
        say("simulations"),
        xaxis={"range": [0, 1]},
        yaxis={"range": [0, 1.08 * float(max(heights.max(), high))]},
    )
    alt = say(
        "Histogram of the ranks of {label}: {n} of {bars} bars leave the band.",
        label=quantity.label,
        n=int(outside.sum()),
        bars=n_bars,
    )
    return f.Panel(traces, layout, alt, quantity.label, 190)


def _coverage(calibration: Calibration, shown: Sequence[QuantityCalibration], place: int) -> f.Panel:
    parts = [one.coverage[place] for one in shown]
    rows = np.arange(len(parts))[::-1].astype(float)
    colours = [colour(calibration, part.adjusted) for part in parts]
    sticks = [
        f.line([100 * part.low, 100 * part.high], [row, row], tone, 2.2)
        for part, row, tone in zip(parts, rows, colours, strict=True)
    ]
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": [100 * part.share for part in parts],
        "y": rows,
        "text": [f.plot_text(one.label) for one in shown],
        "marker": {"color": colours, "size": 8},
        "hovertemplate": "%{text}: %{x:.1f} %<extra></extra>",
    }
    promised = 100 * parts[0].probability
    shares = [100 * share for part in parts for share in (part.low, part.high, part.probability)]
    margin = 0.06 * (max(shares) - min(shares))
    nominal = f.line([promised, promised], [-0.7, len(parts) - 0.3], f.INK, 1)
    layout = f.layout(
        say("% of simulations"),
        xaxis={"range": [min(shares) - margin, max(shares) + margin]},
        yaxis={
            "tickvals": rows.tolist(),
            "ticktext": [short(one.label) for one in shown],
            "range": [-0.7, len(parts) - 0.3],
            "showgrid": False,
        },
    )
    name = say("{probability} interval", probability=percent(parts[0].probability))
    told = [
        say("{label} {share}", label=one.label, share=percent(part.share))
        for one, part in zip(shown, parts, strict=True)
    ]
    alt = say("How often the {interval} held the true value: {shares}.", interval=name, shares=listing(told))
    return f.Panel([nominal, *sticks, dots], layout, alt, name, 80 + 26 * len(parts))


def _left_out(calibration: Calibration, shown: Sequence[QuantityCalibration]) -> str:
    if len(shown) == len(calibration.quantities):
        return ""
    return say(
        "The {shown} of {total} quantities with the smallest p-values are drawn.",
        shown=len(shown),
        total=f"{len(calibration.quantities):,}",
    )


def _first(labels: Sequence[str]) -> list[str]:
    rest = len(labels) - 3
    return [*labels[:3], say("{n} more", n=rest)] if rest > 0 else list(labels)
