"""Simulations side by side: what is left over when one of them, or the place where they run, breaks."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from bayeskit.core.errors import InferenceError
from bayeskit.diagnostics.calibration import Simulation
from bayeskit.tasks import MOST_FROM_ONE_FIT
from bayeskit.workflows.calibrating import AT_HAND, place_of_truth
from bayeskit.workflows.simulating import run_all


class First(Executor):
    """The caller's own executor, in which the first simulation ends so and all others wait."""

    def __init__(self, outcome):
        self.outcome, self.futures = outcome, []

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        if not self.futures:
            if isinstance(self.outcome, BaseException):
                future.set_exception(self.outcome)
            else:
                future.set_result(self.outcome)
        self.futures.append(future)
        return future


def test_nothing_goes_on_in_the_executor_when_nobody_waits():
    executor = First(Simulation(0, 0.1))
    running = run_all([None] * 3, 3, executor, None)
    assert next(running) == Simulation(0, 0.1)
    running.close()  # as a full disk does, or Ctrl-C
    assert [future.cancelled() for future in executor.futures] == [False, True, True]


def test_a_process_that_is_killed_is_told_in_words():
    executor = First(BrokenProcessPool("terminated abruptly"))
    with pytest.raises(InferenceError, match=r"lack of memory.*__main__.*kept"):
        list(run_all([None] * 3, 3, executor, None))
    assert all(future.cancelled() for future in executor.futures[1:])


@pytest.mark.parametrize("n", [10, 200, MOST_FROM_ONE_FIT])
def test_truths_from_one_fit_lie_far_apart_however_many_there_are(n):
    places = [place_of_truth(index) for index in range(n)]
    assert len(set(places)) == n
    for chain in range(AT_HAND.chains):
        draws = sorted(draw for own, draw in places if own == chain)
        assert all(0 <= draw < AT_HAND.draws for draw in draws)
        assert np.diff(draws).min(initial=AT_HAND.draws) >= AT_HAND.draws * AT_HAND.chains / n / 2.1
