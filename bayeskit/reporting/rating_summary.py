"""One pass over the kept draws of a factorisation: what they say of items, of users, of tastes, and of single cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeskit.reporting.groups import thinned
from bayeskit.reporting.rating_draws import Drawn
from bayeskit.reporting.rating_view import Factorisation

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_SHOWN = 60  # users, and items, of the table
MAX_USERS = 1000  # whose tastes are compared
MAX_ITEMS = 800  # by which they are


@dataclass(frozen=True, eq=False)
class Followed:
    """Draws of a number for each of many rows, ``n_draws x n_rows``."""

    draws: Floats

    @cached_property
    def mean(self) -> Floats:
        """Over the draws, ``n_rows``."""
        found: Floats = self.draws.mean(0, dtype=float)
        return found

    @cached_property
    def sd(self) -> Floats:
        """Over the draws; 0 of a single one."""
        found: Floats = self.draws.std(0, ddof=1, dtype=float) if len(self.draws) > 1 else np.zeros_like(self.mean)
        return found

    def ends(self, row: int) -> tuple[float, float]:
        """Return the ends of a row's central 95 % interval."""
        low, high = np.quantile(self.draws[:, row].astype(float), [0.025, 0.975])
        return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Summary:
    """What the kept draws say.

    Parameters
    ----------
    n_draws
        That were read.
    items, users
        What all users together are expected to give to each item, and each user to all items.
    splits
        Of each item half the difference between its friends and its foes.
    singular
        Singular values of what users and items make together, as standard deviations of predictors, ``n_draws x K``.
    shown_users, shown_items, shown
        Numbers of some users and items, and their table of expected ratings, kept within the scale.
    taste_users, taste_items, tastes
        Numbers of some users and items, and the mean of what they make together.
    """

    n_draws: int
    items: Followed
    users: Followed
    splits: Followed
    singular: Floats
    shown_users: Integers
    shown_items: Integers
    shown: Floats
    taste_users: Integers
    taste_items: Integers
    tastes: Floats


def summarise(found: Factorisation) -> Summary | None:
    """Read the kept draws once; None where there are none, or they are damaged."""
    if found.kept is None:
        return None
    user_counts, item_counts = found.counts("user"), found.counts("item")
    shown = _most(user_counts, MAX_SHOWN), _most(item_counts, MAX_SHOWN)
    compared = thinned(np.flatnonzero(user_counts > 0), MAX_USERS), np.sort(_most(item_counts, MAX_ITEMS))
    items, users, splits, singular = list[Floats](), list[Floats](), list[Floats](), list[Floats]()
    table = np.zeros((shown[0].size, shown[1].size))
    tastes = np.zeros((compared[0].size, compared[1].size))
    n = len(found.kept.places)
    for drawn in found.kept.draws():
        if not _finite(drawn):
            return None
        item, split = drawn.of_items()
        items.append(item.astype(np.float32))
        splits.append(split.astype(np.float32))
        users.append(drawn.of_users()[0].astype(np.float32))
        singular.append(drawn.scale.spread * drawn.singular_values())
        table += np.clip(drawn.table(*shown), found.card.low, found.card.high) / n
        tastes += drawn.tastes(*compared) * (drawn.scale.spread / n)
    return Summary(
        n_draws=n,
        items=Followed(np.stack(items)),
        users=Followed(np.stack(users)),
        splits=Followed(np.stack(splits)),
        singular=np.stack(singular),
        shown_users=shown[0],
        shown_items=shown[1],
        shown=table,
        taste_users=compared[0],
        taste_items=compared[1],
        tastes=tastes,
    )


def _most(counts: Integers, most: int) -> Integers:
    """Return the places with the highest counts, those with the most first."""
    order: Integers = np.argsort(-counts, kind="stable")[:most]
    return order[counts[order] > 0] if counts.any() else order


def _finite(drawn: Drawn) -> bool:
    arrays = (drawn.user_factors, drawn.item_factors, drawn.user_bias, drawn.item_bias, drawn.cutpoints)
    return bool(all(np.isfinite(array).all() for array in arrays) and np.isfinite(drawn.level))
