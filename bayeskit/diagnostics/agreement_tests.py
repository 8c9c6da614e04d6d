"""Tests of whether one scalar has the same distribution in two results.

Moments: a Welch test with the degrees of freedom of either variance; what skewness does to it is taken out by Hall's
transformation, Hall (1992), doi:10.1111/j.2517-6161.1992.tb01875.x. Where the draws' tails are too heavy for that (the
mean of a Cauchy distribution does not exist), the moments are those of normal scores of the pooled ranks, which always
exist: a linear rank statistic, Chernoff and Savage (1958), doi:10.1214/aoms/1177706436.

Quantiles: the shares of either below the pooled quantile, without any estimate of a density, as Vehtari et al. (2021),
doi:10.1214/20-BA1221, have Monte Carlo errors of quantiles from the effective size of that indicator; on the arcsine
scale, where their variance is 1/4 over that size, and their skewness small.

The whole distribution: Kolmogorov and Smirnov's largest distance of the (weighted) distribution functions, with the
bound 2 exp(-2 n D²) of Dvoretzky, Kiefer and Wolfowitz, of two samples Wei and Dudley (2012),
doi:10.1016/j.spl.2011.11.012. All draws are used, none thinned away: n comes from the smallest effective size of
the indicators, and that it is an estimate makes an F-like tail of the exponential one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from bayeskit.diagnostics.agreement_profiles import Estimates, Profile
from bayeskit.diagnostics.agreement_ranks import normal_scores
from bayeskit.diagnostics.agreement_types import QUANTILES, Difference, Scale, Statistic

Floats = NDArray[np.float64]

MOST_SKEWED = 0.15  # skewness of a moment's error, beyond which its z-score is not to be relied on
FEWEST = 50.0  # degrees of freedom with which it is
CONSTANT = 1e-12  # of a quantity's size: what arithmetic makes of a constant


@dataclass(frozen=True, eq=False)
class Pooled:
    """One scalar's draws of both results together, in ascending order.

    ``of_first`` and ``of_second`` are the weights, each with sum 1, of the other's draws 0.
    """

    draws: Floats
    of_first: Floats
    of_second: Floats

    @property
    def shares(self) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Where values end (of equal ones the last place), and both distribution functions there."""
        last = np.flatnonzero(np.append(self.draws[1:] != self.draws[:-1], True))
        return last, np.cumsum(self.of_first)[last], np.cumsum(self.of_second)[last]


def pool(first: Profile, second: Profile, cell: int) -> Pooled:
    """Put one cell's draws together."""
    draws = np.concatenate([first.draws[cell], second.draws[cell]])
    order = np.argsort(draws, kind="stable")
    nothing = [np.zeros_like(one.weights) for one in (first, second)]
    return Pooled(
        draws[order],
        np.concatenate([first.weights, nothing[1]])[order],
        np.concatenate([nothing[0], second.weights])[order],
    )


def is_constant(pooled: Pooled) -> bool:
    """Whether a quantity has one value in all draws of both, but for rounding."""
    low, high = pooled.draws[0], pooled.draws[-1]
    return bool(high - low <= CONSTANT * max(abs(low), abs(high)))


def compare_cell(first: Profile, second: Profile, cell: int, pooled: Pooled) -> list[Difference]:
    """Return all tests of one scalar; ``adjusted`` is the p-value itself."""
    found = _moments(first, second, cell, pooled)
    last, one, other = pooled.shares
    middle = (one + other) / 2
    sizes = [[each.below[place] for each in (first, second)] for place in range(len(QUANTILES))]
    for (name, probability), (a, b) in zip(QUANTILES.items(), sizes, strict=True):
        place = min(int(np.searchsorted(middle, probability)), middle.size - 1)
        shares = np.clip([one[place], other[place]], 0.0, 1.0)
        z = 2 * float(np.diff(np.arcsin(np.sqrt(shares)))[0]) / np.sqrt(1 / a.size[cell] + 1 / b.size[cell])
        freedom = welch(1 / a.size[cell], a.freedom[cell], 1 / b.size[cell], b.freedom[cell])
        ends = (_quantile(pooled.draws, last, one, probability), _quantile(pooled.draws, last, other, probability))
        found.append(_difference(first.labels[cell], name, ends, z, two_sided(z, freedom)))
    found.append(_distance(first, second, cell, float(np.abs(one - other).max())))
    return found


def welch(variance: float, freedom: float, other_variance: float, other_freedom: float) -> float:
    """Return the degrees of freedom of a sum of two estimated variances: Welch and Satterthwaite."""
    total = variance + other_variance
    parts = variance**2 / freedom + other_variance**2 / other_freedom
    return float(total**2 / parts) if parts > 0 else float("inf")


def two_sided(z: float, freedom: float) -> float:
    """Return a p-value by Student's t."""
    return float(min(1.0, 2 * (student.sf(abs(z), freedom) if np.isfinite(freedom) else norm.sf(abs(z)))))


def distance_p_value(scaled: float, freedom: float) -> float:
    """Return the p-value of n times a squared Kolmogorov distance, where n is an estimate.

    The mean of 2 exp(-2 n D²) over n's error, of a chi-squared law: 2 (1 + 4 n D² / freedom)^(-freedom / 2).
    """
    if not np.isfinite(freedom):
        return float(min(1.0, 2 * np.exp(-2 * scaled)))
    return float(min(1.0, 2 * np.exp(-freedom / 2 * np.log1p(4 * scaled / freedom))))


def distance_limit(p_value: float, size: float, freedom: float) -> float:
    """Return the Kolmogorov distance that has this p-value."""
    if not np.isfinite(freedom):
        return float(np.sqrt(np.log(2 / p_value) / 2 / size))
    return float(np.sqrt(np.expm1(2 / freedom * np.log(2 / p_value)) * freedom / 4 / size))


def distance_size(first: Profile, second: Profile, cell: int) -> tuple[float, float]:
    """Return n and its degrees of freedom for the distance of two distribution functions."""
    parts = []
    for one in (first, second):
        least = min(one.below, key=lambda estimates: estimates.size[cell])
        parts.append((1 / float(least.size[cell]), float(least.freedom[cell])))
    return 1 / (parts[0][0] + parts[1][0]), welch(*parts[0], *parts[1])


def _difference(
    label: str, name: Statistic, values: tuple[float, float], z: float, p_value: float, scale: Scale = "draws"
) -> Difference:
    return Difference(label, name, float(values[0]), float(values[1]), float(z), p_value, p_value, scale)


def _moments(first: Profile, second: Profile, cell: int, pooled: Pooled) -> list[Difference]:
    label, found = first.labels[cell], []
    scores: Floats | None = None
    pairs: tuple[tuple[Statistic, Estimates, Estimates], ...] = (
        ("mean", first.mean, second.mean),
        ("variance", first.square, second.square),
    )
    for name, a, b in pairs:
        a, b = in_common(a, b, cell)
        if sound(a) and sound(b):
            z, p_value = moment_test(a, b)
            found.append(_difference(label, name, (a.value[0], b.value[0]), z, p_value))
            continue
        if scores is None:
            scores = normal_scores(pooled.draws, (pooled.of_first + pooled.of_second) / 2)
        a, b = (getattr(one, "score" if name == "mean" else "score_square") for one in (first, second))
        a, b = _scored(a, cell, name, scores, pooled.of_first), _scored(b, cell, name, scores, pooled.of_second)
        z, p_value = moment_test(*in_common(a, b, 0))
        found.append(_difference(label, name, (a.value[0], b.value[0]), z, p_value, "normal scores"))
    return found


def in_common(a: Estimates, b: Estimates, cell: int) -> tuple[Estimates, Estimates]:
    """Return one cell of two estimates with one shape for both: the more skewed, the heavier.

    Were each judged by its own draws, a sample that happens to lack the long tail would pass for a light one, and be
    far off at the same time.
    """
    skews = [float(one.skewness[cell] * np.sqrt(one.size[cell])) for one in (a, b)]
    skew = max(skews, key=abs)
    ratio = min(float(one.freedom[cell] / one.size[cell]) for one in (a, b))

    def shaped(one: Estimates) -> Estimates:
        size = one.size[cell : cell + 1]
        place = slice(cell, cell + 1)
        return Estimates(one.value[place], one.variance[place], size, ratio * size, skew / np.sqrt(size))

    return shaped(a), shaped(b)


def sound(estimates: Estimates) -> bool:
    """Whether the law of an estimate's error is close enough to normal for a z-score."""
    return bool(abs(estimates.skewness[0]) <= MOST_SKEWED and estimates.freedom[0] >= FEWEST)


def moment_test(a: Estimates, b: Estimates) -> tuple[float, float]:
    """Return the z-score of the difference of two estimates and its p-value."""
    difference = float(b.value[0] - a.value[0])
    variances = float(a.variance[0]), float(b.variance[0])
    error = np.sqrt(sum(variances))
    if error == 0:
        return (0.0, 1.0) if difference == 0 else (float(np.copysign(np.inf, difference)), 0.0)
    skewness = float(b.skewness[0] * variances[1] ** 1.5 - a.skewness[0] * variances[0] ** 1.5) / error**3
    z = difference / error
    corrected = z + skewness * (2 * z**2 + 1) / 6 + skewness**2 * z**3 / 27
    return z, two_sided(corrected, welch(variances[0], float(a.freedom[0]), variances[1], float(b.freedom[0])))


def _scored(own: Estimates, cell: int, name: Statistic, scores: Floats, weights: Floats) -> Estimates:
    """Return one result's moment of the pooled scores, with the effective size that its own scores have."""
    mean = float(scores @ weights)
    terms = scores if name == "mean" else np.square(scores - mean)
    value = float(terms @ weights)
    spread = float(np.square(terms - value) @ weights)
    size = np.array([own.size[cell]])
    one = np.array([value])
    return Estimates(one, spread / size, size, own.freedom[cell : cell + 1], own.skewness[cell : cell + 1])


def _quantile(draws: Floats, last: NDArray[np.int64], shares: Floats, probability: float) -> float:
    return float(draws[last[min(int(np.searchsorted(shares, probability)), last.size - 1)]])


def _distance(first: Profile, second: Profile, cell: int, distance: float) -> Difference:
    size, freedom = distance_size(first, second, cell)
    p_value = distance_p_value(size * distance**2, freedom)
    usual = distance_limit(0.05, size, freedom)
    return _difference(first.labels[cell], "distribution", (distance, usual), normal_size(p_value), p_value)


def normal_size(p_value: float) -> float:
    """Return how far off a normal test statistic with this two-sided p-value is."""
    return float(norm.isf(p_value / 2)) if p_value > 0 else float("inf")
