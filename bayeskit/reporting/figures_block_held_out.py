"""Pairs that the model did not see: how well it tells those with an edge from others, and how often it is right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.core.words import joined, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_numbers import log_ticks, score_text, share_text
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]

POINTS = 250  # of a curve
BINS = 12
RARE = 0.03  # mean weight of a pair below which axes are logarithmic


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Pairs of nodes that were held out, ``n_pairs`` each.

    Parameters
    ----------
    expected
        What the model expects of each: the chance of an edge, or its mean weight.
    weight
        What was observed.
    chances
        Whether ``expected`` are chances.
    """

    expected: Floats
    weight: Floats
    chances: bool

    @property
    def n_edges(self) -> int:
        """How many of the pairs have an edge."""
        return int((self.weight > 0).sum())

    @property
    def base_rate(self) -> float:
        """The share of pairs that have one: the average precision of guessing."""
        return self.n_edges / self.weight.size

    @cached_property
    def counts(self) -> tuple[Floats, Floats]:
        """Pairs with and without an edge among those of at least each expectation, the highest first, from none on."""
        order = np.argsort(-self.expected, kind="stable")
        edge = (self.weight > 0)[order]
        last = np.flatnonzero(np.append(np.diff(self.expected[order]) != 0, True))
        true = np.cumsum(edge)[last].astype(float)
        return np.append(0.0, true), np.append(0.0, last + 1 - true)

    @cached_property
    def auc(self) -> float:
        """The chance that a pair with an edge is expected to have one more than a pair without."""
        true, false = self.counts
        return float(np.trapezoid(true, false) / (true[-1] * false[-1]))

    @cached_property
    def average_precision(self) -> float:
        """The mean precision over all edges."""
        true, false = self.counts
        return float(np.sum(np.diff(true) * true[1:] / (true[1:] + false[1:])) / true[-1])


def read_held_out(fit: Fit) -> HeldOut | None:
    """Return the pairs that were held out; None where there are none, or all of them are alike."""
    card, derived = fit.provenance.card.blocks, group(fit, "derived")
    names = ("held_out_probability", "held_out_weight")
    if card is None or derived is None or not set(names) <= set(derived.data_vars):
        return None
    expected, weight = (derived[name].to_numpy().astype(float).ravel() for name in names)
    if expected.size != weight.size or not np.isfinite(expected).all():
        return None
    found = HeldOut(expected, weight, card.likelihood == "bernoulli")
    return found if 0 < found.n_edges < weight.size else None


def held_out_figure(found: HeldOut) -> f.Figure:
    """Draw what the expectations are worth: two curves of how they tell edges apart, and what came of them."""
    return f.Figure(
        name="held-out",
        title=say(
            "Of pairs that were held out, edges are told from others with AUC {auc}",
            auc=number(found.auc, 3),
        ),
        caption=joined(
            [
                say(
                    "How to read: {n} pairs, {edges} of them with an edge ({share}), were hidden from the fit. The "
                    "first curve goes down from the pair that the model thinks most likely: the share of the edges "
                    "that are found, against the share of the other pairs that are taken for edges; the area below is "
                    "the AUC, 0.5 by guessing. The second says how many of those taken are edges; its mean is the "
                    "average precision, {share} by guessing.",
                    n=f"{found.weight.size:,}",
                    edges=f"{found.n_edges:,}",
                    share=share_text(found.base_rate),
                ),
                say(
                    "Dots are what came of pairs of about the same expectation, with 95 % intervals; on the dashed "
                    "line the model is right."
                ),
            ]
        ),
        panels=(_roc(found), _precision(found), _calibration(found)),
    )


def _roc(found: HeldOut) -> f.Panel:
    true, false = found.counts
    kept = _along(false / false[-1], true / true[-1])
    x, y = (false / false[-1])[kept], (true / true[-1])[kept]
    shares = say("other pairs {x}, edges {y}", x="%{x:.1%}", y="%{y:.1%}")
    curve = f.line(x, y, f.FIT, 2.2, name="ROC", hoverinfo="all", hovertemplate=f"{shares}<extra></extra>")
    layout = f.layout(
        say("share of other pairs"),
        say("share of edges found"),
        xaxis={"range": [0, 1], "tickformat": ".0%", "tickvals": [0, 0.5, 1]},
        margin={"r": 24},
        yaxis={"range": [0, 1.01], "tickformat": ".0%"},
        hovermode="closest",
    )
    guess = f.line([0, 1], [0, 1], f.MUTED, 1, line={"dash": "dash"}, name=say("guessing"))
    alt = say("ROC curve with an area of {auc}.", auc=number(found.auc, 3))
    label = say("Edges found, AUC {auc}", auc=number(found.auc, 3))
    return f.Panel([guess, curve], layout, alt, label=label, height=300)


def _along(x: Floats, y: Floats) -> NDArray[np.int64]:
    """Return places that are evenly spaced along a curve."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    return np.unique(np.searchsorted(length, np.linspace(0, length[-1], POINTS)).clip(0, x.size - 1))


def _precision(found: HeldOut) -> f.Panel:
    true, false = (counts[1:] for counts in found.counts)
    recall, precision = true / true[-1], true / (true + false)
    kept = _along(recall, precision)
    shares = say("edges found {x}, of those taken {y}", x="%{x:.1%}", y="%{y:.1%}")
    name = say("precision")
    more = {"name": name, "hoverinfo": "all", "hovertemplate": f"{shares}<extra></extra>"}
    curve = f.line(recall[kept], precision[kept], f.FIT, 2.2, **more)
    guess = f.line([0, 1], [found.base_rate] * 2, f.MUTED, 1, line={"dash": "dash"}, name=say("guessing"))
    layout = f.layout(
        say("share of edges found"),
        say("edges among those taken"),
        xaxis={"range": [0, 1], "tickformat": ".0%", "tickvals": [0, 0.5, 1]},
        margin={"r": 24},
        yaxis={"range": [0, 1.06 * float(precision.max())], "tickformat": "~%", "nticks": 5},
        hovermode="closest",
    )
    told = score_text(found.average_precision)
    alt = say("Precision by recall; its mean is {precision}.", precision=told)
    label = say("Precision, on average {precision}", precision=told)
    return f.Panel([guess, curve], layout, alt, label=label, height=300)


def _calibration(found: HeldOut) -> f.Panel:
    expected, mean, low, high = _binned(found)
    logarithmic = float(found.weight.mean()) < RARE
    shown = mean > 0 if logarithmic else np.full(mean.size, True)
    expected, mean, low, high = expected[shown], mean[shown], low[shown], high[shown]
    if logarithmic:
        low = np.maximum(low, 0.1 * mean)
    gap = np.full(mean.size, np.nan)
    sticks = f.line(
        np.stack([expected, expected, gap], -1).ravel(),
        np.stack([low, high, gap], -1).ravel(),
        f.OBSERVED,
        1.6,
        connectgaps=False,
        name=say("95 % interval"),
    )
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": say("observed"),
        "x": expected,
        "y": mean,
        "marker": {"color": f.OBSERVED, "size": 8},
        "hovertemplate": say("expected {x}, observed {y}", x="%{x:.3~g}", y="%{y:.3~g}") + "<extra></extra>",
    }
    ends = np.concatenate([expected, low[low > 0] if logarithmic else low, high])
    span = [float(ends.min()), float(ends.max())]
    diagonal = f.line(span, span, f.FIT, 1.4, line={"dash": "dash"}, name=say("right"))
    axes: dict[str, Any] = {"type": "log", **log_ticks(ends, "{:g}".format)} if logarithmic else {"nticks": 4}
    what = say("chance of an edge") if found.chances else say("expected weight")
    layout = f.layout(
        what,
        say("observed share") if found.chances else say("observed mean weight"),
        xaxis=axes,
        yaxis=axes,
        hovermode="closest",
    )
    inside = int(((low <= expected) & (expected <= high)).sum())
    alt = say("In {n} of {total} groups of pairs the interval holds what was expected.", n=inside, total=mean.size)
    return f.Panel([diagonal, sticks, dots], layout, alt, label=say("Expected and observed"), height=300)


def _binned(found: HeldOut) -> tuple[Floats, Floats, Floats, Floats]:
    """Return by groups of pairs with about the same sum of expectations: mean, that of the weights, its interval."""
    order = np.argsort(found.expected, kind="stable")
    expected, weight = found.expected[order], found.weight[order]
    weight = (weight > 0).astype(float) if found.chances else weight
    share = np.cumsum(expected) / max(float(expected.sum()), np.finfo(float).tiny)
    bins = np.minimum((BINS * share).astype(np.int64), BINS - 1)
    bins = np.unique(bins, return_inverse=True)[1]
    size = np.bincount(bins).astype(float)
    mean = np.bincount(bins, weight) / size
    if found.chances:
        low, high = _wilson(mean, size)
    else:
        spread = 1.96 * np.sqrt(np.maximum(np.bincount(bins, weight**2), 1)) / size
        low, high = np.maximum(mean - spread, 0), mean + spread
    return np.bincount(bins, expected) / size, mean, low, high


def _wilson(share: Floats, size: Floats) -> tuple[Floats, Floats]:
    """Return 95 % intervals of shares: Wilson (1927), doi:10.1080/01621459.1927.10502953."""
    z = 1.96
    middle = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    return middle - half, middle + half
