"""Runs side by side as tables of texts: what differs, what the checks say, what the scores are, what it cost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeskit.core.language import mark, say
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import NO_BREAK, duration, number, percent, plus_minus, significant, with_unit
from bayeskit.diagnostics.comparison import Scores
from bayeskit.diagnostics.prediction_error import Predictions, predictions
from bayeskit.reporting.checks import describe_checks
from bayeskit.reporting.kinds import KINDS

NONE = "–"
SHORT_HASH = 12
_SEVERITY = {"failed": 0, "noted": 1, "unchecked": 2, "passed": 3}


@dataclass(frozen=True)
class Compared:
    """One of the runs that stand side by side.

    Parameters
    ----------
    name
        That is its own among them.
    fit, assessment
        As they were saved.
    href
        Of its report, from the page; empty where there is none.
    """

    name: str
    fit: Fit
    assessment: Assessment
    href: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table with a column a run: heading, texts, and of checks the state that each cell tells of."""

    heading: str
    cells: tuple[str, ...]
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class Differences:
    """Facts of the runs by topic: those in which they differ, and those in which they agree, with the one text."""

    differing: Mapping[str, tuple[Row, ...]]
    agreeing: Mapping[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Table:
    """A table with a row a run."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def differences(runs: Sequence[Compared]) -> Differences:
    """Compare all that is known of how the runs came about."""
    facts = [_facts(run.fit) for run in runs]
    topics = dict.fromkeys(topic for found in facts for topic in found)
    differing: dict[str, tuple[Row, ...]] = {}
    agreeing: dict[str, tuple[tuple[str, str], ...]] = {}
    for topic in topics:
        names = dict.fromkeys(name for found in facts for name in found.get(topic, {}))
        rows = [Row(name, tuple(found.get(topic, {}).get(name, NONE) for found in facts)) for name in names]
        apart = tuple(row for row in rows if len(set(row.cells)) > 1)
        alike = tuple((row.heading, row.cells[0]) for row in rows if len(set(row.cells)) == 1)
        differing |= {topic: apart} if apart else {}
        agreeing |= {topic: alike} if alike else {}
    return Differences(differing, agreeing)


def check_rows(runs: Sequence[Compared]) -> tuple[Row, ...]:
    """Return the checks of all runs, those that failed in some run first."""
    found = [{check.name: check for check in describe_checks(run.assessment)} for run in runs]
    rows = []
    for name in dict.fromkeys(name for checks in found for name in checks):
        made = [checks.get(name) for checks in found]
        cells = tuple(
            NONE
            if check is None
            else check.word
            if check.state == "unchecked"
            else say("{value} {word} ({limit})", value=check.value, word=check.word, limit=check.limit)
            for check in made
        )
        rows.append(Row(name, cells, tuple("" if check is None else check.state for check in made)))
    return tuple(sorted(rows, key=lambda row: min(_SEVERITY.get(state, 4) for state in row.states)))


def score_table(scores: Scores) -> Table:
    """Return the scores, the best run first."""
    loo = scores.basis == "loo"
    columns = [
        say("log predictive density (elpd)") if loo else say("log predictive density a day ahead"),
        say("difference from the best"),
        say("effective parameters (p_loo)") if loo else say("optimism, about"),
    ]
    columns += [say("k-hat above {limit}", limit=f"{scores.k_limit:.2g}"), say("stacking weight")] if loo else []
    rows = []
    for name, score in scores.rows.items():
        best = score.difference == 0 and score.difference_se == 0
        cells = [
            plus_minus(score.elpd, score.se),
            NONE if best else plus_minus(score.difference, score.difference_se),
            number(score.optimism, 1),
        ]
        if loo:
            cells.append(
                say("{some} of {all}", some=f"{score.unreliable:,}", all=f"{scores.n_observations:,}")
                if score.unreliable
                else say("none")
            )
            cells.append(NONE if score.weight is None else number(score.weight, 2))
        rows.append(Row(name, tuple(cells)))
    return Table(tuple(columns), tuple(rows))


def prediction_tables(runs: Sequence[Compared]) -> list[tuple[str, Table]]:
    """Return, by the variable that is predicted, how far the replications of at least two runs lie from the data."""
    found: dict[str, dict[str, tuple[Predictions, str]]] = {}
    for run in runs:
        for name in _replicated(run.fit):
            made = predictions(run.fit, name)
            if made is not None:
                found.setdefault(name, {})[run.name] = (made, unit_of(run.fit, name))
    columns = (say("RMSE"), say("CRPS"), say("in the 68 % interval"), say("in the 95 % interval"), say("observations"))
    tables = []
    for name, rows in found.items():
        if len(rows) > 1:
            made_rows = [Row(run, _predicted(*made)) for run, made in rows.items()]
            tables.append((name, Table(columns, tuple(made_rows))))
    return tables


def cost_table(runs: Sequence[Compared]) -> Table:
    """Return what each run took, and how much it got for it."""
    columns = (say("draws"), say("time of the engine"), say("time in all"), say("effective draws"), say("per second"))
    return Table(columns, tuple(Row(run.name, _cost(run)) for run in runs))


def unit_of(fit: Fit, name: str) -> str:
    """Return the unit of a variable, or an empty text where nobody knows."""
    card = fit.provenance.card
    units = {quantity.name: quantity.unit for quantity in card.quantities}
    if card.series is not None:
        units |= {card.series.observed: card.series.unit, card.series.state: card.series.unit}
    return units.get(name, "")


def _facts(fit: Fit) -> dict[str, dict[str, str]]:
    """Return what is known of a fit's origin: topic to name to text."""
    origin = fit.provenance
    card, data = origin.card, origin.data
    model = {say("model"): card.title, say("kind of result"): say(KINDS[origin.kind]), say("engine"): origin.engine}
    if card.program:
        model[say("program (SHA-256)")] = _hash(hashlib.sha256(card.program.encode()).hexdigest())
    settings = {say("seed"): str(origin.seed)} | {
        str(name).replace("_", " "): _text(value) for name, value in origin.config.items() if name != "program_sha256"
    }
    priors = {prior.name: with_unit(str(prior), prior.unit) for prior in card.priors}
    source = {
        say("file"): data.path if data.sha256 else NONE,
        say("SHA-256"): _hash(data.sha256),
        say("what"): data.description,
    }
    return {
        say("Model"): model,
        say("Settings"): settings,
        say("Priors"): priors,
        say("Data"): source,
        say("Versions"): dict(origin.versions),
        say("Machine"): dict(origin.hardware),
    }


def _hash(digest: str) -> str:
    return f"{digest[:SHORT_HASH]}…" if digest else NONE


def _text(value: Any) -> str:
    if value in (None, "", [], ()):
        return NONE
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _replicated(fit: Fit) -> Iterable[str]:
    children = fit.posterior.children
    card = fit.provenance.card
    if card.mixture is not None or card.blocks is not None:  # what is replicated is not what was observed, one by one
        return []
    if not {"observed_data", "posterior_predictive"} <= set(children):
        return []
    drawn = fit.posterior["posterior_predictive"].data_vars
    return [str(name) for name in fit.posterior["observed_data"].data_vars if name in drawn]


def _predicted(made: Predictions, unit: str) -> tuple[str, ...]:
    return (
        with_unit(significant(made.rmse, 3), unit),
        with_unit(significant(made.crps, 3), unit),
        percent(made.coverage68),
        percent(made.coverage95),
        f"{made.n_observations:,}",
    )


_SPENT = ("sampling", "pilot", "bound", "pathfinder", "laplace", "variational", "optimize", "generate")
_ESSENCE = {"mcmc": mark("{n}, the fewest of a quantity"), "variational": mark("{n}, by their weights")}


def _cost(run: Compared) -> tuple[str, ...]:
    timings, kind = run.fit.provenance.timings, run.fit.provenance.kind
    sizes = run.fit.posterior["posterior"].sizes
    engine = [seconds for name, seconds in timings.items() if name in (*_SPENT, "warmup")]
    column = {"mcmc": "min_ess_bulk", "variational": "importance_ess", "weighted": "importance_ess"}.get(kind, "")
    column = "min_ess_mean" if "families" in run.assessment.metrics else column
    worth = float(run.assessment.metrics.get(column) or np.nan)
    seconds = sum(engine)
    return (
        f"{sizes.get('chain', 1) * sizes.get('draw', 1):,}",
        duration(seconds) if engine else NONE,
        duration(timings["wall"]) if "wall" in timings else NONE,
        say(_ESSENCE.get(kind, mark("{n}")), n=number(worth, 0)) if np.isfinite(worth) else NONE,
        f"{significant(worth / seconds, 2)}{NO_BREAK}/{NO_BREAK}s" if np.isfinite(worth) and seconds > 0 else NONE,
    )
