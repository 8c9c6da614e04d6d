"""Everything the template lays out, computed from a fit and its assessment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import duration
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_diagnostics import diagnostic_figures
from bayeskit.reporting.figures_predictive import (
    describe_forecasts,
    memory_figure,
    pit_figure,
    residual_figure,
)
from bayeskit.reporting.figures_priors import prior_figure
from bayeskit.reporting.figures_series import slope_figure, state_figure
from bayeskit.reporting.figures_simulated import predictive_figure
from bayeskit.reporting.headline import headline
from bayeskit.reporting.results import Forecasts, Scalar, forecasts, scalars, states
from bayeskit.reporting.tables import (
    N_WORST,
    ParameterRow,
    SummaryTable,
    pairs,
    parameter_rows,
    state_positions,
    summary_table,
    worst_labels,
)
from bayeskit.reporting.verdict import Banner, Check, describe, describe_checks

ROW = 3


@dataclass(frozen=True)
class Sections:
    """The six sections of the report."""

    banner: Banner
    headline: list[str]
    results: list[Figure]
    parameters: list[ParameterRow]
    predictive: list[Figure]
    checks: tuple[Check, ...]
    diagnostics: list[Figure]
    scalar_summary: SummaryTable
    worst_summary: SummaryTable
    priors: Figure | None
    timings: list[tuple[str, str]]
    config: list[tuple[str, str]]


def build(fit: Fit, assessment: Assessment) -> Sections:
    """Compute all sections; what the fit has no groups for is left out."""
    found = scalars(fit, assessment)
    labels = [scalar.label for scalar in found]
    worst = worst_labels(assessment, labels, N_WORST)
    series = fit.provenance.card.series
    forecast = forecasts(fit, series) if series is not None else None
    return Sections(
        banner=describe(fit, assessment, describe_forecasts(forecast)),
        headline=headline(fit, assessment, found, forecast),
        results=_results(fit, assessment),
        parameters=parameter_rows(fit, found),
        predictive=_predictive(fit, forecast),
        checks=describe_checks(assessment),
        diagnostics=_diagnostics(fit, assessment, found, worst),
        scalar_summary=summary_table(assessment, labels),
        worst_summary=summary_table(assessment, worst),
        priors=prior_figure(fit, _with_first_states(fit, found)),
        timings=[(name.replace("_", " "), duration(seconds)) for name, seconds in fit.provenance.timings.items()],
        config=pairs(fit.provenance.config),
    )


def _results(fit: Fit, assessment: Assessment) -> list[Figure]:
    series = fit.provenance.card.series
    if series is None:
        return []
    made = [state_figure(fit, assessment, series)]
    if series.slope is not None:
        made.append(slope_figure(fit, assessment, series))
    return made


def _predictive(fit: Fit, forecast: Forecasts | None) -> list[Figure]:
    series = fit.provenance.card.series
    if series is None:
        return []
    made = [predictive_figure(fit, series)]
    if forecast is not None:
        made += [pit_figure(forecast), residual_figure(fit, series, forecast), memory_figure(forecast)]
    return [figure for figure in made if figure is not None]


def _diagnostics(fit: Fit, assessment: Assessment, found: list[Scalar], worst: Sequence[str]) -> list[Figure]:
    if fit.provenance.kind != "mcmc":
        return []
    shown = list(found)
    # Panels stand in rows of three.
    n_states = ROW - len(found) % ROW
    for label, name, place in state_positions(assessment, worst[:n_states]):
        shown += states(fit, name, [(label, place)])
    return diagnostic_figures(fit, assessment, shown)


def _with_first_states(fit: Fit, found: list[Scalar]) -> list[Scalar]:
    """Add the first day of a state that has a prior of its own, by the name ``mu_1``."""
    posterior = fit.posterior["posterior"]
    names = {
        prior.name.removesuffix("_1"): prior.name for prior in fit.provenance.card.priors if prior.name.endswith("_1")
    }
    firsts = []
    for name, prior_name in names.items():
        if name in posterior and posterior[name].ndim == 3:
            firsts += states(fit, name, [(prior_name, 0)])
    return [*found, *firsts]
