"""Do known values come back? True values against posterior means, and z-score against contraction.

Schad, Betancourt and Vasishth (2021), doi:10.1037/met0000275, section on the sensitivity of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import number, percent, with_unit
from bayeskit.diagnostics.calibration import QuantityCalibration
from bayeskit.diagnostics.moments import PROBABILITIES
from bayeskit.reporting import figures as f

Floats = NDArray[np.float64]

N_DRAWN = 300
_FAR = 10.0  # of the middle 95 %: truths that are further apart would squeeze all others
_ENDS = [list(PROBABILITIES).index(name) for name in ("q2.5", "q97.5")]


def recovery_figure(shown: Sequence[QuantityCalibration], units: Mapping[str, str]) -> f.Figure:
    """Draw posterior mean and 95 % interval of each simulation over its true value."""
    drawn = max(min(one.n, N_DRAWN) for one in shown)
    total = max(one.n for one in shown)
    return f.Figure(
        name="recovery",
        title=say("Posterior means follow the true values")
        if _follow(shown)
        else say("True values and what was found"),
        caption=say(
            "How to read: one dot a simulation, its posterior mean over the true value, with the 95 % interval. On "
            "the line both agree; about one interval in twenty misses it by chance. A flat cloud: the data say little "
            "of the quantity, so that the posterior stays where the prior was."
        ),
        panels=tuple(_recovery(one, units.get(one.label.partition("[")[0], "")) for one in shown),
        key=(("fit", say("the interval holds the true value")), ("fail", say("it misses it"))),
        note=say("{drawn} of {total} simulations are drawn.", drawn=drawn, total=f"{total:,}") if drawn < total else "",
    )


def sensitivity_figure(shown: Sequence[QuantityCalibration]) -> f.Figure | None:
    """Draw posterior z-score over contraction, where the true values vary."""
    varying = [one for one in shown if np.isfinite(one.contractions).all() and np.isfinite(one.z_scores).any()]
    if not varying:
        return None
    return f.Figure(
        name="sensitivity",
        title=say("What the data teach, and how far off the posterior is"),
        caption=say(
            "How to read: one dot a simulation. To the right the data narrow the prior down (contraction 1: to a "
            "point; 0: they teach nothing). Upwards the posterior mean lies above the true value, in posterior "
            "standard deviations; between the dotted lines in about 95 % of the simulations. Far off on the right: "
            "sure and wrong; far off on the left: the prior disagrees with the data."
        ),
        panels=tuple(_sensitivity(one) for one in varying),
    )


def _follow(shown: Sequence[QuantityCalibration]) -> bool:
    """Return whether the means of all quantities go with their true values at all closely."""
    return all(one.n > 2 and one.truths.std() > 0 and np.median(one.contractions) > 0.5 for one in shown)


def _recovery(quantity: QuantityCalibration, unit: str) -> f.Panel:
    chosen = np.linspace(0, quantity.n - 1, min(quantity.n, N_DRAWN)).astype(int)
    truths, means = quantity.truths[chosen], quantity.means[chosen]
    low, high = (quantity.quantiles[chosen, end] for end in _ENDS)
    held = (low <= truths) & (truths <= high)
    traces = [_sticks(truths[part], low[part], high[part], tone) for part, tone in ((held, f.FIT), (~held, f.FAIL))]
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": truths,
        "y": means,
        "text": [str(index) for index in quantity.indices[chosen]],
        "marker": {"color": [f.FIT if one else f.FAIL for one in held], "size": 4},
        "hovertemplate": f.plot_text(say("simulation")) + " %{text}: %{x:.4g}, %{y:.4g}<extra></extra>",
    }
    ends = _range(np.concatenate([truths, low, high]), truths)
    axis = {"range": ends}
    layout = f.layout(
        f.plot_text(with_unit(say("true value"), unit and f"({unit})")),
        f.plot_text(with_unit(say("posterior"), unit and f"({unit})")),
        xaxis=axis,
        yaxis=axis,
    )
    alt = say(
        "Posterior means of {label} over its true values; {share} of the 95 % intervals hold the true value.",
        label=quantity.label,
        share=percent(float(held.mean())),
    )
    return f.Panel([*traces, dots, f.line(ends, ends, f.INK, 1)], layout, alt, quantity.label, 260)


def _sticks(x: Floats, low: Floats, high: Floats, tone: str) -> dict[str, Any]:
    gap = np.full(x.size, np.nan)
    return f.line(
        np.stack([x, x, gap], -1).ravel(),
        np.stack([low, high, gap], -1).ravel(),
        tone,
        1,
        opacity=0.35,
        connectgaps=False,
    )


def _range(values: Floats, truths: Floats) -> list[float]:
    """Return the ends of both axes: all values, but where a few lie so far off that nothing else could be seen."""
    low, high = np.quantile(truths, [0.025, 0.975])
    width = float(high - low) or 1.0
    ends = [max(float(values.min()), low - _FAR * width / 2), min(float(values.max()), high + _FAR * width / 2)]
    margin = 0.04 * ((ends[1] - ends[0]) or 1.0)
    return [ends[0] - margin, ends[1] + margin]


def _sensitivity(quantity: QuantityCalibration) -> f.Panel:
    x, y = quantity.contractions, quantity.z_scores
    start = min(0.0, float(np.quantile(x, 0.025)))
    top = max(3.0, 1.1 * float(np.nanmax(np.abs(y))))
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": y,
        "marker": {"color": f.FIT, "size": 4, "opacity": 0.6},
        "hovertemplate": "%{x:.2f}, %{y:.2f}<extra></extra>",
    }
    lines = [f.line([start, 1.0], [at, at], f.MUTED, 1, line={"dash": "dot"}) for at in (-1.96, 1.96)]
    layout = f.layout(
        say("contraction"),
        say("posterior z-score"),
        xaxis={"range": [start - 0.04, 1.04]},
        yaxis={"range": [-top, top]},
    )
    alt = say(
        "z-scores of {label} over its contractions, which are {contraction} in the middle.",
        label=quantity.label,
        contraction=number(float(np.median(x)), 2),
    )
    return f.Panel([*lines, dots], layout, alt, quantity.label, 210)
