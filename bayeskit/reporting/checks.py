"""Checks as a reader meets them: their names, what they ask, their numbers, and what a failed one says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bayeskit.core.language import mark, said, say
from bayeskit.core.types import Assessment, Verdict
from bayeskit.core.words import number, sentence, significant

State = Literal["passed", "failed", "unchecked"]
Outcome = Literal["passed", "failed", "unchecked", "noted"]

_NAMES = {
    "r_hat": mark("R-hat"),
    "ess_bulk": mark("Bulk effective sample size"),
    "ess_tail": mark("Tail effective sample size"),
    "mcse": mark("Monte Carlo error over posterior sd"),
    "divergences": mark("Divergent transitions"),
    "tree_depth": mark("Draws at the tree-depth limit"),
    "e_bfmi": mark("E-BFMI"),
    "pareto_k": mark("Pareto k-hat"),
    "importance_ess": mark("Effective sample size of the weights"),
    "weights_k": mark("Pareto k-hat of the weights"),
    "largest_weight": mark("Share of the heaviest draw"),
    "finite": mark("Quantities that are not numbers throughout"),
    "converged": mark("Convergence"),
    "simulation_error": mark("Simulation error over sd"),
    "acceptance": mark("Acceptance rate"),
    "families": mark("Effective number of families"),
    "runs_r_hat": mark("R-hat of the runs"),
    "envelope": mark("Envelope above the density"),
    "components": mark("Distinct points of the smallest component"),
    "collapsed": mark("Collapsed components"),
    "monotone": mark("Largest fall of the log likelihood"),
    "blocks": mark("Empty or superfluous blocks"),
    "bound": mark("Largest fall of the bound"),
    "coverage": mark("Coverage of 95 % intervals, off by"),
    "pit": mark("distance of the PIT from uniform"),
    "overfitting": mark("Bound of training rows above that of others"),
    "bound_gap": mark("Share of the codes' divergence that the bound loses"),
    "codes_in_use": mark("Codes in use"),
    "generated": mark("Distance of generated rows from the data"),
}
_MEANINGS = {
    "r_hat": mark("Do the chains agree?"),
    "ess_bulk": mark("Enough independent draws for means?"),
    "ess_tail": mark("Enough independent draws for intervals?"),
    "mcse": mark("Is the simulation error small?"),
    "divergences": mark("Was all of the posterior reached?"),
    "tree_depth": mark("Were trajectories cut short?"),
    "e_bfmi": mark("Does the energy reach the tails?"),
    "pareto_k": mark("Is the approximation close to the posterior?"),
    "importance_ess": mark("Are enough draws where the posterior is?"),
    "weights_k": mark("Can the weights be relied on?"),
    "largest_weight": mark("Does one draw stand for all?"),
    "finite": mark("Is every value a number?"),
    "converged": mark("Did the optimiser arrive?"),
    "simulation_error": mark("Are there enough draws?"),
    "acceptance": mark("Do the chains move?"),
    "families": mark("Do the particles come from many ancestors?"),
    "runs_r_hat": mark("Do the runs agree?"),
    "envelope": mark("Does rejection draw from the density itself?"),
    "components": mark("Does every component hold enough distinct points?"),
    "collapsed": mark("Did no component shrink onto a point?"),
    "monotone": mark("Did the log likelihood only rise?"),
    "blocks": mark("Does every block hold nodes, and differ from the others?"),
    "bound": mark("Did the bound only rise?"),
    "coverage": mark("Do intervals hold as many test ratings as they should?"),
    "pit": mark("Are predictive distributions right in all their probabilities?"),
    "overfitting": mark("Does it hold for rows that it never saw?"),
    "bound_gap": mark("Is the bound close to the log density?"),
    "codes_in_use": mark("Do the codes tell anything of a row?"),
    "generated": mark("Are generated rows like the data's?"),
}
_FAILURES: dict[str, str] = {
    "r_hat": mark("chains disagree about {where} (R-hat {value}, limit {limit})"),
    "ess_bulk": mark(
        "there are too few independent draws of {where} for its mean (bulk ESS {value}, at least {limit} needed)"
    ),
    "ess_tail": mark(
        "there are too few independent draws of {where} for its interval (tail ESS {value}, at least {limit} needed)"
    ),
    "mcse": mark("the simulation error of {where} is {value} of its standard deviation (limit {limit})"),
    "divergences": mark("{value} transitions diverged, so that part of the posterior was not reached (limit {limit})"),
    "tree_depth": mark(
        "{value} draws reached the tree-depth limit, so that trajectories were cut short (limit {limit})"
    ),
    "e_bfmi": mark(
        "the sampler's energy moves too slowly to reach the tails (E-BFMI {value}, at least {limit} needed)"
    ),
    "pareto_k": mark("the approximation misses a part of the posterior (k-hat {value}, limit {limit})"),
    "importance_ess": mark("the draws are worth only {value} of the posterior's own (at least {limit} needed)"),
    "weights_k": mark("the weights have too long a tail to be relied on (k-hat {value}, limit {limit})"),
    "largest_weight": mark("one draw carries {value} of all weight (limit {limit})"),
    "finite": mark("not all draws are numbers ({detail})"),
    "converged": mark("the optimiser did not converge ({detail})"),
    "simulation_error": mark("the simulation error of each mean is {value} of its standard deviation (limit {limit})"),
    "families": mark("the particles come from only {value} ancestors, in effect (at least {limit} needed)"),
    "runs_r_hat": mark("runs disagree about {where} (R-hat {value}, limit {limit})"),
    "acceptance": mark("a chain accepted {value} of its proposals (limit {limit}), so that it hardly moved"),
    "components": mark("a component holds only {value} distinct points (at least {limit} needed)"),
    "collapsed": mark("components shrank onto single points ({value}, limit {limit})"),
    "monotone": mark(
        "the mean log likelihood of a point fell by {value} in one iteration, which it never may (limit {limit})"
    ),
    "blocks": mark("{value} blocks are empty, or no different from another (limit {limit})"),
    "bound": mark("the bound fell by {value} a factor in one iteration, which it never may (limit {limit})"),
}
_OUTCOMES: dict[Outcome, str] = {
    "passed": mark("passed"),
    "failed": mark("failed"),
    "unchecked": mark("not checked"),
    "noted": mark("not met"),
}
OF_THE_MODEL = ("blocks", "coverage", "pit", "overfitting", "bound_gap", "codes_in_use", "generated")
"""Checks whose advice is on the model, and says nothing against the numbers."""
_ANSWERS = ("converged", "envelope")
_COUNTS = (
    *("ess_bulk", "ess_tail", "divergences", "tree_depth", "importance_ess", "families", "finite"),
    *("components", "collapsed", "blocks", "codes_in_use"),
)


@dataclass(frozen=True)
class Check:
    """One verdict as a row of the report."""

    name: str
    question: str
    value: str
    limit: str
    state: Outcome
    word: str
    detail: str
    remedy: str
    failure: str = ""
    """In brackets, what was needed and where."""


def describe_checks(assessment: Assessment) -> tuple[Check, ...]:
    """Return the verdicts as rows: failed ones first, advisory ones after them, then those not made, then the rest."""
    order = {"failed": 0, "noted": 1, "unchecked": 2, "passed": 3}
    return tuple(_check(verdict) for verdict in sorted(assessment.verdicts, key=lambda v: order[outcome_of(v)]))


def outcome_of(verdict: Verdict) -> Outcome:
    """Return what came of a check; an advisory one that fails tells what a result is worth, and is noted."""
    if verdict.passed is None:
        return "unchecked"
    return "passed" if verdict.passed else "noted" if verdict.advisory else "failed"


def each_remedy_once(failed: Sequence[Check]) -> tuple[Check, ...]:
    """Return the rows, a remedy of several only with the first."""
    given: set[str] = set()
    rows = []
    for check in failed:
        rows.append(replace(check, remedy="") if check.remedy in given else check)
        given.add(check.remedy)
    return tuple(rows)


def reason_of(verdict: Verdict, assessment: Assessment) -> str:
    """Say what failed, with its number and its limit, as the inner part of a sentence."""
    if verdict.value is None:
        name = display_name(verdict.name)
        return say("{check} {detail}", check=name, detail=verdict.detail) if verdict.detail else name
    limit = f"{verdict.threshold:,g}"
    value = format_figure(verdict.name, verdict.value)
    template = _FAILURES.get(verdict.name)
    if template is None:
        name = display_name(verdict.name)
        return say("{check} is {value}, {limit} is needed", check=name, value=value, limit=_limit(verdict))
    where = worst_place(assessment, verdict.name) or say("a parameter")
    detail = verdict.detail or say("no reason given")
    return say(template, where=where, value=value, limit=limit, detail=detail)


def format_figure(name: str, value: float | None) -> str:
    """Return a check's number with the digits that are usual for it."""
    if value is None:
        return "–"
    if name in ("r_hat", "runs_r_hat"):
        near_limit = abs(value - 1.01) < 0.0006  # three decimals would not tell on which side it lies
        return number(value, 4 if near_limit else 3 if value < 1.1 else 2)
    if name in _COUNTS:
        return number(value, 0)
    if name in _ANSWERS:
        return say("yes") if value else say("no")
    return significant(value, 2)


def display_name(name: str) -> str:
    """Return a check's name as the field writes it."""
    return say(_NAMES[name]) if name in _NAMES else name.replace("_", " ")


def worst_place(assessment: Assessment, name: str) -> str:
    """Return which quantity a check's worst case lies in, or an empty text."""
    summary = assessment.summary
    if name == "mcse" and {"mcse_mean", "sd"} <= set(summary.columns):
        values = (summary["mcse_mean"] / summary["sd"]).dropna()
    elif name in summary.columns and name != "mcse":
        values = summary[name].dropna()
    else:
        return ""
    if values.empty:
        return ""
    return str(values.idxmin() if name.startswith("ess") else values.idxmax())


def _check(verdict: Verdict) -> Check:
    state = outcome_of(verdict)
    answers = {"converged": say("convergence"), "envelope": say("certainty")}
    limit = answers.get(verdict.name) or _limit(verdict)
    return Check(
        name=display_name(verdict.name),
        question=said(_MEANINGS.get(verdict.name, "")),
        value=format_figure(verdict.name, verdict.value),
        limit=limit,
        state=state,
        word=say(_OUTCOMES[state]),
        detail=verdict.detail,
        remedy=sentence(verdict.remedy) if state in ("failed", "noted") else "",
        failure=say("({limit} is needed; {detail}).", limit=limit, detail=verdict.detail)
        if verdict.detail
        else say("({limit} is needed).", limit=limit),
    )


def _limit(verdict: Verdict) -> str:
    limit = f"{verdict.threshold:,g}"
    return say("at most {limit}", limit=limit) if verdict.comparison == "<=" else say("at least {limit}", limit=limit)
