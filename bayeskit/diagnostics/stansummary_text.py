"""The text that CmdStan's stansummary writes: the table for people, the CSV file for programs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bayeskit.diagnostics.stan_csv import StanCsv
    from bayeskit.diagnostics.stan_csv_statistics import Array

DEFAULT_FIGURES = 2
DEFAULT_CSV_FIGURES = 6
_GAP = 2  # blanks between columns
_WIDEST_FIXED = 5  # characters; columns with wider numbers are in scientific notation
_EXPLANATION = (
    "ESS_bulk and ESS_tail are effective sample sizes: of the centre of the distribution, and of its 5% and 95% tails.",
    "R_hat compares the halves of all chains with each other; where they agree, it is close to 1.00.",
)


@dataclass(frozen=True)
class Block:
    """Rows that are formatted alike: the sampler's columns, or the program's.

    Parameters
    ----------
    names
        One a row.
    values
        ``n_rows x n_statistics``.
    """

    names: tuple[str, ...]
    values: Array


@dataclass(frozen=True)
class Summary:
    """All that is to be written.

    Parameters
    ----------
    files
        One a chain.
    n_draws
        Of each.
    headings
        Of the statistics.
    sampler, model
        The rows.
    """

    files: Sequence[StanCsv]
    n_draws: int
    headings: Sequence[str]
    sampler: Block
    model: Block


@dataclass(frozen=True)
class _Column:
    width: int
    scientific: bool


def headings(percentiles: Sequence[str]) -> list[str]:
    """Name the columns."""
    quantiles = [f"{percentile}%" for percentile in percentiles]
    return ["Mean", "MCSE", "StdDev", "MAD", *quantiles, "ESS_bulk", "ESS_tail", "ESS_bulk/s", "R_hat"]


def row_major(names: Sequence[str]) -> list[int]:
    """Order the elements of each container by rows; the files have them by columns."""
    order: list[int] = []
    for _, group in groupby(range(len(names)), key=lambda place: _container(names[place])):
        places = list(group)
        order += sorted(places, key=lambda place: _indices(names[place]))
    return order


def _container(name: str) -> str:
    found = re.fullmatch(r"(.+?)\[[\d,]+(?:real|imag)?\]", name)
    return f"{found[1]}[" if found else name


def _indices(name: str) -> list[tuple[int, ...]]:
    inside = name.rpartition("[")[2].rstrip("]").split(",")
    parts = {"real": 0, "imag": 1}
    return [(parts.get(index, int(index) if index.isdigit() else 0),) for index in inside]


def console_lines(summary: Summary, figures: int) -> Iterator[str]:
    """Yield the text for people."""
    yield from _preamble(summary)
    yield ""
    yield from _table(summary, figures)
    yield ""
    yield from _footer(summary.files[0])


def csv_lines(summary: Summary, figures: int) -> Iterator[str]:
    """Yield the CSV file, with the rest as comments below."""
    yield ",".join(["name", *summary.headings])
    for block in (summary.sampler, summary.model):
        for name, values in zip(block.names, block.values, strict=True):
            yield ",".join([f'"{name}"', *(f"{value:.{figures}g}" for value in values)])
    for line in (*_preamble(summary), *_footer(summary.files[0])):
        yield f"# {line}"


def autocorrelation_lines(summary: Summary, number: int, values: Block, figures: int) -> Iterator[str]:
    """Yield a table with one row a lag, its numbers in the format of the summary's last number, as CmdStan has it."""
    last = (summary.model if summary.model.names else summary.sampler).values[:, -1]
    scientific = _column(last, "", figures).scientific
    form = f".{figures - 1}e" if scientific else f".{_decimals(last[-1], figures)}f"
    width = max(map(len, values.names)) + 1
    lag_width = len(str(values.values.shape[1])) + 1
    yield f"Displaying the autocorrelations for chain {number}:"
    yield ""
    yield "Lag".rjust(max(lag_width, 4)) + "".join(name.rjust(width) for name in values.names)
    for lag, row in enumerate(values.values.T):
        yield str(lag).rjust(lag_width) + "".join(f"{value:{form}}".rjust(width) for value in row)
    yield ""


def _table(summary: Summary, figures: int) -> Iterator[str]:
    """Yield the lines of the table; the sampler's first row goes by the formats of the program's."""
    sampler, model = summary.sampler, summary.model
    of_sampler = [
        _column(values, head, figures) for values, head in zip(sampler.values[1:].T, summary.headings, strict=True)
    ]
    of_model = [_column(values, head, figures) for values, head in zip(model.values.T, summary.headings, strict=True)]
    widths = [max(one.width, other.width) for one, other in zip(of_sampler, of_model, strict=True)]
    label = max(map(len, (*sampler.names, *model.names)), default=0) + 1

    def row(name: str, values: Array, columns: Sequence[_Column]) -> str:
        cells = (
            _cell(value, column.scientific, figures).rjust(width)
            for value, column, width in zip(values, columns, widths, strict=True)
        )
        return name.ljust(label) + "".join(cells)

    yield " " * label + "".join(head.rjust(width) for head, width in zip(summary.headings, widths, strict=True))
    yield ""
    for place, (name, values) in enumerate(zip(sampler.names, sampler.values, strict=True)):
        yield row(name, values, of_sampler if place else of_model)
    if sampler.names:
        yield ""
    for name, values in zip(model.names, model.values, strict=True):
        yield row(name, values, of_model)


def _preamble(summary: Summary) -> Iterator[str]:
    """Yield the lines above the table: what was run, and how long it took."""
    first = summary.files[0]
    iterations = first.number("num_samples", "output_samples")
    yield f"Inference for Stan model: {first.settings.get('model', '')}"
    yield (
        f"{len(summary.files)} chains: each with iter={iterations}; warmup={first.number('num_warmup')}; "
        f"thin={first.number('thin', default=1)}; {summary.n_draws} iterations saved."
    )
    yield ""
    yield _took("Warmup", [file.warmup_seconds for file in summary.files])
    yield _took("Sampling", [file.sampling_seconds for file in summary.files])


def _footer(first: StanCsv) -> Iterator[str]:
    """Yield the lines below the table: how the draws were made, and what the columns mean."""
    algorithm = first.settings.get("algorithm") or first.settings.get("method", "an unknown method")
    engine = first.settings.get("engine", "")
    yield f"Samples were drawn using {algorithm}{f' with {engine}' if engine else ''}."
    yield from _EXPLANATION


def _took(what: str, seconds: Sequence[float]) -> str:
    total, unit = sum(seconds), "seconds"
    if total > 3600:
        total, unit = total / 3600, "hours"
    elif total > 60:
        total, unit = total / 60, "minutes"
    text = f"{_fixed(total, DEFAULT_FIGURES)} {unit}"
    if len(seconds) == 1:
        return f"{what} took {text}"
    each = ", ".join(_fixed(time, DEFAULT_FIGURES) for time in seconds)
    return f"{what} took ({each}) seconds, {text} total"


def _column(values: Array, head: str, figures: int) -> _Column:
    if max((_width(value, figures) for value in values), default=0) <= _WIDEST_FIXED:
        widest = max((_width(value, figures) for value in values), default=0)
        return _Column(max(widest, len(head)) + _GAP, scientific=False)
    widest = figures + 5 + bool(np.nanmin(values) < 0)  # point, e, sign and two digits
    return _Column(max(widest, len(head)) + _GAP, scientific=True)


def _cell(value: float, scientific: bool, figures: int) -> str:
    return f"{value:.{figures - 1}e}" if scientific else _fixed(value, figures)


def _fixed(value: float, figures: int) -> str:
    return f"{value:.{_decimals(value, figures)}f}"


def _decimals(value: float, figures: int) -> int:
    """Return how many decimals show that many significant figures."""
    size = abs(value)
    if value == 0 or not math.isfinite(value):
        return figures
    if size >= 1:
        return max(0, figures - _integer_digits(size))
    return figures - 1 - math.floor(math.log10(size))


def _width(value: float, figures: int) -> int:
    """Return the room that a number in fixed notation takes, as CmdStan reckons it: zero without its point."""
    size = abs(value)
    sign = int(math.copysign(1, value) < 0)
    if value == 0:
        return sign + figures
    if math.isnan(value):
        return sign + 3
    if math.isinf(value):
        return sign + figures + 1
    if size >= 1:
        digits = _integer_digits(size)
        return sign + (digits if digits >= figures else figures + 1)
    return sign + 1 - math.floor(math.log10(size)) + figures


def _integer_digits(size: float) -> int:
    # The small addend counts 9.999999, which is printed as 10, with two digits.
    return math.ceil(math.log10(size) + 1e-6)
