"""A training that was killed goes on to the same bits; a file that is damaged, or of another one, is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from inference.amortised_programs import KILLED, ROWS, Autoencoder
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bayeskit.core.errors import ConfigError
from bayeskit.inference._amortised_interrupts import Postponed
from bayeskit.inference._checkpoints import digest_of_arguments
from bayeskit.inference.amortised import fit_amortised

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fit(path=None, *, seed=3, program=None, identity=None, progress=None, **options):
    given = program or Autoencoder(ROWS[:400], ROWS[400:])
    config = KILLED.model_copy(update={"checkpoint_every": 1e6, **options})
    return fit_amortised(given, config, seed=seed, checkpoint=path, identity=identity, progress=progress)


@pytest.fixture(scope="module")
def uninterrupted():
    return fit()


def same(one, other):
    for group in ("weights", "history"):
        for name, value in one.groups[group].items():
            np.testing.assert_array_equal(value, other.groups[group][name])
    for name in ("best_epoch", "elbo", "message", "compiled", "threads"):
        assert one.engine[name] == other.engine[name]


@contextmanager
def nursery():
    """A process that forks children which train until they are killed."""
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "inference.amortised_programs"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
    ) as process:
        yield process
        process.stdin.close()


def kill(process, path, compiled, steps):
    """Have a child train for about so many steps, and kill it; return whether it had not ended by itself."""
    process.stdin.write(f"{path} {compiled}\n")
    first, child = process.stdout.readline().split()
    assert first == "child"
    began = None
    for line in process.stdout:
        if line.strip() == "gone":
            return False
        began = int(line) if began is None else began
        if int(line) >= began + steps:
            break
    os.kill(int(child), signal.SIGKILL)
    for line in process.stdout:
        if line.strip() == "gone":
            break
    return True


def killed(path, rng, times, compiled):
    """Kill so many children, each of which goes on where the one before was killed; return where each was."""
    reached = []
    with nursery() as process:
        for _ in range(times):
            if not kill(process, path, compiled, int(rng.integers(1, 60))):
                break
            reached.append(steps_in(path))
    return reached


def steps_in(path):
    state = load_file(path)
    return 12 * len(state.get("history/elbo", ())) + len(state["statistics"])


def test_a_training_that_was_killed_goes_on_to_the_same_bits(tmp_path, uninterrupted):
    path = tmp_path / "state"
    reached = killed(path, np.random.default_rng(1), 3, "auto")
    assert reached == sorted(reached)
    assert len(reached) == 3
    assert 0 < reached[-1] < 480
    same(fit(path), uninterrupted)
    again = []
    same(fit(path, progress=lambda done, total: again.append((done, total))), uninterrupted)
    assert set(again) == {(480, 480)}  # it was at its end


@pytest.mark.slow  # compiles steps again and again
def test_a_compiled_training_that_was_killed_many_times_goes_on_to_the_same_bits(tmp_path):
    whole = fit(compile="always")
    path, rng, kills = tmp_path / "state", np.random.default_rng(9), 0
    while kills < 20:  # one training is shorter than that
        reached = killed(path, rng, 20 - kills, "always")
        assert reached == sorted(reached)
        assert reached[-1] > 0
        kills += len(reached)
        same(fit(path, compile="always"), whole)
        path.unlink()


@pytest.mark.parametrize("steps", [12, 30])
def test_an_interrupt_keeps_the_last_step(tmp_path, uninterrupted, steps):
    path, calls = tmp_path / "state", [0]

    def interrupt(done, total):
        calls[0] += 1
        if done >= steps and not path.exists():
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(path, progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert steps <= steps_in(path) < 470
    same(fit(path), uninterrupted)


def test_an_interrupt_waits_for_the_end_of_a_step_and_a_second_one_does_not():
    with Postponed() as came:
        assert not came()
        signal.raise_signal(signal.SIGINT)
        assert came()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """A training that was interrupted in the middle of an epoch."""
    path = tmp_path_factory.mktemp("checkpoint") / "state"

    def interrupt(done, total):
        if done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(path, progress=interrupt, identity={"the model's options": "one"})
    return path.read_bytes()


@pytest.fixture
def path(state, tmp_path):
    made = tmp_path / "state"
    made.write_bytes(state)
    return made


def rewritten(path, change):
    """Change tensors of a checkpoint, so that its sum is right again."""
    with safe_open(path, framework="pt") as file:
        whole = json.loads(file.metadata()["bayeskit"])
    tensors = load_file(path)
    change(tensors)
    kept = {name: whole["state"].get(name, tensors.get(name)) for name in whole["order"]}
    save_file(tensors, path, {"bayeskit": json.dumps({**whole, "digest": digest_of_arguments(kept)})})


def test_going_on_is_no_beginning_anew(path, uninterrupted):
    """Negative control: a state that was changed leads elsewhere, in each of its parts."""
    rewritten(path, lambda tensors: tensors["second/decoder.0.weight"].add_(1e-6))
    draws = fit(path, identity={"the model's options": "one"})
    assert (draws.groups["weights"]["decoder.0.weight"] != uninterrupted.groups["weights"]["decoder.0.weight"]).any()


OTHERS = {
    "seed": ({"seed": 4}, "the seed differs"),
    "option": ({"learning_rate": 0.5}, "option 'learning_rate' differs"),
    "model": ({"program": Autoencoder(ROWS[:400], ROWS[400:], hidden=8)}, "the size of the networks differs"),
    "weights": ({"program": Autoencoder(ROWS[:400], ROWS[400:], seed=2)}, "what networks begin with differs"),
    "data": ({"program": Autoencoder(ROWS[1:401], ROWS[400:])}, "the data differs"),
    "identity": ({"identity": {"the model's options": "other"}}, "the model's options differs"),
}


@pytest.mark.parametrize(("other", "what"), OTHERS.values(), ids=OTHERS)
def test_a_checkpoint_of_another_training_is_refused(path, state, other, what):
    with pytest.raises(ConfigError, match=rf"of another run: {what}; remove it to start anew") as caught:
        fit(path, **{"identity": {"the model's options": "one"}, **other})
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == state


def test_a_checkpoint_of_another_version_is_refused(path, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0.1")
    with pytest.raises(ConfigError, match="the version of bayeskit differs"):
        fit(path, identity={"the model's options": "one"})


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_checkpoint_is_refused(path, state, share):
    path.write_bytes(state[: int(share * len(state))])
    with pytest.raises(ConfigError, match=r"cannot be read .*damaged, or something else; remove it to start anew"):
        fit(path)


def test_a_checkpoint_whose_numbers_changed_is_refused(path, state):
    place = len(state) - 40
    path.write_bytes(state[:place] + bytes([state[place] ^ 1]) + state[place + 1 :])
    with pytest.raises(ConfigError, match="is damaged: its numbers changed"):
        fit(path, identity={"the model's options": "one"})


def test_other_safetensors_are_no_checkpoint(tmp_path):
    save_file({"weights": torch.ones(3)}, tmp_path / "other")
    with pytest.raises(ConfigError, match="is no checkpoint of this version"):
        fit(tmp_path / "other")
