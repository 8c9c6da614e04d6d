"""Proposals for coordinates that take whole numbers only; they are stored as float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.inference._kernels_types import Propose, Tuning, as_numpy, coloured, like
from bayeskit.inference._streams import Streams

ROW_SUM = 1e-9  # how far from 1 the probabilities of a row may be


def integer_walk(step: int | None = None) -> Propose:
    """Return the symmetric walk on whole numbers.

    Parameters
    ----------
    step
        Each coordinate moves by any of ``-step`` to ``step``, all as likely; 0 is among them, as a walk whose
        coordinates all move by one always would never leave its half of the lattice. None for steps that are
        tuned: the Gaussian random walk's, rounded.

    Raises
    ------
    ConfigError
        If the step is below 1.
    """
    if step is None:
        return _rounded_walk
    if step < 1:
        raise ConfigError(f"step must be a whole number of at least 1, got {step}")
    probabilities = np.full(2 * step + 1, 1 / (2 * step + 1))

    def propose(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, None]:
        moves = np.stack([streams.choose(probabilities) - step for _ in range(position.shape[1])], 1)
        return position + like(moves.astype(float), position), None

    return propose


def _rounded_walk(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, None]:
    step = tuning.scale[:, None] * coloured(streams.normal(position.shape[1]), tuning.factor)
    return position + step.round(), None


def birth_death(birth: float = 0.5) -> Propose:
    """Return the walk on counts that adds one with probability ``birth``, and takes one away otherwise.

    At 0 it always adds one, which makes it asymmetric even where births and deaths are as likely. Of several
    coordinates one moves, any as likely.

    Raises
    ------
    ConfigError
        If the probability is not between 0 and 1.
    """
    if not 0 < birth < 1:
        raise ConfigError(f"birth must lie between 0 and 1, neither included, got {birth}")

    def propose(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, Any]:
        n_chains, n_dims = position.shape
        moving = streams.choose(np.full(n_dims, 1 / n_dims)) if n_dims > 1 else np.zeros(n_chains, dtype=np.int64)
        rows = np.arange(n_chains)
        counts = as_numpy(position)[rows, moving]
        births = np.where(counts == 0, 1.0, birth)
        is_birth = streams.choose(np.stack([1 - births, births], 1)) == 1
        after = counts + np.where(is_birth, 1.0, -1.0)
        births_after = np.where(after == 0, 1.0, birth)
        there = np.where(is_birth, births, 1 - births)
        back = np.where(is_birth, 1 - births_after, births_after)
        candidate = position + 0.0
        candidate[rows, moving] = like(after, position)
        return candidate, like(np.log(back) - np.log(there), position)

    return propose


def finite(matrix: Sequence[Sequence[float]] | NDArray[np.float64]) -> Propose:
    """Return the proposal on the states 0 to n - 1, of one coordinate, that moves as a matrix says.

    Parameters
    ----------
    matrix
        Of probabilities: row x has those of the candidates y.

    Raises
    ------
    ConfigError
        If it is not square, has a negative entry, or a row whose sum is not 1.
    ProgramError
        In a step, if a chain stands on no state of the matrix.
    """
    table = np.array(matrix, dtype=float)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ConfigError(f"a matrix of proposals must be square, got shape {table.shape}")
    sums = table.sum(axis=1)
    if not (np.all(table >= 0) and np.all(abs(sums - 1) <= ROW_SUM)):
        row = int(np.flatnonzero((table < 0).any(axis=1) | ~(abs(sums - 1) <= ROW_SUM))[0])
        raise ConfigError(f"row {row} of a matrix of proposals must hold probabilities of sum 1, got sum {sums[row]:g}")
    table /= sums[:, None]
    with np.errstate(divide="ignore"):
        logs = np.log(table)

    def propose(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, Any]:
        here = _states(position, len(table))
        there = streams.choose(table[here])
        return like(there[:, None].astype(float), position), like(logs[there, here] - logs[here, there], position)

    return propose


def _states(position: Any, n_states: int) -> NDArray[np.int64]:
    if position.shape[1] != 1:
        raise ConfigError(f"a matrix of proposals moves one coordinate, got {position.shape[1]}; take on() for one")
    places = as_numpy(position)[:, 0]
    states: NDArray[np.int64] = places.astype(np.int64)
    if not np.all((states == places) & (states >= 0) & (states < n_states)):
        wrong = places[~((states == places) & (states >= 0) & (states < n_states))][0]
        raise ProgramError(f"a chain stands at {wrong:g}; a matrix of proposals needs a state from 0 to {n_states - 1}")
    return states
