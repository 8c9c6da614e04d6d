"""What we learned, in one or two sentences in the data's own units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayeskit.core.types import Assessment, Fit, ModelCard, Series
from bayeskit.core.words import NO_BREAK, day, percent, plus_minus, significant, with_unit
from bayeskit.reporting.overview import MAX_ROWS, pick, still, value_text
from bayeskit.reporting.results import Forecasts, Path, Scalar, path

N_KEY_VALUES = 6


def headline(fit: Fit, assessment: Assessment, found: Sequence[Scalar], forecast: Forecasts | None) -> list[str]:
    """Return what was found of a series as sentences, the most important first."""
    series = fit.provenance.card.series
    assert series is not None
    state = path(fit, assessment, series.state)
    return [
        _where_it_went(state, series),
        _how_it_moves(fit, state, series, forecast),
        *_slope_at_end(fit, assessment, series),
        *_compared(found, fit.provenance.card),
    ]


def key_values(fit: Fit, assessment: Assessment) -> list[tuple[str, str]]:
    """Return the first quantities of a program of any kind, with their values."""
    units = {quantity.name: quantity.unit for quantity in fit.provenance.card.quantities}
    labels = [label for shown in pick(fit) for label in shown.labels]
    rows = {str(label): row for label, row in assessment.summary.loc[labels[:MAX_ROWS]].iterrows()}
    moving = [label for label, row in rows.items() if "estimate" in row or not still(row)]
    return [
        (label, with_unit(value_text(rows[label]), units.get(label.partition("[")[0], "")))
        for label in moving[:N_KEY_VALUES]
    ]


def _where_it_went(state: Path, series: Series) -> str:
    low, high = int(state.mean.argmin()), int(state.mean.argmax())
    texts = [with_unit(plus_minus(state.mean[i], state.sd[i]), series.unit) for i in (low, high)]
    return (
        f"Between {day(state.dates[0])} and {day(state.dates[-1])} the fitted level of {_inside(series.label)} ran "
        f"from {texts[0]} ({day(state.dates[low])}) to {texts[1]} ({day(state.dates[high])})."
    )


def _how_it_moves(fit: Fit, state: Path, series: Series, forecast: Forecasts | None) -> str:
    # Of the draws: their mean is smoother than the level itself.
    draws = fit.posterior["posterior"][series.state]
    step = float(np.abs(draws.diff("date")).mean())
    moved = (
        f"From one day to the next the level moved by {with_unit(significant(step, 2), series.unit)} on average, and "
        f"it ends at {with_unit(plus_minus(state.mean[-1], state.sd[-1]), series.unit)}."
    )
    if forecast is None:
        return moved
    error = with_unit(significant(float(np.median(forecast.sd)), 2), series.unit)
    return (
        f"{moved} A day ahead, the next {_inside(series.label)} can be forecast to within ±{NO_BREAK}{error} (one "
        "standard deviation)."
    )


def _slope_at_end(fit: Fit, assessment: Assessment, series: Series) -> list[str]:
    if series.slope is None:
        return []
    slope = path(fit, assessment, series.slope)
    mean, sd = float(slope.mean[-1]), float(slope.sd[-1])
    text = with_unit(plus_minus(abs(mean), sd), f"{series.unit} a day")
    if slope.low95[-1] < 0 < slope.high95[-1]:
        return [
            f"Whether the level is rising or falling on the last day the data do not say ({plus_minus(mean, sd)} "
            f"{series.unit} a day)."
        ]
    return [f"On the last day the level is {'rising' if mean > 0 else 'falling'} by {text}."]


def _compared(found: Sequence[Scalar], card: ModelCard) -> list[str]:
    """Compare the two cells of a parameter that the model has twice, such as the noise of dry and of rainy days."""
    texts = []
    for name in [prior.name for prior in card.priors]:  # what follows from the parameters would say it once more
        cells = [scalar for scalar in found if scalar.quantity.name == name]
        if len(cells) != 2:
            continue
        share = float(np.mean(cells[0].draws > cells[1].draws))
        high, low = cells if share >= 0.5 else cells[::-1]
        sizes = [plus_minus(cell.row["mean"], cell.row["sd"]) for cell in (high, low)]
        against = f"{sizes[0]} against {with_unit(sizes[1], high.quantity.unit)}"
        if max(share, 1 - share) < 0.975:
            texts.append(f"Whether {high.label} or {low.label} is larger the data do not say ({against}).")
        else:
            texts.append(
                f"{high.label} is larger than {low.label} in {percent(max(share, 1 - share))} of the draws: {against}."
            )
    return texts


def _inside(label: str) -> str:
    """Return the label as it stands inside a sentence: an ordinary capitalised word loses its capital."""
    return label[0].lower() + label[1:] if label[1:2].islower() else label
