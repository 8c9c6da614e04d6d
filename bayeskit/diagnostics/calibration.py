"""Simulation-based calibration: whether a model and an engine together give the posterior that Bayes' rule gives.

Ranks of the truth among posterior draws must be uniform: Talts et al. (2018), arXiv:1804.06788; for quantities that
depend on the data too, such as the joint log likelihood: Modrák et al. (2023), doi:10.1214/23-BA1404; where the truth
is drawn from the posterior given the data at hand instead of the prior: Säilynoja, Schmitt, Bürkner and Vehtari (2025),
arXiv:2502.03279. Each quantity has three tests, one of its curve of ranks (`bayeskit.diagnostics.calibration_bands`)
and one of the coverage of its 68 % and its 95 % interval; Holm's procedure (1979, Scandinavian Journal of Statistics
6, 65-70) keeps the probability that any of all these fails by chance below ``alpha``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayeskit.core import show
from bayeskit.core.types import Assessment, Verdict
from bayeskit.diagnostics import calibration_bands as bands
from bayeskit.diagnostics.calibration_ranks import (
    LOG_LIKELIHOOD,
    Ranked,
    Simulation,
    places,
    rank_quantities,
)

__all__ = [
    "LOG_LIKELIHOOD",
    "Calibration",
    "Coverage",
    "QuantityCalibration",
    "Ranked",
    "Simulation",
    "assess_calibration",
    "rank_quantities",
]

Floats = NDArray[np.float64]
Shape = Literal["narrow", "wide", "low", "high", "uneven"]

INTERVALS = (0.68, 0.95)
TESTS_PER_QUANTITY = 1 + len(INTERVALS)
_CLEAR = 2.0  # standard errors by which the ranks must be off before their shape has a name


@dataclass(frozen=True)
class Coverage:
    """How often a central interval of the posterior held the truth.

    ``low`` and ``high`` are the exact 95 % interval of the share (Clopper and Pearson 1934,
    doi:10.1093/biomet/26.4.404); ``p_value`` is that of the exact binomial test, ``adjusted`` Holm's over all tests.
    """

    probability: float
    inside: int
    n: int
    low: float
    high: float
    p_value: float
    adjusted: float = math.nan

    @property
    def share(self) -> float:
        """Share of the simulations."""
        return self.inside / self.n


@dataclass(frozen=True, eq=False)
class QuantityCalibration:
    """One test quantity over all simulations that have it.

    Parameters
    ----------
    label
        Its name.
    indices
        Of the simulations, ``n``.
    places
        Of the truth in the posterior, ``n``, in [0, 1]: uniform where the posterior is right.
    truths, means, sds
        ``n``, in the quantity's unit.
    quantiles
        ``n x 5``, at ``moments.PROBABILITIES``.
    p_value, adjusted
        That the curve of places is that far from uniform by chance, and the same with Holm's procedure over all tests.
    coverage
        Of the 68 % and of the 95 % interval.
    """

    label: str
    indices: NDArray[np.int64]
    places: Floats
    truths: Floats
    means: Floats
    sds: Floats
    quantiles: Floats
    p_value: float
    adjusted: float
    coverage: tuple[Coverage, ...]

    @property
    def n(self) -> int:
        """Number of simulations."""
        return self.places.size

    @property
    def shape(self) -> Shape:
        """What the places say of the posterior; ``low``: it lies below the truth.

        A truth that ranks high lies above its posterior; one that ranks far from the middle lies in its tails. Both the
        place and its distance from the middle, doubled, have mean 1/2 and variance 1/12 where the posterior is right.
        """
        error = 1 / math.sqrt(12 * self.n)
        shift = (float(self.places.mean()) - 0.5) / error
        spread = (float(np.abs(2 * self.places - 1).mean()) - 0.5) / error
        if max(abs(shift), abs(spread)) < _CLEAR:
            return "uneven"
        if abs(spread) >= abs(shift):
            return "narrow" if spread > 0 else "wide"
        return "low" if shift > 0 else "high"

    @property
    def z_scores(self) -> Floats:
        """How many posterior standard deviations the posterior mean lies above the truth; NaN where it has none."""
        error = self.means - self.truths
        scores: Floats = np.divide(error, self.sds, out=np.full(self.n, np.nan), where=self.sds > 0)
        return scores

    @property
    def contractions(self) -> Floats:
        """One minus posterior variance over the variance of the truths; NaN where these never vary.

        Schad, Betancourt and Vasishth (2021), doi:10.1037/met0000275, with the prior's variance as simulated.
        """
        variance = float(self.truths.var(ddof=1)) if self.n > 1 else 0.0
        return 1 - self.sds**2 / variance if variance > 0 else np.full(self.n, np.nan)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the simulations say of a model and an engine together.

    Parameters
    ----------
    simulations
        All of them, failed ones too.
    quantities
        In the order of the report.
    verdicts
        ``ranks`` and ``coverage`` (smallest adjusted p-value), ``resolution`` (the smallest factor by which a posterior
        has to be too narrow to be found), and the shares of simulations that failed, diverged or did not mix.
    alpha
        The largest probability that a right posterior fails ``ranks`` or ``coverage``.
    """

    simulations: tuple[Simulation, ...]
    quantities: tuple[QuantityCalibration, ...]
    verdicts: tuple[Verdict, ...]
    alpha: float

    @property
    def passed(self) -> bool:
        """Whether every check was made and passed."""
        return bool(self.verdicts) and all(verdict.passed for verdict in self.verdicts)

    @property
    def n_tests(self) -> int:
        """Number of tests that share ``alpha``."""
        return TESTS_PER_QUANTITY * len(self.quantities)

    def __repr__(self) -> str:
        return show.assessment_text(self._assessment())

    def _repr_html_(self) -> str:
        return show.assessment_html(self._assessment())

    def _assessment(self) -> Assessment:
        import pandas as pd

        return Assessment(self.verdicts, pd.DataFrame(), {})


def assess_calibration(simulations: Sequence[Simulation], *, alpha: float = 0.01) -> Calibration:
    """Judge whether the truths rank uniformly.

    Parameters
    ----------
    simulations
        In any order; those without quantities failed.
    alpha
        The largest probability that a right posterior is called wrong, over all quantities.
    """
    from bayeskit.diagnostics.calibration_verdicts import judge

    ordered = tuple(sorted(simulations, key=lambda simulation: simulation.index))
    quantities = _adjust([_quantity(ordered, label, where) for label, where in places(ordered).items()])
    return Calibration(ordered, quantities, judge(ordered, quantities, alpha), alpha)


def holm(p_values: Sequence[float]) -> Floats:
    """Return p-values adjusted so that rejecting those below alpha keeps the family-wise error below alpha.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _quantity(simulations: Sequence[Simulation], label: str, where: Floats) -> QuantityCalibration:
    found = [(s.index, s.quantities[label]) for s in simulations if label in s.quantities]
    ranked = [one for _, one in found]
    return QuantityCalibration(
        label=label,
        indices=np.array([index for index, _ in found]),
        places=where,
        truths=np.array([one.truth for one in ranked]),
        means=np.array([one.mean for one in ranked]),
        sds=np.array([one.sd for one in ranked]),
        quantiles=np.array([one.quantiles for one in ranked]),
        p_value=bands.p_value(where),
        adjusted=math.nan,
        coverage=tuple(_coverage(where, probability) for probability in INTERVALS),
    )


def _coverage(where: Floats, probability: float) -> Coverage:
    """Count the truths within the central part of their posterior, by place: exact however few the draws are."""
    return _counted(probability, int(np.sum(np.abs(2 * where - 1) <= probability)), where.size)


@lru_cache(maxsize=8192)  # thousands of quantities have few counts between them
def _counted(probability: float, inside: int, n: int) -> Coverage:
    from scipy.stats import binomtest

    test = binomtest(inside, n, probability)
    interval = test.proportion_ci(0.95, method="exact")
    return Coverage(probability, inside, n, float(interval.low), float(interval.high), float(test.pvalue))


def _adjust(quantities: Sequence[QuantityCalibration]) -> tuple[QuantityCalibration, ...]:
    adjusted = holm([p for one in quantities for p in (one.p_value, *(part.p_value for part in one.coverage))])
    rows = adjusted.reshape(-1, TESTS_PER_QUANTITY)
    return tuple(
        replace(
            one,
            adjusted=float(row[0]),
            coverage=tuple(replace(part, adjusted=float(p)) for part, p in zip(one.coverage, row[1:], strict=True)),
        )
        for one, row in zip(quantities, rows, strict=True)
    )
