"""A cross-check in plain words: whether every engine came out as it must, and what each cell of the matrix says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bayeskit.core.language import mark, said, say, say_count
from bayeskit.core.types import Assessment
from bayeskit.core.words import joined, listing, number, sentence, significant
from bayeskit.diagnostics.agreement import (
    Crosscheck,
    Difference,
    EngineCell,
    PairAgreement,
    describe_difference,
)
from bayeskit.reporting.checks import Check, State, describe_checks
from bayeskit.reporting.translated import resaid

MAX_TOLD = 3

SYMBOLS = {"agrees": "✓", "disagrees": "✗", "flagged": "⚑", "unanswered": "?", "does not apply": "–", "failed": "!"}
WORDS = {
    "agrees": mark("agrees"),
    "disagrees": mark("disagrees"),
    "flagged": mark("flagged itself"),
    "unanswered": mark("unanswered"),
    "does not apply": mark("does not apply"),
    "failed": mark("no result"),
}
MEANINGS = {
    "agrees": mark("its own checks passed, and no test found a difference"),
    "disagrees": mark("its own checks passed, but it differs from another engine"),
    "flagged": mark("its own checks failed or could not be made: it is not compared, and never said to agree"),
    "unanswered": mark("there is nothing sound to compare it with"),
    "does not apply": mark("the engine cannot do this target, and was not run"),
    "failed": mark("the engine stopped without a result"),
}
MUST = {"agree": mark("must agree"), "flag": mark("must be flagged"), "none": mark("does not apply")}
ANSWERS = {"agree": mark("agree"), "disagree": mark("disagree"), "unanswered": mark("unanswered")}
ANSWER_SYMBOLS = {"agree": "✓", "disagree": "✗", "unanswered": "?"}
STATISTICS = {
    "mean": mark("mean"),
    "variance": mark("variance"),
    "q5": mark("5 % quantile"),
    "q25": mark("25 % quantile"),
    "q50": mark("median"),
    "q75": mark("75 % quantile"),
    "q95": mark("95 % quantile"),
    "distribution": mark("distribution"),
    "joint": mark("all jointly"),
}


@dataclass(frozen=True)
class Judgement:
    """The banner: its state, its sentence, and what to do next."""

    state: State
    sentence: str
    next_step: str


def judge(found: Crosscheck) -> Judgement:
    """Say whether all engines came out as they must."""
    if not found.cells:
        return Judgement(
            "unchecked", say("Nothing was compared."), say("Give at least one target and two engines that can do it.")
        )
    wrong = [cell for cell in found.cells if not cell.as_expected]
    counted = say_count(len(found.titles), "on {n} target", "on {n} targets", cells=f"{len(found.cells):,}")
    if not wrong:
        told = say(
            "Every engine came out as it must {targets}. Agreeing: {agreeing}; flagged by their own checks, as they "
            "must be: {flagged}; not applicable: {none}.",
            targets=counted,
            agreeing=_count(found, "agrees"),
            flagged=_count(found, "flagged"),
            none=_count(found, "does not apply"),
        )
        return Judgement("passed", told, _rely_on(found))
    told = say_count(
        len(wrong),
        "{n} of {cells} cells did not come out as it must: {worst}.",
        "{n} of {cells} cells did not come out as they must: {worst}.",
        cells=f"{len(found.cells):,}",
        worst=listing(_first([_named(cell) for cell in wrong])),
    )
    return Judgement("failed", told, _mend(wrong))


def describe_cell(cell: EngineCell) -> str:
    """Return why a cell came out as it did, as a sentence."""
    failed = [check for check in checks_of(cell) if check.state != "passed"]
    if cell.status == "flagged" and failed:
        told = [say("{name} {value} ({limit})", name=one.name, value=one.value, limit=one.limit) for one in failed]
        return sentence(listing(_first(told)))
    return sentence(said(cell.detail))


def checks_of(cell: EngineCell) -> tuple[Check, ...]:
    """Return the result's own checks as rows."""
    return describe_checks(Assessment(resaid(cell.verdicts), pd.DataFrame(), {}))


def describe_pair(pair: PairAgreement) -> str:
    """Return what two results say together, as a sentence."""
    if pair.answer == "unanswered":
        return sentence(said(pair.reason))
    compared = say_count(
        pair.n_quantities,
        "{n} quantity by {tests} tests",
        "{n} quantities by {tests} tests",
        tests=len(pair.differences),
    )
    return say("Compared: {what}. Furthest apart: {worst}.", what=compared, worst=describe_difference(pair))


def power_notes(found: Crosscheck) -> list[str]:
    """Say what the level means, what would have been seen, and how it was compared, a paragraph each."""
    answered = [pair for pair in found.pairs if pair.answer != "unanswered"]
    if not answered:
        return []
    least = max(answered, key=lambda pair: pair.detectable)
    middle = sorted(pair.detectable for pair in answered)[len(answered) // 2]
    tests = f"{found.n_tests:,}"
    return [
        say(
            "Were all results draws of the same posteriors, this page would show any disagreement at all in about "
            "{times} of 1,000 such cross-checks: the level {alpha} is shared among all {tests} tests by Holm's "
            "correction.",
            times=f"{1000 * found.alpha:g}",
            alpha=f"{found.alpha:g}",
            tests=tests,
        ),
        say(
            "A difference of two means is seen with a probability of 80 % from {middle} standard deviations of the "
            "posterior on in the middle of all pairs, and from {most} on in the pair that sees least ({first} and "
            "{second}, {target}). Smaller differences can be there without being seen.",
            middle=significant(middle, 2),
            most=significant(least.detectable, 2),
            first=least.first,
            second=least.second,
            target=found.titles.get(least.target, least.target),
        ),
        say(
            "Every shared quantity is compared in its mean, its variance, five quantiles and its whole distribution, "
            "each in units of the Monte Carlo error of both results, which takes the autocorrelation of chains, the "
            "weights of draws and the families of particles into account; two quantities and more also jointly."
        ),
        *_robust(found),
    ]


def _robust(found: Crosscheck) -> list[str]:
    ranked = {(pair.target, one.quantity) for pair in found.pairs for one in pair.differences if one.scale != "draws"}
    if not ranked:
        return []
    return [
        say(
            "Means and variances of {quantities} were compared by normal scores of their ranks: their tails are too "
            "long for the Monte Carlo error of a moment to be relied on.",
            quantities=listing(_first([say("{quantity} ({target})", quantity=q, target=t) for t, q in sorted(ranked)])),
        )
    ]


def statistic_name(difference: Difference) -> str:
    """Return what was compared, as a table names it."""
    if difference.scale != "draws":
        return say("{what}, by ranks", what=say(STATISTICS[difference.statistic]))
    return say(STATISTICS[difference.statistic])


def z_text(z: float) -> str:
    """Return a z-score."""
    return number(z, 1)


def _count(found: Crosscheck, status: str) -> int:
    return sum(cell.status == status for cell in found.cells)


def _named(cell: EngineCell) -> str:
    return say(
        "{engine} on {target} {must}, but {status}",
        engine=cell.engine,
        target=cell.target,
        must=say(MUST[cell.expected]),
        status=_status_inside(cell),
    )


def _status_inside(cell: EngineCell) -> str:
    told = {
        "agrees": mark("it agrees"),
        "disagrees": mark("it disagrees"),
        "flagged": mark("its own checks flag it"),
        "unanswered": mark("nothing could be told"),
        "does not apply": mark("it was not run"),
        "failed": mark("it gave no result"),
    }
    return say(told[cell.status])


def _rely_on(found: Crosscheck) -> str:
    caught = _count(found, "flagged")
    controls = say_count(
        caught,
        "The flagged cell is the negative control: there the checks have shown that they catch what they are for.",
        "The flagged cells are the negative controls: there the checks have shown that they catch what they are for.",
    )
    told = [
        say(
            "Nothing needs to be done. Engines that agree can still be wrong together, where what they were given is "
            "wrong in the same way."
        )
    ]
    return joined([*told, controls] if caught else told)


def _mend(wrong: Sequence[EngineCell]) -> str:
    statuses = {cell.status for cell in wrong}
    told = []
    if "disagrees" in statuses:
        told.append(
            say(
                "Where engines disagree though their own checks passed, one of them, or one of the twins of the "
                "target's program, is wrong: see the differences, then run again with another seed; a real difference "
                "stays."
            )
        )
    if "flagged" in statuses:
        told.append(say("Where a result flags itself, run it longer, or see its own report for the remedy."))
    if "failed" in statuses or "unanswered" in statuses:
        told.append(say("Where there is no result, its message says why."))
    if any(cell.expected == "flag" for cell in wrong):
        told.append(say("Where a result that must be flagged was not, its checks are blind: trust none of them."))
    return joined(told)


def _first(texts: Sequence[str]) -> list[str]:
    rest = len(texts) - MAX_TOLD
    return [*texts[:MAX_TOLD], say("{n} more", n=rest)] if rest > 0 else list(texts)


def shown_in(found: Crosscheck) -> Crosscheck:
    """Return the cross-check with the texts that it was stored with in the language spoken now."""
    cells = tuple(replace(one, detail=said(one.detail), reason=said(one.reason)) for one in found.cells)
    return replace(found, cells=cells, titles={name: said(title) for name, title in found.titles.items()})
