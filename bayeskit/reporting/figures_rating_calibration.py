"""Whether a factorisation is as sure as it may be: PIT, coverage of intervals, and chances of levels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import NO_BREAK, count, joined, number, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.groups import colour_name, colour_of, symbol_of
from bayeskit.reporting.rating_view import Factorisation, HeldOut

Floats = NDArray[np.float64]

BINS = 20
PROBABILITY = 0.95  # of a band that holds all bars
NOMINAL = (0.5, 0.68, 0.95)  # of intervals whose coverage is told
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
LEVEL_BINS = 10
FEWEST = 30  # test ratings in a dot
MAX_LEVELS = 14


def calibration_figure(found: Factorisation) -> f.Figure | None:
    """Draw PIT and coverage of the test ratings; None where there are none, or the fit has no distribution."""
    tested = found.tested
    if tested is None or tested.pit is None:
        return None
    ordinal = found.card.likelihood == "ordinal"
    return f.Figure(
        name="calibration",
        title=_title(tested, tested.pit, ordinal=ordinal),
        caption=joined(
            [
                say(
                    "How to read: each test rating is asked for its place in the distribution that was predicted for "
                    "it, from 0 (below all of it) to 1. Were predictions right in all their probabilities, bars would "
                    "end in the grey band with {percent} % probability, all of them. A hump in the middle: intervals "
                    "too wide; high ends: too narrow; a slope: predictions too high or too low.",
                    percent=f"{100 * PROBABILITY:.0f}",
                ),
                say(
                    "The line: how many of the test ratings central intervals hold, over how many they should; on the "
                    "dashed line they are right."
                ),
                say("A level has a range of places; one in it is drawn at random, always the same.")
                if ordinal
                else _of_steps(found),
            ]
        ),
        panels=(_pit(tested.pit), _coverage(tested.pit)),
        key=(("fit", say("test ratings")), ("neutral", say("right, but for sampling error"))),
        note=say("Of {ratings}.", ratings=count(tested.rating.size, "test rating")),
    )


def _title(tested: HeldOut, pit: Floats, *, ordinal: bool) -> str:
    share = covered(pit, 0.95) if ordinal or tested.coverage is None else tested.coverage
    return say(
        "Intervals of 95{space}% hold {share} of the test ratings", space=NO_BREAK, share=_share(share, pit.size)
    )


def _share(share: float, size: int) -> str:
    """Return a share with a decimal where so many ratings can tell it."""
    return f"{number(100 * share, 1 if size >= 1000 else 0)}{NO_BREAK}%"


def _of_steps(found: Factorisation) -> str:
    if not found.card.levels:
        return ""
    return say(
        "Ratings have {n} values, and a normal distribution has all: bars cannot be quite level, whatever the fit. The "
        "ordinal likelihood (--likelihood ordinal) knows of levels.",
        n=len(found.card.levels),
    )


def covered(pit: Floats, nominal: float) -> float:
    """Return the share of test ratings in the central interval of this probability."""
    return float(np.mean(np.abs(2 * pit - 1) <= nominal))


@lru_cache(maxsize=8)
def bar_limits(size: int) -> tuple[float, float]:
    """Return where all bars of a uniform transform end with the band's probability, as shares of the mean bar."""
    from scipy.stats import binom

    outside = (1 - PROBABILITY) / BINS  # Bonferroni: bars are all but independent
    low, high = (float(binom.ppf(share, size, 1 / BINS)) for share in (outside / 2, 1 - outside / 2))
    return low * BINS / size, high * BINS / size


def bar_heights(pit: Floats) -> Floats:
    """Return the histogram's bars, as shares of the mean bar."""
    counts = np.histogram(pit.clip(0, 1), bins=BINS, range=(0, 1))[0]
    heights: Floats = counts * BINS / pit.size
    return heights


def _pit(pit: Floats) -> f.Panel:
    heights, (low, high) = bar_heights(pit), bar_limits(pit.size)
    centres = (np.arange(BINS) + 0.5) / BINS
    bars = {
        "type": "bar",
        "name": say("test ratings"),
        "x": centres,
        "y": heights,
        "width": 1 / BINS,
        "marker": {"color": f.FIT, "opacity": 0.75},
        "hovertemplate": say("around {place}: {times} times as many as expected", place="%{x:.2f}", times="%{y:.2f}")
        + "<extra></extra>",
    }
    ends = np.array([0.0, 1.0])
    inside = int(((low <= heights) & (heights <= high)).sum())
    layout = f.layout(
        say("place in the predicted distribution (PIT)"),
        say("ratings, expected: 1"),
        xaxis={"range": [0, 1]},
        yaxis={"range": [0, max(1.25, 1.08 * float(heights.max()))]},
        bargap=0.04,
        shapes=[{"type": "line", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "line": {"color": f.MUTED, "width": 1}}],
    )
    alt = say(
        "Histogram of the PIT: {n} of {total} bars end in the band, the lowest at {low} and the highest at {high} of "
        "what was expected.",
        n=inside,
        total=BINS,
        low=number(float(heights.min()), 2),
        high=number(float(heights.max()), 2),
    )
    label = say("{n} of {total} bars in the band", n=inside, total=BINS)
    band = f.band(ends, np.full(2, low), np.full(2, high), f.NEUTRAL)
    return f.Panel([bars, *band], layout, alt, label=label, height=300)


def _coverage(pit: Floats) -> f.Panel:
    nominal = np.arange(1, 100) / 100
    actual = np.array([covered(pit, one) for one in nominal])
    reach = 1.96 * np.sqrt(nominal * (1 - nominal) / pit.size)
    told = [(one, covered(pit, one)) for one in NOMINAL]
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": say("intervals that are told"),
        "x": np.array([one for one, _ in told]),
        "y": np.array([share for _, share in told]),
        "marker": {"color": f.FIT, "size": 8},
        "hoverinfo": "skip",
    }
    hover = say("intervals of {x} hold {y}", x="%{x:.0%}", y="%{y:.1%}") + "<extra></extra>"
    traces = [
        *f.band(nominal, nominal - reach, nominal + reach, f.NEUTRAL),
        f.line([0, 1], [0, 1], f.MUTED, 1.2, line={"dash": "dash"}),
        f.line(nominal, actual, f.FIT, 2.2, hoverinfo="all", hovertemplate=hover),
        dots,
    ]
    notes = [
        f.label(
            say("{nominal}: {actual}", nominal=percent(one), actual=_share(share, pit.size)),
            one,
            share,
            xanchor="right",
            xshift=-9,
            yshift=6,
        )
        for one, share in told
    ]
    ticks = {"tickvals": list(TICKS), "ticktext": [percent(tick) for tick in TICKS]}
    layout = f.layout(
        say("share that intervals should hold"),
        say("share that they hold"),
        xaxis={"range": [0, 1], **ticks},
        yaxis={"range": [0, 1.02], **ticks},
        hovermode="closest",
        annotations=notes,
        margin={"r": 22},
    )
    words = [
        say("intervals of {nominal} hold {actual}", nominal=percent(one), actual=_share(share, pit.size))
        for one, share in told
    ]
    alt = say("Coverage: {parts}.", parts="; ".join(words))
    return f.Panel(traces, layout, alt, label=say("Coverage of central intervals"), height=300)


def level_figure(found: Factorisation) -> f.Figure | None:
    """Draw how often each level was given where it had a chance; None where levels have no chances."""
    tested = found.tested
    if tested is None or tested.chances is None or len(found.card.levels) > MAX_LEVELS:
        return None
    traces, off, total = [f.line([0, 1], [0, 1], f.MUTED, 1.2, line={"dash": "dash"})], 0, 0
    top = 0.0
    for place, level in enumerate(found.card.levels):
        chance, share, size = _by_chance(tested.chances[:, place], tested.rating == level)
        if not chance.size:
            continue
        traces += _dots(place, f"{level:g}", chance, share, size)
        reach = 2.58 * np.sqrt(chance * (1 - chance) / size)
        off += int((np.abs(share - chance) > reach).sum())
        total += chance.size
        top = max(top, float(chance.max()), float(share.max()))
    ends = [0, min(1.0, 1.06 * top)]
    layout = f.layout(
        say("predicted chance of the level"),
        say("share that gave it"),
        xaxis={"range": ends, "tickformat": ".0%"},
        yaxis={"range": ends, "tickformat": ".0%"},
        hovermode="closest",
    )
    told = say("Levels come as often as predicted in {n} of {total} groups of test ratings", n=total - off, total=total)
    return f.Figure(
        name="levels",
        title=told,
        caption=say(
            "How to read: test ratings are put together by the chance that was predicted of a level; each dot says how "
            "many of about as likely ones gave it, with its 95 % interval. On the dashed line predictions are right. "
            "As often as predicted: within 2.6 standard errors, which one group in a hundred would miss by chance."
        ),
        panels=(f.Panel(traces, layout, f"{told}.", height=380, behaviour={"square": True}),),
        key=tuple(
            (colour_name(place), say("level {level}", level=f"{level:g}"))
            for place, level in enumerate(found.card.levels)
        ),
    )


def _by_chance(chance: Floats, given: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Return by groups of about the same chance: its mean, the share that gave the level, and how many there are."""
    order = np.argsort(chance, kind="stable")
    n_groups = min(LEVEL_BINS, chance.size // FEWEST)
    if not n_groups:
        return np.empty(0), np.empty(0), np.empty(0)
    parts = np.array_split(order, n_groups)
    return (
        np.array([chance[part].mean() for part in parts]),
        np.array([given[part].mean() for part in parts]),
        np.array([float(part.size) for part in parts]),
    )


def _dots(place: int, level: str, chance: Floats, share: Floats, size: Floats) -> list[dict[str, Any]]:
    reach = 1.96 * np.sqrt(np.maximum(share * (1 - share), 1 / size) / size)
    gap = np.full(chance.size, np.nan)
    sticks = f.line(
        np.stack([chance, chance, gap], -1).ravel(),
        np.stack([np.maximum(share - reach, 0), np.minimum(share + reach, 1), gap], -1).ravel(),
        colour_of(place),
        1.4,
        connectgaps=False,
    )
    name = say("level {level}", level=level)
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": chance,
        "y": share,
        "line": {"color": colour_of(place), "width": 1},
        "marker": {"color": colour_of(place), "size": 7, "symbol": symbol_of(place)},
        "hovertemplate": say("{level}: predicted {x}, given by {y}", level=name, x="%{x:.1%}", y="%{y:.1%}")
        + "<extra></extra>",
    }
    return [sticks, dots]
