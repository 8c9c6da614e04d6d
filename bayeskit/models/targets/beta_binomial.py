"""Beta distributions: Beta(2, 5), and a share known through a binomial count."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeskit.core.density import Arrays, Density, Floats
from bayeskit.core.language import mark
from bayeskit.core.proposals import Uniform
from bayeskit.models.targets._target import Envelope, Moment, Target


@dataclass(frozen=True)
class BetaBinomial:
    """``y`` successes in ``n_trials``, each with probability ``theta ~ beta(a, b)``.

    The posterior is ``beta(a + y, b + n_trials - y)``: Gelman et al. (2013), Bayesian Data Analysis, section 2.4,
    doi:10.1201/b16018.
    """

    n_trials: int
    y: int
    a: float
    b: float

    @property
    def log_ways(self) -> float:
        """Logarithm of the number of orders that the successes may come in."""
        rest = self.n_trials - self.y
        return math.lgamma(self.n_trials + 1) - math.lgamma(self.y + 1) - math.lgamma(rest + 1)

    @property
    def posterior(self) -> tuple[float, float]:
        """The posterior's two parameters."""
        return self.a + self.y, self.b + self.n_trials - self.y

    @property
    def log_normalizer(self) -> float:
        """Log probability of the count: that of the beta-binomial distribution."""
        return self.log_ways + _log_beta(*self.posterior) - _log_beta(self.a, self.b)

    def density(self) -> Density:
        """Return prior times likelihood, every constant included."""
        successes, failures = self.a + self.y - 1, self.b + self.n_trials - self.y - 1
        constant = self.log_ways - _log_beta(self.a, self.b)

        def log_density(points: Any) -> Any:
            theta = points[..., 0]
            return constant + successes * np.log(theta) + failures * np.log1p(-theta)

        def gradient(points: Floats) -> tuple[Floats, Floats]:
            return log_density(points), successes / points - failures / (1 - points)

        return Density(
            log_density,
            {"theta": ()},
            gradient=gradient,
            lower=np.zeros(1),
            upper=np.ones(1),
            start=lambda rng, n: rng.random((n, 1)),
        )

    def stan_data(self) -> dict[str, Any]:
        """Return the Stan program's data."""
        return {"N": self.n_trials, "y": self.y, "a": self.a, "b": self.b}

    def pyro_program(self) -> Callable[[], object]:
        """Return the Pyro program."""
        import pyro.distributions
        import torch

        dist: Any = pyro.distributions
        a, b = torch.tensor([self.a, self.b], dtype=torch.float64)
        y = torch.tensor(float(self.y), dtype=torch.float64)

        def program() -> None:
            theta = pyro.sample("theta", dist.Beta(a, b))
            if self.n_trials:
                pyro.sample("y", dist.Binomial(self.n_trials, theta), obs=y)

        return program

    def exact(self, rng: np.random.Generator, n: int) -> Arrays:
        """Draw from the posterior."""
        return {"theta": rng.beta(*self.posterior, size=n)}

    def moments(self) -> dict[str, Moment]:
        """Return the posterior's mean and variance."""
        a, b = self.posterior
        mean = a / (a + b)
        return {
            "mean": Moment(lambda draws: draws["theta"], mean, "a / (a + b)"),
            "variance": Moment(
                lambda draws: np.square(draws["theta"] - mean),
                a * b / ((a + b) ** 2 * (a + b + 1)),
                "a b / ((a + b)² (a + b + 1))",
            ),
        }

    def envelope(self) -> Envelope:
        """Return the uniform proposal; the density is largest at the mode ``(a - 1) / (a + b - 2)``.

        That of Beta(2, 5) is 0.2, where its density is ``30 * 0.2 * 0.8**4 = 2.4576``.
        """
        a, b = self.posterior
        mode = np.array([(a - 1) / (a + b - 2)])
        return Envelope(_unit(), float(self.density().log_density(mode[None])[0]), mode)


def make_beta() -> Target:
    """Return Beta(2, 5)."""
    model = BetaBinomial(n_trials=0, y=0, a=2.0, b=5.0)
    return _target(
        model,
        name="beta",
        title=mark("Beta distribution"),
        summary=mark("A share between 0 and 1 that is most likely around 0.2."),
        formulas=("theta ~ beta(2, 5)",),
        meanings={"theta": mark("a share")},
    )


def make_beta_binomial() -> Target:
    """Return the posterior of a share after 7 successes in 20 trials, its prior uniform."""
    model = BetaBinomial(n_trials=20, y=7, a=1.0, b=1.0)
    return _target(
        model,
        name="beta-binomial",
        title=mark("Share behind a count"),
        summary=mark("The probability of success after 7 successes in 20 trials."),
        formulas=("theta ~ beta(1, 1)", "y ~ binomial(20, theta)", "y = 7"),
        meanings={"theta": mark("probability of success")},
    )


def _target(model: BetaBinomial, **words: Any) -> Target:
    return Target(
        **words,
        make_density=model.density,
        program="targets/beta_binomial.stan",
        make_stan_data=model.stan_data,
        make_pyro_program=model.pyro_program,
        log_normalizer=model.log_normalizer,
        exact=model.exact,
        moments=model.moments(),
        make_proposal=_unit,
        make_envelope=model.envelope,
    )


def _unit() -> Uniform:
    return Uniform(np.zeros(1), np.ones(1))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
