"""What a Gaussian mixture asks of its points, and points made up for the cross-check."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.datasets.points import Points, points

Floats = NDArray[np.float64]

N_COMPONENTS = 3
N_STICKS = 10
"""Of a Dirichlet process: the level of its truncation where none is given."""
_AT_FIRST = 10_000  # points among which distinct ones are looked for at first


def number_of_components(data: Points, asked: int | None, *, dp: bool) -> int:
    """Return how many components there are to be: as many as asked for, or a usual number.

    Raises
    ------
    ConfigError
        If it is no whole number, below 1 (of a Dirichlet process 2), or above that of distinct points.
    """
    if asked is None:
        asked = min(N_STICKS, n_distinct(data.values, N_STICKS)) if dp else N_COMPONENTS
    if isinstance(asked, bool) or not isinstance(asked, int | np.integer):
        raise ConfigError(f"components must be a whole number from 1 up, got {asked!r}")
    if asked < 1:
        raise ConfigError(f"components must be at least 1, got {asked}")
    if dp and asked == 1:
        raise ConfigError("components: a Dirichlet process of at most 1 component is none; give at least 2")
    found = n_distinct(data.values, int(asked))
    if asked > found:
        where = f"{data.source.path}: " if data.source.path else ""
        raise ConfigError(
            f"{where}components is {asked}, but there are only {found} distinct points; take at most {found}"
        )
    return int(asked)


def n_distinct(values: Floats, enough: int) -> int:
    """Return how many points are distinct; where they are ``enough`` or more, perhaps only some of these.

    A missing coordinate equals a missing one.
    """
    found = 0
    for part in (values[:_AT_FIRST], values):
        found = len(np.unique(np.column_stack([np.nan_to_num(part), np.isnan(part)]), axis=0))
        if found >= enough:
            break
    return found


def three_groups_of_points() -> Points:
    """Return 1000 points in two columns, in three groups that touch."""
    stream = np.random.RandomState(42)
    groups = (
        (300, (0, 0), ((1, 0.3), (0.3, 1))),
        (400, (3, 3), ((1, -0.2), (-0.2, 1.5))),
        (300, (-3, 3), ((1.5, 0.4), (0.4, 1))),
    )
    made = [stream.multivariate_normal(mean, covariance, n) for n, mean, covariance in groups]
    return points(np.concatenate(made), columns=("x", "y"))
