"""Pyro programs that the tests of variational inference share, and one that a child process fits until it is killed."""

from __future__ import annotations

import sys

import numpy as np
import pyro
import torch
from pyro import distributions as dist

from bayeskit.inference._checkpoints import digest_of_function
from bayeskit.inference.svi import SVIConfig, fit_svi

X = np.linspace(-1, 2, 60).reshape(20, 3)[:, :2] ** np.array([1, 2])
Y = X @ np.array([0.7, -0.4]) + np.random.default_rng(1).normal(0, 0.5, 20)
NOISE, WIDTH = 0.5, 2.0


def regression(x, y):
    slopes = pyro.sample("slopes", dist.Normal(torch.zeros(2), WIDTH).to_event(1))
    pyro.deterministic("first", slopes[0])
    with pyro.plate("rows", len(x)):
        pyro.sample("y", dist.Normal(x @ slopes, NOISE), obs=y)


def exact():
    """Posterior mean, covariance and log evidence of the regression."""
    covariance = np.linalg.inv(X.T @ X / NOISE**2 + np.eye(2) / WIDTH**2)
    marginal = NOISE**2 * np.eye(20) + WIDTH**2 * X @ X.T
    evidence = -0.5 * (Y @ np.linalg.solve(marginal, Y) + np.linalg.slogdet(2 * np.pi * marginal)[1])
    return covariance @ X.T @ Y / NOISE**2, covariance, evidence


def mixture(y):
    share = pyro.sample("share", dist.Beta(2.0, 2.0))
    with pyro.plate("both", 2):
        means = pyro.sample("means", dist.Normal(torch.tensor([-2.0, 2.0]), 0.5))
    with pyro.plate("points", len(y)):
        z = pyro.sample("z", dist.Bernoulli(share)).long()
        pyro.deterministic("where", means[z])
        pyro.sample("y", dist.Normal(means[z], 1.0), obs=y)


KILLED = SVIConfig(
    steps=400, window=50, checkpoint_every=0.005, draws=20, schedule="constant", tolerance=1e-9, patience=9
)


def in_child(path):
    """Fit until somebody kills this process; a line a step, or so, tells how far it is."""
    print(digest_of_function(made(1)), flush=True)
    config = KILLED.model_copy(update={"checkpoint": path})
    fit_svi(regression, (torch.tensor(X), torch.tensor(Y)), config=config, seed=3, progress=told)


def told(done, total):
    print(done, flush=True)


def made(number, words=("a", "b")):
    """A program that holds a number, and a set of texts."""

    def program(x):
        return number if x in {"left", "right", "middle", "top", "bottom", "front", "back"} else words

    return program


if __name__ == "__main__":
    torch.set_num_threads(1)
    in_child(sys.argv[1])
