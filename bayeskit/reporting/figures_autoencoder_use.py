"""Which codes are in use: how much each says of a row, against nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeskit.core.language import say
from bayeskit.core.words import number
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_view import Autoencoder
from bayeskit.reporting.autoencoder_words import use_words

MAX_CODES = 64


def use_figure(found: Autoencoder) -> f.Figure | None:
    """Draw the divergence of each code from the prior; None where it is not known."""
    kl = found.bound.kl_code
    if not kl.size or not np.isfinite(kl).all():
        return None
    shown = found.by_use[:MAX_CODES]
    used = [code for code in shown if found.by_use.index(code) < found.bound.n_active]
    traces = [
        *_stems(found, shown, used, f.FIT, say("in use")),
        *_stems(found, shown, [code for code in shown if code not in used], f.PRIOR, say("not in use")),
    ]
    every = max(1, -(-len(shown) // 20))
    layout = f.layout(
        say("code"),
        say("nats a row"),
        xaxis={
            "tickvals": list(range(0, len(shown), every)),
            "ticktext": [str(code + 1) for code in shown[::every]],
            "range": [-0.7, len(shown) - 0.3],
        },
        yaxis={"rangemode": "tozero"},
    )
    values = ", ".join(f"{code + 1}: {number(float(kl[code]), 2)}" for code in shown[:10])
    return f.Figure(
        name="codes-in-use",
        title=_title(found),
        caption=say(
            "How to read: the height is how much a code says of a row, in nats: the divergence of what the encoder "
            "says of it from the prior, a mean over rows. At 0 the decoder cannot tell rows apart by it, and ignores "
            "it. A code is in use where its mean moves from row to row (a variance above 0.01)."
        ),
        panels=(f.Panel(traces, layout, say("Divergence by code, in nats: {values}.", values=values), height=240),),
        note=say("Drawn: the {n} that say most.", n=MAX_CODES) if kl.size > MAX_CODES else "",
    )


def _title(found: Autoencoder) -> str:
    if not found.bound.n_active or found.n_codes < 2:
        return use_words(found.bound, found.n_codes)
    first = found.by_use[0]
    return say(
        "{used}; code {n} says the most of a row, {value} nats",
        used=use_words(found.bound, found.n_codes),
        n=first + 1,
        value=number(float(found.bound.kl_code[first]), 2),
    )


def _stems(found: Autoencoder, shown: list[int], codes: list[int], colour: str, name: str) -> list[dict[str, Any]]:
    """Return a stem with a dot for each of the codes."""
    if not codes:
        return []
    x = np.array([shown.index(code) for code in codes], dtype=float)
    y = found.bound.kl_code[codes]
    gaps = np.full(x.size, np.nan)
    stems = f.line(np.stack([x, x, gaps], axis=1).ravel(), np.stack([0 * y, y, gaps], axis=1).ravel(), colour, 3)
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": x,
        "y": y,
        "marker": {"color": colour, "size": 9},
        "text": [str(code + 1) for code in codes],
        "hovertemplate": say("code {n}: {value} nats", n="%{text}", value="%{y:.3~g}") + "<extra></extra>",
    }
    return [stems, dots]
