"""R-hat, effective sample sizes and Monte Carlo errors of many quantities at once.

Rank-normalised split R-hat, bulk and tail effective sample size: Vehtari, Gelman, Simpson, Carpenter and Bürkner
(2021), doi:10.1214/20-BA1221. Where the autocorrelations are cut off: Geyer (1992), doi:10.1214/ss/1177011137, in the
form that ArviZ and Stan give it. The numbers are ArviZ's to rounding; what differs is the work: quantities go through
NumPy by the block, ranks become normal scores by a table, and of the autocovariances only those lags are computed that
count.

A block is ``n_cells x n_chains x n_draws``, contiguous.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.special import ndtri

Floats = NDArray[np.float64]

MIN_DRAWS = 4  # of a chain; in halves of fewer nothing can be told
TAILS = (0.05, 0.95)
SMALLEST = 1e-15  # a range below that is ArviZ's sign of a constant
PAIRS = (8, 16, 32)  # of lags, computed one by one before all are at once, which costs as much as some 60 of them


def mixing(values: Floats, ordered: Floats) -> dict[str, Floats]:
    """Return what the chains say of each quantity's convergence.

    Parameters
    ----------
    values
        ``n_cells x n_chains x n_draws``.
    ordered
        The same ``in_order``.

    Returns
    -------
    dict
        ``ess_mean``, ``ess_bulk``, ``ess_tail`` and ``r_hat``, ``n_cells`` each; NaN of quantities with a draw that is
        NaN, of chains of fewer than 4 draws, and R-hat of a single chain.
    """
    n_cells, n_chains, n_draws = values.shape
    if n_draws < MIN_DRAWS:
        return {name: np.full(n_cells, np.nan) for name in ("ess_mean", "ess_bulk", "ess_tail", "r_hat")}
    with np.errstate(all="ignore"):  # constants and infinities have no variance or no mean
        halves = split(values)
        ranked = ordered if n_draws % 2 == 0 else in_order(halves)
        bulk = scores(halves, ranked)
        low, high = (
            effective_size(split((values <= quantile(ordered, share)[:, None, None]).astype(float))) for share in TAILS
        )
        found = {
            "ess_mean": effective_size(halves),
            "ess_bulk": effective_size(bulk),
            "ess_tail": np.where(high < low, high, low),
            "r_hat": np.full(n_cells, np.nan),
        }
        if n_chains > 1:
            distances = np.abs(halves - _median(ranked)[:, None, None])
            centre, tails = r_hat(bulk), r_hat(scores(distances, in_order(distances)))
            found["r_hat"] = np.where(tails > centre, tails, centre)  # that of the centre where the tails have none
    broken = np.isnan(ordered[:, -1])  # NaN is sorted to the end
    return {name: np.where(broken, np.nan, column) for name, column in found.items()}


def in_order(values: Floats) -> Floats:
    """Return the draws of each quantity in ascending order, NaN last, ``n_cells x n_samples``."""
    return np.sort(values.reshape(values.shape[0], -1), axis=1)


def split(values: Floats) -> Floats:
    """Return the first and the last half of each chain as chains of their own, the middle one of odd draws left out."""
    n_cells, n_chains, n_draws = values.shape
    half = n_draws // 2
    if n_draws % 2:
        values = np.concatenate([values[..., :half], values[..., -half:]], axis=-1)
    return values.reshape(n_cells, 2 * n_chains, half)


def scores(halves: Floats, ordered: Floats) -> Floats:
    """Return each draw's normal score: its rank among all of the quantity's draws, ties averaged, as a normal quantile.

    Ranks become probabilities as Blom has them, (rank - 3/8) / (n + 1/4).
    """
    flat = halves.reshape(ordered.shape)
    order = np.argsort(flat, axis=1)
    table = _score_table(ordered.shape[1])
    by_rank = np.broadcast_to(table[::2], flat.shape)
    same = ordered[:, 1:] == ordered[:, :-1]
    if same.any():
        by_rank = by_rank.copy()
        _average_ties(by_rank, same, table)
    found = np.empty_like(flat)
    np.put_along_axis(found, order, by_rank, axis=1)
    return found.reshape(halves.shape)


def r_hat(halves: Floats) -> Floats:
    """Return R-hat of chains as they are: the root of the variance of all draws over that within the chains."""
    n_draws = halves.shape[-1]
    between = n_draws * halves.mean(-1).var(-1, ddof=1)
    within = halves.var(-1, ddof=1).mean(-1)
    found: Floats = np.sqrt((between / within + n_draws - 1) / n_draws)
    return found


def effective_size(halves: Floats) -> Floats:
    """Return how many independent draws these are worth for estimating the mean.

    The number of draws over 1 plus twice the sum of the autocorrelations, these taken in pairs of successive lags for
    as long as the sum of a pair is positive, and so that the pairs do not grow again.
    """
    n_cells, n_chains, n_draws = halves.shape
    means = halves.mean(-1, keepdims=True)
    centred = halves - means
    variance = np.vecdot(centred, centred).mean(-1) / n_draws
    within = variance * n_draws / (n_draws - 1)
    total = variance + (means[..., 0].var(-1, ddof=1) if n_chains > 1 else 0.0)
    time = np.empty(n_cells)
    left, covariances = np.arange(n_cells), np.empty((n_cells, 0))
    most = max(0, (n_draws - 3) // 2) + 1
    for n_pairs in (*(n for n in PAIRS if n < most), most):
        covariances = _autocovariances(centred, covariances, 2 * n_pairs)
        lagged = 1 - (within[left, None] - covariances) / total[left, None]
        lagged[:, 0] = 1.0
        time[left], finished = _autocorrelation_time(lagged.reshape(left.size, n_pairs, 2), last=n_pairs == most)
        if finished.all():
            break
        left, centred, covariances = left[~finished], centred[~finished], covariances[~finished]
    size = n_chains * n_draws
    found: Floats = size / np.where(time < 1 / np.log10(size), 1 / np.log10(size), time)
    found[np.ptp(halves.reshape(n_cells, -1), axis=1) < SMALLEST] = size
    return found


def quantile(ordered: Floats, probability: float) -> Floats:
    """Return a quantile of draws in ascending order, interpolated as NumPy does; NaN where one of them is NaN."""
    place = (ordered.shape[1] - 1) * probability
    below = int(place)
    low, high = ordered[:, below], ordered[:, min(below + 1, ordered.shape[1] - 1)]
    share = place - below
    found: Floats = low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
    return np.where(np.isnan(ordered[:, -1]), np.nan, found)


def _median(ordered: Floats) -> Floats:
    """Return the median of an even number of draws."""
    half = ordered.shape[1] // 2
    found: Floats = (ordered[:, half - 1] + ordered[:, half]) / 2
    return found


@lru_cache(maxsize=8)
def _score_table(n_samples: int) -> Floats:
    """Return the normal scores of the ranks 1, 1.5, 2, … to ``n_samples``."""
    ranks = 1 + np.arange(2 * n_samples - 1) / 2
    table: Floats = ndtri((ranks - 3 / 8) / (n_samples + 1 / 4))
    table.flags.writeable = False
    return table


def _average_ties(by_rank: Floats, same: NDArray[np.bool_], table: Floats) -> None:
    """Give equal draws the score of the middle of their ranks; ``same`` says which draws equal the one before."""
    edge = np.zeros((same.shape[0], 1), dtype=bool)
    like_before, like_after = np.hstack([edge, same]), np.hstack([same, edge])
    tied = np.flatnonzero(like_before | like_after)
    starts, ends = ~like_before.ravel()[tied], ~like_after.ravel()[tied]
    first, last = tied[starts], tied[ends]
    middle = table[first % by_rank.shape[1] + last % by_rank.shape[1]]
    by_rank.ravel()[tied] = np.repeat(middle, last - first + 1)


def _autocovariances(centred: Floats, known: Floats, n_lags: int) -> Floats:
    """Return the mean over the chains of the autocovariances at lags 0, 1, …, ``n_cells x n_lags``.

    Of these, the first few may be ``known``.
    """
    _, n_chains, n_draws = centred.shape
    if n_lags <= 2 * max(PAIRS):
        lags = range(known.shape[1], n_lags)
        sums = [np.vecdot(centred[..., : n_draws - lag], centred[..., lag:]).sum(-1) for lag in lags]
        return np.hstack([known, np.stack(sums, axis=-1) / (n_chains * n_draws)])
    length = next_fast_len(2 * n_draws, real=True)
    spectrum = np.fft.rfft(centred, n=length, axis=-1)
    power = (spectrum.real**2 + spectrum.imag**2).sum(1)
    found: Floats = np.fft.irfft(power, n=length, axis=-1)[:, :n_lags] / (n_chains * n_draws)
    return found


def _autocorrelation_time(pairs: Floats, *, last: bool) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the integrated autocorrelation time, and of which cells the pairs at hand were enough to tell.

    Parameters
    ----------
    pairs
        Autocorrelations, ``n_cells x n_pairs x 2``: lags 0 and 1, lags 2 and 3, ….
    last
        Whether these are all pairs that there are.
    """
    sums = pairs.sum(-1)
    ends = ~(sums > 0)
    finished = ends.any(1) | last
    cut = np.where(ends.any(1), ends.argmax(1), sums.shape[1] - 1)
    counted = np.arange(sums.shape[1]) < cut[:, None]
    falling = np.where(counted, np.minimum.accumulate(sums, axis=1), 0.0).sum(1)
    rows = np.arange(cut.size)
    even, at_cut = pairs[rows, cut, 0], sums[rows, cut]
    # Of the pair at which the sequence ends, the even lag counts once, if it is positive.
    rest = np.where((at_cut >= 0) | (even > 0), even, 0.0)
    time: Floats = np.where(np.isnan(sums[:, 0]), np.nan, -1.0 + 2.0 * falling + rest)
    return time, finished
