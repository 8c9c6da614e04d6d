"""A first look at a series: what was measured by month or so, the days without, and how the values are distributed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import said, say, say_count
from bayeskit.core.types import Fit, Series
from bayeskit.core.words import day, significant, with_unit
from bayeskit.reporting import figures as f
from bayeskit.reporting.figures_data import bins
from bayeskit.reporting.results import flagged_dates, group, observations

Floats = NDArray[np.float64]

MAX_MONTHS, MIN_MONTHS = 72, 6


def series_figure(fit: Fit, series: Series) -> f.Figure | None:
    """Draw the observed values by month, days without one below them, and their distribution; None without any."""
    observed = observations(fit, series)
    if observed is None or not np.isfinite(observed.to_numpy().astype(float)).any():
        return None
    values = observed.to_numpy().astype(float)
    seen = np.isfinite(values)
    values, when = values[seen], observed[str(observed.dims[0])].to_numpy()[seen]
    dates = _all_dates(fit, when)
    missing = dates[~np.isin(dates, when)]
    span, unit = _spans(dates)
    label = f.plot_text(with_unit(series.label, f"({series.unit})") if series.unit else series.label)
    low, high = int(values.argmin()), int(values.argmax())
    measured = ("observed", say("measured {what}", what=said(series.observed)))
    return f.Figure(
        name="data-series",
        title=say(
            "{what} was measured on {n} of {total} days, from {low} ({first}) to {high} ({second})",
            what=series.label[:1].upper() + series.label[1:],
            n=f"{values.size:,}",
            total=f"{dates.size:,}",
            low=with_unit(significant(float(values[low]), 3), series.unit),
            first=day(when[low]),
            high=with_unit(significant(float(values[high]), 3), series.unit),
            second=day(when[high]),
        ),
        caption=say(
            "How to read: each bar spans the measurements of one {unit}, from the smallest to the largest; its thick "
            "part holds the middle 68\u00a0%, the dot is the median. Grey bars at the foot, where there are any, count "
            "the days without one.",
            unit=unit,
        ),
        panels=(
            _by_span(values, when, missing, span, label),
            _distribution(values, label, say("Distribution of {name}.", name=series.label)),
            *_flagged(fit, series, span, unit),
        ),
        key=(measured, ("prior", say("days without a measurement"))) if missing.size else (measured,),
    )


def _flagged(fit: Fit, series: Series, span: str, unit: str) -> list[f.Panel]:
    """Count the days that are flagged, rainy ones, say; nothing where none is."""
    flagged = flagged_dates(fit, series)
    if not flagged.size or series.flag is None:
        return []
    spans, counts = np.unique(flagged.astype(f"datetime64[{span}]"), return_counts=True)
    ends = np.stack([np.zeros(counts.size), counts, np.full(counts.size, np.nan)], -1)
    along = np.repeat(np.array(f.dates(_middle(spans)), dtype=object), 3).tolist()
    name = say("{flag} days a {unit}", flag=said(series.flag), unit=unit)
    layout = f.layout("", f.plot_text(name), margin={"b": 30}, xaxis=_axis(flagged), yaxis={"rangemode": "tozero"})
    told = say("{name}: from {low} to {high}.", name=name, low=int(counts.min()), high=int(counts.max()))
    return [f.Panel([f.line(along, ends.ravel(), f.RAIN, 4, connectgaps=False)], layout, told, height=300)]


def _all_dates(fit: Fit, when: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Return all days of the series, measured or not: those of its states, where the run has kept them."""
    posterior = group(fit, "posterior")
    return posterior["date"].to_numpy() if posterior is not None and "date" in posterior.coords else when


def _spans(dates: NDArray[np.datetime64]) -> tuple[str, str]:
    """Return NumPy's unit of the spans that days are gathered in, and what it is called."""
    months = np.unique(dates.astype("datetime64[M]")).size
    if months > MAX_MONTHS:
        return "Y", say("year")
    return ("M", say("month")) if months >= MIN_MONTHS else ("W", say("week"))


def _by_span(
    values: Floats, when: NDArray[np.datetime64], missing: NDArray[np.datetime64], span: str, label: str
) -> f.Panel:
    of, absent = when.astype(f"datetime64[{span}]"), missing.astype(f"datetime64[{span}]")
    spans, places = np.unique(of, return_inverse=True)
    parts = [values[places == place] for place in range(spans.size)]
    ends = np.array([np.quantile(part, [0, 0.16, 0.5, 0.84, 1]) for part in parts]).T
    middle = _middle(spans)
    gap = np.full(spans.size, np.nan)
    along = np.repeat(np.array(f.dates(middle), dtype=object), 3).tolist()
    traces = [
        f.line(along, np.stack([low, high, gap], -1).ravel(), f.OBSERVED, width, connectgaps=False)
        for low, high, width in ((ends[0], ends[4], 1.2), (ends[1], ends[3], 4.5))
    ]
    dots = {"color": "var(--paper)", "size": 4, "line": {"color": f.OBSERVED, "width": 1}}
    hover = say(
        "{low} to {high}, median {median}", low="%{customdata[0]:.3g}", high="%{customdata[1]:.3g}", median="%{y:.3g}"
    )
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": f.dates(middle),
            "y": ends[2],
            "customdata": ends[[0, 4]].T,
            "marker": dots,
            "hovertemplate": hover + "<extra></extra>",
        }
    )
    if missing.size:
        traces.append(_at_the_foot(*np.unique(absent, return_counts=True), float(values.min()), float(values.max())))
    layout = f.layout("", label, margin={"b": 30}, xaxis=_axis(when))
    alt = say(
        "Measurements from {first} to {last}: the medians run from {low} to {high}; {n} days have none.",
        first=day(when.min()),
        last=day(when.max()),
        low=significant(float(ends[2].min()), 3),
        high=significant(float(ends[2].max()), 3),
        n=f"{missing.size:,}",
    )
    return f.Panel(traces, layout, alt, height=300)


def _axis(when: NDArray[np.datetime64]) -> dict[str, Any]:
    """Return the axis of a narrow panel: of several years each has its tick, of which Plotly would leave one."""
    first, last = (int(moment.astype("datetime64[Y]").astype(int)) + 1970 for moment in (when.min(), when.max()))
    axis: dict[str, Any] = {"type": "date", "tickangle": 0}
    if last - first < 2:
        return axis
    step = max(1, -(-(last - first) // 4))
    return {**axis, "tickvals": [f"{year}-01-01" for year in range(first, last + 1, step)], "tickformat": "%Y"}


def _at_the_foot(
    spans: NDArray[np.datetime64], counts: NDArray[np.intp], lowest: float, highest: float
) -> dict[str, Any]:
    """Return sticks below all values: how many days without one each span has, the longest a sixth of the height."""
    room = (highest - lowest or 1.0) / 5
    foot, heights = lowest - 1.2 * room, counts / counts.max() * room
    ends = np.stack([np.full(counts.size, foot), foot + heights, np.full(counts.size, np.nan)], -1)
    along = np.repeat(np.array(f.dates(_middle(spans)), dtype=object), 3).tolist()
    told = [
        say_count(int(count), "{n} day without a measurement", "{n} days without a measurement") for count in counts
    ]
    texts = np.repeat(np.array(told, dtype=object), 3).tolist()
    hover = {"hoverinfo": "text", "text": texts}
    return f.line(along, ends.ravel(), f.PRIOR, 5, connectgaps=False, **hover)


def _middle(spans: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    first, after = (ends.astype("datetime64[D]") for ends in (spans, spans + 1))  # of the spans' own unit
    middle: NDArray[np.datetime64] = first + (after - first) // 2
    return middle


def _distribution(values: Floats, label: str, alt: str) -> f.Panel:
    centres, counts, width = bins(values)
    bars = {
        "type": "bar",
        "x": centres,
        "y": counts,
        "width": [0.92 * width] * centres.size,
        "marker": {"color": f.OBSERVED},
        "hovertemplate": say("{n} times", n="%{y}") + "<extra></extra>",
    }
    return f.Panel([bars], f.layout(label, say("how often")), alt, height=300)
