"""Do the chains agree? Each chain's ranks among the draws of all, by ArviZ, with a band for all quantities together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Assessment
from bayeskit.core.words import count, listing, number
from bayeskit.reporting import figures as f
from bayeskit.reporting.arviz_panels import draw, quiet, subplots, tree_of
from bayeskit.reporting.results import Scalar

Floats = NDArray[np.float64]

RANK_DRAWS = 250
RANK_ESS = 100  # a chain; below that a run fails, and its draws are taken as they are
RANK_PROBABILITY = 0.99


def rank_figure(shown: Sequence[Scalar], assessment: Assessment) -> f.Figure:
    """Draw the ranks of each quantity's draws, chain by chain."""
    from arviz_plots import plot_rank

    n_chains, n_draws = shown[0].draws.shape
    step = _rank_step(shown, assessment)
    thinned = {scalar.label: untied(scalar.draws[:, ::step]) for scalar in shown}
    visuals = {"title": False, "credible_interval": False}
    figure = draw(
        plot_rank,
        tree_of(thinned),
        visuals=visuals,
        color=[f.chain_colour(chain) for chain in range(n_chains)],
        stats={"ecdf_pit": {"n_simulations": 1}},  # ArviZ's own band is for one panel, and not drawn.
    )
    n_quantities = max(len(shown), int(assessment.summary["r_hat"].notna().sum()))
    edge = rank_band(math.ceil(n_draws / step), n_chains, n_quantities)
    panels, leaving = [], []
    for scalar, traces in zip(shown, subplots(figure), strict=True):
        outside = sum(bool(np.max(np.abs(trace["y"])) > edge) for trace in traces)
        if outside:
            leaving.append(scalar.label)
        grey = f.band([0.0, 1.0], [-edge, -edge], [edge, edge], f.NEUTRAL)
        curves = [quiet(trace, line={**trace["line"], "width": 1.4}) for trace in traces]
        alt = say(
            "Rank plot of {quantity}: {chains} of {total} leave the band.",
            quantity=scalar.label,
            chains=count(outside, "chain"),
            total=n_chains,
        )
        layout = f.layout(say("fractional rank"), say("Δ ECDF"), xaxis={"range": [0, 1]}, yaxis={"nticks": 4})
        panels.append(f.Panel([*grey, *curves], layout, alt, scalar.label))
    return f.Figure(
        name="ranks",
        title=say("Ranks: chains part for {quantities}", quantities=listing(leaving))
        if leaving
        else say("Ranks: no chain leaves the band"),
        caption=say(
            "How to read: each curve compares one chain's ranks with those of all chains together. If all chains "
            "sample the same distribution, the curves of all {quantities} stay in the grey band with {percent} % "
            "probability; the panels show the parameters and the quantities of the highest R-hat.",
            quantities=count(n_quantities, "quantity", "quantities"),
            percent=number(100 * RANK_PROBABILITY, 0),
        ),
        panels=tuple(panels),
        key=(*f.chain_key(n_chains), ("neutral", say("band for all quantities together"))),
        note="" if step == 1 else say("Drawn: one draw in {step}.", step=step),
    )


def untied(draws: Floats) -> Floats:
    """Return ranks in the draws' place where some are equal, these in random order: discrete quantities have many.

    Säilynoja, Bürkner and Vehtari (2022), doi:10.1007/s11222-022-10090-6.
    """
    flat = draws.ravel()
    if np.unique(flat).size == flat.size:
        return draws
    ranks = np.empty(flat.size)
    ranks[np.lexsort((np.random.default_rng(1).random(flat.size), flat))] = np.arange(flat.size)
    return ranks.reshape(draws.shape)


def rank_band(n_draws: int, n_chains: int, n_quantities: int) -> float:
    """Return how far from 0 the rank curves of chains that agree get, all of them, with ``RANK_PROBABILITY``.

    Kolmogorov's distribution of one curve's largest distance, the miss shared out evenly over the curves: the panels
    show the worst of many quantities, so that a band for one of them would often cry wolf. Ranks among all chains
    spread less than a chain's own draws do, as it is one of those that it is compared with.
    """
    from scipy.stats import kstwo

    pooled = math.sqrt(1 - 1 / n_chains) if n_chains > 1 else 1.0
    return pooled * float(kstwo.isf((1 - RANK_PROBABILITY) / (n_chains * n_quantities), n_draws))


def _rank_step(shown: Sequence[Scalar], assessment: Assessment) -> int:
    """Return which draws to take so that they are few, and nearly independent: the band is for independent ones."""
    n_chains, n_draws = shown[0].draws.shape
    step: int = math.ceil(n_draws / RANK_DRAWS)
    labels = [scalar.label for scalar in shown if scalar.label in assessment.summary.index]
    if labels and "ess_bulk" in assessment.summary:
        least = float(assessment.summary.loc[labels, "ess_bulk"].min())
        if least >= RANK_ESS * n_chains:
            step = max(step, math.ceil(n_chains * n_draws / least))
    return step
