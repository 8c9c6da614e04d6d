"""What a report says of a factorisation of ratings, put together."""

from __future__ import annotations

from dataclasses import dataclass

from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_rating_calibration import calibration_figure, level_figure
from bayeskit.reporting.figures_rating_errors import errors_figure
from bayeskit.reporting.figures_rating_matrix import matrix_figure
from bayeskit.reporting.group_tables import GroupTable
from bayeskit.reporting.overview import still
from bayeskit.reporting.rating_reading import read_factorisation
from bayeskit.reporting.rating_summary import summarise
from bayeskit.reporting.rating_words import rating_headline
from bayeskit.reporting.results import Scalar, labelled, rows_of

MAX_FOLLOWED = 9  # quantities
_FOLLOWED = (  # no rotation of the factors changes these
    *("level", "sigma", "cutpoints", "sd_user", "sd_item", "sd_interaction", "effective_rank", "test_rmse"),
    *("user_lambda", "item_lambda", "factor_sd"),
)


@dataclass(frozen=True)
class RatingReport:
    """Sentences, figures and tables in the order that they are read in, by the sections that they stand in."""

    headline: list[str]
    results: list[Figure | GroupTable]
    predictive: list[Figure | GroupTable]
    computation: list[Figure]


def rating_report(fit: Fit) -> RatingReport | None:
    """Return what can be said of a factorisation, or None where the fit is none, or holds too little."""
    found = read_factorisation(fit)
    if found is None:
        return None
    summary = summarise(found)
    results: list[Figure | GroupTable | None] = [matrix_figure(found, summary)]
    predictive: list[Figure | GroupTable | None] = [calibration_figure(found), level_figure(found)]
    errors = errors_figure(found)
    return RatingReport(
        headline=rating_headline(found, summary),
        results=[item for item in results if item is not None],
        predictive=[item for item in predictive if item is not None],
        computation=[errors] if errors is not None else [],
    )


def rating_followed(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the quantities whose chains are shown: those that no rotation of the factors changes."""
    labels = [str(label) for name in _FOLLOWED for label in rows_of(assessment.summary, name).index]
    moving = [str(label) for label, row in assessment.summary.loc[labels].iterrows() if not still(row)]
    return labelled(fit, assessment, moving[:MAX_FOLLOWED])
