"""Numbers of a few words: how well rows are rebuilt, and how much generated rows are like the data's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeskit.reporting.autoencoder_view import Autoencoder, ByNumber, Compared

Floats = NDArray[np.float64]

WITHIN = 0.05  # of a correlation, besides what so many rows let one see
_STANDARD_ERRORS = 3.3
QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


@dataclass(frozen=True, eq=False)
class Likeness:
    """How far generated rows are from the data's.

    Parameters
    ----------
    quantiles
        Of each column the largest difference of its quantiles, in standard deviations of the data.
    seen, made
        Correlations of the columns, in the data and generated.
    """

    quantiles: Floats
    seen: Floats
    made: Floats

    @property
    def correlation(self) -> float:
        """The largest difference of two columns' correlation."""
        return float(np.abs(self.seen - self.made).max()) if self.seen.size > 1 else 0.0

    @property
    def pair(self) -> tuple[int, int]:
        """The columns whose correlation differs most."""
        first, second = np.unravel_index(int(np.abs(self.seen - self.made).argmax()), self.seen.shape)
        return int(first), int(second)


def rmse(original: Floats, made: Floats) -> float:
    """Return the root mean square of all differences."""
    return float(np.sqrt(np.mean((original - made) ** 2)))


def explained(original: Floats, made: Floats) -> float:
    """Return the share of the rows' variance around their mean that is rebuilt; below 0 where the mean does better."""
    spread = float(((original - original.mean(0)) ** 2).sum())
    return 1 - float(((original - made) ** 2).sum()) / spread if spread > 0 else 0.0


def likeness(compared: Compared) -> Likeness:
    """Hold quantiles and correlations of generated rows against those of the data."""
    scale = np.maximum(compared.value.std(0), np.finfo(float).tiny)
    off = np.abs(np.quantile(compared.drawn, QUANTILES, axis=0) - np.quantile(compared.value, QUANTILES, axis=0))
    return Likeness(off.max(0) / scale, _correlations(compared.value), _correlations(compared.drawn))


def correlation_limit(compared: Compared) -> float:
    """Return how far correlations may be from the data's: a little, and what chance makes of so many rows."""
    return WITHIN + _STANDARD_ERRORS * float(np.sqrt(1 / len(compared.drawn) + 1 / len(compared.value)))


def coverage(found: ByNumber, at: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return the shares of each column's values that lie in the 68 % and 95 % bands at their own condition."""
    shares = []
    for low, high in ((found.low68, found.high68), (found.low95, found.high95)):
        ends = [np.column_stack([np.interp(at, found.at, column) for column in end.T]) for end in (low, high)]
        shares.append(np.mean((ends[0] <= values) & (values <= ends[1]), axis=0))
    return shares[0], shares[1]


def shares_held(found: Autoencoder) -> tuple[float, float] | None:
    """Return the shares of the data in the 68 % and 95 % bands, over all columns; None where they cannot be told."""
    made = found.by_number
    rows = rows_given(found, made) if made is not None else None
    if made is None or rows is None:
        return None
    at68, at95 = coverage(made, *rows)
    return float(at68.mean()), float(at95.mean())


def rows_given(found: Autoencoder, made: ByNumber) -> tuple[Floats, Floats] | None:
    """Return a number's values and the data's rows at them, within the range that is drawn; None without."""
    compared = found.compared
    if compared is None or made.name not in compared.given_value:
        return None
    at = compared.given_value[made.name]
    if at.dtype.kind != "f" or at.shape != (len(compared.value),):
        return None
    inside = (at >= made.at.min()) & (at <= made.at.max())
    return (at[inside], compared.value[inside]) if inside.sum() > 1 else None


def _correlations(rows: Floats) -> Floats:
    around = rows - rows.mean(0)
    scale = np.sqrt((around**2).sum(0))
    made: Floats = around.T @ around / np.maximum(scale[:, None] * scale, np.finfo(float).tiny)
    return made
