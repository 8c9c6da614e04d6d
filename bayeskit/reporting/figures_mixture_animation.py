"""Expectation-maximisation, iteration by iteration: components move to where their points are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.core.words import joined, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.figures_mixture_line import curves_of, histogram
from bayeskit.reporting.groups import colour_name, colour_of
from bayeskit.reporting.mixture_density import Parameters, responsibilities
from bayeskit.reporting.mixture_traces import drawn_points, ellipse_trace, span, thinning_note
from bayeskit.reporting.mixture_view import Mixture, name_of
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]

MAX_POINTS = 400
MAX_FRAMES = 60
PRINTED = 3  # frames, side by side on paper
GRID = 160


@dataclass(frozen=True)
class Frames:
    """The path of an optimisation in the data's units: parameters by frame, iterations, and log likelihoods by them."""

    parameters: Parameters
    iterations: NDArray[np.int64]
    log_likelihood: Floats

    def told(self, place: int) -> str:
        """Say where a frame stands."""
        iteration, last = int(self.iterations[place]), self.log_likelihood.size - 1
        value = self.log_likelihood[iteration] if 0 <= iteration <= last else np.nan
        if not np.isfinite(value):
            return say("iteration {n}", n=iteration)
        return say("iteration {n} of {last}: log likelihood {value}", n=iteration, last=last, value=number(value, 1))


def animation_figure(fit: Fit, mixture: Mixture) -> f.Figure | None:
    """Draw the path of an optimisation as an animation; None where there is none."""
    frames = read_frames(fit, mixture)
    if frames is None or len(frames.parameters) < 2:
        return None
    places = drawn_points(mixture, MAX_POINTS)
    columns = mixture.best_columns(2)
    drawn = _curves(mixture, frames) if mixture.n_columns == 1 else _ellipses(mixture, frames, columns, places)
    last = len(frames.parameters) - 1
    told = tuple(frames.told(place) for place in range(last + 1))
    moving = drawn.steps[last]
    behaviour = {"animation": {"traces": drawn.places, "frames": drawn.steps, "labels": list(told)}}
    shown = [_changed(trace, moving, drawn.places, place) for place, trace in enumerate(drawn.traces)]
    panel = f.Panel(shown, drawn.layout, _alt(frames), height=420, behaviour=behaviour)
    return f.Figure(
        name="iterations",
        title=say("How it got there: {n} iterations from start to end", n=f"{frames.log_likelihood.size - 1:,}"),
        caption=say(
            "How to read: the animation shows the parameters after each iteration; points have the colour of the "
            "component that they most probably belong to by then. The slider moves with the arrow keys."
        )
        if mixture.n_columns > 1
        else say(
            "How to read: the animation shows the components' densities after each iteration, over the data in grey. "
            "The slider moves with the arrow keys."
        ),
        panels=(panel,),
        key=tuple((colour_name(k), name_of(k)) for k in range(min(7, mixture.card.n_components))),
        note=joined([_skipped(frames), thinning_note(mixture, places.size) if mixture.n_columns > 1 else ""]),
        frames=told,
        printed=tuple(_printed(drawn, frames, place) for place in _spaced(last)),
    )


def read_frames(fit: Fit, mixture: Mixture) -> Frames | None:
    """Return the frames that an optimisation kept, in the data's units."""
    history, derived = group(fit, "history"), group(fit, "derived")
    names = {"frame_iteration", "frame_weights", "frame_means", "frame_covariances"}
    if history is None or derived is None or not names <= set(history.data_vars):
        return None
    kept = np.unique(np.linspace(0, history["frame_iteration"].size - 1, MAX_FRAMES).astype(int))
    centre, spread = (derived[name].to_numpy().astype(float) for name in ("centre", "spread"))
    covariances = history["frame_covariances"].to_numpy().astype(float)[kept]
    sds = np.sqrt(np.maximum(np.diagonal(covariances, axis1=-2, axis2=-1), 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.nan_to_num(covariances / (sds[..., :, None] * sds[..., None, :]))
    weights = history["frame_weights"].to_numpy().astype(float)[kept]
    means = centre + spread * history["frame_means"].to_numpy().astype(float)[kept]
    if means.shape != (kept.size, mixture.card.n_components, mixture.n_columns) or not np.isfinite(means).all():
        return None
    order = _same_order(mixture, weights[-1], means[-1])
    parameters = Parameters(weights[:, order], means[:, order], (sds * spread)[:, order], correlations[:, order])
    return Frames(parameters, history["frame_iteration"].to_numpy().astype(int)[kept], log_likelihoods(fit))


def _same_order(mixture: Mixture, weights: Floats, means: Floats) -> NDArray[np.int64]:
    """Return the frames' components in the order that the rest of the report has them in."""
    from scipy.optimize import linear_sum_assignment

    average = mixture.average
    scale = np.maximum(average.sds[0].mean(0), np.finfo(float).tiny)
    apart = (((average.means[0][:, None] - means) / scale) ** 2).sum(-1)
    _, order = linear_sum_assignment(apart + (average.weights[0][:, None] - weights) ** 2)
    return np.asarray(order, dtype=np.int64)


def log_likelihoods(fit: Fit) -> Floats:
    """Return the log likelihood after each iteration in the data's units, in which a density has another height."""
    history, derived, observed = group(fit, "history"), group(fit, "derived"), group(fit, "observed_data")
    if history is None or "log_likelihood" not in history:
        return np.array([])
    values: Floats = history["log_likelihood"].to_numpy().astype(float).ravel()
    if derived is None or "spread" not in derived or observed is None or "points" not in observed:
        return values
    known = np.isfinite(observed["points"].to_numpy().astype(float)).sum(0)
    return values - float(known @ np.log(derived["spread"].to_numpy().astype(float)))


@dataclass(frozen=True)
class _Drawn:
    """Traces, their layout, which of them move, and what changes in these by frame."""

    traces: list[dict[str, Any]]
    layout: dict[str, Any]
    places: list[int]
    steps: list[list[dict[str, Any]]]


def _ellipses(mixture: Mixture, frames: Frames, columns: list[int], places: NDArray[np.int64]) -> _Drawn:
    n = mixture.card.n_components
    x, y = mixture.points[places][:, columns].T
    flat = frames.parameters.along(columns)
    lines = [[ellipse_trace(_one(flat, frame), k, 0.95, width=2) for k in range(n)] for frame in range(len(flat))]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": say("points"),
        "x": x,
        "y": y,
        "marker": {
            "color": [],
            "colorscale": _scale(n),
            "cmin": -0.5,
            "cmax": n - 0.5,
            "size": 5,
            "opacity": 0.8,
            "line": {"width": 0},
        },
        "hoverinfo": "skip",
    }
    middle = {
        "type": "scatter",
        "mode": "markers",
        "name": say("means"),
        "marker": {"color": f.INK, "symbol": "x", "size": 8},
        "hoverinfo": "skip",
    }
    steps = []
    for frame in range(len(flat)):
        belongs = responsibilities(mixture.points[places], _one(frames.parameters, frame)).argmax(1)
        mean = flat.means[frame]
        rings = [{"x": line["x"], "y": line["y"]} for line in lines[frame]]
        steps.append([{"marker": {"color": belongs}}, *rings, {"x": mean[:, 0], "y": mean[:, 1]}])
    ends = [
        span(mixture.points[:, column], np.concatenate([line[axis] for frame in lines for line in frame]))
        for column, axis in zip(columns, "xy", strict=True)
    ]
    names = [f.plot_text(mixture.columns[column]) for column in columns]
    layout = f.layout(*names, xaxis={"range": ends[0], "showgrid": True}, yaxis={"range": ends[1]})
    named = [{**line, "name": name_of(k)} for k, line in enumerate(lines[-1])]
    return _Drawn([dots, *named, middle], layout, list(range(n + 2)), steps)


def _curves(mixture: Mixture, frames: Frames) -> _Drawn:
    values = mixture.points[:, 0]
    grid = np.linspace(*span(values), GRID)
    curves = curves_of(frames.parameters, grid)
    bars = histogram(values)
    n = mixture.card.n_components
    lines = [f.line(grid, curves[-1][:, k], colour_of(k), 2, name=name_of(k)) for k in range(n)]
    steps = [[{"y": curve[:, k]} for k in range(n)] for curve in curves]
    top = 1.1 * max(float(bars["y"].max()), min(float(curves.max()), 3 * float(bars["y"].max())))
    layout = f.layout(
        f.plot_text(mixture.columns[0]),
        say("density"),
        bargap=0,
        xaxis={"range": [float(grid[0]), float(grid[-1])]},
        yaxis={"range": [0, top], "showticklabels": False, "ticks": ""},
        margin={"l": 30},
    )
    return _Drawn([bars, *lines], layout, list(range(1, n + 1)), steps)


def _one(parameters: Parameters, place: int) -> Parameters:
    kept = slice(place, place + 1)
    return Parameters(
        parameters.weights[kept], parameters.means[kept], parameters.sds[kept], parameters.correlations[kept]
    )


def _scale(n: int) -> list[list[Any]]:
    """Return a scale of colours with a step for each component."""
    return [[place / n, colour_of(k)] for k in range(n) for place in (k, k + 1)]


def _changed(trace: dict[str, Any], step: list[dict[str, Any]], places: list[int], place: int) -> dict[str, Any]:
    return f.merge(trace, step[places.index(place)]) if place in places else trace


def _spaced(last: int) -> list[int]:
    """Return frames to print: early ones lie closer, as most happens there."""
    return sorted({round(last * share**1.6) for share in np.linspace(0, 1, PRINTED)})


def _printed(drawn: _Drawn, frames: Frames, place: int) -> f.Panel:
    traces = []
    for at, trace in enumerate(drawn.traces):
        made = _changed(trace, drawn.steps[place], drawn.places, at)
        traces += _by_colour(made) if "colorscale" in made.get("marker", {}) else [made]
    return f.Panel(traces, drawn.layout, frames.told(place), label=frames.told(place), height=240)


def _by_colour(trace: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a trace whose points have several colours as one a colour."""
    marker = {name: value for name, value in trace["marker"].items() if name not in ("colorscale", "cmin", "cmax")}
    belongs = np.asarray(trace["marker"]["color"])
    return [
        {
            **trace,
            "x": trace["x"][belongs == k],
            "y": trace["y"][belongs == k],
            "marker": marker | {"color": colour_of(k)},
        }
        for k in np.unique(belongs).tolist()
    ]


def _skipped(frames: Frames) -> str:
    total = frames.log_likelihood.size
    if not total or frames.iterations.size >= total:
        return ""
    return say("Drawn: {n} of {total} iterations.", n=frames.iterations.size, total=f"{total:,}")


def _alt(frames: Frames) -> str:
    return say(
        "Animation of the components over {n} frames, from {first} to {last}.",
        n=len(frames.parameters),
        first=frames.told(0),
        last=frames.told(len(frames.parameters) - 1),
    )
