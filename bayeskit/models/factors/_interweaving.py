"""Scales drawn once more with all else in their units, so that chains do not stick.

Given rows, what they are drawn from hardly moves where ratings say little of them: it follows the rows, and they follow
it. Held instead is everything in units of its own scale: then the scale stretches rows, and the ratings say how far.
Both ways in turn: Yu and Meng (2011), doi:10.1198/jcgs.2011.203main; such moves along a group of transformations: Liu
and Sabatti (2000), doi:10.1093/biomet/87.2.353.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bayeskit.core.priors import Prior
from bayeskit.models.factors._hyper import Design, Population
from bayeskit.models.factors._rows import Links, moments

Floats = NDArray[np.float64]

_WIDTH = 1.0  # of the slice sampler's first interval, in logarithms
_MOST_STEPS = 20


class Fit(NamedTuple):
    """How the sum of squares changes as parts of the rows grow: by ``-2 slope g + g' curvature g``.

    Parameters
    ----------
    slope, curvature
        ``n_parts`` and ``n_parts x n_parts``.
    tau
        Precision of a rating.
    """

    slope: Floats
    curvature: Floats
    tau: float

    def of_one(self, part: int, growth: Floats) -> tuple[float, float]:
        """Return the two numbers by which the log likelihood changes as one part grows, the others being so already."""
        bend = float(self.curvature[part, part])
        towards = float(self.slope[part] - self.curvature[part] @ growth) + bend * float(growth[part])
        return self.tau * towards, self.tau * bend / 2


def fit_of_columns(links: Links, ratings: Tensor, table: Tensor, rows: Tensor, tau: float) -> Fit:
    """Return how the ratings take it when columns of the rows grow; arguments as of ``draw_rows``."""
    width = rows.shape[1]
    slope, curvature = np.zeros(width), np.zeros((width, width))
    for found in moments(links, ratings, table):
        here = rows[found.rows]
        through = found.products * here[:, None, :]
        left = found.weighted - through.sum(2)
        slope += (here * left).sum(0, dtype=torch.float64).cpu().numpy()
        curvature += (here[:, :, None] * through).sum(0, dtype=torch.float64).cpu().numpy()
    return Fit(slope, curvature, tau)


def stretch_columns(
    fit: Fit, precisions: Floats, shapes: Floats, rates: Floats, power: int, rng: np.random.Generator
) -> Floats:
    """Draw by what each column is stretched, its precision falling by the square of it.

    Parameters
    ----------
    fit
        Of the columns.
    precisions
        Of the columns, as they are.
    shapes, rates
        Each column's precision has a prior that falls as that of a Gamma distribution, where all others are held.
    power
        1 where the rows of one side alone are stretched, 2 where those of both are.
    rng
        Random numbers.
    """
    growth = np.zeros(len(precisions))
    stretch = np.ones(len(precisions))
    for column, (shape, rate) in enumerate(zip((2 * shapes).tolist(), (rates * precisions).tolist(), strict=True)):
        towards, bend = fit.of_one(column, growth)

        def log_density(
            at: float, shape: float = shape, rate: float = rate, towards: float = towards, bend: float = bend
        ) -> float:
            grown = math.expm1(power * at)
            return -shape * at - rate * math.exp(-2 * at) + towards * grown - bend * grown**2

        found = _slice(log_density, 0.0, rng)
        growth[column], stretch[column] = math.expm1(power * found), math.exp(found)
    return stretch


def principal_axes(rows: Tensor, first: int) -> Floats:
    """Return the rotation, ``d x d``, that turns columns from ``first`` on to the axes along which rows are longest."""
    factors = rows[:, first:].double()
    turn = np.eye(rows.shape[1])
    turn[first:, first:] = np.linalg.eigh((factors.T @ factors).cpu().numpy())[1]
    return turn


def transformed(population: Population, by: Floats, inverse: Floats) -> Population:
    """Return what rows are drawn from where these are multiplied by a matrix, ``d x d``."""
    coefficients = population.coefficients
    if coefficients is not None:
        coefficients = coefficients @ torch.as_tensor(by, device=coefficients.device)
    return replace(
        population,
        mean=population.mean @ by,
        precision=inverse @ population.precision @ inverse.T,
        coefficients=coefficients,
    )


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
    fit = Fit(slope, curvature, tau)
    relevance, stretch = population.relevance.copy(), np.ones(n_groups)
    shape, rate = prior.arguments
    for group in range(n_groups):
        before = float(relevance[group])
        towards, bend = fit.of_one(group, stretch - 1)

        def log_density(at: float, before: float = before, towards: float = towards, bend: float = bend) -> float:
            after = math.exp(at)
            grown = math.sqrt(before / after) - 1
            return float(shape * at - rate * after + towards * grown - bend * grown**2)

        relevance[group] = math.exp(_slice(log_density, math.log(before), rng))
        stretch[group] = math.sqrt(before / relevance[group])
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
