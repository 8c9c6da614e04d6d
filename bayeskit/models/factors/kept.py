"""The few draws of the factors that a run keeps, read one after the other: never all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.models.factors.spec import SIDES

if TYPE_CHECKING:
    import xarray as xr

    from bayeskit.core.types import FactorCard

Floats = NDArray[np.float64]

_FEW = {"mu", "tau", "cutpoints"}  # numbers of a draw: these are read at once
_HIGH_UP = 0.75  # of the scale: 4 of 1 to 5, 8 of 1 to 10


class Row(NamedTuple):
    """What one draw says of the row of a user, or of an item: its mean, d, and its covariance, None of a known row."""

    mean: Floats
    covariance: Floats | None = None

    def draw(self, noise: Floats) -> Floats:
        """Return a row that is drawn, by d independent standard normal numbers."""
        return self.mean if self.covariance is None else self.mean + np.linalg.cholesky(self.covariance) @ noise


@dataclass(frozen=True, eq=False)
class Scale:
    """The ratings' scale, and how the model's own one lies on it.

    Parameters
    ----------
    centre, spread
        Of the training ratings: a rating is ``centre + spread * eta``, of a normal likelihood.
    low, high
        Its ends.
    levels
        Its steps, ascending; empty where ratings are continuous.
    ordinal
        Whether the model is of levels.
    """

    centre: float
    spread: float
    low: float
    high: float
    levels: Floats
    ordinal: bool

    def at_least(self, asked: float | None) -> float:
        """Return what counts as a high rating: unless asked for, the first one that is three quarters up the scale.

        Raises
        ------
        ConfigError
            If every rating, or none, would be.
        """
        if asked is None:
            asked = self.low + _HIGH_UP * (self.high - self.low)
        if not self.low < asked <= self.high:
            raise ConfigError(
                f"a rating of at least {asked:g} is every one or none on a scale from {self.low:g} to {self.high:g}; "
                "give another one (--at-least)"
            )
        return float(self.levels[np.searchsorted(self.levels, asked)]) if len(self.levels) else float(asked)

    def threshold(self, at_least: float) -> float:
        """Return above which number the normal likelihood takes a rating for at least so high.

        Where ratings are levels, half a step below: a number is the rating that is nearest to it.
        """
        if not len(self.levels):
            return at_least
        place = int(np.searchsorted(self.levels, at_least))
        return float(self.levels[place - 1 : place + 1].mean())


@dataclass(frozen=True, eq=False)
class Kept:
    """Draws of the factors, and what else is needed to predict by them.

    Parameters
    ----------
    factors
        The group of a run's posterior, which may lie on disk.
    scale
        Of the ratings.
    nonnegative
        Whether rows are factors alone, and none negative; otherwise each begins with a bias.
    user, item, values
        The training ratings: ``n_ratings`` rows of each side, from 0, and what was given.
    """

    factors: xr.Dataset
    scale: Scale
    nonnegative: bool
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    values: Floats

    @property
    def n_draws(self) -> int:
        """Of all chains together."""
        return int(self.factors.sizes["factor_chain"] * self.factors.sizes["factor_draw"])

    @property
    def is_point(self) -> bool:
        """Whether there is one estimate, which says nothing of how sure it is."""
        return "user_precision" not in self.factors

    def n_rows(self, side: str) -> int:
        """Return the number of users, or of items."""
        return int(self.factors.sizes[side])

    def n_known(self, side: str) -> int:
        """Return the number of those with training ratings; they are the first."""
        found: NDArray[np.int64] = getattr(self, side)
        return int(found.max()) + 1

    def draws(self) -> Iterator[KeptDraw]:
        """Give the draws."""
        for chain in range(self.factors.sizes["factor_chain"]):
            for at in range(self.factors.sizes["factor_draw"]):
                yield KeptDraw(self, chain, at)

    def partners(self, rows: Floats) -> Floats:
        """Return rows as those of the other side are multiplied by them: with a 1 where their bias stands."""
        if self.nonnegative:
            return rows
        found = rows.copy()
        found[..., 0] = 1.0
        return found


@dataclass(frozen=True, eq=False)
class KeptDraw:
    """One draw, whose arrays are read when they are first asked for.

    Parameters
    ----------
    kept
        All of them.
    chain, at
        Which one.
    """

    kept: Kept
    chain: int
    at: int
    _read: dict[str, Floats] = field(default_factory=dict, init=False, repr=False)

    @property
    def level(self) -> float:
        """What all ratings have in common, on the model's scale."""
        return float(self.array("mu"))

    @property
    def tau(self) -> float:
        """Precision of a rating."""
        return float(self.array("tau"))

    def array(self, name: str) -> Floats:
        """Return one of its arrays.

        Raises
        ------
        DataError
            If it is damaged or missing.
        """
        if name in self._read:
            return self._read[name]
        try:
            found = np.asarray(self.kept.factors[name][self.chain, self.at].values, dtype=np.float64)
        except Exception as error:  # whatever the Zarr library makes of damaged files
            raise _unreadable(error) from None
        if not np.isfinite(found).all():
            raise DataError(f"factors.zarr lacks a part of draw {self.at + 1} of '{name}'; fit again")
        self._read[name] = found
        return found

    def rows(self, side: str) -> Floats:
        """Return the rows of a side, ``n x d``."""
        return self.array(f"{side}_rows")

    def population(self, side: str, features: Floats | None = None) -> Row:
        """Return what a row is drawn from of whom there are no ratings; of a point estimate the mean of the others.

        Parameters
        ----------
        side
            ``user`` or ``item``.
        features
            F; unless given all 0, as the fit takes those of whom nothing is known.
        """
        if self.kept.is_point:
            return Row(self.rows(side)[: self.kept.n_known(side)].mean(axis=0))
        mean, precision = self.array(f"{side}_mean"), self.array(f"{side}_precision")
        if self.kept.nonnegative:
            variance = 1 / np.diag(precision)
            return Row(np.sqrt(2 / np.pi * variance), np.diag((1 - 2 / np.pi) * variance))
        if features is not None:
            mean = mean + features @ self.array(f"{side}_coefficients")
        return Row(mean, np.asarray(np.linalg.inv(precision), dtype=np.float64))

    def eta(self, row: Floats, items: Floats) -> Floats:
        """Return what a user's row, d, says of items' rows, ``n x d``: ``n``."""
        found = self.level + self.kept.partners(items) @ row
        return found if self.kept.nonnegative else found + items[:, 0]


def kept_of(groups: Mapping[str, Any], card: FactorCard) -> Kept:
    """Return the draws that a run keeps.

    Parameters
    ----------
    groups
        Of a run's posterior, by name: ``factors`` and ``ratings``.
    card
        What the run says of its model.

    Raises
    ------
    DataError
        If ratings cannot be read, or are not those of the run.
    """
    try:
        ratings = {name: np.asarray(groups["ratings"][name].values) for name in (*SIDES, "value")}
        factors = groups["factors"].to_dataset()
        for name in _FEW.intersection(factors):
            factors[name].load()
    except Exception as error:  # whatever the Zarr library makes of damaged files
        raise _unreadable(error) from None
    values = ratings["value"].astype(np.float64)
    if len(values) != card.n_ratings or not np.isfinite(values).all():
        raise DataError("factors.zarr lacks a part of the ratings; fit again")
    ordinal = card.likelihood == "ordinal"
    centre, spread = (0.0, 1.0) if ordinal else (0.0 if card.nonnegative else values.mean(), values.std())
    scale = Scale(float(centre), float(spread), card.low, card.high, np.asarray(card.levels, dtype=float), ordinal)
    user, item = (ratings[side].astype(np.int64) for side in SIDES)
    return Kept(factors, scale, card.nonnegative, user, item, values)


def _unreadable(error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return DataError(f"factors.zarr cannot be read ({reason}); fit again")
