"""The process behind a Stan program's density: it starts, is shared, is given up, and always ends."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from toolchain.runner_support import environment

from bayeskit.toolchain import evaluator as module
from bayeskit.toolchain.evaluator import Evaluator, EvaluatorEndedError, Setup


@pytest.fixture
def setup(programs: Path, tmp_path: Path) -> Setup:
    return Setup(programs / "linreg", tmp_path, programs / "linreg.json", 4)


@pytest.fixture
def evaluator(setup: Setup):
    evaluator = Evaluator(setup)
    yield evaluator
    evaluator.close()


POINTS = np.random.default_rng(3).normal(size=(64, 5))


def processes() -> list[psutil.Process]:
    """Children that evaluate, whether or not they have ended by now."""
    return [child for child in psutil.Process().children() if child.name().startswith("linreg")]


def descriptors() -> int:
    return psutil.Process().num_fds()


def test_the_process_starts_when_it_is_needed_and_ends_when_closed(evaluator: Evaluator):
    assert not processes()
    evaluator.log_density(POINTS)
    evaluator.gradient(POINTS)
    assert len(processes()) == 1
    before = descriptors()
    evaluator.close()
    evaluator.close()
    assert not processes()
    assert descriptors() == before - 2
    with pytest.raises(ValueError, match="closed"):
        evaluator.log_density(POINTS)
    Evaluator(evaluator._setup).close()  # that was never asked


def test_the_process_ends_with_the_object(setup: Setup):
    evaluator = Evaluator(setup)
    evaluator.describe()
    assert processes()
    del evaluator
    gc.collect()
    assert not processes()


@pytest.mark.parametrize("leaves", ["", "raise RuntimeError", "os.kill(os.getpid(), 9)"])
def test_the_process_ends_with_python(setup: Setup, leaves: str):
    code = f"""
import os, sys
from pathlib import Path
from bayeskit.toolchain.evaluator import Evaluator, Setup
evaluator = Evaluator(Setup(Path({str(setup.executable)!r}), Path({str(setup.folder)!r}), Path({str(setup.data)!r}), 1))
evaluator.describe()
print(evaluator._running[0]._process.pid, flush=True)
{leaves}
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    (pid,) = map(int, done.stdout.split())
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(timeout=10)


def test_a_request_that_is_given_up_takes_nothing_with_it(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch):
    expected = evaluator.log_density(POINTS)[0]
    with monkeypatch.context() as patch:

        def interrupted(*_):
            raise KeyboardInterrupt

        patch.setattr(module.os, "readv", interrupted)
        with pytest.raises(KeyboardInterrupt):
            evaluator.gradient(POINTS)
    assert not processes()  # its answer would be taken for that to the next request
    np.testing.assert_array_equal(evaluator.log_density(POINTS)[0], expected)


def test_a_process_that_is_killed_is_told_and_replaced(evaluator: Evaluator):
    evaluator.describe()
    (process,) = processes()
    process.kill()
    with pytest.raises(EvaluatorEndedError) as caught:
        evaluator.log_density(POINTS)
    assert caught.value.status == -9
    assert len(evaluator.log_density(POINTS)[0]) == 64


def test_large_requests_pass_through_the_pipes(evaluator: Evaluator):
    points = np.tile(POINTS, (600, 1))
    found, _ = evaluator.log_density(points)
    np.testing.assert_array_equal(found.reshape(600, 64), np.tile(found[:64], (600, 1)))
    assert evaluator.transform(points, 85, seed=1).shape == (38400, 85)
    np.testing.assert_array_equal(evaluator.log_density(np.asfortranarray(points))[0], found)


def test_threads_take_turns(evaluator: Evaluator):
    parts = np.split(np.random.default_rng(4).normal(size=(800, 5)), 8)
    expected = [evaluator.gradient(part) for part in parts]
    failed: list[int] = []

    def ask(place: int):
        for _ in range(20):
            found = evaluator.gradient(parts[place])
            if not all(np.array_equal(mine, other) for mine, other in zip(found, expected[place], strict=True)):
                failed.append(place)
                return

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(processes()) == 1


def test_a_fork_gets_a_process_of_its_own(evaluator: Evaluator):
    expected = evaluator.log_density(POINTS)[0]
    child = os.fork()
    if child == 0:
        same = np.array_equal(evaluator.log_density(POINTS)[0], expected)
        evaluator.close()
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(evaluator.log_density(POINTS)[0], expected)
