"""How many components: the posterior over those that hold points, and what criteria say of each number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Fit
from bayeskit.core.words import commas, joined, percent, plus_minus
from bayeskit.reporting import figures as f
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]

CRITERIA = {"aic": "AIC", "bic": "BIC", "icl": "ICL", "elpd_loo": "elpd (LOO)"}
_HIGHER = ("elpd_loo",)  # the better
_COLOURS = {"aic": "component-1", "bic": "fit", "icl": "component-2"}


@dataclass(frozen=True)
class Selection:
    """The numbers of components that were tried, ``n_candidates`` each, and what was found of them.

    Parameters
    ----------
    n_components
        In ascending order.
    criteria
        Of ``CRITERIA`` those that were computed; NaN where one was not.
    loo_se, n_bad_k
        Standard errors of ``elpd_loo``, and how many of its k-hats are too large.
    chosen
        The number that was taken.
    """

    n_components: NDArray[np.int64]
    criteria: Mapping[str, Floats]
    loo_se: Floats
    n_bad_k: NDArray[np.int64]
    chosen: int

    def best(self, name: str) -> int:
        """Return the number of components that a criterion likes best."""
        values = self.criteria[name]
        place = np.nanargmax(values) if name in _HIGHER else np.nanargmin(values)
        return int(self.n_components[place])


def read_selection(fit: Fit) -> Selection | None:
    """Return how the number of components was chosen, or None where it was given."""
    data = group(fit, "selection")
    if data is None or not {"n_components", "chosen"} <= set(data.data_vars):
        return None
    columns = {str(name): np.ravel(array.to_numpy()).astype(float) for name, array in data.data_vars.items()}
    size = columns["n_components"].size
    criteria = {name: columns[name] for name in CRITERIA if name in columns and np.isfinite(columns[name]).any()}
    taken = np.flatnonzero(columns["chosen"] > 0)
    if size < 2 or not criteria or not taken.size:
        return None
    nothing = np.full(size, np.nan)
    return Selection(
        n_components=columns["n_components"].astype(int),
        criteria=criteria,
        loo_se=columns.get("elpd_loo_se", nothing),
        n_bad_k=np.nan_to_num(columns.get("n_bad_k", nothing)).astype(int),
        chosen=int(columns["n_components"][taken[0]]),
    )


def told_of(selection: Selection) -> str:
    """Say what each criterion would choose."""
    would = [say("{criterion} {n}", criterion=CRITERIA[name], n=selection.best(name)) for name in selection.criteria]
    return say("Taken were {n} components; best by: {criteria}.", n=selection.chosen, criteria=commas(would))


def _rule(selection: Selection) -> list[str]:
    """Say how leave-one-out chooses: not always the best."""
    if "elpd_loo" not in selection.criteria:
        return []
    return [
        say(
            "By leave-one-out the smallest number is taken that predicts about as well as the best: its elpd lies "
            "within 4, or within two standard errors of the difference."
        )
    ]


def selection_figure(selection: Selection) -> f.Figure:
    """Draw each criterion over the number of components."""
    penalised = [name for name in selection.criteria if name != "elpd_loo"]
    panels = [_penalised(selection, penalised)] if penalised else []
    panels += [_left_out(selection)] if "elpd_loo" in selection.criteria else []
    return f.Figure(
        name="choice",
        title=say("Why {n} components", n=selection.chosen),
        caption=joined(
            [
                say(
                    "How to read: AIC, BIC and ICL weigh the largest likelihood against the number of parameters, the "
                    "lower the better; elpd is how well a point is predicted from all others, the higher the better, "
                    "with its standard error. Rings mark each criterion's best, the dashed line what was taken."
                ),
                told_of(selection),
                *_rule(selection),
            ]
        ),
        panels=tuple(panels),
        key=tuple((_COLOURS[name], CRITERIA[name]) for name in penalised),
        note=_unreliable(selection),
    )


def _penalised(selection: Selection, names: Sequence[str]) -> f.Panel:
    traces: list[dict[str, Any]] = []
    for name in names:
        values = selection.criteria[name] - np.nanmin(selection.criteria[name])
        traces.append(_path(selection, values, _COLOURS[name], CRITERIA[name]))
    traces += [_ring(selection.best(name), 0.0, _COLOURS[name]) for name in names]
    alt = commas(
        [say("{criterion} is lowest for {n}", criterion=CRITERIA[name], n=selection.best(name)) for name in names]
    )
    layout = f.layout(
        say("components"),
        say("above the lowest"),
        yaxis={"range": _from_0([selection.criteria[name] for name in names])},
        xaxis=_whole(selection),
        shapes=[_taken(selection)],
    )
    return f.Panel(traces, layout, alt, label=say("By likelihood and number of parameters"), height=260)


def _from_0(criteria: Sequence[Floats]) -> list[float]:
    """Return the range of differences from the lowest, with room for the rings at 0."""
    most = max(float(np.nanmax(values) - np.nanmin(values)) for values in criteria) or 1.0
    return [-0.07 * most, 1.06 * most]


def _left_out(selection: Selection) -> f.Panel:
    values, error = selection.criteria["elpd_loo"], np.nan_to_num(selection.loo_se)
    x = selection.n_components.astype(float)
    gap = np.full(x.size, np.nan)
    bars = f.line(
        np.stack([x, x, gap], -1).ravel(),
        np.stack([values - error, values + error, gap], -1).ravel(),
        f.FIT,
        1.6,
        connectgaps=False,
        name=say("standard error"),
    )
    best = selection.best("elpd_loo")
    at = int(np.flatnonzero(selection.n_components == best)[0])
    traces = [bars, _path(selection, values, "fit", CRITERIA["elpd_loo"]), _ring(best, float(values[at]), "fit")]
    layout = f.layout(say("components"), "elpd", xaxis=_whole(selection), shapes=[_taken(selection)])
    alt = say(
        "elpd is highest for {n} components ({value}).", n=best, value=plus_minus(float(values[at]), float(error[at]))
    )
    return f.Panel(traces, layout, alt, label=say("By predicting each point from the others"), height=260)


def _path(selection: Selection, values: Floats, colour: str, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": selection.n_components,
        "y": values,
        "line": {"color": f"var(--{colour})", "width": 1.6},
        "marker": {"color": f"var(--{colour})", "size": 6},
        "hovertemplate": f"{name}: %{{y:.1f}}<extra></extra>",
    }


def _ring(x: int, y: float, colour: str) -> dict[str, Any]:
    ring = {"color": f"var(--{colour})", "symbol": "circle-open", "size": 14}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": say("best"),
        "x": [x],
        "y": [y],
        "marker": ring | {"line": {"width": 2, "color": f"var(--{colour})"}},
        "hoverinfo": "skip",
    }


def _taken(selection: Selection) -> dict[str, Any]:
    return {
        "type": "line",
        "yref": "paper",
        "x0": selection.chosen,
        "x1": selection.chosen,
        "y0": 0,
        "y1": 1,
        "line": {"color": f.MUTED, "width": 1, "dash": "dash"},
    }


def _whole(selection: Selection) -> dict[str, Any]:
    """Return an axis with ticks at whole numbers, no more than there is room for."""
    n = selection.n_components
    kept = n[:: max(1, -(-n.size // 10))].tolist()
    return {"tickvals": kept, "ticktext": [str(k) for k in kept], "range": [int(n[0]) - 0.5, int(n[-1]) + 0.5]}


def _unreliable(selection: Selection) -> str:
    bad = [(int(k), int(n)) for k, n in zip(selection.n_components, selection.n_bad_k, strict=True) if n]
    if not bad:
        return ""
    told = [say("{points} for {n} components", points=say_count(n, "{n} point", "{n} points"), n=k) for k, n in bad]
    return say("elpd is not reliable where k-hat is too large: of {where}.", where=commas(told))


@dataclass(frozen=True)
class Occupied:
    """The distribution of the number of components with points: values, their shares, how many there may be."""

    values: list[int]
    shares: Floats
    most: int

    @property
    def mode(self) -> int:
        """The most probable number."""
        return self.values[int(self.shares.argmax())]

    @property
    def central(self) -> tuple[int, int]:
        """The smallest range around the median with at least 95 %."""
        cumulated = np.cumsum(self.shares)
        low, high = (int(np.searchsorted(cumulated, level)) for level in (0.025, 0.975))
        return self.values[low], self.values[min(high, len(self.values) - 1)]


def read_occupied(fit: Fit) -> Occupied | None:
    """Return the posterior over the number of components with points; None where it cannot vary, or did not."""
    card, posterior = fit.provenance.card.mixture, group(fit, "posterior")
    if card is None or posterior is None or "n_occupied" not in posterior or fit.provenance.kind == "point":
        return None
    draws = posterior["n_occupied"].to_numpy().ravel()
    values, counts = np.unique(draws[np.isfinite(draws)].astype(int), return_counts=True)
    if not values.size or (not card.dp and values.tolist() == [card.n_components]):
        return None
    return Occupied(values.tolist(), counts / counts.sum(), card.n_components)


def occupied_figure(found: Occupied, *, dp: bool) -> f.Figure:
    """Draw the posterior over the number of components that hold points."""
    low, high = found.central
    bars = {
        "type": "bar",
        "name": say("posterior"),
        "x": found.values,
        "y": found.shares,
        "marker": {"color": f.FIT},
        "hovertemplate": "%{x}: %{y:.1%}<extra></extra>",
    }
    ticks = list(range(1, found.most + 1, max(1, -(-found.most // 12))))
    layout = f.layout(
        say("components that hold points"),
        say("probability"),
        xaxis={"tickvals": ticks, "ticktext": [str(n) for n in ticks], "range": [0.4, found.most + 0.6]},
        yaxis={"rangemode": "tozero", "tickformat": ".0%"},
    )
    share = percent(float(found.shares.max()))
    limit = mark("There may be at most {n} (--components): where the posterior reaches that, allow more of them.")
    if not dp:
        limit = mark("The model has {n}: those without points follow the prior alone.")
    return f.Figure(
        name="number",
        title=say("Most probably {n} components hold points ({share})", n=found.mode, share=share),
        caption=joined(
            [
                say(
                    "How to read: the height of a bar is the probability that so many components hold at least one "
                    "point; with 95 % probability {low} to {high} do.",
                    low=low,
                    high=high,
                ),
                say(limit, n=found.most),
            ]
        ),
        panels=(f.Panel([bars], layout, _occupied_alt(found), height=260),),
    )


def _occupied_alt(found: Occupied) -> str:
    parts = [
        say("{n} with {share}", n=n, share=percent(float(share)))
        for n, share in zip(found.values, found.shares, strict=True)
        if share >= 0.01
    ]
    return say("Posterior over the number of components that hold points: {parts}.", parts=commas(parts))
