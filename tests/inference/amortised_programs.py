"""A small variational autoencoder that the tests of amortised inference share, and a child process that trains it."""

from __future__ import annotations

import pyro
import torch
from pyro import distributions as dist
from torch import nn


def digits(n=300, n_columns=12, seed=1):
    """Rows of 0 and 1 that two codes are behind."""
    made = torch.Generator().manual_seed(seed)
    codes = torch.randn(n, 2, generator=made)
    logits = 2 * codes @ torch.randn(2, n_columns, generator=made)
    return (torch.rand(n, n_columns, generator=made) < torch.sigmoid(logits)).float()


class Networks(nn.Module):
    def __init__(self, n_columns, latent, hidden):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_columns, hidden), nn.Softplus())
        self.location, self.log_scale = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.Softplus(), nn.Linear(hidden, n_columns))


class Autoencoder:
    """Rows of 0 and 1; ``prior`` is what codes come from, ``posterior`` what the guide takes for them."""

    def __init__(self, rows, held_out=None, *, latent=2, hidden=16, prior=dist.Normal, posterior=dist.Normal, seed=0):
        self.train, self.held_out = (rows,), (rows[:0] if held_out is None else held_out,)
        self.latent, self._prior, self._posterior = latent, prior, posterior
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.module = Networks(rows.shape[1], latent, hidden)

    def prepare(self, batch):
        return batch

    def model(self, x):
        with pyro.plate("rows", len(x)):
            loc = torch.zeros(len(x), self.latent, dtype=x.dtype)
            z = pyro.sample("z", self._prior(loc, torch.ones_like(loc)).to_event(1))
            logits = self.module.decoder(z)
            pyro.sample("x", dist.Bernoulli(logits=logits).to_event(1), obs=x)

    def guide(self, x):
        with pyro.plate("rows", len(x)):
            hidden = self.module.encoder(x)
            scale = self.module.log_scale(hidden).exp()
            pyro.sample("z", self._posterior(self.module.location(hidden), scale).to_event(1))
