"""Where the sampler went: its energy, and its divergences in pairs of quantities."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Assessment
from bayeskit.core.words import count, listing
from bayeskit.reporting import figures as f
from bayeskit.reporting.arviz_panels import Trace, draw, is_band, quiet, subplots, tree_of
from bayeskit.reporting.checks import format_figure
from bayeskit.reporting.results import Scalar

PAIR_DRAWS = 250


def energy_figure(statistics: xr.Dataset, assessment: Assessment) -> f.Figure:
    """Draw the densities of the energy and of its changes from draw to draw."""
    from arviz_plots import plot_energy

    centred = statistics[["energy"]] - statistics["energy"].mean()
    tree = xr.DataTree.from_dict({"sample_stats": centred})
    figure = draw(plot_energy, tree)
    curves = [trace for trace in subplots(figure)[-1] if np.size(trace.get("x", ())) > 2 and not is_band(trace)]
    styled = [
        quiet(trace, line={"color": colour, "width": 2}, fill="tozeroy", fillcolor=fill, showlegend=False)
        for trace, colour, fill in zip(curves, (f.FIT, f.PRIOR), (f.BAND_95, f.NEUTRAL), strict=False)
    ]
    values = {verdict.name: verdict.value for verdict in assessment.verdicts}
    e_bfmi = format_figure("e_bfmi", values.get("e_bfmi"))
    alt = say("Densities of energy and its changes; smallest E-BFMI {value}.", value=e_bfmi)
    layout = f.layout(
        say("energy, centred"), say("density"), yaxis={"showticklabels": False, "ticks": "", "rangemode": "tozero"}
    )
    return f.Figure(
        name="energy",
        title=say("Energy: the smallest E-BFMI of a chain is {value}", value=e_bfmi)
        if values.get("e_bfmi") is not None
        else say("Energy"),
        caption=say(
            "How to read: the change of energy from draw to draw should be about as wide as the energy itself; where "
            "it is much narrower (E-BFMI below 0.3) the tails are explored slowly."
        ),
        panels=(f.Panel(styled, layout, alt, height=240),),
        key=(("fit", say("energy")), ("prior", say("change from draw to draw"))),
    )


def pair_figure(free: Sequence[Scalar], statistics: xr.Dataset | None) -> f.Figure:
    """Draw each pair of quantities as a scatter of draws, divergent ones marked."""
    from arviz_plots import plot_pair

    shape = free[0].draws.shape
    diverging = np.zeros(shape, dtype=bool)
    if statistics is not None and "diverging" in statistics:
        diverging = statistics["diverging"].transpose("chain", "draw").to_numpy().astype(bool)
    keep = _kept(diverging)
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(keep.size)}
    flags = xr.Dataset({"diverging": (("chain", "draw"), diverging[:, keep])}, coords=coords)
    panels = []
    for first, second in combinations(free, 2):
        tree = tree_of({s.label: s.draws[:, keep] for s in (first, second)}, sample_stats=flags)
        figure = draw(plot_pair, tree, marginal=False, visuals={"divergence": bool(diverging.any())})
        scatter = [t for traces in subplots(figure) for t in traces if t.get("mode") == "markers"]
        styled = [_dots(trace, diverging=place >= shape[0]) for place, trace in enumerate(scatter)]
        x_title, y_title = (f.plot_text(_with_unit(s)) for s in (first, second))
        correlation = np.corrcoef(first.draws.ravel(), second.draws.ravel())[0, 1]
        alt = say(
            "Scatter of {first} and {second}: correlation {value}, {divergences}.",
            first=first.label,
            second=second.label,
            value=f"{correlation:.2f}",
            divergences=count(int(diverging.sum()), "divergence"),
        )
        layout = f.layout(x_title, y_title, xaxis={"nticks": 5}, yaxis={"nticks": 5})
        panels.append(f.Panel(styled, layout, alt, listing([first.label, second.label]), 260))
    n_diverging = int(diverging.sum())
    where = count(n_diverging, "divergence") if n_diverging else say("no divergences")
    shown = {"shown": f"{int(keep.size) * shape[0]:,}", "draws": f"{diverging.size:,}"}
    note = say("{shown} of {draws} draws are drawn.", **shown)
    if n_diverging:
        note = say("{shown} of {draws} draws are drawn, every divergent one among them.", **shown)
    return f.Figure(
        name="pairs",
        title=say("Pairs of quantities: {divergences} in {draws} draws", divergences=where, draws=shown["draws"])
        if statistics is not None and "diverging" in statistics
        else say("Pairs of quantities"),
        caption=say(
            "How to read: each dot is a draw. Divergent draws that gather in a corner mark a region that the sampler "
            "could not enter; a narrow ridge marks quantities that the data cannot tell apart, or one that is "
            "computed from the other."
        ),
        panels=tuple(panels),
        key=(("fit", say("draw")), ("fail", say("divergent draw"))) if n_diverging else (("fit", say("draw")),),
        note=note if keep.size < shape[1] else "",
    )


def _kept(diverging: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the draws to show: an even selection, and each in which some chain diverged."""
    n_draws = diverging.shape[1]
    even = np.linspace(0, n_draws - 1, min(PAIR_DRAWS, n_draws)).astype(int)
    return np.union1d(even, np.flatnonzero(diverging.any(axis=0)))


def _dots(trace: Trace, *, diverging: bool) -> Trace:
    if diverging:
        return quiet(
            trace, marker={"color": f.FAIL, "size": 5, "symbol": "x-thin", "line": {"width": 1.4, "color": f.FAIL}}
        )
    return quiet(trace, marker={"color": f.FIT, "size": 4, "opacity": 0.45})


def _with_unit(scalar: Scalar) -> str:
    return f"{scalar.label} ({scalar.quantity.unit})" if scalar.quantity.unit else scalar.label
