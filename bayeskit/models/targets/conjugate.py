"""Conjugate normal sample and linear regression: mean, coefficients and noise all unknown."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayeskit.core.density import Arrays, Density, Floats
from bayeskit.core.language import mark
from bayeskit.models.targets._normal_inverse_gamma import NormalInverseGamma
from bayeskit.models.targets._target import Envelope, Moment, Target, configurations

# Simulated once: numpy.random.default_rng(20261120), normal(5, 2) to two digits.
SAMPLE = (7.76, 4.39, 8.22, 7.92, 4.59, 6.62, 3.8, 4.47, 5.85, 6.16, 6.98, 6.16)
# Simulated once, x = -0.95, -0.85, ..., 0.95: default_rng(20261121), normal(1 + 2 x, 0.7) to two digits.
RESPONSE = (
    *(-0.77, -0.24, -0.2, 0.29, 0.27, -0.44, 0.08, 0.13, 0.86, 0.82),
    *(1.11, -0.3, 0.81, 2.07, 2.21, 1.64, 3.16, 2.4, 3.08, 3.01),
)


@dataclass(frozen=True)
class Regression:
    """Normal responses with a conjugate prior.

    ``sigma2 ~ inv_gamma(a, b)``, ``beta ~ normal(centre, spread sqrt(sigma2))``, ``y ~ normal(X beta, sqrt(sigma2))``.

    The posterior is normal and inverse gamma again, and so the evidence is known: O'Hagan and Forster (2004),
    Kendall's Advanced Theory of Statistics 2B, chapter 11; Gelman et al. (2013), chapter 14, doi:10.1201/b16018.

    Parameters
    ----------
    design, y
        ``n_observations x n_coefficients``, and ``n_observations``.
    centre, spread
        Of the coefficients' prior, the latter in units of the noise's standard deviation.
    a, b
        Shape and scale of the noise variance's prior.
    """

    design: Floats
    y: Floats
    centre: Floats
    spread: Floats
    a: float
    b: float

    @property
    def prior(self) -> NormalInverseGamma:
        """The prior."""
        covariance: Floats = np.diag(self.spread**2)
        return NormalInverseGamma(self.centre, covariance, self.a, self.b)

    @cached_property
    def posterior(self) -> NormalInverseGamma:
        """The posterior."""
        precision = np.diag(1 / self.spread**2)
        covariance: Floats = np.asarray(np.linalg.inv(precision + self.design.T @ self.design), dtype=float)
        mean = covariance @ (precision @ self.centre + self.design.T @ self.y)
        # As sums of squares, neither of which can cancel: the data's distance from the fit, and the prior's.
        misfit = np.square(self.y - self.design @ mean).sum() + np.square((mean - self.centre) / self.spread).sum()
        return NormalInverseGamma(mean, covariance, self.a + self.y.size / 2, self.b + 0.5 * float(misfit))

    @property
    def _least_squares(self) -> tuple[Floats, float]:
        """The least squares fit, and its sum of squared residuals."""
        best: Floats = np.asarray(np.linalg.lstsq(self.design, self.y, rcond=None)[0], dtype=float)
        return best, float(np.square(self.y - self.design @ best).sum())

    @property
    def log_evidence(self) -> float:
        """Log density of the data, coefficients and noise integrated out."""
        prior, posterior = self.prior, self.posterior
        return (
            -0.5 * self.y.size * math.log(2 * math.pi)
            + 0.5 * float(np.linalg.slogdet(posterior.covariance)[1] - np.linalg.slogdet(prior.covariance)[1])
            + prior.shape * math.log(prior.scale)
            - posterior.shape * math.log(posterior.scale)
            + math.lgamma(posterior.shape)
            - math.lgamma(prior.shape)
        )

    def density(self) -> Density:
        """Return prior times likelihood, every constant included.

        The squared residuals are ``|y - X beta|² = |y - X b|² + |R (beta - b)|²``, ``b`` the least squares fit and
        ``R`` the triangular factor of ``X``: as many terms as coefficients, however many observations there are.
        """
        size, width = self.design.shape
        best, smallest = self._least_squares
        factor: Any = np.linalg.qr(self.design, mode="r")
        constant = (
            -0.5 * (size + width) * math.log(2 * math.pi)
            - float(np.log(self.spread).sum())
            + self.a * math.log(self.b)
            - math.lgamma(self.a)
        )
        power = self.a + 1 + 0.5 * (size + width)

        def log_density(points: Any) -> Any:
            sigma2 = points[..., width]
            away = [points[..., column] - float(best[column]) for column in range(width)]
            squares = 2 * self.b + smallest
            for row in range(width):
                squares = squares + ((points[..., row] - self.centre[row]) / self.spread[row]) ** 2
                squares = squares + sum(float(factor[row, column]) * away[column] for column in range(row, width)) ** 2
            return constant - power * np.log(sigma2) - 0.5 * squares / sigma2

        def gradient(points: Floats) -> tuple[Floats, Floats]:
            beta, sigma2 = points[:, :width], points[:, width:]
            residual = self.y - beta @ self.design.T
            away = (beta - self.centre) / self.spread
            squares = 2 * self.b + (residual**2).sum(1, keepdims=True) + (away**2).sum(1, keepdims=True)
            along = (residual @ self.design - away / self.spread) / sigma2
            return log_density(points), np.concatenate([along, 0.5 * squares / sigma2**2 - power / sigma2], axis=1)

        return Density(
            log_density,
            {"beta": (width,), "sigma2": ()},
            gradient=gradient,
            lower=np.array([*[-np.inf] * width, 0.0]),
            start=lambda rng, n: self.prior.sample(rng, n),
        )

    def stan_data(self) -> dict[str, Any]:
        """Return the Stan program's data."""
        size, width = self.design.shape
        data = {"N": size, "K": width, "X": self.design, "y": self.y, "centre": self.centre, "spread": self.spread}
        return {**data, "a": self.a, "b": self.b}

    def pyro_program(self) -> Callable[[], object]:
        """Return the Pyro program."""
        import pyro.distributions
        import torch

        dist: Any = pyro.distributions
        design, y, centre, spread = (torch.as_tensor(a) for a in (self.design, self.y, self.centre, self.spread))
        a, b = torch.tensor([self.a, self.b], dtype=torch.float64)

        def program() -> None:
            sigma2 = pyro.sample("sigma2", dist.InverseGamma(a, b))
            sigma = torch.sqrt(sigma2)[..., None]
            beta = pyro.sample("beta", dist.Normal(centre, spread * sigma).to_event(1))
            pyro.sample("y", dist.Normal(beta @ design.T, sigma).to_event(1), obs=y)

        return program

    def exact(self, rng: np.random.Generator, n: int) -> Arrays:
        """Draw from the posterior: the noise, then the coefficients given it."""
        points = self.posterior.sample(rng, n)
        return {"beta": points[:, :-1], "sigma2": points[:, -1]}

    def envelope(self) -> Envelope:
        """Return the prior as the proposal: the ratio is the likelihood, largest at the least squares fit."""
        best, smallest = self._least_squares
        variance = smallest / self.y.size
        log_bound = -0.5 * self.y.size * (math.log(2 * math.pi * variance) + 1)
        return Envelope(self.prior, log_bound, np.append(best, variance))

    def moments(self) -> dict[str, Moment]:
        """Return means of all, and the variance of the last coefficient."""
        posterior = self.posterior
        noise = posterior.scale / (posterior.shape - 1)
        mean, variance = float(posterior.mean[-1]), float(noise * posterior.covariance[-1, -1])
        return {
            "mean of beta": Moment(lambda draws: draws["beta"][:, -1], mean, "m"),
            "variance of beta": Moment(lambda draws: np.square(draws["beta"][:, -1] - mean), variance, "V b / (a - 1)"),
            "mean of sigma2": Moment(lambda draws: draws["sigma2"], noise, "b / (a - 1)"),
        }


def make_normal() -> Target:
    """Return the posterior of mean and variance of twelve numbers."""
    y = np.array(SAMPLE)
    model = Regression(np.ones((y.size, 1)), y, np.array([4.0]), np.array([2.0]), a=3.0, b=6.0)
    return _target(
        model,
        name="normal",
        title=mark("Mean and variance of a sample"),
        summary=mark("Twelve normal numbers whose mean and variance are both unknown."),
        formulas=(
            "sigma2 ~ inv_gamma(3, 6)",
            "beta[1] ~ normal(4, 2 sqrt(sigma2))",
            "y[n] ~ normal(beta[1], sqrt(sigma2))",
        ),
        meanings={"beta": mark("mean of the numbers"), "sigma2": mark("variance of the numbers")},
        settings=configurations(importance={"draws": 50_000}),
    )


def make_linear_regression() -> Target:
    """Return the posterior of a straight line through twenty points."""
    y = np.array(RESPONSE)
    x = (np.arange(y.size) + 0.5) / 10 - 1
    model = Regression(np.column_stack([np.ones_like(x), x]), y, np.zeros(2), np.array([3.0, 3.0]), a=3.0, b=1.0)
    return _target(
        model,
        name="linear-regression",
        title=mark("Straight line through points"),
        summary=mark("A straight line through twenty points, with noise of unknown size."),
        formulas=(
            "sigma2 ~ inv_gamma(3, 1)",
            "beta[k] ~ normal(0, 3 sqrt(sigma2))",
            "y[n] ~ normal(beta[1] + beta[2] x[n], sqrt(sigma2))",
        ),
        meanings={"beta": mark("intercept and slope of the line"), "sigma2": mark("variance around the line")},
        settings=configurations(importance={"draws": 200_000}),
    )


def _target(model: Regression, **words: Any) -> Target:
    return Target(
        **words,
        make_density=model.density,
        program="targets/linear_regression.stan",
        make_stan_data=model.stan_data,
        make_pyro_program=model.pyro_program,
        log_normalizer=model.log_evidence,
        exact=model.exact,
        moments=model.moments(),
        make_proposal=lambda: model.prior,
        make_envelope=model.envelope,
    )
