"""Did the computation work? ArviZ's diagnostic plots of the scalar quantities and of the worst few states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import count, listing, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.arviz_panels import Trace, draw, is_band, quiet, restyled, subplots, tree_of
from bayeskit.reporting.figures_geometry import energy_figure, pair_figure
from bayeskit.reporting.results import Scalar, group

RANK_DRAWS = 250
TRACE_DRAWS = 1000
PAIR_SCALARS = 4
MAX_LAG = 60

_BAND = {"ecdf_pit": {"n_simulations": 500}}


def diagnostic_figures(fit: Fit, assessment: Assessment, shown: Sequence[Scalar]) -> list[f.Figure]:
    """Return the figures for Markov chains, those that can be made.

    Parameters
    ----------
    shown
        The scalar quantities, then the worst few states.
    """
    moving = [scalar for scalar in shown if np.ptp(scalar.draws) > 0 and np.isfinite(scalar.draws).all()]
    if not moving or moving[0].draws.shape[1] < 20:
        return []
    made = [_rank(moving), _trace(moving), _evolution(moving, assessment), _autocorrelation(moving)]
    statistics = group(fit, "sample_stats")
    if statistics is not None and "energy" in statistics:
        made.append(energy_figure(statistics, assessment))
    free = [scalar for scalar in moving if "[" not in scalar.label or scalar.row.size][:PAIR_SCALARS]
    if len(free) > 1:
        made.append(pair_figure(free, statistics))
    return made


def _rank(shown: Sequence[Scalar]) -> f.Figure:
    from arviz_plots import plot_rank

    n_chains = shown[0].draws.shape[0]
    thinned, step = _thinned(shown, RANK_DRAWS)
    figure = draw(plot_rank, tree_of(thinned), visuals={"title": False}, color=_colours(n_chains), stats=_BAND)
    panels, leaving = [], []
    for scalar, traces in zip(shown, subplots(figure), strict=True):
        outside = _leaves_band(traces)
        if outside:
            leaving.append(scalar.label)
        styled = restyled(traces, lambda _, trace: _ranked(trace))
        alt = f"Rank plot of {scalar.label}: {count(outside, 'chain')} of {n_chains} leave the 99 % band."
        layout = f.layout("fractional rank", "Δ ECDF", xaxis={"range": [0, 1]}, yaxis={"nticks": 4})
        panels.append(f.Panel(styled, layout, alt, scalar.label))
    title = (
        f"Ranks: chains leave the band for {listing(leaving)}"
        if leaving
        else "Ranks: every chain stays within the 99 % band"
    )
    return f.Figure(
        name="ranks",
        title=title,
        caption="How to read: each curve compares one chain's ranks with those of all chains together; chains that "
        "sample the same distribution stay in the grey band.",
        panels=tuple(panels),
        key=(*f.chain_key(n_chains), ("neutral", "99 % band")),
        note=_thin_note(step),
    )


def _trace(shown: Sequence[Scalar]) -> f.Figure:
    from arviz_plots import plot_trace

    n_chains = shown[0].draws.shape[0]
    thinned, step = _thinned(shown, TRACE_DRAWS)
    figure = draw(plot_trace, tree_of(thinned), visuals={"title": False}, color=_colours(n_chains))
    panels = []
    for scalar, traces in zip(shown, subplots(figure), strict=True):
        styled = [
            quiet(t, x=t["x"] * step, line={"color": t["line"]["color"], "width": 0.8}, opacity=0.75) for t in traces
        ]
        unit = f" ({scalar.quantity.unit})" if scalar.quantity.unit else ""
        low, high = scalar.draws.mean(axis=1).min(), scalar.draws.mean(axis=1).max()
        alt = f"Trace of {scalar.label}: the means of the chains lie between {low:.3g} and {high:.3g}{unit}."
        panels.append(
            f.Panel(styled, f.layout("draw", f.plot_text(unit.strip(" ()")), yaxis={"nticks": 4}), alt, scalar.label)
        )
    return f.Figure(
        name="traces",
        title="Traces: every chain's path through each quantity",
        caption="How to read: good chains look like the same hairy caterpillar, lying on top of each other; a chain "
        "that stays apart, sticks or drifts has not found the common distribution.",
        panels=tuple(panels),
        key=f.chain_key(n_chains),
        note=_thin_note(step),
    )


def _evolution(shown: Sequence[Scalar], assessment: Assessment) -> f.Figure:
    from arviz_plots import plot_ess_evolution

    figure = draw(plot_ess_evolution, tree_of({s.label: s.draws for s in shown}), visuals={"title": False})
    needed = {verdict.name: verdict.threshold for verdict in assessment.verdicts}.get("ess_bulk")
    panels = []
    for scalar, traces in zip(shown, subplots(figure), strict=True):
        layout = f.layout("draws, all chains", "ESS", yaxis={"rangemode": "tozero", "nticks": 4})
        styled = [quiet(trace, **_sized(place)) for place, trace in enumerate(traces)]
        total = float(max(np.max(trace["y"]) for trace in traces))
        alt = (
            f"Effective sample size of {scalar.label} as draws accumulate, up to {number(total, 0)}; "
            f"{number(needed or 0, 0)} are needed."
        )
        panels.append(f.Panel(styled, layout, alt, scalar.label))
    least = _least(assessment)
    return f.Figure(
        name="evolution",
        title=f"Effective sample size: {least}" if least else "Effective sample size as draws accumulate",
        caption="How to read: bulk and tail effective sample sizes should grow in proportion to the draws and end "
        "above the dashed line; a curve that flattens tells of a chain that is stuck.",
        panels=tuple(panels),
        key=(("accent", "bulk"), ("fail", "tail"), ("muted", "what is needed")),
    )


def _autocorrelation(shown: Sequence[Scalar]) -> f.Figure:
    from arviz_plots import plot_autocorr

    n_chains = shown[0].draws.shape[0]
    max_lag = min(MAX_LAG, shown[0].draws.shape[1] // 4)
    tree = tree_of({scalar.label: scalar.draws for scalar in shown})
    figure = draw(plot_autocorr, tree, max_lag=max_lag, visuals={"title": False}, color=_colours(n_chains))
    panels, fading = [], []
    for scalar, traces in zip(shown, subplots(figure), strict=True):
        chains = [trace for trace in traces if not is_band(trace) and trace.get("line", {}).get("dash") is None]
        lag = _fades(chains)
        fading.append((lag, scalar.label))
        styled = [quiet(t, line={"color": t["line"]["color"], "width": 1.4}) for t in chains]
        words = f"falls below 0.1 at lag {lag}" if lag < max_lag else f"stays above 0.1 up to lag {max_lag}"
        zero = {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": 0,
            "y1": 0,
            "line": {"color": f.MUTED, "width": 1},
        }
        layout = f.layout("lag (draws)", "correlation", yaxis={"range": [-0.25, 1.02], "nticks": 4}, shapes=[zero])
        panels.append(f.Panel(styled, layout, f"Autocorrelation of {scalar.label}: {words}.", scalar.label))
    slowest, where = max(fading)
    after = f"forgets where it was after {count(slowest, 'draw')}"
    if slowest >= max_lag:
        after = f"still remembers where it was {max_lag} draws before"
    return f.Figure(
        name="autocorrelation",
        title=f"Autocorrelation: the slowest ({where}) {after}",
        caption="How to read: the sooner a curve falls to 0, the more each draw is worth; 'forgets' means below 0.1 "
        "in every chain.",
        panels=tuple(panels),
        key=f.chain_key(n_chains),
    )


def _thinned(shown: Sequence[Scalar], n_draws: int) -> tuple[dict[str, NDArray[np.float64]], int]:
    step = max(1, -(-shown[0].draws.shape[1] // n_draws))
    return {scalar.label: scalar.draws[:, ::step] for scalar in shown}, step


def _thin_note(step: int) -> str:
    ordinal = {2: "second", 3: "third"}.get(step, f"{step}th")
    return "" if step == 1 else f"Drawn from every {ordinal} draw."


def _colours(n_chains: int) -> list[str]:
    return [f.chain_colour(chain) for chain in range(n_chains)]


def _ranked(trace: Trace) -> Trace:
    if trace.get("mode") == "none":
        return quiet(trace, fillcolor=f.NEUTRAL)
    if is_band(trace):
        return quiet(trace)
    return quiet(trace, line={**trace["line"], "width": 1.4})


def _leaves_band(traces: Sequence[Trace]) -> int:
    bottom = next(trace["y"] for trace in traces if is_band(trace) and trace.get("mode") != "none")
    top = next(trace["y"] for trace in traces if trace.get("mode") == "none")
    x = next(trace["x"] for trace in traces if is_band(trace))
    lines = [trace for trace in traces if not is_band(trace)]
    inside = [np.interp(x, line["x"], line["y"]) for line in lines]
    # A step of the curve's own resolution is no evidence.
    slack = 1.0 / len(lines[0]["x"])
    return sum(bool(np.any((y < bottom - slack) | (y > top + slack))) for y in inside)


def _sized(place: int) -> dict[str, Any]:
    colours = {0: f.FIT, 1: f.FIT, 2: f.FAIL, 3: f.FAIL}
    if place in (0, 2):
        return {"marker": {"color": colours[place], "size": 5}}
    if place in colours:
        return {"line": {"color": colours[place], "width": 1.4}}
    return {"line": {"color": f.MUTED, "width": 1, "dash": "dash"}}


def _least(assessment: Assessment) -> str:
    if "ess_bulk" not in assessment.summary:
        return ""
    column = assessment.summary["ess_bulk"].dropna()
    return f"the smallest is {number(float(column.min()), 0)} ({column.idxmin()})" if column.size else ""


def _fades(chains: Sequence[Trace]) -> int:
    values = np.abs(np.stack([np.asarray(trace["y"], dtype=float) for trace in chains])).max(axis=0)
    below = np.flatnonzero(values < 0.1)
    return int(below[0]) if below.size else values.size
