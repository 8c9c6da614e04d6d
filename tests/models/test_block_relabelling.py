"""Labels that were shuffled come back, and nothing but labels is changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeskit.models.blocks.relabelling import assignment_counts, common_labels, permuted, relabelled


def shuffled(n_draws, n_nodes, n_blocks, noise, seed):
    """Return a partition, draws near it under random labels, and those labels."""
    rng = np.random.default_rng(seed)
    truth = np.sort(rng.choice(n_blocks, n_nodes, p=np.arange(n_blocks, 0, -1) / (n_blocks * (n_blocks + 1) / 2)))
    truth[:n_blocks] = np.arange(n_blocks)
    draws = np.tile(truth, (n_draws, 1))
    moved = rng.random(draws.shape) < noise
    draws[moved] = rng.integers(n_blocks, size=moved.sum())
    names = np.stack([rng.permutation(n_blocks) for _ in range(n_draws)])
    return truth, draws, np.take_along_axis(names, draws, axis=1), names


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_shuffled_labels_come_back(noise):
    truth, draws, seen, _ = shuffled(50, 80, 5, noise, 1)
    labels = common_labels(seen, 5, pivot=7)
    found = relabelled(seen, labels)
    counts = assignment_counts(seen, labels)
    mode = counts.argmax(axis=1)
    renamed = set(zip(truth.tolist(), mode.tolist(), strict=True))
    assert len(renamed) == 5  # one to one
    back = dict(renamed)
    assert (found == np.vectorize(back.get)(draws)).all()
    sizes = counts.sum(axis=0)
    assert (np.diff(sizes) <= 0).all()


def test_without_relabelling_the_mode_is_lost():
    _, draws, seen, _ = shuffled(50, 80, 5, 0.1, 1)
    as_they_came = np.tile(np.arange(5), (50, 1))
    assert assignment_counts(seen, as_they_came).max(axis=1).mean() / 50 < 0.5
    assert assignment_counts(draws, as_they_came).max(axis=1).mean() / 50 > 0.8


@given(st.integers(1, 6), st.integers(0, 1000))
def test_values_by_block_follow_their_blocks(n_blocks, seed):
    _, _, seen, names = shuffled(6, 12, n_blocks, 0.2, seed)
    by_truth = np.random.default_rng(seed).normal(size=(6, n_blocks))
    values = np.take_along_axis(by_truth, np.argsort(names, axis=1), axis=1)  # as the shuffled labels have them
    labels = common_labels(seen, n_blocks, 0)
    assert (np.sort(labels, axis=1) == np.arange(n_blocks)).all()
    ordered = permuted(values, labels, axis=1)
    for draw in range(6):
        for block in range(n_blocks):
            assert ordered[draw, labels[draw, block]] == values[draw, block]
    matrix = values[:, :, None] * np.arange(1, n_blocks + 1)
    both = permuted(permuted(matrix, labels, axis=1), labels, axis=2)
    assert both[3, labels[3, 0], labels[3, -1]] == matrix[3, 0, n_blocks - 1]
