"""Whether what was predicted with 30 % happens in 30 % of the cases: reliability of predicted probabilities.

The share of events given the predicted probability is estimated by isotonic regression (pool adjacent violators); the
bands are what it would be were the probabilities right; how far off they are is the miscalibration part of the Brier
score, and a simulated test on it: Dimitriadis, Gneiting and Jordan (2021), doi:10.1073/pnas.2016191118.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Floats = NDArray[np.float64]

N_SIMULATED = 499
_ROUNDING = 1e-12  # the same events in another order are as far off
ENDS = (0.025, 0.16, 0.84, 0.975)


@dataclass(frozen=True)
class Reliability:
    """Observed shares of events by predicted probability.

    Parameters
    ----------
    probability
        The predicted probabilities that occur, ascending, ``n``.
    cases
        How many cases have each of them.
    share
        Estimated share of events given each, ``n``; it never falls.
    ends
        Of right probabilities' shares: the ends of the central 95 and 68 % intervals, in ascending order, ``4 x n``.
    miscalibration
        How much the Brier score would fall if the probabilities were replaced by the shares.
    p_value
        Share of simulated data, with right probabilities, whose miscalibration is as large.
    """

    probability: Floats
    cases: NDArray[np.intp]
    share: Floats
    ends: Floats
    miscalibration: float
    p_value: float


def reliability(observed: Floats, probability: Floats, seed: int = 1) -> Reliability:
    """Return how predicted probabilities compare with what happened.

    Parameters
    ----------
    observed
        1 where the event happened, else 0, ``n_observed``.
    probability
        That was predicted of each.
    seed
        For the simulated data.
    """
    levels, places, cases = np.unique(probability, return_inverse=True, return_counts=True)
    share = _shares(observed, places, cases)
    rng = np.random.default_rng(seed)
    simulated = [(rng.random(probability.size) < probability).astype(float) for _ in range(N_SIMULATED)]
    shares = np.array([_shares(events, places, cases) for events in simulated])
    miscalibration = _miscalibration(observed, probability, share[places])
    as_large = sum(
        _miscalibration(events, probability, made[places]) >= miscalibration - _ROUNDING
        for events, made in zip(simulated, shares, strict=True)
    )
    ends: Floats = np.quantile(shares, ENDS, axis=0)
    return Reliability(levels, cases, share, ends, miscalibration, (1 + as_large) / (1 + N_SIMULATED))


def _shares(observed: Floats, places: NDArray[np.intp], cases: NDArray[np.intp]) -> Floats:
    means = np.bincount(places, weights=observed) / cases
    found: Floats = isotonic_regression(means, weights=cases.astype(float)).x
    return found


def _miscalibration(observed: Floats, probability: Floats, share: Floats) -> float:
    return float(np.mean(np.square(observed - probability)) - np.mean(np.square(observed - share)))
