"""Runs side by side, on one page: which to prefer, what differs, and what each of them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bayeskit.core.language import mark, said, say, speaking
from bayeskit.core.words import joined, listing, sentence
from bayeskit.diagnostics.comparison import Scores, compare_scores
from bayeskit.reporting.checks import State
from bayeskit.reporting.compare_tables import (
    NONE,
    Compared,
    Differences,
    Row,
    Table,
    check_rows,
    cost_table,
    differences,
    prediction_tables,
    score_table,
    unit_of,
)
from bayeskit.reporting.compare_words import Opinion, checked, next_step, score_notes, scored
from bayeskit.reporting.equal_weights import equally_weighted
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_compare import Shared, forest_figure, overlay_figure
from bayeskit.reporting.figures_compare_paths import path_figures
from bayeskit.reporting.html import page
from bayeskit.reporting.model_fit import judge
from bayeskit.reporting.outline import Outline
from bayeskit.reporting.overview import pick, still
from bayeskit.reporting.results import labelled, scalars
from bayeskit.reporting.translated import translated
from bayeskit.reporting.verdict import describe

MAX_DRAWN = 12
MAX_TOLD = 12


@dataclass(frozen=True)
class Comparison:
    """What the page lays out."""

    outline: Outline
    names: tuple[str, ...]
    state: State
    adequate: bool
    verdict: str
    next_step: str
    opinions: tuple[Opinion, ...]
    differences: Differences
    checks: tuple[Row, ...]
    scores: Table | None
    score_notes: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    predictions: tuple[tuple[str, str, Table], ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    costs: Table


_HEADINGS = (
    ("verdict", mark("Verdict")),
    ("differences", mark("What differs?")),
    ("computation", mark("Did the computations work?")),
    ("scores", mark("Which predicts better?")),
    ("posteriors", mark("What do they say?")),
    ("costs", mark("What did they cost?")),
    ("again", mark("Do it again")),
)


def render_comparison(runs: Sequence[Compared], *, command: str, language: str = "en") -> str:
    """Render runs side by side.

    Parameters
    ----------
    runs
        At least two, with names of their own.
    command
        That makes this page.
    language
        One of ``core.language.languages``.

    Returns
    -------
    str
        One HTML file that needs no network.

    Raises
    ------
    ConfigError
        If there is no catalogue for the language.
    """
    with speaking(language):
        told = []
        for run in runs:
            fit, assessment = translated(run.fit, run.assessment)
            told.append(replace(run, fit=fit, assessment=assessment))
        made = compare_runs(told)
        names = listing(made.names)
        title = say("Compared: {names}", names=names)
        return page(
            "compare.html", plotly=True, title=f"{title} · bayeskit", headline=title, made=made, command=command
        )


def compare_runs(runs: Sequence[Compared]) -> Comparison:
    """Compute all that the page says."""
    scores = compare_scores({run.name: run.fit for run in runs})
    opinions = tuple(_opinion(run) for run in runs)
    outline = Outline(tuple((name, said(heading)) for name, heading in _HEADINGS))
    drawn_runs, notes = [], []
    for run in runs:
        shown, told = equally_weighted(run.fit)
        drawn_runs.append(replace(run, fit=shown))
        notes += [say("{run}: {told}", run=run.name, told=told)] if told else []
    shared, more = _shared(drawn_runs)
    notes += more
    drawn = shared[:MAX_DRAWN]
    if len(shared) > len(drawn):
        notes = [
            say("Drawn: {n} of the {total} quantities that runs share.", n=len(drawn), total=f"{len(shared):,}"),
            *notes,
        ]
    figures = [*path_figures(drawn_runs), overlay_figure(runs, drawn), forest_figure(runs, drawn)]
    return Comparison(
        outline=outline,
        names=tuple(run.name for run in runs),
        state=_state(opinions, scores),
        adequate=all(opinion.adequate for opinion in opinions),
        verdict=joined([scored(scores), checked(opinions)]),
        next_step=next_step(opinions, scores, outline),
        opinions=opinions,
        differences=differences(runs),
        checks=check_rows(runs),
        scores=score_table(scores) if scores.rows else None,
        score_notes=tuple(score_notes(scores)),
        left_out=tuple((name, sentence(reason)) for name, reason in scores.left_out.items()),
        predictions=tuple((name, _predicted_how(runs, name), table) for name, table in prediction_tables(drawn_runs)),
        figures=tuple(figure for figure in figures if figure is not None),
        notes=tuple(notes),
        costs=cost_table(runs),
    )


def _opinion(run: Compared) -> Opinion:
    banner = describe(run.fit, run.assessment, judge(run.fit)[0])
    origin = run.fit.provenance
    return Opinion(
        name=run.name,
        href=run.href,
        command=origin.command,
        state=banner.state,
        sentence=banner.sentence,
        adequate=banner.adequate,
        point=origin.kind == "point",
        rough=banner.rough,
    )


def _state(opinions: Sequence[Opinion], scores: Scores) -> State:
    if any(opinion.state == "failed" for opinion in opinions):
        return "failed"
    return "passed" if scores.rows and all(opinion.state == "passed" for opinion in opinions) else "unchecked"


def _predicted_how(runs: Sequence[Compared], name: str) -> str:
    series = [run.fit.provenance.card.series for run in runs]
    if all(one is not None and one.observed == name for one in series):
        return say("One day ahead, with parameters fitted to all days.")
    return say(
        "Replications of data that the posterior has seen: in-sample, so that a model with more parameters looks "
        "better."
    )


def _shared(runs: Sequence[Compared]) -> tuple[list[Shared], list[str]]:
    """Return what at least two runs have in the same unit, and in words what is left out."""
    labels = [_candidates(run) for run in runs]
    known = [set(map(str, run.assessment.summary.index)) for run in runs]
    shared: list[Shared] = []
    notes: list[str] = []
    lonely: dict[str, list[str]] = {}
    for label in dict.fromkeys(label for found in labels for label in found):
        places = [place for place, found in enumerate(known) if label in found]
        if len(places) < 2:
            lonely.setdefault(runs[places[0]].name, []).append(label)
            continue
        units = {place: unit_of(runs[place].fit, label.partition("[")[0]) for place in places}
        if len(set(units.values())) > 1:
            told = [say("{unit} in {run}", unit=unit or say("no unit"), run=runs[p].name) for p, unit in units.items()]
            notes.append(say("{label} is not drawn: it is in {units}.", label=label, units=listing(told)))
            continue
        found = {p: labelled(runs[p].fit, runs[p].assessment, [label])[0] for p in places}
        shared.append(Shared(label, units[places[0]], found))
        meanings = {runs[p].name: scalar.quantity.meaning for p, scalar in found.items()}
        if len(set(meanings.values())) > 1:
            told = [say("in {run}: {meaning}", run=run, meaning=what or NONE) for run, what in meanings.items()]
            notes.append(say("{label} does not mean the same ({meanings}).", label=label, meanings=listing(told)))
    for run in runs:
        others = [set(other.fit.posterior["posterior"].data_vars) for other in runs if other is not run]
        told_of = {label.partition("[")[0] for label in lonely.get(run.name, [])}
        own = [str(name) for name in run.fit.posterior["posterior"].data_vars if all(name not in o for o in others)]
        lonely.setdefault(run.name, []).extend(name for name in own if name not in told_of)
    for name, alone in lonely.items():
        if not alone:
            continue
        more = say(" and {n} more", n=len(alone) - MAX_TOLD) if len(alone) > MAX_TOLD else ""
        notes.append(say("Only {run} has {labels}{more}.", run=name, labels=listing(alone[:MAX_TOLD]), more=more))
    if not shared:
        notes.insert(0, say("The runs share no quantity that could be drawn."))
    return shared, notes


def _candidates(run: Compared) -> list[str]:
    """Return the labels of the scalars that a run is about, and the names of its arrays where they are too many."""
    fit, assessment = run.fit, run.assessment
    if fit.provenance.card.series is not None:
        labels = [scalar.label for scalar in scalars(fit, assessment)]
    else:
        labels = [label for shown in pick(fit) for label in shown.labels]
    rows = assessment.summary
    known = [label for label in labels if label in rows.index]
    if "estimate" in rows:
        return known
    return [str(label) for label, row in rows.loc[known].iterrows() if not still(row)]
