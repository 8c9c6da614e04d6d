"""What the report says of a mixture: its formulas, its quantities, and what a reader has to know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.paths import stan_program
from bayeskit.core.types import Draws, MixtureCard, ModelCard, Quantity
from bayeskit.core.words import commas, count, joined, significant

if TYPE_CHECKING:
    from bayeskit.models.gmm import GMM

_TOLD = 8  # columns that a note names
_FORMS = {
    "full": mark("Each component has a normal distribution with correlations of its own."),
    "tied": mark("The components' normal distributions share one covariance."),
    "diagonal": mark("Each component has a normal distribution without correlations."),
    "spherical": mark("Each component has a normal distribution that is as wide in every direction."),
}
_LIKELIHOODS = {
    "full": (
        "y[i] ~ normal(mean[z[i]], covariance[z[i]])",
        "covariance[k] = diag(sd[k]) correlation[k] diag(sd[k])",
    ),
    "tied": ("y[i] ~ normal(mean[z[i]], covariance)", "covariance = diag(sd) correlation diag(sd)"),
    "diagonal": ("y[i, j] ~ normal(mean[z[i], j], sd[z[i], j])",),
    "spherical": ("y[i, j] ~ normal(mean[z[i], j], sd[z[i]])",),
}
_OF_ONE_COLUMN = {"tied": ("y[i] ~ normal(mean[z[i]], sd)",)}
_STICKS = (
    "weight[k] = stick[k] (1 - stick[1]) ... (1 - stick[k-1])",
    "stick[k] ~ beta(1, concentration)",
)
_QUANTITIES = {
    "weight": mark("share of the points that belong to the component"),
    "mean": mark("where the component lies, in each column's own unit"),
    "sd": mark("standard deviation within the component, in each column's own unit"),
    "correlation": mark("correlation of two columns within the component"),
    "concentration": mark("concentration of the Dirichlet process: more makes more components"),
    "n_occupied": mark("number of components that hold at least one point"),
    "log_density": mark("log density of the parameters and of all points together"),
    "log_likelihood_total": mark("log density of all points, given the parameters"),
    "co_assignment": mark("probability that two points belong to the same component"),
    "entropy": mark("mean entropy of the points' assignments: 0 where it is certain where each belongs"),
}
_MIXING = mark(
    "chains lie in different modes, or go back and forth between them too rarely: run them longer (--engine gibbs with "
    "a larger --thin costs least), or take fewer components (--components) or a simpler --covariance"
)
_LONGER = mark(
    "run longer (--engine gibbs with a larger --thin costs least); if that does not help, take fewer components "
    "(--components) or a simpler --covariance"
)
_STEEP = mark(
    "the posterior is steep where a component has next to no points or its covariance is nearly singular: take fewer "
    "components (--components), a simpler --covariance, or --engine gibbs, which takes no steps along gradients"
)
_REMEDIES = {
    "r_hat": _MIXING,
    "ess_bulk": _MIXING,
    "ess_tail": _LONGER,
    "mcse": _LONGER,
    "divergences": _STEEP,
    "tree_depth": _STEEP,
    "e_bfmi": _STEEP,
}


def mixture_card(model: GMM, draws: Draws | None = None) -> ModelCard:
    """Return the model's description for the report.

    Parameters
    ----------
    model
        The mixture with its data.
    draws
        What an engine made of it: of Stan's the Stan program is shown, of all others Pyro's.
    """
    spec, stan = model.spec, draws is not None and "stan" in draws.engine
    likelihood = _LIKELIHOODS[spec.covariance]
    if spec.n_columns == 1:
        likelihood = _OF_ONE_COLUMN.get(spec.covariance, ("y[i] ~ normal(mean[z[i]], sd[z[i]])",))
    return ModelCard(
        name=model.name,
        title=_title(model),
        summary=_summary(model),
        formulas=("z[i] ~ categorical(weight)", *likelihood, *(_STICKS if spec.dp else ())),
        program=stan_program(model.program) if stan else pyro_text(),
        language="stan" if stan else "python",
        quantities=_quantities(model),
        priors=spec.priors,
        remedies={name: say(text) for name, text in _REMEDIES.items()},
        notes=_notes(model),
        log_likelihood="independent",
        mixture=MixtureCard(
            columns=model.data.columns,
            n_components=spec.n_components,
            covariance=spec.covariance,
            dp=spec.dp,
        ),
    )


def pyro_text() -> str:
    """Return the text of the Pyro program."""
    return Path(__file__).with_name("program.py").read_text(encoding="utf-8")


def _title(model: GMM) -> str:
    if model.spec.dp:
        return say("Dirichlet-process mixture of normal distributions")
    n_components = model.spec.n_components
    return say_count(n_components, "Mixture of {n} normal distribution", "Mixture of {n} normal distributions")


def _summary(model: GMM) -> str:
    belongs = say("Each point belongs to one of the components, and nobody has seen to which.")
    process = say("How many components have any points is itself unknown, and estimated.") if model.spec.dp else ""
    return joined([belongs, say(_FORMS[model.spec.covariance]), process])


def _quantities(model: GMM) -> tuple[Quantity, ...]:
    spec = model.spec
    absent = {"correlation": not spec.correlated, "concentration": not spec.dp}
    found = [name for name in _QUANTITIES if not absent.get(name)]
    return tuple(Quantity(name, meaning=say(_QUANTITIES[name])) for name in found)


def _notes(model: GMM) -> tuple[str, ...]:
    missing = np.isnan(model.y)
    notes = [_note_on_scale(model)]
    if missing.any():
        n_missing, n_points = int(missing.sum()), int(missing.any(axis=1).sum())
        notes.append(
            say(
                "{values} of {points} are missing; the likelihood integrates them out exactly.",
                values=count(n_missing, "coordinate"),
                points=count(n_points, "point"),
            )
        )
    if model.spec.dp:
        notes.append(
            say(
                "The Dirichlet process is truncated at {n} components; where nearly all of them are occupied, give "
                "more (--components).",
                n=model.spec.n_components,
            )
        )
    if model.spec.n_components > 1:
        notes.append(
            say(
                "The posterior is the same however the components are numbered: the draws' labels are matched to each "
                "other after sampling, and components numbered by their weight, largest first."
            )
        )
    return tuple(notes)


def _note_on_scale(model: GMM) -> str:
    if not model.standardised:
        return say("Columns are taken as they are: the same priors hold for all of them, in their own units.")
    told = [
        say("{column} {centre} and {spread}", column=name, centre=significant(centre, 4), spread=significant(spread, 4))
        for name, centre, spread in zip(model.data.columns[:_TOLD], model.centre, model.spread, strict=False)
    ]
    rest = model.spec.n_columns - _TOLD
    shown = [*told, *([say("{n} more", n=f"{rest:,}")] if rest > 0 else [])]
    return say(
        "Each column is standardised before the fit, and results are told in its own unit; mean and standard deviation "
        "are: {columns}.",
        columns=commas(shown),
    )
