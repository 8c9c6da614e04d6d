"""Draws to an xarray DataTree: the only place that builds one."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Protocol

import numpy as np
import xarray as xr
from arviz_base import from_dict
from numpy.typing import NDArray

from bayeskit.core.types import Draws


class Describes(Protocol):
    """What the DataTree needs to know from a model."""

    @property
    def coords(self) -> Mapping[str, NDArray[Any]]:
        """Coordinates by dimension."""
        ...

    @property
    def dims(self) -> Mapping[str, list[str]]:
        """Dimensions by variable, but for chain and draw."""
        ...

    @property
    def states(self) -> Container[str]:
        """Names of the hidden states, whose prior draws nobody looks at."""
        ...

    def groups(self, values: Mapping[str, NDArray[Any]]) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """Sort draws into ArviZ's groups."""
        ...

    def observations(self) -> Mapping[str, NDArray[Any]]:
        """Return the observed data by variable."""
        ...

    def constants(self) -> Mapping[str, NDArray[Any]]:
        """Return known quantities that are not modelled."""
        ...

    def draw_prior(self, n_draws: int, rng: np.random.Generator) -> tuple[Mapping[str, NDArray[Any]], NDArray[Any]]:
        """Simulate parameters and data, ``n_draws x ...``."""
        ...


def to_datatree(draws: Draws, model: Describes, *, seed: int, n_prior: int = 500) -> xr.DataTree:
    """Build the posterior's DataTree in ArviZ's layout.

    Parameters
    ----------
    draws
        What the engine handed over.
    model
        Names the dimensions and simulates from its prior.
    seed
        For the draws from the prior.
    n_prior
        How many of these; they stand as one chain.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``log_likelihood``, ``posterior_predictive``, ``prior``,
        ``prior_predictive``, ``observed_data`` and, where the model has any, ``constant_data``.
    """
    groups: dict[str, Mapping[str, NDArray[Any]]] = dict(model.groups(draws.values))
    groups["sample_stats"] = draws.sample_stats
    # A stream of its own, so that the prior's draws do not change with the engine.
    parameters, simulated = model.draw_prior(n_prior, np.random.default_rng([seed, 1]))
    groups["prior"] = {name: value[None] for name, value in parameters.items() if name not in model.states}
    groups["observed_data"] = model.observations()
    groups["prior_predictive"] = dict.fromkeys(groups["observed_data"], simulated[None])
    if constants := model.constants():
        groups["constant_data"] = constants
    tree: xr.DataTree = from_dict(groups, coords=dict(model.coords), dims=dict(model.dims))
    for group in tree.subtree:  # the clock would make equal runs differ; when it ran stands in run.json
        group.attrs.pop("created_at", None)
    tree["sample_stats"].attrs.update({name: value for name, value in draws.engine.items() if value is not None})
    return tree
