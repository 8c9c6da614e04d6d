"""Does the model fit? Prior and posterior predictive densities, PIT, and one-step-ahead forecast errors."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import said, say
from bayeskit.core.types import Fit, Series
from bayeskit.core.words import count, listing, number, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.results import Forecasts, flagged_dates
from bayeskit.reporting.verdict import ModelFit

Floats = NDArray[np.float64]

SECTION = 3  # of the report, where these figures stand
PIT_GRID = 100
PIT_SIMULATIONS = 2000
MAX_LAG = 40
MIN_PAIRS = 8
# A right model is doubted in one report of a hundred, or a little more.
PIT_PROBABILITY = 0.99
MEMORY_LIMIT = 4.0  # standard errors: of 40 lags of independent errors, one in 400 series has one beyond


def describe_forecasts(forecast: Forecasts | None) -> ModelFit | None:
    """Say in a sentence or two what the one-step-ahead forecasts say about the model."""
    if forecast is None:
        return None
    *_, outside = _pit_curve(forecast)
    lags, values, pairs = autocorrelation(forecast.residuals, forecast.dates)
    strength = np.abs(values * np.sqrt(pairs))
    size = say("its 95\u00a0% forecast interval held {share} of the days", share=percent(forecast.coverage(0.95)))
    faults = []
    if outside > 0:
        faults.append(say("the forecasts' probabilities are off"))
    if strength.max(initial=0.0) > MEMORY_LIMIT:
        strongest = int(strength.argmax())
        lag = count(int(lags[strongest]), "day")
        correlation = number(values[strongest], 2)
        faults.append(
            say("its errors still have memory (correlation {value} at {distance})", value=correlation, distance=lag)
        )
    if faults:
        told = say(
            "The model misses something: {found}, but {faults}. Section {section} shows it; try another model, and put "
            "both side by side (`bayeskit compare`).",
            found=size,
            faults=listing(faults),
            section=SECTION,
        )
        return ModelFit(adequate=False, sentence=told)
    told = say("Nothing speaks against it so far: {found} (section {section}).", found=size, section=SECTION)
    if lags.size:
        told = say(
            "Nothing speaks against it so far: {found}, and its errors show no memory (section {section}).",
            found=size,
            section=SECTION,
        )
    return ModelFit(adequate=True, sentence=told)


def pit_figure(forecast: Forecasts) -> f.Figure:
    """Draw the PIT's distribution function minus the uniform one, with a simultaneous band."""
    grid, difference, low, high, outside = _pit_curve(forecast)
    wide = f"{100 * PIT_PROBABILITY:.0f}"
    layout = f.layout(
        say("probability integral transform (PIT)"),
        say("difference from uniform"),
        margin={"r": 20},
        annotations=[
            f.label(say("{percent} % band", percent=wide), 0.5, float(high[grid.size // 2]), f.MUTED, yshift=10)
        ],
        xaxis={"range": [0, 1]},
    )
    traces = [*f.band(grid, low, high, f.NEUTRAL), f.line(grid, difference, f.FIT, 2)]
    days = count(forecast.pit.size, "day")
    alt = say("The curve of PIT values stays inside the {percent} % band of a well calibrated forecast.", percent=wide)
    note = say("The curve stays inside the band. Computed from all forecast draws of {days}.", days=days)
    if outside > 0:
        alt = say(
            "The curve of PIT values leaves on {share} of its way the {percent} % band of a well calibrated forecast.",
            share=percent(outside),
            percent=wide,
        )
        note = say(
            "The curve leaves on {share} of its way the band. Computed from all forecast draws of {days}.",
            share=percent(outside),
            days=days,
        )
    return f.Figure(
        name="pit",
        title=say(
            "{share68} of the days fell into the 68 % forecast interval, {share95} into the 95 % one",
            share68=percent(forecast.coverage(0.68)),
            share95=percent(forecast.coverage(0.95)),
        ),
        caption=say(
            "How to read: if forecasts a day ahead were right in all their probabilities, the curve would stay in the "
            "band. A slope down in the middle: forecasts too narrow or heavy-tailed errors; one side only: forecasts "
            "biased."
        ),
        panels=(f.Panel(traces, layout, alt, height=300),),
        note=note,
    )


def _pit_curve(forecast: Forecasts) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Return grid, difference from uniform, lower and upper band, and the share of the grid outside it."""
    grid = np.arange(1, PIT_GRID) / PIT_GRID
    difference = np.searchsorted(np.sort(forecast.pit), grid, side="right") / forecast.pit.size - grid
    low, high = band_of(forecast.pit.size, PIT_GRID)
    return grid, difference, low, high, float(np.mean((difference < low) | (difference > high)))


@lru_cache(maxsize=8)
def band_of(size: int, n_grid: int) -> tuple[Floats, Floats]:
    """Return the band for so many values on an even grid, computed once."""
    return simultaneous_band(size, np.arange(1, n_grid) / n_grid, PIT_PROBABILITY)


def simultaneous_band(size: int, grid: Floats, probability: float = 0.95, seed: int = 1) -> tuple[Floats, Floats]:
    """Return a band that holds the whole ECDF difference of uniform values with this probability.

    The pointwise level is tuned by simulation: Säilynoja, Bürkner and Vehtari (2022), doi:10.1007/s11222-022-10090-6,
    algorithm 1; here on a grid instead of at every value.

    Parameters
    ----------
    size
        Number of values.
    grid
        Points in (0, 1), evenly spaced.
    """
    from scipy.stats import binom

    rng = np.random.default_rng(seed)
    edges = np.diff(grid, prepend=0.0, append=1.0)
    counts = np.cumsum(rng.multinomial(size, edges, PIT_SIMULATIONS), axis=1)[:, :-1]
    below = binom.cdf(counts, size, grid)
    above = binom.sf(counts - 1, size, grid)
    level = float(np.quantile(np.minimum(below, above).min(axis=1) * 2, 1 - probability))
    low, high = binom.ppf(level / 2, size, grid), binom.ppf(1 - level / 2, size, grid)
    return low / size - grid, high / size - grid


def residual_figure(fit: Fit, series: Series, forecast: Forecasts) -> f.Figure:
    """Draw standardised one-step-ahead errors over time."""
    residuals = forecast.residuals
    flagged = np.isin(forecast.dates, flagged_dates(fit, series))
    traces = [_errors(forecast, ~flagged, f.OBSERVED, "circle")]
    if flagged.any():
        traces.append(_errors(forecast, flagged, f.RAIN, "circle"))
    lines = [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": y,
            "y1": y,
            "line": {"color": f.MUTED, "width": 1, "dash": dash},
        }
        for y, dash in ((-2, "dot"), (0, "solid"), (2, "dot"))
    ]
    outside = float(np.mean(np.abs(residuals) > 2))
    layout = f.layout("", say("error (forecast sd)"), shapes=lines, margin={"b": 30}, xaxis={"type": "date"})
    worst = int(np.abs(residuals).argmax())
    alt = say(
        "Standardised forecast errors over time; the largest is {largest}. {share} lie beyond 2.",
        largest=number(residuals[worst], 1),
        share=percent(outside),
    )
    key = [("observed", say("other day") if flagged.any() else say("day"))]
    key += [("rain", say("{flag} day", flag=said(series.flag or "")))] if flagged.any() else []
    return f.Figure(
        name="residuals",
        title=say(
            "{share} of the one-day-ahead errors lie beyond 2 standard deviations; about 5\u00a0% would be expected",
            share=percent(outside),
        ),
        caption=say(
            "How to read: each dot is a day's measurement minus its forecast, in units of the forecast's standard "
            "deviation. Seasons, trends or a changing spread in the cloud are what the model has not captured."
        ),
        panels=(f.Panel(traces, layout, alt, height=280),),
        key=tuple(key),
        note=_flag_note(series, residuals, flagged),
    )


def memory_figure(forecast: Forecasts) -> f.Figure | None:
    """Draw the autocorrelation of the one-step-ahead errors; None where there are too few pairs of days."""
    lags, values, pairs = autocorrelation(forecast.residuals, forecast.dates)
    if lags.size == 0:
        return None
    band = 1.96 / np.sqrt(pairs)
    last = int(lags[-1])
    beyond = int(np.sum(np.abs(values) > band))
    layout = f.layout(
        say("lag (days)"),
        say("correlation"),
        annotations=[
            f.label(say("{percent} % band", percent=95), last, float(band[-1]), f.MUTED, yshift=10, xanchor="right")
        ],
        bargap=0.55,
        xaxis={"range": [0.4, last + 0.6]},
    )
    bars = {
        "type": "bar",
        "x": lags,
        "y": values,
        "marker": {"color": f.FIT},
        "hovertemplate": say("lag {n} days: {value}", n="%{x}", value="%{y:.2f}") + "<extra></extra>",
    }
    strongest = int(np.abs(values * np.sqrt(pairs)).argmax())
    largest = number(float(values[strongest]), 2)
    alt = say(
        "Autocorrelation of forecast errors up to lag {last}: farthest from 0 is {value} at lag {strongest}; {beyond} "
        "of {total} lags leave the 95 % band.",
        last=last,
        value=largest,
        strongest=int(lags[strongest]),
        beyond=beyond,
        total=lags.size,
    )
    return f.Figure(
        name="memory",
        title=say(
            "Errors {distance} apart correlate most, by {value}; {beyond} of {total} lags leave the band",
            distance=count(int(lags[strongest]), "day"),
            value=largest,
            beyond=beyond,
            total=lags.size,
        ),
        caption=say(
            "How to read: bars inside the band mean that errors have no memory, so that the model uses what the days "
            "before told. By chance one bar in 20 leaves the band; memory is told where one reaches {times} times as "
            "far.",
            times=number(MEMORY_LIMIT / 1.96, 1),
        ),
        panels=(f.Panel([*f.band(lags, -band, band, f.NEUTRAL), bars], layout, alt, height=240),),
    )


def autocorrelation(
    values: Floats, dates: NDArray[np.datetime64], max_lag: int = MAX_LAG
) -> tuple[Floats, Floats, Floats]:
    """Return lags, correlations and numbers of pairs, of lags up to a quarter of the series and with enough pairs.

    Days without a value take their pairs out.
    """
    day = (dates.astype("datetime64[D]") - dates[0].astype("datetime64[D]")).astype(int)
    full = np.full(int(day[-1]) + 1, np.nan)
    full[day] = values - values.mean()
    variance = float(np.mean(np.square(values - values.mean())))
    products = {lag: full[lag:] * full[:-lag] for lag in range(1, min(max_lag, full.size // 4) + 1)}
    kept = {lag: p[np.isfinite(p)] for lag, p in products.items() if np.isfinite(p).sum() >= MIN_PAIRS}
    found = np.array([p.mean() for p in kept.values()]) / variance
    return np.array(list(kept), dtype=float), found, np.array([p.size for p in kept.values()], dtype=float)


def _errors(forecast: Forecasts, where: NDArray[np.bool_], colour: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": f.dates(forecast.dates[where]),
        "y": forecast.residuals[where],
        "marker": {"color": colour, "size": 4, "opacity": 0.7, "symbol": symbol},
        "hovertemplate": "%{x|%Y-%m-%d}: %{y:.1f} sd<extra></extra>",
    }


def _flag_note(series: Series, residuals: Floats, flagged: NDArray[np.bool_]) -> str:
    if flagged.sum() < 10 or (~flagged).sum() < 10:
        return ""
    spread = [number(float(residuals[where].std()), 2) for where in (flagged, ~flagged)]
    mean = [number(float(residuals[where].mean()), 2) for where in (flagged, ~flagged)]
    return say(
        "Errors of {flag} days have mean {mean} and standard deviation {sd}, those of the others {other_mean} and "
        "{other_sd}.",
        flag=said(series.flag or ""),
        mean=mean[0],
        sd=spread[0],
        other_mean=mean[1],
        other_sd=spread[1],
    )
