"""Draws of a factorisation's program by site, as what Gibbs sampling keeps of its draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bayeskit.models.factors._cutpoints import log_chances
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.quantities import Parameters, quantities_of
from bayeskit.models.factors.simulation import parameters_of
from bayeskit.models.factors.spec import FactorSpec
from bayeskit.models.factors.testing import Tested

Arrays = Mapping[str, NDArray[Any]]


def from_sites(
    spec: FactorSpec, data: Observed, values: Arrays, *, keep_every: int = 10
) -> tuple[dict[str, NDArray[Any]], dict[str, dict[str, NDArray[Any]]]]:
    """Return what no rotation of the factors changes of draws by site, and what else is made of them.

    Parameters
    ----------
    spec, data
        Model and ratings.
    values
        ``n_chains x n_draws x`` the site's shape, by site; of others nothing is made.
    keep_every
        Of so many draws the rows of one are kept.

    Returns
    -------
    dict, dict
        Quantities, ``n_chains x n_draws x ...``, by the names that ``FactorGibbs.record`` has for them; and by the
        names of groups ``factors``, draws that were kept, in single precision, and ``held_out``, test ratings as
        predicted by all draws, where there are any.
    """
    sites = [name for name in spec.shapes(data.n_users, data.n_items) if name in values]
    n_chains, n_draws = values[sites[0]].shape[:2]
    found: list[list[dict[str, NDArray[Any]]]] = [[] for _ in range(n_chains)]
    kept: list[list[dict[str, NDArray[Any]]]] = [[] for _ in range(n_chains)]
    tested = [Tested(spec, data, "cpu") for _ in range(n_chains)]
    for chain in range(n_chains):
        for draw in range(n_draws):
            parameters = parameters_of(spec, {name: values[name][chain, draw] for name in sites})
            told = recorded(spec, data, parameters)
            if data.n_test:
                told["test_rmse"] = np.asarray(tested[chain].add(parameters))
            found[chain].append(told)
            if draw % keep_every == 0:
                kept[chain].append(parameters.kept())
    groups = {"factors": _stacked(kept)}
    if data.n_test:
        groups["held_out"] = Tested.together(tested)
    return _stacked(found), groups


def recorded(spec: FactorSpec, data: Observed, parameters: Parameters) -> dict[str, NDArray[Any]]:
    """Return what is kept of one draw: quantities that no rotation changes, and ``log_lik`` of the training ratings."""
    return quantities_of(spec, data, parameters) | {"log_lik": np.asarray(log_likelihood(spec, data, parameters))}


def log_likelihood(spec: FactorSpec, data: Observed, parameters: Parameters) -> float:
    """Return the log density of the training ratings, in the data's units; of levels the log of their chance."""
    eta = parameters.eta(torch.as_tensor(data.user), torch.as_tensor(data.item))
    if spec.likelihood == "ordinal":
        level = torch.as_tensor(data.values.astype(np.int64))
        return float(log_chances(level, parameters.cutpoints, eta).sum())
    squares = float((torch.as_tensor(data.values) - eta).square().sum())
    scale = parameters.tau / (2 * np.pi * data.spread**2)
    return float(0.5 * (data.n_ratings * np.log(scale) - parameters.tau * squares))


def _stacked(chains: list[list[dict[str, NDArray[Any]]]]) -> dict[str, NDArray[Any]]:
    """Return arrays of all chains and draws, ``n_chains x n_draws x ...`` by name."""
    return {name: np.array([[draw[name] for draw in draws] for draws in chains]) for name in chains[0][0]}
