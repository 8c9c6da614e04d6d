"""Users, items and ratings that are simulated, for tests of reports to start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OCCUPATIONS = ("artist", "doctor", "writer")
CUTPOINTS = np.array([-2.0, -1.0, 0.2, 1.4])
SIGMA = 0.8


@dataclass(frozen=True)
class World:
    """Predictors on the scale of the data (of levels hidden ones): biases and factors; and ratings of some pairs."""

    level: float
    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    user: np.ndarray
    item: np.ndarray
    value: np.ndarray
    test: np.ndarray

    @property
    def eta(self) -> np.ndarray:
        alone = self.level + self.user_bias[:, None] + self.item_bias
        return alone + self.user_factors @ self.item_factors.T


def world(
    n_users: int, n_items: int, rank: int, likelihood: str, *, nonnegative: bool, effect: float, seed: int
) -> World:
    """Simulate; ``effect`` is how far the tastes of occupations lie apart."""
    rng = np.random.default_rng(seed)
    ordinal = likelihood == "ordinal"
    user, item = 0.5 * rng.normal(size=(n_users, rank)), rng.normal(size=(n_items, rank))
    user += effect * np.eye(max(rank, len(OCCUPATIONS)))[np.arange(n_users) % len(OCCUPATIONS), :rank]
    if nonnegative:
        user, item = np.abs(user) + 0.3, np.abs(item) + 0.5
    biases = [np.zeros(n) if nonnegative else 0.4 * rng.normal(size=n) for n in (n_users, n_items)]
    level = 0.0 if ordinal or nonnegative else 3.4
    busy = np.linspace(2.0, 0.2, n_items) * 0.35  # items differ in how many ratings they have
    user_of, item_of = np.nonzero(rng.random((n_users, n_items)) < busy)
    made = World(level, *biases, user, item, user_of, item_of, np.empty(0), np.empty(0))
    eta = made.eta[user_of, item_of]
    if ordinal:
        value = 1.0 + (eta[:, None] + rng.normal(size=(eta.size, 1)) > CUTPOINTS).sum(1)
    else:
        value = np.clip(np.round(eta + SIGMA * rng.normal(size=eta.size)), 1, 5)
    test = rng.random(eta.size) < 0.25
    return World(level, *biases, user, item, user_of, item_of, value, test)
