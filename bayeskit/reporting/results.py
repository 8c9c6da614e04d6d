"""Reading a fit for the report: its scalar quantities, its states over time, its one-step forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.types import Assessment, Fit, Quantity, Series
from bayeskit.diagnostics.blocks import cell_blocks
from bayeskit.diagnostics.labels import cell_dims, cell_labels, draws_at, real_valued

Floats = NDArray[np.float64]

BOUNDARY_RATIO = 0.2
MIN_FORECASTS = 10
MAX_RECORDED = 60  # quantities of a program whose draws are missing


@dataclass(frozen=True)
class Scalar:
    """One number of the posterior: its draws, ``n_chains x n_draws``, and its row in the summary."""

    label: str
    quantity: Quantity
    draws: Floats
    row: pd.Series[float]

    @property
    def at_boundary(self) -> bool:
        """Whether the draws pile up at 0.

        For a scale 3 standard deviations from 0 the 5 % quantile is 0.45 of the median, for a half-normal 0.09.
        """
        low, median = np.quantile(self.draws, [0.05, 0.5])
        return bool(median > 0 and low < BOUNDARY_RATIO * median)


@dataclass(frozen=True)
class Path:
    """A state over time, from the summary: ``n_dates`` values each."""

    dates: NDArray[np.datetime64]
    mean: Floats
    sd: Floats
    low95: Floats
    low68: Floats
    high68: Floats
    high95: Floats


@dataclass(frozen=True)
class Forecasts:
    """One-step-ahead forecasts of the observed days: ``n_observed`` values each."""

    dates: NDArray[np.datetime64]
    observed: Floats
    mean: Floats
    sd: Floats
    pit: Floats

    @property
    def residuals(self) -> Floats:
        """Forecast errors in units of the forecast's standard deviation."""
        standardised: Floats = (self.observed - self.mean) / self.sd
        return standardised

    def coverage(self, probability: float) -> float:
        """Share of days inside the central forecast interval of this probability."""
        tail = (1 - probability) / 2
        return float(np.mean((self.pit >= tail) & (self.pit <= 1 - tail)))


def group(fit: Fit, name: str) -> xr.Dataset | None:
    """Return a group of the posterior's tree, or None where it is missing or empty."""
    if name not in fit.posterior.children:
        return None
    data = fit.posterior[name].to_dataset()
    return data if data.data_vars else None


def cells(array: xr.DataArray) -> list[tuple[str, xr.DataArray]]:
    """Split a variable into its scalars, labelled as in the summary: ``s_y[rainy]``."""
    inner = cell_dims(array)
    if not inner:
        return [(str(array.name), array)]
    places = np.ndindex(*(array.sizes[dim] for dim in inner))
    return [
        (text, array.isel(dict(zip(inner, place, strict=True)), drop=True))
        for text, place in zip(cell_labels(array), places, strict=True)
    ]


def scalars(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the model's scalar quantities in the card's order."""
    posterior = fit.posterior["posterior"].to_dataset()
    found = []
    for quantity in fit.provenance.card.quantities:
        if quantity.name not in posterior:
            continue
        for text, array in cells(posterior[quantity.name]):
            draws = np.asarray(array.transpose("chain", "draw").to_numpy(), dtype=float)
            found.append(Scalar(text, quantity, draws, _row(assessment, text, draws)))
    return found


def labelled(fit: Fit, assessment: Assessment, labels: Sequence[str]) -> list[Scalar]:
    """Return the scalars of these labels, of any variable."""
    posterior = real_valued(fit.posterior["posterior"].to_dataset())
    quantities = {quantity.name: quantity for quantity in fit.provenance.card.quantities}
    names = {label: label.partition("[")[0] for label in labels}
    places = {
        name: {label: place for place, label in enumerate(cell_labels(posterior[name]))} for name in names.values()
    }
    found = []
    for label, name in names.items():
        draws = draws_at(posterior[name], places[name][label])
        found.append(Scalar(label, quantities.get(name, Quantity(name)), draws, _row(assessment, label, draws)))
    return found


def states(fit: Fit, name: str, rows: Sequence[tuple[str, int]]) -> list[Scalar]:
    """Return single days of a state as scalars; ``rows`` are labels and positions."""
    array = fit.posterior["posterior"].to_dataset()[name]
    return [Scalar(text, Quantity(name), draws_at(array, place), pd.Series(dtype=float)) for text, place in rows]


def path(fit: Fit, assessment: Assessment, name: str) -> Path:
    """Return a state with its intervals, as the summary has them."""
    array = fit.posterior["posterior"][name]
    table = rows_of(assessment.summary, name)
    columns = {column: table[column].to_numpy(dtype=float) for column in ("mean", "sd", "q2.5", "q16", "q84", "q97.5")}
    return Path(
        dates=array["date"].to_numpy(),
        mean=columns["mean"],
        sd=columns["sd"],
        low95=columns["q2.5"],
        low68=columns["q16"],
        high68=columns["q84"],
        high95=columns["q97.5"],
    )


def recorded_labels(fit: Fit, assessment: Assessment) -> list[str]:
    """Return which quantities to show of a run whose draws are missing: the model's own, or a program's first."""
    names = [quantity.name for quantity in fit.provenance.card.quantities if fit.provenance.card.series]
    if not names:
        return [str(label) for label in assessment.summary.index[:MAX_RECORDED]]
    return [str(label) for name in names for label in rows_of(assessment.summary, name).index]


def rows_of(summary: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the summary's rows of one variable, in the variable's order."""
    index = summary.index.astype(str)
    return summary[(index == name) | index.str.startswith(f"{name}[")]


def observations(fit: Fit, series: Series) -> xr.DataArray | None:
    """Return the observed series over its dates, or None."""
    data = group(fit, "observed_data")
    if data is None or series.observed not in data:
        return None
    return data[series.observed]


def flagged_dates(fit: Fit, series: Series) -> NDArray[np.datetime64]:
    """Return the days on which the series' flag (rain, say) is set."""
    data = group(fit, "constant_data")
    if series.flag is None or data is None or series.flag not in data:
        return np.array([], dtype="datetime64[ns]")
    flag = data[series.flag]
    moments: NDArray[np.datetime64] = flag[str(flag.dims[0])].to_numpy()[np.nan_to_num(flag.to_numpy()).astype(bool)]
    return moments


def missing_runs(fit: Fit, series: Series) -> list[tuple[Any, Any, int]]:
    """Return the stretches of days without an observation: first day, last day, number of days."""
    observed = observations(fit, series)
    if observed is None:
        return []
    dates = fit.posterior["posterior"]["date"].to_numpy()
    seen = observed[str(observed.dims[0])].to_numpy()[np.isfinite(observed.to_numpy())]
    absent = np.flatnonzero(~np.isin(dates, seen))
    if absent.size == 0:
        return []
    breaks = np.split(absent, np.flatnonzero(np.diff(absent) > 1) + 1)
    return [(dates[run[0]], dates[run[-1]], int(run.size)) for run in breaks]


def forecasts(fit: Fit, series: Series) -> Forecasts | None:
    """Return one-step-ahead forecasts and the probability integral transform of each observed day.

    The transform is the share of forecast draws at or below the observation (continuous data need no
    randomisation), shrunk by half a draw from 0 and 1.
    """
    observed, predictive = observations(fit, series), group(fit, "posterior_predictive")
    if observed is None or predictive is None or series.observed not in predictive:
        return None
    values = observed.to_numpy().astype(float)
    parts: list[tuple[Floats, ...]] = []
    start = 0
    for block in cell_blocks(predictive[series.observed]):
        draws = block.reshape(len(block), -1)
        below = (draws <= values[start : start + len(block), None]).sum(1)
        start += len(block)
        with np.errstate(invalid="ignore"):
            parts.append((draws.mean(1), draws.std(1, ddof=1), (below + 0.5) / (draws.shape[1] + 1)))
    mean, sd, pit = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    kept = np.isfinite(values) & np.isfinite(mean) & np.isfinite(sd) & (sd > 0)
    if kept.sum() < MIN_FORECASTS:
        return None
    return Forecasts(
        dates=observed[str(observed.dims[0])].to_numpy()[kept],
        observed=values[kept],
        mean=mean[kept],
        sd=sd[kept],
        pit=pit[kept],
    )


def mean_step(fit: Fit, series: Series) -> float:
    """Return how far the state moves from one day to the next: the mean of the absolute steps over days and draws."""
    total, steps, last = 0.0, 0, None
    for block in cell_blocks(fit.posterior["posterior"].to_dataset()[series.state]):
        path_of = block if last is None else np.concatenate([last, block])
        moved = np.abs(np.diff(path_of, axis=0))
        total += float(np.nansum(moved))
        steps += int(np.count_nonzero(~np.isnan(moved)))
        last = block[-1:]
    return total / steps if steps else float("nan")


def _row(assessment: Assessment, text: str, draws: Floats) -> pd.Series[float]:
    summary = assessment.summary
    if text in summary.index:
        return pd.Series(summary.loc[[text]].iloc[0])
    quantiles = np.quantile(draws, [0.025, 0.16, 0.5, 0.84, 0.975])
    names = ["q2.5", "q16", "median", "q84", "q97.5"]
    values = {"mean": draws.mean(), "sd": draws.std(ddof=1), **dict(zip(names, quantiles, strict=True))}
    return pd.Series(values, dtype=float)
