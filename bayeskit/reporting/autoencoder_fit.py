"""Whether what an autoencoder generates is like the data, in a sentence for the verdict."""

from __future__ import annotations

import numpy as np

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.core.words import joined, number
from bayeskit.diagnostics.autoencoders import distance_limit, distances
from bayeskit.reporting.autoencoder_reading import read_compared
from bayeskit.reporting.results import group
from bayeskit.reporting.verdict import ModelFit


def autoencoder_fit_of(fit: Fit, section: int) -> ModelFit | None:
    """Say how far generated rows are from the data's; None where none were generated."""
    card = fit.provenance.card.autoencoder
    if card is None or group(fit, "generated") is None:
        return None
    compared = read_compared(fit)
    if compared is None:
        told = say(
            "Look at images that it generates (section {section}): whether they are like the data's no number tells.",
            section=section,
        )
        return ModelFit(adequate=True, sentence=told) if len(card.shape) > 1 else None
    off = distances(compared.drawn, compared.value)
    limit = distance_limit(len(compared.drawn), len(compared.value))
    worst = int(np.argmax(off))
    values = {"column": card.columns[worst], "value": number(float(off[worst]), 2), "section": section}
    if off[worst] <= limit:
        told = say(
            "Nothing speaks against what it generates: distributions of columns are at most {value} from the data's "
            "(section {section}).",
            **values,
        )
        return ModelFit(adequate=True, sentence=told)
    told = say(
        "What it generates misses something: the distribution of {column} is {value} from the data's (section "
        "{section}).",
        **values,
    )
    return ModelFit(
        adequate=False, sentence=joined([told, say("Take larger networks (--hidden), or more codes (--latent).")])
    )
