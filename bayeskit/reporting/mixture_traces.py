"""What the figures of a mixture are put together from: its points, its ellipses, the key that names its components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import NO_BREAK, decimals_for, number, percent, plus_minus, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.groups import colour_name, colour_of, opacities, symbol_of, thinned
from bayeskit.reporting.mixture_density import Parameters, ellipses
from bayeskit.reporting.mixture_view import Mixture, name_of

Floats = NDArray[np.float64]
Trace = dict[str, Any]

MAX_POINTS = 1500
_MARGIN = 0.06
_STRAY = 2.0  # times the width of the data: how far an ellipse may stretch the axis


def drawn_points(mixture: Mixture, most: int = MAX_POINTS) -> NDArray[np.int64]:
    """Return the places of points that figures show; unusual ones always, as far as there is room."""
    kept = thinned(np.arange(len(mixture.points)), most)
    odd = np.array(mixture.unusual[: most // 10], dtype=np.int64)
    return np.union1d(kept, odd)


def thinning_note(mixture: Mixture, n_drawn: int) -> str:
    """Say how many points are drawn, where not all are."""
    if n_drawn >= len(mixture.points):
        return ""
    return say("Drawn: {n} of {total} points.", n=f"{n_drawn:,}", total=f"{len(mixture.points):,}")


def point_traces(mixture: Mixture, columns: Sequence[int], places: NDArray[np.int64], size: float) -> list[Trace]:
    """Return one trace a component of the points that have both columns; the paler, the less certain."""
    x, y = (mixture.points[places, column] for column in columns)
    known = np.isfinite(x) & np.isfinite(y)
    made = []
    for component in _holding(mixture, places):
        mine = known & (mixture.assignment[places] == component)
        if not mine.any():
            continue
        certainty = mixture.certainty[places][mine]
        made.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name_of(component),
                "x": x[mine],
                "y": y[mine],
                "marker": {
                    "color": colour_of(component),
                    "symbol": symbol_of(component),
                    "size": size,
                    "opacity": opacities(certainty, mixture.card.n_components),
                    "line": {"width": 0},
                },
                "customdata": [
                    [f.plot_text(str(mixture.labels[place])), round(float(share), 3)]
                    for place, share in zip(places[mine], certainty, strict=True)
                ],
                "hovertemplate": hover(mixture, columns, component),
            }
        )
    return made


def hover(mixture: Mixture, columns: Sequence[int], component: int) -> str:
    """Return what a point says of itself: its name, its coordinates, and how surely it belongs to its component."""
    names = [f.plot_text(mixture.columns[column]) for column in columns]
    told = say("row {name}", name="%{customdata[0]}")
    lines = [f"{name} %{{{axis}:.4~g}}" for name, axis in zip(names, "xyz", strict=False)]
    share = say("{what}: {share}", what=name_of(component), share="%{customdata[1]:.0%}")
    return "<br>".join([told, *lines, share]) + "<extra></extra>"


def _holding(mixture: Mixture, places: NDArray[np.int64]) -> list[int]:
    return sorted(set(mixture.assignment[places].tolist()))


def rug_traces(
    mixture: Mixture, columns: Sequence[int], places: NDArray[np.int64], ends: Sequence[float]
) -> list[Trace]:
    """Return points that miss one of two columns, at the axis of the other; ``ends`` are where the axes begin."""
    x, y = (mixture.points[places, column] for column in columns)
    sides = ((np.isfinite(x) & np.isnan(y), "line-ns", 0), (np.isnan(x) & np.isfinite(y), "line-ew", 1))
    made = []
    for component in _holding(mixture, places):
        for rows, symbol, side in sides:
            mine = rows & (mixture.assignment[places] == component)
            if not mine.any():
                continue
            along, fixed = (x, y)[side][mine], np.full(int(mine.sum()), ends[1 - side])
            marker = {"color": colour_of(component), "symbol": symbol, "size": 11}
            made.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": say("{what}, a coordinate missing", what=name_of(component)),
                    "x": fixed if side else along,
                    "y": along if side else fixed,
                    "marker": marker | {"line": {"width": 1.6, "color": colour_of(component)}},
                    "cliponaxis": False,
                    "customdata": [[f.plot_text(str(mixture.labels[place])), 0] for place in places[mine]],
                    "hovertemplate": say("row {name}", name="%{customdata[0]}") + "<extra></extra>",
                }
            )
    return made


def ellipse_trace(parameters: Parameters, component: int, share: float, **style: Any) -> Trace:
    """Return the ellipses of all draws as one line with gaps; the parameters are of two columns."""
    lines = ellipses(parameters, component, share)
    with_gaps = np.concatenate([lines, np.full((len(lines), 1, 2), np.nan)], axis=1).reshape(-1, 2)[:-1]
    more = {"connectgaps": False, **style}
    return f.line(with_gaps[:, 0], with_gaps[:, 1], colour_of(component), more.pop("width", 1.6), **more)


def span(values: Floats, stray: Floats | None = None) -> tuple[float, float]:
    """Return the ends of an axis that shows all values, and what strays from them no farther than twice their width."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    width = high - low or abs(high) or 1.0
    if stray is not None and stray.size:
        low = max(min(low, float(np.nanmin(stray))), low - (_STRAY - 1) / 2 * width)
        high = min(max(high, float(np.nanmax(stray))), high + (_STRAY - 1) / 2 * width)
    margin = _MARGIN * (high - low or 1.0)
    return low - margin, high + margin


def component_key(mixture: Mixture) -> tuple[tuple[str, str], ...]:
    """Return the key that names each component's colour, with its share of the points."""
    return tuple(
        (colour_name(k), say("{what}: {share}", what=name_of(k), share=share_text(mixture, k))) for k in mixture.shown
    )


def share_text(mixture: Mixture, component: int) -> str:
    """Return a component's share of the points, with its standard deviation where there is one."""
    draws = mixture.draws.weights[:, component]
    if mixture.is_point or draws.size < 2:
        return percent(float(draws.mean()))
    return f"{plus_minus(100 * float(draws.mean()), 100 * float(draws.std(ddof=1)))}{NO_BREAK}%"


def centre_text(mixture: Mixture, component: int, column: int) -> str:
    """Return a component's mean in a column, with the digits that it is known to."""
    draws = mixture.draws.means[:, component, column]
    if mixture.is_point or draws.size < 2:
        return significant(float(draws.mean()), 4)
    return number(float(draws.mean()), decimals_for(float(draws.std(ddof=1))))


def number_labels(mixture: Mixture, columns: Sequence[int]) -> list[dict[str, Any]]:
    """Return each component's number, at its mean."""
    means = mixture.average.means[0][:, list(columns)]
    return [
        f.label(
            f"<b>{k + 1}</b>",
            float(means[k, 0]),
            float(means[k, 1]),
            f.INK,
            bgcolor="var(--paper)",
            borderpad=2,
            opacity=0.85,
            captureevents=False,
        )
        for k in mixture.shown
        if np.isfinite(means[k]).all()
    ]
