"""One run of sequential Monte Carlo: particles go from a start distribution to the density, step by step.

``smc`` says what is done and whose work it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Density
from bayeskit.core.errors import InferenceError
from bayeskit.core.proposals import Proposal
from bayeskit.inference._adaptation import best_acceptance, random_walk_scale
from bayeskit.inference._resampling import Scheme, resample
from bayeskit.inference._streams import BLOCK, BlockStreams
from bayeskit.inference._unbounded import Unbounded, evaluate
from bayeskit.inference.importance import proposed
from bayeskit.inference.kernels import Tuning, random_walk

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

SMALLEST_STEP = 1e-12  # of temperature
MIN_MOVES = 3
SHORT, SHORTEST = 0.25, 0.01  # so many steps are shorter, down to that share
STALLED = 0.01  # the correlation has fallen by less than that
_OWN_STREAM = (1 << 20,)  # of a run, for the start and for resampling
_HALVINGS = 60
_GAIN = 1.0  # of the log scale, by the error in acceptance
_JITTERS = (0.0, *(10.0**power for power in range(-12, 0)))


class Options(Protocol):
    """How a run goes, see ``SMCConfig``."""

    @property
    def particles(self) -> int: ...
    @property
    def ess(self) -> float: ...
    @property
    def resampling(self) -> Scheme: ...
    @property
    def correlation(self) -> float: ...
    @property
    def max_moves(self) -> int: ...
    @property
    def max_temperatures(self) -> int: ...


@dataclass(frozen=True)
class Run:
    """What a run found.

    ``points`` is ``n_particles x n_dims``, ``ancestor`` each particle's at the start, ``variance`` that of the evidence
    over its square; the arrays of ``steps`` have one entry a temperature, ``temperatures`` also the start's, 0.
    """

    points: Floats
    ancestor: Places
    log_evidence: float
    variance: float
    steps: dict[str, Floats]


@dataclass
class _Cloud:
    """Particles: coordinates z, and ``log f``, ``log q``, ``log |dx / dz|``, each ``n_particles``."""

    coordinates: Floats
    log_target: Floats
    log_start: Floats
    log_jacobian: Floats

    def tempered(self, temperature: float) -> Floats:
        if temperature == 1:  # also where the start distribution is 0
            return self.log_target + self.log_jacobian
        return (1 - temperature) * self.log_start + temperature * self.log_target + self.log_jacobian

    def at(self, places: Places) -> _Cloud:
        return _Cloud(
            self.coordinates[places], self.log_target[places], self.log_start[places], self.log_jacobian[places]
        )

    def replaced(self, rows: NDArray[np.bool_], by: _Cloud) -> _Cloud:
        return _Cloud(
            np.where(rows[:, None], by.coordinates, self.coordinates),
            np.where(rows, by.log_target, self.log_target),
            np.where(rows, by.log_start, self.log_start),
            np.where(rows, by.log_jacobian, self.log_jacobian),
        )


class Particles:
    """Takes one run from the start distribution to the density.

    Parameters
    ----------
    density, start, options
        Where to, where from, and how.
    seed
        Of this run alone.
    """

    def __init__(self, density: Density, start: Proposal, options: Options, seed: int) -> None:
        self._density, self._start, self._options = density, start, options
        self._unbounded = Unbounded(density)
        self._integer = density.integer if density.is_discrete else None
        self._streams = BlockStreams(seed, options.particles)
        self._rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=_OWN_STREAM)))
        self._propose = random_walk()
        self._log_scale = math.log(random_walk_scale(density.n_dims))
        self._factors = np.repeat(np.eye(density.n_dims)[None], -(-options.particles // BLOCK), axis=0)

    def run(self, tick: Callable[[float], None]) -> Run:
        """Run; ``tick`` is told each temperature."""
        n = self._options.particles
        cloud = self._started()
        ancestor, temperature, log_evidence, apart = np.arange(n), 0.0, 0.0, 1 / (1 - 1 / n)
        told: list[tuple[float, ...]] = []
        while temperature < 1:
            self._check(cloud, temperature, len(told))
            log_ratio = cloud.log_target - cloud.log_start
            step = next_step(log_ratio, 1 - temperature, self._options.ess)
            if step < SMALLEST_STEP * (1 - temperature):
                raise InferenceError(
                    f"the steps of temperature vanish at {temperature:.3g}: the density is too far from the start "
                    "distribution, or has spikes; give a start distribution (proposal) that is closer"
                )
            temperature = 1.0 if step >= 1 - temperature else temperature + step
            log_mean, weights = _weighted(step * log_ratio)
            log_evidence += log_mean
            apart *= 1 - _families(ancestor, weights)
            places = resample(self._options.resampling, weights, n, self._rng)
            cloud, ancestor = cloud.at(places), ancestor[places]
            self._learn(cloud.coordinates)
            if temperature < 1:
                apart = _after_resampling(apart, ancestor)
            cloud, moves, acceptance = self._move(cloud, temperature)
            told.append((temperature, 1 / float(n * np.square(weights).sum()), acceptance, moves))
            tick(temperature)
        self._check_covered(cloud)
        names = ("temperatures", "ess_by_temperature", "acceptance_by_temperature", "moves_by_temperature")
        steps = dict(zip(names, np.array(told).T, strict=True))
        return Run(
            self._unbounded.points(cloud.coordinates),
            ancestor,
            log_evidence,
            max(0.0, 1 - apart),
            steps | {"temperatures": np.concatenate([[0.0], steps["temperatures"]])},
        )

    def _started(self) -> _Cloud:
        points = self._start.sample(self._rng, self._options.particles)
        log_start = proposed(self._density, self._start, points)
        coordinates = self._unbounded.coordinates(points)
        log_target, log_jacobian = evaluate(self._density, points), self._unbounded.log_jacobian(coordinates)
        return _Cloud(coordinates, log_target, log_start, log_jacobian)

    def _learn(self, coordinates: Floats) -> None:
        """Take the covariance of each half of the particles for the moves of the other half.

        Particles that move by their own covariance fit it too well: in 50 dimensions, 2000 of them overestimate the log
        evidence by more than its error.
        """
        n_blocks = -(-len(coordinates) // BLOCK)
        halves = (range(n_blocks // 2), range(n_blocks // 2, n_blocks))
        rows = slice(0, len(halves[0]) * BLOCK), slice(len(halves[0]) * BLOCK, None)
        for half, others in zip(halves, reversed(rows), strict=True):
            if half and (factor := _factor_of(coordinates[others if halves[0] else slice(None)])) is not None:
                self._factors[half.start : half.stop] = factor

    def _move(self, cloud: _Cloud, temperature: float) -> tuple[_Cloud, int, float]:
        """Move all particles until they have forgotten where they were, or remember no less than before."""
        options, n_dims = self._options, cloud.coordinates.shape[1]
        origin, log_density = cloud.coordinates, cloud.tempered(temperature)
        target, window = best_acceptance(n_dims), max(10, n_dims)
        correlations, accepted = [1.0], 0.0
        for move in range(1, options.max_moves + 1):
            full, shares = self._step_sizes()
            tuning = Tuning(math.exp(self._log_scale) * shares, self._factors)
            candidate = self._candidate(cloud.coordinates, tuning)
            log_candidate = candidate.tempered(temperature)
            log_ratio = log_candidate - log_density
            moved = self._streams.accept(log_ratio)
            cloud = cloud.replaced(moved, candidate)
            log_density = np.where(moved, log_candidate, log_density)
            acceptance = float(np.exp(np.minimum(log_ratio[full], 0.0)).mean())
            accepted += acceptance
            self._log_scale += _GAIN / move**0.6 * (acceptance - target)
            correlations.append(_largest_correlation(origin, cloud.coordinates))
            stalled = move > window and correlations[-1 - window] - correlations[-1] < STALLED
            if move >= MIN_MOVES and (correlations[-1] <= options.correlation or stalled):
                break
        return cloud, move, accepted / move

    def _step_sizes(self) -> tuple[NDArray[np.bool_], Floats]:
        """Return which particles take a full step, and each one's share of it.

        Short steps reach where the density is much narrower than the particles' covariance says, as in a funnel.
        """
        uniform = self._streams.uniform()
        full = uniform >= SHORT
        return full, np.where(full, 1.0, SHORTEST ** (uniform / SHORT))

    def _candidate(self, coordinates: Floats, tuning: Tuning) -> _Cloud:
        candidate, _ = self._propose(self._streams, coordinates, tuning)
        if self._integer is not None:  # rounded steps stay symmetric
            steps = np.round(candidate[:, self._integer] - coordinates[:, self._integer])
            candidate[:, self._integer] = coordinates[:, self._integer] + steps
        points = self._unbounded.points(candidate)
        log_start = np.asarray(self._start.log_density(points), dtype=float)
        log_target = evaluate(self._density, points)
        return _Cloud(candidate, log_target, log_start, self._unbounded.log_jacobian(candidate))

    def _check(self, cloud: _Cloud, temperature: float, n_steps: int) -> None:
        n_positive = int(np.sum(cloud.log_target > -np.inf))
        if n_positive < 2:
            raise InferenceError(
                f"the density is 0 at {len(cloud.log_target) - n_positive} of {len(cloud.log_target)} points of the "
                "start distribution; give one (proposal) that covers the density, or take more particles"
            )
        if n_steps >= self._options.max_temperatures:
            raise InferenceError(
                f"after {n_steps} temperatures the particles are at {temperature:.3g} of 1; give a start distribution "
                "(proposal) that is closer, or raise max_temperatures"
            )

    def _check_covered(self, cloud: _Cloud) -> None:
        outside = ~np.isfinite(cloud.log_start)
        if outside.any():
            where = self._density.told(self._unbounded.points(cloud.coordinates[outside][:1])[0])
            raise InferenceError(
                f"the start distribution is 0 at {where}, where the density is not: the evidence would miss that part; "
                "give a start distribution (proposal) that covers the density"
            )


def next_step(log_ratio: Floats, most: float, share: float) -> float:
    """Return the step of temperature after which so large a share of equally weighted particles is left, in effect.

    Parameters
    ----------
    log_ratio
        ``log f - log q`` of each particle.
    most
        What is left to 1; returned where even then more particles are left.
    share
        Of those particles at which f is not 0.
    """
    inside = log_ratio[log_ratio > -np.inf]
    inside = inside - inside.max()

    def left(step: float) -> float:
        weights = np.exp(step * inside)
        return float(weights.sum() ** 2 / np.square(weights).sum() / inside.size)

    if left(most) >= share:
        return most
    low, high = 0.0, most
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) >= share else (low, middle)
    return low


def _factor_of(coordinates: Floats) -> Floats | None:
    """Return the Cholesky factor of particles' covariance; None where some coordinate does not vary."""
    centred = coordinates - coordinates.mean(axis=0)
    covariance: Floats = centred.T @ centred / len(coordinates)
    scale = np.diag(covariance)
    if not np.all(scale > 0):
        return None
    for jitter in _JITTERS:
        try:
            return np.asarray(np.linalg.cholesky(covariance + jitter * np.diag(scale)), dtype=float)
        except np.linalg.LinAlgError:
            continue
    return None


def _weighted(log_weight: Floats) -> tuple[float, Floats]:
    """Return the logarithm of the mean weight, and weights of sum 1."""
    top = float(log_weight.max())
    weights = np.exp(log_weight - top)
    total = float(weights.sum())
    return top + math.log(total / weights.size), weights / total


def _families(ancestor: Places, weights: Floats) -> float:
    """Return the sum of squares of all families' shares."""
    return float(np.square(np.bincount(ancestor, weights)).sum())


def _after_resampling(apart: float, ancestor: Places) -> float:
    """Return the chance that two particles have not the same ancestor, freed of what resampling itself took from it."""
    left = 1 - _families(ancestor, np.full(ancestor.size, 1 / ancestor.size))
    return apart / left if left > 0 else -math.inf


def _largest_correlation(before: Floats, after: Floats) -> float:
    """Return the largest correlation of any coordinate with what it was."""
    first, second = before - before.mean(axis=0), after - after.mean(axis=0)
    product = np.sqrt(np.square(first).sum(axis=0) * np.square(second).sum(axis=0))
    moving = product > 0
    if not moving.any():
        return 0.0
    return float(((first * second).sum(axis=0)[moving] / product[moving]).max())
