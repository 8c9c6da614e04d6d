"""A new user: what each kept draw says of her row, given what is known of her and what she has rated.

Given the items' rows and the level and the noise of ratings, her row is conditionally normal, as any user's is in a
sweep of Gibbs sampling: Salakhutdinov and Mnih (2008), doi:10.1145/1390156.1390267. Of levels it is so given hidden
ratings, which a few steps draw: Albert and Chib (1993), doi:10.1080/01621459.1993.10476321. Rows that are not negative
are drawn by a few passes over their columns. It is an approximation: her ratings say something of the items, too, and
that is left out, as one user more would hardly move them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bayeskit.models.factors._cutpoints import draw_hidden
from bayeskit.models.factors._normal import draw_above_zero
from bayeskit.models.factors.kept import KeptDraw, Row

Floats = NDArray[np.float64]

_STEPS = 20


@dataclass(frozen=True, eq=False)
class NewUser:
    """Somebody whom the fit did not see; called with a draw it says what this makes of her row.

    Parameters
    ----------
    item
        ``n_ratings``, what she has rated, from 0.
    values
        ``n_ratings``, in the data's units.
    features
        F, as the fit has them of its users; None where it has none.
    stream
        Of random numbers: the same stream and draws in the same order give the same rows.
    """

    item: NDArray[np.int64]
    values: Floats
    features: Floats | None
    stream: torch.Generator

    def __call__(self, draw: KeptDraw) -> Row:
        """Return her row under a draw."""
        kept, items, precision = draw.kept, draw.rows("item")[self.item], draw.array("user_precision")
        partners = kept.partners(items)
        if kept.nonnegative:
            return self._positive(partners, self.values / kept.scale.spread, np.diag(precision), draw.tau)
        prior = draw.population("user", self.features)
        if not len(self.item):
            return prior
        own = draw.level + items[:, 0]
        if kept.scale.ordinal:
            return self._of_levels(draw, partners, own, prior.mean, precision)
        values = (self.values - kept.scale.centre) / kept.scale.spread
        return _given(partners, values - own, prior.mean, precision, draw.tau)

    def _of_levels(self, draw: KeptDraw, partners: Floats, own: Floats, mean: Floats, precision: Floats) -> Row:
        level = torch.as_tensor(np.searchsorted(draw.kept.scale.levels, self.values))
        cutpoints, row = draw.array("cutpoints"), mean
        for _ in range(_STEPS):
            hidden = draw_hidden(level, cutpoints, torch.as_tensor(own + partners @ row), self.stream).numpy()
            found = _given(partners, hidden - own, mean, precision, 1.0)
            row = found.draw(torch.randn(len(mean), generator=self.stream, dtype=torch.float64).numpy())
        return found

    def _positive(self, partners: Floats, values: Floats, alpha: Floats, tau: float) -> Row:
        precision = torch.as_tensor(tau * np.sum(partners**2, axis=0) + alpha)
        row, sd = np.sqrt(1 / alpha), precision.rsqrt()
        for _ in range(_STEPS):
            for column in range(len(row)):
                left = values - partners @ row + partners[:, column] * row[column]
                mean = tau * (partners[:, column] @ left) / precision[column]
                row[column] = draw_above_zero(mean, sd[column], self.stream)
        return Row(row)


def _given(partners: Floats, left: Floats, mean: Floats, precision: Floats, tau: float) -> Row:
    """Return a row given what is left of ratings without what is not hers, and their precision."""
    covariance = np.asarray(np.linalg.inv(precision + tau * partners.T @ partners), dtype=np.float64)
    return Row(covariance @ (precision @ mean + tau * partners.T @ left), covariance)
