"""Particles of sequential Monte Carlo: families with a common ancestor, and whether runs agree.

Particles that descend from the same one at the start are not independent, however well they were moved since. The
error of a weighted mean is that of the families: their summed deviations from it, squared and added up (Chan and Lai
2013, doi:10.1214/13-AOS1145; Lee and Whiteley 2018, doi:10.1093/biomet/asy028). Where each particle is its own ancestor
this is the error of independent draws.

Runs are independent of each other. Their particles have no order in time, so that R-hat is that of whole runs, not of
their halves: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), doi:10.1214/20-BA1221, of ranks, and of ranks of
the distances from the median.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Fit, Verdict
from bayeskit.diagnostics.chains import in_order, r_hat, scores
from bayeskit.diagnostics.convergence import R_HAT_LIMIT
from bayeskit.diagnostics.labels import SAMPLE_DIMS

Floats = NDArray[np.float64]

FAMILIES_LIMIT = 400  # of so many the error is known to within some 4 % of itself, were they all alike


@dataclass(frozen=True)
class Families:
    """Which particles have a common ancestor.

    Parameters
    ----------
    ancestors
        Of each particle, run by run; no two runs have one in common.
    n_runs
        Number of runs.
    """

    ancestors: NDArray[np.int64]
    n_runs: int

    def squared_terms(self, terms: Floats) -> Floats:
        """Return the sum of the squares of the families' sums of terms, ``n_cells x n_particles``; one a cell."""
        order, starts = self._sorted
        found: Floats = np.square(np.add.reduceat(terms[:, order], starts, axis=1)).sum(axis=1)
        return found

    def effective_number(self, weights: Floats) -> float:
        """Return how many families of the same weight are worth as much as these: Kish's number."""
        return float(weights.sum() ** 2 / self.squared_terms(weights[None])[0])

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.ancestors, kind="stable")
        arranged = self.ancestors[order]
        return order, np.concatenate([[0], 1 + np.flatnonzero(arranged[1:] != arranged[:-1])])


def families_of(fit: Fit) -> Families | None:
    """Return the families of a fit's particles; None where its draws tell of no ancestors."""
    children = fit.posterior.children
    if "sample_stats" not in children or "ancestor" not in children["sample_stats"].data_vars:
        return None
    ancestor = fit.posterior["sample_stats"]["ancestor"].transpose(*SAMPLE_DIMS).to_numpy().astype(np.int64)
    return Families(ancestor.ravel(), ancestor.shape[0]) if ancestor.size else None


def run_r_hat(values: Floats) -> Floats:
    """Return the larger R-hat of ranks and of ranks of distances from the median, ``n_cells``.

    Parameters
    ----------
    values
        ``n_cells x n_runs x n_particles``.
    """
    with np.errstate(all="ignore"):  # constants have no variance
        ordered = in_order(values)
        median = np.median(ordered, axis=1)
        distances = np.abs(values - median[:, None, None])
        centre, tails = r_hat(scores(values, ordered)), r_hat(scores(distances, in_order(distances)))
    return np.where(tails > centre, tails, centre)


def family_verdicts(families: Families, weights: Floats, summary: pd.DataFrame) -> list[Verdict]:
    """Judge whether there are enough families, and whether runs agree.

    Parameters
    ----------
    families
        Of all particles.
    weights
        Of all particles, with sum 1.
    summary
        With ``runs_r_hat`` where there are several runs.
    """
    found = families.effective_number(weights)
    n_families = int(np.unique(families.ancestors).size)
    of = say_count(
        n_families,
        "{n} family is left of {particles} particles; k-hat does not apply to particles that were resampled",
        "{n} families are left of {particles} particles; k-hat does not apply to particles that were resampled",
        particles=f"{families.ancestors.size:,}",
    )
    enough = Verdict("families", found, FAMILIES_LIMIT, ">=", found >= FAMILIES_LIMIT, of)
    return [enough, _agreement(families, summary)]


def _agreement(families: Families, summary: pd.DataFrame) -> Verdict:
    if families.n_runs < 2:
        why = say("one run cannot disagree with itself; take at least two (--runs)")
        return Verdict("runs_r_hat", None, R_HAT_LIMIT, "<=", None, why)
    known = summary.loc[summary["sd"] > 0, "runs_r_hat"].dropna()
    if known.empty:
        return Verdict("runs_r_hat", None, R_HAT_LIMIT, "<=", None, say("nothing moves"))
    value = float(known.max())
    worst = say("worst: {quantity}, of {n} quantities", quantity=str(known.idxmax()), n=f"{len(known):,}")
    return Verdict("runs_r_hat", value, R_HAT_LIMIT, "<=", value <= R_HAT_LIMIT, worst)
