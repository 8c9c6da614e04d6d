"""Whether a graph looks like those that its block model draws: statistics of both, and pairs that were held out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import said, say
from bayeskit.core.types import BlockCard, Fit
from bayeskit.core.words import interval, joined, listing, number, significant
from bayeskit.reporting.figures_block_held_out import HeldOut
from bayeskit.reporting.results import group
from bayeskit.reporting.verdict import ModelFit

Floats = NDArray[np.float64]

MIN_DRAWS = 20
FAR = 3.0  # standard deviations
_DEGREES = ("sd of degrees", "sd of out-degrees", "sd of in-degrees")


@dataclass(frozen=True, eq=False)
class Statistic:
    """A number that describes a graph: its name, of the data, and of graphs that the model draws, ``n_draws``."""

    key: str
    observed: float
    draws: Floats

    @property
    def name(self) -> str:
        """What the report calls it."""
        return said(self.key)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The ends of the central 95 % of the replications."""
        low, high = np.quantile(self.draws, [0.025, 0.975])
        return float(low), float(high)

    @property
    def off(self) -> bool:
        """Whether no replication is like the data, which lie far from all: chance alone does not make that."""
        outside = not self.draws.min() <= self.observed <= self.draws.max()
        return bool(outside and abs(self.observed - self.draws.mean()) > FAR * self.draws.std())

    @property
    def texts(self) -> tuple[str, str]:
        """The observed number, and the replications' interval."""
        values = (self.observed, *self.ends)
        if all(value == round(value) for value in (self.observed, self.draws.max())) and self.observed >= 0:
            observed, low, high = (number(value, 0) for value in values)
        else:
            observed, low, high = (significant(value, 3) for value in values)
        return observed, interval(low, high) if low != high else low


def read_statistics(fit: Fit) -> list[Statistic]:
    """Return the statistics that the data and enough replications have; none of another model."""
    observed, predictive = group(fit, "observed_data"), group(fit, "posterior_predictive")
    if fit.provenance.card.blocks is None or observed is None or predictive is None:
        return []
    if "graph_statistic" not in observed or "graph_statistic" not in predictive:
        return []
    seen, drawn = observed["graph_statistic"], predictive["graph_statistic"].transpose("chain", "draw", ...)
    draws = drawn.to_numpy().astype(float).reshape(-1, drawn.shape[-1])
    if len(draws) < MIN_DRAWS or seen.size != draws.shape[1]:
        return []
    names = [str(name) for name in seen[str(seen.dims[0])].to_numpy()]
    values = seen.to_numpy().astype(float).ravel()
    return [
        Statistic(name, float(value), column)
        for name, value, column in zip(names, values, draws.T, strict=True)
        if np.isfinite(value) and np.isfinite(column).all()
    ]


def block_fit_of(card: BlockCard, found: list[Statistic], held_out: HeldOut | None, section: int) -> ModelFit | None:
    """Say in a sentence or two what statistics and held-out pairs say of the model."""
    if not found:
        return ModelFit(adequate=True, sentence=_predicted(held_out, section)) if held_out is not None else None
    wrong = [statistic for statistic in found if statistic.off]
    if wrong:
        told = listing([_told(statistic) for statistic in wrong])
        missed = say("The model misses something: {found}. Section {section} shows it.", found=told, section=section)
        return ModelFit(adequate=False, sentence=joined([missed, *_remedies(card, wrong)]))
    fine = say(
        "Nothing speaks against it so far: graphs that it draws are like this one in {names} (section {section}).",
        names=listing([statistic.name for statistic in found]),
        section=section,
    )
    return ModelFit(adequate=True, sentence=fine)


def _told(statistic: Statistic) -> str:
    observed, ends = statistic.texts
    return say(
        "{name} is {observed}, in graphs that it draws {ends}", name=statistic.name, observed=observed, ends=ends
    )


def _predicted(held_out: HeldOut, section: int) -> str:
    return say(
        "It tells pairs with an edge, which it had not seen, from those without with AUC {auc} (section {section}).",
        auc=number(held_out.auc, 2),
        section=section,
    )


def _remedies(card: BlockCard, wrong: list[Statistic]) -> list[str]:
    """Say what would make up for what a model misses."""
    names, told = {statistic.key for statistic in wrong}, []
    if names & set(_DEGREES) and not card.degree_corrected:
        told.append(say("Let nodes of a block differ in their degrees (--degree-corrected)."))
    if "reciprocity" in names:
        told.append(say("That edges answer each other is not part of this model."))
    if "transitivity" in names:
        told.append(say("More triangles than it draws may mean more, smaller blocks (--source-blocks)."))
    return told
