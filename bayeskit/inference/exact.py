"""Independent draws from a distribution that can be drawn from directly: what other engines are held against."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.types import Draws


class ExactConfig(Config):
    """How many draws are made.

    Parameters
    ----------
    draws
        In all.
    """

    method: ClassVar[str] = "exact"
    draws: int = Field(default=10_000, ge=4)


def draw_exact(
    sample: Callable[[np.random.Generator, int], Mapping[str, NDArray[Any]]], config: ExactConfig, *, seed: int
) -> Draws:
    """Draw from a distribution directly.

    Parameters
    ----------
    sample
        Takes a random generator and ``n``, and returns ``n x ...`` independent draws by name.
    config
        How many.
    seed
        The same one gives the same draws.

    Returns
    -------
    Draws
        Of kind ``iid``, one chain.
    """
    clock = time.perf_counter()
    values = sample(np.random.default_rng(seed), config.draws)
    seconds = time.perf_counter() - clock
    return Draws(
        kind="iid",
        values={name: np.asarray(array)[None] for name, array in values.items()},
        timings={"compile": 0.0, "sampling": seconds},
        engine={"method": config.method},
    )
