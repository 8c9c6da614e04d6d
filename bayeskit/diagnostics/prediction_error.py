"""How far replicated data lie from the observed: errors, coverage, and the continuous ranked probability score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.types import Fit
from bayeskit.diagnostics.labels import cell_draws

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """How far the draws of replicated data lie from the observed: of all observations on average.

    ``crps`` is the continuous ranked probability score in the data's unit, smaller being better: Gneiting and Raftery
    (2007), doi:10.1198/016214506000001437.
    """

    rmse: float
    crps: float
    coverage68: float
    coverage95: float
    n_observations: int


def predictions(fit: Fit, name: str) -> Predictions | None:
    """Return how well the replications of a variable predict it, or None where there are none."""
    tree = fit.posterior
    if not {"observed_data", "posterior_predictive"} <= set(tree.children) or fit.provenance.kind == "point":
        return None
    seen, drawn = tree["observed_data"].to_dataset(), tree["posterior_predictive"].to_dataset()
    if name not in seen or name not in drawn:
        return None
    observed = seen[name].to_numpy().astype(float).ravel()
    draws = cell_draws(drawn[name]).astype(float)
    draws = draws.reshape(-1, draws.shape[-1])
    if draws.shape[1] != observed.size or draws.shape[0] < 2:
        return None
    kept = np.isfinite(observed) & np.isfinite(draws).all(axis=0)
    if not kept.any():
        return None
    observed, draws = observed[kept], draws[:, kept]
    covered = [_covered(observed, draws, probability) for probability in (0.68, 0.95)]
    error = draws.mean(axis=0) - observed
    return Predictions(
        rmse=float(np.sqrt(np.mean(error**2))),
        crps=float(np.mean(crps(observed, draws))),
        coverage68=covered[0],
        coverage95=covered[1],
        n_observations=int(observed.size),
    )


def crps(observed: Floats, draws: Floats) -> Floats:
    """Return the continuous ranked probability score of each observation: E|X - y| - E|X - X'| / 2.

    Parameters
    ----------
    observed
        ``n_observed``.
    draws
        ``n_draws x n_observed``.

    Examples
    --------
    >>> crps(np.array([0.0]), np.array([[-1.0], [1.0]]))
    array([0.5])
    """
    ordered = np.sort(draws, axis=0)
    size = draws.shape[0]
    rank = np.arange(1, size + 1)[:, None]
    spread = np.sum((2 * rank - size - 1) * ordered, axis=0) / size**2  # E|X - X'| / 2 among the draws
    score: Floats = np.mean(np.abs(draws - observed), axis=0) - spread
    return score


def _covered(observed: Floats, draws: Floats, probability: float) -> float:
    """Return the share of observations inside their central intervals, counted as the report counts its forecasts."""
    tail = (1 - probability) / 2
    place = (np.sum(draws <= observed, axis=0) + 0.5) / (draws.shape[0] + 1)
    return float(np.mean((place >= tail) & (place <= 1 - tail)))
