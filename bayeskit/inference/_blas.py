"""One thread for linear algebra: chains and particles are many and their matrices small, so that more only wait."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from bayeskit.core.density import Density


def single_threaded(density: Density) -> AbstractContextManager[Any]:
    """Keep BLAS to one thread while a density is drawn from; tensors have threads of their own, and keep them.

    The sums of a matrix product also come out the same on any number of cores then.
    """
    import numpy as np  # noqa: F401  # the library has to be loaded to be limited
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(None if density.arrays == "torch" else 1, user_api="blas")
    return limits
