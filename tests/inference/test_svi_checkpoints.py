"""A fit that was killed goes on to the same bits; a file that is damaged, or of another fit, is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from inference.svi_programs import KILLED, X, Y, made, mixture, regression

from bayeskit.core.errors import ConfigError
from bayeskit.inference import _svi_loop
from bayeskit.inference._checkpoints import Checkpoint, digest_of_arguments, digest_of_function
from bayeskit.inference.svi import fit_svi

DATA = (torch.tensor(X), torch.tensor(Y))
TESTS = Path(__file__).resolve().parents[1]


class _EnoughError(Exception):
    """Stops a fit, as a kill does, but in this process."""


def config(path, **options):
    return KILLED.model_copy(update={"checkpoint": str(path), **options})


def stopped(path, step, error=_EnoughError, **options):
    """Fit up to a step, and be interrupted there; the file holds some step before."""

    def stop(done, total):
        if done >= step:
            raise error

    with pytest.raises(error):
        fit_svi(regression, DATA, config=config(path, **options), seed=3, progress=stop)


def same(one, other):
    for name in ("slopes", "first"):
        np.testing.assert_array_equal(one.values[name], other.values[name])
    for name in ("elbo", "learning_rate"):
        np.testing.assert_array_equal(one.groups["history"][name], other.groups["history"][name])
    np.testing.assert_array_equal(one.sample_stats["log_q"], other.sample_stats["log_q"])
    assert one.engine["message"] == other.engine["message"]


@pytest.fixture(scope="module")
def uninterrupted():
    return fit_svi(regression, DATA, config=KILLED, seed=3)


def test_a_killed_process_goes_on_to_the_same_bits(tmp_path, uninterrupted):
    _kill(tmp_path, uninterrupted, np.random.default_rng(1), 1)


@pytest.mark.slow
def test_a_process_killed_many_times_goes_on_to_the_same_bits(tmp_path, uninterrupted):
    _kill(tmp_path, uninterrupted, np.random.default_rng(9), 20)


def _kill(tmp_path, uninterrupted, rng, times):
    """Kill children that record their steps, and go on here without."""
    path = tmp_path / "state"
    reached = [0]
    for _ in range(times):
        command = [sys.executable, "-m", "inference.svi_programs", str(path)]
        environment = {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}", "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
            # Sets of texts have another order in each process, which must not matter.
            assert child.stdout.readline().strip() == digest_of_function(made(1))
            wanted = min(reached[-1] + int(rng.integers(1, 60)), KILLED.steps - 5)
            for line in child.stdout:
                if int(line) >= wanted:
                    break
            os.kill(child.pid, signal.SIGKILL)
        if not path.exists():  # it was done before the signal came
            break
        reached.append(len(torch.load(path, weights_only=True)["state"]["losses"]))
    assert reached[-1] > 0
    same(fit_svi(regression, DATA, config=config(path, record=False), seed=3), uninterrupted)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_keeps_the_last_step(tmp_path, uninterrupted):
    path = tmp_path / "state"
    stopped(path, 1, KeyboardInterrupt, checkpoint_every=1e6)
    assert path.exists()
    same(fit_svi(regression, DATA, config=config(path), seed=3), uninterrupted)


def test_an_interrupt_leaves_the_generator_where_the_last_step_left_it(tmp_path, uninterrupted, monkeypatch):
    path, original, calls = tmp_path / "state", _svi_loop.gradient, [0]

    def interrupted(*given):
        calls[0] += 1
        found = original(*given)
        if calls[0] == 41:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr(_svi_loop, "gradient", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit_svi(regression, DATA, config=config(path, record=False, checkpoint_every=1e6), seed=3)
    same(fit_svi(regression, DATA, config=config(path), seed=3), uninterrupted)


def test_going_on_is_no_beginning_anew(tmp_path, uninterrupted):
    """Negative control: a state that was changed leads elsewhere."""
    path = tmp_path / "state"
    stopped(path, 5)
    kept = torch.load(path, weights_only=True)
    kept["state"]["flat"][0] += 1e-3
    torch.save({**kept, "digest": digest_of_arguments(kept["state"])}, path)
    draws = fit_svi(regression, DATA, config=config(path), seed=3)
    assert not np.isin(draws.values["slopes"], uninterrupted.values["slopes"]).any()


@pytest.mark.parametrize(
    ("options", "seed", "data", "program", "what"),
    [
        ({"learning_rate": 0.5}, 3, DATA, regression, "option 'learning_rate' differs"),
        ({}, 4, DATA, regression, "the seed differs"),
        ({}, 3, (DATA[0], DATA[1] + 1e-9), regression, "the data differs"),
        ({}, 3, (torch.tensor([1.0, 2.0]),), mixture, "the program differs"),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(tmp_path, options, seed, data, program, what):
    path = tmp_path / "state"
    stopped(path, 5)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=what) as caught:
        fit_svi(program, data, config=config(path, **options), seed=seed)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_a_damaged_checkpoint_is_refused_wherever_it_is_damaged(tmp_path):
    path = tmp_path / "state"
    stopped(path, 5)
    whole = path.read_bytes()
    keep = Checkpoint(str(path), 1.0, {})
    assert keep.load()["shapes"]
    for content in [b"", whole[: len(whole) // 2], whole[:-30], b"no archive", os.urandom(100)]:
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"cannot be read .*damaged, or something else; remove it to start anew"):
            fit_svi(regression, DATA, config=config(path), seed=3)
    place = whole.index(keep_number(whole))
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(ConfigError, match="damaged"):
        keep.load()
    torch.save({"something": 1}, path)
    with pytest.raises(ConfigError, match="no checkpoint of this version"):
        keep.load()


def keep_number(content):
    """Bytes of a number of the state."""
    state = torch.load(BytesIO(content), weights_only=True)["state"]
    return np.float64(state["first"][0]).tobytes()


def test_a_disk_that_refuses_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="a part of the path is a file"):
        fit_svi(regression, DATA, config=config(tmp_path / "file" / "state"), seed=3)


def test_a_state_is_written_when_it_is_time(tmp_path):
    path = tmp_path / "state"
    keep = Checkpoint(str(path), 1e6, {})
    keep.offer(lambda: {"a": 1})
    assert not path.exists()
    keep.save({"a": 1})
    assert keep.load() == {"a": 1}
    Checkpoint(str(path), 0.0, {}).offer(lambda: {"a": 2})
    assert keep.load() == {"a": 2}


def test_functions_are_told_apart_by_what_they_do():
    assert digest_of_function(made(1)) == digest_of_function(made(1))
    assert digest_of_function(made(1)) != digest_of_function(made(2))
    assert digest_of_function(lambda x: x + 1) != digest_of_function(lambda x: x + 2)
    assert digest_of_function(regression) != digest_of_function(mixture)


def test_arguments_are_told_apart_by_their_numbers():
    one = {"x": torch.ones(3), "y": [1, "a", None, np.arange(2)]}
    again = {"x": torch.ones(3), "y": [1, "a", None, np.arange(2)]}
    assert digest_of_arguments(one) == digest_of_arguments(again)
    assert digest_of_arguments(one) != digest_of_arguments({**one, "x": torch.ones(3, dtype=torch.float64)})
    assert digest_of_arguments(one) != digest_of_arguments({**one, "y": [1, "a", None, np.arange(2) + 1]})
    assert digest_of_arguments(object()) == digest_of_arguments(object())  # whose text would hold its address
