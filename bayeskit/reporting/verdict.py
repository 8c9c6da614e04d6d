"""The verdict in plain words: may I trust this, and what should I do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import commas, inside, joined, listing, number, sentence
from bayeskit.reporting import kinds
from bayeskit.reporting.calibration_hint import calibration_hint
from bayeskit.reporting.checks import (
    OF_THE_MODEL,
    Check,
    State,
    describe_checks,
    display_name,
    each_remedy_once,
    format_figure,
    outcome_of,
    reason_of,
)
from bayeskit.reporting.outline import Outline, outline_of
from bayeskit.reporting.sensitivity import SensitivityReport


@dataclass(frozen=True)
class ModelFit:
    """What the predictive checks say of the model, in a sentence or two."""

    adequate: bool
    sentence: str


@dataclass(frozen=True)
class Banner:
    """The first thing that a reader sees.

    ``missing`` says what a damaged run did not give back, ``noted`` which checks tell what it is worth, ``rough``
    whether that is an approximation which is not close.
    """

    missing: tuple[str, ...]
    state: State
    sentence: str
    adequate: bool
    failed: tuple[Check, ...]
    unchecked: tuple[str, ...]
    next_step: str
    noted: tuple[Check, ...] = ()
    rough: bool = False


def describe(
    fit: Fit,
    assessment: Assessment,
    forecast: ModelFit | None = None,
    sensitivity: SensitivityReport | str | None = None,
) -> Banner:
    """Say in one sentence whether the numbers can be trusted, and what to do next.

    Parameters
    ----------
    fit
        Its kind, chains and draws are named.
    assessment
        Its verdicts decide; its summary says where the worst case lies.
    forecast
        What the predictive checks say of the model.
    sensitivity
        What was found of the priors' influence, or in words why it was not looked at.

    Returns
    -------
    Banner
    """
    outline = outline_of(fit, predictive=forecast is not None)
    checks = describe_checks(assessment)
    failed = [check for check in checks if check.state == "failed"]
    noted = [check for check in checks if check.state == "noted"]
    rough = any(outcome_of(v) == "noted" and v.name not in OF_THE_MODEL for v in assessment.verdicts)
    made = [check for check in checks if check.state != "unchecked"]
    unjudged = kinds.unjudged(fit, assessment)
    state: State = "failed" if failed else "passed" if made and unjudged is None else "unchecked"
    sentence_of = {
        "failed": lambda: _failure(assessment),
        "passed": lambda: _success(fit, assessment, forecast),
        "unchecked": lambda: kinds.nothing(fit, unjudged),
    }
    if not fit.has_draws and state == "passed":  # once; nobody can look again
        state = "unchecked"
        sentence_of["unchecked"] = lambda: say("When this run was made its checks passed. They cannot be made again.")
    return Banner(
        missing=fit.missing or (() if fit.has_draws else (say("This run has no draws."),)),
        state=state,
        sentence=sentence_of[state](),
        adequate=(forecast is None or forecast.adequate) and not rough and _may_pass(fit, noted),
        failed=each_remedy_once(failed),
        unchecked=_not_checked(fit, checks, outline, sensitivity),
        next_step=joined(
            [
                _fit_again(fit, outline),
                _next_step(fit, state, failed, forecast, outline),
                _weigh(state, sensitivity, outline),
            ]
        ),
        noted=each_remedy_once(noted),
        rough=rough,
    )


def _may_pass(fit: Fit, noted: Sequence[Check]) -> bool:
    """Whether all may be well: a point has no distribution to be right, but networks may hold for rows held out."""
    networks = fit.provenance.card.autoencoder
    if networks is not None:
        return networks.n_held_out > 0 and not noted
    return fit.provenance.kind != "point"


def _fit_again(fit: Fit, outline: Outline) -> str:
    if fit.has_draws:
        return ""
    return say("Fit again to have the draws back; section {section} has the command.", section=outline.number("again"))


def _failure(assessment: Assessment) -> str:
    failed = [verdict for verdict in assessment.verdicts if outcome_of(verdict) == "failed"]
    first = failed[0]
    rest = len(failed) - 1
    reason = reason_of(first, assessment)
    told = say("Do not use these numbers: {reason}.", reason=reason)
    if rest:
        told = say_count(
            rest,
            "Do not use these numbers: {reason}, and {n} other check failed.",
            "Do not use these numbers: {reason}, and {n} other checks failed.",
            reason=reason,
        )
    return joined([told, sentence(first.remedy)])


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
        worst = format_figure("r_hat", made["r_hat"])
        parts.append(say("{chains} chains agree (worst R-hat {value})", chains=chains, value=worst))
    independent = [made[name] for name in ("ess_bulk", "ess_tail") if name in made]
    if independent:
        worth = number(min(independent), 0)
        parts.append(say("{draws} draws are worth at least {n} independent ones", draws=f"{draws:,}", n=worth))
    if not parts:
        n = len(made)
        parts.append(
            say_count(n, "all {n} check that could be made passed", "all {n} checks that could be made passed")
        )
    reasons = commas(parts)
    unmade = [inside(display_name(verdict.name)) for verdict in assessment.verdicts if verdict.passed is None]
    if unmade:
        told = say("What was checked passed: {reasons}.", reasons=reasons)
        return joined([told, say("Not checked: {checks}.", checks=listing(unmade))])
    if adequate:
        return say("Trust it: {reasons}.", reasons=reasons)
    return say("Trust the computation, but not yet the model: {reasons}.", reasons=reasons)


def _not_checked(
    fit: Fit, checks: Sequence[Check], outline: Outline, sensitivity: SensitivityReport | str | None
) -> tuple[str, ...]:
    items = [
        say("{check}: {detail}", check=check.name, detail=check.detail) if check.detail else check.name
        for check in checks
        if check.state == "unchecked"
    ]
    items += kinds.silent(fit)
    if fit.provenance.card.without_data:
        return (*items, say("Whether the density is the one that was meant: nothing here could tell"))
    if "model-fit" not in outline and fit.provenance.kind != "iid":
        items.append(say("The model itself: {why}", why=_no_replications(fit)))
    if fit.provenance.kind == "iid":  # nothing was fitted
        return tuple(items)
    if fit.provenance.kind != "point":  # which has no distribution that could be right or wrong
        items.append(calibration_hint(fit.provenance))
    if sensitivity is None:
        items.append(say("Sensitivity: how much the results would change under other priors"))
    elif isinstance(sensitivity, str):
        items.append(say("Sensitivity: how much the results would change under other priors; {why}", why=sensitivity))
    return tuple(items)


def _weigh(state: State, sensitivity: SensitivityReport | str | None, outline: Outline) -> str:
    """Say what of the priors is to be weighed, where the computation can be relied on."""
    if state == "failed" or sensitivity is None or isinstance(sensitivity, str) or not sensitivity.advice:
        return ""
    section = outline.number("assumptions")
    return say("{advice} Section {section} shows it.", advice=sensitivity.advice, section=section)


def _no_replications(fit: Fit) -> str:
    if not fit.has_draws:
        return say("there are no draws")
    if fit.provenance.kind == "point":
        return say("replications from one point cannot tell whether the data are usual")
    if fit.provenance.card.blocks is not None:
        return say("this run has no graphs that were drawn anew, which the graph could be held against")
    if fit.provenance.card.factors is not None:
        return say("no ratings were held out that predictions could be held against (--split, --hold-out)")
    if "posterior_predictive" in fit.posterior.children:
        return say("the program draws replications of its data, but too few, or too few that are numbers")
    return say("the program draws no replications of its data (such as y_rep of y) that they could be held against")


def _next_step(fit: Fit, state: State, failed: Sequence[Check], forecast: ModelFit | None, outline: Outline) -> str:
    if state == "failed":
        others = [
            remedy
            for remedy in dict.fromkeys(check.remedy for check in failed if check.remedy)
            if remedy != failed[0].remedy
        ]
        section = outline.number("computation")
        if others:
            template = mark("Then look here again; section {section} shows where the computation went wrong.")
            return joined([*others, say(template, section=section)])
        template = mark("Run it again and look here first; section {section} shows where the computation went wrong.")
        if failed[0].remedy:
            template = mark(
                "Follow the advice above, run it again and look here first; section {section} shows where the "
                "computation went wrong."
            )
        return say(template, section=section)
    assumed = say("Section {section} lists what was assumed.", section=outline.number("assumptions"))
    found = forecast.sentence if forecast is not None else assumed
    advice = kinds.advice(fit)
    if state == "unchecked":
        advice = advice or say("Hold the fit against the data before you rely on any number here.")
        return joined([advice, found])
    if forecast is not None and not forecast.adequate:
        return found
    if fit.provenance.card.without_data:
        return joined([kinds.another_engine(fit), found])
    return joined([advice or say("Ask whether the model describes the data, which is another question."), found])
