"""Where a variational fit computes: double precision, one device, and Pyro's and torch's globals left as they were."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyro
import torch
from pyro.poutine.messenger import Messenger
from torch.utils._pytree import tree_leaves, tree_map

_PURPOSE = 7  # tells the streams of this engine from those of others at the same seed
_MAX_TOLD = 300  # characters of an error's text
_MANY = 200_000  # numbers, for which several threads pay


@contextmanager
def alone(device: str) -> Iterator[None]:
    """Give the block an empty parameter store and generators of its own; modules get their weights back afterwards."""
    devices = [] if device == "cpu" else [torch.cuda.current_device()]
    with torch.random.fork_rng(devices=devices), pyro.get_param_store().scope(), computing(device), _Doubled() as own:
        try:
            yield
        finally:
            own.restore()


@contextmanager
def few_threads(arguments: Any) -> Iterator[None]:
    """Let torch work on one thread where a program's arguments are small."""
    threads = torch.get_num_threads()
    if sum(leaf.numel() for leaf in tree_leaves(arguments) if isinstance(leaf, torch.Tensor)) < _MANY:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def computing(device: str, kind: torch.dtype = torch.float64) -> Iterator[None]:
    """Make tensors double, or of another kind, on the device, without Pyro's checks."""
    precision = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        with pyro.validation_enabled(False), torch.enable_grad():
            if device == "cpu":
                yield
            else:
                with torch.device(device):
                    yield
    finally:
        torch.set_default_dtype(precision)


@contextmanager
def checking() -> Iterator[None]:
    """Have Pyro check what it can."""
    with pyro.validation_enabled(True), warnings.catch_warnings():
        # That some number is none shows in the steps, and is told there with the site.
        warnings.filterwarnings("ignore", message="Encountered (NaN|.?inf)", category=UserWarning)
        yield


def doubled(tree: Any, device: str) -> Any:
    """Return arguments with their tensors on the device, those of single precision made double."""

    def moved(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return leaf.to(device, torch.float64 if leaf.dtype in (torch.float32, torch.float16) else leaf.dtype)

    return tree_map(moved, tree)


def reseed(seed: int, *purpose: int) -> None:
    """Start torch's generators in the stream that a part of the run has by itself."""
    torch.manual_seed(int(_sequence(seed, purpose).generate_state(1, np.uint64)[0] >> np.uint64(1)))  # it takes 63 bits


def stream(seed: int, *purpose: int) -> np.random.Generator:
    """Return NumPy's generator for a part of the run."""
    return np.random.default_rng(_sequence(seed, purpose))


def _sequence(seed: int, purpose: tuple[int, ...]) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(*purpose, _PURPOSE))


def generator_state(device: str) -> torch.Tensor:
    """Return where torch's generator for the device stands."""
    return torch.get_rng_state() if device == "cpu" else torch.cuda.get_rng_state()


def set_generator_state(device: str, state: torch.Tensor) -> None:
    """Put torch's generator for the device back to where it stood."""
    if device == "cpu":
        torch.set_rng_state(state)
    else:
        torch.cuda.set_rng_state(state)


def told(error: Exception) -> str:
    """Return an exception in one line, without the table of shapes that Pyro puts below its own."""
    text = re.split(r"\s*Trace Shapes:", str(error))[0]
    return f"{type(error).__name__} ({' '.join(text.split())[:_MAX_TOLD]})"


class _Doubled(Messenger):
    """Makes parameters double where they first come up, and remembers what those of the user's modules were."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def _pyro_post_param(self, msg: Any) -> None:
        name, store = msg["name"], pyro.get_param_store()
        leaf = store._params.get(name)
        if leaf is None or id(leaf) in self._seen:
            return
        self._seen[id(leaf)] = leaf, leaf.data
        here = torch.empty(0)
        if leaf.is_floating_point() and (leaf.dtype, leaf.device) != (here.dtype, here.device):
            leaf.data = leaf.data.to(here.device, here.dtype)
            msg["value"] = store[name]

    def restore(self) -> None:
        for leaf, data in self._seen.values():
            leaf.data = data
