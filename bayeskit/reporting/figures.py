"""What a figure is in the report, and how its numbers become the JSON that Plotly.js reads.

Colours are named by what they mean (``var(--fit)``) and resolved in the browser from the style sheet, so that a
colour has one meaning in every figure, light, dark and on paper.
"""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say

INK, MUTED, GRID = "var(--ink)", "var(--muted)", "var(--grid)"
OBSERVED, FIT, RAIN, PRIOR, FAIL = "var(--observed)", "var(--fit)", "var(--rain)", "var(--prior)", "var(--fail)"
BAND_68, BAND_95, NEUTRAL = "var(--fit-68)", "var(--fit-95)", "var(--neutral)"
N_CHAIN_COLOURS = 4

_BREAKOUT = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


@dataclass(frozen=True)
class Panel:
    """One Plotly plot: traces, layout, height in pixels, and a text for those who cannot see it.

    ``frames`` is what its own slider says of each frame, where it has one, and ``opens`` the one that it opens on. A
    panel that is ``wide`` has a row of its own.
    """

    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    alt: str
    label: str = ""
    height: int = 220
    behaviour: Mapping[str, Any] = field(default_factory=dict)
    frames: tuple[str, ...] = ()
    opens: int = 0
    wide: bool = False

    @property
    def spec(self) -> str:
        """JSON that is safe inside a ``<script>`` element."""
        return safe_json({"data": self.data, "layout": self.layout, "behaviour": self.behaviour})


@dataclass(frozen=True)
class Figure:
    """A titled figure of one or more panels.

    Parameters
    ----------
    name
        Its anchor in the page.
    title, caption
        What it shows, and how to read it.
    key
        Pairs of a colour's name in the style sheet and its meaning, where direct labels are not possible.
    note
        What was thinned for drawing.
    zooms, opens
        Buttons and the numbers of days that they show, 0 for all; which of them the view opens on.
    frames
        Of an animation: what its slider says of each frame. What changes stands in the panel's behaviour; the panel
        itself shows the last frame.
    turns
        Whether it is in space, so that buttons turn it.
    printed
        Panels that take the place of those that move, where the figure is made for print; None where they print as they
        are.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    key: tuple[tuple[str, str], ...] = ()
    note: str = ""
    zooms: tuple[tuple[str, int], ...] = ()
    opens: int | None = None
    frames: tuple[str, ...] = ()
    turns: bool = False
    printed: tuple[Panel, ...] | None = None

    @property
    def meanings(self) -> str:
        """JSON of what each colour stands for: what the downloaded numbers call a series that has no name."""
        common = {
            "observed": say("observed"),
            "fit": say("fitted"),
            "fit-68": say("68 % band"),
            "fit-95": say("95 % band"),
            "prior": say("prior"),
            "neutral": say("band"),
        }
        chains = {f"chain-{i + 1}": say("chain {n}", n=i + 1) for i in range(N_CHAIN_COLOURS)}
        return json.dumps(common | chains | dict(self.key), ensure_ascii=False)

    @property
    def is_pictures(self) -> bool:
        """Whether all it holds are pictures, which have no numbers to be saved."""
        return all(trace.get("type") == "image" for panel in self.panels for trace in panel.data)


def chain_colour(chain: int) -> str:
    """Return the colour of a chain, counted from 0; they repeat after ``N_CHAIN_COLOURS``."""
    return f"var(--chain-{chain % N_CHAIN_COLOURS + 1})"


def faded(colour: str, share: float) -> str:
    """Return a colour of the style sheet of which so much is left, to be seen through."""
    return f"{colour} / {share:g}"


def chain_key(n_chains: int) -> tuple[tuple[str, str], ...]:
    """Return the key that names each chain's colour."""
    if n_chains > N_CHAIN_COLOURS:
        return tuple(
            (f"chain-{i + 1}", say("chains {first}, {second}, …", first=i + 1, second=i + 1 + N_CHAIN_COLOURS))
            for i in range(N_CHAIN_COLOURS)
        )
    return tuple((f"chain-{i + 1}", say("chain {n}", n=i + 1)) for i in range(n_chains))


def plot_text(text: str) -> str:
    """Make a text that came from elsewhere harmless in Plotly, which reads some HTML and templates.

    Examples
    --------
    >>> plot_text("<b>%{x}")
    '&lt;b&gt;&#37;{x}'
    """
    return html.escape(text, quote=False).replace("%", "&#37;").replace("$", "&#36;")


def layout(x_title: str = "", y_title: str = "", **changes: Any) -> dict[str, Any]:
    """Return the common layout: transparent, one typeface, thin grid, no legend; ``changes`` are merged in."""
    base: dict[str, Any] = {
        "autosize": True,
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "var(--font)", "size": 13, "color": INK},
        "margin": {"l": 52, "r": 12, "t": 10, "b": 44},
        "hoverlabel": {"bgcolor": "var(--paper)", "bordercolor": GRID, "font": {"color": INK, "family": "var(--font)"}},
        "uirevision": "keep",
        "xaxis": axis(x_title, showgrid=False),
        "yaxis": axis(y_title),
    }
    return merge(base, changes)


def axis(title: str = "", **changes: Any) -> dict[str, Any]:
    """Return the common axis."""
    base: dict[str, Any] = {
        "title": {"text": title, "font": {"size": 13, "color": MUTED}, "standoff": 8},
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "tickfont": {"color": MUTED, "size": 12},
        "ticks": "outside",
        "tickcolor": GRID,
        "ticklen": 4,
        "automargin": True,
        "nticks": 6,
    }
    return merge(base, changes)


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; ``changes`` win."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def line(x: Any, y: Any, colour: str, width: float = 1.5, **more: Any) -> dict[str, Any]:
    """Return a line trace without hover."""
    base = {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": colour, "width": width},
        "hoverinfo": "skip",
    }
    return merge(base, more)


def band(x: Any, low: Any, high: Any, colour: str) -> list[dict[str, Any]]:
    """Return the two traces of a filled band."""
    lower = line(x, low, colour, 0)
    upper = line(x, high, colour, 0, fill="tonexty", fillcolor=colour)
    return [lower, upper]


def label(text: str, x: Any, y: Any, colour: str = INK, **more: Any) -> dict[str, Any]:
    """Return a text that stands in the figure beside what it names."""
    base = {"text": text, "x": x, "y": y, "showarrow": False, "font": {"color": colour, "size": 12}}
    return merge(base, more)


def dates(values: NDArray[np.datetime64]) -> list[str]:
    """Return dates as Plotly takes them."""
    days = values.astype("datetime64[D]")
    if np.array_equal(days.astype(values.dtype), values):
        return [str(value) for value in days]
    return [str(value) for value in values.astype("datetime64[s]")]


def _finite(value: Any) -> Any:
    """Replace numbers that JSON does not know by null: a failed run has them, and its report is needed most."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def safe_json(value: Any) -> str:
    """Serialise; arrays of floats become 32-bit typed arrays, and no character can end a ``<script>`` element."""
    text = json.dumps(_finite(value), default=_encode, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_BREAKOUT)


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f":
            return _typed(value.astype("<f4"), "f4")
        if value.dtype.kind in "iu" and value.size and np.abs(value).max() < 2**31:
            dtype = _smallest(value)
            return _typed(value.astype(f"<{dtype}"), dtype)
        if value.dtype.kind == "M":
            return dates(value)
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _smallest(values: NDArray[Any]) -> str:
    """Return a type that holds whole numbers; of matrices, which are large, in as few bytes as they need."""
    if values.ndim < 2 or values.min() < 0:
        return "i4"
    return "u1" if values.max() < 2**8 else "u2" if values.max() < 2**16 else "i4"


def _typed(values: NDArray[Any], dtype: str) -> dict[str, str]:
    typed = {"dtype": dtype, "bdata": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")}
    if values.ndim > 1:
        typed["shape"] = ", ".join(str(size) for size in values.shape)
    return typed
