"""Draws to an xarray DataTree: the only place that builds one."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from arviz_base import from_dict
from numpy.typing import NDArray

from bayeskit.core.types import Draws

Arrays = Mapping[str, NDArray[Any]]

_OTHERS = (  # which ArviZ does not know
    *("derived", "history", "selection", "graph", "assignments"),
    *("factors", "held_out", "baselines", "ratings", "users", "items"),
    *("codes", "reconstructions", "manifold", "traversals", "interpolation", "generated", "observed"),
    *("by_condition", "completion", "weights"),
)
_DATA = ("observed_data", "constant_data", *_OTHERS)


class Describes(Protocol):
    """What the DataTree needs to know from a model."""

    @property
    def coords(self) -> Arrays:
        """Coordinates by dimension."""
        ...

    @property
    def dims(self) -> Mapping[str, list[str]]:
        """Dimensions by variable, but for chain and draw; those of other variables count from 1.

        Of groups without draws, ``group/variable`` goes before ``variable``.
        """
        ...

    def groups(self, values: Arrays) -> Mapping[str, Arrays]:
        """Sort draws, ``n_chains x n_draws x ...``, into ArviZ's groups, and the data where it knows them only now."""
        ...


@runtime_checkable
class Simulates(Protocol):
    """What a model gives besides, where it can simulate from its prior."""

    @property
    def states(self) -> Container[str]:
        """Names of the hidden states, whose prior draws nobody looks at."""
        ...

    def observations(self) -> Arrays:
        """Return the observed data by variable."""
        ...

    def constants(self) -> Arrays:
        """Return known quantities that are not modelled."""
        ...

    def draw_prior(self, n_draws: int, rng: np.random.Generator) -> tuple[Arrays, NDArray[Any]]:
        """Simulate parameters and data, ``n_draws x ...``."""
        ...


def to_datatree(draws: Draws, model: Describes, *, seed: int, n_prior: int = 500) -> xr.DataTree:
    """Build the posterior's DataTree in ArviZ's layout.

    Parameters
    ----------
    draws
        What the engine handed over.
    model
        Names the dimensions, and simulates from its prior if it can.
    seed
        For the draws from the prior.
    n_prior
        How many of these; they stand as one chain.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior`` and ``sample_stats``; ``prior`` and ``prior_predictive`` of a model that simulates these;
        and what the model has of ``log_likelihood``, ``log_prior``, ``posterior_predictive``, ``observed_data`` and
        ``constant_data``; what was ``derived`` from the draws, the ``history`` of an optimisation, the ``selection`` of
        a model's size; of a block model the ``graph``, and the nodes' ``assignments`` by draw; of a factorisation
        few draws of the ``factors``, the test ratings that were ``held_out``, ``baselines`` that predicted them too,
        the ``ratings`` themselves, ``users`` and ``items``; of an autoencoder the ``codes`` of the data, what its
        networks make of them, and their ``weights``. The attributes of ``sample_stats`` are what the engine says
        of itself.
    """
    groups: dict[str, Arrays] = dict(model.groups(draws.values))
    groups |= {name: {**groups.get(name, {}), **group} for name, group in draws.groups.items()}
    groups["sample_stats"] = draws.sample_stats
    if isinstance(model, Simulates):
        groups |= _simulated(model, seed, n_prior)
    drawn = {name: group for name, group in groups.items() if name not in _OTHERS}
    dims, coords = _counted_from_1(drawn)
    tree: xr.DataTree = from_dict(
        drawn,
        coords={**coords, **model.coords},
        dims={**dims, **model.dims},
        check_conventions=False,  # there may well be more chains than draws
    )
    for name in _OTHERS:
        if groups.get(name):
            tree[name] = xr.DataTree(_without_draws(name, groups[name], model))
    for group in tree.subtree:  # the clock would make equal runs differ; when it ran stands in run.json
        group.attrs.pop("created_at", None)
    if "sample_stats" not in tree.children:
        tree["sample_stats"] = xr.DataTree()
    for name, value in draws.engine.items():
        if value is not None:
            tree["sample_stats"].attrs[name] = _plain(value)
    return tree


def _plain(value: Any) -> Any:
    """Return what netCDF can hold, which has no booleans and no texts but Python's own, not even of a subclass."""
    if isinstance(value, bool):
        return int(value)
    return str(value) if isinstance(value, str) else value


def _without_draws(group: str, arrays: Arrays, model: Describes) -> xr.Dataset:
    """Return a group of arrays as they are; one with a dimension's name is its coordinate in this group."""
    variables = {}
    for name, array in arrays.items():
        values = np.asarray(array)
        unnamed = [f"{name}_dim_{position}" for position in range(values.ndim)]
        variables[name] = (list(model.dims.get(f"{group}/{name}", model.dims.get(name, unnamed))), values)
    used = {dim for dims, _ in variables.values() for dim in dims}
    return xr.Dataset(variables, {dim: values for dim, values in model.coords.items() if dim in used - set(variables)})


def _counted_from_1(groups: Mapping[str, Arrays]) -> tuple[dict[str, list[str]], dict[str, NDArray[Any]]]:
    """Return dimensions by variable, named as ArviZ does, and coordinates that count from 1, as Stan does."""
    dims: dict[str, list[str]] = {}
    coords: dict[str, NDArray[Any]] = {}
    for group, variables in groups.items():
        for name, array in variables.items():
            sizes = array.shape if group in _DATA else array.shape[2:]
            dims[name] = [f"{name}_dim_{position}" for position in range(len(sizes))]
            coords |= {dim: np.arange(1, size + 1) for dim, size in zip(dims[name], sizes, strict=True)}
    return dims, coords


def _simulated(model: Simulates, seed: int, n_prior: int) -> dict[str, Arrays]:
    # A stream of its own, so that the prior's draws do not change with the engine.
    parameters, simulated = model.draw_prior(n_prior, np.random.default_rng([seed, 1]))
    observed, constants = model.observations(), model.constants()
    groups: dict[str, Arrays] = {
        "prior": {name: value[None] for name, value in parameters.items() if name not in model.states},
        "observed_data": observed,
        "prior_predictive": dict.fromkeys(observed, simulated[None]),
        "constant_data": constants,
    }
    return {name: group for name, group in groups.items() if group}
