"""What rows are drawn from, given the rows: means, precisions, coefficients of features.

With rows x_j ~ Normal(mean + z_j B, Lambda^-1), B ~ Normal(0, (lambda Lambda)^-1) and mean ~ Normal(0, Lambda^-1), all
are conjugate. Coefficients as in Macau, Simm et al. (2017), doi:10.1109/MLSP.2017.8168143; where features outnumber
rows they are drawn by a system of the rows' size, Bhattacharya, Chakraborty and Mallick (2016),
doi:10.1093/biomet/asw042.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from torch import Tensor

from bayeskit.core.priors import Prior
from bayeskit.models.factors.observed import Features

Floats = NDArray[np.float64]

_LARGEST_STEP = 10.0  # in units of what a relevance varies by given all coefficients


@dataclass(frozen=True, eq=False)
class Design:
    """Features of one side's rows, on the device, with what their systems are made of.

    Parameters
    ----------
    matrix
        ``n x F``, in double precision.
    groups
        F, from 0.
    counts
        Number of features of each group.
    columns
        Where each group's features stand.
    gram
        ``F x F``, the features' products, where there are no more of them than rows; or ``G x n x n``, the rows'
        products by each group's features.
    """

    matrix: Tensor
    groups: Tensor
    counts: Floats
    columns: tuple[slice, ...]
    gram: Tensor

    @property
    def tall(self) -> bool:
        """Whether there are no more features than rows."""
        return self.gram.ndim == 2


def design_of(features: Features, device: str) -> Design:
    """Put features on the device."""
    matrix = torch.as_tensor(features.matrix, dtype=torch.float64, device=device)
    n_rows, n_features = matrix.shape
    counts = np.bincount(features.groups, minlength=len(features.names))
    ends = np.cumsum(counts)
    columns = tuple(slice(int(end - count), int(end)) for end, count in zip(ends, counts, strict=True))
    if n_features <= n_rows:
        gram = matrix.T @ matrix
    else:
        gram = torch.stack([matrix[:, own] @ matrix[:, own].T for own in columns])
    groups = torch.as_tensor(features.groups, device=device)
    return Design(matrix, groups, counts.astype(float), columns, gram)


@dataclass(frozen=True, eq=False)
class Population:
    """What one side's rows are drawn from.

    Parameters
    ----------
    mean
        d.
    precision
        ``d x d``.
    coefficients
        ``F x d``; None where there are no features.
    relevance
        G, how little each group of features matters; None where there are none.
    """

    mean: Floats
    precision: Floats
    coefficients: Tensor | None = None
    relevance: Floats | None = None

    def row_means(self, design: Design | None, n_rows: int, like: Tensor) -> Tensor:
        """Return the prior mean of each row, ``n x d``."""
        mean = torch.as_tensor(self.mean, device=like.device).expand(n_rows, -1)
        if design is not None and self.coefficients is not None:
            mean = mean + design.matrix @ self.coefficients
        return mean.to(like.dtype)


def draw_coefficients(
    population: Population,
    rows: Tensor,
    design: Design,
    prior: Prior,
    rng: np.random.Generator,
    stream: torch.Generator,
) -> Population:
    """Draw the coefficients of features, and how little each group matters.

    One group's relevance is first moved with all coefficients integrated out, by a Metropolis step of a random size:
    given them it hardly moves.

    Parameters
    ----------
    population
        As it is; mean and precision stay.
    rows
        ``n x d``.
    design
        Their features.
    prior
        Gamma, of ``relevance``.
    rng, stream
        Random numbers, for few and, on the device, for many.
    """
    assert population.relevance is not None
    factor = torch.as_tensor(np.linalg.cholesky(population.precision), device=rows.device)
    white = (rows.double() - torch.as_tensor(population.mean, device=rows.device)) @ factor
    system = _system_of(design, population.relevance, white)
    system = _moved(system, design, prior, white, rng)
    drawn = _draw_white(white, design, system, stream)
    nothing = torch.zeros(len(design.counts), dtype=torch.float64, device=rows.device)
    squares = nothing.index_add(0, design.groups, drawn.square().sum(1)).cpu().numpy()
    shape, rate = prior.arguments
    found = rng.standard_gamma(shape + design.counts * white.shape[1] / 2) / (rate + squares / 2)
    coefficients = torch.linalg.solve_triangular(factor, drawn, upper=False, left=False)
    return replace(population, coefficients=coefficients, relevance=found)


@dataclass(frozen=True, eq=False)
class _System:
    """The system that coefficients solve, at some relevances.

    Parameters
    ----------
    relevance
        G.
    factor
        Its lower Cholesky factor: of the features' size where these are no more than rows, else of the rows'.
    log_density
        Of responses whose noise is independent of variance 1, coefficients integrated out, up to a constant.
    """

    relevance: Floats
    factor: Tensor
    log_density: float


def _system_of(design: Design, relevance: Floats, white: Tensor) -> _System:
    on_device = torch.as_tensor(relevance, device=white.device)
    width = white.shape[1]
    if design.tall:
        factor = torch.linalg.cholesky(design.gram + torch.diag(on_device[design.groups]))
        solved = torch.linalg.solve_triangular(factor, design.matrix.T @ white, upper=False)
        squares = -float(solved.square().sum())
        log_det = 2 * float(factor.diagonal().log().sum()) - float(design.counts @ np.log(relevance))
    else:
        system = torch.einsum("g,gij->ij", 1 / on_device, design.gram)
        system.diagonal().add_(1.0)
        factor = torch.linalg.cholesky(system)
        squares = float(torch.linalg.solve_triangular(factor, white, upper=False).square().sum())
        log_det = 2 * float(factor.diagonal().log().sum())
    return _System(relevance, factor, -(width * log_det + squares) / 2)


def _moved(system: _System, design: Design, prior: Prior, white: Tensor, rng: np.random.Generator) -> _System:
    """Take a Metropolis step of one group's log relevance."""
    group = int(rng.integers(len(design.counts)))
    known = min(float(design.counts[group]), len(white)) * white.shape[1]
    step = np.sqrt(2 / known) * _LARGEST_STEP ** rng.random() * rng.standard_normal()
    proposal = system.relevance.copy()
    proposal[group] *= np.exp(step)
    there = _system_of(design, proposal, white)
    shape, rate = prior.arguments
    ratio = there.log_density - system.log_density
    ratio += shape * step - rate * float(proposal[group] - system.relevance[group])
    return there if np.log(rng.random()) < ratio else system


def _draw_white(white: Tensor, design: Design, system: _System, stream: torch.Generator) -> Tensor:
    """Draw coefficients of responses whose noise is independent of variance 1."""
    n_rows, n_features = design.matrix.shape
    each = torch.as_tensor(system.relevance, device=white.device)[design.groups]

    def noise(n: int) -> Tensor:
        return torch.randn(n, white.shape[1], generator=stream, dtype=torch.float64, device=white.device)

    if design.tall:
        whitened = torch.linalg.solve_triangular(system.factor, design.matrix.T @ white, upper=False)
        found: Tensor = torch.linalg.solve_triangular(system.factor.T, whitened + noise(n_features), upper=True)
        return found
    before = noise(n_features) / each.sqrt()[:, None]
    left = white - design.matrix @ before - noise(n_rows)
    solved = torch.cholesky_solve(left, system.factor)
    return before + (design.matrix / each).T @ solved


def deviations(population: Population, rows: Tensor, design: Design | None) -> tuple[Floats, Floats, int]:
    """Return what coefficients and rows say of the precision.

    Returns
    -------
    array, array, int
        The mean of the rows without their features' part, d; the sum of squares around it and of the coefficients,
        ``d x d``; and the number of features.
    """
    left, extra, n_features = rows.double(), np.zeros(()), 0
    if design is not None and population.coefficients is not None and population.relevance is not None:
        left = left - design.matrix @ population.coefficients
        each = torch.as_tensor(population.relevance, device=rows.device)[design.groups]
        extra = ((population.coefficients * each[:, None]).T @ population.coefficients).cpu().numpy()
        n_features = len(each)
    mean = left.mean(0)
    around = left - mean
    return mean.cpu().numpy(), (around.T @ around).cpu().numpy() + extra, n_features


def draw_wishart(
    population: Population, rows: Tensor, design: Design | None, prior: Prior, rng: np.random.Generator
) -> Population:
    """Draw mean and precision together, Normal-Wishart."""
    mean, squares, n_features = deviations(population, rows, design)
    n_rows, width = rows.shape
    degrees, inverse_scale = wishart_arguments(prior, width)
    shrunk = n_rows / (n_rows + 1)
    inverse_scale = inverse_scale + squares + shrunk * np.outer(mean, mean)
    precision = wishart(degrees + n_rows + n_features, inverse_scale, rng)
    factor = np.linalg.cholesky((n_rows + 1) * precision)
    noise = solve_triangular(factor, rng.standard_normal(width), lower=True, trans=1)
    return replace(population, mean=shrunk * mean + noise, precision=precision)


def wishart_arguments(prior: Prior, width: int) -> tuple[float, Floats]:
    """Return degrees of freedom and inverse scale matrix, ``d x d``, of the prior of a precision."""
    excess, scale = prior.arguments
    return width + 1 + excess, np.eye(width) * excess * scale**2


def wishart(degrees: float, inverse_scale: Floats, rng: np.random.Generator) -> Floats:
    """Draw from a Wishart distribution, by Bartlett's decomposition, doi:10.1017/S0080454100016496."""
    width = len(inverse_scale)
    bartlett = np.tril(rng.standard_normal((width, width)), -1)
    np.fill_diagonal(bartlett, np.sqrt(2 * rng.standard_gamma((degrees - np.arange(width)) / 2)))
    # The inverse scale is R R', so that the scale's factor is the inverse of R'.
    root = np.linalg.cholesky(inverse_scale)
    made = solve_triangular(root, bartlett, lower=True, trans=1)
    return np.asarray(made @ made.T)


def draw_alpha(squares: Floats, counts: Floats, prior: Prior, rng: np.random.Generator) -> Floats:
    """Draw precisions of independent numbers of mean 0, by their sums of squares and their counts."""
    shape, rate = prior.arguments
    return np.asarray(rng.standard_gamma(shape + counts / 2) / (rate + squares / 2))
