"""A first look at a program's data: each variable in its order, with its distribution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Fit
from bayeskit.core.words import commas, joined, percent, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]

MAX_VARIABLES = 12
MAX_POINTS = 2000
MAX_CELLS = 60  # of a heat map's side
MAX_BARS = 40
FEW_BARS = 12  # distinct values that get a bar each
FEW_POINTS = 200
PLOTTED = 125  # pixels of a small panel's height


def program_figure(fit: Fit, described: Mapping[str, str]) -> tuple[f.Figure | None, list[str]]:
    """Draw each variable that holds more than one number, and return which of them are left out.

    Parameters
    ----------
    fit
        With groups ``observed_data`` and ``constant_data``.
    described
        Type and size of each variable, as the source has them.
    """
    found = _variables(fit)
    drawn = [(array, modelled) for array, modelled in found if modelled or not _dull(array)]
    shown = drawn[:MAX_VARIABLES]
    kept = {str(array.name) for array, _ in shown}
    rest = [str(array.name) for array, _ in found if str(array.name) not in kept]
    if not shown:
        return None, rest
    thinned = [str(array.name) for array, _ in shown if array.size > MAX_POINTS and array.ndim != 2]
    merged = [str(array.name) for array, _ in shown if array.ndim == 2 and max(array.shape) > MAX_CELLS]
    notes = []
    if thinned:
        notes.append(
            say(
                "Of {names} {n} values each are drawn, evenly spaced; their distribution is of all.",
                names=commas(thinned),
                n=f"{MAX_POINTS:,}",
            )
        )
    if merged:
        notes.append(say("Cells of {names} are drawn as means of blocks.", names=commas(merged)))
    if modelled := [str(array.name) for array, observed in shown if observed]:
        notes.append(say("Of these the program draws {names} anew.", names=commas(modelled)))
    figure = f.Figure(
        name="data",
        title=say_count(len(shown), "{n} variable of the data", "{n} variables of the data, one by one"),
        caption=say(
            "How to read: dots are the values in their order, grey bars beside them how often they occur; a matrix has "
            "a field for each cell, the darker the larger. Look for what should not be there: codes for missing "
            "values, jumps, units that differ."
        ),
        panels=tuple(_panel(array, described.get(str(array.name), "")) for array, _ in shown),
        note=joined(notes),
    )
    return figure, rest


def _variables(fit: Fit) -> list[tuple[xr.DataArray, bool]]:
    """Return what can be drawn: first what is modelled, then measurements, then whole numbers, such as codes."""
    found = []
    for name, modelled in (("observed_data", True), ("constant_data", False)):
        data = group(fit, name)
        found += [
            (array, modelled)
            for array in (data.data_vars.values() if data is not None else ())
            if array.size > 1 and array.dtype.kind in "biuf"
        ]
    return sorted(found, key=lambda item: (not item[1], item[0].dtype.kind != "f"))


def _dull(array: xr.DataArray) -> bool:
    """Whether all values are the same, or count from 1."""
    values = array.to_numpy().ravel()
    return bool(np.all(values == values[0]) or np.array_equal(values, np.arange(values.size) + 1))


def bins(values: Floats) -> tuple[Floats, NDArray[np.intp], float]:
    """Return a histogram's centres, counts and width; few whole numbers have a bar each."""
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size <= FEW_BARS and np.all(distinct == np.round(distinct)):
        return distinct, counts, float(np.diff(distinct).min()) if distinct.size > 1 else 1.0
    counts, edges = np.histogram(values, bins=int(np.clip(2 * np.sqrt(values.size), 5, MAX_BARS)))
    return (edges[:-1] + edges[1:]) / 2, counts, float(edges[1] - edges[0])


def _panel(array: xr.DataArray, described: str) -> f.Panel:
    name = str(array.name)
    label = f"{name}: {described}" if described else name
    return _heat_map(array, label) if array.ndim == 2 and min(array.shape) > 1 else in_order(array, label)


def in_order(array: xr.DataArray, label: str) -> f.Panel:
    """Draw values in their order, and beside them, along the same axis, their distribution."""
    values = array.to_numpy().astype(float).ravel()
    finite = values[np.isfinite(values)]
    if not finite.size:
        return f.Panel(
            [], f.layout(say("place"), ""), say("{name} holds no finite number.", name=str(array.name)), label, 190
        )
    places = np.unique(np.linspace(0, values.size - 1, min(values.size, MAX_POINTS)).astype(int))
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": places + 1,
        "y": values[places],
        "marker": {"color": f.OBSERVED, "size": 3 if places.size > FEW_POINTS else 5, "opacity": 0.75},
        "hovertemplate": "%{x}: %{y}<extra></extra>",
    }
    centres, counts, width = bins(finite)
    # Bars that lie to the right of the points, from 1.06 to 1.3 times their width.
    start, room = 1.06 * values.size, 0.24 * values.size
    reach = np.stack(
        [np.full(counts.size, start), start + room * counts / counts.max(), np.full(counts.size, np.nan)], -1
    )
    thick = max(1.0, 0.8 * PLOTTED * width / (np.ptp(centres) + width)) if counts.size > FEW_BARS else 8.0
    told = [say_count(int(count), "{n} time", "{n} times") for count in counts]
    bars = f.line(
        reach.ravel(),
        np.repeat(centres, 3),
        f.PRIOR,
        thick,
        connectgaps=False,
        hoverinfo="text",
        text=np.repeat(np.array(told, dtype=object), 3).tolist(),
    )
    ticks = {"tickvals": [1, values.size], "ticktext": ["1", f"{values.size:,}"]}
    layout = f.layout(
        say("place"), "", margin={"r": 6}, xaxis={**ticks, "range": [1 - 0.03 * values.size, start + room]}
    )
    return f.Panel([points, bars], layout, _told(str(array.name), values, finite), label, 190)


def _heat_map(array: xr.DataArray, label: str) -> f.Panel:
    values = array.to_numpy().astype(float)
    means = _block_means(values)
    rows, columns = means.shape
    cells = {
        "type": "heatmap",
        "x": list(range(1, columns + 1)),
        "y": list(range(1, rows + 1)),
        "z": [[float(f"{cell:.4g}") for cell in row] for row in means],
        "colorscale": [[0, "var(--paper)"], [1, f.OBSERVED]],
        "showscale": False,
        "hovertemplate": "%{z}<extra></extra>",
    }
    across, down = (
        {"tickvals": [1, n], "ticktext": ["1", f"{size:,}"]}
        for n, size in zip((columns, rows), values.T.shape, strict=True)
    )
    layout = f.layout(
        say("column"),
        say("row"),
        xaxis={**across, "range": [0.5, columns + 0.5]},
        yaxis={**down, "range": [rows + 0.5, 0.5], "showgrid": False},
    )
    finite = values[np.isfinite(values)]
    return f.Panel([cells], layout, _told(str(array.name), values, finite), label, 190)


def _block_means(values: Floats) -> Floats:
    """Return a matrix of at most ``MAX_CELLS`` rows and columns, each cell the mean of a block's finite values."""
    edges = [np.unique(np.linspace(0, size, min(size, MAX_CELLS) + 1).astype(int))[:-1] for size in values.shape]
    known = np.isfinite(values)
    sums, counts = (
        np.add.reduceat(np.add.reduceat(part, edges[0], axis=0), edges[1], axis=1)
        for part in (np.where(known, values, 0.0), known.astype(float))
    )
    means: Floats = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means


def _told(name: str, values: Floats, finite: Floats) -> str:
    if not finite.size:
        return say("{name} holds no finite number.", name=name)
    told = say(
        "{name}: {n} values from {low} to {high}, with a mean of {mean}.",
        name=name,
        n=f"{values.size:,}",
        low=significant(float(finite.min()), 3),
        high=significant(float(finite.max()), 3),
        mean=significant(float(finite.mean()), 3),
    )
    if finite.size == values.size:
        return told
    lost = say("{share} are no finite numbers.", share=percent(1 - finite.size / values.size))
    return say("{a} {b}", a=told, b=lost)
