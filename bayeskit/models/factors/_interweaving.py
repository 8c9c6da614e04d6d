"""How much groups of features matter, drawn once more with the rows' own deviations held, so that chains do not stick.

Given the rows, how large a group's coefficients are hardly moves: rows say it, and follow it. Held instead are the
coefficients in units of their prior, and what rows have besides: then a group's scale stretches its part of all rows,
and the ratings say how far. Both ways in turn: Yu and Meng (2011), doi:10.1198/jcgs.2011.203main.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bayeskit.core.priors import Prior
from bayeskit.models.factors._hyper import Design, Population
from bayeskit.models.factors._rows import Links, moments

Floats = NDArray[np.float64]

_WIDTH = 1.0  # of the slice sampler's first interval, in log lambda
_MOST_STEPS = 20


def stretch_groups(
    links: Links,
    ratings: Tensor,
    table: Tensor,
    rows: Tensor,
    population: Population,
    design: Design,
    tau: float,
    prior: Prior,
    rng: np.random.Generator,
) -> tuple[Tensor, Population]:
    """Draw how little each group of features matters, and stretch its part of the rows with it.

    Parameters
    ----------
    links, ratings, table, tau
        Of one side's rows, as of ``draw_rows``.
    rows
        ``n x d``, as they are.
    population, design
        What they are drawn from, with coefficients, and their features.
    prior
        Gamma, of ``relevance``.
    rng
        Random numbers.

    Returns
    -------
    Tensor, Population
        Rows, coefficients and relevances after it.
    """
    assert population.coefficients is not None
    assert population.relevance is not None
    n_groups = len(design.counts)
    parts = torch.stack([_part(design, population.coefficients, group) for group in range(n_groups)]).to(rows.dtype)
    slope, curvature = np.zeros(n_groups), np.zeros((n_groups, n_groups))
    for found in moments(links, ratings, table):
        here = parts[:, found.rows]
        left = found.weighted - torch.einsum("nij,nj->ni", found.products, rows[found.rows])
        through = torch.einsum("nij,gnj->gni", found.products, here)
        slope += (here * left).sum((1, 2), dtype=torch.float64).cpu().numpy()
        curvature += torch.einsum("gni,hni->gh", here.double(), through.double()).cpu().numpy()
    relevance, stretch = population.relevance.copy(), np.ones(n_groups)
    shape, rate = prior.arguments
    for group in range(n_groups):
        before = float(relevance[group])
        # By how much the sum of squares falls for each unit that this group's part grows, as the others are by now.
        towards = float(slope[group] - curvature[group] @ (stretch - 1))
        bend = float(curvature[group, group])

        def log_density(
            log_relevance: float, before: float = before, towards: float = towards, bend: float = bend
        ) -> float:
            grown = np.sqrt(before / np.exp(log_relevance)) - 1
            of_prior = shape * log_relevance - rate * np.exp(log_relevance)
            return float(of_prior + tau * (towards * grown - bend * grown**2 / 2))

        after = float(np.exp(_slice(log_density, float(np.log(before)), rng)))
        relevance[group], stretch[group] = after, np.sqrt(before / after)
    factor = torch.as_tensor(stretch, device=rows.device)
    moved = rows + torch.einsum("g,gnd->nd", (factor - 1).to(rows.dtype), parts)
    coefficients = population.coefficients * factor[design.groups][:, None]
    return moved, replace(population, coefficients=coefficients, relevance=relevance)


def _part(design: Design, coefficients: Tensor, group: int) -> Tensor:
    """Return a group's part of the rows' prior means, ``n x d``."""
    own = design.columns[group]
    return design.matrix[:, own] @ coefficients[own]


def _slice(log_density: Callable[[float], float], at: float, rng: np.random.Generator) -> float:
    """Take a step of slice sampling: Neal (2003), doi:10.1214/aos/1056562461."""
    level = log_density(at) - rng.standard_exponential()
    low = at - _WIDTH * rng.random()
    high, steps = low + _WIDTH, int(rng.integers(_MOST_STEPS))
    left, right = steps, _MOST_STEPS - 1 - steps
    while left > 0 and log_density(low) > level:
        low, left = low - _WIDTH, left - 1
    while right > 0 and log_density(high) > level:
        high, right = high + _WIDTH, right - 1
    while True:
        found = low + (high - low) * rng.random()
        if log_density(found) >= level:
            return float(found)
        low, high = (found, high) if found < at else (low, found)
