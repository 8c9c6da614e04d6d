"""How the posterior's draws are weighted, or how those of an approximation would have to be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.core.words import significant, with_unit
from bayeskit.diagnostics.variational import importance
from bayeskit.diagnostics.weighted import draw_weights
from bayeskit.diagnostics.weights import Importance, k_hat_limit
from bayeskit.reporting import figures as f

BINS = 40
SMALLEST = -6.0  # powers of ten; draws that weigh less stand in the first bar


def weight_figure(fit: Fit) -> f.Figure | None:
    """Draw the histogram of the importance weights; None where there are none."""
    weighted = fit.provenance.kind == "weighted"
    found = draw_weights(fit) if weighted else importance(fit)
    if isinstance(found, str) or np.isnan(found.k_hat):  # particles were resampled: their weights tell nothing
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
        "hovertemplate": say("{n} draws", n="%{y}") + "<extra></extra>",
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
        say("weight, the average being 1"),
        say("draws"),
        shapes=[equal],
        annotations=[f.label(say("average"), 0, 1, f.MUTED, yref="paper", yanchor="bottom")],
        margin={"t": 24},
        xaxis={"tickvals": ticks.tolist(), "ticktext": [f"{10.0**power:g}" for power in ticks]},
    )
    size = found.weights.size
    largest = float(found.weights.max())
    k_hat, limit = significant(found.k_hat, 2), f"{k_hat_limit(size):g}"
    alt = say("Histogram of {draws} importance weights; k-hat is {value}.", draws=f"{size:,}", value=k_hat)
    return f.Figure(
        name="weights",
        title=say(
            "k-hat is {value}, at most {limit} is needed: the heaviest of {draws} draws carries {share} of all weight",
            value=k_hat,
            limit=limit,
            draws=f"{size:,}",
            share=with_unit(significant(100 * largest, 2), "%"),
        ),
        caption=say(
            "How to read: were the draws the posterior's own, all would weigh the same. A long tail to the right means "
            "that a few draws stand for what the others all but miss; k-hat measures that tail. Draws far to the left "
            "lie where the posterior has nothing: they were made in vain."
        )
        if weighted
        else say(
            "How to read: were the approximation exact, all draws would weigh the same. A long tail to the right "
            "means that a few draws stand for what the approximation all but misses; k-hat measures that tail. Draws "
            "far to the left lie where the posterior has nothing: the approximation is too wide there."
        ),
        panels=(f.Panel([bars], layout, alt, height=260),),
    )


def _powers(found: Importance) -> NDArray[np.float64]:
    finite = found.log_ratios[np.isfinite(found.log_ratios)]
    average = np.log(np.mean(np.exp(finite - finite.max()))) + finite.max()
    powers = (found.log_ratios - average) / np.log(10)
    shown: NDArray[np.float64] = np.maximum(powers, SMALLEST)
    return shown
