"""A fit and its assessment with all the texts they were stored with, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bayeskit.core.language import said
from bayeskit.core.types import Assessment, Fit, ModelCard, Provenance, Source, Verdict


def translated(fit: Fit, assessment: Assessment) -> tuple[Fit, Assessment]:
    """Return both as they are to be read in the language that is spoken now.

    Parameters
    ----------
    fit
        Its card and the description of its data were made when it ran, or read from ``run.json``.
    assessment
        Likewise its verdicts.

    Returns
    -------
    Fit, Assessment
        The same draws and numbers.
    """
    told = retold(fit.provenance)
    resaid_fit = replace(fit, provenance=told, missing=_all(fit.missing))
    return resaid_fit, replace(assessment, verdicts=resaid(assessment.verdicts))


def retold(origin: Provenance) -> Provenance:
    """Return where something came from, its card and the description of its data as they are to be read now."""
    return replace(origin, card=_card(origin.card), data=_source(origin.data))


def resaid(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return verdicts as they are to be read now."""
    return tuple(replace(v, detail=said(v.detail), remedy=said(v.remedy)) for v in verdicts)


def _card(card: ModelCard) -> ModelCard:
    return replace(
        card,
        title=said(card.title),
        summary=said(card.summary),
        quantities=tuple(
            replace(quantity, meaning=said(quantity.meaning), unit=said(quantity.unit)) for quantity in card.quantities
        ),
        priors=tuple(replace(prior, meaning=said(prior.meaning), unit=said(prior.unit)) for prior in card.priors),
        series=None if card.series is None else replace(card.series, label=said(card.series.label)),
        remedies=_values(card.remedies),
        notes=_all(card.notes),
    )


def _source(source: Source) -> Source:
    return replace(
        source, description=said(source.description), notes=_all(source.notes), variables=_values(source.variables)
    )


def _all(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(said(text) for text in texts)


def _values(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: said(text) for name, text in texts.items()}
