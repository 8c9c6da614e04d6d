"""Random numbers for many chains at once: each block of 64 chains has a stream of its own.

A block's numbers, and with them its draws, do not depend on how many blocks there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK = 64
AHEAD = 8192  # numbers that a block draws at once

Fill = Callable[[np.random.Generator, NDArray[Any]], object]


class Streams(Protocol):
    """All that a kernel may ask of chance; each returns what the chains take, arrays or tensors."""

    n_chains: int

    def normal(self, n_dims: int, active: NDArray[np.bool_] | None = None) -> Any:
        """Return standard normal numbers, ``n_chains x n_dims``; see ``uniform`` for ``active``."""
        ...

    def uniform(self, active: NDArray[np.bool_] | None = None) -> Any:
        """Return numbers from 0 up to 1, ``n_chains``.

        With ``active``, ``n_chains``, only blocks with an active chain draw: a loop that some block leaves early must
        not move the others' streams. What the rest gets means nothing.
        """
        ...

    def choose(self, probabilities: Any) -> NDArray[np.int64]:
        """Return outcomes, ``n_chains``; probabilities are ``n_outcomes``, or ``n_chains x n_outcomes``."""
        ...

    def accept(self, log_ratio: Any) -> Any:
        """Return whether each chain accepts, ``n_chains``: with probability ``min(1, exp(log_ratio))``."""
        ...


class BlockStreams:
    """Streams from NumPy's generators, one a block of 64 chains.

    A block draws the numbers of many calls at once, apart for each kind of call; a kernel that asks for other kinds of
    numbers, or in another order, gets others.

    Parameters
    ----------
    seed
        Of the whole run.
    n_chains
        Of these blocks together; only the last block may be smaller.
    first_block
        Number of the first block among all of the run's.
    convert
        Makes what the chains take of a NumPy array; the array itself unless given.
    """

    def __init__(
        self, seed: int, n_chains: int, first_block: int = 0, convert: Callable[[NDArray[Any]], Any] | None = None
    ) -> None:
        self.n_chains = n_chains
        self._generators = [block_generator(seed, first_block + place) for place in range(-(-n_chains // BLOCK))]
        self._convert = convert or (lambda array: array)
        self._stored: dict[tuple[Fill, tuple[int, ...]], tuple[Any, int]] = {}

    def normal(self, n_dims: int, active: NDArray[np.bool_] | None = None) -> Any:
        """Return standard normal numbers, ``n_chains x n_dims``."""
        return self._next(_normal, (n_dims,)) if active is None else self._drawn(_normal, (n_dims,), active)

    def uniform(self, active: NDArray[np.bool_] | None = None) -> Any:
        """Return numbers from 0 up to 1, ``n_chains``."""
        return self._next(_uniform, ()) if active is None else self._drawn(_uniform, (), active)

    def choose(self, probabilities: Any) -> NDArray[np.int64]:
        """Return outcomes, ``n_chains``."""
        ends = np.cumsum(np.asarray(probabilities, dtype=float), axis=-1)
        # The last with any probability is 1 exactly: there is always an outcome above, and never an impossible one.
        ends /= ends[..., -1:]
        chosen: NDArray[np.int64] = (self._next(_outcome, ())[:, None] >= ends).sum(axis=-1)
        return chosen

    def accept(self, log_ratio: Any) -> Any:
        """Return whether each chain accepts, ``n_chains``."""
        return self._next(_log_uniform, ()) < log_ratio

    def _next(self, fill: Fill, shape: tuple[int, ...]) -> Any:
        """Return numbers for all chains; each block draws those of many calls at once."""
        stored, used = self._stored.get((fill, shape), ((), 0))
        if used == len(stored):
            stored, used = self._many(fill, shape), 0
        self._stored[fill, shape] = stored, used + 1
        return stored[used]

    def _many(self, fill: Fill, shape: tuple[int, ...]) -> Any:
        # How many calls' numbers are drawn must not depend on how many blocks there are.
        n_calls = max(1, AHEAD // (BLOCK * math.prod(shape)))
        numbers = np.empty((n_calls, len(self._generators) * BLOCK, *shape))
        # A block that is not whole draws as if it were, so that its chains do not depend on their number.
        whole = np.empty((n_calls, BLOCK, *shape))
        for place, generator in enumerate(self._generators):
            fill(generator, whole)
            numbers[:, place * BLOCK : (place + 1) * BLOCK] = whole
        kept = numbers[:, : self.n_chains]
        return kept if fill is _outcome else self._convert(kept)

    def _drawn(self, fill: Fill, shape: tuple[int, ...], active: NDArray[np.bool_]) -> Any:
        """Return numbers for the blocks that have an active chain; the others do not draw."""
        numbers = np.zeros((len(self._generators), BLOCK, *shape))
        filled_up = np.zeros(len(self._generators) * BLOCK, dtype=bool)
        filled_up[: self.n_chains] = active
        for place in np.flatnonzero(filled_up.reshape(-1, BLOCK).any(axis=1)):
            fill(self._generators[place], numbers[place])
        return self._convert(numbers.reshape(-1, *shape)[: self.n_chains])


def block_generator(seed: int, block: int, purpose: int = 0) -> np.random.Generator:
    """Return the generator of one block of chains or proposals; each purpose has streams of its own.

    Engines that are held against each other at the same seed must not draw the same numbers.
    """
    key = (purpose, block) if purpose else (block,)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


def _normal(generator: np.random.Generator, numbers: NDArray[Any]) -> object:
    return generator.standard_normal(out=numbers)


def _uniform(generator: np.random.Generator, numbers: NDArray[Any]) -> object:
    return generator.random(out=numbers)


def _outcome(generator: np.random.Generator, numbers: NDArray[Any]) -> object:
    return generator.random(out=numbers)


def _log_uniform(generator: np.random.Generator, numbers: NDArray[Any]) -> object:
    generator.standard_exponential(out=numbers)
    return np.negative(numbers, out=numbers)
