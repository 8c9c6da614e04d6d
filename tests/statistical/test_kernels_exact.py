"""Kernels with a discrete form: their exact transition matrices leave the target as it is, to 1e-12."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statistical.enumeration import Case, assert_exact, transition_matrix

from bayeskit.core.density import Density
from bayeskit.inference import _kernels_tempering
from bayeskit.inference.kernels import (
    Info,
    Kernel,
    birth_death,
    cycle,
    finite,
    independence,
    integer_walk,
    metropolis_hastings,
    mixture,
    on,
    parallel_tempering,
    proposal,
)

EXAMPLES = 50  # a property


def finite_density(table, arrays="numpy"):
    """The density of states 0 to n - 1, or of pairs of them, as the table has their probabilities."""
    table = np.asarray(table, dtype=float)
    with np.errstate(divide="ignore"):
        logs = np.log(table)
    upper = np.array(table.shape) - 1.0

    def log_density(points):
        places = tuple(np.asarray(points).astype(int).T)
        if arrays == "numpy":
            return logs[places]
        import torch

        return torch.as_tensor(logs[places])

    shapes = {"x": (table.ndim,)}
    return Density(log_density, shapes, lower=0 * upper, upper=upper, integer=upper >= 0, arrays=arrays)


def states_of(table):
    return np.array(list(product(*map(range, np.shape(table)))), dtype=float)


def case(make, table, arrays="numpy", **more):
    density = finite_density(table, arrays)
    return Case(make(density), states_of(table), np.ravel(table), density, **more)


def walk(propose):
    return lambda density: metropolis_hastings(density, propose)


def normalised(weights):
    weights = np.asarray(weights, dtype=float)
    return weights / weights.sum(axis=-1, keepdims=True)


# Zeros, and probabilities of very different sizes.
weight = st.one_of(st.just(0.0), st.floats(-12, 0).map(np.exp))


def rows(n):
    return st.lists(weight, min_size=n, max_size=n).filter(lambda row: sum(row) > 0).map(normalised)


def matrices(n):
    return st.lists(rows(n), min_size=n, max_size=n).map(np.array)


sizes = st.integers(2, 5)
tables = st.tuples(st.integers(2, 3), st.integers(2, 3)).flatmap(
    lambda shape: rows(shape[0] * shape[1]).map(lambda row: row.reshape(shape))
)
exactly = settings(max_examples=EXAMPLES, deadline=None, derandomize=True)


@exactly
@given(data=st.data(), n=sizes)
def test_any_matrix_of_proposals(data, n):
    assert_exact(case(walk(finite(data.draw(matrices(n)))), data.draw(rows(n))))


@exactly
@given(data=st.data(), n=sizes)
def test_an_independence_proposal(data, n):
    assert_exact(case(walk(independence(data.draw(rows(n)))), data.draw(rows(n))))


@exactly
@given(target=sizes.flatmap(rows), step=st.integers(1, 3))
def test_a_walk_on_the_integers(target, step):
    assert_exact(case(walk(integer_walk(step)), target))


@exactly
@given(target=sizes.flatmap(rows), birth=st.floats(0.05, 0.95))
def test_births_and_deaths(target, birth):
    assert_exact(case(walk(birth_death(birth)), target))


@exactly
@given(target=tables, birth=st.floats(0.05, 0.95), step=st.integers(1, 2))
def test_walks_of_two_coordinates_at_once(target, birth, step):
    assert_exact(case(walk(birth_death(birth)), target))
    assert_exact(case(walk(integer_walk(step)), target))


@exactly
@given(data=st.data(), n=sizes)
def test_a_proposal_of_ones_own(data, n):
    matrix = data.draw(matrices(n))

    def propose(streams, position):
        return streams.choose(matrix[position[:, 0].astype(int)])[:, None].astype(float)

    def log_correction(here, there):
        x, y = here[:, 0].astype(int), there[:, 0].astype(int)
        with np.errstate(divide="ignore"):
            return np.log(matrix[y, x]) - np.log(matrix[x, y])

    assert_exact(case(walk(proposal(propose, log_correction)), data.draw(rows(n))))


@exactly
@given(data=st.data(), n=st.integers(2, 4), share=st.floats(0.05, 0.95))
def test_mixtures_and_cycles(data, n, share):
    target = data.draw(rows(n))
    parts = [walk(finite(data.draw(matrices(n)))), walk(birth_death(0.3))]
    assert_exact(case(lambda density: mixture([part(density) for part in parts], [share, 1 - share]), target))
    assert_exact(case(lambda density: cycle([part(density) for part in parts]), target, reversible=False))


@exactly
@given(data=st.data(), target=tables, share=st.floats(0.05, 0.95))
def test_each_coordinate_by_a_kernel_of_its_own(data, target, share):
    parts = [walk(on(finite(data.draw(matrices(target.shape[0]))), [0])), walk(on(birth_death(0.7), [1]))]
    assert_exact(case(lambda density: cycle([part(density) for part in parts]), target, reversible=False))
    assert_exact(case(lambda density: mixture([part(density) for part in parts], [share, 1 - share]), target))


def tempered(make, target, betas, reference=None, swaps="even-odd", **more):
    """The product of the replicas' densities, and the kernel on it."""
    density = finite_density(target)
    base = None if reference is None else finite_density(reference)
    kernel = parallel_tempering(make, density, betas, base, swaps)
    product_of_all = np.ones(())
    for beta in betas:
        part = (target**beta if beta else np.ones_like(target)) * (1.0 if base is None else reference ** (1 - beta))
        product_of_all = np.multiply.outer(product_of_all, part / part.sum())
    joint = states_of(product_of_all)
    return Case(kernel, joint, product_of_all.ravel(), density, **more)


def stay(density):
    """Return the kernel that does not move, so that what is left of tempering are the swaps."""
    made = metropolis_hastings(density, integer_walk())
    return Kernel(made.init, lambda streams, state, tuning: (state, Info(np.ones(len(state.position)))))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data(), beta=st.floats(0.05, 0.95), swaps=st.sampled_from(["even-odd", "random-pair"]))
def test_two_replicas_of_three_states(data, beta, swaps):
    target, make = data.draw(rows(3)), walk(finite(data.draw(matrices(3))))
    assert_exact(tempered(make, target, [1, beta], None, swaps, reversible=False))
    # 0 to the power 0 is 1 here: the reference alone counts at 0, where the target may be 0.
    assert_exact(tempered(make, target, [1, 0], data.draw(rows(3).filter(np.all)), swaps, reversible=False))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data(), swaps=st.sampled_from(["even-odd", "random-pair"]), rounds=st.integers(0, 1))
def test_three_replicas_of_two_states(data, swaps, rounds):
    target, reference, make = data.draw(rows(2)), data.draw(rows(2).filter(np.all)), walk(birth_death(0.4))
    assert_exact(tempered(make, target, [1, 0.6, 0.2], reference, swaps, reversible=False, rounds=rounds))


@exactly
@given(
    target=rows(3),
    reference=rows(3).filter(np.all),
    swaps=st.sampled_from(["even-odd", "random-pair"]),
    rounds=st.integers(0, 1),
)
def test_swaps_alone_are_reversible(target, reference, swaps, rounds):
    assert_exact(tempered(stay, target, [1, 0.5, 0], reference, swaps, rounds=rounds))
    assert_exact(tempered(stay, target, [1, 0.5, 0.1], None, swaps, rounds=rounds))


TARGET = np.array([0.5, 0.0, 0.2, 0.3])
MATRIX = normalised([[1, 2, 3, 4], [1, 1, 1, 1], [5, 1, 1, 1], [1, 0, 6, 2]])


@pytest.mark.parametrize(
    "make",
    [
        walk(finite(MATRIX)),
        walk(birth_death(0.3)),
        walk(integer_walk(2)),
        lambda density: mixture([walk(finite(MATRIX))(density), walk(birth_death())(density)], [0.3, 0.7]),
    ],
)
def test_tensors_give_the_same_matrices(make):
    made = case(make, TARGET, "torch")
    assert_exact(made)
    np.testing.assert_array_equal(transition_matrix(made), transition_matrix(case(make, TARGET)))


def test_a_cycle_is_not_reversible():
    # That it fails here shows that the check can.
    parts = [walk(finite(MATRIX)), walk(birth_death(0.3))]
    with pytest.raises(AssertionError, match="detailed balance"):
        assert_exact(case(lambda density: cycle([part(density) for part in parts]), TARGET))


def forgotten(density):
    kept = finite(MATRIX)
    return metropolis_hastings(density, lambda *given: (kept(*given)[0], None))


def wrong_sign(density):
    kept = finite(MATRIX)

    def propose(*given):
        candidate, log_correction = kept(*given)
        return candidate, -log_correction

    return metropolis_hastings(density, propose)


def weights_that_depend_on_the_state(density):
    parts = [walk(finite(MATRIX))(density), walk(integer_walk(1))(density)]

    def step(streams, state, tuning):
        weights = 0.9 if state.position[0, 0] == 0 else 0.1
        return parts[int(streams.choose([weights, 1 - weights])[0])].step(streams, state, tuning)

    return Kernel(parts[0].init, step)


@pytest.mark.parametrize("make", [forgotten, wrong_sign, weights_that_depend_on_the_state])
def test_the_check_finds_a_wrong_kernel(make):
    with pytest.raises(AssertionError, match="stationarity"):
        assert_exact(case(make, normalised([5, 1, 2, 3])))


def test_the_check_finds_births_at_0_without_their_correction():
    def propose(*given):
        candidate, _ = birth_death(0.5)(*given)
        return candidate, None

    with pytest.raises(AssertionError, match="stationarity"):
        assert_exact(case(walk(propose), TARGET[[0, 2, 3]]))


@pytest.mark.parametrize("swaps", ["even-odd", "random-pair"])
def test_the_check_finds_swaps_of_a_wrong_ratio(swaps, monkeypatch):
    class Wrong(_kernels_tempering._Ladder):
        def __init__(self, *given):
            super().__init__(*given)
            self.log_ratios = [2 * log_ratio for log_ratio in self.log_ratios]

    monkeypatch.setattr(_kernels_tempering, "_Ladder", Wrong)
    with pytest.raises(AssertionError, match="stationarity"):
        assert_exact(tempered(stay, TARGET, [1, 0.5], None, swaps))


def test_the_check_finds_a_density_that_stays_with_the_old_position():
    def make(density):
        right = walk(finite(MATRIX))(density)

        def step(streams, state, tuning):
            moved, info = right.step(streams, state, tuning)
            return moved._replace(log_density=state.log_density), info

        return Kernel(right.init, step)

    with pytest.raises(AssertionError, match="carried"):
        assert_exact(case(make, TARGET))
