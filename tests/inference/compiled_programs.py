"""Two Pyro programs that more than one test module wants compiled: functions of a module, as processes need them."""

from __future__ import annotations

import pyro
import torch
from pyro import distributions as dist

Y = torch.tensor([1.2, 0.4, 2.2, 1.9, 0.7], dtype=torch.float64)
POINTS = torch.tensor(
    [[-2.1, 0.3], [-1.7, -0.4], [-2.4, 0.1], [-1.9, 0.6], [1.8, 1.1], [2.3, 0.7], [2.0, 0.9], [1.7, 1.3]],
    dtype=torch.float64,
)


def conjugate():
    mu = pyro.sample("mu", dist.Normal(0.0, 2.0))
    log_spread = pyro.sample("log_spread", dist.Normal(1.0, 0.5))
    pyro.deterministic("spread", log_spread.exp())
    with pyro.plate("days", 5):
        pyro.sample("y", dist.Normal(mu, 1.5), obs=Y)


def looks():
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(x if x > 0 else 3 * x, 1.0), obs=torch.tensor(0.5))


def endless():
    """Its density has no bound: it is infinite far out."""
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.factor("wrong", torch.where(x > 1.5, torch.inf, 0.0))
