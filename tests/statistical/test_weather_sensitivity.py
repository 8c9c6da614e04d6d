"""Power-scaling of the weather models: draws weighted to another power of the priors, or of the likelihood, against
the posterior under that power, which is summed over a grid of the scales."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from diagnostics.factories import fit_of
from statistical.dense import Dense
from statistical.test_weather_posterior import Z_LIMIT, dense, small_data

import bayeskit as bk
from bayeskit.diagnostics.sensitivity import FAR, power_scaling

SHAPE = (4, 2500)


@dataclass(frozen=True)
class Grid:
    """A model whose scales take these values only: its posterior is a sum, whatever the powers."""

    model: bk.models.weather.WeatherModel
    s_mu: np.ndarray
    s_y: np.ndarray

    def cells(self, prior_power: float = 1.0, first_power: float | None = None) -> list[Dense]:
        """The Gaussian of each cell; a normal prior on the first day to a power is normal with a narrower spread."""
        power = prior_power if first_power is None else first_power
        firsts = {
            name: (mean, sd / np.sqrt(power))
            for name in ("mu_1", "slope_1")
            if name in {prior.name for prior in self.model.priors}
            for mean, sd in [self.model.prior(name).arguments]
        }
        return [replace(dense(self.model, a, b), **firsts) for a, b in zip(self.s_mu, self.s_y, strict=True)]

    def posterior(self, prior_power=1.0, likelihood_power=1.0, first_power=None):
        """Probability of each cell, and the means of s_mu, s_y and the first day's level."""
        cells = self.cells(prior_power, first_power)
        prior = np.log(self.model.prior("s_mu").density(self.s_mu)) + np.log(self.model.prior("s_y").density(self.s_y))
        log_density = prior_power * prior + likelihood_power * np.array([cell.log_density() for cell in cells])
        weights = np.exp(log_density - log_density.max())
        weights /= weights.sum()
        first = np.array([cell.smoothed()[0][0] for cell in cells])
        return weights, {"s_mu": weights @ self.s_mu, "s_y": weights @ self.s_y, "mu": weights @ first}

    def draws(self, seed=1):
        """Independent draws of the joint posterior, as Stan hands them over."""
        rng = np.random.default_rng(seed)
        places = rng.choice(self.s_mu.size, SHAPE, p=self.posterior()[0])
        cells = self.cells()
        log_lik = np.array([cell.log_density() for cell in cells])
        first = np.empty((*SHAPE, 2))
        for place in np.unique(places):
            mean, cov = cells[place].smoothed()
            found = places == place
            first[found] = rng.multivariate_normal(mean[:2], cov[:2, :2], int(found.sum()))
        return {
            "s_mu": self.s_mu[places],
            "s_y": self.s_y[places][..., None],
            "signal_share": np.zeros((*SHAPE, 1)),
            "mu": first,
            "slope": np.diff(first),
            "log_lik": log_lik[places][..., None],
            "y_rep": np.zeros((*SHAPE, 1)),
        }


def grid_of(structure):
    first = ["mu_1=normal(9, 1)", "slope_1=normal(1, 0.5)"][: 1 + (structure == "trend")]
    narrow = {"level": "s_mu=normal(0, 0.4)", "trend": "s_mu=normal(0, 1)"}[structure]
    model = bk.weather(small_data(20), model=structure, prior=[narrow, "s_y=gamma(3, 2)", *first])
    a, b = np.meshgrid(np.linspace(0.05, 3, 16), np.linspace(0.1, 5, 16), indexing="ij")
    return Grid(model, a.ravel(), b.ravel())


def off(scaled, draws, exact):
    """Distances of the weighted means from the exact ones, in units of their Monte Carlo errors."""
    flat = {"s_mu": draws["s_mu"], "s_y": draws["s_y"][..., 0], "mu": draws["mu"][..., 0]}
    found = {}
    for name, values in flat.items():
        mean = scaled.weights @ values.ravel()
        error = np.sqrt(np.square(scaled.weights) @ np.square(values.ravel() - mean))
        found[name] = abs(mean - exact[name]) / error
    return found


@pytest.mark.parametrize("structure", ["level", "trend"])
def test_weighted_draws_are_of_the_posterior_under_the_power(structure):
    grid = grid_of(structure)
    values = grid.draws()
    groups = grid.model.groups(values)
    assert set(groups["log_prior"]) == {prior.name for prior in grid.model.priors}
    fit = fit_of("iid", groups.pop("posterior"), groups=groups)
    scaled = power_scaling(fit, {"s_mu": values["s_mu"], "s_y": values["s_y"][..., 0]}).scaled
    for power in FAR:
        assert max(off(scaled["prior", power], values, grid.posterior(prior_power=power)[1]).values()) < Z_LIMIT
        likelihood = off(scaled["likelihood", power], values, grid.posterior(likelihood_power=power)[1])
        assert max(likelihood["s_mu"], likelihood["s_y"]) < Z_LIMIT  # of states nothing is claimed
        # Negative controls: the posterior as it is, and one whose first day keeps its prior.
        assert max(off(scaled["prior", power], values, grid.posterior()[1]).values()) > Z_LIMIT
        assert max(off(scaled["likelihood", power], values, grid.posterior()[1]).values()) > Z_LIMIT
        kept = grid.posterior(prior_power=power, first_power=1.0)[1]
        assert max(off(scaled["prior", power], values, kept).values()) > Z_LIMIT
