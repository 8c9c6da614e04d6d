"""A mixture's run as figures and sentences take it: its points, its draws, and who belongs to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit, Kind, MixtureCard
from bayeskit.reporting.groups import thinned
from bayeskit.reporting.mixture_density import Parameters, rarity, responsibilities
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]

MAX_DRAWS = 4000  # that are read
FEW_DRAWS = 40  # that densities are averaged over
MAX_JUDGED = 20_000  # points that are asked whether they are unusual
SURE = 0.9
RARE = 0.001
LEAST_WEIGHT = 0.01  # of a component without points that is worth showing


@dataclass(frozen=True)
class Mixture:
    """A fitted mixture; components and columns are counted from 0.

    Parameters
    ----------
    card
        Its form.
    kind
        Of the fit; of a point there is one draw.
    points
        ``n_points x n_columns``, NaN where missing.
    labels
        What the data call the points, ``n_points``.
    draws
        At most ``MAX_DRAWS``, those that hold numbers only.
    responsibility
        ``n_points x n_components``, the mean over draws.
    """

    card: MixtureCard
    kind: Kind
    points: Floats
    labels: NDArray[Any]
    draws: Parameters
    responsibility: Floats

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.card.columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.card.columns

    @property
    def is_point(self) -> bool:
        """Whether these are estimates without a distribution."""
        return self.kind == "point"

    @cached_property
    def assignment(self) -> NDArray[np.int64]:
        """The component that each point most probably belongs to."""
        return np.asarray(self.responsibility.argmax(1), dtype=np.int64)

    @cached_property
    def certainty(self) -> Floats:
        """The probability of that."""
        certainty: Floats = self.responsibility.max(1)
        return certainty

    @cached_property
    def shown(self) -> list[int]:
        """Components that hold points, or a share worth showing."""
        held = np.bincount(self.assignment, minlength=self.card.n_components)
        weight = self.draws.weights.mean(0)
        return [k for k in range(self.card.n_components) if held[k] or weight[k] >= LEAST_WEIGHT]

    @cached_property
    def holding(self) -> list[int]:
        """Components that hold points."""
        return sorted(set(self.assignment.tolist()))

    @cached_property
    def few(self) -> Parameters:
        """A few draws, to average densities over."""
        return self.draws.few(FEW_DRAWS)

    @cached_property
    def average(self) -> Parameters:
        """One draw of averages."""
        return self.draws.average()

    @cached_property
    def judged(self) -> NDArray[np.int64]:
        """Places of the points that are asked whether they are unusual: complete ones, not too many."""
        whole = np.flatnonzero(~np.isnan(self.points).any(1))
        return thinned(whole, MAX_JUDGED)

    @cached_property
    def rarity(self) -> Floats:
        """Of the points that are judged: the probability that a new point is less probable."""
        return rarity(self.points[self.judged], self.few, np.random.default_rng(1))

    @cached_property
    def unusual(self) -> list[int]:
        """Places of the points of which the model expects fewer than one in a thousand, the rarest first."""
        order = np.argsort(self.rarity, kind="stable")
        return [int(self.judged[i]) for i in order if self.rarity[i] < RARE]

    @cached_property
    def separation(self) -> Floats:
        """How far the components lie apart in each column: the share of its variance that is between them."""
        weight, mean, sd = self.average.weights[0], self.average.means[0], self.average.sds[0]
        weight = weight / weight.sum()
        between = (weight[:, None] * (mean - weight @ mean) ** 2).sum(0)
        within = weight @ sd**2
        with np.errstate(invalid="ignore"):
            share: Floats = np.nan_to_num(between / (between + within))
        return share

    def best_columns(self, n: int) -> list[int]:
        """Return the columns in which components lie farthest apart, in the data's order."""
        order = np.argsort(-self.separation, kind="stable")[:n]
        return sorted(int(column) for column in order)


def read_mixture(fit: Fit) -> Mixture | None:
    """Return what a mixture's run holds, or None where it is no mixture or holds too little to show."""
    card = fit.provenance.card.mixture
    observed = group(fit, "observed_data")
    if card is None or not fit.has_draws or observed is None or "points" not in observed:
        return None
    draws = _draws(fit, card)
    points = observed["points"].to_numpy().astype(float)
    if draws is None or points.ndim != 2 or points.shape[1] != len(card.columns):
        return None
    labels = observed[str(observed["points"].dims[0])].to_numpy()
    derived = group(fit, "derived")
    if derived is not None and "responsibility" in derived:
        belongs = derived["responsibility"].to_numpy().astype(float)
    else:
        belongs = responsibilities(points, draws.few(FEW_DRAWS))
    if belongs.shape != (len(points), card.n_components) or not np.isfinite(belongs).all():
        return None
    return Mixture(card, fit.provenance.kind, points, labels, draws, belongs)


def _draws(fit: Fit, card: MixtureCard) -> Parameters | None:
    posterior = fit.posterior["posterior"].to_dataset()
    if not {"weight", "mean", "sd"} <= set(posterior.data_vars):
        return None
    step = max(1, -(-posterior.sizes["chain"] * posterior.sizes["draw"] // MAX_DRAWS))
    thin = posterior.isel(draw=slice(None, None, step))
    weights, means = _stacked(thin["weight"]), _stacked(thin["mean"])
    sds = _stacked(thin["sd"])
    shape = means.shape
    sds = np.broadcast_to(sds[:, None] if sds.ndim == 2 else sds, shape)
    correlations = np.broadcast_to(np.eye(shape[-1]), (*shape, shape[-1])).copy()
    if "correlation" in thin and not _place_correlations(thin["correlation"], card.columns, correlations):
        return None
    finite = np.isfinite(weights).all(1)
    for part in (means, sds, correlations):
        finite &= np.isfinite(part).all(axis=tuple(range(1, part.ndim)))
    finite &= weights.sum(1) > 0
    return Parameters(weights[finite], means[finite], sds[finite], correlations[finite]) if finite.any() else None


def _stacked(array: xr.DataArray) -> Floats:
    values = array.transpose("chain", "draw", ...).to_numpy().astype(float)
    stacked: Floats = values.reshape(-1, *values.shape[2:])
    return stacked


def _place_correlations(array: xr.DataArray, columns: Sequence[str], into: Floats) -> bool:
    """Set correlations by their pairs' labels; return whether every pair is known."""
    pairs = {f"{columns[i]}:{columns[j]}": (i, j) for i, j in combinations(range(len(columns)), 2)}
    pairs |= {f"{columns[j]}:{columns[i]}": (i, j) for i, j in combinations(range(len(columns)), 2)}
    labels = [str(label) for label in array[str(array.dims[-1])].to_numpy()]
    values = _stacked(array)
    values = values[:, None] if values.ndim == 2 else values
    if not set(labels) <= set(pairs):
        return False
    for place, label in enumerate(labels):
        i, j = pairs[label]
        into[..., i, j] = into[..., j, i] = values[..., place]
    return True


def name_of(component: int) -> str:
    """Return what the report calls a component."""
    return say("component {n}", n=component + 1)
