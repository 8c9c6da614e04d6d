"""Did the computation work? ArviZ's diagnostic plots of the scalar quantities and of the worst few states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import count, listing, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.arviz_panels import Trace, draw, is_band, quiet, subplots, tree_of
from bayeskit.reporting.figures_geometry import energy_figure, pair_figure
from bayeskit.reporting.results import Scalar, group

RANK_DRAWS = 250
RANK_ESS = 100  # a chain; below that a run fails, and its draws are taken as they are
RANK_PROBABILITY = 0.99
TRACE_DRAWS = 1000
PAIR_SCALARS = 4
MAX_LAG = 60


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
    made = [_rank(moving, assessment), _trace(moving), _evolution(moving, assessment), _autocorrelation(moving)]
    statistics = group(fit, "sample_stats")
    if statistics is not None and "energy" in statistics:
        made.append(energy_figure(statistics, assessment))
    free = [scalar for scalar in moving if "[" not in scalar.label or scalar.row.size][:PAIR_SCALARS]
    if len(free) > 1:
        made.append(pair_figure(free, statistics))
    return made


def _rank(shown: Sequence[Scalar], assessment: Assessment) -> f.Figure:
    from arviz_plots import plot_rank

    n_chains, n_draws = shown[0].draws.shape
    step = _rank_step(shown, assessment)
    thinned = {scalar.label: scalar.draws[:, ::step] for scalar in shown}
    visuals = {"title": False, "credible_interval": False}
    figure = draw(
        plot_rank,
        tree_of(thinned),
        visuals=visuals,
        color=_colours(n_chains),
        stats={"ecdf_pit": {"n_simulations": 1}},  # ArviZ's own band is for one panel, and not drawn.
    )
    n_quantities = max(len(shown), int(assessment.summary["r_hat"].notna().sum()))
    edge = rank_band(math.ceil(n_draws / step), n_chains, n_quantities)
    panels, leaving = [], []
    for scalar, traces in zip(shown, subplots(figure), strict=True):
        outside = sum(bool(np.max(np.abs(trace["y"])) > edge) for trace in traces)
        if outside:
            leaving.append(scalar.label)
        grey = f.band([0.0, 1.0], [-edge, -edge], [edge, edge], f.NEUTRAL)
        curves = [quiet(trace, line={**trace["line"], "width": 1.4}) for trace in traces]
        alt = f"Rank plot of {scalar.label}: {count(outside, 'chain')} of {n_chains} leave the band."
        layout = f.layout("fractional rank", "Δ ECDF", xaxis={"range": [0, 1]}, yaxis={"nticks": 4})
        panels.append(f.Panel([*grey, *curves], layout, alt, scalar.label))
    return f.Figure(
        name="ranks",
        title=f"Ranks: chains part for {listing(leaving)}" if leaving else "Ranks: no chain leaves the band",
        caption="How to read: each curve compares one chain's ranks with those of all chains together. If all chains "
        f"sample the same distribution, the curves of all {count(n_quantities, 'quantity', 'quantities')} stay in "
        f"the grey band with {number(100 * RANK_PROBABILITY, 0)} % probability; the panels show the parameters and the "
        "quantities of the highest R-hat.",
        panels=tuple(panels),
        key=(*f.chain_key(n_chains), ("neutral", "band for all quantities together")),
        note=_thin_note(step),
    )


def rank_band(n_draws: int, n_chains: int, n_quantities: int) -> float:
    """Return how far from 0 the rank curves of chains that agree get, all of them, with ``RANK_PROBABILITY``.

    Kolmogorov's distribution of one curve's largest distance, the miss shared out evenly over the curves: the panels
    show the worst of many quantities, so that a band for one of them would often cry wolf. Ranks among all chains
    spread less than a chain's own draws do, as it is one of those that it is compared with.
    """
    from scipy.stats import kstwo

    pooled = math.sqrt(1 - 1 / n_chains) if n_chains > 1 else 1.0
    return pooled * float(kstwo.isf((1 - RANK_PROBABILITY) / (n_chains * n_quantities), n_draws))


def _rank_step(shown: Sequence[Scalar], assessment: Assessment) -> int:
    """Return which draws to take so that they are few, and nearly independent: the band is for independent ones."""
    n_chains, n_draws = shown[0].draws.shape
    step: int = math.ceil(n_draws / RANK_DRAWS)
    labels = [scalar.label for scalar in shown if scalar.label in assessment.summary.index]
    if labels and "ess_bulk" in assessment.summary:
        least = float(assessment.summary.loc[labels, "ess_bulk"].min())
        if least >= RANK_ESS * n_chains:
            step = max(step, math.ceil(n_chains * n_draws / least))
    return step


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

    needed = {verdict.name: verdict.threshold for verdict in assessment.verdicts}.get("ess_bulk")
    tree = tree_of({s.label: s.draws for s in shown})
    visuals = {"title": False} if needed is not None else {"title": False, "min_ess": False}
    figure = draw(plot_ess_evolution, tree, visuals=visuals, min_ess=needed or 0)
    panels = []
    for scalar, traces in zip(shown, subplots(figure), strict=True):
        layout = f.layout("draws, all chains", "ESS", yaxis={"rangemode": "tozero", "nticks": 4})
        styled = [quiet(trace, **_sized(place)) for place, trace in enumerate(traces)]
        total = float(max(np.max(trace["y"]) for trace in traces))
        alt = f"Effective sample size of {scalar.label} as draws accumulate, up to {number(total, 0)}"
        alt += f"; {number(needed, 0)} are needed." if needed is not None else "."
        panels.append(f.Panel(styled, layout, alt, scalar.label))
    least = _least(assessment)
    return f.Figure(
        name="evolution",
        title=f"Effective sample size: {least}" if least else "Effective sample size as draws accumulate",
        caption="How to read: bulk and tail effective sample sizes should grow in proportion to the draws"
        f"{' and end above the dashed line' if needed is not None else ''}; a curve that flattens tells of a chain "
        "that is stuck.",
        panels=tuple(panels),
        key=(("fit", "bulk"), ("fail", "tail"), *((("muted", "what is needed"),) if needed is not None else ())),
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


def _thin_note(step: int) -> str:
    return "" if step == 1 else f"Drawn: one draw in {step}."


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
    columns = {"bulk": "ess_bulk", "tail": "ess_tail"}
    found = {name: assessment.summary[key].dropna() for name, key in columns.items() if key in assessment.summary}
    worst = [
        f"{number(float(column.min()), 0)} in the {name} ({column.idxmin()})"
        for name, column in found.items()
        if column.size
    ]
    return f"the smallest is {listing(worst)}" if worst else ""


def _fades(chains: Sequence[Trace]) -> int:
    values = np.abs(np.stack([np.asarray(trace["y"], dtype=float) for trace in chains])).max(axis=0)
    below = np.flatnonzero(values < 0.1)
    return int(below[0]) if below.size else values.size
