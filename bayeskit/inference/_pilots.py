"""Short runs of 64 chains that settle what all blocks share: a ladder of temperatures, or a Gaussian for ellipses.

A pilot has streams of its own, so that what follows does not depend on how many chains there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError
from bayeskit.inference._chains import Group, Outcome, run_group
from bayeskit.inference._plans import Plan, langevin_plan, slice_plan, tempering_plan, walk_plan
from bayeskit.inference._streams import BLOCK

Floats = NDArray[np.float64]
Tick = Callable[[int], bool]

LADDER_ROUNDS = 3
WIDENED = 1.5  # the Gaussian of ellipses must not be narrower than the density
_LAST_BLOCK = 2**32 - 1  # the largest key of a stream; no run has so many blocks
_LEAST_REJECTION = 1e-3  # of a swap: keeps a ladder's rungs apart where two of them always swap


class Choice(Protocol):
    """What a configuration says of the kernel."""

    @property
    def kernel(self) -> str: ...
    @property
    def warmup(self) -> int: ...
    @property
    def target_acceptance(self) -> float | None: ...
    @property
    def replicas(self) -> int: ...
    @property
    def hottest(self) -> float: ...


@dataclass(frozen=True)
class _Length:
    warmup: int
    draws: int
    thin: int = 1


def plan_kernel(density: Density, config: Choice, seed: int) -> Plan:
    """Choose the kernel, after a pilot run where it needs one.

    Raises
    ------
    ConfigError
        If it does not suit the density.
    ProgramError
        If the density misbehaves in a pilot run.
    """
    target = config.target_acceptance
    if config.kernel == "mala":
        return langevin_plan(density, target)
    if config.kernel == "tempering":
        ladder = _ladder(density, config, seed)
        return tempering_plan(density, target, ladder)
    if config.kernel == "elliptical-slice":
        if density.is_discrete:
            raise ConfigError("kernel 'elliptical-slice' moves real coordinates only; take kernel 'random-walk'")
        return slice_plan(*_gaussian(density, config, seed))
    return walk_plan(density, target)


def _ladder(density: Density, config: Choice, seed: int) -> list[float]:
    """Return inverse temperatures at which neighbours swap about equally often.

    Replicas' rejections of swaps add up along the ladder to the same length however it is cut, so that it is cut where
    that sum, as a function of the inverse temperature, has equal parts: Syed, Bouchard-Côté, Deligiannidis and Doucet
    (2022), doi:10.1111/rssb.12464, algorithm 4.
    """
    betas = np.geomspace(1.0, config.hottest, config.replicas)
    for attempt in range(LADDER_ROUNDS if config.replicas > 2 else 0):
        plan = tempering_plan(density, config.target_acceptance, betas.tolist())
        _, outcome = _pilot(density, plan, config.warmup, seed, attempt)
        assert outcome.swaps is not None
        betas = _respaced(betas, 1 - outcome.swaps)
    return [float(beta) for beta in betas]


def _respaced(betas: Floats, rejections: Floats) -> Floats:
    """Return as many inverse temperatures, between which rejections would be equal."""
    lengths = np.concatenate([[0.0], np.cumsum(np.maximum(rejections, _LEAST_REJECTION))])
    wanted = np.linspace(0.0, lengths[-1], len(betas))
    found: Floats = np.exp(np.interp(wanted, lengths, np.log(betas)))
    found[0], found[-1] = betas[0], betas[-1]
    return found


def _gaussian(density: Density, config: Choice, seed: int) -> tuple[Floats, Floats]:
    """Return the mean of a random walk's draws, and their covariance, widened."""
    positions, _ = _pilot(density, walk_plan(density, config.target_acceptance), config.warmup, seed, 0)
    flat = positions.reshape(-1, density.n_dims)
    mean = flat.mean(axis=0)
    centred = flat - mean
    covariance = WIDENED**2 * (centred.T @ centred) / len(flat)
    # Exact collinearity is beyond what a factor can tell from rounding.
    return mean, covariance + 1e-12 * np.diag(np.diagonal(covariance))


def _pilot(density: Density, plan: Plan, warmup: int, seed: int, attempt: int) -> tuple[Floats, Outcome]:
    """Run one block of chains, and return its positions after warm-up."""
    length = _Length(warmup, warmup)
    shape = (BLOCK, length.draws)
    kept = (np.empty((*shape, density.n_dims)), np.empty(shape), np.empty(shape))
    group = Group(_LAST_BLOCK - attempt, 1, BLOCK, is_pilot=True)
    return kept[0], run_group(density, plan, length, group, seed, kept, lambda _: True)
