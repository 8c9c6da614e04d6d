"""Where chains start: at points of positive density, each block's drawn from a stream of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Density
from bayeskit.core.errors import ProgramError
from bayeskit.inference._streams import BLOCK

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ATTEMPTS = 100
WIDTH = 2.0  # of the uniform law around 0 on a free scale: Stan's start values
_WIDTHS = 33  # the width, twice it, half of it, four times it, ..., each where the one before found nothing
_STARTS = 1  # tells the stream of a block's starts from that of its moves


def start_points(density: Density, *, seed: int, block: int, n_chains: int) -> tuple[Floats, Counts]:
    """Draw where the chains of one block start.

    Parameters
    ----------
    density
        Its own ``start`` is asked where it has one. Else coordinates are uniform between two finite bounds, above one
        bound (or below it) by ``exp(u)``, and ``u`` where there is none, with ``u`` uniform on (-2, 2). Where
        none of 64 has a positive density, wider and narrower laws are tried in turn.
    seed, block
        Of the run, and the block's number in it.
    n_chains
        Of the block, at most 64. The points of the first do not depend on how many there are.

    Returns
    -------
    tuple
        Points, ``n_chains x n_dims``, and how often was drawn for each. What others of the block no longer need counts
        for those that have none yet.

    Raises
    ------
    ProgramError
        If some chain found no point of positive density, or the density misbehaves.
    """
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(block, _STARTS))))
    points, attempts = np.empty((BLOCK, density.n_dims)), np.zeros(BLOCK, dtype=np.int64)
    missing = np.ones(BLOCK, dtype=bool)
    fruitless = 0
    for _ in range(ATTEMPTS):
        # Drawn and evaluated for a whole block each time: where one chain starts must not depend on how many there are.
        drawn = _drawn(density, rng, fruitless)
        found = _log_density(density, drawn) > -np.inf
        attempts += missing
        fruitless += not found.any()
        spare = list(np.flatnonzero(found & ~missing))
        points[missing & found] = drawn[missing & found]
        missing &= ~found
        for chain, row in zip(np.flatnonzero(missing), spare, strict=False):
            points[chain], missing[chain] = drawn[row], False
        if not missing[:n_chains].any():
            return points[:n_chains], attempts[:n_chains]
    raise ProgramError(_why(density, drawn[~found][0]))


def _drawn(density: Density, rng: np.random.Generator, fruitless: int) -> Floats:
    if density.start is None:
        return _default(density, rng, fruitless)
    drawn = np.asarray(density.start(rng, BLOCK), dtype=float)
    if drawn.shape != (BLOCK, density.n_dims):
        raise ProgramError(f"start must return {BLOCK} x {density.n_dims} points for n={BLOCK}, got {drawn.shape}")
    if not np.isfinite(drawn).all():
        place = density.told(drawn[~np.isfinite(drawn).all(axis=1)][0])
        raise ProgramError(f"start must return finite points, got {place}; correct it")
    return drawn


def _default(density: Density, rng: np.random.Generator, fruitless: int) -> Floats:
    low, high = density.box
    turn = fruitless % _WIDTHS
    free = rng.uniform(-WIDTH, WIDTH, (BLOCK, density.n_dims)) * 2.0 ** ((turn + 1) // 2 * (1 if turn % 2 else -1))
    share = rng.random((BLOCK, density.n_dims))
    bounded_below, bounded_above = np.isfinite(low), np.isfinite(high)
    bottom, top = np.where(bounded_below, low, 0.0), np.where(bounded_above, high, 0.0)
    distance = np.exp(np.clip(free, -500, 500))
    points = np.where(bounded_below, bottom + distance, np.where(bounded_above, top - distance, free))
    points = np.where(bounded_below & bounded_above, bottom + share * (top - bottom), points)
    if density.integer is not None:
        whole = np.clip(np.round(points), np.ceil(low), np.floor(high))
        between = np.ceil(bottom) + np.floor(share * (np.floor(top) - np.ceil(bottom) + 1))
        points = np.where(density.integer, np.where(bounded_below & bounded_above, between, whole), points)
    return points


def _log_density(density: Density, points: Floats) -> Floats:
    """Return log densities as NumPy's, whatever arrays the density takes."""
    if density.arrays == "numpy":
        found: Floats = density(points)
        return found
    import torch

    tensors = torch.as_tensor(points, dtype=torch.float64, device=density.device)
    return np.asarray(density(tensors).detach().cpu())


def _why(density: Density, last: Floats) -> str:
    law = "around 0, or in the density's bounds" if density.start is None else "from the density's own start"
    remedy = "give start= (or bounds) where" if density.start is None else "correct start so that"
    return (
        f"a chain finds no start: the density is 0 at all {ATTEMPTS} points tried {law}, the last of them "
        f"{density.told(last)}; {remedy} the density is positive"
    )
