"""Everything the template lays out, computed from a fit and its assessment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayeskit.core.language import said, say
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import duration
from bayeskit.reporting.autoencoder_report import AutoencoderReport, autoencoder_report
from bayeskit.reporting.block_report import BlockReport, block_followed, block_predictive, block_priors, block_report
from bayeskit.reporting.checks import Check, describe_checks
from bayeskit.reporting.data import DataReport, data_report
from bayeskit.reporting.engine_facts import engine_facts
from bayeskit.reporting.equal_weights import equally_weighted
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_densities import density_figure
from bayeskit.reporting.figures_diagnostics import MAX_CHAINS, diagnostic_figures
from bayeskit.reporting.figures_intervals import interval_figure
from bayeskit.reporting.figures_optimisation import optimisation_figures
from bayeskit.reporting.figures_predictive import memory_figure, pit_figure, residual_figure
from bayeskit.reporting.figures_priors import prior_figure
from bayeskit.reporting.figures_replicated import replication_figures
from bayeskit.reporting.figures_samplers import (
    acceptance_figure,
    envelope_figure,
    running_mean_figure,
    tempering_figure,
)
from bayeskit.reporting.figures_series import slope_figure, state_figure
from bayeskit.reporting.figures_simulated import predictive_figure
from bayeskit.reporting.figures_weights import weight_figure
from bayeskit.reporting.group_tables import GroupTable
from bayeskit.reporting.headline import headline, key_values
from bayeskit.reporting.mixture_report import MixtureReport, followed, mixture_report, with_priors
from bayeskit.reporting.mixture_words import ComponentTable, criteria_rows
from bayeskit.reporting.model_fit import judge
from bayeskit.reporting.node_table import NodeTable
from bayeskit.reporting.outline import Outline, outline_of
from bayeskit.reporting.overview import Overview, caution, overview, pick, still
from bayeskit.reporting.parameter_table import ParameterTable, parameter_table
from bayeskit.reporting.rating_report import RatingReport, rating_followed, rating_priors, rating_report
from bayeskit.reporting.replicated import Replicated
from bayeskit.reporting.results import Forecasts, Scalar, labelled, recorded_labels, scalars, states
from bayeskit.reporting.sensitivity import SensitivityReport, sensitivity_of
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
from bayeskit.reporting.verdict import Banner, describe

Own = MixtureReport | BlockReport | RatingReport | AutoencoderReport
Told = RatingReport | AutoencoderReport  # those whose figures of fit and computation are their own

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
    caution: str
    resampled: str
    components: ComponentTable | None
    criteria: list[tuple[str, str]]
    results: list[Figure | GroupTable]
    nodes: NodeTable | None
    parameters: list[ParameterRow]
    overview: Overview | None
    predictive: list[Figure | GroupTable]
    checks: tuple[Check, ...]
    found_out: list[tuple[str, str]]
    diagnostics: list[Figure]
    scalar_summary: SummaryTable
    worst_summary: SummaryTable
    table: ParameterTable
    priors: Figure | None
    priors_unused: bool
    sensitivity: SensitivityReport | str
    data: DataReport | None
    timings: list[tuple[str, str]]
    config: list[tuple[str, str]]
    machine: list[tuple[str, str]]


def build(fit: Fit, assessment: Assessment) -> Sections:
    """Compute all sections; what the fit has no groups for is left out."""
    shown, resampled = equally_weighted(fit)
    mixture, blocks = mixture_report(shown), block_report(shown, assessment)
    told = rating_report(shown, assessment) or autoencoder_report(shown, assessment)
    own = mixture or blocks or told
    found = _found(shown, assessment)
    labels = [scalar.label for scalar in found] if fit.has_draws else recorded_labels(fit, assessment)
    worst = worst_labels(assessment, labels, N_WORST)
    model_fit, forecast, replicated = judge(shown) if fit.has_draws else (None, None, [])
    series = fit.provenance.card.series
    sensitivity = sensitivity_of(fit, assessment) if fit.has_draws else say("there are no draws")
    banner = describe(fit, assessment, model_fit, sensitivity)
    return Sections(
        outline=outline_of(fit, predictive=model_fit is not None),
        banner=banner,
        headline=_headline(shown, assessment, found, forecast, own),
        key_values=key_values(fit, assessment) if series is None and own is None else [],
        caution=caution(fit, assessment),
        resampled=resampled,
        components=mixture.table if mixture is not None else None,
        criteria=criteria_rows(fit, assessment),
        results=_results(shown, assessment, found, own),
        nodes=blocks.nodes if blocks is not None else None,
        parameters=parameter_rows(fit, found, noted=banner.state != "failed") if series is not None else [],
        overview=overview(fit, assessment) if series is None else None,
        predictive=_predictive(shown, forecast, replicated, told),
        checks=describe_checks(assessment),
        found_out=engine_facts(fit),
        diagnostics=[*(told.computation if told else []), *_diagnostics(fit, assessment, found, worst)],
        scalar_summary=summary_table(assessment, labels),
        worst_summary=summary_table(assessment, worst),
        table=parameter_table(fit, assessment),
        priors=None
        if _by_likelihood(fit) or _of_rows(fit)
        else prior_figure(shown, _held_against_priors(shown, assessment, found)),
        priors_unused=_by_likelihood(fit),
        sensitivity=sensitivity,
        data=data_report(fit),
        timings=[(_phase(fit, name), duration(seconds)) for name, seconds in fit.provenance.timings.items()],
        config=pairs({key: value for key, value in fit.provenance.config.items() if not _idle(fit, key)}),
        machine=pairs(fit.provenance.hardware),
    )


def _phase(fit: Fit, name: str) -> str:
    """Name a phase; chains run side by side, so that theirs can take longer together than all did."""
    told = said(name.replace("_", " "))
    chains = fit.posterior["posterior"].sizes.get("chain", 1)
    return say("{phase}, all chains together", phase=told) if name in ("warmup", "sampling") and chains > 1 else told


def _idle(fit: Fit, setting: str) -> bool:
    """Whether a setting meant nothing: independent draws have no warm-up."""
    return fit.provenance.kind == "iid" and setting in ("warmup", "adapt_delta", "max_treedepth")


def _headline(
    fit: Fit,
    assessment: Assessment,
    found: list[Scalar],
    forecast: Forecasts | None,
    own: Own | None,
) -> list[str]:
    if own is not None:
        return own.headline
    if fit.provenance.card.series is None or not fit.has_draws:
        return []
    return headline(fit, assessment, found, forecast)


def _found(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the scalars that figures show: the model's own, or the first that move of a program of any size."""
    if not fit.has_draws:
        return []
    if fit.provenance.card.series is not None:
        return scalars(fit, assessment)
    if fit.provenance.kind == "point":
        return []
    if fit.provenance.card.mixture is not None:
        return followed(fit, assessment)
    if fit.provenance.card.blocks is not None:
        return block_followed(fit, assessment)
    if fit.provenance.card.factors is not None:
        return rating_followed(fit, assessment)
    labels = [label for shown in pick(fit) for label in shown.labels]
    moving = [str(label) for label, row in assessment.summary.loc[labels].iterrows() if not still(row)]
    return labelled(fit, assessment, moving[:N_DRAWN])


def _results(fit: Fit, assessment: Assessment, found: list[Scalar], own: Own | None) -> list[Figure | GroupTable]:
    series = fit.provenance.card.series
    if not fit.has_draws:
        return []
    if isinstance(own, BlockReport | RatingReport | AutoencoderReport):
        return own.results
    if series is None:
        return [*(own.figures if own is not None else _distributions(fit, assessment, found))]
    made: list[Figure | GroupTable] = [state_figure(fit, assessment, series)]
    if series.slope is not None:
        made.append(slope_figure(fit, assessment, series))
    return made


def _distributions(fit: Fit, assessment: Assessment, found: list[Scalar]) -> list[Figure]:
    if fit.provenance.kind == "point":
        return []
    names = {"variational": say("approximate posterior"), "iid": say("distribution")}
    what = names.get(fit.provenance.kind, say("posterior"))
    made = [density_figure(found, what), interval_figure(fit, assessment, what, {s.label for s in found})]
    return [figure for figure in made if figure is not None]


def _predictive(
    fit: Fit, forecast: Forecasts | None, replicated: list[Replicated], told: Told | None
) -> list[Figure | GroupTable]:
    series = fit.provenance.card.series
    if not fit.has_draws:
        return []
    if fit.provenance.card.blocks is not None:
        return [*block_predictive(fit)]
    if told is not None:
        return told.predictive
    if series is None:
        return [*replication_figures(replicated)]
    made = [predictive_figure(fit, series)]
    if forecast is not None:
        made += [pit_figure(forecast), residual_figure(fit, series, forecast), memory_figure(forecast)]
    return [figure for figure in made if figure is not None]


def _diagnostics(fit: Fit, assessment: Assessment, found: list[Scalar], worst: Sequence[str]) -> list[Figure]:
    if not fit.has_draws or fit.provenance.card.autoencoder is not None:
        return []
    if fit.provenance.kind != "mcmc":
        means = running_mean_figure(found, 1) if fit.provenance.kind == "iid" else None
        weights = weight_figure(fit) if fit.provenance.kind in ("variational", "weighted") else None
        made = [*optimisation_figures(fit), weights, tempering_figure(fit), envelope_figure(fit), means]
        return [figure for figure in made if figure is not None]
    chains = _followed(fit, assessment, found, worst)
    plots = diagnostic_figures(fit, assessment, chains)
    means = running_mean_figure(chains[:ROW], MAX_CHAINS) if plots else None
    return [*plots, *(figure for figure in (means, acceptance_figure(fit)) if figure is not None)]


def _followed(fit: Fit, assessment: Assessment, found: list[Scalar], worst: Sequence[str]) -> list[Scalar]:
    """Return the quantities whose chains are shown, in rows of three: the model's own, then the worst of the others."""
    if fit.provenance.card.series is None:
        shown = found[:N_FOLLOWED]
        room = ROW - len(shown) % ROW if len(shown) % ROW else ROW
        more = worst_labels(assessment, [scalar.label for scalar in shown], room)
        return [*shown, *labelled(fit, assessment, more)]
    shown = list(found)
    n_states = ROW - len(found) % ROW
    for label, name, place in state_positions(assessment, worst[:n_states]):
        shown += states(fit, name, [(label, place)])
    return shown


def _by_likelihood(fit: Fit) -> bool:
    """Whether the likelihood alone was made as large as it gets, so that the priors play no part."""
    return fit.provenance.engine == "em" and fit.provenance.kind == "point"


def _of_rows(fit: Fit) -> bool:
    """Whether priors are of what each row has anew, so that no posterior stands against them."""
    return fit.provenance.card.autoencoder is not None


def _held_against_priors(fit: Fit, assessment: Assessment, found: list[Scalar]) -> list[Scalar]:
    """Return what the figure of the priors shows of the posterior."""
    if fit.provenance.card.mixture is not None and fit.has_draws:
        return with_priors(fit, assessment)
    if fit.provenance.card.blocks is not None and fit.has_draws:
        return block_priors(fit, assessment)
    if fit.provenance.card.factors is not None and fit.has_draws:
        return rating_priors(fit, assessment)
    return _with_first_states(fit, found)


def _with_first_states(fit: Fit, found: list[Scalar]) -> list[Scalar]:
    """Add the first day of a state that has a prior of its own, by the name ``mu_1``."""
    posterior = fit.posterior["posterior"]
    if not fit.has_draws:
        return []
    names = {
        prior.name.removesuffix("_1"): prior.name for prior in fit.provenance.card.priors if prior.name.endswith("_1")
    }
    firsts = []
    for name, prior_name in names.items():
        if name in posterior and posterior[name].ndim == 3:
            firsts += states(fit, name, [(prior_name, 0)])
    return [*found, *firsts]
