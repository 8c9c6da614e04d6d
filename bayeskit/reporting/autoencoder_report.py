"""What a report says of an autoencoder, put together."""

from __future__ import annotations

from dataclasses import dataclass

from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting.autoencoder_numbers import likeness
from bayeskit.reporting.autoencoder_reading import read_autoencoder
from bayeskit.reporting.autoencoder_tables import column_table
from bayeskit.reporting.autoencoder_words import autoencoder_headline
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_autoencoder_codes import codes_figure
from bayeskit.reporting.figures_autoencoder_condition import condition_figure
from bayeskit.reporting.figures_autoencoder_images import (
    class_figure,
    completion_figure,
    generated_figure,
    interpolation_figure,
    manifold_figure,
)
from bayeskit.reporting.figures_autoencoder_likeness import correlation_figure, marginal_figure
from bayeskit.reporting.figures_autoencoder_rebuilt import rebuilt_figure
from bayeskit.reporting.figures_autoencoder_training import training_figure
from bayeskit.reporting.figures_autoencoder_traversals import traversal_figure
from bayeskit.reporting.figures_autoencoder_use import use_figure
from bayeskit.reporting.group_tables import GroupTable


@dataclass(frozen=True)
class AutoencoderReport:
    """Sentences, figures and tables in the order that they are read in, by the sections that they stand in."""

    headline: list[str]
    results: list[Figure | GroupTable]
    predictive: list[Figure | GroupTable]
    computation: list[Figure]


def autoencoder_report(fit: Fit, assessment: Assessment) -> AutoencoderReport | None:
    """Return what can be said of an autoencoder, or None where the fit is none, or holds nothing."""
    found = read_autoencoder(fit)
    if found is None:
        return None
    error = assessment.metrics.get("reconstruction_rmse")
    like = likeness(found.compared) if found.compared is not None else None
    results: list[Figure | GroupTable | None] = [completion_figure(found), condition_figure(found), class_figure(found)]
    results += [codes_figure(found), rebuilt_figure(found, error), column_table(found), manifold_figure(found)]
    results += [traversal_figure(found), interpolation_figure(found)]
    predictive = [generated_figure(found), marginal_figure(found), correlation_figure(found, like)]
    computation = [training_figure(found.training), use_figure(found)]
    return AutoencoderReport(
        headline=autoencoder_headline(found, assessment),
        results=[item for item in results if item is not None],
        predictive=[item for item in predictive if item is not None],
        computation=[figure for figure in computation if figure is not None],
    )
