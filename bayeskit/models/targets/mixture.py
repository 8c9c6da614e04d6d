"""Two normal distributions far apart: 0.3 N(-2, 0.5²) + 0.7 N(3, 1²)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bayeskit.core.density import Arrays, Density, Floats
from bayeskit.core.language import mark, say
from bayeskit.core.proposals import Mixture, Normal, StudentT
from bayeskit.models.targets._target import Envelope, Expected, Moment, Target, configurations, expectations

WEIGHT = (0.3, 0.7)
CENTRE = (-2.0, 3.0)
SPREAD = (0.5, 1.0)
VALLEY = 0.5  # hardly anything of the one mode lies above, hardly anything of the other below
WIDER = 1.5  # times the spreads: the envelope's


def density() -> Density:
    """Return the normalised log density."""

    def log_parts(points: Any) -> list[Any]:
        x = points[..., 0]
        return [
            math.log(weight / spread) - 0.5 * math.log(2 * math.pi) - 0.5 * ((x - centre) / spread) ** 2
            for weight, centre, spread in zip(WEIGHT, CENTRE, SPREAD, strict=True)
        ]

    def log_density(points: Any) -> Any:
        left, right = log_parts(points)
        return np.logaddexp(left, right)

    def gradient(points: Floats) -> tuple[Floats, Floats]:
        left, right = log_parts(points)
        together = np.logaddexp(left, right)
        slopes = [(centre - points) / spread**2 for centre, spread in zip(CENTRE, SPREAD, strict=True)]
        return together, np.exp(left - together)[:, None] * slopes[0] + np.exp(right - together)[:, None] * slopes[1]

    return Density(log_density, {"x": ()}, gradient=gradient, start=lambda rng, n: rng.uniform(-6, 8, (n, 1)))


def pyro_program() -> Callable[[], object]:
    """Return the Pyro program."""
    import pyro.distributions
    import torch

    dist: Any = pyro.distributions
    weight, centre, spread = (torch.tensor(numbers, dtype=torch.float64) for numbers in (WEIGHT, CENTRE, SPREAD))

    def program() -> None:
        pyro.sample("x", dist.MixtureSameFamily(dist.Categorical(weight), dist.Normal(centre, spread)))

    return program


def exact(rng: np.random.Generator, n: int) -> Arrays:
    """Draw the component, then the number."""
    component = (rng.random(n) >= WEIGHT[0]).astype(int)
    return {"x": np.take(CENTRE, component) + np.take(SPREAD, component) * rng.standard_normal(n)}


def envelope() -> Envelope:
    """Return the same mixture with wider components, and the bound that follows from each of them.

    ``N(x | m, s²) <= c N(x | m, c² s²)`` for ``c >= 1``, with equality at ``m``, so that the sum is below ``c`` times
    the sum. At the right mode the other component hardly counts: the bound is attained there, but for 1e-9 of it.
    """
    parts = [Normal(np.array([m]), np.array([[(WIDER * s) ** 2]])) for m, s in zip(CENTRE, SPREAD, strict=True)]
    return Envelope(Mixture(np.array(WEIGHT), parts), math.log(WIDER), np.array([CENTRE[1]]))


def moments() -> dict[str, Moment]:
    """Return the mean, the mean square, and the weight of the left mode."""
    parts = list(zip(WEIGHT, CENTRE, SPREAD, strict=True))
    left = sum(w * 0.5 * math.erfc((m - VALLEY) / (s * math.sqrt(2))) for w, m, s in parts)
    return {
        "mean": Moment(lambda draws: draws["x"], sum(w * m for w, m, _ in parts), "Σ w m"),
        "mean square": Moment(
            lambda draws: np.square(draws["x"]), sum(w * (m**2 + s**2) for w, m, s in parts), "Σ w (m² + s²)"
        ),
        "left weight": Moment(lambda draws: (draws["x"] < VALLEY).astype(float), left, "Σ w Φ((0.5 - m) / s)"),
    }


def make_mixture() -> Target:
    """Return the mixture, on which chains that start in different modes hardly ever meet."""
    stuck = Expected(
        "flag",
        say("chains stay in the mode where they start for hundreds of draws, so that R-hat is far above 1"),
        ("r_hat",),
    )
    return Target(
        name="mixture",
        title=mark("Two modes"),
        summary=mark("A number from one of two normal distributions so far apart that hardly anything lies between."),
        formulas=("x ~ 0.3 normal(-2, 0.5) + 0.7 normal(3, 1)",),
        meanings={"x": mark("a number from one of two groups")},
        make_density=density,
        program="targets/mixture.stan",
        make_stan_data=lambda: {"K": 2, "weight": list(WEIGHT), "centre": list(CENTRE), "spread": list(SPREAD)},
        make_pyro_program=pyro_program,
        log_normalizer=0.0,
        exact=exact,
        moments=moments(),
        make_proposal=lambda: StudentT(5.0, np.array([0.5]), np.array([[16.0]])),
        make_envelope=envelope,
        expected=expectations(stan=stuck, nuts=stuck),
        settings=configurations(
            stan={"chains": 16, "warmup": 300, "draws": 100},
            nuts={"chains": 16, "warmup": 300, "draws": 100},
            metropolis={"kernel": "tempering", "draws": 500, "thin": 1},
        ),
        starts=lambda rng: {"x": rng.uniform(-6, 8)},
    )
