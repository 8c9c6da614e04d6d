"""What the report says of an autoencoder: its formulas, its quantities, and what a reader has to know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bayeskit.core.language import mark, say
from bayeskit.core.priors import Prior
from bayeskit.core.types import AutoencoderCard, Draws, ModelCard, Quantity
from bayeskit.core.words import commas, count, significant

if TYPE_CHECKING:
    from bayeskit.models.vae import VAE

_FORMS = {
    "plain": mark(
        "Each row is made from a few codes by a network, the decoder; another one, the encoder, says which codes may "
        "have made a row, and how sure that is. Both were learned together."
    ),
    "conditions": mark(
        "Each row is made from what is given and from a few codes, for all that this leaves open, by a network, the "
        "decoder; another one, the encoder, says which codes may have made a row. Both were learned together."
    ),
    "quadrants": mark(
        "What is not seen of an image is made by a network from what is, and from a few codes, for all that this "
        "leaves open: other codes complete the image in other ways."
    ),
}
_LIKELIHOODS = {
    "bernoulli": "x[j] ~ bernoulli_logit({mean})",
    "continuous-bernoulli": "x[j] ~ continuous_bernoulli_logit({mean})",
    "gaussian": "x[j] ~ normal({mean}, noise_sd{column})",
    "categorical": "x[j] ~ categorical_logit({mean})",
}
_QUANTITIES = {
    "elbo": mark("evidence lower bound of a row that was held out"),
    "reconstruction": mark("expected log density of such a row given its codes: the bound's first term"),
    "kl": mark("divergence of its codes from their prior: what the bound's second term takes away"),
    "log_density": mark("log density of such a row, by importance sampling: above the bound, and nearer the truth"),
    "kl_code": mark("divergence of each code: how much it tells of a row"),
    "noise_sd": mark("standard deviation of a value around what the decoder says"),
    "n_active": mark("number of codes whose mean varies between rows"),
}
_REMEDIES = {
    "converged": mark("train longer (--epochs), or by steps that become smaller (--schedule cosine)"),
}
_NATS = ("elbo", "reconstruction", "kl", "log_density", "kl_code")
_QUADRANTS = {
    1: mark("Of each image the lower left quadrant is given, and the other three are completed."),
    2: mark("Of each image the left half is given, and the right half is completed."),
    3: mark("Of each image all but the lower right quadrant is given, and that one is completed."),
}


def autoencoder_card(model: VAE, draws: Draws | None = None) -> ModelCard:
    """Return the model's description for the report."""
    spec = model.spec
    form = "quadrants" if spec.quadrants else "conditions" if spec.conditions else "plain"
    rows = count(spec.n_rows + spec.n_held_out, "row" if spec.columns else "image")
    title = say("Conditional autoencoder of {rows}", rows=rows) if spec.conditional else say(
        "Variational autoencoder of {rows}", rows=rows
    )  # fmt: skip
    return ModelCard(
        name=model.name,
        title=title,
        summary=say(_FORMS[form]),
        formulas=formulas(spec),
        program=Path(__file__).with_name("program.py").read_text(encoding="utf-8"),
        language="python",
        quantities=_quantities(spec, draws),
        priors=priors(spec),
        remedies={name: say(text) for name, text in _REMEDIES.items()},
        notes=notes(model),
        autoencoder=spec,
    )


def priors(spec: AutoencoderCard) -> tuple[Prior, ...]:
    """Return the codes' prior, where it is a normal one that is not learned."""
    if spec.quadrants or spec.latent_prior != "normal":
        return ()
    return (Prior("codes", "normal", (0.0, 1.0), meaning=mark("codes of a row"), families=("normal",)),)


def formulas(spec: AutoencoderCard) -> tuple[str, ...]:
    """Return the model's statements, and the guide's."""
    given = [*(["c"] if spec.conditions else []), *(["x_given"] if spec.quadrants else [])]
    prior = "normal" if spec.latent_prior == "normal" else "double_exponential"
    inputs = ", ".join(["z", *given])
    law = _LIKELIHOODS[spec.likelihood].format(mean=f"decoder({inputs})[j]", column="" if spec.shared_noise else "[j]")
    of_prior = f"prior({', '.join(given)})" if spec.quadrants else "0, 1"
    seen = "x + noise" if spec.noise else "x"
    guide = ", ".join([seen, *(["c"] if spec.conditions else [])])
    return (
        f"z[k] ~ {prior}({of_prior}{'[k]' if spec.quadrants else ''})",
        law.replace("x[j] ~", "x_hidden[j] ~") if spec.quadrants else law,
        f"guide: z[k] ~ {prior}(encoder({guide})[k])",
    )


def notes(model: VAE) -> tuple[str, ...]:
    """Return what a reader has to know of how the model took the data."""
    spec, told = model.spec, []
    if spec.likelihood == "gaussian":
        told.append(
            say(
                "Networks take each column in standard deviations from its mean in training, and densities are of "
                "these."
            )
            if spec.columns
            else say("Networks take grey in standard deviations from its mean in training, and densities are of this.")
        )
    if spec.likelihood == "bernoulli" and not spec.columns and model.takes_grey:
        told.append(
            say(
                "Grey is taken for the chance that a pixel is white: what is minimised is the cross entropy, which is "
                "usual, but no density of grey. A continuous-bernoulli likelihood is one."
            )
        )
    if model.data.binarise == "dynamic":
        told.append(say("Each step of the training draws black or white anew, with the chance that grey is."))
    if spec.n_held_out:
        told.append(
            say(
                "{rows} were held out: no network learned from them. They tell when to stop, and are what the model is "
                "judged by.",
                rows=count(spec.n_held_out, "row" if spec.columns else "image"),
            )
        )
    if spec.noise:
        told.append(
            say(
                "The encoder sees each row with noise of standard deviation {sd}, and the decoder has to say what was "
                "there without it.",
                sd=significant(spec.noise, 3),
            )
        )
    if spec.conditions:
        told.append(say("Given are: {names}.", names=commas([given.name for given in spec.conditions])))
    if spec.quadrants:
        told.append(say(_QUADRANTS[spec.quadrants]))
    return tuple(told)


def _quantities(spec: AutoencoderCard, draws: Draws | None) -> tuple[Quantity, ...]:
    names = [name for name in _QUANTITIES if name != "noise_sd" or spec.likelihood == "gaussian"]
    names = [name for name in names if draws is None or not draws.values or name in draws.values]
    return tuple(Quantity(name, say("nats") if name in _NATS else "", say(_QUANTITIES[name])) for name in names)
