"""The figures an analyst came for: a state over the days, with its uncertainty and what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeskit.core.language import said, say, say_count
from bayeskit.core.types import Assessment, Fit, Series
from bayeskit.core.words import count, day, decimals_for, interval, joined, number, percent, plus_minus, with_unit
from bayeskit.reporting import figures as f
from bayeskit.reporting.results import Path, flagged_dates, missing_runs, observations, path

FIRST_VIEW = 183
MAX_GAPS = 200
Gaps = list[tuple[Any, Any, int]]


def state_figure(fit: Fit, assessment: Assessment, series: Series) -> f.Figure:
    """Draw the fitted state with 68 % and 95 % bands over the observations, rainy and missing days marked."""
    state = path(fit, assessment, series.state)
    decimals = decimals_for(float(np.median(state.sd)))
    gaps, flagged = missing_runs(fit, series), flagged_dates(fit, series)
    flag = say("{flag} day", flag=said(series.flag or ""))
    days = np.where(np.isin(state.dates, flagged), f"<br>{f.plot_text(flag)}", "").tolist()
    traces = [*_bands(state), _hover_line(state, say("level"), series.unit, days)]
    traces += _measured(fit, series, decimals)
    if series.flag is not None and flagged.size:
        traces.append(_rug(flagged, said(series.flag)))
    layout = _state_layout(state, series, gaps, rug=bool(flagged.size))
    panel = f.Panel(traces, layout, _alt(state, series, gaps, decimals), height=440, behaviour={"series": True})
    key = [("observed", say("measured {what}", what=said(series.observed))), ("fit", say("fitted level"))]
    key += [("rain", flag)] if flagged.size else []
    key += [("missing", say("nothing measured"))] if gaps else []
    return f.Figure(
        name="states",
        title=_title(state, series),
        caption=_caption(gaps),
        panels=(panel,),
        key=tuple(key),
        note=say(
            "The view opens on the last {days} days; the strip below it shows all {total}.",
            days=FIRST_VIEW,
            total=f"{state.dates.size:,}",
        )
        if _opens(state)
        else "",
        zooms=zooms(),
        opens=_opens(state),
    )


def slope_figure(fit: Fit, assessment: Assessment, series: Series) -> f.Figure:
    """Draw the slope with its bands around the zero line."""
    assert series.slope is not None
    slope = path(fit, assessment, series.slope)
    unit = say("{unit} a day", unit=series.unit)
    sure = float(np.mean((slope.low95 > 0) | (slope.high95 < 0)))
    zero = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0, "line": {"color": f.MUTED, "width": 1}}
    layout = f.layout(
        "",
        f.plot_text(say("slope ({unit})", unit=unit)),
        hovermode="x",
        margin={"r": 76, "b": 30},
        shapes=[zero],
        annotations=_edge_labels(slope),
        xaxis={"type": "date", "range": _first_view(slope), "tickangle": 0, "hoverformat": "%Y-%m-%d"},
        yaxis={"fixedrange": True},
    )
    alt = say(
        "Slope over {days}; it ends at {end} {unit}.",
        days=count(slope.dates.size, "day"),
        end=plus_minus(slope.mean[-1], slope.sd[-1]),
        unit=unit,
    )
    panel = f.Panel(
        [*_bands(slope), _hover_line(slope, say("slope"), unit, [""] * slope.dates.size)],
        layout,
        alt,
        height=300,
        behaviour={"series": True},
    )
    return f.Figure(
        name="slope",
        title=say(
            "On {share} of the days the 95\u00a0% band tells whether the level rises or falls", share=percent(sure)
        ),
        caption=say(
            "How to read: above the zero line the level rises, below it falls; where the 95 % band crosses the line, "
            "the data do not say which. The band holds each day's slope by itself, not all days at once."
        ),
        panels=(panel,),
        zooms=zooms(),
        opens=_opens(slope),
    )


def _state_layout(state: Path, series: Series, gaps: Gaps, *, rug: bool) -> dict[str, Any]:
    """Lay out the range slider, and below the curve the rug of flagged days, which the slider leaves out."""
    everything = [day(state.dates[0]), day(state.dates[-1])]
    slider = {
        "thickness": 0.17,
        "bordercolor": f.GRID,
        "borderwidth": 1,
        "bgcolor": "rgba(0,0,0,0)",
        "range": everything,
        # Of its own, so that it keeps showing all of the series when the view above is zoomed.
        "yaxis": {"rangemode": "fixed", "range": [float(state.low95.min()), float(state.high95.max())]},
        "yaxis2": {"rangemode": "fixed", "range": [5, 6]},
    }
    when = {
        "type": "date",
        "anchor": "y2" if rug else "y",
        "tickangle": 0,
        "hoverformat": "%Y-%m-%d",
        "range": _first_view(state),
    }
    return f.layout(
        "",
        _axis_title(series),
        hovermode="x",
        dragmode="zoom",
        margin={"l": 52, "r": 76, "t": 12, "b": 30},
        xaxis={**when, "rangeslider": slider},
        yaxis={"domain": [0.07 if rug else 0, 1], "fixedrange": True},
        yaxis2={"domain": [0, 0.045], "range": [0, 1], "visible": False, "fixedrange": True},
        shapes=_gap_shapes(gaps),
        annotations=_edge_labels(state),
    )


def _bands(state: Path) -> list[dict[str, Any]]:
    when = f.dates(state.dates)
    wide = f.band(when, state.low95, state.high95, f.BAND_95)
    narrow = f.band(when, state.low68, state.high68, f.BAND_68)
    # By these names the script rescales and re-anchors labels when the reader zooms.
    for trace, name in zip([*wide, *narrow], ["low95", "high95", "low68", "high68"], strict=True):
        trace["name"] = name
    return [*wide, *narrow]


def _hover_line(state: Path, what: str, unit: str, days: list[str]) -> dict[str, Any]:
    """Return the mean as a line that tells its values, and what else is known of the day."""
    numbers = np.stack([state.low68, state.high68, state.low95, state.high95], axis=-1)
    fmt = f".{decimals_for(float(np.median(state.sd)))}f"
    ends = [f"%{{customdata[{place}]:{fmt}}}" for place in range(4)]
    template = (
        f"{what} %{{y:{fmt}}} {f.plot_text(unit)}<br>68&#37;: {interval(*ends[:2])}<br>95&#37;: {interval(*ends[2:])}"
        "%{text}<extra></extra>"
    )
    more = {"customdata": numbers, "hoverinfo": "all", "hovertemplate": template, "text": days}
    return f.line(f.dates(state.dates), state.mean, f.FIT, 1.6, name="mean", **more)


def _measured(fit: Fit, series: Series, decimals: int) -> list[dict[str, Any]]:
    observed = observations(fit, series)
    if observed is None:
        return []
    when = observed[str(observed.dims[0])].to_numpy()
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "observed",
            "x": f.dates(when),
            "y": observed.to_numpy(),
            "marker": {"color": f.OBSERVED, "size": 3.6, "opacity": 0.8},
            "hovertemplate": say(
                "measured {value} {unit}", value=f"%{{y:.{max(1, decimals)}f}}", unit=f.plot_text(series.unit)
            )
            + "<extra></extra>",
        }
    ]


def _rug(moments: Any, flag: str) -> dict[str, Any]:
    marker = {"symbol": "line-ns", "size": 9, "line": {"width": 1.4, "color": f.RAIN}, "color": f.RAIN}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "flag",
        "x": f.dates(moments),
        "y": np.full(moments.size, 0.5),
        "yaxis": "y2",
        "marker": marker,
        "hovertemplate": f"{f.plot_text(flag)}<extra></extra>",
    }


def _gap_shapes(gaps: Gaps) -> list[dict[str, Any]]:
    half = np.timedelta64(12, "h")
    longest = sorted(gaps, key=lambda gap: -gap[2])[:MAX_GAPS]
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": str((first - half).astype("datetime64[s]")),
            "x1": str((last + half).astype("datetime64[s]")),
            "y0": 0,
            "y1": 1,
            "line": {"width": 0},
            "fillcolor": "var(--missing)",
            "layer": "below",
        }
        for first, last, _ in longest
    ]


def _edge_labels(state: Path) -> list[dict[str, Any]]:
    end = day(state.dates[-1])
    common = {"xanchor": "left", "xshift": 6, "align": "left"}
    return [
        f.label(say("{percent} % band", percent=95), end, state.high95[-1], f.FIT, name="high95", yshift=9, **common),
        f.label(say("{percent} % band", percent=68), end, state.mean[-1], f.FIT, name="mean", yshift=-8, **common),
    ]


def _opens(state: Path) -> int:
    """Return how many days the view opens on; 0 for all of them."""
    return FIRST_VIEW if state.dates.size > 1.5 * FIRST_VIEW else 0


def zooms() -> tuple[tuple[str, int], ...]:
    """Return the buttons of a series: their texts, and how many days they show."""
    months = [(say_count(n, "{n} month", "{n} months"), days) for n, days in ((1, 31), (3, 92), (6, 183))]
    return (*months, (say_count(1, "{n} year", "{n} years"), 365), (say("everything"), 0))


def _first_view(state: Path) -> list[str]:
    start = state.dates.size - _opens(state) if _opens(state) else 0
    return [day(state.dates[start]), day(state.dates[-1])]


def _axis_title(series: Series) -> str:
    return f.plot_text(f"{series.label} ({series.unit})" if series.unit else series.label)


def _title(state: Path, series: Series) -> str:
    low, high = int(state.mean.argmin()), int(state.mean.argmax())
    texts = [with_unit(number(state.mean[i], decimals_for(state.sd[i])), series.unit) for i in (low, high)]
    name = series.label[:1].upper() + series.label[1:]
    return say(
        "{what}: the fitted level ran from {low} ({low_day}) to {high} ({high_day})",
        what=name,
        low=texts[0],
        low_day=day(state.dates[low]),
        high=texts[1],
        high_day=day(state.dates[high]),
    )


def _caption(gaps: Gaps) -> str:
    told = [
        say(
            "How to read: dots are what was measured, the line is the fitted level; given the model, the level lies in "
            "the dark band with 68 % and in the light band with 95 % probability."
        )
    ]
    if gaps:
        told.append(
            say_count(
                sum(size for _, _, size in gaps),
                "On {n} shaded day nothing was measured, so the bands widen.",
                "On {n} shaded days nothing was measured, so the bands widen.",
            )
        )
    return joined(told)


def _alt(state: Path, series: Series, gaps: Gaps, decimals: int) -> str:
    return say(
        "Line chart of {what} over {days} from {first} to {last}: measured values, fitted level and its bands. "
        "{title}; it ends at {end} {unit}. The median width of the 95 % band is {width} {unit}. {gaps} without "
        "measurements.",
        what=series.label,
        days=count(state.dates.size, "day"),
        first=day(state.dates[0]),
        last=day(state.dates[-1]),
        title=_title(state, series),
        end=plus_minus(state.mean[-1], state.sd[-1]),
        unit=series.unit,
        width=number(float(np.median(state.high95 - state.low95)), decimals),
        gaps=count(len(gaps), "stretch", "stretches"),
    )
