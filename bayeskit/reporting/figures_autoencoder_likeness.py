"""Generated rows of a table beside the data's: distributions of columns, and how columns go together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import joined, number
from bayeskit.diagnostics.autoencoders import distance_limit, distances
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_numbers import Likeness
from bayeskit.reporting.autoencoder_view import Autoencoder, Compared

Floats = NDArray[np.float64]

MAX_COLUMNS = 12  # whose distributions are drawn
MAX_MATRIX = 40  # columns of a map of correlations
BINS = 24
LOW, MIDDLE, HIGH = "component-1", "rule", "fit"


def marginal_figure(found: Autoencoder) -> f.Figure | None:
    """Draw the distribution of each column, in the data and generated; None where nothing was generated."""
    compared = found.compared
    if compared is None:
        return None
    off = distances(compared.drawn, compared.value)
    limit = distance_limit(len(compared.drawn), len(compared.value))
    order = np.argsort(-off, kind="stable")[:MAX_COLUMNS]
    return f.Figure(
        name="marginals",
        title=_marginal_title(found, off, limit),
        caption=joined(
            [
                say(
                    "How to read: grey is the data, the blue line what is generated, with the noise that the model "
                    "takes the data to have. In brackets how far their distribution functions are apart at most (0 the "
                    "same, 1 nothing in common); beyond {limit} chance alone would rarely get.",
                    limit=number(limit, 2),
                ),
                say("The data are rows held out from training.") if found.held_out else "",
            ]
        ),
        panels=tuple(_marginal(found, compared, int(column), float(off[column])) for column in order),
        key=(("neutral", say("data")), ("fit", say("generated"))),
        note=say("Drawn: the {n} columns that are farthest off, of {total}.", n=order.size, total=off.size)
        if order.size < off.size
        else "",
    )


def correlation_figure(found: Autoencoder, like: Likeness | None) -> f.Figure | None:
    """Draw correlations of columns, in the data and generated; None where there are none."""
    if found.compared is None or like is None or len(like.seen) < 2:
        return None
    first, second = (found.card.columns[place] for place in like.pair)
    few = len(like.seen) <= MAX_MATRIX
    panels = [_pairs(like)]
    if few:
        panels = [_matrix(found, like.seen, say("In the data")), _matrix(found, like.made, say("Generated")), *panels]
    return f.Figure(
        name="correlations",
        title=say(
            "Correlations of generated columns are at most {off} off, those of {first} and {second}",
            off=number(like.correlation, 2),
            first=first,
            second=second,
        ),
        caption=joined(
            [
                say("How to read: the maps hold the correlation of each pair of columns.") if few else "",
                say("Each dot is a pair; on the line a pair goes together as it does in the data."),
            ]
        ),
        panels=tuple(panels),
        key=((LOW, "\N{MINUS SIGN}1"), (MIDDLE, "0"), (HIGH, "1")) if few else (),
    )


def _marginal_title(found: Autoencoder, off: Floats, limit: float) -> str:
    beyond = int((off > limit).sum())
    told = {"worst": found.card.columns[int(off.argmax())], "off": number(float(off.max()), 2)}
    if beyond:
        return say(
            "{n} of {total} generated columns are distributed otherwise than in the data, most of all {worst} ({off})",
            n=beyond,
            total=off.size,
            **told,
        )
    return say("Generated columns are distributed as in the data, the farthest off {worst} ({off})", **told)


def _marginal(found: Autoencoder, compared: Compared, column: int, off: float) -> f.Panel:
    value, drawn = compared.value[:, column], compared.drawn[:, column]
    both = np.concatenate([value, drawn])
    low, high = np.quantile(both, [0.002, 0.998])
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    seen, made = (np.histogram(rows, edges)[0] / (rows.size * np.diff(edges)) for rows in (value, drawn))
    middles = (edges[1:] + edges[:-1]) / 2
    bars: dict[str, Any] = {
        "type": "bar",
        "name": say("data"),
        "x": middles,
        "y": seen,
        "marker": {"color": f.NEUTRAL},
        "hoverinfo": "skip",
    }
    line = f.line(middles, made, f.FIT, 2, name=say("generated"))
    axis = {"rangemode": "tozero", "showticklabels": False, "ticks": "", "showgrid": False}
    layout = f.layout("", "", bargap=0, yaxis=axis, margin={"l": 12, "b": 30})
    label = say("{column} ({off})", column=found.column(column), off=number(off, 2))
    alt = say(
        "Distribution of {column}, in the data and generated; {off} apart.",
        column=found.card.columns[column],
        off=number(off, 2),
    )
    return f.Panel([bars, line], layout, alt, label=label, height=180)


def _matrix(found: Autoencoder, values: Floats, label: str) -> f.Panel:
    n = len(values)
    names = [f.plot_text(name) for name in found.card.columns]
    every = max(1, -(-n // 14))
    axis = {"tickvals": list(range(0, n, every)), "ticktext": names[::every], "ticks": "", "showgrid": False}
    trace = {
        "type": "heatmap",
        "name": label,
        "x": np.arange(n),
        "y": np.arange(n),
        "z": values,
        "zmin": -1,
        "zmax": 1,
        "colorscale": [[0, f"var(--{LOW})"], [0.5, f"var(--{MIDDLE})"], [1, f"var(--{HIGH})"]],
        "showscale": False,
        "hovertemplate": "%{z:.2f}<extra></extra>",
    }
    layout = f.layout(
        xaxis={**axis, "tickangle": 90}, yaxis={**axis, "autorange": "reversed"}, hovermode="closest", margin={"r": 4}
    )
    alt = say("{label}: correlations of {n} columns.", label=label, n=n)
    return f.Panel([trace], layout, alt, label=label, height=300, behaviour={"square": True})


def _pairs(like: Likeness) -> f.Panel:
    above = np.triu_indices(len(like.seen), 1)
    x, y = like.seen[above], like.made[above]
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": say("pairs of columns"),
        "x": x,
        "y": y,
        "marker": {"color": f.FIT, "size": 5, "opacity": 0.6},
        "hovertemplate": "%{x:.2f}, %{y:.2f}<extra></extra>",
    }
    low = float(min(x.min(), y.min(), 0))
    layout = f.layout(
        say("in the data"),
        say("generated"),
        xaxis={"range": [low - 0.05, 1.05]},
        yaxis={"range": [low - 0.05, 1.05]},
        hovermode="closest",
    )
    alt = say("Correlations of {n} pairs of columns, generated against those in the data.", n=x.size)
    ends = [low, 1.0]
    return f.Panel(
        [f.line(ends, ends, f.MUTED, 1), dots],
        layout,
        alt,
        label=say("Pairs of columns"),
        height=300,
        behaviour={"square": True},
    )
