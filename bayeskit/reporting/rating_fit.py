"""Whether predictions of test ratings are as sure as they may be, in a sentence or two for the verdict."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import FactorCard
from bayeskit.core.words import NO_BREAK, joined, number, significant
from bayeskit.diagnostics.ratings import NOMINAL, WITHIN, pit_distance, pit_limit
from bayeskit.reporting.rating_view import HeldOut
from bayeskit.reporting.verdict import ModelFit

Floats = NDArray[np.float64]

FEWEST = 20  # test ratings
_STANDARD_ERRORS = 3.0


def rating_fit_of(card: FactorCard, tested: HeldOut | None, section: int) -> ModelFit | None:
    """Say what coverage and PIT say of the model, and that a point has none; None of too few test ratings."""
    if tested is None or tested.rating.size < FEWEST:
        return None
    if tested.pit is None or tested.coverage is None:
        told = say(
            "Test ratings tell how well it predicts, and nothing how sure that is (section {section}).", section=section
        )
        return ModelFit(adequate=True, sentence=told)
    n = tested.rating.size
    off = abs(tested.coverage - NOMINAL) > WITHIN + _STANDARD_ERRORS * math.sqrt(NOMINAL * (1 - NOMINAL) / n)
    off_pit = pit_distance(tested.pit)
    uniform = off_pit <= pit_limit(n)
    held = say(
        "intervals of 95{space}% hold {share}{space}% of the test ratings",
        space=NO_BREAK,
        share=number(100 * tested.coverage, 1 if n >= 1000 else 0),
    )
    if card.likelihood == "ordinal":
        return _of_levels(off_pit, uniform=uniform, section=section)
    if off:
        told = say("The model misses something: {held} (section {section}).", held=held, section=section)
        return ModelFit(adequate=False, sentence=joined([told, _remedy(card)]))
    if uniform:
        told = say(
            "Nothing speaks against it so far: {held}, and PIT is uniform (section {section}).",
            held=held,
            section=section,
        )
        return ModelFit(adequate=True, sentence=told)
    if not card.levels:
        told = say(
            "Use expected ratings and intervals: {held}. Probabilities in between are not right in detail (PIT, "
            "section {section}).",
            held=held,
            section=section,
        )
        return ModelFit(adequate=True, sentence=told)
    told = say(
        "Use expected ratings and intervals: {held} (section {section}). For the chance of each level fit them as "
        "ordered (--likelihood ordinal): a normal distribution knows of none.",
        held=held,
        section=section,
    )
    return ModelFit(adequate=True, sentence=told)


def _of_levels(off: float, *, uniform: bool, section: int) -> ModelFit:
    """Say of levels how far the PIT's distribution is from uniform."""
    if uniform:
        told = say(
            "Nothing speaks against it so far: levels come as often as it predicts (PIT is uniform, section "
            "{section}).",
            section=section,
        )
        return ModelFit(adequate=True, sentence=told)
    points = f"{significant(100 * off, 2)}{NO_BREAK}%"
    told = say(
        "The model misses something: chances of levels are off by up to {points} (PIT, section {section}). Take more "
        "factors (--rank), or features (--features).",
        points=points,
        section=section,
    )
    return ModelFit(adequate=False, sentence=told)


def _remedy(card: FactorCard) -> str:
    if card.levels:
        return say("Fit ratings as ordered levels (--likelihood ordinal), or take more factors (--rank).")
    return say("Take more factors (--rank), or features (--features).")
