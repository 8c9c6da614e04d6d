"""What the kept draws say of new ratings: of pairs that are named, and of all items for one user.

Draws are read one after the other, and what they say is added up. A user, or an item, whom the fit has no row of is
integrated out: given a draw, the mean and the variance of what is predicted are exact, and a normal distribution with
these stands for it, which it is but where both are unknown, or rows are not negative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bayeskit.models.factors.kept import Kept, KeptDraw, Row
from bayeskit.models.factors.spec import SIDES
from bayeskit.models.factors.testing import INTERVAL

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Person = Callable[[KeptDraw], Row]
"""What a draw says of a user's row."""

_AT_ONCE = 1_000_000  # pairs
_TAIL = (1 - INTERVAL) / 2


@dataclass(frozen=True, eq=False)
class Forecast:
    """What is said of some ratings, ``n`` each.

    Parameters
    ----------
    raw
        What is expected, not kept within the scale.
    mean
        The same, kept within it.
    low, high
        A 95 % interval of the rating itself: normal with the mean and variance of all draws together, and not kept
        within the scale; or the levels that hold so much. None of a point estimate.
    chance
        Of a high rating. None of a point estimate.
    """

    raw: Floats
    mean: Floats
    low: Floats | None = None
    high: Floats | None = None
    chance: Floats | None = None

    def columns(self) -> dict[str, Floats]:
        """Return what there is besides the raw means, by name."""
        found = {"mean": self.mean, "low": self.low, "high": self.high, "chance": self.chance}
        return {name: values for name, values in found.items() if values is not None}

    def of(self, places: Integers) -> Forecast:
        """Return what is said of some of them."""
        return Forecast(self.raw[places], **{name: values[places] for name, values in self.columns().items()})


class Sums:
    """What draws say of ratings, added up.

    Parameters
    ----------
    kept
        Where the draws are from.
    at_least
        A rating that counts as a high one.
    """

    def __init__(self, kept: Kept, at_least: float) -> None:
        self._kept, self._at_least = kept, at_least
        self._sums: dict[str, Floats] = {}

    def add(self, draw: KeptDraw, eta: Floats, variance: Floats | float) -> None:
        """Add a draw: what it predicts, ``n``, on the model's scale, and the variance of this, 0 of known rows."""
        terms = self._of_levels(draw, eta, variance) if self._kept.scale.ordinal else self._normal(draw, eta, variance)
        for name, term in terms.items():
            self._sums[name] = self._sums[name] + term if name in self._sums else term

    def forecast(self) -> Forecast:
        """Return what all draws say together."""
        scale = self._kept.scale
        sums = {name: term / self._kept.n_draws for name, term in self._sums.items()}
        if scale.ordinal:
            chances = sums["chances"]
            raw, high = chances @ scale.levels, scale.levels >= self._at_least
            low_end, high_end = (_level_at(chances, share, scale.levels) for share in (_TAIL, 1 - _TAIL))
            return Forecast(raw, raw, low_end, high_end, chances[:, high].sum(axis=1))
        raw = sums["mean"]
        mean = np.clip(raw, scale.low, scale.high)
        if self._kept.is_point:
            return Forecast(raw, mean)
        reach = -ndtri(_TAIL) * np.sqrt(np.maximum(sums["square"] - raw**2, 0.0))
        return Forecast(raw, mean, raw - reach, raw + reach, sums["chance"])

    def _normal(self, draw: KeptDraw, eta: Floats, variance: Floats | float) -> dict[str, Floats]:
        scale = self._kept.scale
        mean = scale.centre + scale.spread * eta
        if self._kept.is_point:
            return {"mean": mean}
        sd = scale.spread * np.sqrt(variance + 1 / draw.tau)
        return {
            "mean": mean,
            "square": mean**2 + sd**2,
            "chance": ndtr((mean - scale.threshold(self._at_least)) / sd),
        }

    def _of_levels(self, draw: KeptDraw, eta: Floats, variance: Floats | float) -> dict[str, Floats]:
        width = np.sqrt(1 + np.broadcast_to(variance, eta.shape))
        at_most = ndtr((draw.array("cutpoints") - eta[:, np.newaxis]) / width[:, np.newaxis])
        return {"chances": np.diff(at_most, axis=1, prepend=0.0, append=1.0)}


def predict_ratings(kept: Kept, user: Integers, item: Integers, at_least: float) -> Forecast:
    """Say what users would give to items.

    Parameters
    ----------
    kept
        Draws.
    user, item
        ``n_pairs`` each, from 0; -1 stands for whom the run does not know.
    at_least
        What counts as a high rating.
    """
    parts = []
    for first in range(0, max(len(user), 1), _AT_ONCE):
        sums = Sums(kept, at_least)
        here = slice(first, first + _AT_ONCE)
        for draw in kept.draws():
            sums.add(draw, *_pairs(draw, user[here], item[here]))
        parts.append(sums.forecast())
    raw = np.concatenate([part.raw for part in parts])
    columns = [part.columns() for part in parts]
    return Forecast(raw, **{name: np.concatenate([found[name] for found in columns]) for name in columns[0]})


def _pairs(draw: KeptDraw, user: Integers, item: Integers) -> tuple[Floats, Floats | float]:
    """Return what a draw predicts of pairs, and the variance of this."""
    kept, rows = draw.kept, {side: draw.rows(side) for side in SIDES}
    unknown = {"user": user < 0, "item": item < 0}
    away = {side: draw.population(side) for side in SIDES if unknown[side].any()}
    for side, row in away.items():
        rows[side] = np.concatenate([rows[side], row.mean[np.newaxis]])  # where -1 is
    first = 0 if kept.nonnegative else 1
    eta = draw.level + np.einsum("nk,nk->n", rows["user"][user, first:], rows["item"][item, first:])
    if first:
        eta += rows["user"][user, 0] + rows["item"][item, 0]
    variance = np.zeros(len(user))
    for side, other, places in (("user", "item", item), ("item", "user", user)):
        spread = away[side].covariance if side in away else None
        if spread is not None:
            variance += np.where(unknown[side], _along(spread, kept.partners(rows[other]))[places], 0.0)
    both = unknown["user"] & unknown["item"]
    if both.any() and not kept.is_point:
        spreads = [away[side].covariance[first:, first:] for side in SIDES]  # type: ignore[index]
        variance += np.where(both, np.sum(spreads[0] * spreads[1]), 0.0)
    return eta, variance


def recommend_items(
    kept: Kept, person: Person, at_least: float, *, allowed: Integers, top: int, rng: np.random.Generator | None = None
) -> tuple[Integers, Forecast]:
    """Choose items for a user.

    Parameters
    ----------
    kept
        Draws.
    person
        What each says of the user.
    at_least
        What counts as a high rating.
    allowed
        Items to choose from.
    top
        How many.
    rng
        Given for Thompson sampling, Chapelle and Li (2011): each place is filled by the item that is best under one
        draw, another for each place while there are enough, but for those that are chosen already. Otherwise items are
        in the order of what is expected of them.

    Returns
    -------
    array, Forecast
        The items, at most ``top``, the best one first; and what is said of each.
    """
    sums = Sums(kept, at_least)
    sampled = None if rng is None else _Thompson(kept.n_draws, min(top, len(allowed)), rng)
    for at, draw in enumerate(kept.draws()):
        row, items = person(draw), draw.rows("item")[allowed]
        variance = 0.0 if row.covariance is None else _along(row.covariance, kept.partners(items))
        sums.add(draw, draw.eta(row.mean, items), variance)
        if sampled is not None:
            sampled.see(at, draw, row, items)
    forecast = sums.forecast()
    places = np.argsort(-forecast.raw, kind="stable")[:top] if sampled is None else sampled.places()
    return allowed[places], forecast.of(places)


class _Thompson:
    """The best items under some draws."""

    def __init__(self, n_draws: int, top: int, rng: np.random.Generator) -> None:
        self._rng, self._top = rng, top
        self._best: dict[int, Integers] = {}
        rounds = [rng.permutation(n_draws) for _ in range(-(-top // n_draws))]
        self._turns = np.concatenate(rounds)[:top] if rounds else np.empty(0, dtype=np.int64)

    def see(self, at: int, draw: KeptDraw, row: Row, items: Floats) -> None:
        """Look at a draw; of a user whose row is not known, one is drawn."""
        if at in self._turns:
            drawn = row.draw(self._rng.standard_normal(len(row.mean)))
            self._best[at] = np.argsort(-draw.eta(drawn, items), kind="stable")[: self._top]

    def places(self) -> Integers:
        """Return which were chosen, in turn."""
        chosen: list[int] = []
        for at in self._turns:
            chosen.append(next(int(place) for place in self._best[int(at)] if place not in chosen))
        return np.array(chosen, dtype=np.int64)


class Similarity(NamedTuple):
    """How alike items are: the mean over draws, and 95 % of these; ``n`` each, None of a point estimate."""

    mean: Floats
    low: Floats | None
    high: Floats | None


def similar_to(kept: Kept, item: int) -> Similarity:
    """Say how alike an item and all items are: the correlation, over users, of their interactions with these.

    The interaction of a user and an item is what is predicted without the user's mean over items and the item's over
    users, so that no rotation or shift of the factors changes it.
    """
    first = 0 if kept.nonnegative else 1
    found = np.empty((kept.n_draws, kept.n_rows("item")))
    for at, draw in enumerate(kept.draws()):
        users, items = (rows - rows.mean(axis=0) for rows in (draw.rows(side)[:, first:] for side in SIDES))
        covariance = users.T @ users / len(users)
        variance = _along(covariance, items)
        scale = np.sqrt(variance * variance[item])
        found[at] = np.divide(items @ (covariance @ items[item]), scale, out=np.zeros_like(scale), where=scale > 0)
    if kept.is_point:
        return Similarity(found[0], None, None)
    return Similarity(found.mean(axis=0), *np.quantile(found, (_TAIL, 1 - _TAIL), axis=0))


def _along(covariance: Floats, rows: Floats) -> Floats:
    """Return the variance of each row's product with a vector of this covariance."""
    return np.asarray(np.einsum("nk,nk->n", rows @ covariance, rows))


def _level_at(chances: Floats, share: float, levels: Floats) -> Floats:
    """Return the first level at which so much of the chances is reached."""
    places = np.sum(np.cumsum(chances, axis=1) < share, axis=1)
    return np.asarray(levels[np.minimum(places, len(levels) - 1)], dtype=float)
