"""Kernels that cannot be made, and steps that a program spoils: one line says what is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.core.proposals import ShiftedExponential
from bayeskit.inference._streams import BlockStreams
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
    parallel_tempering,
    proposal,
    random_walk,
)


def step_of(kernel, position):
    return kernel.step(BlockStreams(7, len(position)), kernel.init(position), Tuning(np.ones(len(position))))


LINE = Density(lambda x: -0.5 * (x**2).sum(1), {"x": ()}, gradient=lambda x: (-0.5 * (x**2).sum(1), x * np.nan))


def walks(target):
    return metropolis_hastings(target, random_walk())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mala(replace(LINE, gradient=None)), "mala needs the density's gradient"),
        (lambda: cycle([]), "a cycle needs at least one kernel"),
        (lambda: mixture([], []), "a mixture needs at least one kernel"),
        (lambda: mixture([mala(LINE)], [0]), r"weights must be 1 numbers above 0, one a kernel, got \[0\]"),
        (lambda: mixture([mala(LINE)] * 2, [0.5]), r"weights must be 2 numbers above 0, one a kernel, got \[0.5\]"),
        (lambda: integer_walk(0), "step must be a whole number of at least 1, got 0"),
        (lambda: birth_death(1.0), "birth must lie between 0 and 1, neither included, got 1.0"),
        (lambda: finite([[0.5, 0.5]]), r"must be square, got shape \(1, 2\)"),
        (lambda: finite([[1, 0], [0.5, 0.4]]), "row 1 of a matrix of proposals must hold probabilities of sum 1"),
        (lambda: finite([[2, -1], [0.5, 0.5]]), "row 0 of a matrix of proposals must hold probabilities"),
        (lambda: finite([[np.nan, 1], [0.5, 0.5]]), "row 0 of a matrix of proposals must hold probabilities"),
        (lambda: independence(ShiftedExponential(0, 1)), "can be normal.*got ShiftedExponential"),
        (lambda: independence(np.eye(2)), "probabilities must be a row of numbers"),
        (lambda: elliptical_slice(LINE, [0.0], [[0.0]]), "covariance is singular"),
        (lambda: parallel_tempering(mala, LINE, [0.9, 0.5]), "inverse_temperatures must fall from 1"),
        (lambda: parallel_tempering(mala, LINE, [1, 0.5, 0.5]), "inverse_temperatures must fall from 1"),
        (lambda: parallel_tempering(mala, LINE, [1, 0]), "fall from 1 and stay above 0"),
        (lambda: parallel_tempering(mala, LINE, []), "inverse_temperatures must fall from 1"),
        (lambda: parallel_tempering(mala, LINE, [1, 0.5], swaps="all"), "swaps must be 'even-odd' or 'random-pair'"),
        (
            lambda: cycle([parallel_tempering(walks, LINE, [1, 0.5])]).init(np.zeros((3, 1))),
            "a cycle cannot hold parallel tempering",
        ),
        (
            lambda: step_of(metropolis_hastings(LINE, finite([[0.5, 0.5]] * 2)), np.zeros((3, 2))),
            "moves one coordinate, got 2",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (mala(LINE), "the gradient is not finite at x ="),
        (metropolis_hastings(LINE, finite([[0.5, 0.5]] * 2)), "a chain stands at 1.5; a matrix of proposals needs"),
        (metropolis_hastings(LINE, proposal(lambda streams, x: x[:1])), r"propose must return \(4, 1\) numbers"),
        (
            metropolis_hastings(LINE, proposal(lambda streams, x: x + 1, lambda x, y: x * np.nan)),
            r"log_correction must return 4 numbers, got \(4, 1\)",
        ),
        (
            metropolis_hastings(LINE, proposal(lambda streams, x: x + 1, lambda x, y: x[:, 0] * np.nan)),
            "log_correction is nan at a candidate",
        ),
        (
            metropolis_hastings(LINE, proposal(lambda streams, x: x + 1, lambda x, y: x[:, 0] + np.inf)),
            "log_correction is inf at a candidate",
        ),
        (
            metropolis_hastings(
                replace(LINE, log_density=lambda x: np.where(x != 1.5, np.nan, x)[:, 0]), random_walk()
            ),
            "the log density is NaN at x =",
        ),
    ],
)
def test_programs_that_misbehave_are_told_of(kernel, message):
    with pytest.raises(ProgramError, match=message) as raised:
        step_of(kernel, np.full((4, 1), 1.5))
    assert "\n" not in str(raised.value)
