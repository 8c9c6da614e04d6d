"""The page of a calibration: one self-contained HTML file, of whatever the simulations gave."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bayeskit.core.language import speaking
from bayeskit.core.types import Provenance
from bayeskit.core.words import day
from bayeskit.diagnostics.calibration import LOG_LIKELIHOOD, Calibration
from bayeskit.reporting import calibration_tables as tables
from bayeskit.reporting import calibration_words as words
from bayeskit.reporting.checks import Check
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_calibration import N_SHOWN, coverage_figure, curve_figure, histogram_figure
from bayeskit.reporting.figures_recovery import recovery_figure, sensitivity_figure
from bayeskit.reporting.html import highlight, page
from bayeskit.reporting.outline import Outline
from bayeskit.reporting.tables import pairs
from bayeskit.reporting.translated import resaid, retold


@dataclass(frozen=True)
class CalibrationSections:
    """The sections of the page."""

    outline: Outline
    judgement: words.Judgement
    done: list[str]
    rows: list[tables.QuantityRow]
    total: int
    ranks: list[Figure]
    recovery: list[Figure]
    checks: list[Check]
    problems: list[tuple[str, str]]
    timings: list[tuple[str, str]]
    config: list[tuple[str, str]]
    machine: list[tuple[str, str]]


def render_calibration(provenance: Provenance, calibration: Calibration, *, language: str = "en") -> str:
    """Render the page of a calibration.

    Parameters
    ----------
    provenance
        The model, the engine and how they were run; ``config["posterior"]`` says that the truths were drawn from the
        posterior given the data instead of the prior.
    calibration
        The simulations and their verdicts; none, one, or only failed ones make a page that says so.
    language
        One of ``core.language.languages``.

    Returns
    -------
    str
        One HTML file that needs no network; the same calibration gives the same text.

    Raises
    ------
    ConfigError
        If there is no catalogue for the language.
    """
    with speaking(language):
        origin = retold(provenance)
        told = replace(calibration, verdicts=resaid(calibration.verdicts))
        return page(
            "calibration.html",
            plotly=True,
            title=f"{origin.card.title} · bayeskit",
            origin=origin,
            card=origin.card,
            started=day(origin.started)[:10],
            program=highlight(origin.card.program, origin.card.language),
            script=highlight(origin.script, "python"),
            sections=_build(origin, told),
        )


def _build(origin: Provenance, calibration: Calibration) -> CalibrationSections:
    outline = words.outline_of()
    return CalibrationSections(
        outline=outline,
        judgement=words.judge(calibration, outline),
        done=tables.what_was_done(origin, calibration),
        rows=tables.quantity_rows(calibration, origin.card),
        total=len(calibration.quantities),
        ranks=_ranks(calibration),
        recovery=_recovery(origin, calibration),
        checks=words.check_rows(calibration),
        problems=tables.problems(calibration.simulations),
        timings=tables.times(origin, calibration.simulations),
        config=pairs({name: value for name, value in origin.config.items() if name != "posterior"}),
        machine=pairs(origin.hardware),
    )


def _ranks(calibration: Calibration) -> list[Figure]:
    shown = tables.strangest(calibration, N_SHOWN)
    if not shown:
        return []
    return [figure(calibration, shown) for figure in (curve_figure, histogram_figure, coverage_figure)]


def _recovery(origin: Provenance, calibration: Calibration) -> list[Figure]:
    # The joint log likelihood depends on the data: there is no one value that should come back.
    shown = [one for one in tables.strangest(calibration, N_SHOWN) if one.label != LOG_LIKELIHOOD]
    if not shown:
        return []
    made = [recovery_figure(shown, tables.units(origin.card)), sensitivity_figure(shown)]
    return [figure for figure in made if figure is not None]
