"""What can be said of each kind of result: what its checks mean, and what it cannot tell."""

from __future__ import annotations

from bayeskit.core.language import mark, said, say
from bayeskit.core.types import Assessment, Fit, Kind, ModelCard, Verdict
from bayeskit.core.words import joined, number, percent, sentence, significant
from bayeskit.reporting.autoencoder_words import SILENT, autoencoder_advice, autoencoder_success
from bayeskit.reporting.checks import OF_THE_MODEL
from bayeskit.reporting.rating_words import rating_advice

KINDS: dict[Kind, str] = {
    "mcmc": mark("Markov chains"),
    "iid": mark("independent draws"),
    "weighted": mark("weighted draws"),
    "variational": mark("a variational approximation"),
    "point": mark("a point estimate"),
}
# Without this check a result of the kind says nothing of itself.
_ESSENTIAL: dict[Kind, tuple[str, ...]] = {
    "variational": ("pareto_k",),
    "weighted": ("weights_k", "families", "runs_r_hat"),
    "point": ("converged",),
}
_SILENT: dict[Kind, tuple[str, ...]] = {
    "variational": (
        mark(
            "What the approximation has no draws of: k-hat sees only where it has some, so that another mode of the "
            "posterior would not show"
        ),
    ),
    "weighted": (
        mark(
            "What the draws never reach: k-hat sees only where there are some, so that another mode of the posterior "
            "would not show"
        ),
    ),
    "point": (
        mark("Uncertainty: a point has none, and the most probable point can lie far from most of the posterior"),
    ),
}
_NEXT: dict[Kind, str] = {
    "variational": mark(
        "Before a decision rests on these numbers, sample the posterior (--method sample) and compare."
    ),
    "point": mark("For intervals, sample the posterior (--method sample), or approximate it (--method laplace)."),
    "iid": mark("Use the draws; nothing was fitted, so that there is nothing to be doubted but the program."),
}


_SAMPLED_BY: dict[Kind, str] = {
    "variational": mark(
        "Before a decision rests on these numbers, sample the posterior (`--engine {engine}`) and compare."
    ),
    "point": mark("For intervals, sample the posterior (`--engine {engine}`)."),
}


def unjudged(fit: Fit, assessment: Assessment) -> Verdict | None:
    """Return the check that this kind of result stands or falls with, where it could not be made."""
    names = _ESSENTIAL.get(fit.provenance.kind, ())
    return next((v for v in assessment.verdicts if v.name in names and v.passed is None), None)


def success(fit: Fit, assessment: Assessment, *, adequate: bool) -> str | None:
    """Return the sentence for a result that passed, or None where the kind needs none of its own."""
    made = {v.name: v for v in assessment.verdicts if v.passed and v.value is not None}
    kind = fit.provenance.kind
    sizes = fit.posterior["posterior"].sizes
    draws = sizes.get("chain", 1) * sizes.get("draw", 1)
    if kind == "variational" and (shortfalls := _shortfalls(assessment)):
        return joined([say("An approximation, not the posterior: its intervals may be too narrow."), *shortfalls])
    if kind == "variational" and "pareto_k" in made:
        k_hat, limit = made["pareto_k"].value, made["pareto_k"].threshold
        worth = made["importance_ess"].value if "importance_ess" in made else None
        told = say(
            "k-hat is {value} (limit {limit}), so that it lies close to the posterior wherever it has draws",
            value=significant(k_hat or 0.0, 2),
            limit=f"{limit:g}",
        )
        if worth is not None:
            own = say("{draws} draws are worth {n} of the posterior's own", draws=f"{draws:,}", n=number(worth, 0))
            told = say("{a}; {b}", a=told, b=own)
        template = mark("Usable as an approximation: {reasons}.")
        if not adequate:
            template = mark("Usable as an approximation, but not yet the model: {reasons}.")
        return joined([say(template, reasons=told), *(say("But {doubt}.", doubt=doubt) for doubt in doubts(fit))])
    if kind == "weighted" and {"weights_k", "importance_ess"} <= made.keys():
        template = mark(
            "Trust it: the weights can be relied on (k-hat {value}, limit {limit}), and {draws} weighted draws are "
            "worth {n} of the posterior's own."
        )
        if not adequate:
            template = mark(
                "Trust the computation, but not yet the model: the weights can be relied on (k-hat {value}, limit "
                "{limit}), and {draws} weighted draws are worth {n} of the posterior's own."
            )
        return say(
            template,
            value=significant(made["weights_k"].value or 0.0, 2),
            limit=f"{made['weights_k'].threshold:g}",
            draws=f"{draws:,}",
            n=number(made["importance_ess"].value or 0.0, 0),
        )
    if kind == "weighted" and "families" in made:
        template = mark("Trust it: {draws} particles come from {n} ancestors, in effect{runs}.")
        if not adequate:
            template = mark(
                "Trust the computation, but not yet the model: {draws} particles come from {n} ancestors, in effect"
                "{runs}."
            )
        runs = ""
        if "runs_r_hat" in made:
            worst = number(made["runs_r_hat"].value or 0.0, 3)
            runs = say(", and {n} runs agree (R-hat {value})", n=sizes.get("chain", 1), value=worst)
        return say(template, draws=f"{draws:,}", n=number(made["families"].value or 0.0, 0), runs=runs)
    if fit.provenance.card.autoencoder is not None and "converged" in made:
        return autoencoder_success(fit, assessment)
    if kind == "point" and "converged" in made:
        return say(
            "This is a point, not a posterior: the optimiser converged, but says nothing of how far it may be off."
        )
    if kind == "iid" and fit.provenance.engine == "rejection" and {"simulation_error", "envelope"} <= made.keys():
        return say(
            "Trust it: the {draws} draws are independent and of the density itself, below an envelope that held "
            "({how}).",
            draws=f"{draws:,}",
            how=made["envelope"].detail,
        )
    if kind == "iid" and "simulation_error" in made:
        return say(
            "Enough draws: {draws} independent ones give each mean to within {error} of its standard deviation. No "
            "posterior was sampled.",
            draws=f"{draws:,}",
            error=percent(made["simulation_error"].value or 0.0),
        )
    return None


def _shortfalls(assessment: Assessment) -> list[str]:
    """Say of each advisory check that is not met by how much it misses."""
    told = []
    for verdict in assessment.verdicts:
        if not verdict.advisory or verdict.passed is not False or verdict.name in OF_THE_MODEL:
            continue
        if verdict.value is None:
            told.append(sentence(verdict.detail) or say("One draw outweighs all others."))
        elif verdict.name == "pareto_k":
            template = mark("k-hat is {value}; of a close approximation it is at most {limit}.")
            told.append(say(template, value=significant(verdict.value, 2), limit=f"{verdict.threshold:.2g}"))
        elif verdict.name == "importance_ess":
            template = mark("Its draws are worth {n} of the posterior's own; at least {limit} would be enough.")
            told.append(say(template, n=number(verdict.value, 0), limit=number(verdict.threshold, 0)))
        else:
            told.append(sentence(verdict.detail))
    return told


def doubts(fit: Fit) -> list[str]:
    """Return what went wrong on the way to an approximation, whatever its k-hat is."""
    told = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    lost, message = int(told.get("failed_paths") or 0), str(told.get("message") or say("no reason given"))
    found = []
    if lost:
        paths = fit.provenance.config["paths"]
        failure = say("{n} of its {paths} paths failed: what they led to was not reached", n=lost, paths=paths)
        found.append(failure)
    if told.get("converged") is not None and not told["converged"]:
        found.append(
            say("its optimiser did not converge ({message}): give it more steps (--iterations)", message=message)
        )
    return found


def nothing(fit: Fit, verdict: Verdict | None) -> str:
    """Return the sentence for a result of which nothing could be checked."""
    what = said(KINDS[fit.provenance.kind])
    if verdict is None:
        return say("Nothing was checked: these numbers are {what}, taken as they came. Read them with care.", what=what)
    template = mark("Not checked: these numbers are {what}, and whether the optimiser arrived cannot be told.")
    if verdict.name == "pareto_k":
        template = mark("Not checked: these numbers are {what}, and how close it is to the posterior cannot be told.")
    if verdict.name == "weights_k":
        template = mark("Not checked: these numbers are {what}, and whether the weights are sound cannot be told.")
    return joined([say(template, what=what), sentence(verdict.detail)])


def silent(fit: Fit) -> list[str]:
    """Return what a result of this kind cannot tell."""
    kind = fit.provenance.kind
    if kind == "mcmc":
        return []
    if fit.provenance.card.autoencoder is not None:
        return [said(text) for text in SILENT]
    if fit.provenance.engine == "smc":
        return [say("What no run's particles ever reached: a mode that all of them missed would not show")]
    chains = say(
        "R-hat, effective sample size, divergences, tree depth, energy: they mean nothing for {what}",
        what=said(KINDS[kind]),
    )
    return [*(said(text) for text in _SILENT.get(kind, ())), chains]


def another_engine(fit: Fit) -> str:
    """Return how a density that was drawn from is drawn from once more."""
    words = fit.provenance.command.split()
    if words[:2] == ["bayeskit", "fit"] and len(words) > 2:
        command = f"bayeskit crosscheck {words[2]}"
        return say("Ask other engines: `{command}` says whether they agree.", command=command)
    return say("Ask another engine (engine=...) whether it agrees.")


def advice(fit: Fit) -> str:
    """Return what to do next with a result of this kind, or nothing."""
    origin = fit.provenance
    if origin.card.factors is not None:
        return rating_advice(fit)
    if origin.card.autoencoder is not None:
        return autoencoder_advice(fit)
    if origin.kind not in _SAMPLED_BY or origin.engine == "stan":
        return said(_NEXT.get(origin.kind, ""))
    return say(_SAMPLED_BY[origin.kind], engine=sampler_of(origin.card))


def sampler_of(card: ModelCard) -> str:
    """Return which engine samples a model's posterior."""
    return "gibbs" if any((card.mixture, card.blocks, card.factors)) else "nuts"
