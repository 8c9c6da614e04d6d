"""What a calibration says in plain words: may I trust this model and engine together, and what should I do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayeskit.core.language import mark, said, say, say_count
from bayeskit.core.types import Verdict
from bayeskit.core.words import count, joined, number, percent, sentence
from bayeskit.diagnostics.calibration import LOG_LIKELIHOOD, Calibration
from bayeskit.diagnostics.calibration_bands import POWER
from bayeskit.reporting.calibration_tables import p_text, problems
from bayeskit.reporting.checks import Check, State, each_remedy_once
from bayeskit.reporting.outline import Outline

_SHARES = ("failed_simulations", "diverging_simulations", "unmixed_simulations")
_TESTS = ("ranks", "coverage")

_NAMES = {
    "ranks": mark("Ranks of the true values"),
    "coverage": mark("Coverage of the intervals"),
    "resolution": mark("Smallest error that would be found"),
    "failed_simulations": mark("Simulations without a result"),
    "diverging_simulations": mark("Simulations with divergent transitions"),
    "unmixed_simulations": mark("Simulations whose chains disagree"),
}
_QUESTIONS = {
    "ranks": mark("Do the true values fall where the posterior says?"),
    "coverage": mark("Do the intervals hold what they promise?"),
    "resolution": mark("Are there enough simulations?"),
    "failed_simulations": mark("Does the engine always finish?"),
    "diverging_simulations": mark("Was all of each posterior reached?"),
    "unmixed_simulations": mark("Did the chains arrive?"),
}
_FAILURES = {
    "ranks": mark("{detail} (p-value {value} after Holm's correction, limit {limit})"),
    "coverage": mark("{detail} (p-value {value} after Holm's correction, limit {limit})"),
    "failed_simulations": mark("{value} of the simulations gave no result (limit {limit})"),
    "diverging_simulations": mark("{value} of the simulations had divergent transitions (limit {limit})"),
    "unmixed_simulations": mark("in {value} of the simulations the chains disagree (limit {limit})"),
}


@dataclass(frozen=True)
class Judgement:
    """The first thing that a reader sees."""

    state: State
    sentence: str
    next_step: str
    failed: tuple[Check, ...]
    unchecked: tuple[str, ...]


def outline_of() -> Outline:
    """Return the sections of a calibration's page."""
    return Outline(
        (
            ("verdict", say("Verdict")),
            ("done", say("What was done")),
            ("calibrated", say("Is the posterior calibrated?")),
            ("recovery", say("Do known values come back?")),
            ("computation", say("Did the simulations work?")),
            ("assumptions", say("What did we assume?")),
            ("again", say("Do it again")),
        )
    )


def judge(calibration: Calibration, outline: Outline) -> Judgement:
    """Say in one sentence whether the model and the engine can be trusted together, and what to do next."""
    rows = check_rows(calibration)
    failed = [verdict for verdict in calibration.verdicts if verdict.passed is False and verdict.name != "resolution"]
    state: State = "failed" if failed else "passed" if calibration.passed else "unchecked"
    if state == "failed":
        told, after = _failure(calibration, failed), _after_failure(failed, outline)
    elif state == "passed":
        told, after = _success(calibration), _after_success(outline)
    else:
        told, after = _too_few(calibration), _more(calibration)
    return Judgement(
        state=state,
        sentence=told,
        next_step=after,
        failed=each_remedy_once([row for row in rows if row.state == "failed"]),
        unchecked=tuple(_unchecked(calibration)),
    )


def check_rows(calibration: Calibration) -> list[Check]:
    """Return the verdicts as rows: failed ones first, then those not made, then the rest."""
    order = {False: 0, None: 1, True: 2}
    return [_row(verdict) for verdict in sorted(calibration.verdicts, key=lambda verdict: order[verdict.passed])]


def _row(verdict: Verdict) -> Check:
    state: State = "unchecked" if verdict.passed is None else "passed" if verdict.passed else "failed"
    side = mark("at most {limit}") if verdict.comparison == "<=" else mark("at least {limit}")
    return Check(
        name=said(_NAMES[verdict.name]),
        question=said(_QUESTIONS[verdict.name]),
        value=_value(verdict),
        limit=say(side, limit=_limit(verdict)),
        state=state,
        word={"passed": say("passed"), "failed": say("failed"), "unchecked": say("not checked")}[state],
        detail=verdict.detail,
        remedy=sentence(verdict.remedy),
    )


def _value(verdict: Verdict) -> str:
    if verdict.value is None:
        return "–"
    if verdict.name in _TESTS:
        return p_text(verdict.value)
    return percent(verdict.value) if verdict.name in _SHARES else number(verdict.value, 2)


def _limit(verdict: Verdict) -> str:
    return percent(verdict.threshold) if verdict.name in _SHARES else f"{verdict.threshold:g}"


def _failure(calibration: Calibration, failed: Sequence[Verdict]) -> str:
    first, rest = failed[0], len(failed) - 1
    told = say(_FAILURES[first.name], detail=first.detail, value=_value(first), limit=_limit(first))
    if rest:
        others = say_count(rest, "{n} other check failed", "{n} other checks failed")
        told = say("{reason}, and {others}", reason=told, others=others)
    if not calibration.quantities:
        why = problems(calibration.simulations)[0][0]
        return say(
            "Nothing can be told of this model and engine together: {reason}. {why}", reason=told, why=sentence(why)
        )
    return joined([say("Do not trust this model and engine together: {reason}.", reason=told), sentence(first.remedy)])


def _success(calibration: Calibration) -> str:
    values = {verdict.name: verdict for verdict in calibration.verdicts}
    return say(
        "Calibrated as far as {simulations} can tell: the true values of {quantities} fall where the posterior says "
        "(smallest p-value {p} after Holm's correction, limit {limit}). A posterior that is too narrow by a factor of "
        "{factor} would have been found with a probability of {power}.",
        simulations=count(min(one.n for one in calibration.quantities), "simulation"),
        quantities=count(len(calibration.quantities), "quantity", "quantities"),
        p=p_text(min(values[name].value or 0.0 for name in _TESTS)),
        limit=f"{calibration.alpha:g}",
        factor=_value(values["resolution"]),
        power=percent(POWER),
    )


def _too_few(calibration: Calibration) -> str:
    if not calibration.simulations:
        return say("Nothing was simulated, so that nothing can be told of this model and engine.")
    resolution = next(verdict for verdict in calibration.verdicts if verdict.name == "resolution")
    return say(
        "Too few simulations to tell: {detail}. Nothing speaks against this model and engine, but little could.",
        detail=resolution.detail,
    )


def _after_failure(failed: Sequence[Verdict], outline: Outline) -> str:
    place = "calibrated" if failed[0].name in _TESTS else "computation"
    look = say("Section {section} shows what is wrong.", section=outline.number(place))
    others = [
        sentence(remedy) for remedy in dict.fromkeys(one.remedy for one in failed[1:]) if remedy != failed[0].remedy
    ]
    return joined([look, *others, say("Then calibrate again, before any result of this model is used.")])


def _after_success(outline: Outline) -> str:
    return say(
        "Fit the data at hand, and ask whether the model describes them: simulated data cannot tell, for they come "
        "from the model itself. The answer holds for the data in section {done} and the assumptions in section "
        "{assumed}.",
        done=outline.number("done"),
        assumed=outline.number("assumptions"),
    )


def _more(calibration: Calibration) -> str:
    remedies = [verdict.remedy for verdict in calibration.verdicts if verdict.name == "resolution" and verdict.remedy]
    again = say("They go on where they stopped, in the same folder.")
    return joined([sentence(remedies[0]), again]) if remedies else say("Run some: --simulations 200.")


def _unchecked(calibration: Calibration) -> list[str]:
    """Return what the simulations cannot tell, and what none of them reports."""
    items = [
        say("{name}: {detail}", name=said(_NAMES[verdict.name]), detail=verdict.detail)
        for verdict in calibration.verdicts
        if verdict.passed is None
    ]
    if calibration.quantities and all(one.max_r_hat is None for one in calibration.simulations):
        items.append(say("R-hat: no simulation has several chains to compare"))
    if calibration.quantities and all(one.label != LOG_LIKELIHOOD for one in calibration.quantities):
        items.append(
            say(
                "Whether the data are used at all: where the posterior equals the prior, all ranks are uniform too, "
                "but for those of the joint log likelihood; declare log_lik in the program and in the simulator"
            )
        )
    items += [
        say("The model itself: whether the world is like it only real data can tell"),
        say("Other priors, other sizes of data, and quantities that are not in the table"),
    ]
    return items
