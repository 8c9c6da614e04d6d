"""How a fit and its assessment show themselves, in a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import islice, product
from typing import TYPE_CHECKING

from bayeskit.core.words import NO_BREAK, number, plus_minus, significant, with_unit

if TYPE_CHECKING:
    import xarray as xr

    from bayeskit.core.types import Assessment, Fit, Verdict

_MOST = 20
HINT = "whether to trust it: bk.assess(fit)"


def fit_text(fit: Fit) -> str:
    """Return the fit's scalar parameters, or a program's first quantities, one a line."""
    return "\n".join([_title(fit), *_columns(list(_parameters(fit))), f"  {HINT}"])


def fit_html(fit: Fit) -> str:
    """Return the same as a fragment of HTML."""
    return f"<b>{escape(_title(fit))}</b>{_table(list(_parameters(fit)))}<i>{escape(HINT)}</i>"


def assessment_text(assessment: Assessment) -> str:
    """Return the verdicts, one a line: outcome, name, number and limit."""
    return "\n".join(_columns([_verdict(verdict) for verdict in assessment.verdicts]))


def assessment_html(assessment: Assessment) -> str:
    """Return the same as a fragment of HTML."""
    return _table([_verdict(verdict) for verdict in assessment.verdicts])


def _title(fit: Fit) -> str:
    what = f"{fit.provenance.card.title}: {fit.provenance.engine}"
    return f"{what} on {fit.provenance.data.path}" if fit.provenance.data.sha256 else what


def _parameters(fit: Fit) -> Iterator[tuple[str, str]]:
    if not fit.has_draws:
        yield from (("", text) for text in fit.missing or ("There are no draws.",))
        return
    posterior = fit.posterior["posterior"].to_dataset()
    card = fit.provenance.card
    units = {quantity.name: quantity.unit for quantity in card.quantities}
    # A model names the few quantities that matter; a program does not.
    names = list(units) if card.series else [str(name) for name in posterior.data_vars]
    total = sum(posterior[name].isel(chain=0, draw=0).size for name in names)
    cells = (cell for name in names for cell in _cells(name, posterior[name]))
    for label, draws in islice(cells, _MOST if total > _MOST + 1 else None):
        spread = float(draws.std(ddof=1)) if draws.size > 1 else 0.0
        yield label, with_unit(plus_minus(float(draws.mean()), spread), units.get(label.partition("[")[0], ""))
    if total > _MOST + 1:
        yield f"… {total - _MOST:,} more", "in fit.posterior"


def _cells(name: str, draws: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Split a variable into its scalars, each with its label, e.g. ``s_y[rainy]``."""
    own = [dimension for dimension in draws.dims if dimension not in ("chain", "draw")]
    if not own:
        yield name, draws
        return
    for places in product(*(range(draws.sizes[dimension]) for dimension in own)):
        cell = draws.isel(dict(zip(own, places, strict=True)))
        yield f"{name}[{','.join(str(cell[dimension].item()) for dimension in own)}]", cell


def _verdict(verdict: Verdict) -> tuple[str, str, str]:
    outcome = {True: "passed", False: "FAILED", None: "not checked"}[verdict.passed]
    value = "-" if verdict.value is None else _number(verdict.value)
    side = "at most" if verdict.comparison == "<=" else "at least"
    return outcome, verdict.name, f"{value} (limit: {side} {verdict.threshold:g})"


def _number(value: float) -> str:
    """Four decimals near 1, where R-hat's limit lies; else four digits; counts as they are."""
    if value == int(value):
        return number(value, 0)
    return number(value, 4) if 0.1 <= value < 10 else significant(value, 4)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return [f"  {line.rstrip().replace(NO_BREAK, ' ')}" for line in lines]


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = ("".join(f"<td style='text-align:left'>{escape(text)}</td>" for text in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
