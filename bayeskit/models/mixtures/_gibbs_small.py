"""Moves for components with few points, or none, where the prior has the say.

The independence proposal of a component's covariance looks like the likelihood, and a lognormal scale is not an inverse
gamma one out in its tails: a component of few points could stick there. Two more Metropolis steps leave the same
conditional distribution as it is:

* a draw from the prior, accepted by the ratio of likelihoods: always, where there is no point;
* a random walk of the log scales, short or wide, correlations as they are.

Which components take them depends on what is conditioned on, their points and means, and not on their covariances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._gibbs_scales import LARGEST_LOG, ScalePrior
from bayeskit.models.mixtures.simulation import lkj_cholesky

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NEVER = -1e300  # a log density of 0 that can still be subtracted
SMALLEST_PIVOT = 1e-6  # of a correlation's Cholesky factor
_WALK = 1.5  # standard deviation of a wide step, over the root of the number of columns


class Entries(NamedTuple):
    """Some covariances, one a row: all that their conditional distribution depends on, and where they stand.

    ``counts`` are numbers of points, ``scatters`` their ``d x d`` sums of squares about the means, ``factors`` Cholesky
    factors of correlations; ``floors`` the smallest log scales that are taken.
    """

    counts: Floats
    scatters: Floats
    log_scales: Floats
    factors: Floats
    floors: Floats


class Numbers(NamedTuple):
    """What chance has for each entry."""

    prior_log_scales: Floats
    prior_factors: Floats
    steps: Floats
    exponentials: Floats


def is_small(counts: Floats, variances: Floats, typical: float, n_columns: int) -> Flags:
    """Return which covariances take these moves: of few points, or of points that (almost) agree in a column.

    Parameters
    ----------
    counts
        Numbers of points, ``...``.
    variances
        Smallest mean square about the mean, ``...``, times the counts.
    typical
        A typical variance.
    n_columns
        d.
    """
    found: Flags = (counts < 5 * (n_columns + 1)) | (variances < 1e-6 * typical * counts)
    return found


def draw_numbers(
    generators: Sequence[np.random.Generator], n_entries: int, n_columns: int, prior: ScalePrior, correlation: float
) -> Numbers:
    """Draw for every entry of some chains, ``n_chains x n_entries x ...``: a chain's own, whatever it needs of them."""
    drawn = [_of_chain(generator, n_entries, n_columns, prior, correlation) for generator in generators]
    return Numbers(*(np.stack(parts) for parts in zip(*drawn, strict=True)))


def move(entries: Entries, numbers: Numbers, prior: ScalePrior) -> tuple[Floats, Floats]:
    """Return log scales, ``n x d``, and factors, ``n x d x d``, after both moves."""
    scales, factors = entries.log_scales, entries.factors
    current = _log_likelihood(entries, scales, factors)
    few = entries.counts <= scales.shape[-1] + 1
    proposed = _log_likelihood(entries, numbers.prior_log_scales, numbers.prior_factors)
    taken = few & (-numbers.exponentials[:, 0] < proposed - current)
    scales = np.where(taken[:, None], numbers.prior_log_scales, scales)
    factors = np.where(taken[:, None, None], numbers.prior_factors, factors)
    current = np.where(taken, proposed, current)

    widths = np.where(numbers.steps[:, -1] < 0, 1.0, 1 / np.sqrt(2 * entries.counts + 1))
    walked = scales + (_WALK / scales.shape[-1] ** 0.5) * widths[:, None] * numbers.steps[:, :-1]
    walked = np.clip(walked, -LARGEST_LOG, LARGEST_LOG)  # beyond there, nothing is taken, and nothing overflows
    log_ratio = _log_likelihood(entries, walked, factors) - current + _log_prior(prior, walked, scales)
    taken = -numbers.exponentials[:, 1] < log_ratio
    return np.where(taken[:, None], walked, scales), factors


def _of_chain(
    generator: np.random.Generator, n_entries: int, n_columns: int, prior: ScalePrior, correlation: float
) -> Numbers:
    log_scales = prior.draw_log(generator, (n_entries, n_columns))
    return Numbers(
        np.clip(log_scales, -LARGEST_LOG, LARGEST_LOG),
        lkj_cholesky(correlation, (n_entries,), n_columns, generator),
        generator.standard_normal((n_entries, n_columns + 1)),  # the last chooses between short and wide
        generator.standard_exponential((n_entries, 2)),
    )


def _log_prior(prior: ScalePrior, proposed: Floats, current: Floats) -> Floats:
    """Return the log ratio of prior densities of log scales."""
    gain: Floats = prior.log_density(proposed) + proposed - prior.log_density(current) - current
    return np.asarray(gain.sum(axis=-1))


def _log_likelihood(entries: Entries, log_scales: Floats, factors: Floats) -> Floats:
    """Return the log likelihood of covariances, up to a constant; ``NEVER`` where they are not taken at all."""
    pivots = np.diagonal(factors, axis1=-2, axis2=-1)
    beyond = (log_scales <= entries.floors) | (log_scales >= LARGEST_LOG) | (pivots <= SMALLEST_PIVOT)
    outside: Flags = np.asarray(beyond.any(axis=-1))
    kept = np.where(outside[:, None], np.maximum(entries.floors, 0.0), log_scales)
    unit = np.eye(factors.shape[-1])
    factors = np.where(outside[:, None, None], unit, factors)
    roots = np.linalg.inv(np.exp(kept)[..., None] * factors)
    squares = ((roots @ entries.scatters) * roots).sum(axis=(-2, -1))
    found = -entries.counts * (kept.sum(axis=-1) + np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1))
    found = np.where(entries.counts > 0, found - 0.5 * squares, 0.0)
    return np.where(outside, NEVER, found)
