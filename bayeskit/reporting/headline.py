"""What we learned, in one or two sentences in the data's own units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayeskit.core.language import mark, say
from bayeskit.core.types import Assessment, Fit, ModelCard, Series
from bayeskit.core.words import NO_BREAK, day, inside, joined, percent, plus_minus, significant, with_unit
from bayeskit.reporting.autoencoder_words import autoencoder_key_values
from bayeskit.reporting.block_words import block_key_values
from bayeskit.reporting.overview import MAX_ROWS, pick, still, value_text
from bayeskit.reporting.rating_words import rating_key_values
from bayeskit.reporting.results import Forecasts, Path, Scalar, mean_step, path

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
    if fit.provenance.card.blocks is not None:
        return block_key_values(fit, assessment)
    if fit.provenance.card.factors is not None:
        return rating_key_values(fit, assessment)
    if fit.provenance.card.autoencoder is not None:
        return autoencoder_key_values(fit, assessment)
    units = {quantity.name: quantity.unit for quantity in fit.provenance.card.quantities}
    labels = [label for shown in pick(fit) for label in shown.labels]
    if fit.provenance.card.mixture is not None:
        labels.sort(key=lambda label: not label.startswith("weight["))
    rows = {str(label): row for label, row in assessment.summary.loc[labels[:MAX_ROWS]].iterrows()}
    moving = [label for label, row in rows.items() if "estimate" in row or not still(row)]
    return [
        (label, with_unit(value_text(rows[label]), units.get(label.partition("[")[0], "")))
        for label in moving[:N_KEY_VALUES]
    ]


def _where_it_went(state: Path, series: Series) -> str:
    low, high = int(state.mean.argmin()), int(state.mean.argmax())
    texts = [with_unit(plus_minus(state.mean[i], state.sd[i]), series.unit) for i in (low, high)]
    return say(
        "Between {first} and {last} the fitted level of {what} ran from {low} ({low_day}) to {high} ({high_day}).",
        first=day(state.dates[0]),
        last=day(state.dates[-1]),
        what=inside(series.label),
        low=texts[0],
        low_day=day(state.dates[low]),
        high=texts[1],
        high_day=day(state.dates[high]),
    )


def _how_it_moves(fit: Fit, state: Path, series: Series, forecast: Forecasts | None) -> str:
    # Of the draws: their mean is smoother than the level itself.
    step = mean_step(fit, series)
    moved = say(
        "From one day to the next the level moved by {step} on average, and it ends at {end}.",
        step=with_unit(significant(step, 2), series.unit),
        end=with_unit(plus_minus(state.mean[-1], state.sd[-1]), series.unit),
    )
    if forecast is None:
        return moved
    error = with_unit(significant(float(np.median(forecast.sd)), 2), series.unit)
    ahead = say(
        "A day ahead, the next {what} can be forecast to within {error} (one standard deviation).",
        what=inside(series.label),
        error=f"±{NO_BREAK}{error}",
    )
    return joined([moved, ahead])


def _slope_at_end(fit: Fit, assessment: Assessment, series: Series) -> list[str]:
    if series.slope is None:
        return []
    slope = path(fit, assessment, series.slope)
    mean, sd = float(slope.mean[-1]), float(slope.sd[-1])
    unit = say("{unit} a day", unit=series.unit)
    if slope.low95[-1] < 0 < slope.high95[-1]:
        value = f"{plus_minus(mean, sd)} {unit}"
        return [
            say("Whether the level is rising or falling on the last day the data do not say ({value}).", value=value)
        ]
    change = with_unit(plus_minus(abs(mean), sd), unit)
    if mean > 0:
        return [say("On the last day the level is rising by {change}.", change=change)]
    return [say("On the last day the level is falling by {change}.", change=change)]


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
        template = mark("{first} is larger than {second} in {share} of the draws: {value} against {other}.")
        if max(share, 1 - share) < 0.975:
            template = mark("Whether {first} or {second} is larger the data do not say ({value} against {other}).")
        texts.append(
            say(
                template,
                first=high.label,
                second=low.label,
                share=percent(max(share, 1 - share)),
                value=sizes[0],
                other=with_unit(sizes[1], high.quantity.unit),
            )
        )
    return texts
