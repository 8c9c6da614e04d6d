"""What the groups that figures show are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from bayeskit.models.autoencoders.conditions import encoded
from bayeskit.models.autoencoders.estimates import Rows, decode
from bayeskit.models.autoencoders.module import Autoencoder

if TYPE_CHECKING:
    from bayeskit.core.types import ConditionCard
    from bayeskit.datasets.examples import Examples
    from bayeskit.models.vae import VAE

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

MOST_TRAVERSED = 10
STEPS = np.linspace(-3.0, 3.0, 13)


def given_of(data: Examples, places: Places) -> dict[str, NDArray[Any]]:
    """Return the conditions of some rows as ``given_NAME``: numbers, or names of classes."""
    found = {}
    for condition in data.conditions:
        values = condition.values[places]
        found[f"given_{condition.name}"] = np.array(condition.classes)[values] if condition.classes else values
    return found


@dataclass(frozen=True, eq=False)
class Seen:
    """A trained autoencoder and what is known of its rows.

    Parameters
    ----------
    model, module
        The model, and its networks.
    rows
        All, as networks take them.
    judged
        Which rows are held out; all where none are.
    shown
        Which rows' codes are known.
    mean
        ``n_shown x latent``: these.
    ranked
        Codes from 0, the one that tells most first.
    """

    model: VAE
    module: Autoencoder
    rows: Rows
    judged: Places
    shown: Places
    mean: Floats
    ranked: Places

    @property
    def typical(self) -> int:
        """The place, among those shown, of the row whose codes are nearest to the middle of all."""
        spread = np.maximum(self.mean.std(axis=0), 1e-9)
        return int(np.argmin((((self.mean - np.median(self.mean, axis=0)) / spread) ** 2).sum(axis=1)))

    @property
    def classes(self) -> ConditionCard | None:
        """The first condition that is a class."""
        return next((card for card in self.model.spec.conditions if card.classes), None)

    def given(self, places: Places) -> dict[str, NDArray[Any]]:
        """Return the conditions that the networks take of some rows, as ``given_NAME``."""
        return given_of(self.model.data, places) if self.model.spec.conditions else {}

    def like(self, place: int, n: int) -> Rows:
        """Return a row, by its place among all, so many times: for what is given of it."""
        return self.rows.take(np.full(n, place))

    def with_condition(self, rows: Rows, name: str, values: NDArray[Any]) -> Rows:
        """Return rows of which one condition, in the networks' order of them, is another one: numbers or codes."""
        cards = self.model.spec.conditions
        assert rows.given is not None
        parts, first = [], 0
        for card in cards:
            width = len(card.classes) or 1
            if card.name == name:
                parts.append(torch.from_numpy(encoded([card], [values])))
            else:
                parts.append(rows.given[:, first : first + width])
            first += width
        return Rows(rows.values, torch.cat(parts, dim=1))

    def traversals(self) -> dict[str, NDArray[Any]]:
        """Return what a typical row becomes as one code after the other goes from -3 to 3, in the prior's units."""
        codes = self.ranked[:MOST_TRAVERSED]
        moved = np.tile(self.mean[self.typical], (len(codes), len(STEPS), 1))
        for at, code in enumerate(codes):
            moved[at, :, code] = STEPS
        rows = self.like(int(self.shown[self.typical]), len(codes) * len(STEPS))
        made, _ = decode(self.module, moved.reshape(len(rows), -1), rows)
        return {"decoded": made.reshape(len(codes), len(STEPS), *made.shape[1:]), "at": STEPS, "code": codes + 1}
