"""Arrays at a glance: each element's mean with its 68 % and 95 % intervals, along the index."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import count, listing, significant
from bayeskit.diagnostics.labels import cell_labels, real_valued
from bayeskit.reporting import figures as f

Floats = NDArray[np.float64]

MAX_PANELS = 6
MAX_BARS = 80  # more elements make a band
MAX_GRID = 40  # cells of a matrix; a larger one has no order along a line
MAX_POINTS = 1500
NAMED_TICKS = 12
_COLUMNS = ["mean", "q2.5", "q16", "q84", "q97.5"]


@dataclass(frozen=True)
class Intervals:
    """Elements along an index, counted from 1: labels, means and interval ends, ``n_elements`` each."""

    index: NDArray[np.int64]
    labels: list[str]
    mean: Floats
    low95: Floats
    low68: Floats
    high68: Floats
    high95: Floats
    observed: Floats | None = None

    def every(self, step: int) -> Intervals:
        """Return one element in ``step``."""
        return Intervals(
            index=self.index[::step],
            labels=self.labels[::step],
            mean=self.mean[::step],
            low95=self.low95[::step],
            low68=self.low68[::step],
            high68=self.high68[::step],
            high95=self.high95[::step],
            observed=None if self.observed is None else self.observed[::step],
        )


def interval_figure(fit: Fit, assessment: Assessment, what: str, seen: Set[str]) -> f.Figure | None:
    """Draw the elements of the program's arrays, but for those of which all were ``seen`` one by one.

    ``what`` names the intervals, e.g. ``posterior``.
    """
    posterior = real_valued(fit.posterior["posterior"].to_dataset())
    panels, names, thinned = [], [], []
    for name, array in posterior.data_vars.items():
        labels = cell_labels(array)
        if array.ndim < 3 or len(labels) < 2 or (array.ndim > 3 and len(labels) > MAX_GRID):
            continue
        table = assessment.summary.loc[labels]
        moving = {str(label) for label in table.index[table["sd"] > 0]}
        if not moving or moving <= seen:
            continue
        found = _of(table)
        step = -(-len(found.labels) // MAX_POINTS)
        thinned += [say("one element of {name} in {step}", name=str(name), step=step)] if step > 1 else []
        names.append(str(name))
        panels.append(interval_panel(found.every(step), str(name)))
        if len(panels) == MAX_PANELS:
            break
    if not panels:
        return None
    return f.Figure(
        name="arrays",
        title=say("Along the index: {names}", names=listing(names)),
        caption=say(
            "How to read: each element's {what} mean as a dot or line, its 68 % interval thick or dark, its 95 % "
            "interval thin or light.",
            what=what,
        ),
        panels=tuple(panels),
        note=say("Drawn: {what}.", what=listing(thinned)) if thinned else "",
    )


def interval_panel(found: Intervals, name: str, height: int = 240) -> f.Panel:
    """Return a panel of bars, or of bands where there are many elements."""
    size, index = len(found.labels), found.index
    bars = size <= MAX_BARS
    traces = _bars(index, found) if bars else _bands(index, found)
    if found.observed is not None:
        traces.append(_dots(index, found.observed, found.labels, f.OBSERVED, say("observed")))
    ticks: dict[str, Any] = {}
    if size <= NAMED_TICKS:
        short = [label[label.find("[") + 1 : -1] if label.endswith("]") else label for label in found.labels]
        ticks = {"tickvals": index.tolist(), "ticktext": [f.plot_text(text) for text in short]}
    layout = f.layout(
        f.plot_text(say("index of {name}", name=name)),
        f.plot_text(name),
        xaxis={"range": [0.3, int(index[-1]) + 0.7], **ticks},
        margin={"t": 6},
    )
    return f.Panel(traces, layout, _alt(found, name), name, height)


def _alt(found: Intervals, name: str) -> str:
    known = np.flatnonzero(np.isfinite(found.mean))
    elements = count(len(found.labels), "element")
    if known.size == 0:
        return say("{name}, {elements}, with intervals.", name=name, elements=elements)
    low, high = known[found.mean[known].argmin()], known[found.mean[known].argmax()]
    return say(
        "{name}, {elements}, with intervals: means from {low} ({where_low}) to {high} ({where_high}).",
        name=name,
        elements=elements,
        low=significant(found.mean[low], 3),
        where_low=found.labels[low],
        high=significant(found.mean[high], 3),
        where_high=found.labels[high],
    )


def _of(table: pd.DataFrame) -> Intervals:
    # What never holds a number leaves a gap.
    mean, low95, low68, high68, high95 = (table[column].to_numpy(dtype=float) for column in _COLUMNS)
    labels = [str(label) for label in table.index]
    return Intervals(np.arange(1, len(labels) + 1), labels, mean, low95, low68, high68, high95)


def _bars(index: NDArray[np.int64], found: Intervals) -> list[dict[str, Any]]:
    width = 6 if index.size <= 30 else 4
    sticks = [
        _sticks(index, found.low95, found.high95, 1.6, f.FIT),
        _sticks(index, found.low68, found.high68, width, f.FIT),
    ]
    if found.observed is not None:
        return sticks
    return [*sticks, _dots(index, found.mean, found.labels, f.FIT, say("mean"))]


def _sticks(index: NDArray[np.int64], low: Floats, high: Floats, width: float, colour: str) -> dict[str, Any]:
    gap = np.full(index.size, np.nan)
    x = np.stack([index, index, gap], axis=-1).ravel()
    y = np.stack([low, high, gap], axis=-1).ravel()
    return f.line(x, y, colour, width, connectgaps=False)


def _bands(index: NDArray[np.int64], found: Intervals) -> list[dict[str, Any]]:
    wide = f.band(index, found.low95, found.high95, f.BAND_95)
    narrow = f.band(index, found.low68, found.high68, f.BAND_68)
    mean = f.line(
        index, found.mean, f.FIT, 1.2, text=_texts(found.labels), hovertemplate="%{text}: %{y:.4g}<extra></extra>"
    )
    return [*wide, *narrow, mean]


def _dots(index: NDArray[np.int64], values: Floats, labels: list[str], colour: str, what: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": index,
        "y": values,
        "text": _texts(labels),
        "marker": {
            "color": colour,
            "size": 9 if index.size <= 30 else 6,
            "line": {"color": "var(--paper)", "width": 1},
        },
        "hovertemplate": f"%{{text}} {what}: %{{y:.4g}}<extra></extra>",
    }


def _texts(labels: list[str]) -> list[str]:
    return [f.plot_text(label) for label in labels]
