"""Series simulated from the prior and from the posterior, as densities beside the measured one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit, Series
from bayeskit.core.words import count, interval, joined, listing, number, with_unit
from bayeskit.reporting import figures as f
from bayeskit.reporting.arviz_panels import draw, quiet, subplots
from bayeskit.reporting.results import group, observations

Floats = NDArray[np.float64]

DRAWN = 40
MAX_VALUES = 2**24  # of more, some series are taken
PRIOR_DAYS = 30


@dataclass(frozen=True)
class Simulated:
    """Simulated series, ``n_series x n_days``, what was measured on the same days, and how the figure shows them."""

    values: Floats
    measured: Floats
    colour: str
    when: str

    def span(self, unit: str) -> str:
        """Return where 95 % of the simulated values lie, to two digits of the width."""
        low, high = np.quantile(self.values, [0.025, 0.975])
        unit_of = 10.0 ** (math.floor(math.log10(high - low)) - 1) if high > low else 1.0
        decimals = max(0, -round(math.log10(unit_of)))
        ends = [number(round(end / unit_of) * unit_of, decimals) for end in (low, high)]
        return interval(ends[0], with_unit(ends[1], unit))


def predictive_figure(fit: Fit, series: Series) -> f.Figure | None:
    """Draw densities of simulated series beside the measured one: before and after seeing the data.

    Series from the prior of a random walk wander further the longer they run, so that of a long one only the
    first days are compared; how far it gets in the end is told.
    """
    made = []
    kinds = ("prior_predictive", "posterior_predictive")
    before, after = (_simulated(fit, series, name) for name in kinds)
    notes = [_note(fit, series, kinds)]
    if before is not None:
        days = min(PRIOR_DAYS, before[1].size)
        when = say("before seeing the data (first {days} days)", days=days)
        made.append(Simulated(before[0][:, :days], before[1][:days], f.PRIOR, when))
        whole = Simulated(*before, f.PRIOR, "").span(series.unit)
        notes.append(
            say("Over all {days} the prior's series wander from {span}.", days=count(before[1].size, "day"), span=whole)
        )
    if after is not None:
        made.append(Simulated(*after, f.FIT, say("a day ahead, after seeing them")))
    if not made:
        return None
    spans = [say("from {span} {when}", span=item.span(series.unit), when=item.when) for item in made]
    return f.Figure(
        name="predictive",
        title=say("95\u00a0% of simulated values lie {spans}", spans=listing(spans)),
        caption=say(
            "How to read: each thin curve is the distribution of one simulated series, the thick one that of what was "
            "measured on the same days. The prior's curves should be wider than the data but not absurd; the "
            "posterior's should lie around the thick one."
        ),
        panels=tuple(_panel(simulated, series) for simulated in made),
        key=(
            ("prior", say("simulated from the prior")),
            ("fit", say("simulated from the posterior")),
            ("observed", say("measured")),
        ),
        note=joined(notes),
    )


def _simulated(fit: Fit, series: Series, name: str) -> tuple[Floats, Floats] | None:
    simulated, observed = group(fit, name), observations(fit, series)
    if simulated is None or observed is None or series.observed not in simulated:
        return None
    measured = observed.to_numpy().astype(float)
    values = _few(simulated[series.observed]).transpose("chain", "draw", ...).to_numpy()
    values = values.reshape(-1, measured.size)
    kept = np.isfinite(measured) & np.isfinite(values).all(axis=0)
    return (values[:, kept], measured[kept]) if kept.sum() > 1 else None


def _few(array: xr.DataArray) -> xr.DataArray:
    """Return a variable with every draw, or one in so many that not too many values are left."""
    return array.isel(draw=slice(None, None, max(1, math.ceil(array.size / MAX_VALUES))))


def _note(fit: Fit, series: Series, kinds: tuple[str, ...]) -> str:
    groups = [group(fit, name) for name in kinds]
    data = [found[series.observed] for found in groups if found is not None and series.observed in found]
    pairs = [tuple(found.sizes["chain"] * found.sizes["draw"] for found in (_few(array), array)) for array in data]
    if all(few == every for few, every in pairs):
        return say(
            "{n} simulated series of each kind are drawn; the numbers in the title are from all of them.", n=DRAWN
        )
    told = [say("{few} of {all}", few=f"{few:,}", all=f"{every:,}") for few, every in pairs]
    return say(
        "{n} simulated series of each kind are drawn; the numbers in the title are from {which}.",
        n=DRAWN,
        which=listing(told),
    )


def _panel(simulated: Simulated, series: Series) -> f.Panel:
    from arviz_plots import plot_ppc_dist

    n_series = simulated.values.shape[0]
    chosen = simulated.values[np.linspace(0, n_series - 1, min(DRAWN, n_series)).astype(int)]
    tree = xr.DataTree.from_dict(
        {
            "posterior_predictive": xr.Dataset({"y": (("chain", "draw", "obs"), chosen[None])}),
            "observed_data": xr.Dataset({"y": ("obs", simulated.measured)}),
        }
    )
    curves = subplots(draw(plot_ppc_dist, tree, num_samples=chosen.shape[0], visuals={"title": False}))[0]
    traces = [_curve(trace, simulated.colour, 1, 0.35) for trace in curves[:-1]]
    traces.append(_curve(curves[-1], f.OBSERVED, 2.4, 1.0))
    low, high = np.quantile(simulated.values, [0.025, 0.975])
    margin = 0.35 * (high - low)
    # A few simulated series hardly move: their peaks would flatten all the others.
    top = min(1.05 * max(float(curve["y"].max()) for curve in curves), 2.5 * float(curves[-1]["y"].max()))
    layout = f.layout(
        f.plot_text(f"{series.label} ({series.unit})"),
        say("density"),
        xaxis={"range": [low - margin, high + margin]},
        yaxis={"showticklabels": False, "ticks": "", "range": [0, top]},
        margin={"l": 30},
    )
    alt = say(
        "Densities of {n} simulated series, {when}, beside the measured one; 95 % of the simulated values lie from "
        "{span}.",
        n=chosen.shape[0],
        when=simulated.when,
        span=simulated.span(series.unit),
    )
    return f.Panel(traces, layout, alt, label=simulated.when[0].upper() + simulated.when[1:], height=240)


def _curve(trace: dict[str, Any], colour: str, width: float, opacity: float) -> dict[str, Any]:
    return quiet(trace, x=trace["x"][::2], y=trace["y"][::2], line={"color": colour, "width": width}, opacity=opacity)
