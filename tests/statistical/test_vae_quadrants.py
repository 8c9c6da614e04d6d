"""Completing digits from quadrants: as good on MNIST as Pyro's tutorial of conditional autoencoders says.

https://pyro.ai/examples/cvae.html: cross entropy of grey pixels, with the lower left, the left half, or all but the
lower right given; minus the bound, on average over the 10,000 test images.
"""

from __future__ import annotations

import numpy as np
import pytest

from bayeskit.core.errors import DataError
from bayeskit.datasets.examples import load_examples
from bayeskit.inference.amortised import AmortisedConfig, fit_amortised
from bayeskit.models.autoencoders.estimates import Rows, bounds
from bayeskit.models.autoencoders.using import rebuilt
from bayeskit.models.vae import cvae

TUTORIAL = {1: 71.8, 2: 51.0, 3: 24.2}


def judged(model, config):
    """Return trained networks and the rows that were held out."""
    program = model.training(1)
    weights = fit_amortised(program, config, seed=1).groups["weights"]
    return rebuilt(model.spec, weights), program.held_out[0]


def loss(module, rows):
    """Return minus the bounds of rows."""
    return -bounds(module, Rows(rows), np.random.default_rng(1), draws=10).elbo


def test_what_is_given_tells_what_is_hidden():
    """Of another image's quadrants digits are completed worse, and the more is given the less is left to say."""
    model = cvae(load_examples("digits"), quadrants=2, latent=8, hidden=(100,))
    config = AmortisedConfig(
        epochs=25, learning_rate=3e-3, schedule="cosine", patience=0, compile="never", device="cpu"
    )
    module, rows = judged(model, config)
    own = loss(module, rows)
    mixed = rows.roll(1, 0)
    mixed[:, module.hidden_places] = rows[:, module.hidden_places]
    worse = loss(module, mixed) - own
    assert worse.mean() > 5 * worse.std() / len(worse) ** 0.5
    # No network: each pixel has its mean in training.
    means = (
        model.data.values[~model.held_out].reshape(-1, 64)[:, module.hidden_places].mean(axis=0).clip(1e-3, 1 - 1e-3)
    )
    hidden = rows[:, module.hidden_places].numpy()
    alone = -(hidden * np.log(means) + (1 - hidden) * np.log(1 - means)).sum(axis=1)
    better = alone - own
    assert better.mean() > 5 * better.std() / len(better) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("quadrants", TUTORIAL)
def test_mnist_is_completed_as_well_as_by_the_tutorial(quadrants):
    """Each takes 7 to 9 minutes of one core of a CPU that others use too."""
    try:
        data = load_examples("mnist")
    except DataError as error:
        pytest.skip(str(error))
    model = cvae(data, quadrants=quadrants, latent=64, hidden=(500, 500))
    config = AmortisedConfig(epochs=14, batch_size=256, schedule="cosine", patience=0, compile="never", device="cpu")
    module, rows = judged(model, config)
    assert len(rows) == 10_000
    assert loss(module, rows).mean() <= TUTORIAL[quadrants]
