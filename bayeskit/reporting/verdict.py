"""The verdict in plain words: may I trust this, and what should I do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.core.words import count, listing, number, sentence, significant
from bayeskit.reporting import kinds
from bayeskit.reporting.outline import Outline, outline_of

State = Literal["passed", "failed", "unchecked"]

_NAMES = {
    "r_hat": "R-hat",
    "ess_bulk": "Bulk effective sample size",
    "ess_tail": "Tail effective sample size",
    "mcse": "Monte Carlo error over posterior sd",
    "divergences": "Divergent transitions",
    "tree_depth": "Draws at the tree-depth limit",
    "e_bfmi": "E-BFMI",
    "pareto_k": "Pareto k-hat",
    "importance_ess": "Effective sample size of the weights",
    "finite": "Quantities that are numbers in some draws only",
    "converged": "Convergence",
    "simulation_error": "Simulation error over sd",
}
_MEANINGS = {
    "r_hat": "Do the chains agree?",
    "ess_bulk": "Enough independent draws for means?",
    "ess_tail": "Enough independent draws for intervals?",
    "mcse": "Is the simulation error small?",
    "divergences": "Was all of the posterior reached?",
    "tree_depth": "Were trajectories cut short?",
    "e_bfmi": "Does the energy reach the tails?",
    "pareto_k": "Is the approximation close to the posterior?",
    "importance_ess": "Are enough draws where the posterior is?",
    "finite": "Do all draws hold numbers?",
    "converged": "Did the optimiser arrive?",
    "simulation_error": "Are there enough draws?",
}
_FAILURES: dict[str, str] = {
    "r_hat": "chains disagree about {where} (R-hat {value}, limit {limit})",
    "ess_bulk": (
        "there are too few independent draws of {where} for its mean (bulk ESS {value}, at least {limit} needed)"
    ),
    "ess_tail": (
        "there are too few independent draws of {where} for its interval (tail ESS {value}, at least {limit} needed)"
    ),
    "mcse": "the simulation error of {where} is {value} of its standard deviation (limit {limit})",
    "divergences": "{value} transitions diverged, so that part of the posterior was not reached (limit {limit})",
    "tree_depth": "{value} draws reached the tree-depth limit, so that trajectories were cut short (limit {limit})",
    "e_bfmi": "the sampler's energy moves too slowly to reach the tails (E-BFMI {value}, at least {limit} needed)",
    "pareto_k": "the approximation misses a part of the posterior (k-hat {value}, limit {limit})",
    "importance_ess": "the draws are worth only {value} of the posterior's own (at least {limit} needed)",
    "finite": "not all draws are numbers ({detail})",
    "converged": "the optimiser did not converge ({detail})",
    "simulation_error": "the simulation error of each mean is {value} of its standard deviation (limit {limit})",
}


_COUNTS = ("ess_bulk", "ess_tail", "divergences", "tree_depth", "importance_ess", "finite")


@dataclass(frozen=True)
class Check:
    """One verdict as a row of the report."""

    name: str
    question: str
    value: str
    limit: str
    state: State
    word: str
    detail: str
    remedy: str


@dataclass(frozen=True)
class ModelFit:
    """What the predictive checks say of the model, in a sentence or two."""

    adequate: bool
    sentence: str


@dataclass(frozen=True)
class Banner:
    """The first thing that a reader sees."""

    state: State
    sentence: str
    adequate: bool
    failed: tuple[Check, ...]
    unchecked: tuple[str, ...]
    next_step: str


def describe_checks(assessment: Assessment) -> tuple[Check, ...]:
    """Return the verdicts as rows: failed ones first, then those not made, then the rest."""
    order = {False: 0, None: 1, True: 2}
    return tuple(_check(verdict) for verdict in sorted(assessment.verdicts, key=lambda v: order[v.passed]))


def describe(fit: Fit, assessment: Assessment, forecast: ModelFit | None = None) -> Banner:
    """Say in one sentence whether the numbers can be trusted, and what to do next.

    Parameters
    ----------
    fit
        Its kind, chains and draws are named.
    assessment
        Its verdicts decide; its summary says where the worst case lies.
    forecast
        What the predictive checks say of the model.

    Returns
    -------
    Banner
    """
    outline = outline_of(fit, predictive=forecast is not None)
    checks = describe_checks(assessment)
    failed = [check for check in checks if check.state == "failed"]
    made = [check for check in checks if check.state != "unchecked"]
    unjudged = kinds.unjudged(fit, assessment)
    state: State = "failed" if failed else "passed" if made and unjudged is None else "unchecked"
    sentence_of = {
        "failed": lambda: _failure(assessment),
        "passed": lambda: _success(fit, assessment, forecast),
        "unchecked": lambda: kinds.nothing(fit, unjudged),
    }
    return Banner(
        state=state,
        sentence=sentence_of[state](),
        adequate=(forecast is None or forecast.adequate) and fit.provenance.kind != "point",
        failed=_each_remedy_once(failed),
        unchecked=_not_checked(fit, checks, outline),
        next_step=_next_step(fit, state, failed, forecast, outline),
    )


def format_figure(name: str, value: float | None) -> str:
    """Return a check's number with the digits that are usual for it."""
    if value is None:
        return "–"
    if name == "r_hat":
        near_limit = abs(value - 1.01) < 0.0006  # three decimals would not tell on which side it lies
        return number(value, 4 if near_limit else 3 if value < 1.1 else 2)
    if name in _COUNTS:
        return number(value, 0)
    if name == "converged":
        return "yes" if value else "no"
    return significant(value, 2)


def display_name(name: str) -> str:
    """Return a check's name as the field writes it."""
    return _NAMES.get(name, name.replace("_", " "))


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
    state: State = "unchecked" if verdict.passed is None else "passed" if verdict.passed else "failed"
    side = "at most" if verdict.comparison == "<=" else "at least"
    return Check(
        name=display_name(verdict.name),
        question=_MEANINGS.get(verdict.name, ""),
        value=format_figure(verdict.name, verdict.value),
        limit="convergence" if verdict.name == "converged" else f"{side} {verdict.threshold:,g}",
        state=state,
        word={"passed": "passed", "failed": "failed", "unchecked": "not checked"}[state],
        detail=verdict.detail,
        remedy=sentence(verdict.remedy) if state == "failed" else "",
    )


def _each_remedy_once(failed: Sequence[Check]) -> tuple[Check, ...]:
    given: set[str] = set()
    rows = []
    for check in failed:
        rows.append(replace(check, remedy="") if check.remedy in given else check)
        given.add(check.remedy)
    return tuple(rows)


def _failure(assessment: Assessment) -> str:
    failed = [verdict for verdict in assessment.verdicts if verdict.passed is False]
    first = failed[0]
    rest = len(failed) - 1
    more = f", and {count(rest, 'other check')} failed" if rest else ""
    return f"Do not use these numbers: {_reason(first, assessment)}{more}. {sentence(first.remedy)}".strip()


def _reason(verdict: Verdict, assessment: Assessment) -> str:
    if verdict.value is None:
        return f"{display_name(verdict.name)} {verdict.detail}".strip()
    limit = f"{verdict.threshold:,g}"
    value = format_figure(verdict.name, verdict.value)
    template = _FAILURES.get(verdict.name)
    if template is None:
        side = "at most" if verdict.comparison == "<=" else "at least"
        return f"{display_name(verdict.name)} is {value}, {side} {limit} is needed"
    where = worst_place(assessment, verdict.name) or "a parameter"
    return template.format(where=where, value=value, limit=limit, detail=verdict.detail or "no reason given")


def _success(fit: Fit, assessment: Assessment, forecast: ModelFit | None) -> str:
    adequate = forecast is None or forecast.adequate
    if own := kinds.success(fit, assessment, adequate=adequate):
        return own
    made = {
        verdict.name: verdict.value for verdict in assessment.verdicts if verdict.passed and verdict.value is not None
    }
    sizes = fit.posterior["posterior"].sizes
    chains, draws = sizes.get("chain", 1), sizes.get("chain", 1) * sizes.get("draw", 1)
    parts = []
    if "r_hat" in made:
        parts.append(f"{chains} chains agree (worst R-hat {format_figure('r_hat', made['r_hat'])})")
    independent = [made[name] for name in ("ess_bulk", "ess_tail") if name in made]
    if independent:
        parts.append(f"{draws:,} draws are worth at least {number(min(independent), 0)} independent ones")
    if not parts:
        parts.append(f"all {count(len(made), 'check')} that could be made passed")
    unmade = [_inside(display_name(verdict.name)) for verdict in assessment.verdicts if verdict.passed is None]
    caution = f" Not checked: {listing(unmade)}." if unmade else ""
    opening = "Trust it" if adequate else "Trust the computation, but not yet the model"
    if unmade:
        opening = "What was checked passed"
    return f"{opening}: {', '.join(parts)}.{caution}"


def _not_checked(fit: Fit, checks: Sequence[Check], outline: Outline) -> tuple[str, ...]:
    items = [
        f"{check.name}: {check.detail}" if check.detail else check.name
        for check in checks
        if check.state == "unchecked"
    ]
    items += kinds.silent(fit.provenance.kind)
    if "model-fit" not in outline and fit.provenance.kind != "iid":
        items.append(f"The model itself: {_no_replications(fit)}")
    if fit.provenance.kind == "iid":  # nothing was fitted
        return tuple(items)
    items.append("Calibration: whether this model and engine recover known parameters from simulated data")
    items.append("Sensitivity: how much the results would change under other priors")
    return tuple(items)


def _no_replications(fit: Fit) -> str:
    if fit.provenance.kind == "point":
        return "replications from one point cannot tell whether the data are usual"
    if "posterior_predictive" in fit.posterior.children:
        return "the program draws replications of its data, but too few, or too few that are numbers"
    return "the program draws no replications of its data (such as y_rep of y) that they could be held against"


def _inside(name: str) -> str:
    """Return a name as it stands inside a sentence: R-hat keeps its capital, an ordinary word does not."""
    return name[0].lower() + name[1:] if name[1:2].islower() else name


def _next_step(fit: Fit, state: State, failed: Sequence[Check], forecast: ModelFit | None, outline: Outline) -> str:
    if state == "failed":
        others = [
            remedy
            for remedy in dict.fromkeys(check.remedy for check in failed if check.remedy)
            if remedy != failed[0].remedy
        ]
        place = f"section {outline.number('computation')}"
        again = f"run it again and look here first; {place} shows where the computation went wrong."
        if others:
            return f"{' '.join(others)} Then {again}"
        return f"Follow the advice above, {again}" if failed[0].remedy else sentence(again)
    assumed = f"Section {outline.number('assumptions')} lists what was assumed."
    found = forecast.sentence if forecast is not None else assumed
    advice = kinds.advice(fit.provenance.kind)
    if state == "unchecked":
        return f"{advice or 'Hold the fit against the data before you rely on any number here.'} {found}"
    if forecast is not None and not forecast.adequate:
        return found
    return f"{advice or 'Ask whether the model describes the data, which is another question.'} {found}"
