"""A factorisation's run as figures and sentences take it: who rated what, what is said of test ratings, the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import FactorCard, Kind
from bayeskit.core.words import number
from bayeskit.reporting.rating_draws import Kept

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LONGEST = 44  # letters of a title


@dataclass(frozen=True, eq=False)
class Side:
    """Users, or items.

    Parameters
    ----------
    names
        As the data have them.
    columns
        Of their table, by name.
    """

    names: NDArray[Any]
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return self.names.size

    def title(self, place: int, *, longest: int = LONGEST) -> str:
        """Return what a reader knows one by: its title, with its year, or else the data's own name."""
        titles, years = self.columns.get("title"), self.columns.get("year")
        title = str(titles[place]) if titles is not None else ""
        text = title or str(self.names[place])
        ending = ""
        if title and not title.endswith(")") and years is not None and years.dtype.kind in "iuf":
            ending = f" ({years[place]:.0f})" if np.isfinite(years[place]) else ""
        cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
        return f"{cut}{ending}"


@dataclass(frozen=True, eq=False)
class Rated:
    """Ratings that were fitted: user, item and value, ``n_ratings`` each."""

    user: Integers
    item: Integers
    value: Floats

    @cached_property
    def mean(self) -> float:
        """Of all of them."""
        return float(self.value.mean())


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Test ratings, ``n_test`` each, with what was said of them before they were seen; None what is not said.

    Parameters
    ----------
    user, item
        Their numbers, from 0.
    rating, mean
        What was given; what was expected, kept within the scale.
    sd, low, high
        Of the predictive distribution, and the ends of its 95 % interval.
    pit, log_density
        Of the rating in it.
    chances
        ``n_test x n_levels``.
    """

    user: Integers
    item: Integers
    rating: Floats
    mean: Floats
    sd: Floats | None
    low: Floats | None
    high: Floats | None
    pit: Floats | None
    log_density: Floats | None
    chances: Floats | None

    @cached_property
    def rmse(self) -> float:
        """Root mean square error."""
        return float(np.sqrt(np.mean((self.mean - self.rating) ** 2)))

    @cached_property
    def mae(self) -> float:
        """Mean absolute error."""
        return float(np.mean(np.abs(self.mean - self.rating)))

    @cached_property
    def coverage(self) -> float | None:
        """Share of the ratings in their 95 % intervals."""
        if self.low is None or self.high is None:
            return None
        return float(np.mean((self.low <= self.rating) & (self.rating <= self.high)))


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors by sweep or epoch, ``n_chains x n``; None what nobody followed.

    ``loss``, ``train`` and ``test`` are of each step from the first, ``drawn`` is the test error of each kept draw,
    ``so_far`` that of the mean of these. ``warmup`` steps came before the first kept draw, ``thin`` from one to the
    next.
    """

    loss: Floats | None
    train: Floats | None
    test: Floats | None
    drawn: Floats | None
    so_far: Floats | None
    warmup: int
    thin: int


@dataclass(frozen=True, eq=False)
class Factorisation:
    """A fitted factorisation; None what was not kept.

    Parameters
    ----------
    card
        Its form.
    kind, engine
        Of the fit.
    users, items
        Their names and tables.
    rated, tested
        Ratings for training and for testing.
    kept
        Draws of the rows.
    errors
        By sweep.
    reach
        Of a point the least and the greatest prediction as they come, and the share of those outside the scale.
    """

    card: FactorCard
    kind: Kind
    engine: str
    users: Side
    items: Side
    rated: Rated | None
    tested: HeldOut | None
    kept: Kept | None
    errors: Errors
    reach: tuple[float, float, float] | None = None

    @property
    def is_point(self) -> bool:
        """Whether these are estimates without a distribution."""
        return self.kind == "point"

    @property
    def scale(self) -> str:
        """The scale of ratings in words."""
        return say("{low} to {high}", low=f"{self.card.low:g}", high=f"{self.card.high:g}")

    @property
    def decimals(self) -> int:
        """Decimals of an expected rating: 2 from 1 to 5, fewer on a wider scale."""
        return max(0, 2 - int(np.floor(np.log10(max(self.card.high - self.card.low, 1e-9) / 4))))

    def rating(self, value: float) -> str:
        """Return an expected rating as a text."""
        return number(value, self.decimals)

    def counts(self, side: str) -> Integers:
        """Return how many training ratings each user, or item, has."""
        size = len(self.users if side == "user" else self.items)
        if self.rated is None:
            return np.zeros(size, dtype=np.int64)
        return np.bincount(self.rated.user if side == "user" else self.rated.item, minlength=size)

    @cached_property
    def means_alone(self) -> Floats | None:
        """What users' and items' means alone would say of the test ratings, within the scale."""
        if self.rated is None or self.tested is None:
            return None
        item = _shifts(self.rated.item, self.rated.value - self.rated.mean, len(self.items))
        left = self.rated.value - self.rated.mean - item[self.rated.item]
        user = _shifts(self.rated.user, left, len(self.users))
        found = self.rated.mean + user[self.tested.user] + item[self.tested.item]
        return np.clip(found, self.card.low, self.card.high)


def _shifts(place: Integers, values: Floats, size: int) -> Floats:
    """Return the mean of the values at each place, 0 where there are none."""
    counts = np.bincount(place, minlength=size)
    return np.bincount(place, values, size) / np.maximum(counts, 1)
