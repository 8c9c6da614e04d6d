"""How strong each factor is, in the units of ratings, and how many of them matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.core.words import NO_BREAK, interval, joined, number, plus_minus
from bayeskit.reporting import figures as f
from bayeskit.reporting.rating_summary import Summary
from bayeskit.reporting.rating_view import Factorisation
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]

MAX_DRAWS = 4000
MAX_TICKS = 12


def factor_figure(fit: Fit, found: Factorisation, summary: Summary | None) -> f.Figure | None:
    """Draw the singular values of what users and items make together, and the factors' scales that were learned."""
    if summary is None:
        return None
    unit = say("hidden units") if found.card.likelihood == "ordinal" else say("rating units")
    panels = [
        _panel(
            summary.singular,
            say("standard deviation ({unit})", unit=unit),
            say("What each factor adds to ratings"),
        )
    ]
    scales = _draws(fit, "factor_sd")
    if scales is not None and scales.shape[1] == found.card.rank:
        panels.append(_panel(scales, say("scale of the rows"), say("Scale of each factor, as learned")))
    point = summary.n_draws < 2
    return f.Figure(
        name="factors",
        title=_title(fit, found, summary),
        caption=joined(
            [
                say(
                    "How to read: factors are known up to a rotation; turned so that the first one explains as much as "
                    "it can, then the second, each is as strong as the standard deviation that it alone makes between "
                    "ratings."
                ),
                "" if point else say("Dots are means, sticks hold 68 and 95{space}% of the draws.", space=NO_BREAK),
                _relevance(found),
            ]
        ),
        panels=tuple(panels),
        note="" if point else say("Of {n} kept draws.", n=f"{summary.n_draws:,}"),
    )


def effective_ranks(fit: Fit, summary: Summary) -> Floats:
    """Return how many factors matter, by draw: of all draws, or else of those whose rows were kept."""
    every = _draws(fit, "effective_rank")
    if every is not None and every.size:
        return every.ravel()
    squares = summary.singular**2
    found: Floats = squares.sum(1) ** 2 / np.maximum((squares**2).sum(1), np.finfo(float).tiny)
    return found


def _title(fit: Fit, found: Factorisation, summary: Summary) -> str:
    ranks = effective_ranks(fit, summary)
    ranks = ranks[np.isfinite(ranks)]
    if not ranks.size:
        return say("How strong each factor is")
    mean = float(ranks.mean())
    value = number(mean, 1) if ranks.size < 2 or not ranks.std() > 0 else plus_minus(mean, float(ranks.std(ddof=1)))
    return say("Of {n} factors {value} matter, in effect", n=found.card.rank, value=value)


def _relevance(found: Factorisation) -> str:
    if found.is_point:
        return ""
    if found.card.family == "ard":
        return say("The prior switches off factors that the ratings do not ask for: these lie near 0.")
    return say(
        "This prior switches no factor off: the last ones tell how much noise looks like taste. `--prior-family ard` "
        "lets factors vanish."
    )


def _draws(fit: Fit, name: str) -> Floats | None:
    posterior = group(fit, "posterior")
    if posterior is None or name not in posterior:
        return None
    array = posterior[name].transpose("chain", "draw", ...).to_numpy().astype(float)
    draws: Floats = array.reshape(array.shape[0] * array.shape[1], -1)
    return draws[:: max(1, len(draws) // MAX_DRAWS)] if np.isfinite(draws).all() else None


def _panel(draws: Floats, y_title: str, label: str) -> f.Panel:
    places, mean = np.arange(1, draws.shape[1] + 1), draws.mean(0)
    traces: list[dict[str, Any]] = []
    if len(draws) > 1:
        for shares, width, colour in (((0.025, 0.975), 2, f.BAND_95), ((0.16, 0.84), 6, f.BAND_68)):
            low, high = np.quantile(draws, shares, axis=0)
            gap = np.full(places.size, np.nan)
            x, y = np.stack([places, places, gap], -1).ravel(), np.stack([low, high, gap], -1).ravel()
            traces.append(f.line(x, y, f.FIT if width == 2 else colour, width, connectgaps=False))
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    decimals = 3 if mean.max() < 1 else 2
    texts = [
        interval(number(float(one), decimals), number(float(other), decimals))
        for one, other in zip(low, high, strict=True)
    ]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": label,
            "x": places,
            "y": mean,
            "marker": {"color": f.FIT, "size": 8 if places.size <= 40 else 4},
            "text": texts if len(draws) > 1 else [""] * places.size,
            "hovertemplate": say("factor {n}: {value}", n="%{x}", value="%{y:.3f}") + " (%{text})<extra></extra>"
            if len(draws) > 1
            else say("factor {n}: {value}", n="%{x}", value="%{y:.3f}") + "<extra></extra>",
        }
    )
    step = -(-places.size // MAX_TICKS)
    ticks = {"tickvals": places[::step].tolist(), "ticktext": [f"{place}" for place in places[::step].tolist()]}
    layout = f.layout(
        say("factor, strongest first"),
        y_title,
        xaxis={"range": [0.4, places.size + 0.6], **ticks},
        yaxis={"rangemode": "tozero"},
        hovermode="closest",
    )
    alt = say(
        "{label}: the strongest {first}, the weakest {last}.",
        label=label,
        first=number(float(mean[0]), decimals),
        last=number(float(mean[-1]), decimals),
    )
    return f.Panel(traces, layout, alt, label=label, height=300)
