"""Training on a GPU, with products of matrices in bfloat16 there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inference.amortised_programs import ROWS, Autoencoder

from bayeskit.inference.amortised import AmortisedConfig, fit_amortised

pytestmark = pytest.mark.gpu
CONFIG = AmortisedConfig(epochs=100, batch_size=64, learning_rate=5e-3, patience=0)


@pytest.fixture(autouse=True)
def gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device is at hand")


def fit(**options):
    program = Autoencoder(ROWS[:400], ROWS[400:])
    return fit_amortised(program, CONFIG.model_copy(update={"device": "cuda", **options}), seed=1)


@pytest.mark.parametrize("compiled", ["never", "always"])
def test_a_gpu_reaches_the_bound_that_the_processor_reaches(compiled):
    there, here = fit(compile=compiled), fit(device="cpu", compile="never")
    assert there.engine["device"] == "cuda"
    assert there.engine["elbo"] == pytest.approx(here.engine["elbo"], abs=0.15)
    assert all(value.dtype == np.float32 for value in there.groups["weights"].values())


def test_the_same_seed_gives_the_same_bits_on_a_gpu():
    one, again = fit(epochs=10), fit(epochs=10)
    for name, value in one.groups["weights"].items():
        np.testing.assert_array_equal(again.groups["weights"][name], value)
