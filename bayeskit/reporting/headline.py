"""What we learned, in one or two sentences in the data's own units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayeskit.core.types import Assessment, Fit, Series
from bayeskit.core.words import NO_BREAK, day, plus_minus, significant, with_unit
from bayeskit.reporting.results import Forecasts, Path, Scalar, path


def headline(fit: Fit, assessment: Assessment, found: Sequence[Scalar], forecast: Forecasts | None) -> list[str]:
    """Return the findings as sentences, the most important first."""
    series = fit.provenance.card.series
    if series is None:
        return [
            f"{s.label} is {with_unit(plus_minus(s.row['mean'], s.row['sd']), s.quantity.unit)}." for s in found[:3]
        ]
    state = path(fit, assessment, series.state)
    return [
        _where_it_went(state, series),
        _how_it_moves(state, series, forecast),
        *_slope_at_end(fit, assessment, series),
    ]


def _where_it_went(state: Path, series: Series) -> str:
    low, high = int(state.mean.argmin()), int(state.mean.argmax())
    texts = [with_unit(plus_minus(state.mean[i], state.sd[i]), series.unit) for i in (low, high)]
    return (
        f"Between {day(state.dates[0])} and {day(state.dates[-1])} the level of {_inside(series.label)} ran from "
        f"{texts[0]} ({day(state.dates[low])}) to {texts[1]} ({day(state.dates[high])})."
    )


def _how_it_moves(state: Path, series: Series, forecast: Forecasts | None) -> str:
    step = float(np.mean(np.abs(np.diff(state.mean))))
    moved = f"From one day to the next it moved by {with_unit(significant(step, 2), series.unit)} on average"
    end = f"It ends at {with_unit(plus_minus(state.mean[-1], state.sd[-1]), series.unit)}."
    if forecast is None:
        return f"{moved}. {end}"
    error = with_unit(significant(float(np.median(forecast.sd)), 2), series.unit)
    return f"{moved}; a day ahead it can be forecast to within ±{NO_BREAK}{error} (one standard deviation). {end}"


def _slope_at_end(fit: Fit, assessment: Assessment, series: Series) -> list[str]:
    if series.slope is None:
        return []
    slope = path(fit, assessment, series.slope)
    mean, sd = float(slope.mean[-1]), float(slope.sd[-1])
    text = with_unit(plus_minus(abs(mean), sd), f"{series.unit} a day")
    if slope.low95[-1] < 0 < slope.high95[-1]:
        return [
            f"Whether it is rising or falling on the last day the data do not say ({plus_minus(mean, sd)} "
            f"{series.unit} a day)."
        ]
    return [f"On the last day it is {'rising' if mean > 0 else 'falling'} by {text}."]


def _inside(label: str) -> str:
    """Return the label as it stands inside a sentence: an ordinary capitalised word loses its capital."""
    return label[0].lower() + label[1:] if label[1:2].islower() else label
