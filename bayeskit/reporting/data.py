"""What went in: where the data came from, what was made of them on the way, and a first look."""

from __future__ import annotations

from dataclasses import dataclass

from bayeskit.core.language import mark, say
from bayeskit.core.types import Fit
from bayeskit.core.words import commas
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_block_data import degree_figure
from bayeskit.reporting.figures_data import program_figure
from bayeskit.reporting.figures_data_series import series_figure
from bayeskit.reporting.figures_mixture_data import mixture_data_figure
from bayeskit.reporting.figures_rating_data import ratings_figure


@dataclass(frozen=True)
class DataReport:
    """Provenance as pairs, what the loader did as sentences, figures, and which variables have none."""

    facts: list[tuple[str, str]]
    notes: tuple[str, ...]
    figures: list[Figure]
    left_out: str


def data_report(fit: Fit) -> DataReport | None:
    """Return what can be told of the data, or None where there is no more than the file's name."""
    source, series = fit.provenance.data, fit.provenance.card.series
    figure, rest = program_figure(fit, source.variables) if series is None else (series_figure(fit, series), [])
    if fit.provenance.card.mixture is not None:
        figure, rest = mixture_data_figure(fit, source.variables)
    elif fit.provenance.card.blocks is not None:
        figure, rest = degree_figure(fit), []
    elif fit.provenance.card.factors is not None:
        figure, rest = ratings_figure(fit), []
    elif fit.provenance.card.autoencoder is not None:
        figure, rest = None, []  # rows stand beside what is made of them
    if figure is None and not source.variables and not source.notes:
        return None
    facts = [(say("file"), source.path)] if source.sha256 else []
    facts += [(say("what"), source.description), *source.variables.items()]
    template = mark("Not drawn, as it never varies, merely counts, or finds no room: {names}.")
    left_out = say(template, names=commas(rest)) if rest else ""
    return DataReport(facts, source.notes, [figure] if figure is not None else [], left_out)
