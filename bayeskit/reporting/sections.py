"""Everything the template lays out, computed from a fit and its assessment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import duration
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_densities import density_figure
from bayeskit.reporting.figures_diagnostics import diagnostic_figures
from bayeskit.reporting.figures_intervals import interval_figure
from bayeskit.reporting.figures_predictive import memory_figure, pit_figure, residual_figure
from bayeskit.reporting.figures_priors import prior_figure
from bayeskit.reporting.figures_replicated import replication_figures
from bayeskit.reporting.figures_series import slope_figure, state_figure
from bayeskit.reporting.figures_simulated import predictive_figure
from bayeskit.reporting.figures_weights import weight_figure
from bayeskit.reporting.headline import headline, key_values
from bayeskit.reporting.model_fit import judge
from bayeskit.reporting.outline import Outline, outline_of
from bayeskit.reporting.overview import Overview, overview, pick, still
from bayeskit.reporting.replicated import Replicated
from bayeskit.reporting.results import Forecasts, Scalar, labelled, scalars, states
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
N_DRAWN = 9  # quantities of a program of any size that get a density
N_FOLLOWED = 6  # of these, plots of the chains


@dataclass(frozen=True)
class Sections:
    """The sections of the report."""

    outline: Outline
    banner: Banner
    headline: list[str]
    key_values: list[tuple[str, str]]
    results: list[Figure]
    parameters: list[ParameterRow]
    overview: Overview | None
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
    found = _found(fit, assessment)
    labels = [scalar.label for scalar in found]
    worst = worst_labels(assessment, labels, N_WORST)
    model_fit, forecast, replicated = judge(fit)
    series = fit.provenance.card.series
    return Sections(
        outline=outline_of(fit, predictive=model_fit is not None),
        banner=describe(fit, assessment, model_fit),
        headline=headline(fit, assessment, found, forecast) if series is not None else [],
        key_values=key_values(fit, assessment) if series is None else [],
        results=_results(fit, assessment, found),
        parameters=parameter_rows(fit, found) if series is not None else [],
        overview=overview(fit, assessment) if series is None else None,
        predictive=_predictive(fit, forecast, replicated),
        checks=describe_checks(assessment),
        diagnostics=_diagnostics(fit, assessment, found, worst),
        scalar_summary=summary_table(assessment, labels),
        worst_summary=summary_table(assessment, worst),
        priors=prior_figure(fit, _with_first_states(fit, found)),
        timings=[(name.replace("_", " "), duration(seconds)) for name, seconds in fit.provenance.timings.items()],
        config=pairs(fit.provenance.config),
    )


def _found(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the scalars that figures show: the model's own, or the first that move of a program of any size."""
    if fit.provenance.card.series is not None:
        return scalars(fit, assessment)
    if fit.provenance.kind == "point":
        return []
    labels = [label for shown in pick(fit) for label in shown.labels]
    moving = [str(label) for label, row in assessment.summary.loc[labels].iterrows() if not still(row)]
    return labelled(fit, assessment, moving[:N_DRAWN])


def _results(fit: Fit, assessment: Assessment, found: list[Scalar]) -> list[Figure]:
    series = fit.provenance.card.series
    if series is None:
        return _distributions(fit, assessment, found)
    made = [state_figure(fit, assessment, series)]
    if series.slope is not None:
        made.append(slope_figure(fit, assessment, series))
    return made


def _distributions(fit: Fit, assessment: Assessment, found: list[Scalar]) -> list[Figure]:
    if fit.provenance.kind == "point":
        return []
    what = {"variational": "approximate posterior", "iid": "distribution"}.get(fit.provenance.kind, "posterior")
    made = [density_figure(found, what), interval_figure(fit, assessment, what, {s.label for s in found})]
    return [figure for figure in made if figure is not None]


def _predictive(fit: Fit, forecast: Forecasts | None, replicated: list[Replicated]) -> list[Figure]:
    series = fit.provenance.card.series
    if series is None:
        return replication_figures(replicated)
    made = [predictive_figure(fit, series)]
    if forecast is not None:
        made += [pit_figure(forecast), residual_figure(fit, series, forecast), memory_figure(forecast)]
    return [figure for figure in made if figure is not None]


def _diagnostics(fit: Fit, assessment: Assessment, found: list[Scalar], worst: Sequence[str]) -> list[Figure]:
    if fit.provenance.kind == "variational":
        weights = weight_figure(fit)
        return [weights] if weights is not None else []
    if fit.provenance.kind != "mcmc":
        return []
    if fit.provenance.card.series is None:
        shown = found[:N_FOLLOWED]
        room = ROW - len(shown) % ROW if len(shown) % ROW else ROW
        more = worst_labels(assessment, [scalar.label for scalar in shown], room)
        return diagnostic_figures(fit, assessment, [*shown, *labelled(fit, assessment, more)])
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
