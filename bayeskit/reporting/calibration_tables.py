"""What was simulated, what came of it, and the table of quantities, as texts that the template lays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayeskit.core.language import said, say, say_count
from bayeskit.core.types import ModelCard, Provenance
from bayeskit.core.words import (
    NO_BREAK,
    duration,
    joined,
    listing,
    number,
    percent,
    plus_minus,
    sentence,
    significant,
)
from bayeskit.diagnostics.calibration import LOG_LIKELIHOOD, Calibration, Coverage, QuantityCalibration, Simulation
from bayeskit.diagnostics.calibration_verdicts import interval_reason, reason

SMALLEST = 1e-4  # p-values below are told by this alone
N_PROBLEMS = 10
N_ROWS = 200


@dataclass(frozen=True)
class QuantityRow:
    """One test quantity as a row of the table."""

    label: str
    unit: str
    p_value: str
    adjusted: str
    narrow: str
    wide: str
    bias: str
    contraction: str
    failed: bool
    told: str


def quantity_rows(calibration: Calibration, card: ModelCard) -> list[QuantityRow]:
    """Return a row for each quantity; of very many, for those with the smallest p-values."""
    known = units(card)
    return [_quantity_row(one, known, calibration.alpha) for one in strangest(calibration, N_ROWS)]


def strangest(calibration: Calibration, n: int) -> list[QuantityCalibration]:
    """Return the quantities with the ``n`` smallest p-values, in the order of the report."""
    order = sorted(range(len(calibration.quantities)), key=lambda i: smallest(calibration.quantities[i]))
    return [calibration.quantities[i] for i in sorted(order[:n])]


def smallest(quantity: QuantityCalibration) -> tuple[float, float]:
    """Return the smallest p-value of a quantity's tests, adjusted and by itself."""
    return min([(quantity.adjusted, quantity.p_value), *((part.adjusted, part.p_value) for part in quantity.coverage)])


def _quantity_row(quantity: QuantityCalibration, known: dict[str, str], alpha: float) -> QuantityRow:
    scores = quantity.z_scores[np.isfinite(quantity.z_scores)]
    failed = smallest(quantity)[0] < alpha
    narrow, wide = quantity.coverage
    return QuantityRow(
        label=quantity.label,
        unit=known.get(quantity.label.partition("[")[0], ""),
        p_value=p_text(quantity.p_value),
        adjusted=p_text(quantity.adjusted),
        narrow=_covered(narrow),
        wide=_covered(wide),
        bias=plus_minus(float(scores.mean()), float(scores.std(ddof=1)) / scores.size**0.5) if scores.size > 1 else "–",
        contraction=_contraction(quantity),
        failed=failed,
        told=sentence(_told(quantity, alpha)) if failed else "",
    )


def _told(quantity: QuantityCalibration, alpha: float) -> str:
    if quantity.adjusted < alpha:
        return reason(quantity)
    return interval_reason(quantity.label, min(quantity.coverage, key=lambda part: part.adjusted))


def _covered(coverage: Coverage) -> str:
    return say(
        "{share} ({low} to {high})",
        share=percent(coverage.share),
        low=number(100 * coverage.low, 0),
        high=number(100 * coverage.high, 0),
    )


def _contraction(quantity: QuantityCalibration) -> str:
    values = quantity.contractions[np.isfinite(quantity.contractions)]
    return number(float(np.median(values)), 2) if values.size and quantity.label != LOG_LIKELIHOOD else "–"


def what_was_done(origin: Provenance, calibration: Calibration) -> list[str]:
    """Say how the simulations were made, and what became of the draws."""
    n = len(calibration.simulations)
    from_posterior, simulator = bool(origin.config.get("posterior")), origin.config.get("simulator")
    truths = (
        say(
            "Each time true values were drawn from the posterior given the data at hand, and data that follow from "
            "them were added to these."
        )
        if from_posterior
        else say("Each time true values were drawn from the priors, and data were simulated from the model with them.")
    )
    sizes = say("Each has as many data as these, with the same gaps: {data}.", data=origin.data.description)
    if simulator:
        truths = say("Each time {simulator} drew true values, and data that follow from them.", simulator=simulator)
        sizes = say("What it does not draw is as in the data at hand: {data}.", data=origin.data.description)
    steps = [
        say_count(n, "{n} data set was simulated.", "{n} data sets were simulated."),
        truths,
        sizes,
        say(
            "Then the engine ({engine}) fitted them without knowing the true values, and each of these was ranked "
            "among its posterior draws. A true value that was drawn like that is as likely to have any rank as any "
            "other: whatever else the ranks show is an error of the simulation, of the model's program or of the "
            "engine.",
            engine=origin.engine,
        ),
    ]
    kept = [ranked.n_draws for one in calibration.simulations for ranked in list(one.quantities.values())[:1]]
    thinned = _kept(kept) if kept else ""
    return [joined(steps), thinned] if thinned else [joined(steps)]


def problems(simulations: Sequence[Simulation]) -> list[tuple[str, str]]:
    """Return what failed simulations said, the most frequent first, each with the simulations that said it."""
    by_text: dict[str, list[int]] = {}
    for one in simulations:
        if not one.quantities:
            by_text.setdefault(said(one.problem) or say("no reason given"), []).append(one.index)
    told = sorted(by_text.items(), key=lambda item: -len(item[1]))[:N_PROBLEMS]
    return [(text, _which(indices)) for text, indices in told]


def times(origin: Provenance, simulations: Sequence[Simulation]) -> list[tuple[str, str]]:
    """Return how long the simulations took."""
    seconds = [one.seconds for one in simulations]
    rows = []
    if seconds:
        rows = [
            (say("a simulation, median"), duration(float(np.median(seconds)))),
            (say("all simulations, one after the other"), duration(sum(seconds))),
        ]
    if "wall" in origin.timings:
        rows.append((say("by the clock"), duration(origin.timings["wall"])))
    return rows


def units(card: ModelCard) -> dict[str, str]:
    """Return the units that the card knows, by the name before a label's bracket."""
    known = {quantity.name: quantity.unit for quantity in card.quantities}
    return known if card.series is None else {card.series.state: card.series.unit, **known}


def p_text(p_value: float) -> str:
    """Return a p-value; very small ones by a bound, for their digits mean nothing."""
    return significant(p_value, 2) if p_value >= SMALLEST else f"<\N{NARROW NO-BREAK SPACE}{SMALLEST:.4f}"


def certain(calibration: Calibration) -> str:
    """Return the probability of the bands as a percentage."""
    return f"{100 * (1 - calibration.alpha):g}{NO_BREAK}%"


def _kept(kept: Sequence[int]) -> str:
    low, middle, high = min(kept), float(np.median(kept)), max(kept)
    if low == high:
        return say_count(
            low,
            "Each time {n} draw was ranked with the true value.",
            "Each time {n} draws were ranked with the true value.",
        )
    return say(
        "Draws of Markov chains resemble their neighbours, so that only nearly independent ones were kept: from {low} "
        "to {high} a simulation, {middle} in the middle.",
        low=f"{low:,}",
        high=f"{high:,}",
        middle=number(middle, 0),
    )


def _which(indices: Sequence[int]) -> str:
    shown = listing([str(index) for index in indices[:3]])
    if len(indices) <= 3:
        return say_count(len(indices), "simulation {which}", "simulations {which}", which=shown)
    some = say("{items}, …", items=", ".join(str(index) for index in indices[:3]))
    return say_count(len(indices), "{n} simulation: {which}", "{n} simulations: {which}", which=some)
