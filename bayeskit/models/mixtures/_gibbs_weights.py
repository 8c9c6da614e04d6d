"""Weights in the Gibbs sampler: of a Dirichlet prior, or of a Dirichlet process with its concentration."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bayeskit.core.priors import Prior
from bayeskit.models.mixtures._gibbs_streams import ChainStreams

Floats = NDArray[np.float64]

_LEAST_LOG_WEIGHT = -690.0  # the weight itself must be a number above 0
_WALK = 1.0  # standard deviation of a step of the log concentration
_STEPS = 2


class Weights(NamedTuple):
    """``n_chains x K`` log weights; of a Dirichlet process also ``n_chains x (K - 1)`` sticks, and concentrations."""

    log_weights: Floats
    log_sticks: Floats | None = None
    concentration: Floats | None = None


class WeightsBlock(Protocol):
    """How weights are drawn given the assignments."""

    def arrange(
        self, weights: Weights, counts: Floats, streams: ChainStreams
    ) -> tuple[Weights, NDArray[np.int64] | None]:
        """Return what is drawn with the weights left out, and an order to put the components in; None as they are."""
        ...

    def gamma_shapes(self, weights: Weights, counts: Floats) -> Floats:
        """Return the parameters of the gamma variables that the weights are made of, ``n_chains x n``."""
        ...

    def update(self, weights: Weights, shapes: Floats, gammas: Floats, streams: ChainStreams) -> Weights:
        """Return fresh weights, of gamma variables with the given parameters."""
        ...

    def weights(self, log_weights: Floats, sticks: Floats | None, concentration: Floats | None) -> Weights:
        """Return weights of sites' values."""
        ...


class DirichletWeights:
    """``weights | z ~ Dirichlet(concentration + counts)``; see ``WeightsBlock``."""

    def __init__(self, concentration: float) -> None:
        self._concentration = concentration
        self._lifted = concentration < 1

    def arrange(
        self, weights: Weights, counts: Floats, streams: ChainStreams
    ) -> tuple[Weights, NDArray[np.int64] | None]:
        return weights, None

    def gamma_shapes(self, weights: Weights, counts: Floats) -> Floats:
        return counts + (self._concentration + self._lifted)

    def update(self, weights: Weights, shapes: Floats, gammas: Floats, streams: ChainStreams) -> Weights:
        logs = np.log(gammas)
        if self._lifted:
            logs = _lowered(logs, shapes, streams)
        logs -= _log_sum_exp(logs)
        return Weights(np.maximum(logs, _LEAST_LOG_WEIGHT))

    def weights(self, log_weights: Floats, sticks: Floats | None, concentration: Floats | None) -> Weights:
        return Weights(np.maximum(log_weights, _LEAST_LOG_WEIGHT))


class StickWeights:
    """Truncated stick-breaking; see ``WeightsBlock``.

    With the sticks integrated out, the probability of assignments with ``n[k]`` points in component ``k``, and
    ``N[k]`` in those after it, is

        concentration^(K-1) gamma(concentration + n[K]) / gamma(concentration + N[0])
            * prod_{k<K} gamma(1 + n[k]) / (concentration + N[k-1]):

    neighbours change places, and the concentration walks on the log scale, by Metropolis steps with this ratio; the
    sticks follow, each from its Beta(1 + n[k], concentration + N[k]). Where labels only moved with the points, one by
    one, an ordering would last: Papaspiliopoulos and Roberts (2008), doi:10.1093/biomet/asm086, section 3.4.
    """

    def __init__(self, n_components: int, prior: Prior) -> None:
        self._k, self._prior = n_components, prior

    def arrange(
        self, weights: Weights, counts: Floats, streams: ChainStreams
    ) -> tuple[Weights, NDArray[np.int64] | None]:
        assert weights.concentration is not None
        order = self._neighbours(counts, weights.concentration, streams)
        if order is not None:
            counts = np.take_along_axis(counts, order, axis=1)
        concentration = self._walk(counts, weights.concentration, streams)
        return weights._replace(concentration=concentration), order

    def gamma_shapes(self, weights: Weights, counts: Floats) -> Floats:
        assert weights.concentration is not None
        after = _after(counts)
        return np.concatenate([1 + counts[:, :-1], 1 + weights.concentration[:, None] + after], axis=1)

    def update(self, weights: Weights, shapes: Floats, gammas: Floats, streams: ChainStreams) -> Weights:
        n = self._k - 1
        logs = np.log(gammas)
        here, rest = logs[:, :n], _lowered(logs[:, n:], shapes[:, n:], streams)
        both = np.logaddexp(here, rest)
        log_sticks, log_left = here - both, np.cumsum(rest - both, axis=1)
        log_weights = np.zeros((len(logs), self._k))
        log_weights[:, :-1] = log_sticks
        log_weights[:, 1:] += log_left
        return Weights(np.maximum(log_weights, _LEAST_LOG_WEIGHT), log_sticks, weights.concentration)

    def weights(self, log_weights: Floats, sticks: Floats | None, concentration: Floats | None) -> Weights:
        assert sticks is not None
        assert concentration is not None
        return Weights(np.maximum(log_weights, _LEAST_LOG_WEIGHT), np.log(sticks), concentration)

    def _neighbours(self, counts: Floats, concentration: Floats, streams: ChainStreams) -> NDArray[np.int64] | None:
        """Let disjoint pairs of neighbours change places, first those that begin at 1, 3, ..., then the others."""
        k = self._k
        exponentials = streams.next("moves", "exponential", (k,))
        order = np.tile(np.arange(k), (len(counts), 1))
        counts, moved = counts.copy(), False
        for first in range(min(2, k - 1)):
            left = np.arange(first, k - 1, 2)
            right, after = left + 1, _after(counts)
            log_ratio = np.log(concentration[:, None] + after[:, left]) - np.log(
                concentration[:, None] + after[:, left] + counts[:, left] - counts[:, right]
            )
            if left[-1] == k - 2:  # the last takes what is left, without a stick of its own
                one, other = counts[:, k - 2], counts[:, k - 1]
                swapped = gammaln(1 + other) + gammaln(concentration + one)
                log_ratio[:, -1] = swapped - gammaln(1 + one) - gammaln(concentration + other)
            taken = -exponentials[:, left] < log_ratio
            if taken.any():
                moved = True
                for array in (counts, order):
                    array[:, left], array[:, right] = (
                        np.where(taken, array[:, right], array[:, left]),
                        np.where(taken, array[:, left], array[:, right]),
                    )
        return order if moved else None

    def _walk(self, counts: Floats, concentration: Floats, streams: ChainStreams) -> Floats:
        total = counts.sum(axis=1)
        before = np.concatenate([total[:, None], _after(counts)], axis=1)[:, : self._k - 1]
        last = counts[:, -1]

        def log_density(log_value: Floats) -> Floats:
            value = np.exp(log_value)
            found = (self._k - 1) * log_value + gammaln(value + last) - gammaln(value + total)
            found -= np.log(value[:, None] + before).sum(axis=1)
            return np.asarray(found + self._log_prior(log_value, value))

        steps = _WALK * streams.next("moves", "normal", (_STEPS,))
        exponentials = streams.next("moves", "exponential", (_STEPS,))
        here = np.log(concentration)
        density = log_density(here)
        for step in range(_STEPS):
            there = here + steps[:, step]
            proposed = log_density(there)
            taken = -exponentials[:, step] < proposed - density
            here, density = np.where(taken, there, here), np.where(taken, proposed, density)
        return np.exp(here)

    def _log_prior(self, log_value: Floats, value: Floats) -> Floats:
        """Return the log density of the log concentration, up to a constant."""
        first, second = self._prior.arguments
        if self._prior.family == "lognormal":
            return -0.5 * ((log_value - first) / second) ** 2
        return first * log_value - second * value


def _after(counts: Floats) -> Floats:
    """Return how many points are in the components after each but the last."""
    after: Floats = np.cumsum(counts[:, :0:-1], axis=1)[:, ::-1]
    return after


def _lowered(logs: Floats, shapes: Floats, streams: ChainStreams) -> Floats:
    """Return log gamma variables of parameters less by 1: of small ones, a gamma variable itself would vanish."""
    exponentials = streams.next("moves", "exponential", (1, shapes.shape[1]))[:, 0]
    return logs - exponentials / (shapes - 1)


def _log_sum_exp(logs: Floats) -> Floats:
    largest = logs.max(axis=1, keepdims=True)
    total: Floats = np.log(np.exp(logs - largest).sum(axis=1, keepdims=True)) + largest
    return total
