"""Sweeps on a GPU come to what they come to on the CPU."""

import numpy as np
import pytest
import torch
from datasets.rating_files import synthetic_ratings

import bayeskit as bk
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("options", [{}, {"likelihood": "ordinal"}, {"nonnegative": True}])
def test_devices_agree(options):
    model = bk.bmf(bk.ratings(synthetic_ratings(300, 200, 8000, 3, seed=2)), rank=4, **options)
    config = GibbsConfig(chains=2, warmup=100, draws=200)
    found = [fit_gibbs(model.gibbs(device), config, seed=1) for device in ("cpu", "cuda")]
    assert found[1].engine["device"] == "cuda"
    held = [draws.groups["held_out"]["mean"] for draws in found]
    # Random numbers differ, so that means do by their simulation error, of far less than a rating's own.
    assert np.sqrt(np.mean((held[0] - held[1]) ** 2)) < 0.1
    errors = [np.sqrt(np.mean((mean - found[0].groups["held_out"]["rating"]) ** 2)) for mean in held]
    assert errors[0] == pytest.approx(errors[1], rel=0.02)
