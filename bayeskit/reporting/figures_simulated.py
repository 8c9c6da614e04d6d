"""Series simulated from the prior and from the posterior, as densities beside the measured one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.types import Fit, Series
from bayeskit.core.words import NO_BREAK, count, listing, number, with_unit
from bayeskit.reporting import figures as f
from bayeskit.reporting.arviz_panels import draw, quiet, subplots
from bayeskit.reporting.results import group, observations

Floats = NDArray[np.float64]

DRAWN = 40
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
        return f"{ends[0]} to {with_unit(ends[1], unit)}"


def predictive_figure(fit: Fit, series: Series) -> f.Figure | None:
    """Draw densities of simulated series beside the measured one: before and after seeing the data.

    Series from the prior of a random walk wander further the longer they run, so that of a long one only the
    first days are compared; how far it gets in the end is told.
    """
    made, note = [], f"{DRAWN} simulated series of each kind are drawn; the numbers in the title are from all of them."
    before, after = _simulated(fit, series, "prior_predictive"), _simulated(fit, series, "posterior_predictive")
    if before is not None:
        days = min(PRIOR_DAYS, before[1].size)
        made.append(
            Simulated(before[0][:, :days], before[1][:days], f.PRIOR, f"before seeing the data (first {days} days)")
        )
        whole = Simulated(*before, f.PRIOR, "").span(series.unit)
        note += f" Over all {count(before[1].size, 'day')} the prior's series wander from {whole}."
    if after is not None:
        made.append(Simulated(*after, f.FIT, "a day ahead, after seeing them"))
    if not made:
        return None
    spans = [f"from {simulated.span(series.unit)} {simulated.when}" for simulated in made]
    return f.Figure(
        name="predictive",
        title=f"95{NO_BREAK}% of simulated values lie {listing(spans)}",
        caption="How to read: each thin curve is the distribution of one simulated series, the thick one that of "
        "what was measured on the same days. The prior's curves should be wider than the data but not "
        "absurd; the posterior's should lie around the thick one.",
        panels=tuple(_panel(simulated, series) for simulated in made),
        key=(("prior", "simulated from the prior"), ("fit", "simulated from the posterior"), ("observed", "measured")),
        note=note,
    )


def _simulated(fit: Fit, series: Series, name: str) -> tuple[Floats, Floats] | None:
    simulated, observed = group(fit, name), observations(fit, series)
    if simulated is None or observed is None or series.observed not in simulated:
        return None
    measured = observed.to_numpy().astype(float)
    values = simulated[series.observed].transpose("chain", "draw", ...).to_numpy().reshape(-1, measured.size)
    kept = np.isfinite(measured) & np.isfinite(values).all(axis=0)
    return (values[:, kept], measured[kept]) if kept.sum() > 1 else None


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
        "density",
        xaxis={"range": [low - margin, high + margin]},
        yaxis={"showticklabels": False, "ticks": "", "range": [0, top]},
        margin={"l": 30},
    )
    alt = (
        f"Densities of {chosen.shape[0]} simulated series, {simulated.when}, beside the measured one; 95 % of the "
        f"simulated values lie from {simulated.span(series.unit)}."
    )
    return f.Panel(traces, layout, alt, label=simulated.when[0].upper() + simulated.when[1:], height=240)


def _curve(trace: dict[str, Any], colour: str, width: float, opacity: float) -> dict[str, Any]:
    return quiet(trace, x=trace["x"][::2], y=trace["y"][::2], line={"color": colour, "width": width}, opacity=opacity)
