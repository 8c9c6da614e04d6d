"""A small simulation-based calibration of the weather models: ranks of the true scales must be uniform.

Talts, Betancourt, Simpson, Vehtari and Gelman (2018), arXiv:1804.06788.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statistical.test_weather_posterior import small_data

import bayeskit as bk

N_SIMULATIONS = 60
N_RANKS = 50  # thinned from 400 draws, so that neighbours are nearly independent
CONFIG = bk.StanConfig(chains=1, warmup=300, draws=400)
ALPHA = 1e-3


def ranks(model, fitted_model=None, n_simulations=N_SIMULATIONS):
    """Ranks of the true scales and of the last state among their posterior draws, one row a simulation."""
    rng = np.random.default_rng(5)
    rows = []
    for simulation in range(n_simulations):
        truth, simulated = model.simulate(rng)
        if fitted_model is not None:
            simulated = replace(simulated, priors=fitted_model.priors)
        posterior = bk.fit(simulated, seed=simulation, config=CONFIG).posterior["posterior"].isel(chain=0)
        thinned = posterior.isel(draw=slice(None, None, CONFIG.draws // N_RANKS))
        rows.append(
            [
                int((thinned["s_mu"] < truth["s_mu"]).sum()),
                int((thinned["s_y"].values.reshape(N_RANKS, -1)[:, -1] < np.ravel(truth["s_y"])[-1]).sum()),
                int((thinned["mu"][:, -1] < truth["mu"][-1]).sum()),
            ]
        )
    return np.array(rows)


def p_values(found):
    """Chi-square p-value of each quantity's ranks in five bins."""
    counts = [np.histogram(column, bins=5, range=(-0.5, N_RANKS + 0.5))[0] for column in found.T]
    return [stats.chisquare(count).pvalue for count in counts]


@pytest.mark.parametrize("structure", ["level", "trend"])
def test_ranks_are_uniform(structure):
    model = bk.weather(small_data(30), model=structure)
    assert min(p_values(ranks(model))) > ALPHA


@pytest.mark.slow
@pytest.mark.parametrize("rain", ["ignore", "noise"])
@pytest.mark.parametrize("structure", ["level", "trend"])
def test_ranks_are_uniform_at_length(structure, rain):
    model = bk.weather(small_data(60), model=structure, rain=rain)
    assert min(p_values(ranks(model, n_simulations=600))) > ALPHA


def test_wrong_prior_is_caught():
    model = bk.weather(small_data(30), model="level")
    wrong = bk.weather(small_data(30), model="level", prior=["s_mu=normal(0, 0.3)", "s_y=normal(0, 0.3)"])
    assert min(p_values(ranks(model, wrong))) < ALPHA
