"""The standard normal distribution beyond 2."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bayeskit.core.density import Arrays, Density, Floats
from bayeskit.core.language import mark
from bayeskit.core.proposals import ShiftedExponential
from bayeskit.models.targets._target import Envelope, Moment, Target, configurations

CUTOFF = 2.0
BEYOND = 0.5 * math.erfc(CUTOFF / math.sqrt(2))
"""Probability that a standard normal number lies beyond."""
_HEIGHT = math.exp(-0.5 * CUTOFF**2) / math.sqrt(2 * math.pi)


def density() -> Density:
    """Return the normalised log density."""
    constant = -0.5 * math.log(2 * math.pi) - math.log(BEYOND)

    def log_density(points: Any) -> Any:
        return constant - 0.5 * points[..., 0] ** 2

    def gradient(points: Floats) -> tuple[Floats, Floats]:
        return log_density(points), -points

    return Density(
        log_density,
        {"x": ()},
        gradient=gradient,
        lower=np.array([CUTOFF]),
        start=lambda rng, n: CUTOFF + rng.standard_exponential((n, 1)),
    )


def pyro_program() -> Callable[[], object]:
    """Return the Pyro program."""
    import pyro

    from bayeskit.models.targets._truncated_normal import NormalBeyond

    def program() -> None:
        pyro.sample("x", NormalBeyond(CUTOFF))

    return program


def exact(rng: np.random.Generator, n: int) -> Arrays:
    """Invert the distribution function of what lies beyond."""
    from scipy.special import ndtri

    # The upper tail's probabilities keep their digits as the lower tail's; from 0, excluded, to all of them.
    return {"x": -ndtri(BEYOND * (1 - rng.random(n)))}


def envelope() -> Envelope:
    """Return the exponential proposal of Robert (1995), doi:10.1007/BF00143942, of the rate that accepts most.

    With rate ``r`` the logarithm of the ratio is ``-x²/2 + r (x - c) - log(r) + constant``, largest at ``x = r``. The
    bound ``exp(r²/2 - r c) / (r sqrt(2 π) (1 - Φ(c)))`` is smallest at ``r = (c + sqrt(c² + 4)) / 2``.
    """
    rate = (CUTOFF + math.sqrt(CUTOFF**2 + 4)) / 2
    log_bound = rate**2 / 2 - rate * CUTOFF - math.log(rate * math.sqrt(2 * math.pi) * BEYOND)
    return Envelope(ShiftedExponential(CUTOFF, rate), log_bound, np.array([rate]))


def make_tail() -> Target:
    """Return the truncated normal distribution, whose mean square is ``1 + 2 φ(2) / (1 - Φ(2)) = 5.746``."""
    return Target(
        name="tail",
        title=mark("Tail of the normal distribution"),
        summary=mark("A standard normal number of which it is known that it lies beyond 2."),
        formulas=("x ~ normal(0, 1)", "x > 2"),
        meanings={"x": mark("a number beyond 2")},
        make_density=density,
        program="targets/tail.stan",
        make_stan_data=lambda: {"cutoff": CUTOFF},
        make_pyro_program=pyro_program,
        log_normalizer=0.0,
        exact=exact,
        moments={
            "mean": Moment(lambda draws: draws["x"], _HEIGHT / BEYOND, "φ(2) / (1 - Φ(2))"),
            "mean square": Moment(
                lambda draws: np.square(draws["x"]), 1 + CUTOFF * _HEIGHT / BEYOND, "1 + 2 φ(2) / (1 - Φ(2))"
            ),
        },
        make_proposal=lambda: ShiftedExponential(CUTOFF, 1.0),
        make_envelope=envelope,
        settings=configurations(nuts={"adapt_delta": 0.98}),
    )
