"""What every kernel is made of: the state, what happened in a step, what warm-up tunes, and how a step is decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Density
from bayeskit.inference._streams import BLOCK, Streams

MATMUL_DIMS = 6  # up to here, sums over columns are faster than many products of small matrices


class State(NamedTuple):
    """Where the chains stand: ``position`` is ``n_chains x n_dims``, ``log_density`` ``n_chains``.

    ``gradient``, ``n_chains x n_dims``, is there for the kernels that use it, ``replicas`` for parallel tempering,
    which says what it holds.
    """

    position: Any
    log_density: Any
    gradient: Any = None
    replicas: Any = None


class Info(NamedTuple):
    """What happened in a step: each chain's probability of acceptance, ``n_chains``.

    ``parts`` is there for kernels that are made of others, one each; ``swaps``, ``n_chains x (n_replicas - 1)``, for
    parallel tempering: the probability that neighbours swap, NaN where none was tried.
    """

    acceptance: Any
    parts: tuple[Info, ...] = ()
    swaps: Any = None


class Tuning(NamedTuple):
    """What warm-up adapts: each chain's scale, ``n_chains``, and a Cholesky factor a block of 64 chains.

    ``factor`` is ``n_blocks x n_dims x n_dims``, lower triangular, or None for the identity. ``parts`` is there for
    kernels that are made of others, one each; without it, all of them take this one.
    """

    scale: Any
    factor: Any = None
    parts: tuple[Tuning, ...] = ()

    def part(self, place: int) -> Tuning:
        """Return the tuning of one of a kernel's parts."""
        return self.parts[place] if self.parts else self

    def on(self, coordinates: list[int]) -> Tuning:
        """Return the tuning of some of the coordinates: a factor that is not theirs already loses the other ones."""
        if self.factor is None or self.factor.shape[-1] == len(coordinates):
            return self
        return self._replace(factor=self.factor[:, coordinates][:, :, coordinates])


class Kernel(NamedTuple):
    """A transition that leaves its density invariant.

    ``init`` makes a state of positions, ``n_chains x n_dims``; ``step`` moves it, and takes nothing from chance but
    through its streams.
    """

    init: Callable[[Any], State]
    step: Callable[[Streams, State, Tuning], tuple[State, Info]]


Propose = Callable[[Streams, Any, Tuning], tuple[Any, Any]]
"""Takes streams, positions and tuning; returns candidates y, and log q(x | y) - log q(y | x), or None where it is 0."""


def namespace(density: Density) -> Any:
    """Return the module whose functions take the density's arrays: ``numpy`` or ``torch``."""
    if density.arrays == "numpy":
        return np
    import torch

    return torch


def namespace_of(array: Any) -> Any:
    """Return the module whose functions take this array: ``numpy`` or ``torch``."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def like(array: Any, example: Any) -> Any:
    """Return a NumPy array as what the example is: an array, or a tensor on its device; numbers of its precision."""
    if isinstance(example, np.ndarray):
        return np.asarray(array)
    import torch

    array = np.asarray(array)
    dtype = example.dtype if array.dtype.kind == "f" else None
    return torch.as_tensor(array, dtype=dtype, device=example.device)


def as_numpy(array: Any) -> NDArray[Any]:
    """Return an array or a tensor as a NumPy array."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.detach().cpu())


def selected(xp: Any, moved: Any, candidate: State, state: State) -> State:
    """Return the candidate's rows where a chain has moved, and the state's elsewhere."""
    rows = moved[:, None]
    gradient = None
    if candidate.gradient is not None and state.gradient is not None:
        gradient = xp.where(rows, candidate.gradient, state.gradient)
    return State(
        xp.where(rows, candidate.position, state.position),
        xp.where(moved, candidate.log_density, state.log_density),
        gradient,
    )


def decided(xp: Any, streams: Streams, state: State, candidate: State, log_ratio: Any) -> tuple[State, Info]:
    """Accept each chain's candidate with probability ``min(1, exp(log_ratio))``."""
    moved = streams.accept(log_ratio)
    acceptance = xp.exp(xp.where(log_ratio > 0, 0.0, log_ratio))
    return selected(xp, moved, candidate, state), Info(acceptance)


def coloured(noise: Any, factor: Any) -> Any:
    """Return each chain's numbers, ``n_chains x n_dims``, times its block's Cholesky factor."""
    return noise if factor is None else _by_block(noise, factor)


def coloured_back(noise: Any, factor: Any) -> Any:
    """Return the same with the factor transposed: both, one after the other, make the covariance times the numbers."""
    return noise if factor is None else _by_block(noise, factor.mT)


def _by_block(rows: Any, factor: Any) -> Any:
    n_chains, n_dims = rows.shape
    n_blocks = -(-n_chains // BLOCK)
    if n_chains != n_blocks * BLOCK:  # a product's rounding depends on how many rows it has: fill the last block up
        shape = (n_blocks * BLOCK, n_dims)
        whole = np.zeros(shape) if isinstance(rows, np.ndarray) else rows.new_zeros(shape)
        whole[:n_chains] = rows
        rows = whole
    blocks = rows.reshape(n_blocks, BLOCK, n_dims)
    product = _by_columns(blocks, factor) if n_dims <= MATMUL_DIMS else blocks @ factor.mT
    return product.reshape(n_blocks * BLOCK, n_dims)[:n_chains]


def _by_columns(blocks: Any, factor: Any) -> Any:
    n_dims = blocks.shape[-1]
    product = blocks + 0.0
    for row in range(n_dims):
        column = blocks[:, :, 0] * factor[:, row, :1]
        for other in range(1, n_dims):
            column += blocks[:, :, other] * factor[:, row, other : other + 1]
        product[:, :, row] = column
    return product
