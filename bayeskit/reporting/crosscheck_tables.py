"""The tables of a cross-check: the matrix, each target's engines and pairs, the worst differences, the costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bayeskit.core.language import said, say
from bayeskit.core.words import duration, number, significant
from bayeskit.diagnostics.agreement import Crosscheck, Difference, EngineCell, PairAgreement
from bayeskit.reporting.calibration_tables import p_text
from bayeskit.reporting.checks import Check, State
from bayeskit.reporting.crosscheck_words import (
    ANSWER_SYMBOLS,
    ANSWERS,
    MUST,
    SYMBOLS,
    WORDS,
    checks_of,
    describe_cell,
    describe_pair,
    statistic_name,
    z_text,
)
from bayeskit.reporting.kinds import KINDS

N_WORST = 15
NONE = "–"


@dataclass(frozen=True)
class Mark:
    """A symbol with its word; ``state`` is the colour that it has besides."""

    symbol: str
    word: str
    state: State
    note: str = ""
    href: str = ""


@dataclass(frozen=True)
class EngineRow:
    """What came out of one engine on one target."""

    engine: str
    mark: Mark
    must: str
    told: str
    why: str
    kind: str
    checks: tuple[Check, ...]
    command: str


@dataclass(frozen=True)
class PairRow:
    """Two engines of one target."""

    first: str
    second: str
    mark: Mark
    told: str
    detectable: str


@dataclass(frozen=True)
class TargetPart:
    """All that the page says of one target."""

    anchor: str
    name: str
    title: str
    engines: tuple[EngineRow, ...]
    columns: tuple[str, ...]
    matrix: tuple[tuple[str, tuple[Mark | None, ...]], ...]
    pairs: tuple[PairRow, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DifferenceRow:
    """One of the worst differences."""

    target: str
    pair: str
    quantity: str
    what: str
    first: str
    second: str
    z: str
    p_value: str
    adjusted: str
    is_real: bool


@dataclass(frozen=True)
class CostRow:
    """What an engine took on a target, and what it got for it."""

    target: str
    engine: str
    seconds: str
    effective: str
    rate: str


def anchor(found: Crosscheck, target: str) -> str:
    """Return a target's anchor in the page: names may hold anything."""
    return f"target-{found.targets.index(target) + 1}"


def matrix(found: Crosscheck) -> tuple[tuple[str, str, tuple[Mark | None, ...]], ...]:
    """Return a row a target: its anchor, its name, and what came out of each engine."""
    return tuple(
        (
            anchor(found, target),
            target,
            tuple(
                None if (cell := found.cell(target, engine)) is None else cell_mark(cell, f"#{anchor(found, target)}")
                for engine in found.engines
            ),
        )
        for target in found.targets
    )


def cell_mark(cell: EngineCell, href: str = "") -> Mark:
    """Return a cell as it stands in the matrix."""
    note = "" if cell.as_expected else say(MUST[cell.expected])
    return Mark(SYMBOLS[cell.status], say(WORDS[cell.status]), _state(cell), note, href)


def target_parts(found: Crosscheck) -> tuple[TargetPart, ...]:
    """Return what the page says of each target."""
    return tuple(_part(found, target) for target in found.targets)


def worst_rows(found: Crosscheck) -> tuple[DifferenceRow, ...]:
    """Return the differences with the smallest p-values: of each quantity of a pair, only the worst."""
    best: dict[tuple[str, str, str, str], tuple[PairAgreement, Difference]] = {}
    for pair in found.pairs:
        for one in pair.differences:
            key = (pair.target, pair.first, pair.second, one.quantity)
            if key not in best or _order(one) < _order(best[key][1]):
                best[key] = (pair, one)
    ordered = sorted(best.values(), key=lambda item: _order(item[1]))
    return tuple(_difference_row(found, pair, one) for pair, one in ordered[:N_WORST])


def cost_rows(found: Crosscheck) -> tuple[CostRow, ...]:
    """Return times and effective draws of all results."""
    rows = []
    for cell in found.cells:
        if not math.isfinite(cell.effective) and not math.isfinite(cell.seconds):
            continue
        measured = cell.seconds > 0 and math.isfinite(cell.effective)
        rows.append(
            CostRow(
                cell.target,
                cell.engine,
                duration(cell.seconds) if cell.seconds > 0 else NONE,
                number(cell.effective, 0) if math.isfinite(cell.effective) else NONE,
                significant(cell.effective / cell.seconds, 2) if measured else NONE,
            )
        )
    return tuple(rows)


def _state(cell: EngineCell) -> State:
    if not cell.as_expected:
        return "failed"
    return "passed" if cell.status == "agrees" else "unchecked"


def _part(found: Crosscheck, target: str) -> TargetPart:
    cells = [cell for cell in found.cells if cell.target == target]
    pairs = [pair for pair in found.pairs if pair.target == target]
    by_names = {(pair.first, pair.second): pair for pair in pairs}
    columns = tuple(dict.fromkeys(pair.second for pair in pairs))
    rows = []
    for row in dict.fromkeys(pair.first for pair in pairs):
        marks = [by_names.get((row, column)) for column in columns]
        rows.append((row, tuple(None if pair is None else _pair_mark(pair) for pair in marks)))
    left_out = {what: why for pair in pairs for what, why in pair.left_out.items()}
    return TargetPart(
        anchor=anchor(found, target),
        name=target,
        title=found.titles[target],
        engines=tuple(_engine_row(cell) for cell in cells),
        columns=columns,
        matrix=tuple(rows),
        pairs=tuple(
            PairRow(
                pair.first,
                pair.second,
                _pair_mark(pair),
                describe_pair(pair),
                significant(pair.detectable, 2) if math.isfinite(pair.detectable) else NONE,
            )
            for pair in pairs
        ),
        left_out=tuple((said(what), said(why)) for what, why in left_out.items()),
    )


def _pair_mark(pair: PairAgreement) -> Mark:
    states: dict[str, State] = {"agree": "passed", "disagree": "failed", "unanswered": "unchecked"}
    worst = pair.worst
    note = "" if worst is None else say("z up to {z}", z=z_text(max(abs(one.z) for one in pair.differences)))
    return Mark(ANSWER_SYMBOLS[pair.answer], say(ANSWERS[pair.answer]), states[pair.answer], note)


def _engine_row(cell: EngineCell) -> EngineRow:
    return EngineRow(
        engine=cell.engine,
        mark=replace(cell_mark(cell), note=""),
        must=say(MUST[cell.expected]),
        told=describe_cell(cell),
        why=said(cell.reason),
        kind="" if cell.kind is None else say(KINDS[cell.kind]),
        checks=checks_of(cell),
        command=cell.command,
    )


def _difference_row(found: Crosscheck, pair: PairAgreement, one: Difference) -> DifferenceRow:
    return DifferenceRow(
        target=pair.target,
        pair=say("{first} and {second}", first=pair.first, second=pair.second),
        quantity=one.quantity,
        what=statistic_name(one),
        first=significant(one.first) if math.isfinite(one.first) else NONE,
        second=significant(one.second) if math.isfinite(one.second) else NONE,
        z=z_text(one.z),
        p_value=p_text(one.p_value),
        adjusted=p_text(one.adjusted),
        is_real=one.adjusted <= found.alpha,
    )


def _order(one: Difference) -> tuple[float, float]:
    return one.p_value, -abs(one.z)
