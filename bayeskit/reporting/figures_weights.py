"""How an approximation's draws would have to be weighted to be the posterior's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.types import Fit
from bayeskit.core.words import percent, significant
from bayeskit.diagnostics.variational import Importance, importance, k_hat_limit
from bayeskit.reporting import figures as f

BINS = 40
SMALLEST = -6.0  # powers of ten; draws that weigh less stand in the first bar


def weight_figure(fit: Fit) -> f.Figure | None:
    """Draw the histogram of the importance weights; None where there are none."""
    found = importance(fit)
    if isinstance(found, str):
        return None
    powers = _powers(found)
    low, high = min(powers.min(), -0.5), max(powers.max(), 0.5)
    counts, edges = np.histogram(powers, bins=BINS, range=(low, high))
    bars = {
        "type": "bar",
        "x": (edges[:-1] + edges[1:]) / 2,
        "y": counts,
        "width": [float(edges[1] - edges[0])] * BINS,
        "marker": {"color": f.FIT},
        "hovertemplate": "%{y} draws<extra></extra>",
    }
    equal = {
        "type": "line",
        "yref": "paper",
        "x0": 0,
        "x1": 0,
        "y0": 0,
        "y1": 1,
        "line": {"color": f.MUTED, "width": 1, "dash": "dash"},
    }
    ticks = np.arange(np.ceil(low), np.floor(high) + 1)
    layout = f.layout(
        "weight, the average being 1",
        "draws",
        shapes=[equal],
        annotations=[f.label("average", 0, 1, f.MUTED, yref="paper", yanchor="bottom")],
        margin={"t": 24},
        xaxis={"tickvals": ticks.tolist(), "ticktext": [f"{10.0**power:g}" for power in ticks]},
    )
    size = found.weights.size
    largest = float(found.weights.max())
    k_hat, limit = significant(found.k_hat, 2), f"{k_hat_limit(size):g}"
    return f.Figure(
        name="weights",
        title=f"k-hat is {k_hat}, at most {limit} is needed: the heaviest of {size:,} draws carries "
        f"{percent(largest)} of all weight",
        caption="How to read: were the approximation exact, all draws would weigh the same. A long tail to the right "
        "means that a few draws stand for what the approximation all but misses; k-hat measures that tail. Draws far "
        "to the left lie where the posterior has nothing: the approximation is too wide there.",
        panels=(f.Panel([bars], layout, f"Histogram of {size:,} importance weights; k-hat is {k_hat}.", height=260),),
    )


def _powers(found: Importance) -> NDArray[np.float64]:
    finite = found.log_ratios[np.isfinite(found.log_ratios)]
    average = np.log(np.mean(np.exp(finite - finite.max()))) + finite.max()
    powers = (found.log_ratios - average) / np.log(10)
    shown: NDArray[np.float64] = np.maximum(powers, SMALLEST)
    return shown
