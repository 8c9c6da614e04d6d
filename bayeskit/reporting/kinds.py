"""What can be said of each kind of result: what its checks mean, and what it cannot tell."""

from __future__ import annotations

from bayeskit.core.types import Assessment, Fit, Kind, Verdict
from bayeskit.core.words import number, percent, sentence, significant

KINDS: dict[Kind, str] = {
    "mcmc": "Markov chains",
    "iid": "independent draws",
    "weighted": "weighted draws",
    "variational": "a variational approximation",
    "point": "a point estimate",
}
# Without this check a result of the kind says nothing of itself.
_ESSENTIAL: dict[Kind, str] = {"variational": "pareto_k", "point": "converged"}
_MCMC_CHECKS = "R-hat, effective sample size, divergences, tree depth, energy"
_SILENT: dict[Kind, tuple[str, ...]] = {
    "variational": (
        "What the approximation has no draws of: k-hat sees only where it has some, so that another mode of the "
        "posterior would not show",
    ),
    "point": ("Uncertainty: a point has none, and the most probable point can lie far from most of the posterior",),
}
_NEXT: dict[Kind, str] = {
    "variational": "Before a decision rests on these numbers, sample the posterior (--method sample) and compare.",
    "point": "For intervals, sample the posterior (--method sample), or approximate it (--method laplace).",
    "iid": "Use the draws; nothing was fitted, so that there is nothing to be doubted but the program.",
}


def unjudged(fit: Fit, assessment: Assessment) -> Verdict | None:
    """Return the check that this kind of result stands or falls with, where it could not be made."""
    name = _ESSENTIAL.get(fit.provenance.kind)
    return next((v for v in assessment.verdicts if v.name == name and v.passed is None), None)


def success(fit: Fit, assessment: Assessment, *, adequate: bool) -> str | None:
    """Return the sentence for a result that passed, or None where the kind needs none of its own."""
    made = {v.name: v for v in assessment.verdicts if v.passed and v.value is not None}
    kind = fit.provenance.kind
    sizes = fit.posterior["posterior"].sizes
    draws = sizes.get("chain", 1) * sizes.get("draw", 1)
    if kind == "variational" and "pareto_k" in made:
        k_hat, limit = made["pareto_k"].value, made["pareto_k"].threshold
        worth = made["importance_ess"].value if "importance_ess" in made else None
        told = f"k-hat is {significant(k_hat or 0.0, 2)} (limit {limit:g}), so that it lies close to "
        told += "the posterior wherever it has draws"
        told += f"; {draws:,} draws are worth {number(worth, 0)} of the posterior's own" if worth is not None else ""
        told += "".join(f". But {doubt}" for doubt in doubts(fit))
        return f"Usable as an approximation{'' if adequate else ', but not yet the model'}: {told}."
    if kind == "point" and "converged" in made:
        return "This is a point, not a posterior: the optimiser converged, but says nothing of how far it may be off."
    if kind == "iid" and "simulation_error" in made:
        error = percent(made["simulation_error"].value or 0.0)
        return (
            f"Enough draws: {draws:,} independent ones give each mean to within {error} of its standard deviation. "
            "No posterior was sampled."
        )
    return None


def doubts(fit: Fit) -> list[str]:
    """Return what went wrong on the way to an approximation, whatever its k-hat is."""
    said = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    lost, message = int(said.get("failed_paths") or 0), str(said.get("message") or "no reason given")
    found = (
        [f"{lost} of its {fit.provenance.config['paths']} paths failed: what they led to was not reached"]
        if lost
        else []
    )
    if said.get("converged") is not None and not said["converged"]:
        found.append(f"its optimiser did not converge ({message}): give it more steps (--iterations)")
    return found


def nothing(fit: Fit, verdict: Verdict | None) -> str:
    """Return the sentence for a result of which nothing could be checked."""
    what = KINDS[fit.provenance.kind]
    if verdict is None:
        return f"Nothing was checked: these numbers are {what}, taken as they came. Read them with care."
    question = "how close it is to the posterior" if verdict.name == "pareto_k" else "whether the optimiser arrived"
    return f"Not checked: these numbers are {what}, and {question} cannot be told. {sentence(verdict.detail)}"


def silent(kind: Kind) -> list[str]:
    """Return what a result of this kind cannot tell."""
    if kind == "mcmc":
        return []
    return [*_SILENT.get(kind, ()), f"{_MCMC_CHECKS}: they mean nothing for {KINDS[kind]}"]


def advice(kind: Kind) -> str:
    """Return what to do next with a result of this kind, or nothing."""
    return _NEXT.get(kind, "")
