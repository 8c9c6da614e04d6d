"""One result made ready for comparison: its estimates with the law of their Monte Carlo errors, by kind of draws.

Every estimate is the mean of a function of the draws: the draw itself, its squared distance from the mean, its normal
score, or whether it lies below a quantile. Its variance comes

- for Markov chains from that function's own effective sample size, as in ``chains``;
- for independent and for weighted draws by the delta method from the sum of squared terms of a ratio of means, Owen
  (2013), Monte Carlo theory, methods and examples, chapter 9, https://artowen.su.domains/mc/; where draws descend from
  common ancestors (sequential Monte Carlo), the terms of a family are summed first, Chan and Lai (2013),
  doi:10.1214/13-AOS1145, Lee and Whiteley (2018), doi:10.1093/biomet/asy028.

An estimated variance has an error of its own, told as degrees of freedom: 2 over its squared relative error. For chains
that error is the one of a sum of autocovariances up to a window of some two autocorrelation times, Priestley (1981),
Spectral analysis and time series, section 6.2.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.types import Fit
from bayeskit.diagnostics.agreement_ranks import quantiles, scores
from bayeskit.diagnostics.agreement_types import QUANTILES
from bayeskit.diagnostics.blocks import cell_blocks
from bayeskit.diagnostics.chains import effective_size, split
from bayeskit.diagnostics.labels import SAMPLE_DIMS, cell_labels, real_valued
from bayeskit.diagnostics.weighted import draw_weights
from bayeskit.diagnostics.weights import Importance

Floats = NDArray[np.float64]

MANY = 50  # quantities: of more, the worst one is looked for among some at equal steps
WINDOW_ERROR = 8.0  # squared relative error of a chain's variance times its effective size: 2 of independent draws


@dataclass(frozen=True, eq=False)
class Estimates:
    """Means of a function, with the law of their errors; everything ``n_cells``.

    Parameters
    ----------
    value, variance
        The means, and the squares of their Monte Carlo standard errors.
    size
        How many independent, equally weighted draws would have that variance.
    freedom
        Degrees of freedom of ``variance``.
    skewness
        Of the error.
    """

    value: Floats
    variance: Floats
    size: Floats
    freedom: Floats
    skewness: Floats


@dataclass(frozen=True, eq=False)
class Profile:
    """All that a comparison needs of one result.

    Parameters
    ----------
    labels
        Of the cells.
    draws
        ``n_cells x n_samples``, chain by chain.
    weights
        ``n_samples``, with sum 1.
    families
        Number of each draw's family, from 0; None where each is its own.
    shape
        Number of chains and of draws a chain.
    chains
        Whether draws follow one another in Markov chains.
    mean, square, score, score_square
        Estimates of the mean and the variance, of the draws and of the normal scores of their ranks.
    below
        Of the share of draws below each of the result's own ``QUANTILES``.
    """

    labels: tuple[str, ...]
    draws: Floats
    weights: Floats
    families: NDArray[np.int64] | None
    shape: tuple[int, int]
    chains: bool
    mean: Estimates
    square: Estimates
    score: Estimates
    score_square: Estimates
    below: tuple[Estimates, ...]

    @property
    def smallest_size(self) -> Floats:
        """The smallest effective size of any of the estimates, ``n_cells``."""
        found: Floats = np.min([one.size for one in (self.mean, self.score, *self.below)], axis=0)
        return found


def scalar_labels(fit: Fit) -> list[str]:
    """Return the labels of all real scalars of a posterior."""
    posterior = real_valued(fit.posterior["posterior"].to_dataset())
    return [label for array in posterior.data_vars.values() for label in cell_labels(array)]


def profile(fit: Fit, labels: Sequence[str]) -> Profile:
    """Describe these scalars of a result.

    Parameters
    ----------
    fit
        Of kind ``mcmc``, ``iid`` or ``weighted``.
    labels
        That the posterior has.
    """
    values = _values(fit, labels)
    n_cells, n_chains, n_draws = values.shape
    weights, families = _weights(fit, n_chains * n_draws)
    chains = fit.provenance.kind == "mcmc"
    flat = values.reshape(n_cells, -1)
    mean = flat @ weights
    ranked = scores(flat, weights)
    ends = quantiles(flat, weights, np.array(list(QUANTILES.values())))

    def estimated(function: Floats, *, is_indicator: bool = False) -> Estimates:
        if chains:
            return _of_chains(function.reshape(values.shape), is_indicator=is_indicator)
        return _of_terms(function, weights, families)

    base = estimated(flat)
    below = tuple(_usable(estimated((flat <= end[:, None]).astype(float), is_indicator=True), base) for end in ends.T)
    return Profile(
        labels=tuple(labels),
        draws=flat,
        weights=weights,
        families=families,
        shape=(n_chains, n_draws),
        chains=chains,
        mean=base,
        square=estimated(np.square(flat - mean[:, None])),
        score=estimated(ranked),
        score_square=estimated(np.square(ranked)),
        below=below,
    )


def effective_draws(fit: Fit) -> float:
    """Return how many independent draws tell the location of the quantity that is known worst as well.

    By normal scores, as the bulk effective sample size has it: means need not exist. NaN where nothing moves.
    """
    labels = scalar_labels(fit)
    if not labels or not fit.has_draws:
        return float("nan")
    values = _values(fit, labels[:: max(1, len(labels) // MANY)])
    flat = values.reshape(values.shape[0], -1)
    weights, families = _weights(fit, flat.shape[1])
    ranked = scores(flat, weights)
    if fit.provenance.kind == "mcmc":
        sizes = _of_chains(ranked.reshape(values.shape), is_indicator=False).size
    else:
        sizes = _of_terms(ranked, weights, families).size
    sizes = sizes[(np.ptp(flat, axis=1) > 0) & np.isfinite(sizes)]
    return float(sizes.min()) if sizes.size else float("nan")


def _values(fit: Fit, labels: Sequence[str]) -> Floats:
    """Return the draws of these scalars, ``n_cells x n_chains x n_draws``."""
    posterior = real_valued(fit.posterior["posterior"].to_dataset())
    wanted = set(labels)
    found: dict[str, Floats] = {}
    for array in posterior.data_vars.values():
        own = cell_labels(array)
        if wanted.isdisjoint(own):
            continue
        place = 0
        for block in cell_blocks(array):
            found |= {own[place + row]: block[row] for row in range(len(block)) if own[place + row] in wanted}
            place += len(block)
    return np.stack([found[label] for label in labels])


def _weights(fit: Fit, size: int) -> tuple[Floats, NDArray[np.int64] | None]:
    """Return the draws' weights, and their families where these are known."""
    equal = np.full(size, 1 / size)
    if fit.provenance.kind != "weighted":
        return equal, None
    statistics = fit.posterior["sample_stats"].to_dataset()
    families = _flat(statistics, "ancestor")
    if families is not None:
        families = np.unique(families, return_inverse=True)[1].ravel()
    found = draw_weights(fit)
    # Smoothing is for weights of independent draws: what resampling left to families has no tail to smooth.
    if isinstance(found, Importance) and families is None:
        return found.weights, None
    log_weight = _flat(statistics, "log_weight")
    if log_weight is None or not np.isfinite(np.max(log_weight)):
        return equal, families
    raw: Floats = np.exp(log_weight.astype(float) - np.max(log_weight))
    return raw / raw.sum(), families


def _flat(statistics: xr.Dataset, name: str) -> NDArray[Any] | None:
    if name not in statistics:
        return None
    values: NDArray[Any] = statistics[name].transpose(*SAMPLE_DIMS).to_numpy().ravel()
    return values


def _of_chains(function: Floats, *, is_indicator: bool) -> Estimates:
    """Return estimates from Markov chains, of a function's values, ``n_cells x n_chains x n_draws``.

    An indicator's spread follows from its mean: of its variance, only the autocorrelation is estimated.
    """
    flat = function.reshape(function.shape[0], -1)
    with np.errstate(all="ignore"):  # what never moves has no spread; chains of two draws no effective size
        value, centred = flat.mean(1), flat - flat.mean(1, keepdims=True)
        spread = np.where(np.ptp(flat, axis=1) == 0, 0.0, np.square(centred).mean(1))
        size = effective_size(split(function)) if function.shape[-1] >= 4 else np.full(len(flat), np.nan)
        skew, excess = (np.zeros(len(flat)),) * 2 if is_indicator else _shape(centred, spread)
        error = (WINDOW_ERROR + np.maximum(excess, 0.0)) / size
        return Estimates(value, spread / size, size, 2 / error, skew / np.sqrt(size))


def _shape(centred: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Return skewness and excess kurtosis; 0 of what never moves."""
    squares = np.square(centred)
    skew = np.vecdot(squares, centred) / centred.shape[1] / spread**1.5
    excess = np.vecdot(squares, squares) / centred.shape[1] / spread**2 - 3
    still = spread == 0
    return np.where(still, 0.0, skew), np.where(still, 0.0, excess)


def _of_terms(function: Floats, weights: Floats, families: NDArray[np.int64] | None) -> Estimates:
    """Return estimates from independent draws or families of draws, of a function's values, ``n_cells x n_samples``."""
    value = function @ weights
    centred = function - value[:, None]
    spread = np.square(centred) @ weights
    terms = centred * weights
    if families is not None:
        terms = np.stack([np.bincount(families, row) for row in terms])
    squares = np.square(terms)
    n = terms.shape[1]
    with np.errstate(all="ignore"):  # what never moves
        variance = squares.sum(1) * n / (n - 1)
        total = squares.sum(1)
        freedom = 2 * total**2 / np.vecdot(squares, squares)
        skewness = np.vecdot(squares, terms) / total**1.5
    moves = np.ptp(function, axis=1) > 0  # rounding leaves a constant some variance
    effective = np.where(moves, spread / np.where(moves, total, 1.0), 1 / np.square(weights).sum())
    still = {"freedom": np.where(moves, freedom, float(n)), "skewness": np.where(moves, skewness, 0.0)}
    return Estimates(value, np.where(moves, variance, 0.0), effective, **still)


def _usable(below: Estimates, mean: Estimates) -> Estimates:
    """Return a share's estimates, with the mean's effective size where all draws lie on one side: they tell nothing."""
    still = below.variance == 0
    return Estimates(
        below.value,
        below.variance,
        np.where(still, mean.size, below.size),
        np.where(still, mean.freedom, below.freedom),
        below.skewness,
    )
