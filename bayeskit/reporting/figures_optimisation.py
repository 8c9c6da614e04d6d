"""How an optimisation went: the log likelihood by iteration, or the ELBO by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.core.words import number, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.figures_mixture_animation import log_likelihoods
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]

WINDOW = 0.05  # of all steps: what the running median is taken over
_STEEP = 0.1  # of the steps: what comes before may lie far below all others


def optimisation_figures(fit: Fit) -> list[f.Figure]:
    """Return the figures of what a run keeps of its optimisation, none where it keeps nothing."""
    made = [likelihood_figure(fit), ascent_figure(fit) if fit.provenance.engine == "vb" else elbo_figure(fit)]
    return [figure for figure in made if figure is not None]


def likelihood_figure(fit: Fit) -> f.Figure | None:
    """Draw the log likelihood by iteration, and how much each iteration gained."""
    values = log_likelihoods(fit)
    values = values[: _last_finite(values) + 1]
    if values.size < 2:
        return None
    iterations = np.arange(values.size)
    gains = np.diff(values)
    end, total = number(float(values[-1]), 1), f"{values.size - 1:,}"
    path = _dots(iterations, values, f.FIT, say("log likelihood"))
    shown = np.where(gains > 0, gains, np.nan)
    fell = int((gains < 0).sum())
    panels = [
        f.Panel(
            [path],
            f.layout(say("iteration"), say("log likelihood"), hovermode="closest"),
            say(
                "The log likelihood rises from {start} to {end} in {n} iterations.",
                start=number(float(values[0]), 1),
                end=end,
                n=total,
            ),
            height=260,
        )
    ]
    if np.isfinite(shown).sum() > 1:
        panels.append(_gains(iterations[1:], shown))
    return f.Figure(
        name="likelihood",
        title=say("The log likelihood reaches {end} after {n} iterations", end=end, n=total),
        caption=say(
            "How to read: each iteration of expectation-maximisation can only raise the log likelihood; it has arrived "
            "where the curve is flat and the gains fall along a line. A kink in the gains is a plateau that it left."
        ),
        panels=tuple(panels),
        note=say("In {n} iterations it fell, by rounding or by a floor on the covariances.", n=fell) if fell else "",
    )


def ascent_figure(fit: Fit) -> f.Figure | None:
    """Draw the evidence lower bound by iteration of coordinate ascent, which is exact, and how much each gained."""
    history = group(fit, "history")
    if history is None or "elbo" not in history:
        return None
    elbo = history["elbo"].to_numpy().astype(float).ravel()
    elbo = elbo[np.isfinite(elbo)]
    if elbo.size < 2:
        return None
    iterations, gains = np.arange(1, elbo.size + 1), np.diff(elbo)
    shown = np.where(gains > 0, gains, np.nan)
    end, n = number(float(elbo[-1]), 1), f"{elbo.size:,}"
    layout = f.layout(say("iteration"), "ELBO", hovermode="closest")
    alt = say("The ELBO rises from {start} to {end} in {n} iterations.", start=number(float(elbo[0]), 1), end=end, n=n)
    panels = [f.Panel([_dots(iterations, elbo, f.FIT, "ELBO")], layout, alt, height=260)]
    if np.isfinite(shown).sum() > 1:
        panels.append(_gains(iterations[1:], shown))
    told = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    starts = int(told.get("restarts", 1))
    return f.Figure(
        name="elbo",
        title=say("The ELBO reaches {end} after {n} iterations", end=end, n=n),
        caption=say(
            "How to read: each iteration of coordinate ascent can only raise the ELBO; it has arrived where the curve "
            "is flat and the gains fall along a line. A kink in the gains is a plateau that it left; how close the "
            "approximation is in the end, k-hat says."
        ),
        panels=tuple(panels),
        note=say("Of {n} starts the one with the highest ELBO is drawn.", n=starts) if starts > 1 else "",
    )


def _gains(iterations: NDArray[np.int64], shown: Floats) -> f.Panel:
    layout = f.layout(
        say("iteration"),
        say("gain, log scale"),
        hovermode="closest",
        yaxis={"type": "log", "exponentformat": "power", **_decades(shown)},
    )
    last = significant(float(shown[np.isfinite(shown)][-1]), 2)
    alt = say("What each iteration gains, at last {gain}.", gain=last)
    return f.Panel([_dots(iterations, shown, f.FIT, say("gain"))], layout, alt, height=260)


def _decades(values: Floats) -> dict[str, Any]:
    """Return ticks at powers of 10 where there are enough of them."""
    logs = np.log10(values[np.isfinite(values)])
    wide = float(np.ptp(logs))
    return {"dtick": max(1, round(wide / 5))} if wide > 2 else {"nticks": 4}


def _last_finite(values: Floats) -> int:
    finite = np.flatnonzero(np.isfinite(values))
    return int(finite[-1]) if finite.size else -1


def elbo_figure(fit: Fit) -> f.Figure | None:
    """Draw the evidence lower bound by step, with its running median."""
    history = group(fit, "history")
    if history is None or "elbo" not in history:
        return None
    elbo = history["elbo"].to_numpy().astype(float).ravel()
    steps = np.arange(1, elbo.size + 1)
    if "step" in history and history["step"].size == elbo.size:
        steps = history["step"].to_numpy().astype(int).ravel()
    known = np.isfinite(elbo)
    if known.sum() < 2:
        return None
    median = _smooth(history, elbo)[known]
    noisy = f.line(steps[known], elbo[known], f.PRIOR, 1, opacity=0.7, name=say("ELBO"))
    smooth = f.line(
        steps[known],
        median,
        f.FIT,
        2.2,
        name=say("running median"),
        hoverinfo="all",
        hovertemplate=say("step {n}: {value}", n="%{x}", value="%{y:.1f}") + "<extra></extra>",
    )
    layout = f.layout(say("step"), "ELBO", hovermode="closest", yaxis={"range": _height(elbo[known], median)})
    end, told = number(float(median[-1]), 1), fit.posterior["sample_stats"].attrs
    total = int(told["steps"]) if "steps" in told else int(steps[-1])
    return f.Figure(
        name="elbo",
        title=say("The ELBO stands at {end} after {n} steps", end=end, n=f"{total:,}"),
        caption=say(
            "How to read: the ELBO is what the optimiser raises; it is estimated from few draws a step, so that the "
            "grey line is noisy and the blue one, its running median, tells where it stands. It has arrived where the "
            "blue line is flat; how close the approximation is then, k-hat says."
        ),
        panels=(f.Panel([noisy, smooth], layout, say("The ELBO by step, at last {end}.", end=end), height=300),),
        key=(("prior", say("ELBO")), ("fit", say("running median"))),
        note=_cut(elbo[known], layout["yaxis"]["range"][0]),
    )


def _smooth(history: xr.Dataset, elbo: Floats) -> Floats:
    """Return the running median that the engine itself stopped by, or one of our own."""
    if "elbo_median" in history and history["elbo_median"].size == elbo.size:
        kept: Floats = history["elbo_median"].to_numpy().astype(float).ravel()
        if np.isfinite(kept[np.isfinite(elbo)]).all():
            return kept
    return running_median(elbo, max(3, round(WINDOW * elbo.size)))


def running_median(values: Floats, window: int) -> Floats:
    """Return the median of the last ``window`` values at each place, of fewer at the start."""
    padded = np.concatenate([np.full(window - 1, np.nan), values])
    found: Floats = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)
    return found


def _height(values: Floats, median: Floats) -> list[float]:
    """Return a range that shows where it settled: the first steps may lie far below."""
    late = median[int(_STEEP * median.size) :]
    low, high = float(np.min(late)), float(np.max(values))
    noise = float(np.quantile(np.abs(values - median), 0.95))
    low = max(float(np.min(values)), low - max(noise, 0.3 * (high - low)))
    margin = 0.05 * (high - low or 1.0)
    return [low - margin, high + margin]


def _cut(values: Floats, lowest: float) -> str:
    below = int((values < lowest).sum())
    return say("{n} values lie below what is drawn.", n=f"{below:,}") if below else ""


def _dots(x: NDArray[np.int64], y: Floats, colour: str, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": x,
        "y": y,
        "line": {"color": colour, "width": 1.6},
        "marker": {"color": colour, "size": 4 if x.size < 100 else 2},
        "hovertemplate": say("iteration {n}: {value}", n="%{x}", value="%{y:.4~g}") + "<extra></extra>",
    }
