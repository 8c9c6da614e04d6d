"""What a report says of a factorisation of ratings, put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeskit.core.types import Assessment, Fit, Quantity
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_rating_calibration import calibration_figure, level_figure
from bayeskit.reporting.figures_rating_errors import errors_figure
from bayeskit.reporting.figures_rating_factors import factor_figure
from bayeskit.reporting.figures_rating_matrix import matrix_figure
from bayeskit.reporting.figures_rating_predictions import prediction_figure
from bayeskit.reporting.figures_rating_tastes import taste_figure, taste_table
from bayeskit.reporting.group_tables import GroupTable
from bayeskit.reporting.overview import still
from bayeskit.reporting.rating_baselines import baseline_table, read_baselines
from bayeskit.reporting.rating_groups import feature_table, group_tables
from bayeskit.reporting.rating_reading import read_factorisation
from bayeskit.reporting.rating_summary import Summary, summarise
from bayeskit.reporting.rating_tables import item_tables, surprise_table, user_table
from bayeskit.reporting.rating_tastes import read_tastes
from bayeskit.reporting.rating_view import Factorisation
from bayeskit.reporting.rating_words import rating_headline
from bayeskit.reporting.results import Scalar, labelled, rows_of

Floats = NDArray[np.float64]

MAX_FOLLOWED = 9  # quantities
MAX_GROUPS = 4  # of features, a side, whose prior is drawn
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


def rating_report(fit: Fit, assessment: Assessment) -> RatingReport | None:
    """Return what can be said of a factorisation, or None where the fit is none, or holds too little."""
    from threadpoolctl import threadpool_limits

    found = read_factorisation(fit)
    if found is None:
        return None
    with threadpool_limits(1):  # sums come out the same on any number of cores
        summary = summarise(found)
        results = _results(fit, assessment, found, summary)
    predictive = [calibration_figure(found), level_figure(found), prediction_figure(found), surprise_table(found)]
    predictive.append(baseline_table(found, read_baselines(fit)))
    errors = errors_figure(found)
    return RatingReport(
        headline=rating_headline(found, summary),
        results=results,
        predictive=[item for item in predictive if item is not None],
        computation=[errors] if errors is not None else [],
    )


def _results(
    fit: Fit, assessment: Assessment, found: Factorisation, summary: Summary | None
) -> list[Figure | GroupTable]:
    tastes = read_tastes(found, summary) if summary is not None else None
    made: list[Figure | GroupTable | None] = [matrix_figure(found, summary), *item_tables(found, summary)]
    made += [*group_tables(found, summary), user_table(found, summary)]
    made += [taste_figure(found, tastes), taste_table(tastes)] if tastes is not None else []
    made += [factor_figure(fit, found, summary), feature_table(found, assessment)]
    return [item for item in made if item is not None]


def rating_followed(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the quantities whose chains are shown: those that no rotation of the factors changes."""
    labels = [str(label) for name in _FOLLOWED for label in rows_of(assessment.summary, name).index]
    moving = [str(label) for label, row in assessment.summary.loc[labels].iterrows() if not still(row)]
    return labelled(fit, assessment, moving[:MAX_FOLLOWED])


def rating_priors(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return what is held against its prior: the precision of a rating, of factors, and of features' coefficients."""
    found = read_factorisation(fit)
    if found is None or found.is_point:
        return []
    made = []
    if found.rated is not None:
        sigmas = labelled(fit, assessment, _of(assessment, "sigma"))
        made += [_scalar("tau", "tau", (found.rated.value.std() / one.draws) ** 2) for one in sigmas]
    scales = labelled(fit, assessment, _of(assessment, "factor_sd"))
    ends = [scales[0], scales[-1]] if len(scales) > 1 else scales
    made += [_scalar(one.label.replace("factor_sd", "alpha"), "alpha", one.draws**-2.0) for one in ends]
    for name in ("user_lambda", "item_lambda"):
        some = labelled(fit, assessment, _of(assessment, name)[:MAX_GROUPS])
        made += [_scalar(one.label, "lambda", one.draws) for one in some]
    return [scalar for scalar in made if np.ptp(scalar.draws) > 0]


def _of(assessment: Assessment, name: str) -> list[str]:
    return [str(label) for label in rows_of(assessment.summary, name).index]


def _scalar(label: str, prior: str, draws: Floats) -> Scalar:
    return Scalar(label, Quantity(prior), draws, pd.Series(dtype=float))
