"""Random numbers by blocks of 64 chains: the same whatever stands beside them, and never shared."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from bayeskit.inference._streams import AHEAD, BLOCK, BlockStreams, block_generator

ALPHA = 1e-7  # of each test below that looks at a distribution
N_CALLS = 2 * AHEAD // BLOCK + 3  # past what is drawn ahead


def drawn(streams, n_calls=N_CALLS):
    """Draw in the order in which a kernel might: some numbers by blocks that are active only."""
    found = []
    for call in range(n_calls):
        found.append(streams.normal(3))
        active = np.arange(streams.n_chains) // BLOCK % 2 == call % 2
        loop = streams.uniform(active)
        found.append(np.where(active, loop, 0)[:, None])
        found.append(streams.uniform()[:, None])
        found.append(streams.choose([0.2, 0.0, 0.5, 0.3, 0.0])[:, None])
        found.append(streams.accept(np.full(streams.n_chains, -0.7))[:, None])
    return np.stack([np.broadcast_to(part, (streams.n_chains, 3)) for part in found])


@pytest.mark.parametrize("n_chains", [64, 128, 100, 10, 1])
def test_a_chains_numbers_do_not_depend_on_how_many_chains_there_are(n_chains):
    np.testing.assert_array_equal(drawn(BlockStreams(5, 256))[:, :n_chains], drawn(BlockStreams(5, n_chains)))


def test_a_group_of_blocks_draws_what_it_draws_among_all():
    together = drawn(BlockStreams(5, 320))
    apart = drawn(BlockStreams(5, 128, first_block=2))
    np.testing.assert_array_equal(together[:, 128:256], apart)


def test_the_seed_decides():
    np.testing.assert_array_equal(drawn(BlockStreams(5, 64)), drawn(BlockStreams(5, 64)))
    assert not np.any(BlockStreams(5, 64).normal(3) == BlockStreams(6, 64).normal(3))


def numbers_of(streams):
    """Return a row of numbers for each block."""
    found = [np.column_stack([streams.normal(2), streams.uniform() - 0.5]) for _ in range(N_CALLS)]
    return np.stack(found, 1).reshape(streams.n_chains // BLOCK, -1)


def shared(rows):
    return [pair for pair in combinations(range(len(rows)), 2) if np.intersect1d(*rows[list(pair)]).size]


def correlation(rows):
    """Return the smallest p-value of a correlation between two blocks, times how many pairs there are."""
    n = rows.shape[1]
    z = [np.corrcoef(*rows[list(pair)])[0, 1] * np.sqrt(n) for pair in combinations(range(len(rows)), 2)]
    return min(2 * stats.norm.sf(np.abs(z))) * len(z)


def test_no_two_blocks_share_a_number():
    rows = numbers_of(BlockStreams(5, 8 * BLOCK))
    assert not shared(rows)
    assert correlation(rows) > ALPHA


class WronglySpawned(BlockStreams):
    def __init__(self, seed, n_chains):
        super().__init__(seed, n_chains)
        self._generators[3] = block_generator(seed, 1)


class Delayed(BlockStreams):
    """One block is another a few numbers later: correlations do not show it."""

    def __init__(self, seed, n_chains):
        super().__init__(seed, n_chains)
        self._generators[3] = block_generator(seed, 1)
        self._generators[3].standard_normal(77)


def test_blocks_that_share_a_stream_are_found():
    assert shared(rows := numbers_of(WronglySpawned(5, 8 * BLOCK))) == [(1, 3)]
    assert correlation(rows) < ALPHA
    assert shared(numbers_of(Delayed(5, 8 * BLOCK))) == [(1, 3)]


def test_numbers_follow_their_laws():
    streams, n = BlockStreams(5, 20 * BLOCK), 20
    normal = np.concatenate([streams.normal(2).ravel() for _ in range(n)])
    uniform = np.concatenate([streams.uniform() for _ in range(n)])
    some = np.concatenate([streams.uniform(np.ones(streams.n_chains, dtype=bool)) for _ in range(n)])
    assert stats.kstest(normal, "norm").pvalue > ALPHA
    assert stats.kstest(uniform, "uniform").pvalue > ALPHA
    assert stats.kstest(some, "uniform").pvalue > ALPHA
    assert stats.kstest(1.02 * normal + 0.05, "norm").pvalue < ALPHA


def test_choices_have_their_probabilities():
    streams, n = BlockStreams(5, 20 * BLOCK), 20
    tables = np.repeat([[0.0, 0.25, 0.75], [0.5, 0.5, 0.0]], 10 * BLOCK, axis=0)
    chosen = np.stack([streams.choose(tables) for _ in range(n)])
    first, second = (np.bincount(half.ravel(), minlength=3) for half in np.split(chosen, 2, axis=1))
    assert first[0] == 0
    assert second[2] == 0
    assert stats.binomtest(first[1], first.sum(), 0.25).pvalue > ALPHA
    assert stats.binomtest(second[0], second.sum(), 0.5).pvalue > ALPHA
    assert stats.binomtest(second[0], second.sum(), 0.45).pvalue < ALPHA


def test_acceptances_have_their_probabilities():
    streams, n = BlockStreams(5, 20 * BLOCK), 1000
    log_ratio = np.repeat([-np.inf, np.log(0.3), np.log(0.05), 0.1], 5 * BLOCK)
    accepted = sum(streams.accept(log_ratio).reshape(4, -1).sum(axis=1) for _ in range(n))
    size = n * 5 * BLOCK
    assert accepted[0] == 0
    assert accepted[3] == size
    for found, probability in ((accepted[1], 0.3), (accepted[2], 0.05)):
        assert stats.binomtest(found, size, probability).pvalue > ALPHA
        assert stats.binomtest(found, size, probability ** (1 / 1.02)).pvalue < ALPHA


def test_tensors_hold_the_same_numbers():
    import torch

    for n_chains in (128, 70):
        arrays, tensors = BlockStreams(5, n_chains), BlockStreams(5, n_chains, convert=torch.as_tensor)
        active = np.arange(n_chains) < 64
        for _ in range(N_CALLS):
            np.testing.assert_array_equal(arrays.normal(2), tensors.normal(2).numpy())
            np.testing.assert_array_equal(arrays.uniform(active)[:64], tensors.uniform(active).numpy()[:64])
            ratio = np.full(n_chains, -0.5)
            np.testing.assert_array_equal(arrays.accept(ratio), tensors.accept(torch.as_tensor(ratio)).numpy())
            np.testing.assert_array_equal(arrays.choose([0.5, 0.5]), tensors.choose([0.5, 0.5]))


@pytest.mark.parametrize("n_dims", [1, 2, 33, 100])
def test_no_number_comes_twice(n_dims):
    # More coordinates than fit into what is drawn ahead, too.
    few, many = BlockStreams(5, 64), BlockStreams(5, 128)
    found = np.stack([few.normal(n_dims) for _ in range(N_CALLS)])
    assert np.unique(found).size == found.size
    np.testing.assert_array_equal(found, np.stack([many.normal(n_dims)[:64] for _ in range(N_CALLS)]))


def test_what_was_drawn_stays_as_it_is():
    # A kernel may keep numbers for a while: later ones must not be written over them.
    streams = BlockStreams(5, 64)
    first = streams.normal(2)
    kept = first.copy()
    for _ in range(N_CALLS):
        streams.normal(2)
    np.testing.assert_array_equal(first, kept)
