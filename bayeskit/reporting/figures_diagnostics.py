"""Did the computation work? ArviZ's diagnostic plots of the scalar quantities and of the worst few states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import listing, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.arviz_panels import Trace, draw, is_band, quiet, subplots, tree_of
from bayeskit.reporting.figures_geometry import energy_figure, pair_figure
from bayeskit.reporting.figures_ranks import rank_figure
from bayeskit.reporting.results import Scalar, group

TRACE_DRAWS = 1000
PAIR_SCALARS = 4
MAX_LAG = 60
MAX_CHAINS = 8  # of more, so many are drawn, evenly spaced


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
    drawn, note = _some_chains(moving)
    made = [rank_figure(drawn, assessment), _trace(drawn), _evolution(moving, assessment)]
    if any(_moves(scalar) for scalar in drawn):
        made.append(_autocorrelation(drawn))
    if note:  # the effective sample sizes are of all chains
        told = [" ".join(filter(None, (figure.note, note))) for figure in made]
        made = [one if one.name == "evolution" else replace(one, note=n) for one, n in zip(made, told, strict=True)]
    statistics = group(fit, "sample_stats")
    if statistics is not None and "energy" in statistics:
        made.append(energy_figure(statistics, assessment))
    free = [scalar for scalar in drawn if "[" not in scalar.label or scalar.row.size][:PAIR_SCALARS]
    if len(free) > 1:
        made.append(pair_figure(free, statistics if not note else None))
    return made


def _some_chains(shown: Sequence[Scalar]) -> tuple[list[Scalar], str]:
    """Return the quantities with the chains that are drawn, and what is said of the others."""
    n_chains = shown[0].draws.shape[0]
    if n_chains <= 2 * MAX_CHAINS:
        return list(shown), ""
    places = np.linspace(0, n_chains - 1, MAX_CHAINS).astype(int)
    note = say("Drawn: {n} of {total} chains.", n=MAX_CHAINS, total=n_chains)
    return [replace(scalar, draws=scalar.draws[places]) for scalar in shown], note


def _trace(shown: Sequence[Scalar]) -> f.Figure:
    from arviz_plots import plot_trace

    n_chains = shown[0].draws.shape[0]
    step = math.ceil(shown[0].draws.shape[1] / TRACE_DRAWS)
    thinned = {scalar.label: scalar.draws[:, ::step] for scalar in shown}
    figure = draw(plot_trace, tree_of(thinned), visuals={"title": False}, color=_colours(n_chains))
    panels = []
    for scalar, traces in zip(shown, subplots(figure), strict=True):
        styled = [
            quiet(t, x=t["x"] * step, line={"color": t["line"]["color"], "width": 0.8}, opacity=0.75) for t in traces
        ]
        unit = f" ({scalar.quantity.unit})" if scalar.quantity.unit else ""
        low, high = scalar.draws.mean(axis=1).min(), scalar.draws.mean(axis=1).max()
        alt = say(
            "Trace of {quantity}: the means of the chains lie between {low} and {high}{unit}.",
            quantity=scalar.label,
            low=f"{low:.3g}",
            high=f"{high:.3g}",
            unit=unit,
        )
        layout = f.layout(say("draw"), f.plot_text(unit.strip(" ()")), yaxis={"nticks": 4})
        panels.append(f.Panel(styled, layout, alt, scalar.label))
    return f.Figure(
        name="traces",
        title=say("Traces: every chain's path through each quantity"),
        caption=say(
            "How to read: good chains look like the same hairy caterpillar, lying on top of each other; a chain "
            "that stays apart, sticks or drifts has not found the common distribution."
        ),
        panels=tuple(panels),
        key=f.chain_key(n_chains),
        note=_thin_note(step),
    )


def _evolution(shown: Sequence[Scalar], assessment: Assessment) -> f.Figure:
    from arviz_plots import plot_ess_evolution

    needed = {verdict.name: verdict.threshold for verdict in assessment.verdicts}.get("ess_bulk")
    tree = tree_of({s.label: s.draws for s in shown})
    visuals = {"title": False} if needed is not None else {"title": False, "min_ess": False}
    figure = draw(plot_ess_evolution, tree, visuals=visuals, min_ess=needed or 0)
    panels = []
    for scalar, traces in zip(shown, subplots(figure), strict=True):
        layout = f.layout(say("draws, all chains"), "ESS", yaxis={"rangemode": "tozero", "nticks": 4})
        styled = [quiet(trace, **_sized(place)) for place, trace in enumerate(traces)]
        total = float(max(np.max(trace["y"]) for trace in traces))
        told = {"quantity": scalar.label, "most": number(total, 0)}
        alt = say("Effective sample size of {quantity} as draws accumulate, up to {most}.", **told)
        if needed is not None:
            alt = say(
                "Effective sample size of {quantity} as draws accumulate, up to {most}; {needed} are needed.",
                needed=number(needed, 0),
                **told,
            )
        panels.append(f.Panel(styled, layout, alt, scalar.label))
    least = _least(assessment)
    how = say(
        "How to read: bulk and tail effective sample sizes should grow in proportion to the draws; a curve that "
        "flattens tells of a chain that is stuck."
    )
    if needed is not None:
        how = say(
            "How to read: bulk and tail effective sample sizes should grow in proportion to the draws and end above "
            "the dashed line; a curve that flattens tells of a chain that is stuck."
        )
    return f.Figure(
        name="evolution",
        title=say("Effective sample size: the smallest is {least}", least=least)
        if least
        else say("Effective sample size as draws accumulate"),
        caption=how,
        panels=tuple(panels),
        key=(
            ("fit", say("bulk")),
            ("fail", say("tail")),
            *((("muted", say("what is needed")),) if needed is not None else ()),
        ),
    )


def _moves(scalar: Scalar) -> bool:
    """Whether every chain moves, so that it has an autocorrelation: chains of discrete quantities may never do."""
    return bool(np.ptp(scalar.draws, axis=1).min() > 0)


def _autocorrelation(shown: Sequence[Scalar]) -> f.Figure:
    from arviz_plots import plot_autocorr

    still = [scalar.label for scalar in shown if not _moves(scalar)]
    shown = [scalar for scalar in shown if _moves(scalar)]
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
        alt = say("Autocorrelation of {quantity}: falls below 0.1 at lag {lag}.", quantity=scalar.label, lag=lag)
        if lag >= max_lag:
            alt = say(
                "Autocorrelation of {quantity}: stays above 0.1 up to lag {lag}.", quantity=scalar.label, lag=max_lag
            )
        zero = {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": 0,
            "y1": 0,
            "line": {"color": f.MUTED, "width": 1},
        }
        layout = f.layout(
            say("lag (draws)"), say("correlation"), yaxis={"range": [-0.25, 1.02], "nticks": 4}, shapes=[zero]
        )
        panels.append(f.Panel(styled, layout, alt, scalar.label))
    slowest, where = max(fading)
    title = say_count(
        slowest,
        "Autocorrelation: the slowest ({quantity}) forgets where it was after {n} draw",
        "Autocorrelation: the slowest ({quantity}) forgets where it was after {n} draws",
        quantity=where,
    )
    if slowest >= max_lag:
        title = say(
            "Autocorrelation: the slowest ({quantity}) still remembers where it was {draws} draws before",
            quantity=where,
            draws=max_lag,
        )
    return f.Figure(
        name="autocorrelation",
        title=title,
        caption=say(
            "How to read: the sooner a curve falls to 0, the more each draw is worth; 'forgets' means below 0.1 in "
            "every chain."
        ),
        panels=tuple(panels),
        key=f.chain_key(n_chains),
        note=say("Not drawn, as a chain never moves: {quantities}.", quantities=listing(still)) if still else "",
    )


def _thin_note(step: int) -> str:
    return "" if step == 1 else say("Drawn: one draw in {step}.", step=step)


def _colours(n_chains: int) -> list[str]:
    return [f.chain_colour(chain) for chain in range(n_chains)]


def _sized(place: int) -> dict[str, Any]:
    colours = {0: f.FIT, 1: f.FIT, 2: f.FAIL, 3: f.FAIL}
    if place in (0, 2):
        return {"marker": {"color": colours[place], "size": 5}}
    if place in colours:
        return {"line": {"color": colours[place], "width": 1.4}}
    return {"line": {"color": f.MUTED, "width": 1, "dash": "dash"}}


def _least(assessment: Assessment) -> str:
    bulk, tail = mark("{n} in the bulk ({quantity})"), mark("{n} in the tail ({quantity})")
    columns = {bulk: "ess_bulk", tail: "ess_tail"}
    found = {told: assessment.summary[key].dropna() for told, key in columns.items() if key in assessment.summary}
    return listing(
        [
            say(told, n=number(float(column.min()), 0), quantity=str(column.idxmin()))
            for told, column in found.items()
            if column.size
        ]
    )


def _fades(chains: Sequence[Trace]) -> int:
    values = np.abs(np.stack([np.asarray(trace["y"], dtype=float) for trace in chains])).max(axis=0)
    below = np.flatnonzero(values < 0.1)
    return int(below[0]) if below.size else values.size
