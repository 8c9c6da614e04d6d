"""The states of several runs over the same days, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayeskit.core.language import say
from bayeskit.core.types import Series
from bayeskit.core.words import NO_BREAK, decimals_for, listing, plus_minus, significant, with_unit
from bayeskit.reporting import figures as f
from bayeskit.reporting.compare_tables import Compared
from bayeskit.reporting.figures_compare import N_COLOURS, named, run_colour, run_dash, run_key
from bayeskit.reporting.figures_series import zooms
from bayeskit.reporting.results import Path, observations, path


def path_figures(runs: Sequence[Compared]) -> list[f.Figure]:
    """Draw the states of runs that fit a series in the same unit, and how far the others lie from the first."""
    chosen = [(place, run, run.fit.provenance.card.series) for place, run in enumerate(runs)]
    series = [(place, run, found) for place, run, found in chosen if found is not None]
    series = [item for item in series if _drawable(item[1], item[2])]
    if len(series) < 2 or len({(found.unit, found.label) for _, _, found in series}) > 1:
        return []
    paths = {place: path(run.fit, run.assessment, found.state) for place, run, found in series}
    first = series[0][2]
    made = [_states(runs, paths, first, _observed(series))]
    if len(paths) > 1:
        apart = _apart(runs, paths, first)
        made += [apart] if apart is not None else []
    return made


def _states(
    runs: Sequence[Compared], paths: dict[int, Path], series: Series, observed: tuple[Any, Any] | None
) -> f.Figure:
    traces = []
    for place, state in paths.items():
        when = f.dates(state.dates)
        traces += f.band(when, state.low95, state.high95, f"var(--run-{place % N_COLOURS + 1}-band)")
    if observed is not None:
        dots = {"color": f.OBSERVED, "size": 3, "opacity": 0.55}
        dates, values = observed
        seen = {"type": "scatter", "mode": "markers", "name": "observed", "x": f.dates(dates), "y": values}
        traces.append({**seen, "marker": dots, "hoverinfo": "skip"})
    for place, state in paths.items():
        decimals = decimals_for(float(np.median(state.sd)))
        hover = f"{f.plot_text(runs[place].name)}: %{{y:.{decimals}f}} {f.plot_text(series.unit)}<extra></extra>"
        look = {"color": run_colour(place), "width": 1.6, "dash": run_dash(place)}
        traces.append(f.line(f.dates(state.dates), state.mean, run_colour(place), line=look, hovertemplate=hover))
    steps = [with_unit(plus_minus(state.mean[-1], state.sd[-1]), series.unit) for state in paths.values()]
    names = [runs[place].name for place in paths]
    ends = listing([say("{value} in {run}", value=v, run=n) for v, n in zip(steps, names, strict=True)])
    axis = f.plot_text(named(series.label, series.unit))
    panel = f.Panel(
        [*traces, *_extent(paths)],
        _layout_over_days(paths, axis),
        say("Line chart of the fitted level of each run, with 95 % bands. It ends at {ends}.", ends=ends),
        height=380,
        behaviour={"series": True},
    )
    key = run_key(runs)
    shown = tuple(key[place] for place in paths)
    return f.Figure(
        name="paths",
        title=say("The fitted levels end at {ends}", ends=ends),
        caption=say(
            "How to read: lines are the posterior means, the bands hold each day's level with 95 % probability, given "
            "the run's model."
        ),
        panels=(panel,),
        key=shown if observed is None else (*shown, ("observed", say("measured"))),
        zooms=zooms(),
        opens=0,
    )


def _apart(runs: Sequence[Compared], paths: dict[int, Path], series: Series) -> f.Figure | None:
    """Draw the differences of the means from the first run's, over that run's own uncertainty as a scale."""
    first, *others = paths
    reference = paths[first]
    traces: list[dict[str, Any]] = []
    largest = []
    for place in others:
        when, mine, theirs = np.intersect1d(paths[place].dates, reference.dates, return_indices=True)
        if when.size < 2:
            continue
        gap = paths[place].mean[mine] - reference.mean[theirs]
        size = with_unit(significant(float(np.sqrt(np.mean(gap**2))), 2), series.unit)
        largest.append(say("{value} in {run}", value=size, run=runs[place].name))
        look = {"color": run_colour(place), "width": 1.4, "dash": run_dash(place)}
        traces.append(f.line(f.dates(when), gap, run_colour(place), line=look))
    if not traces:
        return None
    half = (reference.high95 - reference.low95) / 2
    scale = f.band(f.dates(reference.dates), -half, half, f.NEUTRAL)
    layout = f.layout(
        "",
        f.plot_text(named(say("difference"), series.unit)),
        margin={"b": 30},
        xaxis={"type": "date", "hoverformat": "%Y-%m-%d", "tickangle": 0},
    )
    name = runs[first].name
    key = run_key(runs)
    return f.Figure(
        name="apart",
        title=say(
            "From {run} the fitted level differs by {sizes} (root mean square)", run=name, sizes=listing(largest)
        ),
        caption=say(
            "How to read: each line is a run's posterior mean minus that of {run}. Inside the grey band a difference "
            "is smaller than half the width of that run's own 95 % band.",
            run=name,
        ),
        panels=(
            f.Panel(
                [*scale, *traces],
                layout,
                say("Differences of the fitted levels from {run}: {sizes}.", run=name, sizes=listing(largest)),
                height=260,
            ),
        ),
        key=(
            *(key[place] for place in others),
            ("neutral", say("half the 95{space}% band of {run}", space=NO_BREAK, run=name)),
        ),
    )


def _extent(paths: dict[int, Path]) -> list[dict[str, Any]]:
    """Return traces that nobody sees: by their names the page's script keeps all runs in view when the reader zooms."""
    dates = np.unique(np.concatenate([state.dates for state in paths.values()]))
    low, high = np.full(dates.size, np.inf), np.full(dates.size, -np.inf)
    for state in paths.values():
        at = np.searchsorted(dates, state.dates)
        low[at], high[at] = np.minimum(low[at], state.low95), np.maximum(high[at], state.high95)
    values = {"low95": low, "high95": high, "mean": (low + high) / 2}
    return [f.line(f.dates(dates), value, "rgba(0,0,0,0)", 0, name=name) for name, value in values.items()]


def _layout_over_days(paths: dict[int, Path], title: str) -> dict[str, Any]:
    ends = [f.dates(np.array([moment]))[0] for moment in (_first(paths), _last(paths))]
    return f.layout(
        "",
        title,
        hovermode="x",
        margin={"b": 30},
        annotations=[],
        xaxis={"type": "date", "range": ends, "tickangle": 0, "hoverformat": "%Y-%m-%d"},
        yaxis={"fixedrange": True},
    )


def _first(paths: dict[int, Path]) -> Any:
    return min(state.dates[0] for state in paths.values())


def _last(paths: dict[int, Path]) -> Any:
    return max(state.dates[-1] for state in paths.values())


def _drawable(run: Compared, series: Series) -> bool:
    posterior = run.fit.posterior["posterior"]
    return series.state in posterior and {"mean", "q2.5", "q97.5"} <= set(run.assessment.summary.columns)


def _observed(series: Sequence[tuple[int, Compared, Series]]) -> tuple[Any, Any] | None:
    """Return what was measured, where all runs have the same."""
    found = [observations(run.fit, one) for _, run, one in series]
    first = found[0]
    if first is None or any(other is None or not first.equals(other) for other in found):
        return None
    return first[str(first.dims[0])].to_numpy(), first.to_numpy()
