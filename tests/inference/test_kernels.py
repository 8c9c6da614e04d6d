"""Kernels step by step: bits, blocks, tensors, what is computed how often, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError
from bayeskit.core.proposals import Normal, StudentT, Uniform
from bayeskit.inference._streams import BLOCK, BlockStreams
from bayeskit.inference.kernels import (
    Tuning,
    birth_death,
    cycle,
    elliptical_slice,
    finite,
    independence,
    integer_walk,
    mala,
    metropolis_hastings,
    mixture,
    multiplicative_walk,
    on,
    parallel_tempering,
    proposal,
    random_walk,
)

EIGHT = tuple(range(2, 8))


def log_density(x):
    """Of a gamma law times a count's times six normal ones; sums only, so that a row's rounding is its own."""
    return 2 * x[:, 0].clip(1e-300).log() - x[:, 0] - 0.3 * abs(x[:, 1] - 2) - 0.5 * (x[:, 2:] ** 2).sum(1)


def log_density_of_arrays(x):
    return 2 * np.log(x[:, 0]) - x[:, 0] - 0.3 * abs(x[:, 1] - 2) - 0.5 * (x[:, 2:] ** 2).sum(1)


def gradient(x, value):
    slope = -x
    slope[:, 0] = 2 / x[:, 0] - 1
    slope[:, 1] = 0
    return value(x), slope


def density(arrays="numpy"):
    value = log_density_of_arrays if arrays == "numpy" else log_density
    lower = np.array([0, 0, *[-np.inf] * 6])
    return Density(
        value,
        {"rate": (), "count": (), "rest": (6,)},
        gradient=lambda x: gradient(x, value),
        lower=lower,
        upper=np.array([np.inf, 6, *[np.inf] * 6]),
        integer=np.arange(8) == 1,
        arrays=arrays,
    )


def walk(propose, *coordinates):
    return lambda target: metropolis_hastings(target, on(propose, coordinates))


SHIFT = proposal(lambda streams, x: x + 0.5 * streams.normal(x.shape[1]))
SOME_MATRIX = np.full((7, 7), 1 / 7)
KERNELS = {
    "random walk": lambda target: metropolis_hastings(target, random_walk()),
    "random walk of two": walk(random_walk(), 2, 3),
    "multiplicative walk": walk(multiplicative_walk(), 0),
    "integer walk": walk(integer_walk(2), 1),
    "rounded walk": walk(integer_walk(), 1),
    "birth-death": walk(birth_death(0.4), 1),
    "matrix": walk(finite(SOME_MATRIX), 1),
    "proposal of one's own": walk(SHIFT, *EIGHT),
    "independence": walk(independence(Normal(np.zeros(6), np.eye(6) + 0.3)), *EIGHT),
    "independence of 8": lambda target: metropolis_hastings(
        target, independence(Normal([3, 3, *[0] * 6], 2 * np.eye(8) + 0.3))
    ),
    "student": walk(independence(StudentT(3.5, np.zeros(2), np.eye(2) + 0.3)), 2, 3),
    "uniform": walk(independence(Uniform([0, -1], [4, 1])), 0, 2),
    "probabilities": walk(independence(np.full(7, 1 / 7)), 1),
    "mala": mala,
    "mala of six": lambda target: mala(target, EIGHT),
    "elliptical slice": lambda target: elliptical_slice(target, np.zeros(6), 2 * np.eye(6) + 1, EIGHT),
    "mixture": lambda target: mixture([mala(target, EIGHT), walk(birth_death(), 1)(target)], [1, 2]),
    "cycle": lambda target: cycle([KERNELS["elliptical slice"](target), mala(target, [0]), walk(SHIFT, 2)(target)]),
    "tempering": lambda target: parallel_tempering(
        lambda tempered: cycle([mala(tempered, EIGHT), walk(multiplicative_walk(), 0)(tempered)]), target, [1, 0.5, 0.2]
    ),
    "tempering at random": lambda target: parallel_tempering(
        KERNELS["elliptical slice"], target, [1, 0.5], swaps="random-pair"
    ),
}

# Their number of draws is that of the slowest chain of a block, so that a block that is not whole is another block.
LOOPS = ("elliptical slice", "cycle", "tempering at random")


def start(n_chains):
    rng = np.random.default_rng(3)
    positions = rng.normal(size=(512, 8))
    positions[:, 0], positions[:, 1] = rng.gamma(3, size=512), rng.integers(0, 7, 512)
    return positions[:n_chains]


def tuning(n_chains):
    n_blocks = -(-n_chains // BLOCK)
    factor = np.linalg.cholesky(np.eye(8) + 0.2) * np.array([1.0, 1.1, 1.2, 1.3])[:n_blocks, None, None]
    return Tuning(np.full(n_chains, 0.6), factor)


def run(name, n_chains, n_steps=12):
    kernel, streams = KERNELS[name](density()), BlockStreams(7, n_chains)
    state, kept = kernel.init(start(n_chains)), []
    for _ in range(n_steps):
        state, info = kernel.step(streams, state, tuning(n_chains))
        kept.append(np.column_stack([state.position, state.log_density, info.acceptance]))
    return np.stack(kept, 1)


@pytest.mark.parametrize("name", KERNELS)
def test_a_blocks_draws_do_not_depend_on_the_other_blocks(name):
    alone, many = run(name, 64), run(name, 256)
    np.testing.assert_array_equal(alone, many[:64])
    np.testing.assert_array_equal(run(name, 256), many)
    for few in () if name in LOOPS else (100, 10):
        np.testing.assert_array_equal(run(name, few), many[:few])
    assert (alone[:, -1, :8] != start(64)).any(axis=1).mean() > 0.5
    assert np.all((many[:, :, -1] >= 0) & (many[:, :, -1] <= 1))


@pytest.mark.parametrize("name", KERNELS)
def test_tensors_make_the_same_chains(name):
    import torch

    target, kernel = density("torch"), KERNELS[name](density("torch"))
    streams = BlockStreams(7, 100, convert=torch.as_tensor)
    state = kernel.init(torch.as_tensor(start(100)))
    tuned = Tuning(*(torch.as_tensor(part) for part in tuning(100)[:2]))
    for place in range(6):
        state, info = kernel.step(streams, state, tuned)
        expected = run(name, 100, 6)[:, place] if place in (0, 5) else None
        if expected is not None:
            found = torch.column_stack([state.position, state.log_density, info.acceptance]).numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert isinstance(state.position, torch.Tensor)
    np.testing.assert_allclose(target(state.position[:, :8]), state.log_density, rtol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_the_state_carries_its_own_log_density_and_never_leaves_the_support(name):
    chains = run(name, 256)
    assert np.isfinite(chains[:, :, -2]).all()
    flat = chains.reshape(-1, chains.shape[-1])
    np.testing.assert_allclose(density()(flat[:, :8]), flat[:, -2], rtol=1e-12, atol=1e-12)


def counted(target):
    asked = []
    value, slope = target.log_density, target.gradient
    return asked, replace(
        target,
        log_density=lambda x: asked.append(len(x)) or value(x),
        gradient=lambda x: asked.append(len(x)) or slope(x),
    )


@pytest.mark.parametrize("name", ["random walk of two", "integer walk", "independence", "mala", "cycle of two"])
def test_no_density_is_computed_twice(name):
    asked, target = counted(density())
    two = cycle([walk(SHIFT, 2)(target), walk(SHIFT, 3)(target)])
    kernel, per_step = (two, 2) if name == "cycle of two" else (KERNELS[name](target), 1)
    streams, state = BlockStreams(7, 64), kernel.init(start(64))
    for _ in range(10):
        state, _ = kernel.step(streams, state, tuning(64))
    assert len(asked) == 1 + 10 * per_step


def test_tempering_asks_once_a_replica():
    asked, target = counted(density())
    kernel = parallel_tempering(walk(random_walk(), 2, 3), target, [1, 0.5, 0.2])
    streams, state = BlockStreams(7, 64), kernel.init(start(64))
    for _ in range(10):
        state, info = kernel.step(streams, state, tuning(64))
    assert len(asked) == 3 * 11
    assert info.swaps.shape == (64, 2)
    # Even pairs and odd ones take turns: the tenth round is of the odd ones.
    assert np.isnan(info.swaps[:, 0]).all()
    assert np.isfinite(info.swaps[:, 1]).all()
    assert len(info.parts) == 3


def test_tempering_starts_everywhere_or_replica_by_replica():
    kernel = KERNELS["tempering"](density())
    state = kernel.init(start(10))
    assert state.position.shape == (10, 24)
    np.testing.assert_array_equal(state.position[:, 8:16], start(10))
    again = kernel.init(state.position)
    np.testing.assert_array_equal(again.position, state.position)
    np.testing.assert_array_equal(again.log_density, density()(start(10)))
    with pytest.raises(ConfigError, match=r"a start needs 8 or 24 coordinates, got 16"):
        kernel.init(state.position[:, :16])


def test_one_replica_is_the_chain_itself():
    alone = parallel_tempering(KERNELS["mala"], density(), [1])
    plain, streams, others = mala(density()), BlockStreams(7, 64), BlockStreams(7, 64)
    state, expected = alone.init(start(64)), plain.init(start(64))
    for _ in range(5):
        (state, info), (expected, _) = (
            alone.step(streams, state, tuning(64)),
            plain.step(others, expected, tuning(64)),
        )
    np.testing.assert_array_equal(state.position, expected.position)
    assert info.swaps is None


def test_parts_are_tuned_by_themselves():
    target = density()
    kernel = cycle([walk(random_walk(), 2)(target), walk(random_walk(), 3)(target)])
    still, moving = (Tuning(np.full(64, scale), np.ones((1, 1, 1))) for scale in (0.0, 1.0))
    state, info = kernel.step(BlockStreams(7, 64), kernel.init(start(64)), Tuning(None, None, (still, moving)))
    np.testing.assert_array_equal(state.position[:, 2], start(64)[:, 2])
    assert np.any(state.position[:, 3] != start(64)[:, 3])
    np.testing.assert_array_equal(info.parts[0].acceptance, 1)
    np.testing.assert_allclose(info.acceptance, (1 + info.parts[1].acceptance) / 2)


@pytest.mark.parametrize("n_dims", [2, 8])
def test_steps_have_the_factors_covariance(n_dims):
    flat = Density(lambda x: 0 * x[:, 0], {"x": (n_dims,)})
    factors = np.stack([np.linalg.cholesky(np.eye(n_dims) + place) for place in (0.0, 2.0)])
    kernel, n_chains = metropolis_hastings(flat, random_walk()), 128
    noise = BlockStreams(7, n_chains).normal(n_dims)
    state, _ = kernel.step(
        BlockStreams(7, n_chains), kernel.init(np.zeros((n_chains, n_dims))), Tuning(np.full(n_chains, 1.5), factors)
    )
    expected = 1.5 * np.vstack([noise[:64] @ factors[0].T, noise[64:] @ factors[1].T])
    np.testing.assert_allclose(state.position, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n_dims", [2, 8])
def test_langevin_steps_drift_by_the_covariance_times_the_gradient(n_dims):
    # Where the gradient is the same everywhere, every step is accepted.
    slope = np.arange(1.0, n_dims + 1) / n_dims
    factor = np.tril(np.random.default_rng(5).normal(size=(n_dims, n_dims)))
    slanted = Density(lambda x: (x * slope).sum(1), {"x": (n_dims,)}, lambda x: ((x * slope).sum(1), 0 * x + slope))
    kernel, noise = mala(slanted), BlockStreams(7, 64).normal(n_dims)
    state = kernel.init(np.zeros((64, n_dims)))
    state, info = kernel.step(BlockStreams(7, 64), state, Tuning(np.full(64, 0.3), factor[None]))
    expected = 0.5 * 0.09 * factor @ factor.T @ slope + 0.3 * noise @ factor.T
    np.testing.assert_allclose(state.position, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(info.acceptance, 1, rtol=1e-12)


def test_a_slice_always_moves():
    kernel, streams = KERNELS["elliptical slice"](density()), BlockStreams(7, 256)
    before = kernel.init(start(256))
    for _ in range(5):
        state, _ = kernel.step(streams, before, tuning(256))
        assert np.all(state.position[:, 2:] != before.position[:, 2:])
        before = state


def test_a_slice_that_is_one_point_keeps_the_chain_there():
    here = np.full((64, 1), 0.7)
    kernel = elliptical_slice(Density(lambda x: np.where(x[:, 0] == 0.7, 0.0, -np.inf), {"x": ()}), [0.1], [[1.0]])
    state, _ = kernel.step(BlockStreams(7, 64), kernel.init(here), Tuning(None))
    np.testing.assert_array_equal(state.position, here)
    np.testing.assert_array_equal(state.log_density, 0)


def test_a_multiple_that_overflows_is_rejected():
    asked = []
    target = Density(lambda x: asked.append(x) or -np.log(x[:, 0]), {"x": ()}, lower=np.zeros(1))
    kernel = metropolis_hastings(target, multiplicative_walk())
    before, streams = kernel.init(np.ones((64, 1))), BlockStreams(7, 64)
    for _ in range(5):
        state, info = kernel.step(streams, before, Tuning(np.full(64, 1e3)))
        moved = (state.position != before.position)[:, 0]
        assert 0 < moved.sum() < 64
        # Any multiple is as likely as any other here, but for those that are no numbers.
        np.testing.assert_allclose(info.acceptance, moved, rtol=1e-9)
        before = state
    asked = np.vstack(asked)
    assert np.all((asked > 0) & (asked < np.inf))
    assert np.all((state.position > 0) & (state.position < np.inf))
