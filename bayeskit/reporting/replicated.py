"""Observed data beside the replications that a program drew of them, and what they say of the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.types import Fit
from bayeskit.core.words import NO_BREAK, listing, percent
from bayeskit.diagnostics.labels import cell_draws, cell_labels
from bayeskit.diagnostics.predictive import leave_out, transform
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

    def coverage(self, probability: float) -> float:
        """Share of the observations inside their central predictive intervals."""
        tail = (1 - probability) / 2
        return float(np.mean((self.pit >= tail) & (self.pit <= 1 - tail)))

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
            return not low <= seen <= high
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
    if observed is None or predictive is None:
        return []
    found = []
    for name in observed.data_vars:
        if name not in predictive or observed[name].dtype.kind not in "biuf":
            continue
        made = _read(fit, str(name))
        if made is not None:
            found.append(made)
    return found[:MAX_VARIABLES]


def model_fit_of(found: list[Replicated], section: int) -> ModelFit | None:
    """Say in a sentence what the replications say of the model, all observed variables together."""
    if not found:
        return None
    wrong = [replicated for replicated in found if replicated.off()]
    place = f"section {section}"
    if wrong:
        told = listing([_told(replicated) for replicated in wrong])
        spread = ", and they are not spread as it says" if wrong[0].nature != "binary" else ""
        return ModelFit(
            adequate=False,
            sentence=f"The model misses something: {told}{spread}. {place.capitalize()} shows it; try another model.",
        )
    told = listing([_told(replicated) for replicated in found])
    return ModelFit(adequate=True, sentence=f"Nothing speaks against it so far: {told} ({place}).")


def _told(replicated: Replicated) -> str:
    if replicated.nature == "binary":
        seen, low, high = replicated.share
        return f"{replicated.name} is 1 in {percent(seen)} ({percent(low)} to {percent(high)} in replications)"
    inside = round(replicated.coverage(0.95) * replicated.observed.size)
    size = replicated.observed.size
    which = f"all {size:,}" if inside == size else f"{inside:,} of the {size:,}"
    return f"{which} values of {replicated.name} lie in their 95{NO_BREAK}% predictive intervals"


def _read(fit: Fit, name: str) -> Replicated | None:
    array = fit.posterior["observed_data"].to_dataset()[name]
    values = array.to_numpy().astype(float).ravel()
    draws = cell_draws(fit.posterior["posterior_predictive"].to_dataset()[name]).astype(float)
    draws = draws.reshape(-1, draws.shape[-1])
    if draws.shape[1] != values.size or draws.shape[0] < MIN_DRAWS or values.size < 2:
        return None
    n_draws = draws.shape[0]
    rows = np.unique(np.linspace(0, n_draws - 1, min(n_draws, MAX_DRAWS)).astype(int))
    kept = np.flatnonzero(np.isfinite(values) & np.isfinite(draws).all(axis=0))
    n_observed = kept.size
    columns = kept[np.unique(np.linspace(0, n_observed - 1, min(n_observed, MAX_OBSERVATIONS)).astype(int))]
    if columns.size < 2:
        return None
    likelihood = _likelihood(fit, name, values.size)
    labels = cell_labels(array)
    return Replicated(
        name=name,
        labels=[labels[column] for column in columns],
        observed=values[columns],
        draws=draws[np.ix_(rows, columns)],
        log_likelihood=None if likelihood is None else likelihood[np.ix_(rows, columns)],
        n_observed=n_observed,
        n_draws=n_draws,
        could_predict=fit.provenance.kind == "mcmc",
    )


def _likelihood(fit: Fit, name: str, size: int) -> Floats | None:
    """Return the log likelihood of each observation, from the variable of that name or the only one of that size."""
    likelihood = group(fit, "log_likelihood")
    if likelihood is None or fit.provenance.kind != "mcmc":
        return None
    names = [name] if name in likelihood else list(likelihood.data_vars)
    if len(names) != 1:
        return None
    draws = cell_draws(likelihood[names[0]]).astype(float)
    flat: Floats = draws.reshape(-1, draws.shape[-1])
    return flat if flat.shape[1] == size and np.isfinite(flat).all() else None
