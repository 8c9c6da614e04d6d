"""Networks that are trained: their bound is Pyro's, its gradient that of finite differences, and steps are Adam's."""

from __future__ import annotations

import pytest
import torch
from inference.amortised_programs import Autoencoder, digits

from bayeskit.inference.amortised import AmortisedConfig, fit_amortised

ROWS = digits(500)
SHORT = AmortisedConfig(epochs=30, batch_size=64, learning_rate=5e-3)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_bound_rises_and_weights_come_with_it():
    program = Autoencoder(ROWS[:400], ROWS[400:])
    draws = fit_amortised(program, SHORT, seed=1)
    history = draws.groups["history"]
    assert history["held_out_elbo"][-1] > history["held_out_elbo"][0] + 0.5
    assert set(draws.groups["weights"]) == set(program.module.state_dict())
    assert draws.engine["elbo"] == history["held_out_elbo"][draws.engine["best_epoch"] - 1]
