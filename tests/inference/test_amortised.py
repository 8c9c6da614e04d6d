"""Networks that are trained: same seed, same bits; the best weights come back; what goes wrong is told."""

from __future__ import annotations

import numpy as np
import pyro
import pytest
import torch
from inference.amortised_programs import ROWS, Autoencoder
from pyro.infer import TraceMeanField_ELBO

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.inference import _amortised_run
from bayeskit.inference.amortised import AmortisedConfig, fit_amortised

SHORT = AmortisedConfig(epochs=25, batch_size=64, learning_rate=5e-3, schedule="constant")


def fit(seed=1, n=400, program=None, **options):
    given = program or Autoencoder(ROWS[:n], ROWS[400:])
    return fit_amortised(given, SHORT.model_copy(update=options), seed=seed)


@pytest.fixture(scope="module")
def short():
    return fit()


def same(one, other):
    for group in ("weights", "history"):
        for name, value in one.groups[group].items():
            np.testing.assert_array_equal(value, other.groups[group][name])


def test_the_bound_rises_and_weights_come_with_it(short):
    history, engine = short.groups["history"], short.engine
    assert history["held_out_elbo"][-1] > history["held_out_elbo"][0] + 0.5
    assert list(history["epoch"]) == list(range(1, 26))
    np.testing.assert_allclose(history["elbo"], history["reconstruction"] - history["kl"], rtol=1e-6)
    assert engine["elbo"] == history["held_out_elbo"].max() == history["held_out_elbo"][engine["best_epoch"] - 1]
    assert (short.kind, dict(short.values), engine["batch_size"], engine["steps"]) == ("point", {}, 64, 150)
    assert all(value.dtype == np.float32 for value in short.groups["weights"].values())


def test_weights_that_come_back_are_those_of_the_best_epoch():
    """On rows that are few the bound of others gets worse in the end."""
    program = Autoencoder(ROWS[:40], ROWS[400:], hidden=48)
    options = {"program": program, "batch_size": 40}
    draws = fit(epochs=500, learning_rate=0.02, patience=10, **options)
    engine, history = draws.engine, draws.groups["history"]
    assert engine["converged"]
    assert engine["epochs"] == engine["best_epoch"] + 10
    assert history["held_out_elbo"][-1] < engine["elbo"] - 1e-3
    program.module.load_state_dict({name: torch.tensor(value) for name, value in draws.groups["weights"].items()})
    again = fit(epochs=1, learning_rate=1e-12, **options)
    assert again.engine["elbo"] == pytest.approx(engine["elbo"], abs=1e-6)
    with pyro.validation_enabled(False), torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        loss = TraceMeanField_ELBO().loss
        bounds = np.array([-loss(program.model, program.guide, ROWS[400:]) / 100 for _ in range(30)])
    error = bounds.std(ddof=1)  # of one draw a row, which the engine takes
    assert abs(bounds.mean() - engine["elbo"]) < 4 * error


def test_the_same_seed_gives_the_same_bits_and_another_one_others(short):
    state = torch.get_rng_state()
    same(fit(), short)
    assert torch.equal(torch.get_rng_state(), state)
    other = fit(seed=2)
    for name, value in short.groups["weights"].items():
        assert (other.groups["weights"][name] != value).any()


def test_what_it_was_given_stays_as_it_is():
    program = Autoencoder(ROWS[:100])
    before = {name: value.clone() for name, value in program.module.state_dict().items()}
    fit(program=program, epochs=2)
    assert all(torch.equal(value, before[name]) for name, value in program.module.state_dict().items())
    assert not any(leaf.grad is not None for leaf in program.module.parameters())


def test_rows_that_are_fewer_than_a_batch_are_one(short):
    draws = fit(n=50, epochs=2)
    assert (draws.engine["batch_size"], draws.engine["steps"]) == (50, 2)
    assert draws.engine["note"] == "all rows are one batch: they are fewer than 64"
    assert "note" not in short.engine
    with pytest.raises(ConfigError, match="rows to train with: expected 2 or more, got 1"):
        fit(n=1)


def test_a_large_beta_leaves_little_divergence(short):
    strong = fit(beta=20.0).groups["history"]["held_out_kl"][-1]
    assert strong < 0.1 * short.groups["history"]["held_out_kl"][-1]


def test_a_bound_that_is_no_number_is_told_with_its_step():
    expected = r"the bound is no number in epoch \d+, step \d+; give a smaller learning rate than 10, or clip gradients"
    with pytest.raises(InferenceError, match=expected):
        fit(learning_rate=10.0)


def test_without_held_out_rows_the_training_bound_counts_and_progress_is_told():
    told = []
    draws = fit_amortised(
        Autoencoder(ROWS[:128]),
        SHORT.model_copy(update={"epochs": 5}),
        seed=1,
        progress=lambda done, total: told.append((done, total)),
    )
    assert "held_out_elbo" not in draws.groups["history"]
    assert draws.engine["elbo"] == draws.groups["history"]["elbo"].max()
    assert told[0] == (0, 10)
    assert told[-1] == (10, 10)
    assert told == sorted(told)


def test_where_nothing_can_be_compiled_steps_are_not_unless_they_must_be(monkeypatch):
    def fail(*given):
        raise ConfigError("the step cannot be compiled: no compiler; give compile never")

    monkeypatch.setattr(_amortised_run, "compiled_step", fail)
    monkeypatch.setattr(_amortised_run, "_PAYS", 10)
    draws = fit(epochs=2)
    assert not draws.engine["compiled"]
    assert draws.engine["note"] == "the step cannot be compiled: no compiler; give compile never"
    same(draws, fit(epochs=2, compile="never"))
    with pytest.raises(ConfigError, match="cannot be compiled"):
        fit(epochs=2, compile="always")


@pytest.mark.slow  # compiling takes half a minute
def test_a_compiled_step_does_what_the_others_do(short):
    draws = fit(compile="always")
    assert draws.engine["compiled"]
    for name, value in short.groups["history"].items():
        np.testing.assert_allclose(draws.groups["history"][name], value, rtol=1e-3)
    same(fit(compile="always"), draws)
