"""How many blocks: what the ELBO, the integrated likelihood and the description length say of each number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Fit
from bayeskit.core.words import NO_BREAK, commas, joined, listing, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.group_tables import GroupRow, GroupTable
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Size = tuple[int, int]

_NAMES = {"elbo": "ELBO", "icl": "ICL", "description_length": mark("description length")}
_LOWER = ("description_length",)  # the better
_COLOURS = {"elbo": f.FIT, "icl": "var(--component-2)", "description_length": "var(--component-1)"}
MAX_ROWS = 16
MAX_TICKS = 10


@dataclass(frozen=True, eq=False)
class Selection:
    """The numbers of blocks that were tried, ``n_candidates`` each, and what was found of them.

    Parameters
    ----------
    sources, targets
        Numbers of blocks, in ascending order; the same where one partition is shared.
    criteria
        Those of ELBO, ICL and description length that were computed; NaN where one was not.
    chosen
        The numbers that were taken.
    shared
        Whether one partition is shared.
    """

    sources: Integers
    targets: Integers
    criteria: Mapping[str, Floats]
    chosen: Size
    shared: bool

    def place(self, name: str) -> int:
        """Return which candidate a criterion likes best."""
        values = self.criteria[name]
        return int(np.nanargmin(values) if name in _LOWER else np.nanargmax(values))

    def size(self, place: int) -> Size:
        """Return a candidate's numbers of blocks."""
        return int(self.sources[place]), int(self.targets[place])

    def shortfall(self, name: str) -> Floats:
        """Return how far each candidate is from a criterion's best."""
        values = self.criteria[name]
        distance: Floats = np.abs(values - values[self.place(name)])
        return distance

    @property
    def along(self) -> Integers | None:
        """Numbers that the candidates can be ordered by; None where both numbers vary of themselves."""
        if np.array_equal(self.sources, self.targets) or np.unique(self.targets).size == 1:
            return self.sources
        return self.targets if np.unique(self.sources).size == 1 else None


def read_selection(fit: Fit) -> Selection | None:
    """Return how the number of blocks was chosen, or None where it was given."""
    card, data = fit.provenance.card.blocks, group(fit, "selection")
    if card is None or data is None or not {"n_source_blocks", "chosen"} <= set(data.data_vars):
        return None
    columns = {str(name): np.ravel(array.to_numpy()).astype(float) for name, array in data.data_vars.items()}
    sources = columns["n_source_blocks"]
    targets = columns.get("n_target_blocks", sources)
    order = np.lexsort((targets, sources))
    criteria = {name: columns[name][order] for name in _NAMES if name in columns and np.isfinite(columns[name]).any()}
    taken = np.flatnonzero(columns["chosen"] > 0)
    if sources.size < 2 or not criteria or not taken.size:
        return None
    chosen = int(sources[taken[0]]), int(targets[taken[0]])
    return Selection(sources[order].astype(np.int64), targets[order].astype(np.int64), criteria, chosen, card.shared)


def size_text(selection: Selection, size: Size) -> str:
    """Return numbers of blocks as a sentence has them."""
    if selection.shared:
        return say_count(size[0], "{n} block", "{n} blocks")
    return say(
        "{sources} and {targets}",
        sources=say_count(size[0], "{n} source block", "{n} source blocks"),
        targets=say_count(size[1], "{n} target block", "{n} target blocks"),
    )


def told_of(selection: Selection) -> str:
    """Say how many blocks were taken, and what each criterion would choose."""
    best = {name: selection.size(selection.place(name)) for name in selection.criteria}
    told = {"n": selection.sources.size, "blocks": size_text(selection, selection.chosen)}
    if len(best) > 1 and set(best.values()) == {selection.chosen}:
        return say(
            "Of {n} candidates {blocks} were chosen, the best by {criteria}.",
            **told,
            criteria=listing([say(_NAMES[name]) for name in best]),
        )
    would = [
        say("{criterion} {n}", criterion=say(_NAMES[name]), n=_short(selection, size)) for name, size in best.items()
    ]
    return say("Of {n} candidates {blocks} were chosen; best by {criteria}.", **told, criteria=commas(would))


def _short(selection: Selection, size: Size) -> str:
    return str(size[0]) if selection.shared else f"{size[0]}{NO_BREAK}×{NO_BREAK}{size[1]}"


def selection_figure(selection: Selection) -> f.Figure:
    """Draw each criterion over the number of blocks."""
    along = selection.along
    panels = [
        _path(selection, name, along) if along is not None else _field(selection, name) for name in selection.criteria
    ]
    how = mark(
        "How to read: the ELBO is a lower bound on the log evidence, ICL the log density of graph and blocks together; "
        "of both the highest is best. The description length is what it takes to write the graph down by its blocks, "
        "in nats: the lowest is best. Rings mark the best, the dashed line what was taken."
    )
    if along is None:
        how = mark(
            "How to read: each field is a candidate, by its numbers of source and target blocks, the paler, the "
            "farther from the criterion's best (ELBO and ICL: the highest; description length: the lowest). The circle "
            "marks the best, the cross what was taken."
        )
    return f.Figure(
        name="choice",
        title=say("Why {blocks}", blocks=size_text(selection, selection.chosen)),
        caption=joined([say(how), told_of(selection)]),
        panels=tuple(panels),
    )


def _path(selection: Selection, name: str, along: Integers) -> f.Panel:
    values, colour, place = selection.criteria[name], _COLOURS[name], selection.place(name)
    chosen = selection.chosen[1] if along is selection.targets else selection.chosen[0]
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": say(_NAMES[name]),
        "x": along,
        "y": values,
        "line": {"color": colour, "width": 1.8},
        "marker": {"color": colour, "size": 6},
        "hovertemplate": "%{x}: %{y:,.1f}<extra></extra>",
    }
    kept = along[:: max(1, -(-along.size // MAX_TICKS))].tolist()
    ticks = {"tickvals": kept, "ticktext": [str(k) for k in kept]}
    taken = {"type": "line", "yref": "paper", "x0": chosen, "x1": chosen, "y0": 0, "y1": 1}
    layout = f.layout(
        say("blocks"),
        say("nats"),
        xaxis={**ticks, "range": [int(along.min()) - 0.5, int(along.max()) + 0.5]},
        yaxis={"nticks": 5, "tickformat": ","},
        shapes=[{**taken, "line": {"color": f.MUTED, "width": 1, "dash": "dash"}}],
        hovermode="closest",
    )
    ring = _mark(int(along[place]), float(values[place]), colour, "circle-open")
    return f.Panel([line, ring], layout, _alt(selection, name), label=say(_NAMES[name]), height=250)


def _mark(x: float, y: float, colour: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": say("best") if symbol == "circle-open" else say("taken"),
        "x": [x],
        "y": [y],
        "marker": {"color": colour, "symbol": symbol, "size": 14, "line": {"width": 2, "color": colour}},
        "hoverinfo": "skip",
    }


def _field(selection: Selection, name: str) -> f.Panel:
    rows, columns = (np.arange(ends.min(), ends.max() + 1) for ends in (selection.sources, selection.targets))
    cells = np.full((rows.size, columns.size), np.nan)
    cells[selection.sources - rows[0], selection.targets - columns[0]] = selection.shortfall(name)
    heat = {
        "type": "heatmap",
        "name": say(_NAMES[name]),
        "x": columns,
        "y": rows,
        "z": cells,
        "zmin": 0,
        "zmax": max(float(np.nanquantile(cells, 0.8)), 1e-9),
        "colorscale": [[0, _COLOURS[name]], [1, "var(--surface)"]],
        "showscale": False,
        "hovertemplate": "%{y} × %{x}: " + say("{value} from the best", value="%{z:,.1f}") + "<extra></extra>",
    }
    best = selection.size(selection.place(name))
    layout = f.layout(
        say("target blocks"),
        say("source blocks"),
        xaxis={**_whole(columns), "range": [columns[0] - 0.5, columns[-1] + 0.5]},
        yaxis={**_whole(rows), "range": [rows[0] - 0.5, rows[-1] + 0.5], "showgrid": False},
        hovermode="closest",
    )
    marks = [_mark(best[1], best[0], f.INK, "circle-open"), _mark(selection.chosen[1], selection.chosen[0], f.INK, "x")]
    marks[1]["marker"]["size"] = 8
    return f.Panel([heat, *marks], layout, _alt(selection, name), label=say(_NAMES[name]), height=250)


def _whole(values: Integers) -> dict[str, Any]:
    kept = values[:: max(1, -(-values.size // MAX_TICKS))].tolist()
    return {"tickvals": kept, "ticktext": [str(k) for k in kept]}


def _alt(selection: Selection, name: str) -> str:
    best = size_text(selection, selection.size(selection.place(name)))
    template = mark("The {criterion} is highest for {blocks}.")
    if name in _LOWER:
        template = mark("The {criterion} is lowest for {blocks}.")
    return say(template, criterion=say(_NAMES[name]), blocks=best)


def _value(value: float) -> str:
    return number(value, 1) if np.isfinite(value) else "–"


def selection_table(selection: Selection) -> GroupTable:
    """Return the candidates with their criteria: all, or the best of many."""
    first = next(iter(selection.criteria))
    order = np.argsort(np.nan_to_num(selection.shortfall(first), nan=np.inf), kind="stable")[:MAX_ROWS]
    shown = np.sort(order)
    best = {name: selection.place(name) for name in selection.criteria}
    rows = [
        GroupRow(
            _short(selection, selection.size(place)),
            (
                *(
                    (_value(float(values[place])), say("best") if best[name] == place else "")
                    for name, values in selection.criteria.items()
                ),
                (say("taken") if selection.size(place) == selection.chosen else "", ""),
            ),
        )
        for place in map(int, shown)
    ]
    left = selection.sources.size - shown.size
    return GroupTable(
        title=say("The numbers of blocks that were tried"),
        caption=say("All in nats. ELBO and ICL: the higher the better; description length: the lower the better."),
        first=say("blocks") if selection.shared else say("source × target blocks"),
        columns=(*(say(_NAMES[name]) for name in selection.criteria), say("outcome")),
        rows=tuple(rows),
        note=say_count(left, "{n} more candidate is not shown.", "{n} more candidates are not shown.") if left else "",
        words=(len(selection.criteria),),
    )
