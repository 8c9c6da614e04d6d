"""Banana: the twisted normal distribution of Haario, Saksman and Tamminen (1999), doi:10.1007/s001800050022."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeskit.core.density import Arrays, Density, Floats
from bayeskit.core.language import mark
from bayeskit.core.proposals import StudentT
from bayeskit.models.targets._target import Envelope, Moment, Target, configurations

SPREAD = 10.0
TWIST = 0.01


@dataclass(frozen=True)
class Twisted:
    """``x[1] ~ normal(0, stretch spread)``, ``x[2] ~ normal(twist (spread² - x[1]²), stretch)``; a ``Proposal``, too.

    The map back to a normal distribution, ``(x[1], x[2] + twist x[1]² - twist spread²)``, leaves areas as they are.
    """

    stretch: float = 1.0

    @property
    def n_dims(self) -> int:
        """Number of coordinates."""
        return 2

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x 2``."""
        points = self.stretch * rng.standard_normal((n, 2))
        points[:, 0] *= SPREAD
        points[:, 1] += TWIST * (SPREAD**2 - points[:, 0] ** 2)
        return points

    def log_density(self, points: Any) -> Any:
        """Return normalised log densities, ``n_points``."""
        first, second = points[..., 0], points[..., 1]
        across = second - TWIST * (SPREAD**2 - first**2)
        constant = -math.log(2 * math.pi * SPREAD * self.stretch**2)
        return constant - 0.5 * ((first / SPREAD) ** 2 + across**2) / self.stretch**2


def density() -> Density:
    """Return the normalised log density."""
    twisted = Twisted()

    def gradient(points: Floats) -> tuple[Floats, Floats]:
        first, second = points[:, 0], points[:, 1]
        across = second - TWIST * (SPREAD**2 - first**2)
        slope = np.stack([-first / SPREAD**2 - across * 2 * TWIST * first, -across], axis=1)
        return twisted.log_density(points), slope

    return Density(
        twisted.log_density,
        {"x": (2,)},
        gradient=gradient,
        start=lambda rng, n: rng.uniform([-20.0, -15.0], [20.0, 5.0], (n, 2)),
    )


def pyro_program() -> Callable[[], object]:
    """Return the Pyro program: the normal distribution, moved along the second axis."""
    import pyro.distributions
    import torch

    dist: Any = pyro.distributions

    spread = torch.tensor([SPREAD, 1.0], dtype=torch.float64)

    class Bend(torch.distributions.Transform):
        domain = codomain = torch.distributions.constraints.real_vector
        bijective = True

        def _call(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x[..., 0], x[..., 1] + TWIST * (SPREAD**2 - x[..., 0] ** 2)], -1)

        def _inverse(self, y: torch.Tensor) -> torch.Tensor:
            return torch.stack([y[..., 0], y[..., 1] - TWIST * (SPREAD**2 - y[..., 0] ** 2)], -1)

        def log_abs_det_jacobian(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(x[..., 0])

    def program() -> None:
        straight = dist.Normal(torch.zeros_like(spread), spread).to_event(1)
        pyro.sample("x", dist.TransformedDistribution(straight, [Bend()]))

    return program


def exact(rng: np.random.Generator, n: int) -> Arrays:
    """Draw the first coordinate, then the second given it."""
    return {"x": Twisted().sample(rng, n)}


def envelope() -> Envelope:
    """Return the same banana, stretched by ``c``: both normal factors are below ``c`` times the wider ones.

    ``N(x | m, s²) <= c N(x | m, c² s²)``, with equality at ``m``, for ``x[1]`` and for ``x[2]`` given it: the bound is
    ``c²``, attained on the banana's ridge at ``x[1] = 0``.
    """
    stretch = 1.5
    return Envelope(Twisted(stretch), 2 * math.log(stretch), np.array([0.0, TWIST * SPREAD**2]))


def moments() -> dict[str, Moment]:
    """Return the moments of both coordinates."""
    return {
        "mean square of x[1]": Moment(lambda draws: np.square(draws["x"][:, 0]), SPREAD**2, "s²"),
        "mean of x[2]": Moment(lambda draws: draws["x"][:, 1], 0.0, "b (s² - E x[1]²)"),
        "mean square of x[2]": Moment(
            lambda draws: np.square(draws["x"][:, 1]), 1 + 2 * TWIST**2 * SPREAD**4, "1 + 2 b² s⁴"
        ),
    }


def make_banana() -> Target:
    """Return the banana in two dimensions."""
    return Target(
        name="banana",
        title=mark("Banana"),
        summary=mark("Two numbers, of which the second follows the first along a parabola."),
        formulas=("x[1] ~ normal(0, 10)", "x[2] ~ normal(0.01 (100 - x[1]²), 1)"),
        meanings={"x": mark("two numbers along a parabola")},
        make_density=density,
        program="targets/banana.stan",
        make_stan_data=lambda: {"spread": SPREAD, "twist": TWIST},
        make_pyro_program=pyro_program,
        log_normalizer=0.0,
        exact=exact,
        moments=moments(),
        make_proposal=lambda: StudentT(3.0, np.zeros(2), np.diag([12.0**2, 8.0**2])),
        make_envelope=envelope,
        settings=configurations(
            stan={"adapt_delta": 0.99, "draws": 8000},
            nuts={"adapt_delta": 0.98, "draws": 2000},
            metropolis={"warmup": 2000, "thin": 40},
            importance={"draws": 50_000},
        ),
    )
