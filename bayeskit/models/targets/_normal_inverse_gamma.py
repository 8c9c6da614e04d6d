"""The normal-inverse-gamma distribution, conjugate to the normal with unknown mean and variance; a ``Proposal``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bayeskit.core.density import Floats


@dataclass(frozen=True, eq=False)
class NormalInverseGamma:
    """``sigma2 ~ inv_gamma(shape, scale)``, ``beta ~ normal(mean, sigma2 covariance)``; points are ``(beta, sigma2)``.

    Bernardo and Smith (1994), Bayesian Theory, appendix A, doi:10.1002/9780470316870.
    """

    mean: Floats
    covariance: Floats
    shape: float
    scale: float

    @property
    def n_dims(self) -> int:
        """Number of coordinates: the coefficients and the variance."""
        return self.mean.size + 1

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, ``n x n_dims``."""
        sigma2 = self.scale / rng.standard_gamma(self.shape, (n, 1))
        white = rng.standard_normal((n, self.mean.size)) @ np.linalg.cholesky(self.covariance).T
        return np.concatenate([self.mean + np.sqrt(sigma2) * white, sigma2], axis=1)

    def log_density(self, points: Floats) -> Floats:
        """Return normalised log densities, ``n_points``; -inf where the variance is not above 0."""
        away = points[:, :-1] - self.mean
        distance = np.einsum("ni,ij,nj->n", away, np.linalg.inv(self.covariance), away)
        constant = (
            self.shape * math.log(self.scale)
            - math.lgamma(self.shape)
            - 0.5 * self.mean.size * math.log(2 * math.pi)
            - 0.5 * float(np.linalg.slogdet(self.covariance)[1])
        )
        positive = points[:, -1] > 0
        sigma2 = np.where(positive, points[:, -1], 1.0)
        power = self.shape + 1 + 0.5 * self.mean.size
        return np.where(positive, constant - power * np.log(sigma2) - (self.scale + 0.5 * distance) / sigma2, -np.inf)
