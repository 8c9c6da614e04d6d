"""Divergences of codes from their prior, in closed form, are the means of log ratios of densities of draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models.autoencoder_problems import FORMS, batch_of, doubled
from torch.distributions import kl_divergence

N_DRAWS = 40_000
LIMIT = 4.8  # standard errors: one false alarm in about 10,000 runs of all of these numbers


def scores(form, factor=1.0):
    """Return by how many standard errors closed forms and means over draws differ, for each row and code."""
    program = doubled(FORMS[form]())
    module, batch = program.module, batch_of(program)
    row, seen, given = (*batch, None)[:3]
    torch.manual_seed(7)
    with torch.no_grad():
        # Untrained heads say almost the same of all rows; these spread means and scales.
        for head in (module.head, getattr(module, "prior_head", module.head)):
            head.layer.weight.mul_(6)
        codes = module.posterior(seen, given).base_dist
        prior = module.prior(row, module.context(row, given)).base_dist
        exact = kl_divergence(codes, prior)
        drawn = codes.rsample((N_DRAWS,))
        ratios = codes.log_prob(drawn) - prior.log_prob(drawn)
    return ((ratios.mean(0) - factor * exact) / (ratios.std(0) / N_DRAWS**0.5)).numpy(), exact.numpy()


@pytest.mark.parametrize("form", ["gaussian, table", "bernoulli, laplace", "one quadrant"])
def test_closed_form_is_the_mean_over_draws(form):
    found, exact = scores(form)
    assert np.abs(found).max() < LIMIT
    assert (exact > 0).all()
    assert exact.max() > 0.1
    assert np.abs(scores(form, factor=1.05)[0]).max() > LIMIT


def test_divergence_of_an_unused_laplace_code_is_0():
    """A normal guide could not reach this: it costs 0.05 nats even where it is nearest to a Laplace prior."""
    program = doubled(FORMS["bernoulli, laplace"]())
    module, (row, seen) = program.module, batch_of(program)
    with torch.no_grad():
        module.head.layer.weight.zero_()
        module.head.layer.bias.zero_()
        module.head.layer.bias[module.card.latent :] = np.log(np.expm1(1 - 1e-5))
        codes, prior = module.posterior(seen, None).base_dist, module.prior(row, None).base_dist
        torch.testing.assert_close(kl_divergence(codes, prior), torch.zeros(len(row), module.card.latent).double())
        widths = torch.linspace(0.5, 2, 200, dtype=torch.float64)
        normal = torch.distributions.Normal(torch.zeros(200, dtype=torch.float64), widths)
        laplace = torch.distributions.Laplace(torch.zeros(200, dtype=torch.float64), torch.ones(200).double())
        assert kl_divergence(normal, laplace).min().item() == pytest.approx(0.5 - np.log(np.pi / 2), abs=1e-4)
