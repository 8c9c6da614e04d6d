"""Whether predictions of test ratings are as sure as they may be, in a sentence or two for the verdict."""

from __future__ import annotations

import math

from bayeskit.core.language import say
from bayeskit.core.types import FactorCard
from bayeskit.core.words import NO_BREAK, joined, number, significant
from bayeskit.diagnostics.calibration_bands import p_value
from bayeskit.diagnostics.ratings import LEAST_P, NOMINAL, WITHIN
from bayeskit.reporting.rating_view import Tested
from bayeskit.reporting.verdict import ModelFit

FEWEST = 20  # test ratings
_STANDARD_ERRORS = 3.0


def rating_fit_of(card: FactorCard, tested: Tested | None, section: int) -> ModelFit | None:
    """Say what coverage and PIT say of the model; None where too few ratings were held out, or have no distribution."""
    if tested is None or tested.pit is None or tested.coverage is None or tested.rating.size < FEWEST:
        return None
    n = tested.rating.size
    off = abs(tested.coverage - NOMINAL) > WITHIN + _STANDARD_ERRORS * math.sqrt(NOMINAL * (1 - NOMINAL) / n)
    uniform = p_value(tested.pit) >= LEAST_P
    held = say(
        "intervals of 95{space}% hold {share}{space}% of the test ratings",
        space=NO_BREAK,
        share=number(100 * tested.coverage, 1 if n >= 1000 else 0),
    )
    if card.likelihood == "ordinal":
        return _of_levels(uniform=uniform, p=p_value(tested.pit), section=section)
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
    told = say(
        "Use expected ratings and intervals: {held}. Chances of single ratings are not right in detail, as a normal "
        "distribution knows of no levels (section {section}).",
        held=held,
        section=section,
    )
    return ModelFit(adequate=True, sentence=told)


def _of_levels(*, uniform: bool, p: float, section: int) -> ModelFit:
    if uniform:
        told = say(
            "Nothing speaks against it so far: levels come as often as it predicts, PIT is uniform (p = {p}; section "
            "{section}).",
            p=significant(p, 2),
            section=section,
        )
        return ModelFit(adequate=True, sentence=told)
    told = say(
        "The model misses something: levels do not come as often as it predicts (PIT is not uniform, p = {p}; section "
        "{section}). Take more factors (--rank), or features (--features).",
        p=significant(p, 2),
        section=section,
    )
    return ModelFit(adequate=False, sentence=told)


def _remedy(card: FactorCard) -> str:
    if card.levels:
        return say("Fit ratings as ordered levels (--likelihood ordinal), or take more factors (--rank).")
    return say("Take more factors (--rank), or features (--features).")
