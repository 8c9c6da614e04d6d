"""Warm-up of Metropolis kernels: each block of chains learns its own scale and covariance, which are then frozen.

The scale follows Robbins and Monro (1951), doi:10.1214/aoms/1177729586, on its logarithm, towards the acceptance rate
at which a random walk is most efficient: Gelman, Roberts and Gilks (1996), Efficient Metropolis jumping rules, Bayesian
Statistics 5, 599-607. The covariance is that of the block's chains pooled: Haario, Saksman and Tamminen (2001),
doi:10.2307/3318737; Andrieu and Thoms (2008), doi:10.1007/s11222-008-9110-y; Roberts and Rosenthal (2009),
doi:10.1198/jcgs.2009.06134. It departs from them in that a window's covariance replaces that of the window before, as
Stan's does, and that nothing is adapted once warm-up is over, so that what is kept comes from one fixed kernel. Where
chains stay in modes far apart, the covariance is that around each chain's own mean: the other would fit none of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import InferenceError

Floats = NDArray[np.float64]

RANDOM_WALK_ACCEPTANCE = (0.441, 0.352, 0.316, 0.279, 0.275, 0.266, 0.261, 0.255, 0.261, 0.267)
"""Best acceptance rates of random walks on Gaussians in 1, 2, ... 10 dimensions: Gelman, Roberts and Gilks, table 1."""
MANY_DIMS_ACCEPTANCE = 0.234  # Roberts, Gelman and Gilks (1997), doi:10.1214/aoap/1034625254
LANGEVIN_ACCEPTANCE = 0.574  # Roberts and Rosenthal (1998), doi:10.1111/1467-9868.00123

_FULL_GAIN = 10  # steps of a window during which the log scale moves by the whole error in acceptance
_GAIN_POWER = 0.6
_GROWTH = 1.5
_APART = 10.0  # variance between chains over that within, in some direction, beyond which they are in different modes
_ARRIVED = 3  # chains are taken to have left their starts after one in so many iterations of warm-up
_JITTERS = (0.0, *(10.0**power for power in range(-14, 0)))


def best_acceptance(n_dims: int) -> float:
    """Return the acceptance rate at which a random walk is most efficient."""
    return RANDOM_WALK_ACCEPTANCE[n_dims - 1] if n_dims <= len(RANDOM_WALK_ACCEPTANCE) else MANY_DIMS_ACCEPTANCE


def random_walk_scale(n_dims: int) -> float:
    """Return the best scale of a random walk whose covariance is the target's: Gelman, Roberts and Gilks (1996)."""
    return 2.38 / math.sqrt(n_dims)


def langevin_scale(n_dims: int) -> float:
    """Return the best scale of a preconditioned Langevin step on a Gaussian: Roberts and Rosenthal (1998)."""
    return 1.65 / math.pow(n_dims, 1 / 6)


def window_ends(warmup: int) -> list[int]:
    """Return after which iterations the covariance is learnt anew.

    Windows grow by half until half of warm-up is over, so that a bad start is forgotten; one long window then gives the
    covariance that stays, and in the last tenth only the scale moves.
    """
    length, ends = float(max(10, warmup // 20)), []
    end = int(length)
    while end <= warmup // 2:
        ends.append(end)
        length *= _GROWTH
        end += int(length)
    return [*ends, warmup - max(5, warmup // 10)]


class Adaptation:
    """What a group of blocks learns during warm-up, each block by itself.

    Parameters
    ----------
    position
        Where the chains start, ``n_chains x n_dims``: all blocks of the same size.
    n_blocks
        Number of blocks.
    warmup
        Number of iterations until it is frozen.
    target
        Acceptance rate to reach.
    reference
        Scale that would be right if the factor were the Cholesky factor of the target's covariance.
    least_variance
        Added to every coordinate's.

    Attributes
    ----------
    scale
        Each chain's, ``n_chains``.
    factor
        ``n_blocks x n_dims x n_dims``, lower triangular.
    version
        Grows whenever ``factor`` changes.
    """

    def __init__(
        self,
        position: Floats,
        *,
        n_blocks: int,
        warmup: int,
        target: float,
        reference: float,
        least_variance: float = 0.0,
    ) -> None:
        n_chains, n_dims = position.shape
        self._least_variance = least_variance
        self._shape = (n_blocks, n_chains // n_blocks, n_dims)
        self._warmup, self._target, self._reference = warmup, target, np.log(reference)
        self._ends = window_ends(warmup)
        self._stride = max(1, min(n_dims // 10, self._ends[0] // 4))  # neighbours in time tell little new
        self._average_from = (self._ends[-1] + warmup) // 2
        self._iteration = 0
        self._log_scale = np.full(n_blocks, self._reference)
        self._sum_log_scale = np.zeros(n_blocks)
        self._covariance = _start_covariance(position.reshape(self._shape))
        self.factor, self.version = _factors(self._covariance), 0
        self._open_window(position)
        self._spread_scale()

    @property
    def block_scales(self) -> Floats:
        """The scale of each block."""
        scales: Floats = np.exp(self._log_scale)
        return scales

    def learn(self, acceptance: Floats, position: Floats) -> None:
        """Take in one iteration: each chain's probability of acceptance, and where it then stands."""
        if self._iteration >= self._warmup:
            raise InferenceError("adaptation is frozen after warm-up; this is an error of bayeskit")
        self._iteration += 1
        by_block = acceptance.reshape(self._shape[:2])
        self._window_steps += 1
        gain = min(1.0, (self._window_steps / _FULL_GAIN) ** -_GAIN_POWER)
        self._log_scale += gain * (by_block.mean(axis=1) - self._target)
        if self._iteration <= self._ends[-1]:
            self._observe(by_block, position)
        if self._iteration in self._ends:
            self._close_window()
            self._open_window(position)
        if self._iteration > self._average_from:
            self._sum_log_scale += self._log_scale  # Polyak-Ruppert: the last steps' mean has less noise than the last
        if self._iteration == self._warmup:
            self._log_scale = self._sum_log_scale / (self._warmup - self._average_from)
        self._spread_scale()

    def _spread_scale(self) -> None:
        self.scale: Floats = np.repeat(np.exp(self._log_scale), self._shape[1])

    def _open_window(self, position: Floats) -> None:
        n_blocks, _, n_dims = self._shape
        # Sums of squares are taken around where the window starts: no digits are lost far from 0.
        self._centre = position.reshape(self._shape).mean(axis=1, keepdims=True)
        self._sums, self._products = np.zeros(self._shape), np.zeros((n_blocks, n_dims, n_dims))
        self._moves, self._seen, self._window_steps = np.zeros(n_blocks), 0, 0

    def _observe(self, acceptance: Floats, position: Floats) -> None:
        self._moves += acceptance.sum(axis=1)
        if self._iteration % self._stride == 0:
            with np.errstate(over="ignore", invalid="ignore"):  # chains that run off are told of in a moment
                centred = position.reshape(self._shape) - self._centre
                self._sums += centred
                self._products += centred.mT @ centred
            self._seen += self._shape[1]

    def _close_window(self) -> None:
        """Take the window's covariance, filled up by that which the proposals had.

        A window of few moves has a covariance of low rank, and proposals that follow it would never leave its plane.
        The covariance under which proposals were accepted as often as they should cannot be too wide, so that adding it
        with a weight that vanishes as moves grow many does no harm in any direction.
        """
        if self._seen == 0:
            return
        n_dims = self._shape[2]
        n_chains = self._shape[1]
        means = self._sums / (self._seen / n_chains)
        with np.errstate(over="ignore", invalid="ignore"):
            within = self._products / self._seen - means.mT @ means / n_chains
            apart = means - means.mean(axis=1, keepdims=True)
            between = apart.mT @ apart / n_chains
        arrived = self._iteration * _ARRIVED >= self._warmup
        found = np.stack([_local(*pair) if arrived else sum(pair) for pair in zip(within, between, strict=True)])
        weight = n_dims / (n_dims + self._moves) * np.exp(2 * (self._log_scale - self._reference))
        self._covariance = found + weight[:, None, None] * self._covariance + self._least_variance * np.eye(n_dims)
        self.factor, self.version = _factors(self._covariance), self.version + 1
        self._log_scale[:] = self._reference


def _local(within: Floats, between: Floats) -> Floats:
    """Return the covariance of a block's chains together, or around each one's own mean where these are far apart."""
    whole: Floats = within + between
    if not np.isfinite(whole).all():
        return whole
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(within))
    except np.linalg.LinAlgError:  # hardly a move was made: there is no shape to see within chains
        return whole
    return within if np.linalg.norm(inverse @ between @ inverse.T, 2) > _APART else whole


def _start_covariance(position: Floats) -> Floats:
    """Return the diagonal of each block's start points' covariance; 1 where all start at the same value."""
    variances = position.var(axis=1) if position.shape[1] > 1 else np.ones((position.shape[0], position.shape[2]))
    kept = np.where((variances > 0) & np.isfinite(variances), variances, 1.0)
    covariances: Floats = kept[:, :, None] * np.eye(position.shape[2])
    return covariances


def _factors(covariances: Floats) -> Floats:
    return np.stack([_factor(covariance) for covariance in covariances])


def _factor(covariance: Floats) -> Floats:
    """Return a Cholesky factor; where rounding spoilt the covariance, of one with correlations a little smaller."""
    variances = np.diagonal(covariance)
    if not (np.isfinite(covariance).all() and (variances > 0).all()):
        raise InferenceError(
            "the chains ran off to where their variance is no number: the density has no integral, or lacks bounds"
        )
    deviations = np.sqrt(variances)
    correlations = covariance / deviations[:, None] / deviations
    for jitter in _JITTERS:
        try:
            factor = np.linalg.cholesky((1 - jitter) * correlations + jitter * np.eye(len(deviations)))
        except np.linalg.LinAlgError:
            continue
        found: Floats = deviations[:, None] * factor
        return found
    raise InferenceError("the chains' covariance has no Cholesky factor; standardise the parameters")
