"""How often nodes of one block are linked to nodes of another: the rates as a heat map, and with their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.words import joined, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_numbers import rate_alone, rate_interval, rate_name, rate_text, weight_text
from bayeskit.reporting.block_tables import density_text, pair_name, strongest_pairs
from bayeskit.reporting.block_view import Blocks
from bayeskit.reporting.groups import colour_of

Floats = NDArray[np.float64]

MAX_TEXTS = 12  # rows or columns whose fields say their number
MAX_INTERVALS = 20  # pairs
MAX_TICKS = 20
STRIP = 0.07  # of a field
_ROW = 17  # pixels of a pair with its interval
# Between paper and full colour at about the square root, so that low rates can be told from each other.
_SHADES = [[0, "var(--paper)"], [0.0256, f.BAND_95], [0.09, f.BAND_68], [1, f.FIT]]


def rates_figure(blocks: Blocks) -> f.Figure | None:
    """Draw the rates of all pairs of blocks; None where there is but one."""
    pairs = strongest_pairs(blocks)
    if len(pairs) < 2:
        return None
    panels = [_heat_map(blocks)]
    if blocks.ends is not None:
        panels.append(_intervals(blocks, pairs[:MAX_INTERVALS]))
    left = len(pairs) - MAX_INTERVALS
    return f.Figure(
        name="rates",
        title=_title(blocks, pairs[0]),
        caption=_caption(blocks, drawn=len(panels) > 1),
        panels=tuple(panels),
        note=say("Intervals: the {n} highest of {total} rates.", n=MAX_INTERVALS, total=f"{len(pairs):,}")
        if left > 0 and blocks.ends is not None
        else "",
    )


def _title(blocks: Blocks, pair: tuple[int, int]) -> str:
    k, m = pair
    ratio = float(blocks.mean_rates[pair]) / blocks.overall if blocks.overall > 0 else np.nan
    return say(
        "Densest: {pair} with {rate}, {times} times as dense as all pairs together",
        pair=pair_name(blocks, k, m),
        rate=rate_text(blocks, blocks.rates[:, k, m]),
        times=significant(ratio, 2),
    )


def _caption(blocks: Blocks, *, drawn: bool) -> str:
    told = say(
        "How to read: each field is the {what}, from the block of its row to that of its column.",
        what=rate_name(blocks),
    )
    if not blocks.card.directed:
        told = say(
            "How to read: each field is the {what} between the blocks of its row and its column.",
            what=rate_name(blocks),
        )
    written = max(len(blocks.sources.holding), len(blocks.targets.holding)) <= MAX_TEXTS
    per_cent = say("Numbers are in per cent.") if written and blocks.card.likelihood == "bernoulli" else ""
    shades = say(
        "The darker, the higher; low rates are told apart more finely. Of all pairs together it is {rate}.",
        rate=density_text(blocks),
    )
    ends = say("Dots are the rates with their 68 % (thick) and 95 % intervals, the highest first.") if drawn else ""
    return joined([told, per_cent, shades, ends])


def _heat_map(blocks: Blocks) -> f.Panel:
    rows, columns = blocks.sources.holding, blocks.targets.holding
    rates = blocks.mean_rates[np.ix_(rows, columns)]
    cells = {
        "type": "heatmap",
        "name": rate_name(blocks),
        "x": np.arange(1, len(columns) + 1),
        "y": np.arange(1, len(rows) + 1),
        "z": rates,
        "zmin": 0,
        "zmax": max(float(rates.max()), np.finfo(float).tiny),
        "colorscale": _SHADES,
        "showscale": False,
        "text": [[_hover(blocks, k, m) for m in columns] for k in rows],
        "hovertemplate": "%{text}<extra></extra>",
    }
    named = [_ticks(of) for of in (rows, columns)]
    titles = (say("block"), say("block")) if not blocks.card.directed else (say("from block"), say("to block"))
    if not blocks.card.shared:
        titles = (say("from source block"), say("to target block"))
    layout = f.layout(
        titles[1],
        titles[0],
        xaxis={**named[1], "range": [0.5 - 2 * STRIP, len(columns) + 0.5]},
        yaxis={**named[0], "range": [len(rows) + 0.5, 0.5 - 2 * STRIP]},
        annotations=_texts(blocks, rows, columns),
        shapes=[*_strips(rows, "y"), *_strips(columns, "x")],
        hovermode="closest",
    )
    return f.Panel([cells], layout, _alt(blocks), height=440, behaviour={"square": True, "texts": len(columns)})


def _ticks(blocks_shown: list[int]) -> dict[str, Any]:
    """Return the blocks' numbers, of many not all."""
    places = range(0, len(blocks_shown), -(-len(blocks_shown) // MAX_TICKS))
    texts = [str(blocks_shown[place] + 1) for place in places]
    return {"tickvals": [place + 1 for place in places], "ticktext": texts, "showgrid": False, "ticks": ""}


def _hover(blocks: Blocks, source: int, target: int) -> str:
    draws = blocks.rates[:, source, target]
    lines = [pair_name(blocks, source, target), rate_text(blocks, draws)]
    if ends := rate_interval(blocks, draws):
        lines.append(say("95 %: {interval}", interval=ends))
    if blocks.weight is not None:
        template = mark("weight {n}") if blocks.card.weighted else mark("edges: {n}")
        lines.append(say(template, n=weight_text(float(blocks.weight[source, target]))))
    return "<br>".join(lines)


def _texts(blocks: Blocks, rows: list[int], columns: list[int]) -> list[dict[str, Any]]:
    if max(len(rows), len(columns)) > MAX_TEXTS:
        return []
    size = 12 if len(columns) <= 6 else 10
    return [
        f.label(
            rate_alone(blocks, blocks.rates[:, k, m], unit=False),
            column + 1,
            row + 1,
            font={"size": size},
            bgcolor="var(--paper)",
            borderpad=1,
            opacity=0.85,
            captureevents=False,
        )
        for row, k in enumerate(rows)
        for column, m in enumerate(columns)
    ]


def _strips(blocks_shown: list[int], axis: str) -> list[dict[str, Any]]:
    other = "x" if axis == "y" else "y"
    return [
        {
            "type": "rect",
            f"{axis}0": place + 0.5,
            f"{axis}1": place + 1.5,
            f"{other}0": 0.5 - 2 * STRIP,
            f"{other}1": 0.5 - 0.5 * STRIP,
            "fillcolor": colour_of(k),
            "line": {"width": 0},
        }
        for place, k in enumerate(blocks_shown)
    ]


def _intervals(blocks: Blocks, pairs: list[tuple[int, int]]) -> f.Panel:
    scale = 100.0 if blocks.card.likelihood == "bernoulli" else 1.0
    draws = scale * np.stack([blocks.rates[:, k, m] for k, m in pairs], axis=1)
    low95, low68, high68, high95 = np.quantile(draws, [0.025, 0.16, 0.84, 0.975], axis=0)
    place, gap = np.arange(1, len(pairs) + 1), np.full(len(pairs), np.nan)
    along = np.stack([place, place, gap], axis=-1).ravel()
    sticks = [
        f.line(np.stack([low, high, gap], axis=-1).ravel(), along, f.FIT, width, connectgaps=False, name=name)
        for low, high, width, name in (
            (low95, high95, 1.6, say("95 % interval")),
            (low68, high68, 5, say("68 % interval")),
        )
    ]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": say("mean"),
        "x": draws.mean(0),
        "y": place,
        "marker": {"color": f.FIT, "size": 9, "line": {"color": "var(--paper)", "width": 1}},
        "text": [_hover(blocks, k, m) for k, m in pairs],
        "hovertemplate": "%{text}<extra></extra>",
    }
    overall = {
        "type": "line",
        "yref": "paper",
        "x0": scale * blocks.overall,
        "x1": scale * blocks.overall,
        "y0": 0,
        "y1": 1,
    }
    unit = say("{what}, in per cent", what=rate_name(blocks)) if scale > 1 else rate_name(blocks)
    layout = f.layout(
        unit,
        "",
        xaxis={"range": [0, 1.03 * float(high95.max())], "showgrid": True},
        yaxis={
            "tickvals": place.tolist(),
            "ticktext": [_pair(blocks, k, m) for k, m in pairs],
            "range": [len(pairs) + 0.7, 0.3],
            "ticks": "",
            "showgrid": False,
        },
        shapes=[{**overall, "line": {"color": f.MUTED, "width": 1, "dash": "dash"}}],
        annotations=[
            f.label(say("all pairs"), scale * blocks.overall, len(pairs) + 0.4, f.MUTED, xanchor="left", xshift=4)
        ],
        hovermode="closest",
    )
    k, m = pairs[0]
    alt = say(
        "Rates with intervals, the highest first: {pair} with {rate}.",
        pair=pair_name(blocks, k, m),
        rate=rate_text(blocks, blocks.rates[:, k, m]),
    )
    return f.Panel([*sticks, dots], layout, alt, height=max(220, 80 + _ROW * len(pairs)))


def _pair(blocks: Blocks, source: int, target: int) -> str:
    return f"{source + 1} {blocks.link} {target + 1}"


def _alt(blocks: Blocks) -> str:
    k, m = strongest_pairs(blocks)[0]
    return say(
        "Heat map of the rates between {rows} and {columns}; the highest is that of {pair}.",
        rows=say("{n} {blocks}", n=len(blocks.sources.holding), blocks=blocks.sources.plural),
        columns=say("{n} {blocks}", n=len(blocks.targets.holding), blocks=blocks.targets.plural),
        pair=pair_name(blocks, k, m),
    )
