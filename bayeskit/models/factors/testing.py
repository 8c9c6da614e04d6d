"""Test ratings, predicted draw by draw, so that no draw needs to be kept for it.

The probability integral transform: Dawid (1984), doi:10.2307/2981683; of levels randomised, as in Czado, Gneiting and
Held (2009), doi:10.1111/j.1541-0420.2009.01191.x.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import norm

from bayeskit.models.factors._cutpoints import level_chances
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.quantities import Parameters
from bayeskit.models.factors.spec import FactorSpec

Floats = NDArray[np.float64]

INTERVAL = 0.95
_PIT_STREAM = 20_261  # which randomises the transforms of levels, the same in every run


class Tested:
    """Sums over the draws of one chain, of each test rating.

    Parameters
    ----------
    spec, data
        Model and ratings.
    device
        Where the rows are.
    """

    def __init__(self, spec: FactorSpec, data: Observed, device: str) -> None:
        self._spec, self._data = spec, data
        pairs = (data.test_user, data.test_item)
        self._user, self._item = (torch.as_tensor(rows, device=device) for rows in pairs)
        self.n_draws = 0
        self.sums: dict[str, Floats] = {}
        self.rmse_so_far: list[float] = []

    def add(self, parameters: Parameters) -> float:
        """Add a draw, and return the root mean square error of its own predictions, kept within the scale."""
        eta = parameters.eta(self._user, self._item)
        if self._spec.likelihood == "ordinal":
            chances = level_chances(parameters.cutpoints, eta).cpu().numpy()
            mean, terms = chances @ self._data.levels, {"chances": chances}
        else:
            mean = self._data.in_units(eta.cpu().numpy())
            sigma = self._data.spread / np.sqrt(parameters.tau)
            at = (self._data.test_values - mean) / sigma
            density = np.exp(-0.5 * at**2) / (sigma * np.sqrt(2 * np.pi))
            terms = {"square": mean**2 + sigma**2, "pit": ndtr(at), "density": density}
        self.n_draws += 1
        for name, term in {"mean": mean, **terms}.items():
            self.sums[name] = self.sums[name] + term if name in self.sums else term
        self.rmse_so_far.append(self._rmse(self.sums["mean"] / self.n_draws))
        return self._rmse(mean)

    def _rmse(self, mean: Floats) -> float:
        return float(np.sqrt(np.mean((np.clip(mean, *self._data.scale) - self._data.test_values) ** 2)))

    @staticmethod
    def together(chains: Sequence[Tested]) -> dict[str, NDArray[Any]]:
        """Return what all draws of all chains say of the test ratings.

        Returns
        -------
        dict
            ``n_test`` each: ``user`` and ``item``, by their numbers; ``rating``; ``mean``, kept within the scale;
            ``sd``, ``low`` and ``high`` of the predictive distribution and its 95 % interval, which is not kept within
            the scale: normal with these moments, or the levels that hold so much; ``pit``; ``log_density``; and of
            levels ``chances``, ``n_test x L``.
        """
        data, spec, n_draws = chains[0]._data, chains[0]._spec, sum(chain.n_draws for chain in chains)
        sums = {name: np.sum([chain.sums[name] for chain in chains], axis=0) / n_draws for name in chains[0].sums}
        found: dict[str, NDArray[Any]] = {
            "user": data.test_user,
            "item": data.test_item,
            "rating": data.test_values,
            "mean": np.clip(sums["mean"], *data.scale),
        }
        if spec.likelihood == "ordinal":
            return found | _of_levels(sums["chances"], sums["mean"], data)
        sd = np.sqrt(np.maximum(sums["square"] - sums["mean"] ** 2, 0.0))
        reach = norm.ppf((1 + INTERVAL) / 2) * sd
        with np.errstate(divide="ignore"):
            log_density = np.log(sums["density"])
        return found | {
            "sd": sd,
            "low": sums["mean"] - reach,
            "high": sums["mean"] + reach,
            "pit": sums["pit"],
            "log_density": log_density,
        }


def _of_levels(chances: Floats, mean: Floats, data: Observed) -> dict[str, NDArray[Any]]:
    at_most = np.cumsum(chances, axis=1)
    level = np.searchsorted(data.levels, data.test_values)
    places = np.arange(len(level))
    own = chances[places, level]
    outside = (1 - INTERVAL) / 2
    last = len(data.levels) - 1
    share = np.random.default_rng(_PIT_STREAM).random(len(level))
    return {
        "sd": np.sqrt(np.maximum(chances @ data.levels**2 - mean**2, 0.0)),
        "low": data.levels[np.minimum(np.sum(at_most < outside, axis=1), last)],
        "high": data.levels[np.minimum(np.sum(at_most < 1 - outside, axis=1), last)],
        "pit": at_most[places, level] - own * share,
        "log_density": np.log(np.maximum(own, np.finfo(float).tiny)),
        "chances": chances,
    }
