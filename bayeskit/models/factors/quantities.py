"""What is computed of a draw: quantities that stay the same when factors are rotated, rescaled or renumbered.

Factors are known up to an invertible matrix, and a shift of one side's factors moves the other side's biases. What they
say of ratings is not: the table of all users by all items, its level, the differences between users, between items, and
what is left, their interaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bayeskit.models.factors._cutpoints import level_chances
from bayeskit.models.factors._hyper import Population
from bayeskit.models.factors._rows import predicted
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.spec import SIDES, FactorSpec

Floats = NDArray[np.float64]

N_PAIRS = 10  # of users and items, whose rating is followed draw by draw


@dataclass(frozen=True, eq=False)
class Parameters:
    """One draw, on the model's scale.

    Parameters
    ----------
    spec
        Model.
    rows
        By side, ``n x d``.
    populations
        By side.
    level, tau, cutpoints
        Those that the likelihood has; 0, 1 and nothing otherwise.
    alpha
        K, of automatic relevance; empty otherwise.
    """

    spec: FactorSpec
    rows: Mapping[str, Tensor]
    populations: Mapping[str, Population]
    level: float
    tau: float
    cutpoints: Floats
    alpha: Floats

    def eta(self, user: Tensor, item: Tensor) -> Tensor:
        """Return what is predicted of pairs, ``n_pairs``, in double precision."""
        rows = self.rows["user"], self.rows["item"]
        return predicted(*rows, user, item, biased=not self.spec.nonnegative).double() + self.level

    def kept(self) -> dict[str, NDArray[Any]]:
        """Return the sites by which new ratings are predicted, in single precision."""
        found: dict[str, NDArray[Any]] = {"mu": np.asarray(self.level), "tau": np.asarray(self.tau)}
        if len(self.cutpoints):
            found["cutpoints"] = self.cutpoints
        for side in SIDES:
            population = self.populations[side]
            found[f"{side}_rows"] = self.rows[side].cpu().numpy()
            found[f"{side}_mean"] = population.mean
            found[f"{side}_precision"] = population.precision
            if population.coefficients is not None:
                found[f"{side}_coefficients"] = population.coefficients.cpu().numpy()
        return {name: np.array(array, dtype=np.float32) for name, array in found.items()}


def followed_pairs(data: Observed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the few pairs whose rating is followed: of test ratings, where there are any."""
    user, item = (data.test_user, data.test_item) if data.n_test else (data.user, data.item)
    places = np.unique(np.linspace(0, len(user) - 1, N_PAIRS).astype(np.int64))
    return user[places], item[places]


def quantities_of(spec: FactorSpec, data: Observed, parameters: Parameters) -> dict[str, NDArray[Any]]:
    """Return what does not depend on the factors' rotation, in the data's units; of ordinal ratings in hidden ones.

    Parameters
    ----------
    spec, data
        Model and ratings.
    parameters
        One draw.

    Returns
    -------
    dict
        ``level``: the mean of the table of all users by all items (none of ordinal ratings, whose hidden ones have any
        level); ``sd_user``, ``sd_item`` and ``sd_interaction``: standard deviations of the means of its rows, of its
        columns, and of what is left; ``effective_rank``: how many factors matter, by the interaction's squared
        singular values, their sum squared over their sum of squares; ``sigma`` of a single rating; ``cutpoints`` from
        the table's mean; ``factor_sd``, descending, of automatic relevance; ``user_lambda`` and ``item_lambda``; and
        ``rating``, what is expected of a few pairs.
    """
    user, item = (parameters.rows[side].double() for side in SIDES)
    first = spec.width - spec.rank
    factors = {"user": user[:, first:], "item": item[:, first:]}
    means = {side: found.mean(0) for side, found in factors.items()}
    biases = {"user": user[:, 0], "item": item[:, 0]} if first else dict.fromkeys(SIDES, torch.zeros(()).double())
    mean = parameters.level + float(biases["user"].mean() + biases["item"].mean() + means["user"] @ means["item"])
    alone = biases["user"] + factors["user"] @ means["item"], biases["item"] + factors["item"] @ means["user"]
    shared = _covariance(factors["user"]) @ _covariance(factors["item"])
    trace, of_square = float(torch.trace(shared)), float(torch.sum(shared * shared.T))
    spread = data.spread
    found: dict[str, Any] = {}
    if spec.likelihood == "normal":
        found |= {"level": data.in_units(np.asarray(mean)), "sigma": spread / np.sqrt(parameters.tau)}
    else:
        found["cutpoints"] = parameters.cutpoints - mean
    found |= {f"sd_{side}": spread * float(one.std(correction=0)) for side, one in zip(SIDES, alone, strict=True)}
    found["sd_interaction"] = spread * np.sqrt(max(trace, 0.0))
    found["effective_rank"] = trace**2 / max(of_square, np.finfo(float).tiny)
    if spec.family == "ard":
        found["factor_sd"] = np.sort(parameters.alpha**-0.5)[::-1]
    for side in SIDES:
        relevance = parameters.populations[side].relevance
        if relevance is not None:
            found[f"{side}_lambda"] = relevance
    found["rating"] = expected_ratings(data, parameters, *followed_pairs(data))
    return {name: np.array(value, dtype=np.float64) for name, value in found.items()}


def expected_ratings(
    data: Observed, parameters: Parameters, user: NDArray[np.int64], item: NDArray[np.int64]
) -> Floats:
    """Return what one draw expects of pairs, ``n_pairs``, in the data's units; not kept within the scale."""
    device = parameters.rows["user"].device
    eta = parameters.eta(torch.as_tensor(user, device=device), torch.as_tensor(item, device=device))
    if parameters.spec.likelihood == "normal":
        return np.asarray(data.in_units(eta.cpu().numpy()))
    return np.asarray(level_chances(parameters.cutpoints, eta).cpu().numpy() @ data.levels)


def _covariance(factors: Tensor) -> Tensor:
    around = factors - factors.mean(0)
    return around.T @ around / len(factors)
