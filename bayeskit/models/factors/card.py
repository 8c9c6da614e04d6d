"""What the report says of a matrix factorisation: its formulas, its quantities, and what a reader has to know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bayeskit.core.language import mark, say
from bayeskit.core.types import Draws, FactorCard, ModelCard, Quantity
from bayeskit.core.words import commas, count
from bayeskit.models.factors.spec import SIDES

if TYPE_CHECKING:
    from bayeskit.models.bmf import BMF

_FORMS = {
    "wishart": mark(
        "A rating is the sum of a level, of how generous the user is, of how good the item is, and of how well the "
        "user's factors go with the item's. Users, and items, are alike as far as the ratings say so: how much they "
        "differ is learned, and those with few ratings stay near the others."
    ),
    "ard": mark(
        "A rating is the sum of a level, of how generous the user is, of how good the item is, and of how well the "
        "user's factors go with the item's. Each factor has a strength that is learned, so that those that the ratings "
        "do not ask for vanish."
    ),
    "point": mark(
        "A rating is the sum of a level, of how generous the user is, of how good the item is, and of how well the "
        "user's factors go with the item's; a penalty, the same for all, keeps them from growing."
    ),
    "nonnegative": mark(
        "A rating is a sum of parts that cannot be negative, one for each factor: how much the user has of it times "
        "how much the item has of it."
    ),
}
_QUANTITIES = {
    "level": mark("mean of the table of all users by all items"),
    "sigma": mark("standard deviation of a rating around what is expected of it"),
    "cutpoints": mark("where one level ends and the next begins, from the mean of all users by all items"),
    "sd_user": mark("standard deviation of users' mean ratings"),
    "sd_item": mark("standard deviation of items' mean ratings"),
    "sd_interaction": mark("standard deviation of what users and items make together"),
    "effective_rank": mark("how many factors matter"),
    "factor_sd": mark("strength of each factor, strongest first"),
    "user_lambda": mark("how little a group of features says of users"),
    "item_lambda": mark("how little a group of features says of items"),
    "rating": mark("expected rating of an item by a user"),
    "log_lik": mark("log density of the ratings"),
    "test_rmse": mark("root mean square error of one draw on the test ratings"),
    "train_rmse": mark("root mean square error on the training ratings"),
}
_LONGER = mark("let the chains run longer (--warmup, --draws), or take fewer factors (--rank)")
_REMEDIES = {"r_hat": _LONGER, "ess_bulk": _LONGER, "ess_tail": _LONGER, "mcse": _LONGER}


def factor_card(model: BMF, draws: Draws | None = None) -> ModelCard:
    """Return the model's description for the report."""
    spec, data = model.spec, model.data
    features = {side: model.observed.features(side) for side in SIDES}
    names = {side: () if found is None else found.names for side, found in features.items()}
    return ModelCard(
        name=model.name,
        title=say("Matrix factorisation of {ratings}", ratings=count(data.n_train, "rating")),
        summary=_summary(model, draws),
        formulas=_formulas(model),
        program=_program_text(),
        language="python",
        quantities=_quantities(model, draws),
        priors=spec.priors,
        remedies={name: say(text) for name, text in _REMEDIES.items()},
        notes=_notes(model, names),
        factors=FactorCard(
            rank=spec.rank,
            likelihood=spec.likelihood,
            family=spec.family,
            nonnegative=spec.nonnegative,
            n_users=data.n_users,
            n_items=data.n_items,
            n_ratings=data.n_train,
            n_test=data.n_test,
            low=float(data.scale[0]),
            high=float(data.scale[1]),
            levels=tuple(float(level) for level in data.levels),
            user_features=names["user"],
            item_features=names["item"],
        ),
    )


def _summary(model: BMF, draws: Draws | None) -> str:
    spec = model.spec
    form = "nonnegative" if spec.nonnegative or (draws is not None and "nmf" in draws.engine.values()) else spec.family
    return say(_FORMS["point" if form != "nonnegative" and draws is not None and draws.kind == "point" else form])


def _program_text() -> str:
    """Return the text of the Pyro program."""
    return Path(__file__).with_name("program.py").read_text(encoding="utf-8")


def _formulas(model: BMF) -> tuple[str, ...]:
    spec = model.spec
    terms = ["mu"] if spec.has_level else []
    terms += [] if spec.nonnegative else ["b[u]", "b[i]"]
    eta = " + ".join([*terms, "<U[u], V[i]>"])
    rating = f"r[u, i] ~ normal({eta}, 1 / sqrt(tau))"
    if spec.likelihood == "ordinal":
        rating = f"P(r[u, i] <= level[l]) = Phi(cutpoints[l] - ({eta}))"
    made = [rating]
    for side, row in (("user", "(b[u], U[u])"), ("item", "(b[i], V[i])")):
        short = "U" if side == "user" else "V"
        if spec.nonnegative:
            made.append(f"{short}[., k] ~ normal(0, 1 / sqrt(alpha[k])), at least 0")
            continue
        mean = f"mean_{side}" if spec.family == "wishart" else "0"
        if model.observed.features(side) is not None:
            mean = f"{mean} + x_{side} B_{side}".removeprefix("0 + ")
        precision = f"Lambda_{side}^-1" if spec.family == "wishart" else f"1 / (alpha_{side}, alpha)"
        made.append(f"{row} ~ normal({mean}, {precision})")
        if spec.family == "wishart":
            made.append(f"mean_{side} ~ normal(0, Lambda_{side}^-1), Lambda_{side} ~ factors")
        if model.observed.features(side) is not None:
            made.append(f"B_{side}[f] ~ normal(0, {precision} / lambda[group of f])")
    return tuple(made)


def _quantities(model: BMF, draws: Draws | None) -> tuple[Quantity, ...]:
    hidden = model.spec.likelihood == "ordinal"
    names = [name for name in _QUANTITIES if draws is None or name in draws.values]
    in_hidden = ("cutpoints", "sd_user", "sd_item", "sd_interaction")
    unit = say("hidden units")
    return tuple(
        Quantity(name, unit=unit if hidden and name in in_hidden else "", meaning=say(_QUANTITIES[name]))
        for name in names
    )


def _notes(model: BMF, names: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    spec, data, notes = model.spec, model.data, []
    if spec.likelihood == "normal" and not spec.nonnegative:
        notes.append(
            say(
                "Priors are on ratings in units of their standard deviation, {spread}, from their mean, {centre}.",
                spread=f"{model.observed.spread:.4g}",
                centre=f"{model.observed.centre:.4g}",
            )
        )
    if spec.likelihood == "ordinal":
        notes.append(
            say(
                "Ratings are levels in order: how far one lies from the next is learned. Behind each is a hidden "
                "rating with standard deviation 1 around what is expected."
            )
        )
    notes += [say("What was not rated is missing, and not zero: it says nothing.")]
    if data.n_test:
        notes.append(
            say(
                "{ratings} were held out for testing: the fit did not see them, and features are made without them.",
                ratings=count(data.n_test, "rating"),
            )
        )
    unseen = (data.n_users - data.n_known_users, "user"), (data.n_items - data.n_known_items, "item")
    notes += [
        say(
            "{rows} without training ratings: what is said of them comes from the others, and from features where "
            "there are any.",
            rows=count(number, noun),
        )
        for number, noun in unseen
        if number
    ]
    told = {
        "user": mark("Prior means of users depend on: {features}."),
        "item": mark("Prior means of items depend on: {features}."),
    }
    notes += [say(told[side], features=commas(groups)) for side, groups in names.items() if groups]
    return (*notes, *model.notes)
