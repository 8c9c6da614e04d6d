"""Do engines agree? The same posterior by several of them, compared two by two, and whether all came out as they must.

Two results are of the same posterior, or they are not; what both show is blurred by Monte Carlo errors, which their own
draws tell. Every quantity that they share is compared: mean, variance and five quantiles in units of the combined Monte
Carlo error, the whole distribution, and all quantities jointly (``agreement_tests``, ``agreement_sliced``). One alarm
where there is nothing has a probability of at most ``alpha`` over everything that is compared at once, by Holm's
correction. A result whose own checks fail is not compared: nothing could be told from it either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import listing, number, significant
from bayeskit.diagnostics.agreement_pairs import KINDS, Prepared, compare_profiles, decide, holm, prepare
from bayeskit.diagnostics.agreement_profiles import Profile, effective_draws
from bayeskit.diagnostics.agreement_types import (
    Crosscheck,
    Curve,
    Difference,
    EngineCell,
    Expectation,
    Expected,
    PairAgreement,
    Status,
    TargetResults,
)

__all__ = [
    "ALPHA",
    "Crosscheck",
    "Curve",
    "Difference",
    "EngineCell",
    "Expected",
    "PairAgreement",
    "TargetResults",
    "compare_fits",
    "crosscheck",
    "describe_difference",
]

ALPHA = 0.001
_NOT_THE_ENGINE = ("compile", "wall")  # phases: the second one holds all others

_Made = tuple[PairAgreement, tuple[Profile, Profile]] | PairAgreement


@dataclass(frozen=True, eq=False)
class _Judged:
    """One target's results: which of them are sound, why others are not, and the pairs."""

    sound: tuple[str, ...]
    problems: Mapping[str, tuple[Status, str]]
    made: Sequence[_Made]


def compare_fits(
    first: tuple[Fit, Assessment],
    second: tuple[Fit, Assessment],
    *,
    names: tuple[str, str] = ("first", "second"),
    alpha: float = ALPHA,
    seed: int = 1,
) -> PairAgreement:
    """Compare two results of the same posterior.

    Parameters
    ----------
    first, second
        Fits of kind ``mcmc``, ``iid`` or ``weighted``, with their assessments.
    names
        Of the two.
    alpha
        Probability that two results of the same posterior disagree.
    seed
        Of the joint test's directions and permutations.

    Returns
    -------
    PairAgreement
        ``unanswered`` where one's own checks fail or could not be made.
    """
    results = dict(zip(names, (first, second), strict=True))
    judged = _judge("", TargetResults(results, {}, reference=names[0]), seed)
    return _decided(judged.made, alpha)[0][0]


def crosscheck(targets: Mapping[str, TargetResults], *, alpha: float = ALPHA, seed: int = 1) -> Crosscheck:
    """Compare the engines on every target, and say whether each came out as it must.

    Parameters
    ----------
    targets
        By name.
    alpha
        Probability that equal results give any alarm at all, over everything.
    seed
        Of the joint tests' directions and permutations; a pair's do not depend on what else is compared.

    Returns
    -------
    Crosscheck
        Cells in the order of the targets, and of their ``expected`` and ``results``.
    """
    judged = {name: _judge(name, results, seed) for name, results in targets.items()}
    pairs, n_tests = _decided([made for one in judged.values() for made in one.made], alpha)
    cells: list[EngineCell] = []
    for name, results in targets.items():
        own = [pair for pair in pairs if pair.target == name]
        engines = dict.fromkeys([*results.expected, *results.results])
        cells += [_cell(name, engine, results, judged[name], own) for engine in engines]
    return Crosscheck(
        cells=tuple(cells),
        pairs=tuple(pairs),
        engines=tuple(dict.fromkeys(cell.engine for cell in cells)),
        alpha=alpha,
        n_tests=n_tests,
        seed=seed,
        titles={name: results.title or name for name, results in targets.items()},
    )


def describe_difference(pair: PairAgreement) -> str:
    """Return a pair's worst difference in words, as the inner part of a sentence."""
    worst = pair.worst
    if worst is None:
        return pair.reason
    z = number(abs(worst.z), 1)
    if worst.statistic == "joint":
        return say("all quantities jointly (sliced Wasserstein distance, like z = {z})", z=z)
    values = {"quantity": worst.quantity, "z": z, "first": pair.first, "second": pair.second}
    values |= {"low": significant(worst.first), "high": significant(worst.second)}
    if worst.statistic == "distribution":
        return say("the distribution of {quantity} ({low} apart, like z = {z})", **values)
    if worst.scale != "draws":
        told = {"mean": say("location"), "variance": say("spread")}[worst.statistic]
        return say("the {what} of {quantity}, by ranks (z = {z})", what=told, **values)
    if worst.statistic in ("mean", "variance"):
        what = say("mean") if worst.statistic == "mean" else say("variance")
        return say("the {what} of {quantity} ({low} in {first}, {high} in {second}, z = {z})", what=what, **values)
    return say(
        "the {share} % quantile of {quantity} ({low} in {first}, {high} in {second}, z = {z})",
        share=worst.statistic[1:],
        **values,
    )


def _judge(target: str, results: TargetResults, seed: int) -> _Judged:
    """Sort a target's results, and compare the sound ones."""
    problems: dict[str, tuple[Status, str]] = {}
    sound: dict[str, Fit] = {}
    for engine, result in results.results.items():
        if isinstance(result, str):
            problems[engine] = ("failed", result)
            continue
        fit, assessment = result
        if fit.provenance.kind not in KINDS:
            problems[engine] = ("unanswered", _refused(fit))
        elif not fit.has_draws:
            problems[engine] = ("failed", say("there are no draws"))
        elif not assessment.passed:
            problems[engine] = ("flagged", _own_checks(assessment))
        else:
            sound[engine] = fit
    names = list(results.results)
    reference = results.reference if results.reference in names else None
    wanted = [(reference, name) for name in names if name != reference] if reference else list(combinations(names, 2))
    prepared = prepare(sound) if len(sound) > 1 else Prepared({}, {})
    made: list[_Made] = []
    for first, second in wanted:
        spoilt = next((name for name in (first, second) if name in problems), None)
        if spoilt is None:
            made.append(compare_profiles((first, second), prepared, seed=seed, target=target))
            continue
        why = say("{engine}: {reason}", engine=spoilt, reason=problems[spoilt][1])
        made.append(PairAgreement(first, second, "unanswered", why, left_out={}, target=target))
    return _Judged(tuple(sound), problems, made)


def _decided(made: Sequence[_Made], alpha: float) -> tuple[list[PairAgreement], int]:
    """Correct the p-values of all pairs together, and answer."""
    compared = [one for one in made if isinstance(one, tuple)]
    p_values = [difference.p_value for pair, _ in compared for difference in pair.differences]
    adjusted = holm(p_values) if p_values else np.empty(0)
    found: list[PairAgreement] = []
    place = 0
    for one in made:
        if isinstance(one, PairAgreement):
            found.append(one)
            continue
        pair, profiles = one
        own = adjusted[place : place + len(pair.differences)]
        place += len(pair.differences)
        found.append(decide(pair, profiles, own, alpha=alpha, n_tests=len(p_values)))
    return found, len(p_values)


def _cell(
    target: str, engine: str, results: TargetResults, judged: _Judged, pairs: Sequence[PairAgreement]
) -> EngineCell:
    expected: Expectation = results.expected.get(engine, Expected("agree"))
    status, detail = _status(engine, expected, results, judged, pairs)
    must: Mapping[str, Status] = {"agree": "agrees", "flag": "flagged", "none": "does not apply"}
    result = results.results.get(engine)
    as_must = status == must[expected.outcome] and _flagged_by(expected, results.results.get(engine))
    cell = EngineCell(target, engine, status, detail, expected.outcome, expected.reason, as_must)
    if result is None or isinstance(result, str):
        return cell
    fit, assessment = result
    origin = fit.provenance
    return EngineCell(
        **{name: getattr(cell, name) for name in ("target", "engine", "status", "detail", "expected", "reason")},
        as_expected=cell.as_expected,
        verdicts=assessment.verdicts,
        seconds=sum(value for phase, value in origin.timings.items() if phase not in _NOT_THE_ENGINE),
        effective=effective_draws(fit) if origin.kind in KINDS else float("nan"),
        kind=origin.kind,
        command=origin.command,
    )


def _flagged_by(expected: Expectation, result: tuple[Fit, Assessment] | str | None) -> bool:
    """Whether one of the checks failed that had to; a result may be too short for other reasons."""
    if expected.outcome != "flag" or not expected.by or result is None or isinstance(result, str):
        return True
    return any(verdict.passed is False and verdict.name in expected.by for verdict in result[1].verdicts)


def _status(
    engine: str, expected: Expectation, results: TargetResults, judged: _Judged, pairs: Sequence[PairAgreement]
) -> tuple[Status, str]:
    if engine not in results.results:
        if expected.outcome == "none":
            return "does not apply", expected.reason
        return "failed", say("it was not run")
    if engine in judged.problems:
        return judged.problems[engine]
    own = [pair for pair in pairs if engine in (pair.first, pair.second)]
    against = [pair for pair in own if pair.answer == "disagree"]
    for_it = [_other(pair, engine) for pair in own if pair.answer == "agree"]
    # One engine that is wrong says nothing against the reference that others agree with.
    if against and not (engine == results.reference and for_it):
        worst = max(against, key=lambda pair: abs(pair.worst.z) if pair.worst else 0.0)
        return "disagrees", say(
            "differs from {engines}, most in {difference}",
            engines=listing([_other(pair, engine) for pair in against]),
            difference=describe_difference(worst),
        )
    if for_it:
        return "agrees", say("agrees with {engines}", engines=listing(for_it))
    if len(own) == 1:
        return "unanswered", own[0].reason
    return "unanswered", say("there is no sound result to compare it with")


def _other(pair: PairAgreement, engine: str) -> str:
    return pair.second if pair.first == engine else pair.first


def _refused(fit: Fit) -> str:
    """Say why a kind of result cannot be compared."""
    if fit.provenance.kind == "point":
        return say("a point has no distribution to compare")
    return say("an approximation's error is not the Monte Carlo error of its draws: its own k-hat judges it")


def _own_checks(assessment: Assessment) -> str:
    """Say which of a result's own checks did not pass."""
    # Names as the verdicts have them; the report has its own words for each.
    failed = [verdict.name for verdict in assessment.verdicts if verdict.passed is False]
    unmade = [verdict.name for verdict in assessment.verdicts if verdict.passed is None]
    if failed:
        return say_count(
            len(failed), "its own check failed: {checks}", "its own checks failed: {checks}", checks=listing(failed)
        )
    if unmade:
        return say("its own checks could not be made: {checks}", checks=listing(unmade))
    return say("nothing was checked")
