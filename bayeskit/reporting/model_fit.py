"""Whether the data look like what the model draws, for whichever way the model has of drawing them."""

from __future__ import annotations

from bayeskit.core.types import Fit
from bayeskit.reporting.autoencoder_fit import autoencoder_fit_of
from bayeskit.reporting.block_fit import block_fit_of, read_statistics
from bayeskit.reporting.equal_weights import equally_weighted
from bayeskit.reporting.figures_block_held_out import read_held_out
from bayeskit.reporting.figures_predictive import describe_forecasts
from bayeskit.reporting.outline import outline_of
from bayeskit.reporting.rating_fit import rating_fit_of
from bayeskit.reporting.rating_reading import read_tested
from bayeskit.reporting.replicated import Replicated, model_fit_of, replications
from bayeskit.reporting.results import Forecasts, forecasts
from bayeskit.reporting.verdict import ModelFit


def judge(fit: Fit) -> tuple[ModelFit | None, Forecasts | None, list[Replicated]]:
    """Return what can be said of the model, and the forecasts or replications that it rests on."""
    fit, _ = equally_weighted(fit)
    series = fit.provenance.card.series
    if series is not None:
        forecast = forecasts(fit, series)
        return describe_forecasts(forecast), forecast, []
    section = outline_of(fit, predictive=True).number("model-fit")
    blocks = fit.provenance.card.blocks
    if blocks is not None:
        return block_fit_of(blocks, read_statistics(fit), read_held_out(fit), section), None, []
    ratings = fit.provenance.card.factors
    if ratings is not None:
        return rating_fit_of(ratings, read_tested(fit), section), None, []
    if fit.provenance.card.autoencoder is not None:
        return autoencoder_fit_of(fit, section), None, []
    found = replications(fit)
    return model_fit_of(found, section), None, found
