"""A small variational autoencoder that the tests of amortised inference share, and children that train it until killed.

``python -m inference.amortised_programs`` imports what takes long, once, and forks a child for each line it reads: the
path of a checkpoint. It prints the child's number, then the child tells a line a step, or so.
"""

from __future__ import annotations

import os
import sys

import pyro
import torch
from pyro import distributions as dist
from torch import nn

from bayeskit.inference.amortised import AmortisedConfig, fit_amortised


def binary(n=300, n_columns=12, seed=1):
    """Rows of 0 and 1 that two codes are behind."""
    made = torch.Generator().manual_seed(seed)
    codes = torch.randn(n, 2, generator=made)
    logits = 2 * codes @ torch.randn(2, n_columns, generator=made)
    return (torch.rand(n, n_columns, generator=made) < torch.sigmoid(logits)).float()


class Networks(nn.Module):
    def __init__(self, n_columns, latent, hidden, between):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_columns, hidden), *between, nn.Softplus())
        self.location, self.log_scale = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.Softplus(), nn.Linear(hidden, n_columns))


class Autoencoder:
    """Rows of 0 and 1; ``prior`` is what codes come from, ``posterior`` what the guide takes for them."""

    def __init__(
        self, rows, held_out=None, *, latent=2, hidden=16, prior=dist.Normal, posterior=dist.Normal, seed=0, between=()
    ):
        self.train, self.held_out = (rows,), (rows[:0] if held_out is None else held_out,)
        self.latent, self._prior, self._posterior = latent, prior, posterior
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.module = Networks(rows.shape[1], latent, hidden, between)

    def prepare(self, batch):
        return batch

    def model(self, x):
        with pyro.plate("rows", len(x)):
            loc = torch.zeros(len(x), self.latent, dtype=x.dtype)
            z = pyro.sample("z", self._prior(loc, torch.ones_like(loc)).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.module.decoder(z)).to_event(1), obs=x)

    def guide(self, x):
        with pyro.plate("rows", len(x)):
            hidden = self.module.encoder(x)
            scale = self.module.log_scale(hidden).exp()
            pyro.sample("z", self._posterior(self.module.location(hidden), scale).to_event(1))


ROWS = binary(500)
KILLED = AmortisedConfig(epochs=40, batch_size=32, learning_rate=5e-3, kl_warmup=10, patience=0, checkpoint_every=0.0)


def killed(**options):
    """What children train."""
    return fit_amortised(Autoencoder(ROWS[:400], ROWS[400:]), KILLED, seed=3, **options)


def main():
    torch.set_num_threads(1)
    for line in sys.stdin:
        path, compiled = line.split()
        config = KILLED.model_copy(update={"compile": compiled})
        if not (child := os.fork()):
            program = Autoencoder(ROWS[:400], ROWS[400:])
            fit_amortised(program, config, seed=3, checkpoint=path, progress=lambda done, _: print(done, flush=True))
            os._exit(0)
        print(f"child {child}", flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main()
