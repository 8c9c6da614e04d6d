"""The Gaussian mixture as a Pyro program, for every form of the covariances and for the Dirichlet process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from pyro import deterministic, plate, sample
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from bayeskit.models.mixtures._normals import marginal, normal, observed_together, vector
from bayeskit.models.mixtures.spec import MixtureSpec

_FAMILIES: dict[str, Callable[..., TorchDistribution]] = {
    "normal": dist.Normal,
    "lognormal": dist.LogNormal,
    "gamma": dist.Gamma,
    "inv_gamma": dist.InverseGamma,
}


def gmm_program(y: Tensor, spec: MixtureSpec) -> None:
    """Draw the parameters of a Gaussian mixture, and the points given them.

    Parameters
    ----------
    y
        ``n_points x n_columns``, NaN where missing.
    spec
        Sizes, form and priors; it names the sites.

    Notes
    -----
    The points of which the same columns are observed have a plate of their own: the columns that are missing are
    integrated out exactly, since a part of a normal vector is normal. The assignments ``z`` are enumerated.
    """
    log_weights = _log_weights(spec, y)
    components = plate("component", spec.n_components)
    with components:
        means = sample("means", vector(_prior(spec, "means", y), spec.n_columns))
    with nullcontext() if spec.covariance == "tied" else components:
        spread = _spread(spec, y)

    for kind, (points, columns) in enumerate(observed_together(y)):
        part_means, part_spread = marginal(means, spread, columns)
        with plate(f"points_{kind}", len(points)):
            z = sample(f"z_{kind}", dist.Categorical(logits=log_weights), infer={"enumerate": "parallel"})
            sample(f"y_{kind}", normal(part_means[z], part_spread[z]), obs=points)


def _log_weights(spec: MixtureSpec, like: Tensor) -> Tensor:
    """Draw the weights, those of a Dirichlet process by breaking sticks, and return their logs."""
    if not spec.dp:
        (concentration,) = spec.prior("weights").arguments
        return sample("weights", dist.Dirichlet(like.new_full((spec.n_components,), concentration))).log()
    rate = sample("concentration", _prior(spec, "concentration", like))
    sticks = sample("sticks", vector(dist.Beta(1.0, rate), spec.n_components - 1))
    zero = like.new_zeros(1)
    log_left = torch.cat([zero, (-sticks).log1p().cumsum(0)])
    log_weights = torch.cat([sticks.log(), zero]) + log_left
    deterministic("weights", log_weights.exp(), event_dim=1)
    return log_weights


def _spread(spec: MixtureSpec, like: Tensor) -> Tensor:
    """Draw standard deviations, and correlations where there are any; return Cholesky factors then."""
    prior = _prior(spec, "scales", like)
    if spec.covariance == "spherical":
        scales = sample("scales", prior).unsqueeze(-1).expand(-1, spec.n_columns)
    else:
        scales = sample("scales", vector(prior, spec.n_columns)).expand(spec.n_components, -1)
    if not spec.correlated:
        return scales
    (shape,) = spec.prior("correlations").arguments
    corr_cholesky = sample("corr_cholesky", dist.LKJCholesky(spec.n_columns, like.new_tensor(shape)))
    return scales.unsqueeze(-1) * corr_cholesky


def _prior(spec: MixtureSpec, name: str, like: Tensor) -> TorchDistribution:
    prior = spec.prior(name)
    return _FAMILIES[prior.family](*(like.new_tensor(argument) for argument in prior.arguments))
