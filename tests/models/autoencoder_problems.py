"""Small autoencoders of every form, untrained, for tests of their parts."""

from __future__ import annotations

import numpy as np
import torch

from bayeskit.datasets.examples import examples
from bayeskit.models.vae import cvae, vae

N_ROWS = 40
HEIGHT, WIDTH = 5, 7
CLASSES = np.array(["left", "right", "up"])

FORMS = {
    "bernoulli": lambda: vae(images(), hidden=(8,)),
    "bernoulli, convolutions": lambda: vae(images(), architecture="conv", hidden=(3, 4)),
    "bernoulli, laplace": lambda: vae(images(), hidden=(8,), latent=3, latent_prior="laplace"),
    "continuous bernoulli": lambda: vae(images(), hidden=(8,), likelihood="continuous-bernoulli"),
    "categorical": lambda: vae(images(), hidden=(8,), likelihood="categorical"),
    "gaussian, table": lambda: vae(table(), hidden=(8, 6), latent=3),
    "gaussian, images": lambda: vae(images(), hidden=(8,), likelihood="gaussian"),
    "linear": lambda: vae(table(), hidden=(), shared_noise=True),
    "denoising": lambda: vae(images(), hidden=(8,), denoise=0.3),
    "number": lambda: cvae(table(conditions=True), hidden=(8,)),
    "class": lambda: cvae(images(conditions=True), hidden=(8,)),
    "class, convolutions": lambda: cvae(images(conditions=True), architecture="conv", hidden=(3,)),
    "one quadrant": lambda: cvae(images(), quadrants=1, hidden=(8,)),
    "two quadrants, convolutions": lambda: cvae(images(), quadrants=2, architecture="conv", hidden=(3, 4)),
    "three quadrants, class": lambda: cvae(images(conditions=True), quadrants=3, hidden=(8,)),
    "colour": lambda: vae(images(channels=3), architecture="conv", hidden=(3,)),
}


def images(channels: int = 0, *, conditions: bool = False, binarise: str = "none"):
    """Return images of whole grey levels."""
    rng = np.random.default_rng(1)
    shape = (N_ROWS, HEIGHT, WIDTH, *([channels] if channels else []))
    given = {"way": CLASSES[np.arange(N_ROWS) % 3]} if conditions else None
    whole = rng.integers(0, 256, shape).astype(np.uint8)
    return examples(whole, conditions=given, labels=CLASSES[np.arange(N_ROWS) % 3], binarise=binarise)


def table(*, conditions: bool = False, n: int = N_ROWS):
    """Return rows of a table far from 0, of unequal scales."""
    rng = np.random.default_rng(2)
    factors = rng.standard_normal((n, 2))
    values = factors @ rng.standard_normal((2, 4)) + 0.3 * rng.standard_normal((n, 4))
    given = {"t": 300 + 200 * rng.random(n)} if conditions else None
    return examples(values * [1, 10, 0.1, 3] + [0, 100, 5, -7], columns=list("abcd"), conditions=given)


def batch_of(program, n: int = 6):
    """Return the first rows of a program, prepared, in double precision."""
    torch.manual_seed(5)
    with torch.no_grad():
        return tuple(part.double() for part in program.prepare(tuple(part[:n] for part in program.train)))


def doubled(model, seed: int = 1):
    """Return a model's program in double precision."""
    program = model.training(seed)
    program.module.double()
    return program
