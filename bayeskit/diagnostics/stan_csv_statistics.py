"""The numbers of CmdStan's stansummary and diagnose, on ArviZ's building blocks.

R-hat and bulk and tail effective sample size (ESS): Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021),
doi:10.1214/20-BA1221. Truncation of the autocorrelations: Geyer (1992), doi:10.1214/ss/1177011137.

CmdStan 2.37 departs from ArviZ 0.8, and this module follows CmdStan:

=========== =============================================== ================================================
what        CmdStan, and here                               ArviZ
=========== =============================================== ================================================
MCSE        sd / sqrt(ESS of whole chains)                  ESS of half chains: up to 6 % apart at 4 x 1000
R-hat       of one chain, too: of its two halves            NaN
ESS         where no pair of lags is negative, the last     once: up to 2 % apart for chains that hardly mix
            even one counts three times
ESS_tail    upper tail ``x >= q95``; half of all draws      ``x <= q95``; a small number
            where a half chain has no draw in a tail
NaN         in ESS and R-hat where a half chain is          only where draws are NaN; all draws where their
            constant, where all half chains begin with      range is below 1e-15
            one number (as integers do), and where a
            draw is infinite
=========== =============================================== ================================================

Half of all draws is no careful estimate: chains that never meet in the tails have a large ESS_tail. Their R-hat and
ESS_bulk tell.

The binaries of 2.37.0 print the same on 37 sets of files (1 to 4 chains of 2 to 1000 draws: NUTS, static HMC, fixed
parameters, variational, Laplace, pathfinder): of 18,496 numbers all agree to a relative 2e-14, means to 1e-12 sd,
but for these:

- The standard deviation of a constant is 0 here; there it is the rounding error of the mean, 2.2e-16 for instance,
  which turns its column to scientific notation.
- R-hat of chains of four to seven draws is NaN here.
- The median of infinities is that infinity here; there it is NaN for an odd number of draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import arviz_stats.base
import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_MAD_SCALE = 1.4826  # of a normal distribution: sd / MAD
_SAME = 1e-12  # numbers that differ relatively by less are one
_FEWEST_DRAWS = 4
_BATCH = 2**20  # numbers at a time, so that what is computed on the way stays below some 100 MB
_arviz: Any = arviz_stats.base.array_stats


def summarise_draws(draws: Array, probabilities: Sequence[float], seconds: float) -> Array:
    """Return one row a column of draws.

    Parameters
    ----------
    draws
        ``n_columns x n_chains x n_draws``.
    probabilities
        Of the quantiles.
    seconds
        What sampling took, for ESS per second.

    Returns
    -------
    array
        Mean, MCSE, standard deviation, MAD, the quantiles, bulk ESS, tail ESS, bulk ESS per second, R-hat.
    """
    parts = [_summarise(batch, probabilities, seconds) for batch in _batches(draws)]
    return np.concatenate(parts) if parts else np.empty((0, 8 + len(probabilities)))


def mixing(draws: Array) -> tuple[Array, Array]:
    """Return the smaller of bulk and tail ESS, and R-hat, of each column."""
    ess, r_hat = [np.empty(0)], [np.empty(0)]
    for batch in _batches(draws):
        halves = _halves(batch)
        ess.append(np.minimum(*_bulk_and_tail_ess(halves)))
        r_hat.append(_r_hat(halves))
    return np.concatenate(ess), np.concatenate(r_hat)


def autocorrelation(chain: Array) -> Array:
    """Return the autocorrelation at each lag of ``n_columns x n_draws``, as CmdStan has it: without bias."""
    n_draws = chain.shape[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = _arviz.autocov(chain, axis=-1) * n_draws
        correlation: Array = sums / np.arange(n_draws, 0, -1) / (sums[:, :1] / n_draws)
    correlation[_is_constant(chain)] = np.nan
    return correlation


def e_bfmi(energy: Array) -> float:
    """Return the E-BFMI of ``n_chains x n_draws``, all chains in one line, as CmdStan has it.

    Betancourt (2016), arXiv:1604.00695. One slow chain among many can hide in it.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(_arviz.bfmi(energy.reshape(1, -1))[0]) if energy.size > 1 else float("nan")


def _batches(draws: Array) -> Iterator[Array]:
    n_columns, n_chains, n_draws = draws.shape
    step = max(1, _BATCH // (n_chains * n_draws))
    for begin in range(0, n_columns, step):
        yield draws[begin : begin + step]


def _summarise(draws: Array, probabilities: Sequence[float], seconds: float) -> Array:
    pooled = draws.reshape(len(draws), -1)
    halves = _halves(draws)
    with np.errstate(all="ignore"):
        mean = pooled.mean(axis=1)
        variance = np.sum((pooled - mean[:, None]) ** 2, axis=1) / np.float64(pooled.shape[1] - 1)
        constant = np.ptp(pooled, axis=1) == 0
        sd = np.where(constant & np.isfinite(variance), 0, np.sqrt(variance))
        mcse = np.where(_varies(draws), sd / np.sqrt(_ess(draws)), np.nan)
        deviations = np.abs(pooled - np.median(pooled, axis=1, keepdims=True))
        mad = _MAD_SCALE * np.median(deviations, axis=1)
        bulk, tail = _bulk_and_tail_ess(halves)
        per_second = bulk / np.float64(seconds)
    quantiles = _quantiles(pooled, probabilities)
    return np.column_stack([mean, mcse, sd, mad, quantiles, bulk, tail, per_second, _r_hat(halves)])


def _quantiles(pooled: Array, probabilities: Sequence[float]) -> Array:
    """Return ``n_columns x n_probabilities``; between two equal infinities there is that infinity."""
    with np.errstate(invalid="ignore"):
        quantiles: Array = _arviz.quantile(pooled, list(probabilities), axis=-1)
        infinite = np.isinf(pooled).any(axis=1)
        if infinite.any():
            lower, higher = (
                _arviz.quantile(pooled[infinite], list(probabilities), axis=-1, method=method)
                for method in ("lower", "higher")
            )
            quantiles[infinite] = np.where(lower == higher, lower, quantiles[infinite])
    return quantiles


def _halves(draws: Array) -> Array:
    """Split each chain in two, without the middle one of an odd number of draws."""
    n_columns, n_chains, n_draws = draws.shape
    half = n_draws // 2
    both = np.stack([draws[..., :half], draws[..., n_draws - half :]], axis=2)
    return both.reshape(n_columns, 2 * n_chains, half)


def _varies(draws: Array) -> NDArray[np.bool_]:
    """Whether all draws are finite, no chain is constant, and not all chains begin with one number."""
    if draws.shape[2] == 0:
        return np.zeros(len(draws), dtype=bool)
    varies = np.asarray(np.isfinite(draws).all(axis=(1, 2)) & ~_is_constant(draws).any(axis=1))
    return varies & ~_is_constant(draws[..., 0]) if draws.shape[1] > 1 else varies


def _is_constant(values: Array) -> NDArray[np.bool_]:
    """Along the last axis."""
    first = values[..., :1]
    with np.errstate(invalid="ignore"):
        close = np.abs(values - first) <= _SAME * np.minimum(np.abs(values), np.abs(first))
    return np.asarray(close.all(axis=-1))


def _normal_scores(halves: Array) -> Array:
    pooled = halves.reshape(len(halves), -1)
    ranks = rankdata(pooled, axis=1)
    scores: Array = ndtri((ranks - 0.375) / (pooled.shape[1] + 0.25))
    return scores.reshape(halves.shape)


def _r_hat(halves: Array) -> Array:
    """Return R-hat of the ranks, or of the ranks of the distances to the median, whichever is larger."""
    result = np.full(len(halves), np.nan)
    varies = _varies(halves)
    if halves.shape[2] >= _FEWEST_DRAWS and varies.any():
        moving = halves[varies]
        folded = np.abs(moving - np.median(moving, axis=(1, 2), keepdims=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            both = [_arviz.rhat(_normal_scores(part), method="identity") for part in (moving, folded)]
        result[varies] = np.maximum(*both)
    return result


def _bulk_and_tail_ess(halves: Array) -> tuple[Array, Array]:
    bulk, tail = np.full((2, len(halves)), np.nan)
    varies = _varies(halves)
    if halves.shape[2] >= _FEWEST_DRAWS and varies.any():
        moving = halves[varies]
        low, high = np.moveaxis(_arviz.quantile(moving.reshape(len(moving), -1), [0.05, 0.95], axis=-1), -1, 0)
        bulk[varies] = _ess(_normal_scores(moving))
        in_low = (moving <= low[:, None, None]).astype(float)
        in_high = (moving >= high[:, None, None]).astype(float)
        tail[varies] = np.minimum(_ess(in_low), _ess(in_high))
    return bulk, tail


def _ess(chains: Array) -> Array:
    """Return the effective sample size of the mean of each column, of the chains as they are.

    The autocorrelations are summed in pairs of lags, up to the first pair that is not positive, and no pair counts
    for more than the one before it.
    """
    n_columns, n_chains, n_draws = chains.shape
    total = n_chains * n_draws
    if n_draws < _FEWEST_DRAWS:
        return np.full(n_columns, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        autocovariance = _arviz.autocov(chains, axis=-1)
        autocovariance[_is_constant(chains)] = np.nan
        within = autocovariance[..., 0].mean(axis=1) * n_draws / (n_draws - 1)
        between = chains.mean(axis=-1).var(axis=1, ddof=1) if n_chains > 1 else 0.0
        variance = within * (n_draws - 1) / n_draws + between
        rho = 1 - (within[:, None] - autocovariance.mean(axis=1)) / variance[:, None]
        rho[:, 0] = 1
        n_pairs = 1 + max(0, (n_draws - 4) // 2)
        even, odd = rho[:, 0 : 2 * n_pairs : 2], rho[:, 1 : 2 * n_pairs : 2]
        pairs = even + odd
        monotone = np.minimum.accumulate(pairs, axis=1)
        # The last pair to be looked at: the first that is not positive, if any. Of it, the even lag counts alone.
        last = np.where((pairs > 0).all(axis=1), n_pairs - 1, np.argmin(pairs > 0, axis=1))
        row, previous = np.arange(n_columns), np.maximum(last - 1, 0)
        before = np.where(np.arange(n_pairs) < last[:, None], monotone, 0).sum(axis=1)
        rises = pairs[row, last] > monotone[row, previous]
        inside = np.where(rises, monotone[row, previous] / 2, even[row, last])
        tau = -1 + 2 * (before + np.where(pairs[row, last] >= 0, inside, 0)) + np.maximum(even[row, last], 0)
    tau = np.where(last == 0, 2, tau)
    size: Array = total / np.maximum(tau, 1 / np.log10(total))
    return size
