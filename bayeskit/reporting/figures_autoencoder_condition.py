"""Columns that are generated at each value of a number that is given, beside the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import joined, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_numbers import rows_given, shares_held
from bayeskit.reporting.autoencoder_view import Autoencoder, ByNumber
from bayeskit.reporting.groups import thinned

Floats = NDArray[np.float64]

MAX_COLUMNS = 12
MAX_DRAWN = 300  # rows


def condition_figure(found: Autoencoder) -> f.Figure | None:
    """Draw bands of each column against the condition, and the data; None where no number is given."""
    made = found.by_number
    if made is None:
        return None
    rows = rows_given(found, made)
    shown = list(range(min(MAX_COLUMNS, found.card.shape[0])))
    return f.Figure(
        name="by-condition",
        title=_title(found, made, rows),
        caption=joined(
            [
                say(
                    "How to read: the line is the mean of what is generated at each {name}, over codes and noise; 68 % "
                    "and 95 % of what is generated lies in the bands. These are of rows to come, not of how sure the "
                    "networks are, which nobody knows of a point estimate.",
                    name=made.name,
                ),
                say("Dots are rows of the data that were held out from training.")
                if found.held_out and rows is not None
                else say("Dots are rows of the data.")
                if rows is not None
                else "",
            ]
        ),
        panels=tuple(_panel(found, made, rows, column) for column in shown),
        key=(
            *((("observed", say("data")),) if rows is not None else ()),
            ("fit", say("mean")),
            ("fit-68", say("68 % band")),
            ("fit-95", say("95 % band")),
        ),
        note=_note(found, rows, len(shown)),
    )


def _title(found: Autoencoder, made: ByNumber, rows: tuple[Floats, Floats] | None) -> str:
    held = shares_held(found)
    if held is None or rows is None:
        return say("What is generated at each {name}", name=made.name)
    return say(
        "Given {name}, bands of 68 % hold {a} % of the data, those of 95 % hold {b} %",
        name=made.name,
        a=number(100 * held[0], 0),
        b=number(100 * held[1], 0 if rows[1].size < 1000 else 1),
    )


def _panel(found: Autoencoder, made: ByNumber, rows: tuple[Floats, Floats] | None, column: int) -> f.Panel:
    ends = [end[:, column] for end in (made.low95, made.high95, made.low68, made.high68)]
    traces = [*f.band(made.at, ends[0], ends[1], f.BAND_95), *f.band(made.at, ends[2], ends[3], f.BAND_68)]
    if rows is not None:
        some = thinned(np.arange(rows[0].size), MAX_DRAWN)
        dots: dict[str, Any] = {
            "type": "scatter",
            "mode": "markers",
            "name": say("data"),
            "x": rows[0][some],
            "y": rows[1][some, column],
            "marker": {"color": f.OBSERVED, "size": 3.5, "opacity": 0.55},
            "hoverinfo": "skip",
        }
        traces.append(dots)
    hover = {"hoverinfo": "all", "hovertemplate": "%{x:.4~g}: %{y:.4~g}<extra></extra>", "name": say("mean")}
    traces.append(f.line(made.at, made.mean[:, column], f.FIT, 2, **hover))
    layout = f.layout(f.plot_text(made.name), "", hovermode="closest")
    first, last = (number(float(made.mean[place, column]), 2) for place in (0, -1))
    alt = say(
        "Generated {column} against {name}: the mean goes from {first} to {last}.",
        column=found.card.columns[column],
        name=made.name,
        first=first,
        last=last,
    )
    return f.Panel(traces, layout, alt, label=found.column(column), height=240)


def _note(found: Autoencoder, rows: tuple[Floats, Floats] | None, shown: int) -> str:
    told = []
    if rows is not None and rows[0].size > MAX_DRAWN:
        told.append(say("Drawn: {n} of {total} rows.", n=MAX_DRAWN, total=f"{rows[0].size:,}"))
    if shown < found.card.shape[0]:
        told.append(say("Drawn: {n} of {total} columns.", n=shown, total=found.card.shape[0]))
    return joined(told)
