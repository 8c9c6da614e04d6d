"""What was expected of the test ratings, held against what was given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import interval, joined, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.rating_view import Factorisation, HeldOut

Floats = NDArray[np.float64]

BINS = 12
GIVEN = 10  # groups of ratings that are no levels
FEWEST = 5  # ratings in a group


def prediction_figure(found: Factorisation) -> f.Figure | None:
    """Draw expectations by what was given, and what was given by expectations; None without test ratings."""
    tested = found.tested
    if tested is None or tested.rating.size < 2 * FEWEST:
        return None
    groups = _given(found, tested)
    if len(groups) < 2:
        return None
    ends = [float(np.mean(tested.mean[groups[place][1]])) for place in (-1, 0)]
    title = say(
        "Where {high} was given it expected {more} on average, where {low} was given {less}",
        high=f"{groups[-1][0]:.3g}",
        low=f"{groups[0][0]:.3g}",
        more=found.rating(ends[0]),
        less=found.rating(ends[1]),
    )
    return f.Figure(
        name="predictions",
        title=title,
        caption=joined(
            [
                say(
                    "How to read: first, for test ratings of each value, where 90\u00a0% and half of the expectations "
                    "lie, and their mean. Expectations lie nearer to each other than ratings do, as they should: what "
                    "cannot be known is left to the interval. Then the other way round: of ratings with about the same "
                    "expectation, the mean of what was given, with its 95\u00a0% interval; on the dashed line "
                    "expectations are right."
                )
            ]
        ),
        panels=(_by_given(found, tested, groups), _by_expected(found, tested)),
        note=say("Of {n} test ratings.", n=f"{tested.rating.size:,}"),
    )


def _given(found: Factorisation, tested: HeldOut) -> list[tuple[float, NDArray[np.int64]]]:
    """Return ratings by their value, or groups of about the same value: that, and their places."""
    values = np.unique(tested.rating)
    if values.size <= max(GIVEN, len(found.card.levels)):
        parts = [np.flatnonzero(tested.rating == value) for value in values]
    else:
        parts = np.array_split(np.argsort(tested.rating, kind="stable"), GIVEN)
    return [(float(tested.rating[part].mean()), part) for part in parts if part.size >= FEWEST]


def _by_given(found: Factorisation, tested: HeldOut, groups: list[tuple[float, NDArray[np.int64]]]) -> f.Panel:
    x = np.array([value for value, _ in groups])
    traces: list[dict[str, Any]] = [_diagonal(found)]
    for shares, width, colour in (((0.05, 0.95), 2, f.FIT), ((0.25, 0.75), 9, f.BAND_68)):
        ends = np.array([np.quantile(tested.mean[part], shares) for _, part in groups])
        gap = np.full(x.size, np.nan)
        traces.append(
            f.line(
                np.stack([x, x, gap], -1).ravel(),
                np.column_stack([ends, gap]).ravel(),
                colour,
                width,
                connectgaps=False,
                name=say("90 % of them") if width == 2 else say("half of them"),
            )
        )
    mean = np.array([tested.mean[part].mean() for _, part in groups])
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": say("mean"),
            "x": x,
            "y": mean,
            "marker": {"color": f.FIT, "size": 8},
            "text": [f"{part.size:,}" for _, part in groups],
            "hovertemplate": say("given {x} ({n} times), expected {y}", x="%{x:.3~g}", n="%{text}", y="%{y:.2f}")
            + "<extra></extra>",
        }
    )
    layout = _layout(found, say("rating that was given"), say("expected rating"))
    told = [f"{value:.3g}: {found.rating(float(one))}" for value, one in zip(x, mean, strict=True)]
    alt = say("Mean expectation by the rating that was given: {parts}.", parts="; ".join(told))
    return f.Panel(traces, layout, alt, label=say("Expected, by what was given"), height=300)


def _by_expected(found: Factorisation, tested: HeldOut) -> f.Panel:
    parts = np.array_split(np.argsort(tested.mean, kind="stable"), min(BINS, tested.rating.size // FEWEST))
    x = np.array([tested.mean[part].mean() for part in parts])
    y = np.array([tested.rating[part].mean() for part in parts])
    reach = np.array([1.96 * tested.rating[part].std(ddof=1) / np.sqrt(part.size) for part in parts])
    gap = np.full(x.size, np.nan)
    sticks = f.line(
        np.stack([x, x, gap], -1).ravel(),
        np.stack([y - reach, y + reach, gap], -1).ravel(),
        f.OBSERVED,
        1.6,
        connectgaps=False,
        name=say("95 % interval"),
    )
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": say("observed"),
        "x": x,
        "y": y,
        "marker": {"color": f.OBSERVED, "size": 7},
        "hovertemplate": say("expected {x}, given {y}", x="%{x:.2f}", y="%{y:.2f}") + "<extra></extra>",
    }
    within = int((np.abs(y - x) <= reach).sum())
    layout = _layout(found, say("expected rating"), say("mean of what was given"))
    alt = say(
        "In {n} of {total} groups of ratings the interval of their mean holds what was expected; expectations run from "
        "{ends}.",
        n=within,
        total=x.size,
        ends=interval(number(float(x[0]), 2), number(float(x[-1]), 2)),
    )
    return f.Panel([_diagonal(found), sticks, dots], layout, alt, label=say("Given, by what was expected"), height=300)


def _diagonal(found: Factorisation) -> dict[str, Any]:
    ends = [found.card.low, found.card.high]
    return f.line(ends, ends, f.MUTED, 1.2, line={"dash": "dash"}, name=say("right"))


def _layout(found: Factorisation, x: str, y: str) -> dict[str, Any]:
    margin = 0.06 * (found.card.high - found.card.low)
    ends = [found.card.low - margin, found.card.high + margin]
    ticks = [*found.card.levels] if 2 <= len(found.card.levels) <= 6 else []
    axes: dict[str, Any] = {"range": ends, **({"tickvals": ticks} if ticks else {"nticks": 6})}
    return f.layout(x, y, xaxis=axes, yaxis=axes, hovermode="closest")
