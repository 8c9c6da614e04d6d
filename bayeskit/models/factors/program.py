"""Bayesian matrix factorisation as a Pyro program, for every form: whose posterior Gibbs sampling draws from, too.

A precision matrix is drawn by Bartlett's decomposition of the Wishart distribution, doi:10.1017/S0080454100016496: its
Cholesky factor is that of the scale, here a multiple of the identity, times a triangle of independent numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from pyro import deterministic, plate, sample
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from bayeskit.models.factors._laws import AscendingNormals, NormalRows, ProbitLevels
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.spec import SIDES, FactorSpec

_FAMILIES: dict[str, Callable[..., TorchDistribution]] = {"normal": dist.Normal, "gamma": dist.Gamma}


class SideTensors(NamedTuple):
    """Users, or items, as the program takes them.

    Parameters
    ----------
    places
        ``n_ratings``, the row of each rating.
    n_rows
        How many rows there are.
    features, groups
        ``n x F``, and F; None where there are none.
    """

    places: Tensor
    n_rows: int
    features: Tensor | None
    groups: Tensor | None


class RatingTensors(NamedTuple):
    """Training ratings on the model's scale, or levels from 0; and both of their sides."""

    values: Tensor
    user: SideTensors
    item: SideTensors


def factor_program(ratings: RatingTensors, spec: FactorSpec) -> None:
    """Draw the parameters of a matrix factorisation, and the ratings given them.

    Parameters
    ----------
    ratings
        From ``program_of``.
    spec
        Rank, form and priors; it names the sites. Of a precision these are ``user_chi`` and ``user_below``, of which it
        is made, and ``item_chi`` and ``item_below``.
    """
    level = sample("mu", prior(spec, "mu")) if spec.has_level else 0.0
    alpha = sample("alpha", several(prior(spec, "alpha"), spec.rank)) if spec.family == "ard" else torch.empty(0)
    users = sample_rows(spec, "user", ratings.user, alpha)
    items = sample_rows(spec, "item", ratings.item, alpha)
    if spec.likelihood == "normal":
        tau = sample("tau", prior(spec, "tau"))
    else:
        mean, sd = spec.prior("cutpoints").arguments
        cutpoints = sample("cutpoints", AscendingNormals(mean, sd, spec.n_levels - 1))

    with plate("ratings", len(ratings.values)) as chosen:
        user = users.index_select(0, ratings.user.places[chosen])
        item = items.index_select(0, ratings.item.places[chosen])
        if spec.nonnegative:
            eta = (user * item).sum(-1)
        else:
            eta = level + user[:, 0] + item[:, 0] + (user[:, 1:] * item[:, 1:]).sum(-1)
        law = dist.Normal(eta, tau.rsqrt()) if spec.likelihood == "normal" else ProbitLevels(cutpoints, eta)
        sample("r", law, obs=ratings.values[chosen])


def sample_rows(spec: FactorSpec, side: str, own: SideTensors, alpha: Tensor) -> Tensor:
    """Draw the rows of users, or of items, and what these are drawn from; ``n x d``."""
    rows = plate(f"{side}s", own.n_rows)
    if spec.nonnegative:
        with rows:
            return sample(f"{side}_rows", several(dist.HalfNormal(alpha.rsqrt()), own.n_rows, spec.rank, batch=1))
    if spec.family == "wishart":
        factor = sample_factor(spec, side)
        deterministic(f"{side}_precision", factor @ factor.T, event_dim=2)
        mean = sample(f"{side}_mean", NormalRows(torch.zeros(spec.width), factor))
    else:
        of_biases = sample(f"{side}_alpha", prior(spec, "alpha"))
        factor = torch.diag(torch.cat([of_biases[None], alpha]).sqrt())
        mean = torch.zeros(spec.width)
    means = mean.expand(own.n_rows, -1)
    if own.features is not None:
        means = means + own.features @ sample_coefficients(spec, side, own, factor)
    with rows:
        return sample(f"{side}_rows", NormalRows(means, factor))


def sample_factor(spec: FactorSpec, side: str) -> Tensor:
    """Draw the Cholesky factor of a precision that has the Wishart distribution, ``d x d``."""
    excess, scale = spec.prior("factors").arguments
    d = spec.width
    chi = sample(f"{side}_chi", dist.Chi2(d + 1 + excess - torch.arange(d)).to_event(1))
    below = sample(f"{side}_below", several(dist.Normal(0.0, 1.0), d * (d - 1) // 2))
    places = np.zeros((d, d), dtype=np.int64)  # of a 0, the diagonal and what is below it, one after the other
    places[np.diag_indices(d)] = 1 + np.arange(d)
    places[np.tril_indices(d, -1)] = 1 + d + np.arange(d * (d - 1) // 2)
    elements = torch.cat([torch.zeros(1), chi.sqrt(), below])
    factor: Tensor = elements[torch.as_tensor(places, device=chi.device)] / (scale * excess**0.5)
    return factor


def sample_coefficients(spec: FactorSpec, side: str, own: SideTensors, factor: Tensor) -> Tensor:
    """Draw how much features move the means of rows, ``F x d``."""
    relevance = sample(f"{side}_lambda", several(prior(spec, "lambda"), spec.n_groups[side]))
    nothing = torch.zeros(spec.n_features[side], spec.width)
    with plate(f"{side}_features", spec.n_features[side]):
        return sample(f"{side}_coefficients", NormalRows(nothing, factor, relevance[own.groups]))


def prior(spec: FactorSpec, name: str) -> TorchDistribution:
    """Return the prior on one number of a kind."""
    given = spec.prior(name)
    return _FAMILIES[given.family](*given.arguments)


def several(law: Any, *shape: int, batch: int = 0) -> Any:
    """Return the law of independent numbers in an array, of which the first dimensions are a plate's."""
    return law.expand(shape).to_event(len(shape) - batch)


def program_of(
    spec: FactorSpec, data: Observed
) -> tuple[Callable[..., Any], tuple[RatingTensors, FactorSpec], dict[str, Any]]:
    """Return the Pyro program and what it is called with, in double precision."""
    sides = {}
    for side, places in zip(SIDES, (data.user, data.item), strict=True):
        features = data.features(side)
        found = (None, None) if features is None else (torch.tensor(features.matrix), torch.tensor(features.groups))
        sides[side] = SideTensors(torch.tensor(places), data.n_rows(side), *found)
    values = torch.tensor(data.values if spec.likelihood == "normal" else data.values.astype(np.int64))
    return factor_program, (RatingTensors(values, **sides), spec), {}
