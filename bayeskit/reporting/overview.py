"""What a program of any size computed, as one table that stays short: scalars first, the first cells of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Assessment, Fit, Quantity
from bayeskit.core.words import (
    MINUS,
    NO_BREAK,
    align,
    align_pairs,
    decimals_for,
    interval,
    number,
    plus_minus,
    sentence,
    significant,
)
from bayeskit.diagnostics.labels import cell_labels, real_valued
from bayeskit.reporting.tables import ParameterRow, legible, with_exponent

MAX_SCALARS = 40
MAX_VARIABLES = 20
MAX_ROWS = 60
FEWEST = 4  # of an array that is cut short


@dataclass(frozen=True)
class Shown:
    """Labels of one variable: those that are shown, and how many there are."""

    name: str
    labels: tuple[str, ...]
    total: int


@dataclass(frozen=True)
class Overview:
    """The table's rows, and of how many quantities; rows without a label tell what was left out.

    ``note`` says what the intervals of an approximation are worth.
    """

    rows: list[ParameterRow]
    shown: int
    total: int
    note: str


def pick(fit: Fit) -> list[Shown]:
    """Choose what to show: every scalar, then the first cells of every array, as many as there is room for."""
    posterior = real_valued(fit.posterior["posterior"].to_dataset())
    sizes = {str(name): array.isel(chain=0, draw=0).size for name, array in posterior.data_vars.items()}
    arrays = {name: size for name, size in sizes.items() if posterior[name].ndim > 2}
    single = [Shown(name, (name,), 1) for name in sizes if name not in arrays]
    room = MAX_ROWS - min(len(single), MAX_SCALARS)
    shares = _shares(arrays, room)
    cut = [Shown(name, tuple(cell_labels(posterior[name])[: shares[name]]), size) for name, size in arrays.items()]
    return [*single, *cut]


def overview(fit: Fit, assessment: Assessment) -> Overview:
    """Return the table of what was computed, from the summary."""
    picked = pick(fit) if fit.has_draws else _recorded(assessment)
    scalars = [shown for shown in picked if shown.labels == (shown.name,)]
    arrays = [shown for shown in picked if shown.labels != (shown.name,)]
    visible = [*scalars[:MAX_SCALARS], *arrays[:MAX_VARIABLES]]
    labels = [label for shown in visible for label in shown.labels]
    filled = dict(zip(labels, _rows(fit, assessment.summary.loc[labels]), strict=True))
    rows = [filled[shown.name] for shown in scalars[:MAX_SCALARS]]
    rows += _rest(scalars[MAX_SCALARS:])
    for shown in arrays[:MAX_VARIABLES]:
        rows += [filled[label] for label in shown.labels]
        if shown.total > len(shown.labels):
            rows.append(_told(say("{n} more of {name}", n=f"{shown.total - len(shown.labels):,}", name=shown.name)))
    rows += _rest(arrays[MAX_VARIABLES:])
    return Overview(rows, len(labels), len(assessment.summary), caution(fit, assessment))


def still(row: pd.Series[float]) -> bool:
    """Whether a row of the summary is of a quantity that never moves, or never holds a number."""
    return not row.get("sd", 0.0) > 0


def _recorded(assessment: Assessment) -> list[Shown]:
    """Choose as ``pick`` does where the draws are missing, by what the summary's labels say."""
    labels: dict[str, list[str]] = {}
    for label in map(str, assessment.summary.index):
        labels.setdefault(label.partition("[")[0], []).append(label)
    single = [Shown(name, (name,), 1) for name, cells in labels.items() if cells == [name]]
    arrays = {name: len(cells) for name, cells in labels.items() if cells != [name]}
    shares = _shares(arrays, MAX_ROWS - min(len(single), MAX_SCALARS))
    cut = [Shown(name, tuple(labels[name][: shares.get(name, 0)]), size) for name, size in arrays.items()]
    return [*single, *cut]


def _shares(arrays: Mapping[str, int], room: int) -> dict[str, int]:
    """Return how many rows each array gets: small ones all of theirs, the others an even share of what is left."""
    shares, waiting = {}, min(len(arrays), MAX_VARIABLES)
    for name in sorted(arrays, key=lambda name: arrays[name]):
        fair = max(FEWEST, room // max(1, waiting))
        shares[name] = min(arrays[name], fair)
        room, waiting = room - shares[name], waiting - 1
    return shares


def caution(fit: Fit, assessment: Assessment) -> str:
    """Return what the intervals of an approximation, or of weighted draws, are worth; nothing of other kinds."""
    if fit.provenance.kind == "weighted":
        return _worth(assessment)
    if fit.provenance.kind != "variational":
        return ""
    k_hat = next((v for v in assessment.verdicts if v.name == "pareto_k"), None)
    if k_hat is not None and k_hat.passed is False and k_hat.value is None:
        return say(
            "These are intervals of an approximation that is far from the posterior: one draw outweighs all others."
        )
    if k_hat is None or k_hat.value is None:
        return say("These are intervals of an approximation; how good they are was not checked.")
    return say(
        "These are intervals of an approximation, with a k-hat of {value} (at most {limit} is needed).",
        value=significant(k_hat.value, 2),
        limit=f"{k_hat.threshold:g}",
    )


def _worth(assessment: Assessment) -> str:
    if "families" in assessment.metrics:
        families = number(assessment.metrics["families"], 0)
        return say("These are intervals of particles from {n} ancestors, in effect.", n=families)
    worth = next((v.value for v in assessment.verdicts if v.name == "importance_ess"), None)
    if worth is None:
        return say("These are intervals of weighted draws; what the weights are worth was not checked.")
    return say("These are intervals of weighted draws, worth {n} of the posterior's own.", n=number(worth, 0))


def _rest(left_out: list[Shown]) -> list[ParameterRow]:
    if not left_out:
        return []
    names = ", ".join(shown.name for shown in left_out[:5]) + (", …" if len(left_out) > 5 else "")
    return [_told(say_count(len(left_out), "{n} more variable: {names}", "{n} more variables: {names}", names=names))]


def _told(text: str) -> ParameterRow:
    return ParameterRow("", say("… {what}, in summary.csv", what=text), "", "", "", "", "")


def _rows(fit: Fit, table: pd.DataFrame) -> list[ParameterRow]:
    quantities = {quantity.name: quantity for quantity in fit.provenance.card.quantities}
    records = [row for _, row in table.iterrows()]
    if "estimate" in table:
        shown = [(text, "", "") for text in align(significant(float(value), 5) for value in table["estimate"])]
    else:
        plain = [row for row in records if _aligns(row)]
        aligned = zip(
            align_pairs((value_text(row) for row in plain), f"{NO_BREAK}±{NO_BREAK}"),
            align_pairs((_interval(row, "q16", "q84") for row in plain), interval("", "")),
            align_pairs((_interval(row, "q2.5", "q97.5") for row in plain), interval("", "")),
            strict=True,
        )
        shown = [next(aligned) if _aligns(row) else _alone(row) for row in records]
    made, told = [], set[str]()
    for label, (value, interval68, interval95) in zip(table.index, shown, strict=True):
        name = str(label).partition("[")[0]
        known = quantities.get(name, Quantity(name))
        meaning = "" if name in told else sentence(known.meaning)  # once for all cells of an array
        told.add(name)
        made.append(ParameterRow(str(label), meaning, known.unit, value, interval68, interval95, note=""))
    return made


def _aligns(row: pd.Series[float]) -> bool:
    return not still(row) and all(legible(row[name], row["sd"]) for name in ("mean", "q2.5", "q97.5"))


def _alone(row: pd.Series[float]) -> tuple[str, str, str]:
    """Return the texts of a row whose numbers are of another size than those of the others, or constant."""
    if still(row):
        return _constant(row), "", ""
    return value_text(row), _interval(row, "q16", "q84"), _interval(row, "q2.5", "q97.5")


def value_text(row: pd.Series[float]) -> str:
    """Return mean ± sd, or what stands in its place: a constant, or a point's estimate."""
    if "estimate" in row:
        return significant(float(row["estimate"]), 4)
    mean, sd = float(row["mean"]), float(row["sd"])
    if still(row):
        return _constant(row)
    if legible(mean, sd):
        return plus_minus(mean, sd)
    return f"{with_exponent(mean, sd)}{NO_BREAK}±{NO_BREAK}{significant(sd, 2)}"


def _constant(row: pd.Series[float]) -> str:
    mean = float(row["mean"])
    if np.isnan(mean):
        return say("no number")
    return say("{value} (constant)", value=f"{mean:.6g}".replace("-", MINUS))


def _interval(row: pd.Series[float], low: str, high: str) -> str:
    ends, sd = (float(row[low]), float(row[high])), float(row["sd"])
    if all(legible(end, sd) for end in ends):
        return interval(*(number(end, decimals_for(sd)) for end in ends))
    return interval(*(with_exponent(end, sd) for end in ends))
