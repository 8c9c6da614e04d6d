"""The report's tables, as rows of texts that the templates lay out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayeskit.core.language import mark, said, say
from bayeskit.core.types import Assessment, Fit
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
    with_unit,
)
from bayeskit.reporting.results import Scalar, rows_of

_NAMED = (  # what engines call their steps and settings, and machines their parts
    *(mark("compile"), mark("warmup"), mark("sampling"), mark("summary"), mark("wall")),
    *(mark("chains"), mark("draws"), mark("paths"), mark("iterations"), mark("method"), mark("algorithm")),
    *(mark("processor"), mark("cores"), mark("memory"), mark("system")),
    *(mark("components"), mark("covariance"), mark("columns"), mark("restarts"), mark("tolerance"), mark("steps")),
    *(mark("source blocks"), mark("target blocks"), mark("shared"), mark("likelihood"), mark("degree corrected")),
    *(mark("hold out"), mark("directed"), mark("self loops"), mark("repeated"), mark("missing"), mark("unobserved")),
    *(mark("labels"), mark("label column"), mark("nodes"), mark("first"), mark("laplacian"), mark("annealing")),
    *(mark("moves"), mark("max iterations"), mark("thin"), mark("rank"), mark("features"), mark("prior family")),
    *(mark("nonnegative"), mark("scale"), mark("split"), mark("users"), mark("items"), mark("ridge"), mark("prior")),
    *(mark("epochs"), mark("batch size"), mark("schedule"), mark("beta"), mark("kl warmup"), mark("free bits")),
    *(mark("patience"), mark("clip"), mark("checkpoint every"), mark("latent"), mark("hidden"), mark("architecture")),
    *(mark("latent prior"), mark("shared noise"), mark("denoise"), mark("quadrants"), mark("condition")),
    *(mark("label"), mark("binarise"), mark("size")),
    *(mark("guide"), mark("device"), mark("optimising"), mark("optimize"), mark("learning rate"), mark("criterion")),
)
N_WORST = 10
LEGIBLE = 7  # digits before or after the point; numbers that need more get an exponent

_HEADINGS = {
    "mean": mark("mean"),
    "sd": mark("sd"),
    "mcse_mean": "MCSE",
    "ess_bulk": mark("bulk ESS"),
    "ess_tail": mark("tail ESS"),
    "ess_mean": "ESS",
    "r_hat": "R-hat",
}
_PLUS_MINUS = f"{NO_BREAK}±{NO_BREAK}"


@dataclass(frozen=True)
class ParameterRow:
    """A scalar quantity with its intervals and what it means."""

    label: str
    meaning: str
    unit: str
    value: str
    interval68: str
    interval95: str
    note: str


@dataclass(frozen=True)
class SummaryTable:
    """Diagnostics of single quantities: column headings and aligned texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int


def parameter_rows(fit: Fit, found: Sequence[Scalar], *, noted: bool) -> list[ParameterRow]:
    """Return one row a scalar quantity; a scale that piles up at 0 says so if it is ``noted``."""
    boundary = set(fit.provenance.card.boundary) if noted else set()
    values = align_pairs((plus_minus(s.row["mean"], s.row["sd"]) for s in found), _PLUS_MINUS)
    narrow = align_pairs((_interval(s.row, "q16", "q84") for s in found), interval("", ""))
    wide = align_pairs((_interval(s.row, "q2.5", "q97.5") for s in found), interval("", ""))
    return [
        ParameterRow(
            label=scalar.label,
            meaning=sentence(scalar.quantity.meaning),
            unit=scalar.quantity.unit,
            value=value,
            interval68=interval68,
            interval95=interval95,
            note=boundary_note(scalar) if scalar.quantity.name in boundary and scalar.at_boundary else "",
        )
        for scalar, value, interval68, interval95 in zip(found, values, narrow, wide, strict=True)
    ]


def boundary_note(scalar: Scalar) -> str:
    """Say in plain words that the data cannot tell a scale from 0."""
    upper = float(np.quantile(scalar.draws, 0.95))
    limit = with_unit(number(upper, decimals_for(scalar.row["sd"])), scalar.quantity.unit)
    return say(
        "The data cannot tell {quantity} from 0: its draws pile up there, and with 95\u00a0% probability it is below "
        "{limit}.",
        quantity=scalar.label,
        limit=limit,
    )


def worst_labels(assessment: Assessment, skip: Sequence[str], n: int) -> list[str]:
    """Return the labels of the worst quantities that move: highest R-hat first, then lowest bulk ESS."""
    summary = assessment.summary
    keys = [key for key in ("r_hat", "ess_bulk") if key in summary]
    if not keys:
        return []
    rest = summary[~summary.index.isin(list(skip)) & (summary["sd"] > 0)]
    if rest.empty:
        return []
    ordered = rest.sort_values(keys, ascending=[key != "r_hat" for key in keys], na_position="first", kind="stable")
    return [str(label) for label in ordered.index[:n]]


def state_positions(assessment: Assessment, labels: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return label, variable and position along the variable for labels such as ``mu[2012-01-01]``."""
    found = []
    for label in labels:
        match = re.match(r"([^\[]+)\[", label)
        if match:
            rows = rows_of(assessment.summary, match.group(1))
            found.append((label, match.group(1), list(rows.index).index(label)))
    return found


def summary_table(assessment: Assessment, labels: Sequence[str]) -> SummaryTable:
    """Return the diagnostics of these quantities."""
    summary = assessment.summary.loc[[label for label in labels if label in assessment.summary.index]]
    present = [column for column in _HEADINGS if column in summary]
    columns = [
        align(_cell(column, float(value), float(sd)) for value, sd in zip(summary[column], summary["sd"], strict=True))
        for column in present
    ]
    rows = tuple(zip([str(label) for label in summary.index], *columns, strict=True))
    return SummaryTable(tuple(said(_HEADINGS[column]) for column in present), rows, len(assessment.summary))


def pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a mapping as rows, values not given left out."""
    return [
        (
            said(str(key).replace("_", " ")),
            ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value),
        )
        for key, value in values.items()
        if value not in (None, "", [], ())
    ]


def _interval(row: pd.Series[float], low: str, high: str) -> str:
    decimals = decimals_for(row["sd"])
    return interval(number(row[low], decimals), number(row[high], decimals))


def legible(value: float, sd: float) -> bool:
    """Whether a number can be written without an exponent, with the digits that its uncertainty deserves."""
    return abs(value) < 10**LEGIBLE and (not sd > 0 or decimals_for(sd) < LEGIBLE)


def with_exponent(value: float, sd: float) -> str:
    """Return a number with an exponent, and as many digits as its uncertainty leaves it."""
    if value == 0 or not np.isfinite(value) or not 0 < sd < np.inf:
        return significant(value, 3)
    digits = int(np.clip(np.floor(np.log10(abs(value))) - np.floor(np.log10(sd)) + 2, 1, 12))
    return f"{value:.{digits - 1}e}".replace("-", MINUS)


def _cell(column: str, value: float, sd: float) -> str:
    if column in ("mean", "sd") and not legible(value, sd):
        return with_exponent(value, sd)
    if column == "mcse_mean":
        return significant(value, 2)
    if column.startswith("ess"):
        return number(value, 0)
    return number(value, 3 if column == "r_hat" else decimals_for(sd))
