"""What the draws say of single quantities: a small density each, bars where the quantity is discrete."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.words import plus_minus
from bayeskit.reporting import figures as f
from bayeskit.reporting.figures_priors import density
from bayeskit.reporting.results import Scalar

Floats = NDArray[np.float64]

MAX_BARS = 30
DISTINCT = 0.9
MIN_SMOOTHED = 200  # draws; of fewer, a smooth curve would be made up
TAIL = 4.0  # interquartile ranges beyond the quartiles; what lies farther out is not drawn


def density_figure(found: Sequence[Scalar], what: str) -> f.Figure | None:
    """Draw the distribution of each quantity; ``what`` names it, e.g. ``posterior``."""
    moving = [scalar for scalar in found if np.isfinite(scalar.draws).all() and np.ptp(scalar.draws) > 0]
    if not moving or moving[0].draws.size < 20:
        return None
    return f.Figure(
        name="densities",
        title=say("The {what} of {quantity}", what=what, quantity=moving[0].label)
        if len(moving) == 1
        else say_count(
            len(moving), "The {what} of {n} quantity, one by one", "The {what} of {n} quantities, one by one", what=what
        ),
        caption=say(
            "How to read: the higher the curve, the more probable the value; the dark area holds 68\u00a0% of the "
            "probability, dark and light together 95\u00a0%. Bars stand where a quantity takes few values, or where "
            "there are few draws."
        ),
        panels=tuple(_panel(scalar) for scalar in moving),
    )


def _panel(scalar: Scalar) -> f.Panel:
    draws = scalar.draws.ravel()
    values, counts = np.unique(draws, return_counts=True)
    layout = f.layout(
        f.plot_text(scalar.label + (f" ({scalar.quantity.unit})" if scalar.quantity.unit else "")),
        "",
        margin={"l": 14, "r": 14},
        xaxis={"exponentformat": "e"},
        yaxis={"showticklabels": False, "ticks": "", "showgrid": False, "rangemode": "tozero"},
    )
    told = {"quantity": scalar.label, "value": plus_minus(float(draws.mean()), float(draws.std(ddof=1)))}
    alt = say("Distribution of {quantity}: {value}.", **told)
    if values.size <= MAX_BARS and np.all(values == np.round(values)):
        bars = {
            "type": "bar",
            "x": values,
            "y": counts / draws.size,
            "marker": {"color": f.FIT},
            "hovertemplate": "%{x}: %{y:.1%}<extra></extra>",
        }
        alt = say_count(
            values.size,
            "Distribution of {quantity}: {value}, in {n} step.",
            "Distribution of {quantity}: {value}, in {n} steps.",
            **told,
        )
        return f.Panel([bars], layout, alt, height=180)
    low, high = np.quantile(draws, [0.25, 0.75])
    reach = TAIL * (high - low) or np.ptp(draws)
    near = draws[(draws >= low - reach) & (draws <= high + reach)]
    if draws.size < MIN_SMOOTHED:
        return f.Panel([_histogram(near)], layout, alt, height=180)
    # Draws that repeat each other would each get a peak of their own.
    repeats = values.size < DISTINCT * draws.size
    grid, curve = density(near, bw="silverman" if repeats else "experimental")
    limits = [np.quantile(draws, [0.16, 0.84]), np.quantile(draws, [0.025, 0.975])]
    areas = [_area(grid, curve, limits[1], f.BAND_95), _area(grid, curve, limits[0], f.BAND_68)]
    return f.Panel([*areas, f.line(grid, curve, f.FIT, 2)], layout, alt, height=180)


def _histogram(values: Floats) -> dict[str, object]:
    counts, edges = np.histogram(values, bins=int(np.sqrt(values.size)) + 1)
    return {
        "type": "bar",
        "x": (edges[:-1] + edges[1:]) / 2,
        "y": counts,
        "marker": {"color": f.FIT},
        "hovertemplate": say("{n} draws", n="%{y}") + "<extra></extra>",
    }


def _area(grid: Floats, curve: Floats, ends: Floats, colour: str) -> dict[str, object]:
    low, high = ends
    inside = np.concatenate([[low], grid[(grid > low) & (grid < high)], [high]])
    return f.line(inside, np.interp(inside, grid, curve), colour, 0, fill="tozeroy", fillcolor=colour)
