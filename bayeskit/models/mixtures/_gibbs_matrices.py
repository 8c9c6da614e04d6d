"""Covariances with correlations in the Gibbs sampler: each component's own, or one for all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures import _gibbs_nearby as nearby
from bayeskit.models.mixtures._gibbs_moments import Covariance, Moments, Proposal
from bayeskit.models.mixtures._gibbs_scales import ScalePrior
from bayeskit.models.mixtures._gibbs_small import NEVER, SMALLEST_PIVOT, Entries, draw_numbers, is_small, move
from bayeskit.models.mixtures._gibbs_streams import ChainStreams

Floats = NDArray[np.float64]

_NEARLY = 0.9  # of what keeps a proposal's matrix positive definite
_MANY = 5  # points for each element of a covariance: independent proposals are enough
_FEW_COLUMNS = 3  # and one more step a sweep is
_REGULAR = 1e-10  # of a typical covariance, in place of what a singular scatter lacks


class Matrices:
    """Full covariances, or a tied one; see ``Form``.

    Parameters
    ----------
    n_components, n_columns, tied
        K, d, and whether all share one.
    scales, correlation
        The prior on standard deviations, and the shape of that on correlations.
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
        tied: bool,
        scales: ScalePrior,
        correlation: float,
        means: tuple[Floats, float],
        floors: Floats,
    ) -> None:
        d = n_columns
        self.shared, self._prior, self._eta, self._floors = tied, scales, correlation, floors
        self._k, self._d, self._n = n_components, d, 1 if tied else n_components
        self._centre, self._weight = means[0], means[1] ** -2
        first, second = np.triu_indices(d)
        self.n_quadratic = first.size
        self._pairs, self._flat = (first, second), first * d + second
        self._halves = np.where(first == second, -0.5, -1.0)
        place = np.zeros((d, d), dtype=np.int64)
        place[first, second] = place[second, first] = np.arange(first.size)
        self._unpack = place.ravel()
        self._below = np.tril_indices(d, -1)
        self._diagonal, self._unit = np.arange(d), np.eye(d)
        # The proposal's own prior part: see the notes of the sampler.
        self._power = d + 2 * (correlation - 1)
        self._gamma = self._power + 1
        self._degrees = d + 2 * correlation - 1
        self._determinants = correlation - 1 + 0.5 * (self._degrees + d + 1)
        self._typical = scales.typical**2
        self._many, self._steps = _MANY * d * (d - 1), 1 if d <= _FEW_COLUMNS else 2

    def quadratic(self, y: Floats) -> Floats:
        return np.ascontiguousarray((y[:, self._pairs[0]] * y[:, self._pairs[1]]).T)

    def coefficients(self, log_weights: Floats, means: Floats, covariance: Covariance) -> Floats:
        d, precision = self._d, covariance.precision
        found = np.empty((*means.shape[:2], 1 + d + self.n_quadratic))
        linear = (precision @ means[..., None])[..., 0]
        found[..., 0] = log_weights - 0.5 * (covariance.log_determinant + (linear * means).sum(axis=-1))
        found[..., 1 : 1 + d] = linear
        flat = precision.reshape(*precision.shape[:2], d * d)
        found[..., 1 + d :] = flat.take(self._flat, axis=-1) * self._halves
        return found

    def raw_moments(self, sums: Floats, totals: Floats, means: Floats) -> Moments:
        d, counts = self._d, sums[..., 0]
        first = sums[..., 1 : 1 + d]
        deviations = first - counts[..., None] * means
        if self.shared:
            second = totals[1 + d :].take(self._unpack).reshape(d, d)
            across = means.swapaxes(-1, -2)
            scatters = (second - first.swapaxes(-1, -2) @ means - across @ deviations)[:, None]
        else:
            second = sums[..., 1 + d :].take(self._unpack, axis=-1).reshape(*counts.shape, d, d)
            scatters = (
                second - first[..., :, None] * means[..., None, :] - means[..., :, None] * deviations[..., None, :]
            )
        return Moments(counts, deviations, scatters)

    def moments(self, residuals: Floats, member: Floats) -> Moments:
        d, members = self._d, member.swapaxes(-1, -2)
        if self.shared:
            scatters = (residuals.swapaxes(-1, -2) @ residuals)[:, None]
        else:
            squares = (residuals[..., :, None] * residuals[..., None, :]).reshape(*residuals.shape[:2], d * d)
            scatters = (members @ squares).reshape(len(residuals), self._k, d, d)
        return Moments(member.sum(axis=1), members @ residuals, scatters)

    def tightness(self, covariance: Covariance, reach: Floats) -> Floats:
        diagonal = np.diagonal(covariance.precision, axis1=-2, axis2=-1)
        tightness: Floats = (diagonal * reach**2).max(axis=(1, 2))
        return tightness

    def distances(self, covariance: Covariance, chain: int, component: int, residuals: Floats) -> Floats:
        root = covariance.root[chain, 0 if self.shared else component]
        distances: Floats = ((residuals @ root.T) ** 2).sum(axis=-1)
        return distances

    def dense_factor(self, covariance: Covariance) -> Floats:
        return covariance.factor

    def propose(self, moments: Moments) -> Proposal:
        counts = self._counts(moments)
        scatters, d = moments.scatters, self._d
        variances = np.diagonal(scatters, axis1=-2, axis2=-1)
        small = is_small(counts, variances.min(axis=-1), self._typical, d)
        # An estimate of the covariance: where points are few, their correlations are shrunk towards 0.
        more = np.where(counts <= 2 * (d + 1), 0.5 * (d + 1), _REGULAR * counts)
        target = (variances + 2 * self._typical) * (more / (counts + 2))[..., None]
        centre = scatters + target[..., None] * self._unit
        centre /= (counts + more)[..., None, None]
        variances = np.diagonal(centre, axis1=-2, axis2=-1)
        slope = self._prior.slope(0.5 * np.log(variances)) - self._power
        strength = counts + 2 * self._gamma
        tilt = (centre * (slope / variances)[..., None, :]) @ centre
        damping = self._damping(centre, variances, slope, strength)
        scale = strength[..., None, None] * centre + (tilt if damping is None else damping[..., None, None] * tilt)
        shapes = 0.5 * (counts[..., None] + (self._degrees - (d - 1) + self._diagonal))
        return Proposal(shapes.reshape(len(counts), -1), scale, scatters, small)

    def update(
        self, current: Covariance, moments: Moments, proposal: Proposal, gammas: Floats, streams: ChainStreams
    ) -> tuple[Covariance, Floats]:
        d, n = self._d, self._n
        inverse: Floats = np.linalg.inv(np.linalg.cholesky(proposal.scale))
        bartlett = np.zeros(proposal.scale.shape)
        bartlett[..., self._diagonal, self._diagonal] = np.sqrt(2 * gammas).reshape(-1, n, d)
        bartlett[..., self._below[0], self._below[1]] = streams.next("moves", "normal", (n, self._below[0].size))
        root = bartlett @ inverse
        fresh = self._complete(np.linalg.inv(root), root)
        log_ratio = _log_ratio(fresh, current, proposal.scale - proposal.scatters)
        taken = -streams.next("moves", "exponential", (n,)) < log_ratio
        rate = np.exp(np.minimum(log_ratio, 0.0)).mean(axis=-1)
        found = fresh if taken.all() else _chosen(taken, fresh, current)
        counts = self._counts(moments)
        hard = (counts < self._many) & (counts > 0)
        if hard.any():
            found = self._steps_nearby(found, hard, proposal, inverse, streams)
        if proposal.small.any():
            found = self._small_moves(found, moments, proposal.small, streams)
        return found, rate

    def draw_means(self, covariance: Covariance, moments: Moments, means: Floats, streams: ChainStreams) -> Floats:
        normals = streams.next("moves", "normal", (2, self._k, self._d))
        counts = moments.counts[..., None, None]
        # A draw from N(P^-1 b, P^-1) is P^-1 (b + noise of covariance P): no factor of P is needed.
        whitened = covariance.root @ moments.sums[..., None] + np.sqrt(counts) * normals[:, 0, ..., None]
        right = covariance.root.swapaxes(-1, -2) @ whitened
        right[..., 0] += self._weight * (self._centre - means) + self._weight**0.5 * normals[:, 1]
        precision = counts * covariance.precision + self._weight * self._unit
        drawn: Floats = means + np.linalg.solve(precision, right)[..., 0]
        return drawn

    def covariance(self, scales: Floats, factors: Floats | None) -> Covariance:
        assert factors is not None
        if self.shared:
            scales, factors = scales[:, None], factors[:, None]
        factor = np.maximum(scales, np.exp(self._floors))[..., None] * factors
        return self._complete(factor, np.linalg.inv(factor))

    def sites(self, factor: Floats, log_scales: Floats) -> dict[str, Floats]:
        scales = np.exp(log_scales)
        correlations = np.tril(factor / scales[..., None])
        found = {"scales": scales, "corr_cholesky": correlations / np.linalg.norm(correlations, axis=-1, keepdims=True)}
        return {name: array[:, :, 0] for name, array in found.items()} if self.shared else found

    def permuted(self, covariance: Covariance, moments: Moments, order: NDArray[np.int64]) -> tuple[Covariance, Floats]:
        if self.shared:
            return covariance, moments.scatters
        chains = np.arange(len(order))[:, None]
        return Covariance(*(array[chains, order] for array in covariance)), moments.scatters[chains, order]

    def _counts(self, moments: Moments) -> Floats:
        return moments.counts.sum(axis=-1, keepdims=True) if self.shared else moments.counts

    def _damping(self, centre: Floats, variances: Floats, slope: Floats, strength: Floats) -> Floats | None:
        """Return what to multiply the tilt by so that the proposal's matrix is positive definite; None for 1.

        It is where ``strength`` is above the largest eigenvalue of the correlations weighted by the slopes, which is at
        most the trace, and at most the largest sum of a row: Gershgorin.
        """
        pull = np.maximum(-slope, 0.0)
        trace = pull.sum(axis=-1)
        if (trace < _NEARLY * strength).all():
            return None
        root = np.sqrt(pull / variances)
        rows = np.abs(root[..., :, None] * centre * root[..., None, :]).sum(axis=-1).max(axis=-1)
        largest = np.minimum(trace, rows)
        damping: Floats = np.minimum(1.0, _NEARLY * strength / np.maximum(largest, 1e-300))
        return damping

    def _complete(self, factor: NDArray[Any], root: NDArray[Any]) -> Covariance:
        """Return covariances with all that is needed of them."""
        log_scales = 0.5 * np.log((factor * factor).sum(axis=-1))
        log_pivots = -np.log(np.abs(np.diagonal(root, axis1=-2, axis2=-1)))  # of the covariance's factor
        log_determinant = 2 * log_pivots.sum(axis=-1)
        densities = self._prior.log_density(log_scales) - self._power * log_scales
        log_ratio = densities.sum(axis=-1) + self._determinants * log_determinant
        inside = (log_scales > self._floors) & (log_pivots - log_scales > np.log(SMALLEST_PIVOT))
        if not inside.all():
            log_ratio = np.where(inside.all(axis=-1), log_ratio, NEVER)
        precision = root.swapaxes(-1, -2) @ root
        return Covariance(factor, root, precision, log_scales, log_determinant, log_ratio)

    def _steps_nearby(
        self,
        current: Covariance,
        hard: NDArray[np.bool_],
        proposal: Proposal,
        inverse: Floats,
        streams: ChainStreams,
    ) -> Covariance:
        at, chains, rows = _where(hard)
        lower = inverse[at]
        factor = np.linalg.inv(lower)
        less = (proposal.scale - proposal.scatters)[at]
        shapes = proposal.gamma_shapes.reshape(len(current.root), self._n, self._d)[chains]
        here = Covariance(*(array[at] for array in current))
        for _ in range(self._steps):
            drawn = nearby.draw_numbers([streams.of("nearby")[chain] for chain in chains], shapes)
            numbers = nearby.Numbers(*(array[rows, at[1]] for array in drawn))
            root = nearby.move(np.tril(here.root @ factor), numbers) @ lower
            there = self._complete(np.linalg.inv(root), root)
            here = _chosen(-numbers.exponentials < _log_ratio(there, here, less), there, here)
        return _replaced(current, at, here)

    def _small_moves(
        self, current: Covariance, moments: Moments, small: NDArray[np.bool_], streams: ChainStreams
    ) -> Covariance:
        at, chains, rows = _where(small)
        drawn = draw_numbers([streams.of("small")[chain] for chain in chains], self._n, self._d, self._prior, self._eta)
        log_scales = current.log_scales[at]
        entries = Entries(
            self._counts(moments)[at],
            moments.scatters[at],
            log_scales,
            np.tril(current.factor[at] * np.exp(-log_scales)[..., None]),
            np.broadcast_to(self._floors, log_scales.shape),
        )
        log_scales, factors = move(entries, type(drawn)(*(array[rows, at[1]] for array in drawn)), self._prior)
        factor = np.exp(log_scales)[..., None] * factors
        return _replaced(current, at, self._complete(factor, np.linalg.inv(factor)))


def _where(flags: NDArray[np.bool_]) -> tuple[Any, NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of what is flagged, which chains these are, and for each its chain's place among them."""
    at = np.nonzero(flags)
    chains, rows = np.unique(at[0], return_inverse=True)
    return at, chains, rows


def _replaced(covariance: Covariance, at: Any, part: Covariance) -> Covariance:
    changed = Covariance(*(array.copy() for array in covariance))
    for array, new in zip(changed, part, strict=True):
        array[at] = new
    return changed


def _log_ratio(fresh: Covariance, current: Covariance, less: Floats) -> Floats:
    """Return the log ratio of weights, ``less`` being the proposal's own prior part."""
    change = less * (fresh.precision - current.precision)
    ratio: Floats = fresh.log_ratio - current.log_ratio + 0.5 * change.reshape(*change.shape[:-2], -1).sum(axis=-1)
    return ratio


def _chosen(taken: NDArray[np.bool_], fresh: Covariance, current: Covariance) -> Covariance:
    parts = zip(fresh, current, strict=True)
    return Covariance(*(np.where(taken.reshape(*taken.shape, *[1] * (a.ndim - taken.ndim)), a, b) for a, b in parts))
