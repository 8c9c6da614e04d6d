"""The bound by epoch and its two terms, of training rows and of rows held out, and the weight of the divergence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.words import joined, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_view import Training

Floats = NDArray[np.float64]

POINTS = 300  # of a line
_LATE = 0.04  # of the epochs: those before may lie far from all others
_LEAST = 4  # epochs that a curve is made of


def training_figure(training: Training | None) -> f.Figure | None:
    """Draw the course of training; None where nobody followed it."""
    if training is None or training.epoch.size < 2:
        return None
    panels = [_term(training, name) for name in ("elbo", "reconstruction", "kl")]
    weight = training.weight
    if weight is not None and np.ptp(weight) > 0:
        panels.append(_weight(training, weight))
    constant = weight is not None and np.ptp(weight) == 0 and weight[0] != 1
    return f.Figure(
        name="training",
        title=training_title(training),
        caption=joined(
            [
                say(
                    "How to read: the bound is what training raises, in nats a row: how well rows are rebuilt from "
                    "their codes, less how much these say of them (the divergence from the prior). It has arrived "
                    "where the line is flat."
                ),
                say(
                    "Where the bound of training rows rises on while that of held-out rows falls, the networks learn "
                    "rows by heart; the weights kept are those at the dotted line."
                )
                if training.held_out
                else say("No rows were held out, so that learning by heart would not show."),
                say("The divergence counted {weight} times in what was raised.", weight=f"{weight[0]:g}")
                if constant and weight is not None
                else "",
            ]
        ),
        panels=tuple(panels),
        key=(("observed", say("training rows")), ("fit", say("held-out rows")))
        if training.held_out
        else (("observed", say("training rows")),),
        note=_note(training),
    )


def training_title(training: Training) -> str:
    """Say where the bound came to, and whether it still rose."""
    judged = training.held_out.get("elbo", training.train["elbo"])
    told = {"epoch": f"{training.epoch[training.best]:,}", "value": number(float(judged[training.best]), 2)}
    if "elbo" not in training.held_out:
        return say("The bound stands at {value} nats a row after {epoch} epochs", **told)
    if training.best < training.epoch.size - 1:
        return say("The held-out bound is {value} nats a row with the weights of epoch {epoch}", **told)
    return say("The held-out bound still rose in the last epoch, {epoch}: {value} nats a row", **told)


def _term(training: Training, name: str) -> f.Panel:
    labels = {
        "elbo": mark("The bound (ELBO)"),
        "reconstruction": mark("Reconstruction: log density of rows given their codes"),
        "kl": mark("Divergence of codes from the prior"),
    }
    rows = [(training.train[name], f.OBSERVED, say("training rows"))]
    if name in training.held_out:
        rows.append((training.held_out[name], f.FIT, say("held-out rows")))
    traces = [_line(training, values, colour, text) for values, colour, text in rows]
    late = np.concatenate([values[_late(values.size) :] for values, _, _ in rows])
    ends = ", ".join(f"{text} {number(float(values[training.best]), 2)}" for values, _, text in rows)
    layout = f.layout(
        say("epoch"),
        say("nats a row"),
        yaxis={"range": _range(late)},
        hovermode="closest",
        shapes=[_kept(training)],
    )
    alt = say("{what} by epoch; where the weights were kept: {values}.", what=say(labels[name]), values=ends)
    return f.Panel(traces, layout, alt, label=say(labels[name]), height=260)


def _weight(training: Training, weight: Floats) -> f.Panel:
    layout = f.layout(say("epoch"), say("weight"), yaxis={"rangemode": "tozero"}, shapes=[_kept(training)])
    label = say("Weight of the divergence")
    alt = say("Weight of the divergence by epoch, from {a} to {b}.", a=f"{weight[0]:.2g}", b=f"{weight[-1]:.2g}")
    return f.Panel([_line(training, weight, f.PRIOR, label)], layout, alt, label=label, height=260)


def _line(training: Training, values: Floats, colour: str, name: str) -> dict[str, Any]:
    step = -(-values.size // POINTS)
    kept = np.unique(np.append(np.arange(0, values.size, step), values.size - 1))
    more = {"name": name, "hoverinfo": "all", "hovertemplate": "%{x}: %{y:.5~g}<extra></extra>"}
    return f.line(training.epoch[kept], values[kept], colour, 1.8, **more)


def _kept(training: Training) -> dict[str, Any]:
    at = int(training.epoch[training.best])
    line = {"color": f.MUTED, "width": 1, "dash": "dot"}
    return {"type": "line", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": line}


def _late(size: int) -> int:
    return min(int(np.ceil(_LATE * size)), max(0, size - _LEAST))


def _range(values: Floats, room: float = 0.08) -> list[float]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    margin = room * (high - low or abs(high) or 1.0)
    return [low - margin, high + margin]


def _note(training: Training) -> str:
    size = training.epoch.size
    told = [say("Drawn: one epoch in {step}.", step=-(-size // POINTS))] if size > POINTS else []
    if _late(size):
        told.append(say("The first epochs lie outside where they are far from all others."))
    return joined(told)
