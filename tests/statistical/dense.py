"""The state-space models as one big Gaussian: the exact oracle that the Kalman filter and smoother are held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Dense:
    """States and observations of ``n_days`` with known scales, by plain linear algebra."""

    structure: str
    y: Floats  # NaN where missing
    noise: NDArray[np.int64]  # 0 or 1
    s_mu: float
    s_y: Floats
    mu_1: tuple[float, float]
    slope_1: tuple[float, float] = (0.0, 1.0)

    def states(self) -> tuple[Floats, Floats]:
        """Prior mean and covariance of mu, n_days and n_days x n_days."""
        days = np.arange(self.y.size)
        steps = np.maximum(days[:, None] - days[None, 1:] + 1, 0)  # how often a step has entered by each day
        if self.structure == "level":
            loading = np.column_stack([np.ones(days.size), np.minimum(steps, 1)])
            sd = np.r_[self.mu_1[1], np.full(days.size - 1, self.s_mu)]
            mean = np.full(days.size, self.mu_1[0])
        else:
            loading = np.column_stack([np.ones(days.size), days, steps[:, 1:]])
            sd = np.r_[self.mu_1[1], self.slope_1[1], np.full(days.size - 2, self.s_mu)]
            mean = self.mu_1[0] + self.slope_1[0] * days
        return mean, (loading * sd**2) @ loading.T

    @property
    def observed(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.y)

    def observations(self) -> tuple[Floats, Floats]:
        """Prior mean and covariance of the observed y."""
        mean, cov = self.states()
        seen = self.observed
        return mean[seen], cov[np.ix_(seen, seen)] + np.diag(self.s_y[self.noise[seen]] ** 2)

    def log_density(self) -> float:
        mean, cov = self.observations()
        return float(stats.multivariate_normal(mean, cov).logpdf(self.y[self.observed]))

    def one_step_ahead(self) -> Floats:
        """Log density of each observation given those before it, by the chain rule."""
        mean, cov = self.observations()
        y = self.y[self.observed]
        totals = [stats.multivariate_normal(mean[:n], cov[:n, :n]).logpdf(y[:n]) for n in range(1, y.size + 1)]
        return np.diff(np.r_[0.0, totals])

    def smoothed(self) -> tuple[Floats, Floats]:
        """Mean and covariance of mu given all observations."""
        mean, cov = self.states()
        mean_y, cov_y = self.observations()
        gain = np.linalg.solve(cov_y, cov[self.observed]).T
        return mean + gain @ (self.y[self.observed] - mean_y), cov - gain @ cov[self.observed]
