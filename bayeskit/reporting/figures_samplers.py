"""How the samplers worked: running means, acceptance, the envelope of rejection, the way of the particles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Fit
from bayeskit.core.words import percent, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.results import Scalar, group

Floats = NDArray[np.float64]

POINTS = 200  # of a curve
FIRST = 10  # draws before a mean is worth drawing
BINS = 50


def running_mean_figure(shown: Sequence[Scalar], chains: int) -> f.Figure | None:
    """Draw each quantity's mean as draws accumulate, a curve a chain, for the first ``chains`` of them.

    Around the last mean of all chains stands the band that the mean of independent draws of one chain keeps to.
    """
    moving = [scalar for scalar in shown if np.isfinite(scalar.draws).all() and np.ptp(scalar.draws) > 0]
    if not moving or moving[0].draws.shape[1] < 2 * FIRST:
        return None
    n_chains, n_draws = moving[0].draws.shape
    places = np.unique(np.geomspace(FIRST, n_draws, POINTS).astype(int))
    panels = []
    for scalar in moving:
        mean, sd = float(scalar.draws.mean()), float(scalar.draws.std())
        half = 2 * sd / np.sqrt(places)
        running = np.cumsum(scalar.draws[:chains], axis=1)[:, places - 1] / places
        curves = [f.line(places, one, f.chain_colour(i), 1.2) for i, one in enumerate(running)]
        layout = f.layout(
            say("draws of a chain"),
            f.plot_text(scalar.quantity.unit),
            xaxis={"type": "log", "tickvals": _ticks(n_draws)},
            yaxis={"nticks": 4},
        )
        alt = say(
            "Running mean of {quantity}: the chains end between {low} and {high}.",
            quantity=scalar.label,
            low=f"{running[:, -1].min():.3g}",
            high=f"{running[:, -1].max():.3g}",
        )
        band = f.band(places, mean - half, mean + half, f.NEUTRAL)
        panels.append(f.Panel([*band, *curves], layout, alt, scalar.label))
    drawn = min(chains, n_chains)
    left_out = say("Drawn: {n} of {total} chains.", n=drawn, total=n_chains) if drawn < n_chains else ""
    return f.Figure(
        name="running-means",
        title=say("Running means: what each mean was after so many draws"),
        caption=say(
            "How to read: the curves should settle on a common value. At any one place, means of independent draws lie "
            "in the grey band, two standard errors wide on either side, 95\u00a0% of the time; curves that stay "
            "outside it for long come from draws that depend on each other."
        ),
        panels=tuple(panels),
        key=(*f.chain_key(drawn), ("neutral", say("band of independent draws"))),
        note=left_out,
    )


def acceptance_figure(fit: Fit) -> f.Figure | None:
    """Draw how large a share of the proposals each stretch of the run accepted; None where nobody counted."""
    statistics = group(fit, "sample_stats")
    if statistics is None or "acceptance_rate" not in statistics or fit.provenance.engine != "metropolis":
        return None
    rate = statistics["acceptance_rate"].transpose("chain", "draw").to_numpy().astype(float)
    n_chains, n_draws = rate.shape
    edges = np.unique(np.linspace(0, n_draws, BINS + 1).astype(int))
    stretches = np.add.reduceat(rate, edges[:-1], axis=1) / np.diff(edges)
    middle = (edges[:-1] + edges[1:]) / 2
    low, high = np.quantile(stretches, [0.025, 0.975], axis=0)
    layout = f.layout(say("draw"), say("accepted"), yaxis={"range": [0, 1], "tickformat": ".0%", "nticks": 5})
    mean = percent(float(rate.mean()))
    alt = say("Acceptance over the run: {mean} on average.", mean=mean)
    curves = [*f.band(middle, low, high, f.BAND_95), f.line(middle, stretches.mean(axis=0), f.FIT, 2)]
    return f.Figure(
        name="acceptance",
        title=say("Acceptance: {mean} of the proposals were accepted", mean=mean),
        caption=say(
            "How to read: the line is the mean over the chains, the band holds 95\u00a0% of them. It should be flat: "
            "adaptation ended with the warm-up. Near 0 the steps are too long and chains stick; near 1 they are too "
            "short and chains crawl. Random walks do best near 44\u00a0% in one dimension and 23\u00a0% in many."
        ),
        panels=(f.Panel(curves, layout, alt, height=220),),
        key=(("fit", say_count(n_chains, "mean of {n} chain", "mean of {n} chains")),),
    )


def envelope_figure(fit: Fit) -> f.Figure | None:
    """Draw the density below its envelope, or how near to it the proposals came; None but for rejection."""
    told = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    accepted = float(told.get("acceptance", np.nan))
    title = say("Rejection: {share} of the proposals were accepted", share=percent(accepted))
    if "envelope_x" in told:
        x, density, bound = (np.atleast_1d(told[f"envelope_{name}"]) for name in ("x", "density", "bound"))
        curves = [
            f.line(x, bound, f.MUTED, 1.5, line={"dash": "dash"}),
            f.line(x, density, f.FIT, 2, fill="tozeroy", fillcolor=f.BAND_95),
        ]
        layout = f.layout(f.plot_text(_only(fit)), say("density, scaled"), yaxis={"rangemode": "tozero"})
        alt = say(
            "The density and its envelope; {share} of the area below the envelope is filled.", share=percent(accepted)
        )
        return f.Figure(
            name="envelope",
            title=title,
            caption=say(
                "How to read: points are thrown evenly below the dashed envelope, and kept where they fall below the "
                "density. The envelope has to lie above it everywhere; the closer it lies, the fewer points are lost."
            ),
            panels=(f.Panel(curves, layout, alt, height=260),),
            key=(("fit", say("the density")), ("muted", say("its envelope"))),
        )
    if "ratio_counts" in told:
        edges, counts = np.asarray(told["ratio_edges"]), np.asarray(told["ratio_counts"])
        bars = {
            "type": "bar",
            "x": (edges[:-1] + edges[1:]) / 2,
            "y": counts,
            "width": np.diff(edges).tolist(),
            "marker": {"color": f.FIT},
            "hovertemplate": say("{n} proposals", n="%{y}") + "<extra></extra>",
        }
        layout = f.layout(say("density over its envelope"), say("proposals"), xaxis={"range": [0, 1]})
        alt = say("Histogram of the density over its envelope at the proposals.")
        return f.Figure(
            name="envelope",
            title=title,
            caption=say(
                "How to read: each proposal is kept with the probability on the horizontal axis. None may lie beyond "
                "1, where the envelope would be below the density; many near 0 were made in vain."
            ),
            panels=(f.Panel([bars], layout, alt, height=240),),
        )
    return None


def tempering_figure(fit: Fit) -> f.Figure | None:
    """Draw the way of the particles from the start distribution to the target; None but for sequential Monte Carlo."""
    told = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    if "temperatures" not in told:
        return None
    temperatures = np.atleast_1d(told["temperatures"]).astype(float)
    steps = np.arange(temperatures.size)
    last = temperatures.size - 1
    panels = [
        f.Panel(
            [f.line(steps, temperatures, f.FIT, 2, mode="lines+markers")],
            f.layout(say("step"), say("temperature"), yaxis={"range": [0, 1.05]}),
            say_count(
                last,
                "The temperature rises from 0 to 1 in {n} step.",
                "The temperature rises from 0 to 1 in {n} steps.",
            ),
            say("share of the target in the density"),
        )
    ]
    for name, label in (
        ("ess_by_temperature", say("effective share")),
        ("acceptance_by_temperature", say("accepted moves")),
    ):
        if name in told:
            panels.append(_along(np.atleast_1d(told[name]).astype(float), label))
    return f.Figure(
        name="tempering",
        title=say_count(last, "From the start to the target in {n} step", "From the start to the target in {n} steps"),
        caption=say(
            "How to read: the particles go from a distribution that is easy to draw from to the target, in steps that "
            "are so short that their weights stay even. At each step heavy ones are copied, light ones dropped, and "
            "all are moved at random; moves that are hardly ever accepted leave copies lying on top of each other."
        ),
        panels=tuple(panels),
    )


def _along(values: Floats, label: str) -> f.Panel:
    steps = np.arange(1, values.size + 1)
    share = values / max(1.0, float(values.max())) if values.max() > 1 else values
    alt = say(
        "{what}: between {low} and {high}.",
        what=label,
        low=significant(share.min(), 2),
        high=significant(share.max(), 2),
    )
    layout = f.layout(say("step"), label, yaxis={"range": [0, 1.05], "tickformat": ".0%"})
    return f.Panel([f.line(steps, share, f.FIT, 2, mode="lines+markers")], layout, alt, label)


def _only(fit: Fit) -> str:
    names = [str(name) for name in fit.posterior["posterior"].data_vars]
    return names[0] if len(names) == 1 else ""


def _ticks(n_draws: int) -> list[int]:
    return [10**power for power in range(1, 8) if 10**power <= n_draws]
