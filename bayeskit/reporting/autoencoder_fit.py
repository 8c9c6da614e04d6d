"""Whether what an autoencoder generates is like the data, in a sentence for the verdict."""

from __future__ import annotations

import numpy as np

from bayeskit.core.language import say
from bayeskit.core.types import AutoencoderCard, Fit
from bayeskit.core.words import joined, number
from bayeskit.diagnostics.autoencoders import distance_limit, distances
from bayeskit.reporting.autoencoder_numbers import correlation_limit, likeness
from bayeskit.reporting.autoencoder_reading import read_compared
from bayeskit.reporting.autoencoder_view import Compared
from bayeskit.reporting.results import group
from bayeskit.reporting.verdict import ModelFit


def autoencoder_fit_of(fit: Fit, section: int) -> ModelFit | None:
    """Say how far generated rows are from the data's; None where none were generated."""
    card = fit.provenance.card.autoencoder
    if card is None or group(fit, "generated") is None:
        return None
    compared = read_compared(fit)
    if compared is not None:
        return _of_table(card, compared, section)
    if len(card.shape) == 1:
        return None
    told = say(
        "Look at images that it generates (section {section}): whether they are like the data's no number tells.",
        section=section,
    )
    return ModelFit(adequate=True, sentence=told)


def _of_table(card: AutoencoderCard, compared: Compared, section: int) -> ModelFit:
    off, like = distances(compared.drawn, compared.value), likeness(compared)
    worst = int(np.argmax(off))
    remedy = say("Take larger networks (--hidden), or more codes (--latent).")
    if off[worst] > distance_limit(len(compared.drawn), len(compared.value)):
        told = say(
            "What it generates misses something: the distribution of {column} is {value} from the data's (section "
            "{section}).",
            column=card.columns[worst],
            value=number(float(off[worst]), 2),
            section=section,
        )
        return ModelFit(adequate=False, sentence=joined([told, remedy]))
    if like.correlation > correlation_limit(compared):
        told = say(
            "What it generates misses something: the correlation of {first} and {second} is {value} from the data's "
            "(section {section}).",
            first=card.columns[like.pair[0]],
            second=card.columns[like.pair[1]],
            value=number(like.correlation, 2),
            section=section,
        )
        return ModelFit(adequate=False, sentence=joined([told, remedy]))
    told = say(
        "Nothing speaks against what it generates: distributions of columns are at most {value} from the data's, "
        "correlations at most {correlation} (section {section}).",
        value=number(float(off[worst]), 2),
        correlation=number(like.correlation, 2),
        section=section,
    )
    return ModelFit(adequate=True, sentence=told)
