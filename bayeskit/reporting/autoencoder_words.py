"""What we learned of an autoencoder, in sentences: how well rows are rebuilt, what the codes tell, what to do next."""

from __future__ import annotations

import re

import numpy as np

from bayeskit.core.language import mark, say
from bayeskit.core.types import Assessment, AutoencoderCard, Fit
from bayeskit.core.words import NO_BREAK, joined, number, percent, significant
from bayeskit.diagnostics.autoencoders import distance_limit, distances
from bayeskit.reporting.autoencoder_numbers import correlation_limit, explained, likeness, rmse, shares_held
from bayeskit.reporting.autoencoder_reading import read_bound, read_codes, read_training
from bayeskit.reporting.autoencoder_view import Autoencoder, Bound

SILENT = (
    mark(
        "How sure the networks are: their weights are a point estimate, which has no interval. The codes of a row have "
        "a distribution, but it is the encoder's approximation"
    ),
    mark("What the networks would say of rows unlike those of training: nothing here could tell"),
)


def autoencoder_headline(found: Autoencoder, assessment: Assessment) -> list[str]:
    """Return what was found as sentences, the most important first."""
    told = [_how_well(found, assessment), _bands(found), _nats(found), _use(found), _generated(found)]
    return [text for text in told if text]


def autoencoder_success(fit: Fit, assessment: Assessment) -> str:
    """Return whether training that settled can be relied on."""
    training, codes = read_training(fit), read_codes(fit)
    overfits = any(v.name == "overfitting" and v.passed is False for v in assessment.verdicts)
    point = say("Network weights are a point estimate; the codes of each row have a distribution.")
    if training is None or codes is None:
        return joined([say("Training settled."), point])
    if "elbo" not in training.held_out:
        told = say(
            "Training settled after {n} epochs, but no rows were held out: whether it holds for others was not "
            "checked.",
            n=f"{training.epoch.size:,}",
        )
        return joined([told, point])
    template = mark(
        "Training settled, and holds for rows that it never saw: with the weights of epoch {epoch} their bound is "
        "{gap} nats below that of training rows."
    )
    if not codes.overfitting > 0:
        template = mark(
            "Training settled, and holds for rows that it never saw: with the weights of epoch {epoch} their bound is "
            "no lower than that of training rows."
        )
    if overfits:
        template = mark(
            "Training settled, but learned rows by heart: with the weights of epoch {epoch} the bound of rows that it "
            "never saw is {gap} nats below that of training rows."
        )
    epoch = f"{training.epoch[training.best]:,}"
    return joined([say(template, epoch=epoch, gap=significant(abs(codes.overfitting), 2)), point])


def autoencoder_advice(fit: Fit) -> str:
    """Return what to do next with an autoencoder that can be relied on."""
    card = fit.provenance.card.autoencoder
    assert card is not None
    return joined([_use_it(card), _other_codes(card, read_bound(fit), fit.provenance.card.name)])


def autoencoder_key_values(fit: Fit, assessment: Assessment) -> list[tuple[str, str]]:
    """Return the numbers that an index shows of an autoencoder's run."""
    card = fit.provenance.card.autoencoder
    assert card is not None
    rows = [(say("codes"), f"{card.latent:,}")]
    names = {
        "held_out_elbo": (say("held-out bound"), 2),
        "held_out_log_density": (say("held-out log density"), 2),
        "reconstruction_rmse": (say("error of reconstruction"), 3),
        "active_codes": (say("codes in use"), 0),
    }
    for name, (text, digits) in names.items():
        value = float(assessment.metrics.get(name, np.nan))
        if np.isfinite(value):
            rows.append((text, number(value, digits)))
    return rows


def use_words(bound: Bound, n_codes: int) -> str:
    """Say how many codes are in use."""
    if n_codes == 1:
        return say("The code is in use") if bound.n_active else say("The code is not in use")
    template = (
        mark("{n} of {total} codes is in use") if bound.n_active == 1 else mark("{n} of {total} codes are in use")
    )
    return say(template, n=f"{bound.n_active:,}", total=f"{n_codes:,}")


def _how_well(found: Autoencoder, assessment: Assessment) -> str:
    rebuilt = found.rebuilt
    if rebuilt is None:
        return ""
    if found.is_images:
        error = float(assessment.metrics.get("reconstruction_rmse", rmse(rebuilt.original, rebuilt.made)))
        template = mark(
            "Images that training had not seen are rebuilt from {codes} to within {error} on a scale of grey from 0 to "
            "1 (root mean square error): {share} of the differences between images."
        )
        if not found.held_out:
            template = mark(
                "Images are rebuilt from {codes} to within {error} on a scale of grey from 0 to 1 (root mean square "
                "error): {share} of the differences between images."
            )
        share = percent(max(0.0, explained(rebuilt.original, rebuilt.made)))
        return say(template, codes=found.told, error=significant(error, 2), share=share)
    shares = np.array([explained(*pair) for pair in zip(rebuilt.original.T, rebuilt.made.T, strict=True)])
    errors = [rmse(*pair) for pair in zip(rebuilt.original.T, rebuilt.made.T, strict=True)]
    best, worst = int(shares.argmax()), int(shares.argmin())
    template = mark("Of rows that training had not seen, {codes} explain {share} of the columns' variance")
    if not found.held_out:
        template = mark("Of the rows, {codes} explain {share} of the columns' variance")
    told = say(template, codes=found.told, share=percent(max(0.0, float(shares.mean()))))
    if best == worst:
        return say("{told}, which is off by {error}.", told=told, error=_error(found, errors, best))
    return say(
        "{told}: the most of {best}, which is off by {least}, and the least of {worst}, off by {greatest}.",
        told=told,
        best=found.card.columns[best],
        least=_error(found, errors, best),
        worst=found.card.columns[worst],
        greatest=_error(found, errors, worst),
    )


def _error(found: Autoencoder, errors: list[float], column: int) -> str:
    return found.in_units(significant(errors[column], 2), column)


def _bands(found: Autoencoder) -> str:
    """Say whether what is generated at a condition is as spread as the data."""
    held = shares_held(found)
    if found.by_number is None or held is None:
        return ""
    return say(
        "Given {name}, the bands that 95{space}% of new values should lie in hold {share} of the data's.",
        name=found.by_number.name,
        space=NO_BREAK,
        share=percent(held[1]),
    )


def _nats(found: Autoencoder) -> str:
    bound = found.bound
    if not np.isfinite([bound.elbo, bound.reconstruction, bound.kl]).all():
        return ""
    told = {
        "elbo": number(bound.elbo, 2),
        "reconstruction": number(bound.reconstruction, 2),
        "kl": number(bound.kl, 2),
    }
    first = say(
        "In nats a row: the bound is {elbo}, {reconstruction} for the row given its codes less {kl} for these.", **told
    )
    if not np.isfinite(bound.log_density):
        return first
    density = number(bound.log_density, 2)
    if round(bound.gap, 2) <= 0:
        close = say("The log density itself is {density} by importance weights: the bound is close.", density=density)
        return joined([first, close])
    return joined(
        [
            first,
            say(
                "The log density itself is {density} by importance weights, so that the bound is {gap} too low.",
                density=density,
                gap=number(bound.gap, 2),
            ),
        ]
    )


def _use(found: Autoencoder) -> str:
    if not found.bound.kl_code.size:
        return ""
    return say("{used}.", used=use_words(found.bound, found.n_codes))


def _generated(found: Autoencoder) -> str:
    compared = found.compared
    if compared is None:
        return ""
    like, off = likeness(compared), distances(compared.drawn, compared.value)
    worst = int(off.argmax())
    told = {
        "quantile": number(float(like.quantiles[worst]), 2),
        "column": found.card.columns[worst],
        "correlation": number(like.correlation, 2),
    }
    limits = distance_limit(len(compared.drawn), len(compared.value)), correlation_limit(compared)
    if off[worst] <= limits[0] and like.correlation <= limits[1]:
        return say(
            "Generated rows are distributed as the data are, as far as these tell: of {column}, the farthest off, "
            "quantiles differ by up to {quantile} standard deviations; correlations differ by up to {correlation}.",
            **told,
        )
    return say(
        "Generated rows are distributed otherwise than the data: of {column}, the farthest off, quantiles differ by up "
        "to {quantile} standard deviations; correlations differ by up to {correlation}.",
        **told,
    )


def _use_it(card: AutoencoderCard) -> str:
    predict = say("`bayeskit predict {run} {new}` gives codes and reconstructions of new rows.", run="RUN", new="NEW")
    if card.quadrants:
        return say("`bayeskit predict {run} {new}` completes other images.", run="RUN", new="NEW")
    given = " ".join(f"--condition {text}" for one in card.conditions if (text := _some_value(one)))
    command = " ".join(part for part in ("bayeskit generate RUN", given, "-n 1000") if part)
    made = mark("`{command}` makes new rows.") if len(card.shape) == 1 else mark("`{command}` makes new images.")
    return joined([say(made, command=command), predict])


def _some_value(condition: object) -> str:
    """Return a condition that the command can be tried with."""
    name, classes = str(getattr(condition, "name", "")), getattr(condition, "classes", ())
    low, high = float(getattr(condition, "low", 0.0)), float(getattr(condition, "high", 0.0))
    value = str(classes[0]) if classes else _between(low, high)
    return f"{name}={value}" if re.fullmatch(r"[\w.-]{1,40}", name) and re.fullmatch(r"[\w.+-]{1,40}", value) else ""


def _between(low: float, high: float) -> str:
    """Return a number near the middle, with few digits."""
    rounded = (float(f"{(low + high) / 2:.{digits}g}") for digits in range(1, 6))
    return f"{next((value for value in rounded if low < value < high), low):g}"


def _other_codes(card: AutoencoderCard, bound: Bound | None, model: str) -> str:
    if bound is None or not bound.kl_code.size or model not in ("vae", "cvae"):
        return ""
    if not bound.n_active and card.conditional:
        return say("No code is in use: what is given tells all that the networks found.")
    if not bound.n_active:
        return say(
            "No code is in use: give each a share that costs nothing (--free-bits 0.1), or raise its cost slowly "
            "(--kl-warmup 20)."
        )
    if bound.n_active == card.latent:
        return say("All codes are in use: more may tell more (--latent {n}).", n=2 * card.latent)
    return (
        say("{n} codes would do (--latent {n}).", n=bound.n_active)
        if bound.n_active > 1
        else say("One code would do (--latent 1).")
    )
