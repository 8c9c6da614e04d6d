"""A linear autoencoder with one standard deviation is probabilistic principal component analysis, which is solved.

Its maximum of the likelihood is known by eigenvalues: Tipping and Bishop (1999), doi:10.1111/1467-9868.00196. At the
maximum of the bound the loadings are turned so that codes are independent given a row, and the bound is the likelihood:
Lucas, Tucker, Grosse and Norouzi (2019), arXiv:1911.02469.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch.distributions import kl_divergence

from bayeskit.datasets.examples import examples
from bayeskit.datasets.generators import factor_sensors
from bayeskit.models.autoencoders.estimates import Rows, bounds, log_density
from bayeskit.models.vae import vae

N_ROWS, N_COLUMNS, LATENT = 400, 6, 2
STEPS, RATE = 1200, 0.02
CLOSE = 0.01  # nats a row: 4 of all rows together, where the fit has 14 numbers to choose


@cache
def trained(beta=1.0, steps=STEPS):
    """Return a program whose networks were trained to the end."""
    model = vae(examples(factor_sensors(N_ROWS, seed=1, n_sensors=N_COLUMNS)), hidden=(), shared_noise=True, hold_out=0)
    assert model.spec.latent == LATENT
    program = model.training(1)
    module, (rows,) = program.module, program.train
    optimiser = torch.optim.Adam(module.parameters(), lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5 + 0.5 * math.cos(math.pi * step / steps))
    torch.manual_seed(1)
    for _ in range(steps):
        optimiser.zero_grad()
        codes, prior = module.posterior(rows, None), module.prior(rows, None)
        kl = kl_divergence(codes.base_dist, prior.base_dist).sum(-1)
        (beta * kl - module.likelihood(codes.rsample(), None).log_prob(rows)).mean().backward()
        optimiser.step()
        schedule.step()
    return program


def best(rows):
    """Return the greatest log likelihood of probabilistic principal component analysis, nats a row, and its noise."""
    d = rows.shape[1]
    values = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1]
    variance = values[LATENT:].mean()
    logs = np.log(values[:LATENT]).sum() + (d - LATENT) * math.log(variance)
    return -0.5 * (d * math.log(2 * math.pi) + logs + d), math.sqrt(variance)


def marginal(module, rows):
    """Return exact log densities of rows under the decoder's model."""
    loadings, centre = (leaf.detach().double().numpy() for leaf in module.decoder.output.parameters())
    noise = module.noise_sd().item()
    return multivariate_normal(centre, loadings @ loadings.T + noise**2 * np.eye(N_COLUMNS)).logpdf(rows)


def test_bound_and_likelihood_reach_the_maximum_likelihood():
    program = trained()
    rows = program.train[0].double().numpy()
    maximum, noise = best(rows)
    reached = marginal(program.module, rows).mean()
    assert maximum - CLOSE < reached <= maximum + 1e-6
    assert program.module.noise_sd().item() == pytest.approx(noise, rel=0.02)
    elbo = bounds(program.module, Rows(program.train[0]), np.random.default_rng(1), draws=200).elbo
    error = 4.5 * math.sqrt(N_COLUMNS / 2 / (200 * N_ROWS))
    assert maximum - 2 * CLOSE - error < elbo.mean() < reached + error


def test_log_density_by_importance_weights_is_the_exact_one():
    program = trained()
    rows = program.train[0]
    exact = marginal(program.module, rows.double().numpy())
    found = log_density(program.module, Rows(rows), np.random.default_rng(1), draws=1000)
    np.testing.assert_allclose(found, exact, atol=0.1)
    assert abs((found - exact).mean()) < 0.005


def test_a_heavier_divergence_misses_it():
    program = trained(beta=4.0, steps=400)
    rows = program.train[0].double().numpy()
    maximum, noise = best(rows)
    assert marginal(program.module, rows).mean() < maximum - 10 * CLOSE
    assert program.module.noise_sd().item() > 1.1 * noise
