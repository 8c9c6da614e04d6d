"""Covariances without correlations in the Gibbs sampler: diagonal, spherical, or of a single column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._gibbs_moments import Covariance, Moments, Proposal
from bayeskit.models.mixtures._gibbs_scales import ScalePrior
from bayeskit.models.mixtures._gibbs_small import NEVER, Entries, draw_numbers, is_small, move
from bayeskit.models.mixtures._gibbs_streams import ChainStreams

Floats = NDArray[np.float64]


class Variances:
    """Variances by component and column, by component, or, of a single column, one for all; see ``Form``.

    Parameters
    ----------
    n_components, n_columns
        K and d.
    spherical
        Whether a component has one variance for all columns.
    tied
        Whether all components share one; of a single column only.
    scales
        The prior on standard deviations.
    means
        Mean and standard deviation of the prior on means.
    floors
        ``n_columns``, the smallest log scales.
    """

    def __init__(
        self,
        n_components: int,
        n_columns: int,
        *,
        spherical: bool,
        tied: bool,
        scales: ScalePrior,
        means: tuple[Floats, float],
        floors: Floats,
    ) -> None:
        assert n_columns == 1 or not tied
        self.shared, self._spherical, self._prior = tied, spherical, scales
        self._k, self._d, self._n = n_components, n_columns, 1 if tied else n_components
        self.n_quadratic = self._e = 1 if spherical else n_columns
        self._repeats = n_columns if spherical else 1
        self._floors = floors.max(keepdims=True) if spherical else floors
        self._centre, self._weight = means[0], means[1] ** -2
        self._typical = scales.typical**2

    def quadratic(self, y: Floats) -> Floats:
        squares: Floats = (y * y).T
        return squares.sum(axis=0, keepdims=True) if self._spherical else np.ascontiguousarray(squares)

    def coefficients(self, log_weights: Floats, means: Floats, covariance: Covariance) -> Floats:
        d, precision = self._d, covariance.precision
        found = np.empty((*means.shape[:2], 1 + d + self.n_quadratic))
        linear = precision * means
        found[..., 0] = log_weights - 0.5 * (covariance.log_determinant + (linear * means).sum(axis=-1))
        found[..., 1 : 1 + d] = linear
        found[..., 1 + d :] = -0.5 * precision
        return found

    def raw_moments(self, sums: Floats, totals: Floats, means: Floats) -> Moments:
        d, counts = self._d, sums[..., 0]
        first = sums[..., 1 : 1 + d]
        deviations = first - counts[..., None] * means
        less = (first + deviations) * means
        if self.shared:
            return Moments(counts, deviations, totals[1 + d :] - less.sum(axis=1, keepdims=True))
        if self._spherical:
            less = less.sum(axis=-1, keepdims=True)
        return Moments(counts, deviations, sums[..., 1 + d :] - less)

    def moments(self, residuals: Floats, member: Floats) -> Moments:
        members, squares = member.swapaxes(-1, -2), residuals * residuals
        if self._spherical:
            squares = squares.sum(axis=-1, keepdims=True)
        scatters = squares.sum(axis=1, keepdims=True) if self.shared else members @ squares
        return Moments(member.sum(axis=1), members @ residuals, scatters)

    def tightness(self, covariance: Covariance, reach: Floats) -> Floats:
        tightness: Floats = (covariance.precision * reach**2).max(axis=(1, 2))
        return tightness

    def distances(self, covariance: Covariance, chain: int, component: int, residuals: Floats) -> Floats:
        root = covariance.root[chain, 0 if self.shared else component]
        distances: Floats = ((residuals * root) ** 2).sum(axis=-1)
        return distances

    def dense_factor(self, covariance: Covariance) -> Floats:
        scales = np.broadcast_to(covariance.factor, (*covariance.factor.shape[:2], self._d))
        return scales[..., None] * np.eye(self._d)

    def propose(self, moments: Moments) -> Proposal:
        counts, scatters = self._counts(moments), moments.scatters
        centre = (scatters + self._typical) / (counts + 1)
        log_scales = 0.5 * np.log(centre)
        curvature = self._prior.curvature(log_scales)
        degrees = counts - self._prior.slope(log_scales) - 1 + 0.5 * curvature
        degrees = np.maximum(degrees, np.maximum(0.5 * counts, 0.5))
        small = is_small(counts, scatters, self._typical, 1)
        shapes = 0.5 * degrees
        return Proposal(shapes.reshape(len(shapes), -1), scatters + 0.5 * curvature * centre, scatters, small)

    def update(
        self, current: Covariance, moments: Moments, proposal: Proposal, gammas: Floats, streams: ChainStreams
    ) -> tuple[Covariance, Floats]:
        shape = proposal.scale.shape
        fresh = self._complete(0.5 * np.log(proposal.scale / np.maximum(2 * gammas.reshape(shape), 1e-300)))
        # The proposal's degrees of freedom depend on the points: so does its own prior's power.
        power = 2 * proposal.gamma_shapes.reshape(shape) - self._counts(moments) + 1
        log_ratio = fresh.log_ratio - current.log_ratio + power * (fresh.log_scales - current.log_scales)
        log_ratio += 0.5 * (proposal.scale - proposal.scatters) * (fresh.precision - current.precision)
        taken = -streams.next("moves", "exponential", shape[1:]) < log_ratio
        rate = np.exp(np.minimum(log_ratio, 0.0)).mean(axis=(1, 2))
        log_scales = np.where(taken, fresh.log_scales, current.log_scales)
        if proposal.small.any():
            log_scales = self._small_moves(log_scales, moments, proposal.small, streams)
        return self._complete(log_scales), rate

    def draw_means(self, covariance: Covariance, moments: Moments, means: Floats, streams: ChainStreams) -> Floats:
        normals = streams.next("moves", "normal", (self._k, self._d))
        precision = moments.counts[..., None] * covariance.precision + self._weight
        right = covariance.precision * moments.sums + self._weight * (self._centre - means)
        drawn: Floats = means + (right + np.sqrt(precision) * normals) / precision
        return drawn

    def covariance(self, scales: Floats, factors: Floats | None) -> Covariance:
        shape = (len(scales), self._n, self._e)
        return self._complete(np.log(np.maximum(scales.reshape(shape), 2 * np.exp(self._floors))))

    def sites(self, factor: Floats, log_scales: Floats) -> dict[str, Floats]:
        if self.shared:
            return {"scales": factor[:, :, 0]}
        return {"scales": factor[..., 0] if self._spherical else factor}

    def permuted(self, covariance: Covariance, moments: Moments, order: NDArray[np.int64]) -> tuple[Covariance, Floats]:
        if self.shared:
            return covariance, moments.scatters
        chains = np.arange(len(order))[:, None]
        return Covariance(*(array[chains, order] for array in covariance)), moments.scatters[chains, order]

    def _counts(self, moments: Moments) -> Floats:
        """Return how many squares there are in each scatter, ``n_chains x G x 1``."""
        counts = moments.counts.sum(axis=-1, keepdims=True) if self.shared else moments.counts
        return self._repeats * counts[..., None]

    def _complete(self, log_scales: Floats) -> Covariance:
        scales = np.exp(log_scales)
        root = 1 / scales
        log_ratio = self._prior.log_density(log_scales)
        inside = log_scales > self._floors
        if not inside.all():
            log_ratio = np.where(inside, log_ratio, NEVER)
        log_determinant = 2 * self._repeats * log_scales.sum(axis=-1)
        return Covariance(scales, root, root * root, log_scales, log_determinant, log_ratio)

    def _small_moves(
        self, log_scales: Floats, moments: Moments, small: NDArray[np.bool_], streams: ChainStreams
    ) -> Floats:
        """Move each variance by itself, as a matrix of one column."""
        at: Any = np.nonzero(small)
        chains, places, columns = at
        concerned, rows = np.unique(chains, return_inverse=True)
        generators = [streams.of("small")[chain] for chain in concerned]
        drawn = draw_numbers(generators, self._n * self._e, 1, self._prior, 1.0)
        counts = np.broadcast_to(self._counts(moments), small.shape)[at]
        entries = Entries(
            counts,
            moments.scatters[at][:, None, None],
            log_scales[at][:, None],
            np.ones((counts.size, 1, 1)),
            self._floors[columns][:, None],
        )
        place = places * self._e + columns
        moved, _ = move(entries, type(drawn)(*(array[rows, place] for array in drawn)), self._prior)
        changed = log_scales.copy()
        changed[at] = moved[:, 0]
        return changed
