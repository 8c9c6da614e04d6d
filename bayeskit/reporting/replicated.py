"""Observed data beside the replications that a program drew of them, and what they say of the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.types import Fit
from bayeskit.core.words import listing, percent
from bayeskit.diagnostics.blocks import cells_at, finite_cells
from bayeskit.diagnostics.labels import cell_labels
from bayeskit.diagnostics.predictive import leave_out, transform
from bayeskit.diagnostics.reliability import Reliability, reliability
from bayeskit.reporting.figures_predictive import band_of
from bayeskit.reporting.results import group
from bayeskit.reporting.verdict import ModelFit

Floats = NDArray[np.float64]
Nature = Literal["continuous", "counts", "binary"]

MAX_VARIABLES = 4
MAX_DRAWS = 1000
MAX_OBSERVATIONS = 2000
MIN_DRAWS = 20
MIN_JUDGED = 10  # observations; the transforms of fewer say little
FEW_UNRELIABLE = 0.02  # of the observations
GRID = 100
PROBABILITY = 0.99
APART = 4.0  # times the variance by chance: probabilities that are closer are the same


@dataclass(frozen=True)
class Replicated:
    """One observed variable and its replications.

    Parameters
    ----------
    name, labels
        Of the variable and its elements.
    observed, draws
        ``n_observed``, and ``n_draws x n_observed``, thinned.
    log_likelihood
        Of each observation in the same draws, where the program computes it.
    n_observed, n_draws
        How many there are before thinning.
    could_predict
        Whether a likelihood of each observation would serve.
    """

    name: str
    labels: list[str]
    observed: Floats
    draws: Floats
    log_likelihood: Floats | None
    n_observed: int
    n_draws: int
    could_predict: bool = False

    @cached_property
    def nature(self) -> Nature:
        """What kind of data: discrete only where data and replications are whole numbers."""
        if not (np.all(self.observed == np.round(self.observed)) and np.all(self.draws == np.round(self.draws))):
            return "continuous"
        return "binary" if set(np.unique(self.observed)) | set(np.unique(self.draws)) <= {0.0, 1.0} else "counts"

    @cached_property
    def _left_out(self) -> tuple[Floats, int] | None:
        return None if self.log_likelihood is None else leave_out(self.log_likelihood)

    @cached_property
    def unreliable(self) -> int:
        """Of how many observations the posterior without them cannot be had."""
        return self._left_out[1] if self._left_out is not None else 0

    @cached_property
    def predicts(self) -> bool:
        """Whether each observation, but for very few, is judged by a posterior that has not seen it."""
        return self._left_out is not None and self._left_out[1] <= FEW_UNRELIABLE * self.observed.size

    @cached_property
    def pit(self) -> Floats:
        """The probability integral transform of each observation."""
        weights = self._left_out[0] if self._left_out is not None and self.predicts else None
        return transform(self.observed, self.draws, weights)

    @cached_property
    def share(self) -> tuple[float, float, float]:
        """Of binary data: the observed share of 1s, and the ends of its replications' central 99 % interval."""
        low, high = np.quantile(self.draws.mean(1), [(1 - PROBABILITY) / 2, (1 + PROBABILITY) / 2])
        return float(self.observed.mean()), float(low), float(high)

    @cached_property
    def reliability(self) -> Reliability | None:
        """Of binary data: how often 1s came by their predicted probability; None where all have much the same one.

        Where the likelihood of each observation is known, an observation's probability is what the others predict.
        """
        if self.nature != "binary" or self.observed.size < MIN_JUDGED:
            return None
        probability = self.draws.mean(0)
        if probability.var() < APART * np.mean(probability * (1 - probability)) / self.draws.shape[0]:
            return None
        if self.predicts and self._left_out is not None and self.log_likelihood is not None:
            seen = np.average(np.exp(np.minimum(self.log_likelihood, 0.0)), axis=0, weights=np.exp(self._left_out[0]))
            probability = np.where(self.observed == 1, seen, 1 - seen)
        return reliability(self.observed, probability)

    def coverage(self, probability: float) -> float:
        """Share of the observations inside their central predictive intervals."""
        tail = (1 - probability) / 2
        return float(np.mean((self.pit >= tail) & (self.pit <= 1 - tail)))

    @property
    def misjudges(self) -> bool:
        """Whether predicted probabilities of binary data are wrong; not judged of data that the posterior has seen."""
        found = self.reliability if self.predicts else None
        return found is not None and found.p_value <= 1 - PROBABILITY

    def curve(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Return a grid, the transforms' distribution minus the uniform one, and the band around it."""
        grid = np.arange(1, GRID) / GRID
        difference = np.searchsorted(np.sort(self.pit), grid, side="right") / self.pit.size - grid
        return grid, difference, *band_of(self.pit.size, GRID)

    def off(self) -> bool:
        """Whether the data are not what the model draws.

        Observations that the posterior has seen lie too near its middle even where the model is right, so that only
        too many in the tails count against it.
        """
        if self.nature == "binary":
            seen, low, high = self.share
            return not low <= seen <= high or self.misjudges
        if self.observed.size < MIN_JUDGED:
            return False
        grid, difference, low_band, high_band = self.curve()
        above, below = difference > high_band, difference < low_band
        if self.predicts:
            return bool(np.any(above | below))
        return bool(np.any(above & (grid < 0.5)) or np.any(below & (grid > 0.5)))


def replications(fit: Fit) -> list[Replicated]:
    """Return each observed variable that has replications, at most ``MAX_VARIABLES``."""
    observed, predictive = group(fit, "observed_data"), group(fit, "posterior_predictive")
    if observed is None or predictive is None or fit.provenance.card.blocks is not None:
        return []
    card, found = fit.provenance.card.mixture, []
    if card is not None and "points" in observed and "points" in predictive:
        columns = [_column(fit, observed["points"], predictive["points"], place) for place in range(len(card.columns))]
        return [column for column in columns if column is not None][:MAX_VARIABLES]
    for name in observed.data_vars:
        if name not in predictive or observed[name].dtype.kind not in "biuf":
            continue
        made = _compared(fit, observed[name], predictive[name], str(name))
        if made is not None:
            found.append(made)
    return found[:MAX_VARIABLES]


def model_fit_of(found: list[Replicated], section: int) -> ModelFit | None:
    """Say in a sentence what the replications say of the model, all observed variables together."""
    if not found:
        return None
    wrong = [replicated for replicated in found if replicated.off()]
    if wrong:
        template = mark(
            "The model misses something: {found}. Section {section} shows it; try another model, and put both side by "
            "side (`bayeskit compare`)."
        )
        if wrong[0].nature != "binary":
            template = mark(
                "The model misses something: {found}, and they are not spread as it says. Section {section} shows it; "
                "try another model, and put both side by side (`bayeskit compare`)."
            )
        told = listing([_told(replicated) for replicated in wrong])
        return ModelFit(adequate=False, sentence=say(template, found=told, section=section))
    told = listing([_told(replicated) for replicated in found])
    if len(found) > 1 and all(replicated.nature == "continuous" for replicated in found):
        told = say(
            "{shares} of the values of {names} lie in their 95\u00a0% predictive intervals",
            shares=listing([percent(replicated.coverage(0.95)) for replicated in found]),
            names=listing([replicated.name for replicated in found]),
        )
    sentence = say("Nothing speaks against it so far: {found} (section {section}).", found=told, section=section)
    return ModelFit(adequate=True, sentence=sentence)


def _told(replicated: Replicated) -> str:
    if replicated.nature == "binary" and replicated.misjudges:
        return say("{name} is not 1 as often as its predicted probabilities say", name=replicated.name)
    if replicated.nature == "binary":
        seen, low, high = replicated.share
        return say(
            "{name} is 1 in {seen}, in replications in {low} to {high}",
            name=replicated.name,
            seen=percent(seen),
            low=percent(low),
            high=percent(high),
        )
    inside = round(replicated.coverage(0.95) * replicated.observed.size)
    size = replicated.observed.size
    template = mark("{inside} of the {total} values of {name} lie in their 95\u00a0% predictive intervals")
    if inside == size:
        template = mark("all {total} values of {name} lie in their 95\u00a0% predictive intervals")
    return say(template, inside=f"{inside:,}", total=f"{size:,}", name=replicated.name)


def _column(fit: Fit, observed: xr.DataArray, predictive: xr.DataArray, place: int) -> Replicated | None:
    """Return one column of the points of a mixture: columns differ in their units."""
    point, column = map(str, observed.dims)
    name = str(observed[column].to_numpy()[place])
    alone = observed.isel({column: place}, drop=True).rename(name)
    drawn = predictive.isel({str(predictive.dims[-1]): place}, drop=True)
    return _compared(fit, alone, drawn, "points") if drawn.sizes.get(point) == alone.size else None


def _compared(fit: Fit, array: xr.DataArray, replicated: xr.DataArray, likelihood: str) -> Replicated | None:
    """Hold what was observed against its replications; ``likelihood`` is the name of the likelihood of each of them."""
    values = array.to_numpy().astype(float).ravel()
    n_draws = replicated.sizes["chain"] * replicated.sizes["draw"]
    if n_draws < MIN_DRAWS or replicated.size != n_draws * values.size or values.size < 2:
        return None
    rows = np.unique(np.linspace(0, n_draws - 1, min(n_draws, MAX_DRAWS)).astype(int))
    kept = np.flatnonzero(np.isfinite(values) & finite_cells(replicated))
    n_observed = kept.size
    columns = kept[np.unique(np.linspace(0, n_observed - 1, min(n_observed, MAX_OBSERVATIONS)).astype(int))]
    if columns.size < 2:
        return None
    labels = cell_labels(array)
    return Replicated(
        name=str(array.name),
        labels=[labels[column] for column in columns],
        observed=values[columns],
        draws=cells_at(replicated, columns, rows),
        log_likelihood=_likelihood(fit, likelihood, (n_draws, values.size), columns, rows),
        n_observed=n_observed,
        n_draws=n_draws,
        could_predict=fit.provenance.kind == "mcmc" and fit.provenance.card.mixture is None,
    )


def _likelihood(
    fit: Fit, name: str, shape: tuple[int, int], columns: NDArray[np.int64], rows: NDArray[np.int64]
) -> Floats | None:
    """Return the log likelihood of each observation, from the variable of that name or the only one of that size.

    Where fewer draws were replicated than there are, nobody knows which.
    """
    likelihood = group(fit, "log_likelihood")
    if likelihood is None or fit.provenance.kind != "mcmc":
        return None
    names = [name] if name in likelihood else list(likelihood.data_vars)
    if len(names) != 1:
        return None
    pointwise = likelihood[names[0]]
    n_draws = pointwise.sizes["chain"] * pointwise.sizes["draw"]
    if (n_draws, pointwise.size) != (shape[0], shape[0] * shape[1]):
        return None
    return cells_at(pointwise, columns, rows) if finite_cells(pointwise).all() else None
