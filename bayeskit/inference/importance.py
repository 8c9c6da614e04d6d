"""Importance sampling: independent draws from a proposal, weighted by how much more the density has there.

Owen (2013), Monte Carlo theory, methods and examples, chapter 9, https://artowen.su.domains/mc/. Of draws from a
proposal with density q, weighted by w = f / q, the mean of w is the normalising constant of f; where f is normalised,
the mean of w h is the mean of h (``normalised_mean``), and where it is not, the mean of w h over that of w is
(``self_normalised_mean``).

A share of the draws comes from a wide, safe part, so that no place of the posterior is missed by all: Hesterberg
(1995), doi:10.1080/00401706.1995.10484303. The weight has the density of the whole mixture, whichever part a draw came
from: Owen and Zhou (2000), doi:10.1080/01621459.2000.10473909.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.core.proposals import Proposal
from bayeskit.core.types import Draws
from bayeskit.inference._pilot import defended, importance_proposal, safe_part
from bayeskit.inference._starts import start_points
from bayeskit.inference._streams import BLOCK, block_generator
from bayeskit.inference._told import Progress, Told
from bayeskit.inference._unbounded import evaluate

Floats = NDArray[np.float64]

CHUNK = 4096  # draws with one random stream
DEFENSIVE = 0.1

_PURPOSE = 1  # of its streams, which no other engine has


class ImportanceConfig(Config):
    """How importance sampling runs.

    Parameters
    ----------
    draws
        Number of weighted draws.
    defensive
        Share of the draws that comes from a wide, safe part of the proposal; None for 0.1 where the proposal is fitted
        by a pilot run, and 0 where it is given.
    threads
        How many run at once, if the density takes NumPy arrays; None for one a core. The density is called by all of
        them: 1 where it cannot bear that. The draws are the same.
    """

    method: ClassVar[str] = "importance"
    draws: int = Field(default=10_000, ge=4)
    defensive: float | None = Field(default=None, ge=0, lt=1)
    threads: int | None = Field(default=None, ge=1)


def fit_importance(
    density: Density,
    config: ImportanceConfig,
    *,
    seed: int,
    proposal: Proposal | None = None,
    progress: Progress | None = None,
) -> Draws:
    """Draw from a proposal, and weight the draws.

    Parameters
    ----------
    density
        To draw from, up to a constant.
    config
        How many draws.
    seed
        Of everything random; the draws do not depend on how many come after them.
    proposal
        To draw from at first; where none is given, a pilot run of random walks finds one. Of coordinates that take
        whole numbers it must draw these.
    progress
        Called with draws done and in all, at most 10 times a second.

    Returns
    -------
    Draws
        Of kind ``weighted``, one chain; ``sample_stats`` has ``log_weight``, the logarithm of f / q as it came.
        ``engine`` has ``log_evidence``, the logarithm of the estimated normalising constant, and
        ``log_evidence_error``, its standard error by the delta method: of the weights, the standard deviation over
        their mean and the square root of their number.

    Raises
    ------
    ConfigError
        If the proposal does not suit the density.
    InferenceError
        If all weights are 0, or a pilot run finds no proposal.
    ProgramError
        If the density or the proposal misbehaves.
    """
    began = time.perf_counter()
    chosen = _proposal(density, config, seed, proposal)
    piloted = time.perf_counter()
    points, log_weight = _drawn(density, config, seed, chosen, Told(progress, config.draws))
    sampled = time.perf_counter()
    if not np.any(log_weight > -np.inf):
        raise InferenceError(
            f"the density is 0 at all {config.draws} points that the proposal drew; give a proposal that covers it"
        )
    log_evidence, error = evidence(log_weight)
    return Draws(
        kind="weighted",
        values=density.values(points[None], seed),
        sample_stats={"log_weight": log_weight[None]},
        timings={"compile": 0.0, "pilot": piloted - began, "sampling": sampled - piloted},
        engine={
            "method": config.method,
            "proposal": "pilot" if proposal is None else type(proposal).__name__,
            "defensive": _in_use(density, config, proposal),
            "log_evidence": log_evidence,
            "log_evidence_error": error,
        },
    )


def evidence(log_weight: Floats) -> tuple[float, float]:
    """Return the logarithm of the weights' mean, and its standard error by the delta method.

    Parameters
    ----------
    log_weight
        ``log f - log q``, ``n_draws``; the error is ``sd(w) / (mean(w) sqrt(n))``, that of the mean over the mean.
    """
    top = float(log_weight.max())
    weights = np.exp(log_weight - top)
    mean = float(weights.mean())
    return top + float(np.log(mean)), float(weights.std(ddof=1) / mean / np.sqrt(weights.size))


def normalised_mean(values: Floats, log_weight: Floats) -> tuple[float, float]:
    """Return the mean of a normalised density and its standard error: an unbiased estimate.

    Parameters
    ----------
    values
        Of the quantity in each draw, ``n_draws``.
    log_weight
        ``log f - log q`` with f normalised, ``n_draws``.
    """
    # A draw without weight counts as 0, even where the quantity is infinite.
    terms = np.where(log_weight > -np.inf, values, 0.0) * np.exp(log_weight)
    return float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(terms.size))


def self_normalised_mean(values: Floats, log_weight: Floats) -> tuple[float, float]:
    """Return the mean of a density known up to a constant, and its standard error by the delta method.

    Parameters
    ----------
    values
        Of the quantity in each draw, ``n_draws``.
    log_weight
        ``log f - log q`` up to a constant, ``n_draws``.

    Notes
    -----
    With weights w of sum 1, the error is the square root of the sum of ``w² (values - mean)²``.
    """
    weights = np.exp(log_weight - log_weight.max())
    weights /= weights.sum()
    known = np.where(weights > 0, values, 0.0)
    mean = float(weights @ known)
    return mean, float(np.sqrt(np.square(weights) @ np.square(known - mean)))


def _in_use(density: Density, config: ImportanceConfig, proposal: Proposal | None) -> float:
    """Return how large a share the safe part has: none is known for whole numbers."""
    return 0.0 if proposal is None and density.is_discrete else _share(config, proposal)


def _share(config: ImportanceConfig, proposal: Proposal | None) -> float:
    if config.defensive is not None:
        return config.defensive
    return DEFENSIVE if proposal is None else 0.0


def _proposal(density: Density, config: ImportanceConfig, seed: int, given: Proposal | None) -> Proposal:
    share = _share(config, given)
    if given is None:
        return importance_proposal(density, seed, share)
    check_fits(density, given)
    _check_covers(density, given, seed)
    if share and density.is_discrete:
        raise ConfigError("no safe part is known for whole numbers; leave defensive out")
    return defended(given, safe_part(density, given, seed), share) if share else given


def _check_covers(density: Density, proposal: Proposal, seed: int) -> None:
    """Refuse a proposal that is 0 where the density is not: weights of draws that are never made tell nothing."""
    try:
        points, _ = start_points(density, seed=seed, block=0, n_chains=BLOCK)
    except ProgramError:  # no point is found without the proposal; what is wrong with the density shows in a moment
        return
    missed = np.flatnonzero(proposal.log_density(points) == -np.inf)
    if missed.size:
        raise InferenceError(
            f"the proposal does not cover the density: at {density.told(points[missed[0]])} it is 0 and the density is "
            "not; take one that is wider"
        )


def check_fits(density: Density, proposal: Proposal) -> None:
    """Refuse a proposal for another number of coordinates.

    Raises
    ------
    ConfigError
        If that is so.
    """
    if proposal.n_dims != density.n_dims:
        raise ConfigError(
            f"the proposal has {proposal.n_dims} coordinates and the density {density.n_dims} "
            f"({', '.join(density.labels[:4])}{', …' if density.n_dims > 4 else ''}); give one that fits"
        )


def proposed(density: Density, proposal: Proposal, points: Floats) -> Floats:
    """Return a proposal's log densities, ``n_points``, at points that it drew, checked.

    Raises
    ------
    ConfigError
        If it draws other than whole numbers where only these count.
    ProgramError
        If its log density is no finite number there.
    """
    if density.integer is not None and np.any(points[:, density.integer] % 1 != 0):
        raise ConfigError(
            "the proposal draws other than whole numbers for whole coordinates; give one that draws these"
        )
    log_density = np.asarray(proposal.log_density(points), dtype=float)
    if log_density.shape != points.shape[:1] or not np.isfinite(log_density).all():
        raise ProgramError("the proposal's log density is no finite number at points that it drew itself; correct it")
    return log_density


def _drawn(
    density: Density, config: ImportanceConfig, seed: int, proposal: Proposal, told: Told
) -> tuple[Floats, Floats]:
    points, log_weight = np.empty((config.draws, density.n_dims)), np.empty(config.draws)

    def draw(chunk: int) -> None:
        rows = slice(chunk * CHUNK, min((chunk + 1) * CHUNK, config.draws))
        # The last chunk draws as if it were whole, so that draws do not depend on how many come after them.
        points[rows] = proposal.sample(block_generator(seed, chunk, _PURPOSE), CHUNK)[: rows.stop - rows.start]
        log_weight[rows] = evaluate(density, points[rows]) - proposed(density, proposal, points[rows])
        told(rows.stop - rows.start)

    chunks = range(-(-config.draws // CHUNK))
    in_threads(draw, chunks, 1 if density.arrays == "torch" else config.threads)
    return points, log_weight


def in_threads(run: Callable[[int], None], places: range, threads: int | None) -> None:
    """Run something for each of the places, in so many threads; None for one a core."""
    n_threads = min(len(places), threads or os.cpu_count() or 1)
    if n_threads == 1:
        for place in places:
            run(place)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            list(pool.map(run, places))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
