"""Proposals for a density that comes without one: from a short run of many random walks.

The walks start far apart and learn their steps (``bayeskit.inference.metropolis``); a mixture of t distributions is
fitted to where they end up, and again to importance draws from it, as in Cappé, Douc, Guillin, Marin and Robert (2008),
doi:10.1007/s11222-008-9059-x. Bounded coordinates are stretched over the whole line first. Walks that end in different
modes all count, so that the fit spans the modes, but no pilot run finds a mode that none of its walks comes near.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError
from bayeskit.core.proposals import Mixture, Proposal, StudentT, Uniform
from bayeskit.inference._student_mixtures import fit_student_mixture, moments
from bayeskit.inference._unbounded import Stretched, Unbounded, evaluate, first_cause
from bayeskit.inference.metropolis import MetropolisConfig, fit_metropolis

Floats = NDArray[np.float64]

WIDE_FREEDOM = 3.0
WIDE = 2.0  # the safe part of a mixture has so many times the scale
START_FREEDOM = 5.0
START_WIDE = 2.0  # where particles start from

_CHAINS, _DRAWS = 64, 64
_ROUNDS, _ROUND_DRAWS = 3, 4096
_ENOUGH = 20  # effective draws a coordinate, below which a round teaches nothing
_KEY = (0, 0, 1)  # tells the pilot's streams from all others


def importance_proposal(density: Density, seed: int, defensive: float) -> Proposal:
    """Return what importance sampling draws from where nobody gave it a proposal.

    Parameters
    ----------
    density
        To draw from in the end.
    seed
        Of the whole run.
    defensive
        Share of the safe part: uniform on the box, where it is finite, else a t distribution with 3 degrees of freedom
        and twice the scale of all that the pilot run saw.

    Raises
    ------
    ConfigError
        If some coordinates take whole numbers only, without finite bounds.
    InferenceError
        If the pilot run finds nothing to propose from.
    """
    if density.is_discrete:
        return _whole(density)
    stretch, points = _piloted(density, seed)
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(*_KEY, 1))))
    shares = np.full(len(points), 1 / len(points))
    wide = _safe(density, Stretched(StudentT(WIDE_FREEDOM, *_scaled(moments(points, shares), WIDE)), stretch))
    fitted = fit_student_mixture(points)
    for _ in range(_ROUNDS):
        proposal = defended(Stretched(fitted, stretch), wide, max(defensive, 0.1))
        drawn = proposal.sample(rng, _ROUND_DRAWS)
        log_weight = evaluate(density, drawn) - proposal.log_density(drawn)
        weights = np.exp(log_weight - log_weight.max())
        # Truncated, so that one draw does not take the fit with it: Ionides (2008), doi:10.1198/106186008X320456.
        weights = np.minimum(weights, weights.mean() * _ROUND_DRAWS**0.5)
        if weights.sum() ** 2 / np.square(weights).sum() < _ENOUGH * density.n_dims:
            break
        fitted = fit_student_mixture(stretch.coordinates(drawn), weights)
    return defended(Stretched(fitted, stretch), wide, defensive)


def start_distribution(density: Density, seed: int) -> Proposal:
    """Return where particles start from if nobody says: a t distribution twice as wide as what a pilot run saw.

    Raises
    ------
    ConfigError, InferenceError
        As for ``importance_proposal``.
    """
    if density.is_discrete:
        return _whole(density)
    stretch, points = _piloted(density, seed)
    centre = moments(points, np.full(len(points), 1 / len(points)))
    return Stretched(StudentT(START_FREEDOM, *_scaled(centre, START_WIDE)), stretch)


def safe_part(density: Density, proposal: Proposal, seed: int) -> Proposal:
    """Return a wide part for a given proposal: uniform on a finite box, else a t distribution around its own draws."""
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(*_KEY, 2))))
    stretch = Unbounded(density)
    points = stretch.coordinates(proposal.sample(rng, _ROUND_DRAWS))
    middle, spread = np.median(points, axis=0), np.diff(np.quantile(points, [0.16, 0.84], axis=0), axis=0)[0] / 2
    if not np.all(spread > 0):
        raise ConfigError("the proposal's draws do not differ in every coordinate; give another, or defensive=0")
    scale = np.diag(np.square(WIDE * spread))
    return _safe(density, Stretched(StudentT(WIDE_FREEDOM, middle, scale), stretch))


def defended(proposal: Proposal, wide: Proposal, share: float) -> Proposal:
    """Return the mixture that draws a share of all points from the safe part."""
    return Mixture(np.array([1 - share, share]), (proposal, wide)) if share > 0 else proposal


def _piloted(density: Density, seed: int) -> tuple[Unbounded, Floats]:
    stretch = Unbounded(density)
    n_dims = density.n_dims
    config = MetropolisConfig(
        chains=_CHAINS, warmup=300 + 10 * n_dims, draws=_DRAWS, thin=max(2, n_dims // 2), threads=1
    )
    child = int(np.random.SeedSequence(seed, spawn_key=_KEY).generate_state(1, np.uint32)[0])
    with first_cause():
        drawn = fit_metropolis(stretch.density(), config, seed=child)
    points = np.asarray(drawn.values["coordinates"], dtype=float).reshape(-1, n_dims)
    return stretch, points


def _scaled(centre: tuple[Floats, Floats], factor: float) -> tuple[Floats, Floats]:
    return centre[0], factor**2 * centre[1]


def _safe(density: Density, otherwise: Proposal) -> Proposal:
    low, high = density.box
    return Uniform(low, high) if np.isfinite(low).all() and np.isfinite(high).all() else otherwise


def _whole(density: Density) -> Proposal:
    low, high = density.box
    if np.isfinite(low).all() and np.isfinite(high).all():
        return Uniform(low, high, density.integer)
    raise ConfigError(
        "some coordinates take whole numbers only, without finite bounds, and no proposal is known for them; give "
        "bounds (lower and upper), or a proposal that draws whole numbers"
    )
