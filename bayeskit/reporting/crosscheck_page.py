"""The page of a cross-check: whether the engines agree, target by target, in one self-contained HTML file."""

from __future__ import annotations

from dataclasses import dataclass

from bayeskit.core.language import mark, said, say, speaking
from bayeskit.diagnostics.agreement import Crosscheck
from bayeskit.reporting import crosscheck_tables as tables
from bayeskit.reporting import crosscheck_words as words
from bayeskit.reporting.crosscheck_figures import curve_figure, z_figure
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.html import page
from bayeskit.reporting.outline import Outline

_HEADINGS = (
    ("verdict", mark("Verdict")),
    ("matrix", mark("Targets and engines")),
    ("differences", mark("Where do they differ most?")),
    ("targets", mark("Target by target")),
    ("power", mark("What would have been seen?")),
    ("costs", mark("What did they cost?")),
    ("again", mark("Do it again")),
)


@dataclass(frozen=True)
class CrosscheckSections:
    """What the page lays out."""

    outline: Outline
    judgement: words.Judgement
    engines: tuple[str, ...]
    matrix: tuple[tuple[str, str, tuple[tables.Mark | None, ...]], ...]
    legend: tuple[tuple[str, str, str], ...]
    worst: tuple[tables.DifferenceRow, ...]
    figures: tuple[Figure, ...]
    targets: tuple[tables.TargetPart, ...]
    power: tuple[str, ...]
    costs: tuple[tables.CostRow, ...]
    commands: tuple[str, ...]


def render_crosscheck(crosscheck: Crosscheck, *, command: str, language: str = "en") -> str:
    """Render the page of a cross-check.

    Parameters
    ----------
    crosscheck
        The matrix; one without cells makes a page that says so.
    command
        That makes it again.
    language
        One of ``core.language.languages``.

    Returns
    -------
    str
        One HTML file that needs no network; the same cross-check gives the same text.

    Raises
    ------
    ConfigError
        If there is no catalogue for the language.
    """
    with speaking(language):
        title = say("Do the engines agree?")
        return page(
            "crosscheck.html",
            plotly=True,
            title=f"{title} · bayeskit",
            headline=title,
            seed=crosscheck.seed,
            made=_build(words.shown_in(crosscheck)),
            command=command,
        )


def _build(found: Crosscheck) -> CrosscheckSections:
    return CrosscheckSections(
        outline=Outline(tuple((name, said(heading)) for name, heading in _HEADINGS)),
        judgement=words.judge(found),
        engines=found.engines,
        matrix=tables.matrix(found),
        legend=tuple(
            (words.SYMBOLS[status], say(words.WORDS[status]), say(words.MEANINGS[status]))
            for status in words.SYMBOLS
            if any(cell.status == status for cell in found.cells)
        ),
        worst=tables.worst_rows(found),
        figures=tuple(figure for figure in (z_figure(found), curve_figure(found)) if figure is not None),
        targets=tables.target_parts(found),
        power=tuple(words.power_notes(found)),
        costs=tables.cost_rows(found),
        commands=tuple(dict.fromkeys(cell.command for cell in found.cells if cell.command)),
    )
