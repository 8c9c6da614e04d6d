"""The ratings that are fitted, and those that the fit is tested on, as arrays on the model's own scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Features:
    """Features of users, or of items, that move their rows' prior means.

    Parameters
    ----------
    matrix
        ``n x F``, zeros where nothing is known of one.
    groups
        F, the group of each, from 0, ascending: groups matter more or less, each as a whole.
    names
        Of the groups.
    columns
        Of the features.
    """

    matrix: Floats
    groups: Integers
    names: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def n_features(self) -> int:
        """F."""
        return int(self.matrix.shape[1])


@dataclass(frozen=True, eq=False)
class Observed:
    """Ratings as the model takes them.

    Parameters
    ----------
    user, item
        ``n_ratings``, rows of those that the fit sees.
    values
        ``n_ratings``: of the normal likelihood in units of ``spread`` from ``centre``; of the ordinal one the level,
        from 0.
    n_users, n_items
        All that there are, with those of test ratings only.
    test_user, test_item, test_values
        ``n_test``, held out, values as they are in the data.
    centre, spread
        Of the training ratings; 0 and 1 of the ordinal likelihood.
    scale
        Least and greatest rating.
    levels
        The scale's steps, ascending; empty where ratings are continuous.
    user_features, item_features
        None where there are none.
    """

    user: Integers
    item: Integers
    values: Floats
    n_users: int
    n_items: int
    test_user: Integers
    test_item: Integers
    test_values: Floats
    centre: float
    spread: float
    scale: tuple[float, float]
    levels: Floats
    user_features: Features | None = None
    item_features: Features | None = None

    @property
    def n_ratings(self) -> int:
        """Number of training ratings."""
        return int(self.values.size)

    @property
    def n_test(self) -> int:
        """Number of test ratings."""
        return int(self.test_values.size)

    def features(self, side: str) -> Features | None:
        """Return the features of a side, ``user`` or ``item``."""
        found: Features | None = getattr(self, f"{side}_features")
        return found

    def n_rows(self, side: str) -> int:
        """Return the number of users, or of items."""
        return self.n_users if side == "user" else self.n_items

    def in_units(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values on the model's scale in the data's units."""
        return self.centre + self.spread * values
