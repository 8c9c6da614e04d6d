"""Ordinal ratings: hidden ones between cutpoints, Albert and Chib (1993), doi:10.1080/01621459.1993.10476321.

Cutpoints are drawn with the hidden ratings integrated out, by Metropolis steps, since given these they can hardly move:
Cowles (1996), doi:10.1007/BF00162520. Given every second one the others are independent, so that two passes draw all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor

from bayeskit.core.priors import Prior
from bayeskit.models.factors._normal import LEAST, ndtr

Floats = NDArray[np.float64]

_STEP = 2.4  # in units of the conditional posterior's standard deviation
_TINY = 1e-300


class Levels(NamedTuple):
    """Ratings by their levels.

    Parameters
    ----------
    level
        ``n_ratings``, from 0.
    counts
        L, the number of ratings of each.
    """

    level: Tensor
    counts: Floats

    @property
    def start(self) -> Floats:
        """Cutpoints by the shares of the levels, of hidden ratings of variance 2."""
        shares = (np.cumsum(self.counts)[:-1] + 0.5) / (self.counts.sum() + 1)
        return np.asarray(norm.ppf(shares) * np.sqrt(2.0), dtype=float)

    @property
    def steps(self) -> Floats:
        """How far to propose to move each cutpoint; these follow from the counts alone."""
        n = self.counts.sum()
        shares = (self.counts + 0.5) / (n + 0.5 * len(self.counts))
        density = norm.pdf(norm.ppf(np.cumsum(shares)[:-1]))
        information = n * density**2 * (1 / shares[:-1] + 1 / shares[1:])
        return np.asarray(_STEP / np.sqrt(information + 1), dtype=float)


def levels_of(values: Floats, n_levels: int, device: str) -> Levels:
    """Return ratings by their levels; ``values`` count these from 0."""
    level = values.astype(np.int64)
    return Levels(torch.as_tensor(level, device=device), np.bincount(level, minlength=n_levels).astype(float))


def log_chances(level: Tensor, cutpoints: Floats, eta: Tensor) -> Tensor:
    """Return the log chance of each rating's level, ``n_ratings``, in double precision."""
    low, high = _ends(level, cutpoints)
    return torch.log(_mass(low - eta.double(), high - eta.double())[1].clamp_min(_TINY))


def level_chances(cutpoints: Floats, eta: Tensor) -> Tensor:
    """Return the chance of every level, ``n x L``, in double precision."""
    at_most = ndtr(torch.as_tensor(cutpoints, device=eta.device) - eta.double()[:, None])
    ones = torch.ones_like(at_most[:, :1])
    return torch.diff(torch.cat([torch.zeros_like(ones), at_most, ones], dim=1), dim=1)


def draw_hidden(level: Tensor, cutpoints: Floats, eta: Tensor, stream: torch.Generator) -> Tensor:
    """Draw the hidden rating of each, ``n_ratings``: normal around ``eta``, between the level's ends."""
    low, high = _ends(level, cutpoints)
    below, mass, sign = _mass(low - eta.double(), high - eta.double())
    share = torch.rand(eta.shape, generator=stream, dtype=torch.float64, device=eta.device)
    noise = sign * torch.special.ndtri((below + mass * share).clamp(_TINY, 1 - LEAST))
    return torch.minimum(torch.maximum(eta.double() + noise, low), high).to(eta.dtype)


def draw_cutpoints(
    levels: Levels, cutpoints: Floats, eta: Tensor, prior: Prior, rng: np.random.Generator
) -> tuple[Floats, float]:
    """Draw cutpoints given what is predicted.

    Returns
    -------
    array, float
        L - 1 cutpoints, ascending; and the share of proposals taken.
    """
    mean, sd = prior.arguments
    n_levels, accepted = len(levels.counts), np.zeros(len(cutpoints))
    now = log_chances(levels.level, cutpoints, eta)
    for first in (0, 1):
        moved = np.arange(first, len(cutpoints), 2)
        proposal = cutpoints.copy()
        proposal[moved] += levels.steps[moved] * rng.standard_normal(len(moved))
        bounds = np.concatenate([[-np.inf], cutpoints, [np.inf]])
        inside = (proposal[moved] > bounds[moved]) & (proposal[moved] < bounds[moved + 2])
        safe = cutpoints.copy()
        safe[moved[inside]] = proposal[moved[inside]]
        then = log_chances(levels.level, safe, eta)
        by_level = torch.bincount(levels.level, weights=then - now, minlength=n_levels).cpu().numpy()
        ratio = by_level[moved] + by_level[moved + 1]
        ratio += ((cutpoints[moved] - mean) ** 2 - (proposal[moved] - mean) ** 2) / (2 * sd**2)
        taken = inside & (np.log(rng.random(len(moved))) < ratio)
        cutpoints = cutpoints.copy()
        cutpoints[moved[taken]] = proposal[moved[taken]]
        accepted[moved] = taken
        changed = np.zeros(n_levels, dtype=bool)
        changed[moved[taken]] = changed[moved[taken] + 1] = True
        now = torch.where(torch.as_tensor(changed, device=eta.device).index_select(0, levels.level), then, now)
    return cutpoints, float(accepted.mean())


def _ends(level: Tensor, cutpoints: Floats) -> tuple[Tensor, Tensor]:
    bounds = torch.as_tensor(np.concatenate([[-np.inf], cutpoints, [np.inf]]), device=level.device)
    return bounds.index_select(0, level), bounds[1:].index_select(0, level)


def _mass(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the normal mass below an interval and in it, mirrored where it lies above 0, and the sign of this."""
    sign = torch.where(low > 0, -1.0, 1.0).to(low.dtype)
    near, far = torch.where(low > 0, -high, low), torch.where(low > 0, -low, high)
    below = ndtr(near)
    return below, ndtr(far) - below, sign
