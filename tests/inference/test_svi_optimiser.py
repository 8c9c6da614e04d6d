"""Adam against torch's, learning rates, and when a bound has settled."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bayeskit.inference._svi_optimiser import Adam, Course
from bayeskit.inference.svi import SVIConfig


@pytest.mark.parametrize("clip", [None, 0.5])
def test_adam_is_torchs(clip):
    rng = np.random.default_rng(1)
    ours = torch.tensor(rng.normal(size=7))
    theirs = torch.nn.Parameter(ours.clone())
    optimiser, adam = torch.optim.Adam([theirs], lr=0.03), Adam.at(ours)
    for _ in range(200):
        gradient = torch.tensor(rng.normal(size=7)) * torch.arange(7) + ours
        theirs.grad = gradient.clone() if clip is None else gradient.clamp(-clip, clip)
        optimiser.step()
        adam.move(ours, gradient, 0.03, clip)
        np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-12, atol=1e-14)


def course(losses, **options):
    """Feed losses until the course ends."""
    config = SVIConfig(**{"window": 50, "steps": 100_000, **options})
    found = Course()
    for loss in losses:
        if found.ended:
            break
        found.add(loss, found.rate(config), config)
    return found


def noisy(mean, spread=1.0, seed=1):
    return mean + spread * np.random.default_rng(seed).normal(size=len(mean))


def test_a_bound_that_stands_still_settles_and_one_that_moves_does_not():
    steps = np.arange(20_000)
    still = course(noisy(100 + 500 * np.exp(-steps / 300)), schedule="constant")
    assert still.settled
    assert 1500 < len(still.losses) < 6000  # 500 exp(-t / 300) is below the noise's error, 0.2, from 2300 on
    moving = course(noisy(2000 - 0.1 * steps), schedule="constant")
    assert not moving.settled
    assert len(moving.losses) == 20_000
    assert course(noisy(2000 - 0.0001 * steps), schedule="constant").settled  # negative control


def test_tolerance_is_relative_where_there_is_no_noise():
    def drift(share):  # of the bound in a window
        return -1000 * (1 + share * np.arange(2000) / 50)

    assert not course(drift(2e-4), schedule="constant").settled
    assert course(drift(0.5e-4), schedule="constant").settled
    assert len(course(drift(0.5e-4), schedule="constant", patience=5).losses) == 300


def test_plateau_lowers_the_rate_twice_before_it_ends():
    found = course(noisy(np.full(5000, 7.0)), schedule="plateau", learning_rate=0.1)
    assert found.settled
    np.testing.assert_allclose(sorted(set(found.rates)), [0.001, 0.01, 0.1])
    assert found.rates == sorted(found.rates, reverse=True)


@pytest.mark.parametrize("schedule", ["cosine", "exponential"])
def test_planned_schedules_go_on_to_the_end_and_count_only_while_the_rate_is_high(schedule):
    options = {"schedule": schedule, "steps": 1000, "learning_rate": 0.2}
    found = course(noisy(np.full(1000, 7.0)), **options)
    assert found.settled
    assert len(found.losses) == 1000
    assert found.rates[0] == pytest.approx(0.2)
    assert found.rates[-1] == pytest.approx(0.002, rel=0.01)
    # Moving while the rate was high, and still because it was lowered: that is no convergence.
    late = course(noisy(np.where(np.arange(1000) < 850, -np.arange(1000) * 5.0, -4250.0)), **options)
    assert not late.settled
    assert "still changed" in late.message(SVIConfig(**options)) or "more steps" in late.message(SVIConfig(**options))


def test_history_is_thinned():
    found = course(noisy(np.linspace(10, 0, 4500)), schedule="cosine", steps=4500)
    history = found.history(50)
    assert len(history["step"]) == 1500
    np.testing.assert_array_equal(history["elbo"], -np.array(found.losses)[::3])
    assert history["elbo_median"][-1] == np.median(
        -np.array(found.losses)[history["step"][-1] - 50 : history["step"][-1]]
    )


def test_few_steps_are_told_as_such():
    found = course([3.0] * 30, steps=30)
    assert found.ended
    assert not found.settled
    assert "fewer than two windows of 50" in found.message(SVIConfig(window=50, steps=30))
