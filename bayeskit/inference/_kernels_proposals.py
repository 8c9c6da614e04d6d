"""Proposals for Metropolis-Hastings: each makes candidates y of positions x, and log q(x | y) - log q(y | x)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayeskit.core.errors import ProgramError
from bayeskit.inference._kernels_types import Propose, Tuning, as_numpy, coloured
from bayeskit.inference._streams import Streams

SMALLEST = np.finfo(float).tiny


def random_walk() -> Propose:
    """Return the Gaussian random walk: its covariance is the factor's, times the scale squared; symmetric."""

    def propose(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, None]:
        step = coloured(streams.normal(position.shape[1]), tuning.factor)
        return position + tuning.scale[:, None] * step, None

    return propose


def multiplicative_walk() -> Propose:
    """Return the Gaussian random walk of the coordinates' logarithms, for coordinates that are above 0.

    A step from x to y is as likely as one from log x to log y: the Hastings correction is the product of y / x.
    """

    def propose(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, Any]:
        step = tuning.scale[:, None] * coloured(streams.normal(position.shape[1]), tuning.factor)
        with np.errstate(over="ignore", under="ignore"):
            candidate = position * (step.exp() if hasattr(step, "exp") else np.exp(step))
        # What overflows or loses digits lies outside: it is rejected, and the density is not asked about infinity.
        lost = ((abs(candidate) < SMALLEST) | (abs(candidate) == np.inf)).any(1)
        log_correction = step.sum(1)
        if bool(lost.any()):
            candidate[lost] = position[lost]
            log_correction[lost] = -np.inf
        return candidate, log_correction

    return propose


def proposal(
    propose: Callable[[Streams, Any], Any], log_correction: Callable[[Any, Any], Any] | None = None
) -> Propose:
    """Return a proposal of one's own.

    Parameters
    ----------
    propose
        Takes streams and positions, ``n_chains x n_dims``, and returns as many candidates; whatever is random in it
        must come from the streams.
    log_correction
        Takes positions x and candidates y, and returns log q(x | y) - log q(y | x), ``n_chains``; -inf where there is
        no way back. None where the proposal is symmetric.

    Raises
    ------
    ProgramError
        In a step, if candidates or corrections have another shape, or a correction is NaN or +inf.
    """

    def checked(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, Any]:
        candidate = propose(streams, position)
        if tuple(candidate.shape) != tuple(position.shape):
            raise ProgramError(f"propose must return {tuple(position.shape)} numbers, got {tuple(candidate.shape)}")
        if log_correction is None:
            return candidate, None
        found = log_correction(position, candidate)
        if tuple(found.shape) != tuple(position.shape[:1]):
            raise ProgramError(f"log_correction must return {position.shape[0]} numbers, got {tuple(found.shape)}")
        if not bool((found < np.inf).all()):
            wrong = as_numpy(found)[~(as_numpy(found) < np.inf)][0]
            raise ProgramError(
                f"log_correction is {wrong} at a candidate; it must be log q(x | y) - log q(y | x), a number, or -inf"
            )
        return candidate, found

    return checked


def on(propose: Propose, coordinates: Sequence[int]) -> Propose:
    """Return the proposal that moves these coordinates alone, by a proposal for as many.

    So that kernels for whole numbers and for real ones can take turns on one density. The tuning's factor may be of
    these coordinates, or of all: then their rows and columns are used.
    """
    chosen = list(coordinates)

    def propose_some(streams: Streams, position: Any, tuning: Tuning) -> tuple[Any, Any]:
        part, log_correction = propose(streams, position[:, chosen], tuning.on(chosen))
        candidate = position + 0.0
        candidate[:, chosen] = part
        return candidate, log_correction

    return propose_some
