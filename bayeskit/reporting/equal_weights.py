"""Weighted draws as equally weighted ones, which figures and predictive checks can take as they come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.diagnostics.labels import SAMPLE_DIMS
from bayeskit.diagnostics.weighted import draw_weights
from bayeskit.diagnostics.weights import Importance

MAX_DRAWS = 4000
_PRIOR = ("prior", "prior_predictive")  # with draws of their own


def equally_weighted(fit: Fit) -> tuple[Fit, str]:
    """Return a fit whose draws all count the same, and what the reader has to know of it; another kind as it is.

    Draws are chosen by systematic resampling in the order of their numbers, with the run's seed, each as often as its
    smoothed weight says, but for less than one: Kitagawa (1996), doi:10.1080/10618600.1996.10474692. They stand as
    one chain, all with a log weight of 0. Where there are no weights to choose by, the draws stay as they are, and
    that is told.
    """
    if fit.provenance.kind != "weighted":
        return fit, ""
    found = draw_weights(fit)
    if not isinstance(found, Importance):
        return fit, say("Figures show the draws without their weights, which cannot be used: {why}.", why=found)
    size = min(MAX_DRAWS, found.weights.size)
    chosen = systematic(found.weights, size, np.random.default_rng([fit.provenance.seed, 2]))
    note = say(
        "Figures and predictive checks are of {n} equally weighted draws, chosen from {total} by their weights "
        "(systematic resampling, with the run's seed); {distinct} of them differ. Tables are of the weighted draws.",
        n=f"{size:,}",
        total=f"{found.weights.size:,}",
        distinct=f"{np.unique(chosen).size:,}",
    )
    return replace(fit, posterior=_picked(fit.posterior, chosen)), note


def systematic(weights: NDArray[np.float64], size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return ``size`` places in ascending order, each as often as ``size`` times its weight, rounded up or down.

    Parameters
    ----------
    weights
        With sum 1.
    size
        How many places to choose.
    rng
        Gives the one random number that this takes.
    """
    points = (rng.random() + np.arange(size)) / size
    places = np.searchsorted(np.cumsum(weights), points, side="right")
    return np.minimum(places, weights.size - 1)


def _picked(tree: xr.DataTree, chosen: NDArray[np.intp]) -> xr.DataTree:
    groups: dict[str, xr.Dataset] = {}
    for name, node in tree.children.items():
        data = node.to_dataset()
        of_posterior = set(SAMPLE_DIMS) <= set(data.sizes) and name not in _PRIOR
        if of_posterior and data.sizes["draw"] != tree["posterior"].sizes["draw"]:
            continue  # of some of the draws, and nobody knows of which
        groups[name] = _pick(data, chosen) if of_posterior else data
    groups["sample_stats"]["log_weight"] = xr.zeros_like(groups["sample_stats"]["log_weight"])
    return xr.DataTree.from_dict(groups)


def _pick(data: xr.Dataset, chosen: NDArray[np.intp]) -> xr.Dataset:
    chains, draws = np.divmod(chosen, data.sizes["draw"])
    places = {"chain": xr.DataArray(chains, dims="picked"), "draw": xr.DataArray(draws, dims="picked")}
    flat = data.isel(places).drop_vars(SAMPLE_DIMS, errors="ignore").rename(picked="draw")
    return flat.expand_dims(chain=[0]).assign_coords(draw=np.arange(chosen.size))
