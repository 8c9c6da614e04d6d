"""Correlated normal distributions in 2 and in 50 dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeskit.core.density import Arrays, Density, Floats
from bayeskit.core.language import mark, say
from bayeskit.core.proposals import Normal
from bayeskit.models.targets._target import Envelope, Expected, Moment, Target, configurations, expectations

CORRELATION = 0.9


@dataclass(frozen=True)
class Autoregression:
    """A stationary series: mean 0, variance 1, the correlation falls by a constant factor from step to step.

    ``x[1] ~ normal(0, 1)``, ``x[t] ~ normal(r x[t-1], sqrt(1 - r²))``, so that the covariance of ``x[s]`` and ``x[t]``
    is ``r**|s - t|``: Hamilton (1994), Time Series Analysis, section 3.4, doi:10.2307/j.ctv14jx6sm.
    """

    n_dims: int
    correlation: float

    @property
    def covariance(self) -> Floats:
        """``n_dims x n_dims``."""
        steps = np.arange(self.n_dims)
        matrix: Floats = self.correlation ** np.abs(steps[:, None] - steps)
        return matrix

    def density(self) -> Density:
        """Return the normalised log density, each coordinate's given the one before."""
        rest = 1 - self.correlation**2  # variance of a coordinate given the one before
        constant = -0.5 * self.n_dims * math.log(2 * math.pi) - 0.5 * (self.n_dims - 1) * math.log(rest)

        def log_density(points: Any) -> Any:
            surprise = points[..., 1:] - self.correlation * points[..., :-1]
            return constant - 0.5 * (points[..., 0] ** 2 + (surprise**2).sum(-1) / rest)

        def gradient(points: Floats) -> tuple[Floats, Floats]:
            surprise = points[:, 1:] - self.correlation * points[:, :-1]
            slope = np.zeros_like(points)
            slope[:, 0] = -points[:, 0]
            slope[:, 1:] -= surprise / rest
            slope[:, :-1] += self.correlation * surprise / rest
            return log_density(points), slope

        return Density(
            log_density,
            {"x": (self.n_dims,)},
            gradient=gradient,
            start=lambda rng, n: 3.0 * rng.standard_normal((n, self.n_dims)),
        )

    def stan_data(self) -> dict[str, Any]:
        """Return the Stan program's data."""
        return {"N": self.n_dims, "mu": np.zeros(self.n_dims), "Sigma": self.covariance}

    def pyro_program(self) -> Callable[[], object]:
        """Return the Pyro program."""
        import pyro.distributions
        import torch

        dist: Any = pyro.distributions
        mean = torch.zeros(self.n_dims, dtype=torch.float64)
        covariance = torch.as_tensor(self.covariance)

        def program() -> None:
            pyro.sample("x", dist.MultivariateNormal(mean, covariance))

        return program

    def exact(self, rng: np.random.Generator, n: int) -> Arrays:
        """Draw each coordinate given the one before."""
        x = rng.standard_normal((n, self.n_dims))
        for step in range(1, self.n_dims):
            x[:, step] = self.correlation * x[:, step - 1] + math.sqrt(1 - self.correlation**2) * x[:, step]
        return {"x": x}

    def moments(self) -> dict[str, Moment]:
        """Return mean and mean square of the last coordinate, and how it goes with the one before."""
        return {
            "mean": Moment(lambda draws: draws["x"][:, -1], 0.0, "0"),
            "mean square": Moment(lambda draws: np.square(draws["x"][:, -1]), 1.0, "1"),
            "covariance": Moment(lambda draws: draws["x"][:, -1] * draws["x"][:, -2], self.correlation, "r"),
        }

    def covering(self) -> Normal:
        """Return the narrowest normal distribution without correlations, all scales alike, that covers this one.

        Its variance is the largest eigenvalue of the covariance.
        """
        widest = float(np.linalg.eigvalsh(self.covariance)[-1])
        return Normal(np.zeros(self.n_dims), widest * np.eye(self.n_dims))

    def envelope(self) -> Envelope:
        """Return that proposal and its bound.

        With variance ``v`` the log ratio is ``(d log(v) - log |Σ| + x'x / v - x' Σ⁻¹ x) / 2``. No eigenvalue of ``Σ⁻¹``
        is below ``1 / v``, so that it is largest at 0, and all along the longest axis.
        """
        proposal = self.covering()
        log_volume = self.n_dims * math.log(proposal.covariance[0, 0])
        log_bound = 0.5 * (log_volume - float(np.linalg.slogdet(self.covariance)[1]))
        return Envelope(proposal, log_bound, np.zeros(self.n_dims))


def make_gaussian_2() -> Target:
    """Return two numbers with correlation 0.9."""
    return _target(
        Autoregression(2, CORRELATION),
        name="gaussian-2",
        title=mark("Two correlated numbers"),
        summary=mark("Two normal numbers with correlation 0.9."),
        settings=configurations(importance={"draws": 20_000}),
    )


def make_gaussian_50() -> Target:
    """Return fifty numbers, each with correlation 0.9 to its neighbours."""
    model = Autoregression(50, CORRELATION)
    accepted = math.exp(-model.envelope().log_bound)
    return _target(
        model,
        name="gaussian-50",
        title=mark("Fifty correlated numbers"),
        summary=mark("Fifty normal numbers in a row, each with correlation 0.9 to its neighbours."),
        expected=expectations(
            rejection=Expected(
                "none",
                say(
                    "the narrowest normal proposal of the same width everywhere would accept one draw in {number}",
                    number=f"{1 / accepted:.0e}",
                ),
            ),
        ),
        settings=configurations(
            stan={"draws": 1500},
            metropolis={"warmup": 2000, "thin": 40},
            nuts={"adapt_delta": 0.8, "draws": 1500},
        ),
        make_proposal=None,  # one that knows no correlations puts all weight on a few draws here; a pilot run finds one
    )


def _target(model: Autoregression, **words: Any) -> Target:
    return Target(
        **{"make_proposal": model.covering, **words},
        formulas=("x[1] ~ normal(0, 1)", "x[t] ~ normal(0.9 x[t-1], sqrt(0.19))"),
        meanings={"x": mark("correlated numbers of mean 0 and variance 1")},
        make_density=model.density,
        program="targets/gaussian.stan",
        make_stan_data=model.stan_data,
        make_pyro_program=model.pyro_program,
        log_normalizer=0.0,
        exact=model.exact,
        moments=model.moments(),
        make_envelope=model.envelope,
    )
