"""Importance weights: smoothed, with the shape of their tail, and how many equally weighted draws they are worth.

Pareto smoothing, its k-hat and the limit on it: Vehtari, Simpson, Gelman, Yao and Gabry (2024),
https://jmlr.org/papers/v25/19-556.html; computed by ArviZ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.words import significant

Floats = NDArray[np.float64]

K_HAT_LIMIT = 0.7
MIN_DRAWS = 100  # of fewer, the tail is too short to fit
EQUAL = 1e-4  # log ratios closer than that: all weights are equal
_FEWEST_IN_TAIL = 5  # different weights, of which a tail can be fitted
_MOST_RARE = 0.1  # share of the weight
NO_TAIL = 1.0  # log ratios closer than that, or to that of the mean weight, have no tail to speak of


@dataclass(frozen=True)
class Importance:
    """Importance weights of draws, Pareto-smoothed.

    Parameters
    ----------
    log_ratios
        Logarithms of the weights as they came, up to a constant; minus infinity where a draw weighs nothing.
    weights
        Smoothed, with sum 1, in the same order.
    k_hat
        Shape of the ratios' tail; infinite where one draw outweighs all others, NaN where draws were resampled by
        their weights, so that these have no tail any more.
    """

    log_ratios: Floats
    weights: Floats
    k_hat: float

    @property
    def effective_sample_size(self) -> float:
        """Kish's: one over the sum of the squared weights."""
        return float(1 / np.sum(np.square(self.weights)))

    @property
    def largest(self) -> float:
        """Share of the heaviest draw in all weight, before smoothing."""
        raw = np.exp(self.log_ratios - self.log_ratios.max())
        return float(1 / raw.sum())

    @property
    def reliable(self) -> bool:
        """Whether k-hat lets so many draws give sound estimates."""
        return math.isnan(self.k_hat) or self.k_hat <= k_hat_limit(self.log_ratios.size)


def importance_weights(log_ratios: Floats, relative_efficiency: float = 1.0) -> Importance | str:
    """Return Pareto-smoothed importance weights, or in words why they cannot be had.

    Parameters
    ----------
    log_ratios
        Logarithms of the weights, up to a constant, ``n_draws``.
    relative_efficiency
        Effective sample size of the ratios over the number of draws: of Markov chains less than 1.
    """
    size = log_ratios.size
    wrong = int(np.sum(np.isnan(log_ratios) | (log_ratios == np.inf)))
    if wrong:
        return say("the density holds no number in {wrong} of {n} draws", wrong=f"{wrong:,}", n=f"{size:,}")
    if few := too_few(size):
        return few
    inside = np.isfinite(log_ratios)
    if not inside.any():
        return say("the posterior's density is 0 in every draw")
    if np.ptp(log_ratios[inside]) < EQUAL and inside.all():
        return Importance(log_ratios, np.full(size, 1 / size), 0.0)
    # Weights of 0 must stay below all others, and finite for ArviZ.
    floor = np.where(inside, log_ratios, log_ratios[inside].min() - 50.0)
    if _few_states(log_ratios):
        weights = np.exp(floor - floor.max())
        return Importance(log_ratios, weights / weights.sum(), 0.0)
    with np.errstate(all="ignore"):  # weights so far apart that the tail underflows
        try:
            log_weights, shape = array_stats.psislw(-floor, relative_efficiency)
            k_hat = float(shape)
        except ValueError:  # the tail is one value: the weights are bounded, and there is nothing to smooth
            log_weights, k_hat = floor, 0.0
    if _no_tail(log_ratios) and not k_hat <= K_HAT_LIMIT:
        # So few weights above the others, and so little, move no estimate, whatever shape is fitted to their tail.
        log_weights, k_hat = floor, 0.0
    elif not math.isfinite(k_hat) or not np.isfinite(log_weights).all():
        log_weights, k_hat = floor, 0.0 if np.ptp(floor) < NO_TAIL else math.inf
    weights = np.exp(log_weights - log_weights.max())
    return Importance(log_ratios, weights / weights.sum(), k_hat)


def _no_tail(log_ratios: Floats) -> bool:
    """Return whether the heaviest draw is worth less than e average ones."""
    top = log_ratios.max()
    return bool(-np.log(np.mean(np.exp(log_ratios - top))) < NO_TAIL)


def _few_states(log_ratios: Floats) -> bool:
    """Return whether draws repeat each other, and so few weights stand out of them that no tail can be fitted.

    Of draws of whole numbers: their weights are few and bounded, and how much they are worth together says it all,
    unless most of it lies in what was drawn a few times only.
    """
    size = log_ratios.size
    values, counts = np.unique(log_ratios.round(9), return_counts=True)
    cutoff = np.sort(log_ratios.round(9))[-min(math.ceil(0.2 * size), math.ceil(3 * math.sqrt(size))) - 1]
    weights = counts * np.exp(values - values.max())
    rare = weights[counts < _FEWEST_IN_TAIL].sum() / weights.sum()
    return bool(np.sum(values > cutoff) < _FEWEST_IN_TAIL and values.size < size / 2 and rare < _MOST_RARE)


def too_few(n_draws: int) -> str:
    """Return in words that so few draws have no tail to fit, or an empty text."""
    if n_draws >= MIN_DRAWS:
        return ""
    return say_count(
        n_draws,
        "{n} draw is too few; at least {limit} are needed",
        "{n} draws are too few; at least {limit} are needed",
        limit=MIN_DRAWS,
    )


def k_hat_limit(n_draws: int) -> float:
    """Return the largest k-hat at which so many draws give sound estimates: 0.7 of 2000 or more, less of fewer."""
    return min(round(1 - 1 / math.log10(n_draws), 2), K_HAT_LIMIT)


def tail_detail(found: Importance) -> str:
    """Say what stands beside the k-hat of weights: how much of all weight the heaviest draw has."""
    if math.isnan(found.k_hat):
        return say("does not apply: the draws were resampled by their weights")
    if math.isinf(found.k_hat):
        return say("cannot be computed: one draw outweighs all others")
    return say(
        "the largest of {n} weights has {share} % of their sum",
        n=f"{found.weights.size:,}",
        share=significant(100 * float(found.weights.max()), 2),
    )
