"""Random numbers of several chains, each from generators of its own, many drawn ahead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["uniform", "normal", "exponential"]

_AHEAD = 1 << 14  # numbers of a chain that are drawn at once
# Each has a stream of its own, so that how many numbers one takes, or takes ahead, does not move the others.
_PURPOSES = ("start", "assignments", "missing", "gammas", "moves", "nearby", "small")


class ChainStreams:
    """Random numbers for chains; those of a chain depend on its own seed only.

    Parameters
    ----------
    seeds
        One a chain.
    """

    def __init__(self, seeds: Sequence[np.random.SeedSequence]) -> None:
        self.n_chains = len(seeds)
        self._generators = {
            purpose: [_generator(seed, place) for seed in seeds] for place, purpose in enumerate(_PURPOSES)
        }
        self._stored: dict[tuple[str, Kind, tuple[int, ...]], tuple[Floats, int]] = {}

    def __len__(self) -> int:
        return self.n_chains

    def of(self, purpose: str) -> Sequence[np.random.Generator]:
        """Return the generators, one a chain."""
        return self._generators[purpose]

    def next(self, purpose: str, kind: Kind, shape: tuple[int, ...]) -> Floats:
        """Return fresh numbers, ``n_chains x shape``; those of one purpose must be asked for in one order always."""
        key = purpose, kind, shape
        stored, used = self._stored.get(key, (None, 0))
        if stored is None or used == stored.shape[1]:
            stored, used = self._many(purpose, kind, shape), 0
        self._stored[key] = stored, used + 1
        return stored[:, used]

    def gammas(self, shapes: Floats) -> Floats:
        """Return standard gamma numbers, of the shape of their parameters, ``n_chains x n``."""
        drawn = np.empty_like(shapes)
        for generator, parameters, place in zip(self._generators["gammas"], shapes, drawn, strict=True):
            generator.standard_gamma(parameters, out=place)
        return drawn

    def _many(self, purpose: str, kind: Kind, shape: tuple[int, ...]) -> Floats:
        n_calls = max(1, _AHEAD // max(1, math.prod(shape)))
        numbers = np.empty((self.n_chains, n_calls, *shape))
        for generator, place in zip(self._generators[purpose], numbers, strict=True):
            _FILLS[kind](generator, place)
        return numbers


def _generator(seed: np.random.SeedSequence, place: int) -> np.random.Generator:
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, place))
    return np.random.Generator(np.random.SFC64(child))


def _uniform(generator: np.random.Generator, out: NDArray[Any]) -> object:
    return generator.random(out=out)


def _normal(generator: np.random.Generator, out: NDArray[Any]) -> object:
    return generator.standard_normal(out=out)


def _exponential(generator: np.random.Generator, out: NDArray[Any]) -> object:
    return generator.standard_exponential(out=out)


_FILLS = {"uniform": _uniform, "normal": _normal, "exponential": _exponential}
