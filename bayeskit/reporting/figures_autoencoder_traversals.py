"""What one code changes while the others stay: images with a slider each, columns of a table as a map."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import commas, joined, number, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_reading import code_name
from bayeskit.reporting.autoencoder_sheets import picture, png, sheet_of, ticks
from bayeskit.reporting.autoencoder_view import Autoencoder, Traversals

Floats = NDArray[np.float64]

MAX_SLIDERS = 6  # codes that have one
MAX_SHOWN = 10  # codes
MAX_COLUMNS = 30  # of a table
NAMED = 3  # columns in a title
LOW, MIDDLE, HIGH = "component-1", "rule", "fit"


def traversal_figure(found: Autoencoder) -> f.Figure | None:
    """Draw what the decoder makes of one code's values after the other; None where it was not kept."""
    ways = found.traversals
    if ways is None:
        return None
    return _images(found, ways) if found.is_images else _table(found, ways)


def _images(found: Autoencoder, ways: Traversals) -> f.Figure:
    shown = min(MAX_SHOWN, len(ways.codes))
    change = [float(np.sqrt(np.mean((way[-1] - way[0]) ** 2))) for way in ways.decoded[:shown]]
    names = [code_name(code) for code in ways.codes[:shown]]
    sheet = sheet_of([ways.decoded[:shown]])
    values = [number(float(value), 1) for value in ways.at]
    every = max(1, -(-len(values) // 9))
    alt = say("Images as one code after the other goes from {low} to {high}.", low=values[0], high=values[-1])
    still = picture(
        sheet,
        alt,
        yaxis=ticks(sheet.rows, names),
        xaxis=ticks(sheet.columns[::every], values[::every], say("value of the code")),
    )
    still = replace(still, wide=True)
    sliders = tuple(
        _slider(ways, place, names[place], values)
        for place in range(min(MAX_SLIDERS, shown, max(1, found.bound.n_active)))
    )
    most = int(np.argmax(change))
    return f.Figure(
        name="traversals",
        title=say(
            "What each code changes: {name} the most, {change} of grey from end to end",
            name=names[most],
            change=significant(change[most], 2),
        )
        if shown > 1
        else say("What the code changes: {change} of grey from end to end", change=significant(change[0], 2)),
        caption=say(
            "How to read: in each row one code goes from low to high, in standard deviations of the prior, while the "
            "others stay where they are. What changes along a row is what the code stands for; a row of equal images "
            "is a code that the decoder ignores. The sliders do the same, one code each; arrow keys move them."
        ),
        panels=(still, *sliders),
        note=sheet.note,
        printed=(still,),
    )


def _slider(ways: Traversals, place: int, name: str, values: list[str]) -> f.Panel:
    images = ways.decoded[place]
    told = tuple(say("{code}: {value}", code=name, value=value) for value in values)
    frames = [[{"source": png(image)}] for image in images]
    start = len(told) // 2
    alt = say("An image that changes with {code}.", code=name)
    panel = picture(sheet_of([images[start][None, None]]), alt, label=name, most=200)
    behaviour: dict[str, Any] = {"animation": {"traces": [0], "frames": frames, "labels": list(told)}}
    return replace(panel, height=200, behaviour={**panel.behaviour, **behaviour}, frames=told, opens=start)


def _table(found: Autoencoder, ways: Traversals) -> f.Figure:
    scale = _scale(found, ways)
    moved = (ways.decoded - ways.decoded.mean(1, keepdims=True)) / scale
    used = [place for place, code in enumerate(ways.codes) if code in found.used]
    shown = used[:MAX_SHOWN]
    reach = moved[:, -1] - moved[:, 0]
    columns = np.sort(np.argsort(-np.abs(reach[shown]).max(0), kind="stable")[:MAX_COLUMNS])
    top = float(np.abs(moved[shown][:, :, columns]).max()) or 1.0
    first = shown[int(np.argmax(np.abs(reach[shown]).sum(1)))]
    most = np.argsort(-np.abs(reach[first]), kind="stable")[:NAMED]
    named = commas([found.card.columns[column] for column in most])
    return f.Figure(
        name="traversals",
        title=say("{code:capital} moves {columns} the most", code=code_name(ways.codes[first]), columns=named),
        caption=say(
            "How to read: each map is of one code that goes from low to high, in standard deviations of the prior, "
            "while the others stay. The colour of a column is what it does then, in standard deviations of the data, "
            "from the middle of the map."
        ),
        panels=tuple(_map(found, ways, moved, place, columns, top) for place in shown),
        key=((LOW, number(-top, 1)), (MIDDLE, say("no change")), (HIGH, f"+{number(top, 1)}")),
        note=joined(
            [
                say("Codes that are not in use change nothing, and are left out.")
                if len(used) < len(ways.codes)
                else "",
                say("Drawn: the {n} columns that change most.", n=columns.size)
                if columns.size < found.card.shape[0]
                else "",
            ]
        ),
    )


def _map(
    found: Autoencoder, ways: Traversals, moved: Floats, place: int, columns: NDArray[np.int64], top: float
) -> f.Panel:
    names = [f.plot_text(found.card.columns[column]) for column in columns]
    rows = np.arange(columns.size)
    trace = {
        "type": "heatmap",
        "x": ways.at,
        "y": rows,
        "z": moved[place][:, columns].T,
        "zmin": -top,
        "zmax": top,
        "colorscale": [[0, f"var(--{LOW})"], [0.5, f"var(--{MIDDLE})"], [1, f"var(--{HIGH})"]],
        "showscale": False,
        "hovertemplate": "%{x:.1f}: %{z:.2f}<extra></extra>",
    }
    layout = f.layout(
        say("value of the code"),
        "",
        xaxis={"ticks": "outside"},
        yaxis={
            "tickvals": rows.tolist(),
            "ticktext": names,
            "autorange": "reversed",
            "showgrid": False,
            "ticks": "",
        },
        hovermode="closest",
    )
    label = code_name(ways.codes[place])
    reach = moved[place][-1] - moved[place][0]
    told = ", ".join(f"{found.card.columns[j]} {number(float(reach[j]), 1)}" for j in np.argsort(-np.abs(reach))[:8])
    alt = say("As {code} rises, columns change by so many standard deviations: {columns}.", code=label, columns=told)
    return f.Panel([trace], layout, alt, label=label, height=max(180, 70 + 16 * columns.size))


def _scale(found: Autoencoder, ways: Traversals) -> Floats:
    """Return the data's standard deviations, or those of what is drawn where these are not known."""
    rows = found.compared.value if found.compared is not None else None
    rows = found.rebuilt.original if rows is None and found.rebuilt is not None else rows
    spread: Floats = (ways.decoded.reshape(-1, found.card.shape[0]) if rows is None else rows).std(0)
    return np.maximum(spread, np.finfo(float).tiny)
