"""Does the program's model fit? What was observed against the replications that the program drew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.words import count, joined, listing, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.figures_intervals import Intervals, interval_panel
from bayeskit.reporting.figures_reliability import reliability_figure
from bayeskit.reporting.replicated import MIN_JUDGED, PROBABILITY, Replicated

Floats = NDArray[np.float64]

FEW = 60  # observations that can be looked at one by one
POINTS = 160
MAX_STEPS = 50
CENTRAL = 0.998


def replication_figures(found: list[Replicated]) -> list[f.Figure]:
    """Return the figures of all observed variables."""
    made = []
    for place, replicated in enumerate(found, 1):
        made.append(_compared(replicated, place))
        if replicated.nature != "binary" and replicated.observed.size >= MIN_JUDGED:
            made.append(_transformed(replicated, place))
        if replicated.reliability is not None:
            made.append(reliability_figure(replicated, replicated.reliability, place))
    return made


def _compared(replicated: Replicated, place: int) -> f.Figure:
    name = replicated.name
    wide = say(
        "{share} of the values of {name} lie in their 95\u00a0% predictive interval",
        share=percent(replicated.coverage(0.95)),
        name=name,
    )
    if replicated.nature == "binary":
        seen, low, high = replicated.share
        title = say(
            "{name} is 1 in {seen} of the data, and in {low} to {high} of replications",
            name=name,
            seen=percent(seen),
            low=percent(low),
            high=percent(high),
        )
        panel, how = _steps(replicated), _HOW["bars"]
    elif replicated.observed.size <= FEW:
        title, panel, how = wide, _one_by_one(replicated), _HOW["each"]
    elif replicated.nature == "counts":
        title, panel, how = wide, _steps(replicated), _HOW["bars"]
    else:
        title, panel, how = wide, _density(replicated), _HOW["density"]
    return f.Figure(
        name=f"replicated-{place}",
        title=title,
        caption=say(how),
        panels=(panel,),
        key=(("observed", say("observed")), ("fit", say("replicated by the model"))),
        note=_thinned(replicated),
    )


_HOW = {
    "each": mark(
        "How to read: each dot is an observation, beside the values that the model draws in its place: 68 % of these "
        "in the thick part, 95 % in the thin one."
    ),
    "bars": mark(
        "How to read: bars are what was observed, dots and intervals how often the model draws the same values (68 % "
        "thick, 95 % thin); bars that end outside are what it misses."
    ),
    "density": mark(
        "How to read: the line is the distribution of what was observed, the bands hold that of 68 % and 95 % of the "
        "data sets that the model draws in its place; where the line leaves the bands, the model misses something."
    ),
}


def _one_by_one(replicated: Replicated) -> f.Panel:
    low95, low68, high68, high95 = np.quantile(replicated.draws, [0.025, 0.16, 0.84, 0.975], axis=0)
    mean = replicated.draws.mean(0)
    index = np.arange(1, mean.size + 1)
    found = Intervals(index, replicated.labels, mean, low95, low68, high68, high95, observed=replicated.observed)
    return replace(interval_panel(found, replicated.name, 320), label="")


def _density(replicated: Replicated) -> f.Panel:
    pooled = np.concatenate([replicated.draws.ravel(), replicated.observed])
    low, high = np.quantile(pooled, [(1 - CENTRAL) / 2, (1 + CENTRAL) / 2])
    low, high = min(low, replicated.observed.min()), max(high, replicated.observed.max())
    margin = 0.05 * (high - low or 1.0)
    edges = np.linspace(low - margin, high + margin, POINTS + 1)
    width = _bandwidth(replicated.observed) / (edges[1] - edges[0])
    curves = np.stack([_smooth(values, edges, width) for values in replicated.draws])
    ends = np.quantile(curves, [0.025, 0.16, 0.84, 0.975], axis=0)
    centres = (edges[:-1] + edges[1:]) / 2
    traces = [
        *f.band(centres, ends[0], ends[3], f.BAND_95),
        *f.band(centres, ends[1], ends[2], f.BAND_68),
        f.line(centres, _smooth(replicated.observed, edges, width), f.OBSERVED, 2.2),
    ]
    layout = f.layout(
        f.plot_text(replicated.name),
        say("density"),
        yaxis={"rangemode": "tozero", "showticklabels": False, "ticks": ""},
    )
    return f.Panel(traces, layout, _alt(replicated), height=320)


def _bandwidth(values: Floats) -> float:
    """Return Silverman's rule of thumb, one for all curves, so that they can be compared."""
    quartiles = np.quantile(values, [0.25, 0.75])
    spread = min(values.std(), (quartiles[1] - quartiles[0]) / 1.34) or values.std() or 1.0
    return float(0.9 * spread * values.size**-0.2)


def _smooth(values: Floats, edges: Floats, width: float) -> Floats:
    from scipy.ndimage import gaussian_filter1d

    counts = np.histogram(values, bins=edges)[0].astype(float)
    curve: Floats = gaussian_filter1d(counts, width, mode="constant") / (values.size * (edges[1] - edges[0]))
    return curve


def _steps(replicated: Replicated) -> f.Panel:
    """Draw how often each value occurs; of many values, how often each range does."""
    low = np.floor(min(replicated.observed.min(), np.quantile(replicated.draws, 0.001)))
    high = np.ceil(max(replicated.observed.max(), np.quantile(replicated.draws, 0.999)))
    width = max(1.0, np.ceil((high - low + 1) / MAX_STEPS))
    edges = np.arange(low - 0.5, high + 0.5 + width, width)
    centres = (edges[:-1] + edges[1:]) / 2
    counts = np.stack([np.histogram(values, bins=edges)[0] for values in replicated.draws])
    ends = np.quantile(counts, [0.025, 0.16, 0.84, 0.975], axis=0)
    bars = {
        "type": "bar",
        "x": centres,
        "y": np.histogram(replicated.observed, bins=edges)[0],
        "marker": {"color": "var(--neutral)", "line": {"color": f.OBSERVED, "width": 1.2}},
        "hovertemplate": say("observed {n} times", n="%{y}") + "<extra></extra>",
    }
    traces = [bars, *_sticks(centres, ends), _middles(centres, np.median(counts, axis=0))]
    ticks = {"tickvals": centres.tolist()} if centres.size <= 12 else {}
    layout = f.layout(
        f.plot_text(replicated.name), say("how often"), bargap=0.25, xaxis=ticks, yaxis={"rangemode": "tozero"}
    )
    return f.Panel(traces, layout, _alt(replicated), height=320)


def _sticks(x: Floats, ends: Floats) -> list[dict[str, Any]]:
    gap = np.full(x.size, np.nan)
    along = np.stack([x, x, gap], axis=-1).ravel()
    return [
        f.line(along, np.stack([low, high, gap], axis=-1).ravel(), f.FIT, width, connectgaps=False)
        for low, high, width in ((ends[0], ends[3], 1.6), (ends[1], ends[2], 4.5))
    ]


def _middles(x: Floats, y: Floats) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": y,
        "marker": {"color": f.FIT, "size": 7},
        "hovertemplate": say("replicated {n} times", n="%{y}") + "<extra></extra>",
    }


def _transformed(replicated: Replicated, place: int) -> f.Figure:
    grid, difference, low, high = replicated.curve()
    outside = float(np.mean((difference < low) | (difference > high)))
    label = say("{percent} % band", percent=f"{100 * PROBABILITY:.0f}")
    layout = f.layout(
        say("probability integral transform (PIT)"),
        say("difference from uniform"),
        margin={"r": 20},
        annotations=[f.label(label, 0.5, float(high[grid.size // 2]), f.MUTED, yshift=10)],
        xaxis={"range": [0, 1]},
    )
    traces = [*f.band(grid, low, high, f.NEUTRAL), f.line(grid, difference, f.FIT, 2)]
    told = {"name": replicated.name, "band": label, "share": percent(outside)}
    alt = say("The curve of PIT values of {name} stays inside the {band} of a model that is right.", **told)
    title = say("Predictive probabilities of {name}: the curve stays inside the band", **told)
    if outside > 0:
        alt = say(
            "The curve of PIT values of {name} leaves on {share} of its way the {band} of a model that is right.",
            **told,
        )
        title = say("Predictive probabilities of {name}: the curve leaves on {share} of its way the band", **told)
    how = [
        say(
            "How to read: were the model right, the curve would stay in the band. A slope down in the middle: "
            "predictions too narrow or heavy tails; one side only: predictions biased; a slope up in the middle: too "
            "wide."
        )
    ]
    if replicated.predicts:
        how.append(say("Each value is predicted from all others, by importance weighting."))
    return f.Figure(
        name=f"pit-{place}",
        title=title,
        caption=joined(how),
        panels=(f.Panel(traces, layout, alt, height=280),),
        note=joined(_seen(replicated)),
    )


def _seen(replicated: Replicated) -> list[str]:
    """Return what to keep in mind of draws that have seen what they are compared with."""
    told = []
    if not replicated.predicts:
        told.append(
            say(
                "Each value is compared with draws that have seen it, so that the curve may slope up in the middle "
                "even where the model is right: only too many values in the tails count against it."
            )
        )
    if replicated.unreliable:
        told.append(
            say_count(
                replicated.unreliable,
                "{n} observation cannot be left out by weighting the draws.",
                "{n} observations cannot be left out by weighting the draws.",
            )
        )
    elif told and replicated.could_predict:
        told.append(say("A generated quantity log_lik would let the report leave each value out."))
    return told


def _thinned(replicated: Replicated) -> str:
    parts = []
    if replicated.observed.size < replicated.n_observed:
        shown, total = f"{replicated.observed.size:,}", f"{replicated.n_observed:,}"
        parts.append(say("{shown} of {total} observations", shown=shown, total=total))
    if replicated.draws.shape[0] < replicated.n_draws:
        shown, total = f"{replicated.draws.shape[0]:,}", f"{replicated.n_draws:,}"
        parts.append(say("{shown} of {total} replications", shown=shown, total=total))
    return say("Computed from {what}.", what=listing(parts)) if parts else ""


def _alt(replicated: Replicated) -> str:
    return say(
        "Distribution of {name}, {observations}, beside that of {replications}; {share} of the observations lie in "
        "their 95 % predictive intervals.",
        name=replicated.name,
        observations=count(replicated.observed.size, "observation"),
        replications=count(replicated.draws.shape[0], "replication"),
        share=percent(replicated.coverage(0.95)),
    )
