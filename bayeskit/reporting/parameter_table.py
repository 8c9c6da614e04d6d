"""Every quantity in one table that the reader's browser sorts and filters, and the draws of a few of them.

The script ``table.js`` reads what is made here; ``cell_text`` is what it writes in a cell.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Assessment, Fit, Kind, Quantity
from bayeskit.core.words import decimals_for, number, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.packing import Drawn, draws_of, packed, packed_column, packed_floats
from bayeskit.reporting.tables import legible, with_exponent

MAX_ROWS = 200_000  # more would make the page too large; the first and the worst of them stay
MAX_DRAWN = 200  # quantities whose draws are in the page
MAX_SCALARS = 80  # of these
MAX_WORST = 60

_FORMATS = {
    **dict.fromkeys(("mean", "sd", "q2.5", "q16", "median", "q84", "q97.5"), "sd"),
    "mcse_mean": "error",
    "ess_bulk": "count",
    "ess_tail": "count",
    "ess_mean": "count",
    "r_hat": "ratio",
    "runs_r_hat": "ratio",
    "estimate": "estimate",
}
_WORST = {"r_hat": "high", "mcse_mean": "high", "ess_bulk": "low", "ess_tail": "low", "ess_mean": "low"}


@dataclass(frozen=True)
class Variable:
    """A variable of the program: how many rows of the table are its scalars, and what they mean."""

    name: str
    rows: int
    quantity: Quantity


@dataclass(frozen=True)
class ParameterTable:
    """The table as the page holds it.

    Parameters
    ----------
    kind
        Of the fit: chains are told apart where there are Markov chains.
    summary
        One row a scalar, as the assessment has it; scalars first, then the arrays in the program's order.
    variables
        In the order of the rows.
    total
        How many quantities there are, of which the table may hold fewer.
    drawn
        What can be drawn in the page; None where there is nothing.
    """

    kind: Kind
    summary: pd.DataFrame
    variables: tuple[Variable, ...]
    total: int
    drawn: Drawn | None

    @property
    def judged(self) -> bool:
        """Whether there is an R-hat to sort by."""
        return "r_hat" in self.summary and bool(self.summary["r_hat"].notna().any())

    @property
    def cut(self) -> bool:
        """Whether the page holds fewer quantities than there are."""
        return len(self.summary) < self.total

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Which chain has which colour."""
        return f.chain_key(self.drawn.draws.shape[1]) if self.drawn is not None and self.kind == "mcmc" else ()

    @cached_property
    def spec(self) -> str:
        """JSON that is safe inside a ``<script>`` element."""
        labels = json.dumps([str(label) for label in self.summary.index], ensure_ascii=False)
        return f.safe_json(
            {
                "rows": len(self.summary),
                "labels": packed(labels.encode()),
                "columns": [_column(str(name), self.summary) for name in self.summary],
                "variables": [
                    {"name": v.name, "rows": v.rows, "unit": v.quantity.unit, "meaning": v.quantity.meaning}
                    for v in self.variables
                ],
                "drawn": self._drawing(),
                "texts": _texts(),
            }
        )

    def _drawing(self) -> dict[str, Any] | None:
        if self.drawn is None:
            return None
        _, chains, draws = self.drawn.draws.shape
        return {
            "rows": list(self.drawn.rows),
            "chains": chains,
            "draws": draws,
            "step": self.drawn.step,
            "values": packed_floats(self.drawn.draws.astype("<f4")),
            "traced": self.kind == "mcmc",
            "names": [say("chain {n}", n=chain + 1) for chain in range(chains)],
            "density": f.layout(
                margin={"l": 14, "r": 14},
                yaxis={"showticklabels": False, "ticks": "", "showgrid": False, "rangemode": "tozero"},
            ),
            "trace": f.layout(say("draw"), "", yaxis={"nticks": 4}),
            "colours": [f.chain_colour(chain) for chain in range(chains)] if self.kind == "mcmc" else [f.FIT],
        }


def parameter_table(fit: Fit, assessment: Assessment) -> ParameterTable:
    """Return the table of all quantities of a fit.

    Parameters
    ----------
    fit
        Draws of the scalars, of the worst and of the first quantities are taken from it, those cells alone.
    assessment
        Its summary is what the table shows.

    Returns
    -------
    ParameterTable
    """
    whole = assessment.summary
    names, sizes = _runs_of(whole)
    order = np.argsort(np.repeat(sizes != 1, sizes), kind="stable")  # scalars first
    kept = order if len(whole) <= MAX_ROWS else order[np.sort(_first_and_worst(whole.iloc[order], MAX_ROWS))]
    known = {quantity.name: quantity for quantity in fit.provenance.card.quantities}
    variable, place = np.repeat(np.arange(len(sizes)), sizes)[kept], _places(sizes)[kept]
    summary = whole.iloc[kept]
    changes = np.flatnonzero(np.diff(variable, prepend=-1))
    lengths = np.diff(np.append(changes, len(kept)))
    variables = [
        Variable(names[variable[start]], int(rows), known.get(names[variable[start]], Quantity(names[variable[start]])))
        for start, rows in zip(changes, lengths, strict=True)
    ]
    drawn = draws_of(fit, _chosen(summary, sizes[variable] == 1), [names[i] for i in variable], place)
    return ParameterTable(fit.provenance.kind, summary, tuple(variables), len(whole), drawn)


def cell_text(name: str, value: float, sd: float) -> str:
    """Return a cell of the table: digits by the quantity's standard deviation, or those usual for the column.

    Examples
    --------
    >>> cell_text("mean", 1.886452, 0.0512), cell_text("ess_bulk", 1310.4, 0.05), cell_text("r_hat", 1.0031, 0.05)
    ('1.89', '1,310', '1.003')
    """
    if math.isnan(value):
        return "–"
    how = _FORMATS.get(name, "estimate")
    if how == "count":
        return number(value, 0)
    if how == "ratio":
        return number(value, 3)
    if how != "sd":
        return significant(value, 2 if how == "error" else 5)
    if not sd > 0:
        return significant(value, 4)
    return number(value, decimals_for(sd)) if legible(value, sd) else with_exponent(value, sd)


def headings() -> dict[str, str]:
    """Return what the table's head calls the summary's columns."""
    return {
        "mean": say("mean"),
        "sd": say("sd"),
        "q2.5": "2.5\u00a0%",
        "q16": "16\u00a0%",
        "median": say("median"),
        "q84": "84\u00a0%",
        "q97.5": "97.5\u00a0%",
        "mcse_mean": "MCSE",
        "ess_bulk": say("bulk ESS"),
        "ess_tail": say("tail ESS"),
        "ess_mean": "ESS",
        "runs_r_hat": "R-hat",
        "r_hat": "R-hat",
        "estimate": say("estimate"),
    }


def _texts() -> dict[str, str]:
    """Return what the script says; it fills the braces itself."""
    return {
        "quantity": say("quantity"),
        "shown": say("{shown} of {total} shown"),
        "all": say("all {total} shown"),
        "none": say("no quantity has this in its name"),
        "density": say("Distribution of {label}"),
        "trace": say("Trace of {label}"),
        "elsewhere": say("The draws of this quantity are not in this page; they are in posterior.nc, beside it."),
        "constant": say("This quantity is the same in every draw."),
    }


def _column(name: str, summary: pd.DataFrame) -> dict[str, Any]:
    shown_by_sd = _FORMATS.get(name) == "sd" and "sd" in summary
    deviation = summary["sd"].to_numpy(dtype=float) if shown_by_sd else np.zeros(len(summary))
    return {
        "name": name,
        "heading": headings().get(name, name),
        "format": _FORMATS.get(name, "estimate"),
        "worst": _WORST.get(name, ""),
        **packed_column(summary[name].to_numpy(dtype=float), deviation),
    }


def _runs_of(summary: pd.DataFrame) -> tuple[list[str], NDArray[np.int64]]:
    """Return the summary's variables and how many rows each has; the rows of one stand together."""
    names: list[str] = []
    sizes: list[int] = []
    for label in summary.index:
        name = str(label).partition("[")[0]
        if names and names[-1] == name:
            sizes[-1] += 1
        else:
            names.append(name)
            sizes.append(1)
    return names, np.array(sizes, dtype=np.int64)


def _places(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each row's place within its variable."""
    starts = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) - np.repeat(starts, sizes)


def _worst_rows(summary: pd.DataFrame) -> NDArray[np.int64]:
    """Return the rows that move, worst first: highest R-hat (what has none first), then lowest bulk ESS."""
    if "r_hat" not in summary:
        return np.zeros(0, dtype=np.int64)
    r_hat = np.nan_to_num(summary["r_hat"].to_numpy(dtype=float), nan=np.inf)
    ess = np.nan_to_num(summary["ess_bulk"].to_numpy(dtype=float), nan=-np.inf) if "ess_bulk" in summary else r_hat
    order = np.lexsort([ess, -r_hat])
    found: NDArray[np.int64] = order[summary["sd"].to_numpy()[order] > 0]
    return found


def _first_and_worst(summary: pd.DataFrame, n: int) -> NDArray[np.int64]:
    worst = _worst_rows(summary)[: n // 2]
    first = np.setdiff1d(np.arange(len(summary)), worst, assume_unique=True)
    return np.concatenate([worst, first[: n - worst.size]])


def _chosen(summary: pd.DataFrame, scalar: NDArray[np.bool_]) -> list[int]:
    """Return the rows to keep draws of: scalars, the worst, then the first."""
    if "sd" not in summary:
        return []
    moving = summary["sd"].to_numpy(dtype=float) > 0
    scalars = np.flatnonzero(scalar & moving)[:MAX_SCALARS]
    wanted = [*scalars, *_worst_rows(summary)[:MAX_WORST], *np.flatnonzero(moving)[:MAX_DRAWN]]
    return sorted(list(dict.fromkeys(map(int, wanted)))[:MAX_DRAWN])
