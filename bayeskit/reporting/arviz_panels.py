"""ArviZ's Plotly figures, taken apart into panels that flow on any screen and wear the report's colours.

ArviZ draws one figure of fixed width with a subplot a variable; on a phone that overflows. Each subplot becomes a
panel of its own, and the style sheet arranges them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

Trace = dict[str, Any]


def tree_of(columns: Mapping[str, Any], **groups: xr.Dataset) -> xr.DataTree:
    """Build ArviZ's DataTree from scalars by label, ``n_chains x n_draws`` each.

    They are numbered there: a label may hold a slash, which no name in a DataTree may.
    """
    posterior = xr.Dataset({f"q{place}": (("chain", "draw"), values) for place, values in enumerate(columns.values())})
    sizes = posterior.sizes
    posterior = posterior.assign_coords(chain=np.arange(sizes["chain"]), draw=np.arange(sizes["draw"]))
    return xr.DataTree.from_dict({"posterior": posterior, **groups})


def draw(function: Callable[..., Any], tree: xr.DataTree, **options: Any) -> dict[str, Any]:
    """Call one of ArviZ's plots with the Plotly backend and return the figure as a dictionary."""
    collection = function(tree, backend="plotly", **options)
    figure: dict[str, Any] = collection.viz["figure"].item().to_dict()
    return figure


def subplots(figure: Mapping[str, Any]) -> list[list[Trace]]:
    """Return the figure's traces by subplot, arrays decoded, in the order of the subplots."""
    found: dict[int, list[Trace]] = {}
    for trace in figure["data"]:
        match = re.fullmatch(r"x(\d*)", trace.get("xaxis", "x"))
        place = int(match.group(1) or 1) if match else 1
        plain = {
            key: _decode(value)
            for key, value in trace.items()
            if key not in ("xaxis", "yaxis", "legend", "legendgroup")
        }
        found.setdefault(place, []).append(plain)
    return [found[place] for place in sorted(found)]


def is_band(trace: Trace) -> bool:
    """Whether the trace is one of the pair that makes a filled band."""
    return trace.get("mode") == "none" or trace.get("line", {}).get("width") == 0


def quiet(trace: Trace, **changes: Any) -> Trace:
    """Return the trace without hover, with changes."""
    return {**trace, "hoverinfo": "skip", **changes}


def _decode(value: Any) -> Any:
    if isinstance(value, dict) and "bdata" in value:
        return np.frombuffer(base64.b64decode(value["bdata"]), dtype=np.dtype(value["dtype"]).newbyteorder("<"))
    return value
