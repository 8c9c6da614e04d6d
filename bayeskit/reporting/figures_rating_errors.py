"""Errors of a factorisation by sweep or epoch: of the training ratings, and of those that were held out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import joined, number, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.rating_view import Errors, Factorisation

Floats = NDArray[np.float64]

POINTS = 300  # of a line
_LATE = 0.05  # of the sweeps: those before may lie far above all others


def errors_figure(found: Factorisation) -> f.Figure | None:
    """Draw the errors; None where nobody followed them, or draws have no order."""
    if found.kind not in ("mcmc", "point"):
        return None
    errors = found.errors
    panels = [_loss(errors), _by_epoch(found)] if found.is_point else [_train(found), _test(found)]
    made = [panel for panel in panels if panel is not None]
    if not made:
        return None
    n_chains = max((len(one) for one in (errors.train, errors.drawn, errors.so_far) if one is not None), default=1)
    point_key = (("observed", say("training ratings")), ("fit", say("test ratings")))
    return f.Figure(
        name="errors",
        title=_title(found),
        caption=_caption(found),
        panels=tuple(made),
        key=point_key if found.is_point else f.chain_key(n_chains),
        note=_note(errors),
    )


def _train(found: Factorisation) -> f.Panel | None:
    train, errors = found.errors.train, found.errors
    if train is None:
        return None
    sweeps = np.arange(1, train.shape[1] + 1)
    lines = [_line(sweeps, chain, f.chain_colour(at), 1.4, at) for at, chain in enumerate(train)]
    late = train[:, int(_LATE * train.shape[1]) :]
    warmup = errors.warmup if errors.warmup < train.shape[1] else 0
    shapes = [_edge(warmup)] if warmup else []
    layout = f.layout(
        say("sweep"),
        say("root mean square error"),
        yaxis={"range": _range(late)},
        hovermode="closest",
        shapes=shapes,
        annotations=[_told(warmup)] if warmup else [],
    )
    end = float(np.nanmean(train[:, -1]))
    alt = say("Training error by sweep, at last {value}.", value=number(end, 3))
    return f.Panel(lines, layout, alt, label=say("Training ratings, each sweep by itself"), height=300)


def _test(found: Factorisation) -> f.Panel | None:
    errors = found.errors
    if errors.drawn is None and errors.so_far is None:
        return None
    traces: list[dict[str, Any]] = []
    for values, width, opacity in ((errors.drawn, 0.9, 0.55), (errors.so_far, 2.4, 1.0)):
        for at, chain in enumerate(values if values is not None else ()):
            sweeps = errors.warmup + errors.thin * np.arange(1, chain.size + 1)
            traces.append(_line(sweeps, chain, f.chain_colour(at), width, at, opacity=opacity))
    notes, shapes, held = [], [], [one for one in (errors.drawn, errors.so_far) if one is not None]
    ends = [float(np.nanquantile(one, share)) for one in held for share in (0.0, 0.98)]
    last = errors.warmup + errors.thin * held[0].shape[1]
    for value, text, colour in _references(found):
        if value > 2 * max(ends) - min(ends):  # so far off that the rest would be a line
            continue
        ends.append(value)
        shapes.append({**_flat(value), "line": {"color": colour, "width": 1.2, "dash": "dash"}})
        below = colour == f.INK  # which the lines come down to
        notes.append(f.label(text, last, value, colour, xanchor="right", yshift=-9 if below else 9))
    layout = f.layout(
        say("sweep"),
        say("root mean square error"),
        yaxis={"range": _range(np.array(ends), 0.12)},
        hovermode="closest",
        shapes=shapes,
        annotations=notes,
    )
    alt = _title(found)
    return f.Panel(
        traces, layout, f"{alt}.", label=say("Test ratings: each draw (thin), their mean so far"), height=300
    )


def _references(found: Factorisation) -> list[tuple[float, str, str]]:
    """Return errors that the others are to be seen against."""
    made = []
    if found.tested is not None:
        told = say("all chains together: {value}", value=number(found.tested.rmse, 3))
        made.append((found.tested.rmse, told, f.INK))
        if found.means_alone is not None:
            alone = float(np.sqrt(np.mean((found.means_alone - found.tested.rating) ** 2)))
            made.append((alone, say("means of users and items alone: {value}", value=number(alone, 3)), f.MUTED))
    return made


def _loss(errors: Errors) -> f.Panel | None:
    if errors.loss is None:
        return None
    loss = errors.loss[0]
    positive = bool((loss > 0).all()) and float(loss.max()) > 3 * float(loss.min())
    layout = f.layout(
        say("epoch"),
        say("loss, log scale") if positive else say("loss"),
        hovermode="closest",
        yaxis={"type": "log", "exponentformat": "power", "nticks": 4} if positive else {},
    )
    alt = say("The loss by epoch, at last {value}.", value=significant(float(loss[-1]), 4))
    return f.Panel([_line(np.arange(1, loss.size + 1), loss, f.MUTED, 1.8)], layout, alt, label=say("Loss"), height=300)


def _by_epoch(found: Factorisation) -> f.Panel | None:
    traces, ends = [], []
    for values, colour, name in (
        (found.errors.train, f.OBSERVED, say("training ratings")),
        (found.errors.test, f.FIT, say("test ratings")),
    ):
        if values is not None:
            traces.append(_line(np.arange(1, values.shape[1] + 1), values[0], colour, 1.8, name=name))
            ends.append(values[0][int(_LATE * values.shape[1]) :])
    if not traces:
        return None
    layout = f.layout(
        say("epoch"), say("root mean square error"), yaxis={"range": _range(np.concatenate(ends))}, hovermode="closest"
    )
    return f.Panel(traces, layout, f"{_title(found)}.", label=say("Errors"), height=300)


def _title(found: Factorisation) -> str:
    errors = found.errors
    if found.is_point and errors.test is not None:
        test = errors.test[0]
        best = int(np.nanargmin(test))
        told = {"best": number(float(test[best]), 3), "epoch": f"{best + 1:,}", "end": number(float(test[-1]), 3)}
        if test[-1] > 1.01 * test[best]:
            return say("The test error is least in epoch {epoch} ({best}), and {end} at the end", **told)
        return say("The test error falls to {end}", end=told["end"])
    if errors.drawn is not None and found.tested is not None:
        alone, together = number(float(np.nanmean(errors.drawn)), 3), number(found.tested.rmse, 3)
        return say(
            "One draw errs by {alone} on the test ratings, the mean of all by {together}",
            alone=alone,
            together=together,
        )
    if errors.train is not None:
        return say("The training error stands at {value}", value=number(float(np.nanmean(errors.train[:, -1])), 3))
    return say("The loss by epoch")


def _caption(found: Factorisation) -> str:
    if found.is_point:
        return say(
            "How to read: each epoch goes through all users and all items once. Where the training error still falls "
            "while the test error rises, the factors learn noise: a larger ridge, fewer factors or fewer epochs would "
            "predict better. That nobody has to choose these is what a posterior is for."
        )
    return joined(
        [
            say(
                "How to read: chains have arrived where their lines run level and side by side. A single draw errs "
                "more than the mean of many, as what it does not know it makes up; the thick line is the error of the "
                "mean of the draws so far."
            ),
            say("Test ratings play no part in the fit.") if found.tested is not None else "",
        ]
    )


def _note(errors: Errors) -> str:
    longest = max(
        (one.shape[1] for one in (errors.loss, errors.train, errors.drawn, errors.so_far) if one is not None), default=0
    )
    return say("Drawn: one in {step}.", step=-(-longest // POINTS)) if longest > POINTS else ""


def _line(
    x: NDArray[np.int64], y: Floats, colour: str, width: float, chain: int | None = None, **more: Any
) -> dict[str, Any]:
    step = -(-x.size // POINTS)
    kept = np.unique(np.append(np.arange(0, x.size, step), x.size - 1))
    name = say("chain {n}", n=chain + 1) if chain is not None else ""
    hover = {"name": name, "hoverinfo": "all", "hovertemplate": "%{x}: %{y:.4~g}<extra></extra>"}
    return f.line(x[kept], y[kept], colour, width, **{**hover, **more})


def _range(values: Floats, room: float = 0.08) -> list[float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = room * (high - low or abs(high) or 1.0)
    return [low - margin, high + margin]


def _flat(value: float) -> dict[str, Any]:
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value}


def _edge(warmup: int) -> dict[str, Any]:
    line = {"color": f.MUTED, "width": 1, "dash": "dot"}
    return {"type": "line", "yref": "paper", "x0": warmup, "x1": warmup, "y0": 0, "y1": 1, "line": line}


def _told(warmup: int) -> dict[str, Any]:
    return f.label(say("warm-up"), warmup, 1, f.MUTED, yref="paper", xanchor="right", yanchor="top", xshift=-6)
