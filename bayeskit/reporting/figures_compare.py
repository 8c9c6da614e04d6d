"""Several posteriors in one figure: one hue a run, the same everywhere on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import count, listing, plus_minus, significant, with_unit
from bayeskit.reporting import figures as f
from bayeskit.reporting.compare_tables import Compared
from bayeskit.reporting.figures_densities import DISTINCT
from bayeskit.reporting.figures_priors import density
from bayeskit.reporting.results import Scalar

Floats = NDArray[np.float64]

N_COLOURS = 6
SHORT = 14  # characters of a run's name that stand beside an interval
MIN_SMOOTHED = 20
_DASHES = ("solid", "dash", "dot")


@dataclass(frozen=True)
class Shared:
    """A quantity that several runs have: its label, its unit, and by the run's place its draws and summary."""

    label: str
    unit: str
    found: dict[int, Scalar]


def run_colour(place: int) -> str:
    """Return the colour of a run by its place, counted from 0."""
    return f"var(--run-{place % N_COLOURS + 1})"


def run_key(runs: Sequence[Compared]) -> tuple[tuple[str, str], ...]:
    """Return the key that names each run's colour."""
    return tuple((f"run-{place % N_COLOURS + 1}", run.name) for place, run in enumerate(runs))


def overlay_figure(runs: Sequence[Compared], shared: Sequence[Shared]) -> f.Figure | None:
    """Draw the posteriors of each shared quantity over one another; a point is a line."""
    panels = tuple(panel for item in shared if (panel := _overlay(runs, item)) is not None)
    if not panels:
        return None
    return f.Figure(
        name="overlay",
        title=say("The posteriors of {what}, run over run", what=_what(shared, len(panels))),
        caption=say(
            "How to read: the higher the curve, the more probable the value; curves that lie on each other say the "
            "same. A vertical line is a point estimate, which has no width, or a constant."
        ),
        panels=panels,
        key=run_key(runs),
    )


def forest_figure(runs: Sequence[Compared], shared: Sequence[Shared]) -> f.Figure | None:
    """Draw the intervals of each shared quantity below one another; a point has none."""
    if not shared:
        return None
    return f.Figure(
        name="forest",
        title=say("Intervals of {what}, run by run", what=_what(shared, len(shared))),
        caption=say(
            "How to read: the dot is the mean, the thick line the 68 % interval, the thin one the 95 % interval; an "
            "open diamond is a point estimate, of which nobody knows how far it may be off."
        ),
        panels=tuple(_forest(runs, item) for item in shared),
        key=run_key(runs),
    )


def _what(shared: Sequence[Shared], n_panels: int) -> str:
    if n_panels > 4:
        return count(n_panels, "quantity", "quantities")
    return listing([item.label for item in shared[:n_panels]])


def _overlay(runs: Sequence[Compared], item: Shared) -> f.Panel | None:
    traces: list[dict[str, Any]] = []
    lines = []
    for place, scalar in item.found.items():
        draws = scalar.draws.ravel()
        look = {"color": run_colour(place), "width": 2, "dash": run_dash(place)}
        if not np.isfinite(draws).all():
            continue
        if draws.size < MIN_SMOOTHED or np.ptp(draws) == 0:
            ends = {"x0": draws[0], "x1": draws[0], "y0": 0, "y1": 1}
            lines.append({"type": "line", "yref": "paper", "line": look, **ends})
            continue
        # Draws that repeat each other would each get a peak of their own.
        repeats = np.unique(draws).size < DISTINCT * draws.size
        grid, curve = density(draws, bw="silverman" if repeats else "experimental")
        traces.append(f.line(grid, curve, run_colour(place), 2, line=look, name=f.plot_text(runs[place].name)))
    if not traces:
        return None
    layout = f.layout(
        f.plot_text(_with_unit(item)),
        "",
        margin={"l": 14, "r": 14},
        shapes=lines,
        xaxis={"exponentformat": "e"},
        yaxis={"showticklabels": False, "ticks": "", "showgrid": False, "rangemode": "tozero"},
    )
    return f.Panel(traces, layout, _alt(runs, item), height=190)


def _forest(runs: Sequence[Compared], item: Shared) -> f.Panel:
    places = list(item.found)
    traces: list[dict[str, Any]] = []
    for height, place in enumerate(reversed(places)):
        scalar, colour = item.found[place], run_colour(place)
        marker: dict[str, Any] = {"color": colour, "size": 8, "line": {"color": "var(--paper)", "width": 1}}
        if "estimate" in scalar.row:
            centre = float(scalar.row["estimate"])
            marker = {"color": colour, "size": 9, "symbol": "diamond-open", "line": {"color": colour, "width": 1.6}}
        else:
            centre = float(scalar.row["mean"])
            for low, high, width in (("q2.5", "q97.5", 1.6), ("q16", "q84", 5)):
                ends = [float(scalar.row[low]), float(scalar.row[high])]
                traces.append(f.line(ends, [height, height], colour, width))
        hover = f"{f.plot_text(runs[place].name)}: %{{x:.4g}}<extra></extra>"
        dot = {"type": "scatter", "mode": "markers", "x": [centre], "y": [height], "marker": marker}
        traces.append({**dot, "hovertemplate": hover})
    names = [f.plot_text(_short(runs[place].name)) for place in reversed(places)]
    layout = f.layout(
        f.plot_text(_with_unit(item)),
        "",
        margin={"l": 20, "t": 6},
        xaxis={"exponentformat": "e", "showgrid": True},
        yaxis={
            "tickvals": list(range(len(places))),
            "ticktext": names,
            "range": [-0.6, len(places) - 0.4],
            "showgrid": False,
            "ticks": "",
            "fixedrange": True,
        },
    )
    return f.Panel(traces, layout, _alt(runs, item), height=90 + 26 * len(places))


def _alt(runs: Sequence[Compared], item: Shared) -> str:
    told = []
    for place, scalar in item.found.items():
        if "estimate" in scalar.row:
            value = significant(float(scalar.row["estimate"]), 4)
        else:
            value = plus_minus(float(scalar.row["mean"]), float(scalar.row["sd"]))
        told.append(say("{value} in {run}", value=with_unit(value, item.unit), run=runs[place].name))
    return say("{label}: {values}.", label=item.label, values=listing(told))


def named(label: str, unit: str) -> str:
    """Return a quantity with its unit, as an axis names it."""
    return f"{label} ({unit})" if unit else label


def _with_unit(item: Shared) -> str:
    return named(item.label, item.unit)


def _short(name: str) -> str:
    return name if len(name) <= SHORT else f"{name[: SHORT - 1]}…"


def run_dash(place: int) -> str:
    """Return a dash that changes where colours repeat."""
    return _DASHES[place // N_COLOURS % len(_DASHES)]
