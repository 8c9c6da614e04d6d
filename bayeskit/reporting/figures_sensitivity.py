"""The posterior of the most sensitive quantities with the priors, or the likelihood, raised to other powers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.words import commas, decimals_for, number, plus_minus, significant
from bayeskit.diagnostics.sensitivity import COMPONENTS, FAR, LIMIT, Component, Sensitivity
from bayeskit.diagnostics.weights import Importance, k_hat_limit
from bayeskit.reporting import figures as f
from bayeskit.reporting.results import Scalar

Floats = NDArray[np.float64]

N_SHOWN = 3
POINTS = 240
TAIL = 3.0  # interquartile ranges beyond the quartiles
COLOURS = dict(zip(FAR, ("weaker", "stronger"), strict=True))
DASHES = dict(zip(FAR, ("dot", "dash"), strict=True))


def sensitivity_figure(found: Sensitivity, quantities: Sequence[Scalar]) -> f.Figure | None:
    """Draw the quantities that the priors move most; None where no power can be drawn."""
    drawable = {key: weights for key, weights in found.scaled.items() if weights.reliable}
    known = found.table["prior"].dropna().sort_values(ascending=False, kind="stable")
    if not drawable or known.empty:
        return None
    by_label = {scalar.label: scalar for scalar in quantities}
    shown = [by_label[str(label)] for label in known.index[:N_SHOWN]]
    powers = [power for power in FAR if any((name, power) in drawable for name in COMPONENTS)]
    return f.Figure(
        name="sensitivity",
        title=_title(str(known.index[0]), float(known.iloc[0])),
        caption=say(
            "How to read: the solid curve is the posterior as it is, the others are what it would be if the priors, or "
            "the data, counted for less or for more: each is raised to that power. Curves on top of each other do not "
            "depend on it. A posterior that the data decide moves with the likelihood alone."
        ),
        panels=tuple(_panel(scalar, name, found.base, drawable) for name in COMPONENTS for scalar in shown),
        key=(
            ("fit", say("as it is")),
            *((COLOURS[power], say("to the power {power}", power=power)) for power in powers),
        ),
        note=_note(found, len(drawable)),
    )


def _title(label: str, value: float) -> str:
    told = {"quantity": label, "value": number(value, 3), "limit": f"{LIMIT:g}"}
    if value >= LIMIT:
        return say("The priors move {quantity}: by {value} of 1 per doubling of their power (limit {limit})", **told)
    return say(
        "The priors hardly move even {quantity}: by {value} of 1 per doubling of their power (limit {limit})", **told
    )


def _panel(
    scalar: Scalar, name: Component, base: Floats, drawable: dict[tuple[Component, float], Importance]
) -> f.Panel:
    draws = scalar.draws.ravel()
    grid = _grid(draws)
    width = _bandwidth(draws) / (grid[1] - grid[0])
    curves = {1.0: _smooth(draws, base, grid, width)}
    told = [say("as it is {value}", value=_value(draws, base))]
    for power in FAR:
        weights = drawable.get((name, power))
        if weights is not None:
            curves[power] = _smooth(draws, weights.weights, grid, width)
            value = _value(draws, weights.weights)
            told.append(say("to the power {power} {value}", power=power, value=value))
    top = max(float(curve.max()) for curve in curves.values())
    traces = [
        f.line(
            grid,
            curve / top,
            f.FIT if power == 1 else f"var(--{COLOURS[power]})",
            2.4 if power == 1 else 2,
            line={} if power == 1 else {"dash": DASHES[power]},
        )
        for power, curve in curves.items()
    ]
    unit = f" ({scalar.quantity.unit})" if scalar.quantity.unit else ""
    layout = f.layout(
        f.plot_text(f"{scalar.label}{unit}"),
        "",
        margin={"l": 14, "r": 14},
        yaxis={"showticklabels": False, "ticks": "", "showgrid": False, "range": [0, 1.08]},
    )
    what = {"prior": say("priors to a power"), "likelihood": say("likelihood to a power")}[name]
    label = say("{quantity}: {what}", quantity=scalar.label, what=what)
    return f.Panel(traces, layout, say("{what}: {values}.", what=label, values=commas(told)), label, 180)


def _note(found: Sensitivity, drawn: int) -> str:
    names = {"prior": say("prior"), "likelihood": say("likelihood")}
    told = [
        say(
            "{component} to {power}: {value}",
            component=names[name],
            power=power,
            value=number(found.scaled[name, power].k_hat, 2),
        )
        for name in COMPONENTS
        for power in FAR
        if (name, power) in found.scaled
    ]
    limit = f"{k_hat_limit(next(iter(found.scaled.values())).weights.size):g}"
    if drawn == len(found.scaled):
        return say(
            "k-hat of the weights ({values}) is at most {limit}, as is needed.", values=commas(told), limit=limit
        )
    return say(
        "Left out is what the draws cannot be weighted to, where k-hat is above {limit} ({values}).",
        values=commas(told),
        limit=limit,
    )


def _grid(draws: Floats) -> Floats:
    low, high = np.quantile(draws, [0.25, 0.75])
    reach = TAIL * (high - low) or np.ptp(draws)
    return np.linspace(max(draws.min(), low - reach), min(draws.max(), high + reach), POINTS)


def _bandwidth(draws: Floats) -> float:
    """Return Silverman's rule of thumb, one for all curves, so that they can be compared."""
    low, high = np.quantile(draws, [0.25, 0.75])
    spread = min(draws.std(), (high - low) / 1.34) or draws.std()
    return float(0.9 * spread * draws.size**-0.2)


def _smooth(draws: Floats, weights: Floats, grid: Floats, width: float) -> Floats:
    """Return a density by a kernel that is reflected at the ends, so that it need not fall to 0 at an edge."""
    from scipy.ndimage import gaussian_filter1d

    step = grid[1] - grid[0]
    edges = np.append(grid - step / 2, grid[-1] + step / 2)
    mass = np.histogram(draws, bins=edges, weights=weights)[0].astype(float)
    curve: Floats = gaussian_filter1d(mass / mass.sum(), width, mode="reflect")
    return curve


def _value(draws: Floats, weights: Floats) -> str:
    mean = float(np.average(draws, weights=weights))
    spread = float(np.sqrt(np.average(np.square(draws - mean), weights=weights)))
    return plus_minus(mean, spread) if decimals_for(spread) < 7 else significant(mean, 4)
