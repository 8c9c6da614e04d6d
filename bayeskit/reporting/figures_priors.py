"""What did we assume? Each prior as a small density, beside what the data made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.priors import Prior
from bayeskit.core.types import Fit
from bayeskit.core.words import joined, listing
from bayeskit.reporting import figures as f
from bayeskit.reporting.results import Scalar, cells, group

Floats = NDArray[np.float64]

POINTS = 200
_MADE_OF = {"weight": "weights", "mean": "means", "sd": "scales", "correlation": "correlations"}


def prior_figure(fit: Fit, found: Sequence[Scalar]) -> f.Figure | None:
    """Draw prior and posterior of each prior's parameter, and of quantities that follow from them."""
    by_name = {prior.name: prior for prior in fit.provenance.card.priors}
    found = [scalar for scalar in found if np.isfinite(scalar.draws).all()]
    priors = [by_name.get(scalar.label, by_name.get(scalar.quantity.name)) for scalar in found]
    panels = [
        _panel(scalar, prior, _prior_draws(fit, scalar.label), _origin(fit, scalar))
        for scalar, prior in zip(found, priors, strict=True)
    ]
    shown = [panel for panel in panels if panel is not None]
    rest = [prior for prior in fit.provenance.card.priors if prior not in priors]
    shown += [_alone(prior) for prior in rest if prior.univariate]
    if not shown:
        return None
    mixture, blocks = fit.provenance.card.mixture is not None, fit.provenance.card.blocks is not None
    own = [panel is not None if mixture else prior is not None for panel, prior in zip(panels, priors, strict=True)]
    drawn = [scalar.label for scalar, held in zip(found, own, strict=True) if held]
    if (
        mixture or blocks or fit.provenance.card.factors is not None
    ):  # of one component only, each of its columns; of some of the rates
        drawn = list(dict.fromkeys(label.partition("[")[0] for label in drawn))
    return f.Figure(
        name="priors",
        title=say("What the data made of the priors on {quantities}", quantities=listing(drawn))
        if drawn
        else say("The priors"),
        caption=say(
            "How to read: the grey area is what was assumed before, the blue curve what is known after. Where the two "
            "look alike, the data said little; where blue stands at the edge of grey, the prior pushed. What follows "
            "from other parameters has no prior of its own."
        ),
        panels=tuple(shown),
        key=(("prior", say("prior")), ("fit", say("posterior"))),
        note=joined(
            [
                say("Each curve is scaled to the panel's height, so that widths can be compared."),
                _of_mixture(fit) if mixture and drawn else "",
                _of_rates(drawn) if blocks else "",
                _in_words([prior for prior in rest if not prior.univariate]),
            ]
        ),
    )


def _panel(scalar: Scalar, prior: Prior | None, before: Floats | None, origin: str) -> f.Panel | None:
    if prior is None and before is None:
        return None
    after_x, after_y = density(scalar.draws.ravel(), lower=prior.lower if prior else None)
    if prior is not None:
        grid = _grid(prior, after_x)
        curve = prior.density(grid)
        origin = _written(prior)
    else:
        assert before is not None
        grid, curve = density(before)
    name = scalar.quantity.unit or (prior.unit if prior else "")
    unit = f" ({name})" if name else ""
    layout = _layout(f"{scalar.label}{unit}", [float(grid[0]), float(max(grid[-1], after_x[-1]))])
    traces = [_area(grid, curve), f.line(after_x, after_y / after_y.max(), f.FIT, 2)]
    low, high = np.quantile(scalar.draws, [0.025, 0.975])
    alt = say(
        "Prior of {quantity}: {prior}. Its posterior has 95 % of its mass from {low} to {high}{unit}.",
        quantity=scalar.label,
        prior=origin,
        low=f"{low:.3g}",
        high=f"{high:.3g}",
        unit=unit,
    )
    written = say("{name}: {value}", name=scalar.label, value=origin)
    return f.Panel(traces, layout, alt, label=written, height=180)


def _written(prior: Prior) -> str:
    if prior.lower is None:
        return str(prior)
    return say("{prior}, above {limit}", prior=str(prior), limit=f"{prior.lower:g}")


def _origin(fit: Fit, scalar: Scalar) -> str:
    """Return where a quantity without a prior of its own has its distribution from."""
    name = _MADE_OF.get(scalar.quantity.name)
    prior = next((prior for prior in fit.provenance.card.priors if prior.name == name), None)
    if fit.provenance.card.mixture is None or prior is None:
        return say("follows from the others")
    return say("from the prior on {name}, {prior}", name=prior.name, prior=str(prior))


def _of_mixture(fit: Fit) -> str:
    told = say("Before the data all components are alike: what is drawn of one holds for each.")
    priors = [prior.name for prior in fit.provenance.card.priors if prior.univariate and prior.unit]
    if not priors:
        return told
    scale = say(
        "Priors on {names} are on the scale of the model, in standard deviations of a column; where prior and "
        "posterior are drawn together, both are in the data's units.",
        names=listing(priors),
    )
    return joined([told, scale])


def _of_rates(drawn: Sequence[str]) -> str:
    return say("Before the data all rates are alike: drawn are the highest.") if "theta" in drawn else ""


def _in_words(priors: Sequence[Prior]) -> str:
    """Name the priors on several numbers at once, of which there is no curve."""
    if not priors:
        return ""
    told = [say("{name}: {value}", name=prior.name, value=str(prior)) for prior in priors]
    return say("Without a curve of their own, being on several numbers at once: {priors}.", priors=listing(told))


def _alone(prior: Prior) -> f.Panel:
    grid = _grid(prior, None)
    unit = f" ({prior.unit})" if prior.unit else ""
    traces = [_area(grid, prior.density(grid))]
    written = say("{name}: {value}", name=prior.name, value=_written(prior))
    layout = _layout(f"{prior.name}{unit}", [float(grid[0]), float(grid[-1])])
    return f.Panel(traces, layout, say("Prior of {quantity}.", quantity=written), written, 180)


def density(values: Floats, lower: float | None = None, bw: str = "experimental") -> tuple[Floats, Floats]:
    """Return a kernel density estimate by ArviZ, corrected at the ends of the data's range; ``bw`` is its bandwidth."""
    from arviz_stats.base import array_stats

    finite = np.asarray(values, dtype=float)
    if np.ptp(finite) == 0:
        centre = float(finite.flat[0])
        return np.array([centre, centre]), np.array([0.0, 1.0])
    low, high = np.quantile(finite, [0.25, 0.75])
    # Where half of the draws are equal, rules of thumb find no width.
    width: float | str = bw if high > low else 0.9 * float(finite.std()) * finite.size**-0.2
    grid, curve, _ = array_stats.kde(finite, grid_len=POINTS, bw=width)
    if lower is not None and grid[0] > lower and grid[0] - lower < 0.02 * np.ptp(grid):
        grid = np.concatenate([[lower], grid])
        curve = np.concatenate([[curve[0]], curve])
    return grid, curve


def _grid(prior: Prior, posterior: Floats | None) -> Floats:
    draws = prior.draw(4000, np.random.default_rng(1))
    low, high = np.quantile(draws, [0.005, 0.99])
    if prior.lower is not None:
        low = prior.lower
    if posterior is not None:
        low, high = min(low, posterior[0]), max(high, posterior[-1])
    return np.linspace(max(low, prior.lower) if prior.lower is not None else low, high, POINTS)


def _prior_draws(fit: Fit, label: str) -> Floats | None:
    data = group(fit, "prior")
    name = label.partition("[")[0]
    if data is None or name not in data:
        return None
    for text, array in cells(data[name]):
        if text == label:
            return np.asarray(array.to_numpy(), dtype=float).ravel()
    return None


def _area(grid: Floats, curve: Floats) -> dict[str, Any]:
    return f.line(grid, curve / curve.max(), f.PRIOR, 1.2, fill="tozeroy", fillcolor="var(--neutral)")


def _layout(title: str, span: list[float]) -> dict[str, Any]:
    return f.layout(
        f.plot_text(title),
        "",
        xaxis={"range": span},
        margin={"l": 14, "r": 14},
        yaxis={"showticklabels": False, "ticks": "", "showgrid": False, "range": [0, 1.08]},
    )
